"""What is remembered of a path holds no longer than a fresh judgement would say the same.

The failure guarded against: a signer whose path was good once stays believed although what it
rested on, or a setting, has changed since.
"""

from __future__ import annotations

from cryptography import x509
from support.revocation import (
    HOUR,
    HOUR_US,
    NOW,
    NOW_US,
    Ca,
    entry,
    root,
    trusting,
    usage,
)  # fmt: skip

from router.model.instants import instant_of
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


# A signer with two ways to a root, the first of which decides nothing yet.

OTHER = root("Older root CA", 32)
BOTH_LEAF_SERIAL = 8


def two_ways() -> tuple[TrustView, Certificate]:
    """Two roots have certified one authority; the way over the older comes first."""
    certified = OTHER.certify(
        MIDDLE.name, MIDDLE.key, serial=77,
        extensions=[(x509.BasicConstraints(True, None), True),
                    (usage(key_cert_sign=True, crl_sign=True), True)],
    )  # fmt: skip
    trust = trusting(OTHER, Ca(MIDDLE.key, certified), ROOT, MIDDLE)
    return trust, MIDDLE.leaf(BOTH_LEAF_SERIAL)


def test_a_good_path_ends_when_a_way_that_was_undecided_will_show_the_signer_revoked() -> None:
    trust, leaf = two_ways()
    store = RevocationStore(0)
    store.add(ROOT.crl(), trust, NOW_US)
    store.add(MIDDLE.crl(), trust, NOW_US)
    at_us = NOW_US
    path = known(store, at_us, leaf, trust)
    assert (path.status, len(path.evidence)) == ("valid", 2), "the older root's list is missing"
    # What the older root says of its certificate decides the first way: not valid, not good.
    store.add(OTHER.crl([entry(77, at=NOW - HOUR)]), trust, NOW_US)
    assert not path.holds(trust.authorities, store.view, at_us), "it rests on the first way, too"


def test_the_next_list_of_the_signers_authority_renews_a_path_with_a_way_beside_it() -> None:
    trust, leaf = two_ways()
    store = RevocationStore(0)
    store.add(ROOT.crl(), trust, NOW_US)
    store.add(MIDDLE.crl(number=1), trust, NOW_US)
    path = known(store, NOW_US, leaf, trust)
    store.add(MIDDLE.crl(number=2, made=NOW), trust, NOW_US)
    assert not path.holds(trust.authorities, store.view, NOW_US)
    fresh = renewed(path, leaf, trust, store.view, NOW_US)
    assert fresh is not None, "it takes no cold path each time a list is published"
    assert fresh.holds(trust.authorities, store.view, NOW_US)
    store.add(OTHER.crl(), trust, NOW_US)
    assert not fresh.holds(trust.authorities, store.view, NOW_US)
    assert renewed(fresh, leaf, trust, store.view, NOW_US) is None


def test_a_good_path_lasts_no_longer_than_the_refusal_of_a_way_before_it() -> None:
    trust, leaf = two_ways()
    store = RevocationStore(0)
    store.add(ROOT.crl(), trust, NOW_US)
    store.add(MIDDLE.crl(), trust, NOW_US)
    store.add(OTHER.crl([entry(77, at=NOW - HOUR)]), trust, NOW_US)
    path = known(store, NOW_US, leaf, trust)
    assert path.status == "valid"
    earlier = instant_of(NOW - 2 * HOUR)
    assert known(store, earlier, leaf, trust).chain != path.chain
    assert path.good_from > earlier


def test_no_good_path_outlives_the_coming_of_another_authority() -> None:
    begins = NOW + HOUR
    later = OTHER.certify(
        MIDDLE.name, MIDDLE.key, serial=78, starts=begins,
        extensions=[(x509.BasicConstraints(True, None), True),
                    (usage(key_cert_sign=True, crl_sign=True), True)],
    )  # fmt: skip
    trust = trusting(OTHER, ROOT, MIDDLE, Ca(MIDDLE.key, later))
    store = RevocationStore(0)
    store.add(ROOT.crl(), trust, NOW_US)
    store.add(MIDDLE.crl(), trust, NOW_US)
    path = known(store, NOW_US, LEAF, trust)
    assert path.status == "valid"
    assert path.good_until == instant_of(begins) - 1
    fresh = renewed(path, LEAF, trust, store.view, NOW_US)
    assert fresh is not None
    assert fresh.good_until == path.good_until, "renewed, it ends then, too"
