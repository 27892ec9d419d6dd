"""What is remembered of a path holds no longer than a fresh judgement would say the same.

The failure guarded against: a signer whose path was good once stays believed although what it
rested on, or a setting, has changed since.
"""

from __future__ import annotations

from support.revocation import HOUR_US, NOW, NOW_US, root, trusting

from router.signatures import RevocationStore, TrustView
from router.signatures.caches import KnownPath
from router.signatures.certificates import Certificate
from router.signatures.cold import known_path
from router.signatures.paths import judge_path
from router.signatures.renewal import renewed

ROOT = root()
MIDDLE = ROOT.child("CA of state agencies", 31)
LEAF = MIDDLE.leaf(7)
TRUST = trusting(ROOT, MIDDLE)


def known(
    store: RevocationStore, at_us: int, leaf: Certificate = LEAF, trust: TrustView = TRUST
) -> KnownPath:
    verdict = judge_path(leaf, (), trust, store.view, at_us)
    return known_path(verdict, leaf, trust.authorities, store.view)


def test_another_grace_lets_no_remembered_path_go_on_with_the_former() -> None:
    store = RevocationStore(7_200)
    store.add(ROOT.crl(), TRUST, NOW_US)
    store.add(MIDDLE.crl(ends=NOW), TRUST, NOW_US)
    at_us = NOW_US + HOUR_US
    path = known(store, at_us)
    assert path.status == "valid"
    assert path.evidence[0].grace
    store.configure(7_200, 3_600, {})
    assert path.holds(TRUST.authorities, store.view, at_us), "nothing has changed"
    store.configure(0, 3_600, {})
    assert not path.holds(TRUST.authorities, store.view, at_us)
    assert renewed(path, LEAF, TRUST, store.view, at_us) is None
    assert known(store, at_us).status == "indeterminate"


def test_settings_without_any_revocation_data_are_no_news() -> None:
    store = RevocationStore(7_200)
    store.configure(0, 3_600, {})
    assert store.view.version == 0
    assert store.view.grace_us == 0
