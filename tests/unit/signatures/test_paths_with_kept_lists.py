"""Paths are judged with the revocation data the engine keeps, whatever its size and kind."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509 import ocsp
from support.revocation import HOUR, NOW, NOW_US, Ca, entry, named, root, trusting, usage

from router.limits import CRL_ENTRIES_TO_PATHS_MAX
from router.model.instants import instant_of
from router.signatures import RevocationStore
from router.signatures.paths import PathVerdict, judge_path

ROOT = root()
MIDDLE = ROOT.child("CA of state agencies", 31)
LEAF = MIDDLE.leaf(7)
TRUST = trusting(ROOT, MIDDLE)


def kept(*data: bytes, grace_s: int = 0) -> RevocationStore:
    store = RevocationStore(grace_s)
    for der in data:
        store.add(der, TRUST, NOW_US)
    return store


def judged(store: RevocationStore, at_us: int = NOW_US) -> PathVerdict:
    verdict = judge_path(LEAF, (), TRUST, store.view, at_us)
    assert verdict.good_from <= at_us <= verdict.good_until
    return verdict


def test_small_lists_are_judged_by_index_and_validator() -> None:
    store = kept(ROOT.crl(), MIDDLE.crl([8, 9]))
    verdict = judged(store)
    assert verdict.status == "valid"
    assert [one.kind for one in verdict.evidence] == ["crl", "crl"]
    assert verdict.good_until == instant_of(NOW + 23 * HOUR) - 1
    assert judged(kept(ROOT.crl(), MIDDLE.crl([7]))).code == "certificate.revoked"


def test_a_list_too_large_to_hand_out_answers_from_the_index() -> None:
    large = range(1_000, 1_001 + CRL_ENTRIES_TO_PATHS_MAX)
    store = kept(ROOT.crl(), MIDDLE.crl(large))
    assert store.view.lists_for(MIDDLE.certificate, NOW_US, TRUST) == ()
    assert judged(store).status == "valid"
    assert judged(kept(ROOT.crl(), MIDDLE.crl([7, *large]))).code == "certificate.revoked"


def test_an_ocsp_response_stands_in_for_a_list() -> None:
    assert judged(kept(ROOT.crl(), MIDDLE.response(LEAF))).status == "valid"
    delegated = MIDDLE.response(LEAF, responder=MIDDLE.responder())
    assert judged(kept(ROOT.crl(), delegated)).status == "valid"
    revoked = MIDDLE.response(LEAF, status=ocsp.OCSPCertStatus.REVOKED, revoked=NOW - HOUR)
    assert judged(kept(ROOT.crl(), revoked)).code == "certificate.revoked"


def test_what_comes_later_decides_for_the_instant_before() -> None:
    store = kept(ROOT.crl())
    assert judged(store).status == "indeterminate"
    later = MIDDLE.crl([entry(7, at=NOW + HOUR)], made=NOW + 2 * HOUR)
    store.add(later, TRUST, NOW_US + 3 * 3_600_000_000)
    verdict = judged(store)
    assert verdict.status == "valid"
    assert verdict.good_until == instant_of(NOW + HOUR) - 1
    assert judged(store, instant_of(NOW + HOUR)).code == "certificate.revoked"


def test_a_root_that_another_issued_is_asked_about_by_the_index() -> None:
    below = trusting(MIDDLE)
    store = RevocationStore()
    verdict = judge_path(LEAF, (), TRUST, store.view, NOW_US)
    assert verdict.status == "indeterminate"
    store.add(MIDDLE.crl(), TRUST, NOW_US)
    as_root = type(below)([type(one)(one.certificate, "root") for one in below.authorities], 1)
    assert judge_path(LEAF, (), as_root, store.view, NOW_US).status == "valid"


def test_what_is_refused_now_is_not_refused_for_before_a_way_to_it_was_revoked() -> None:
    # Two roots have certified one authority; the first by a path that is never valid.
    other = root("Older root CA", 32)
    short = other.certify(
        MIDDLE.name, MIDDLE.key, serial=77,
        extensions=[(x509.BasicConstraints(True, None), True), (usage(key_cert_sign=True), True),
                    (x509.NameConstraints(None, [x509.DirectoryName(named("signer 7"))]), True)],
    )  # fmt: skip
    trust = trusting(Ca(other.key, other.certificate), Ca(MIDDLE.key, short), ROOT, MIDDLE)
    store = RevocationStore(0)
    serial = MIDDLE.certificate.parsed.serial_number
    store.add(ROOT.crl([entry(serial, at=NOW - HOUR)]), trust, NOW_US)
    store.add(MIDDLE.crl(), trust, NOW_US)
    before = instant_of(NOW - 2 * HOUR)
    earlier = judge_path(LEAF, (), trust, store.view, before)
    assert earlier.status == "valid", earlier
    refused = judge_path(LEAF, (), trust, store.view, NOW_US)
    assert refused.status == "invalid"
    assert refused.good_from > before
