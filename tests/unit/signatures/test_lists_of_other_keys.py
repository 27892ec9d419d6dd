"""A list counts by the key that signed it, and only while that key's authority is trusted.

The failure guarded against: whoever holds the key of an authority that was removed, distrusted or
revoked clears or accuses the signers of its renewed sibling of the same name.
"""

from __future__ import annotations

import dataclasses

import pytest
from support.revocation import HOUR, HOUR_US, NOW, NOW_US, Ca, entry, root, trusting

from router.errors import InputError
from router.limits import CRL_ENTRIES_TO_PATHS_MAX
from router.model.revocation import Added
from router.signatures import RevocationStore, TrustView
from router.signatures.cold import known_path
from router.signatures.paths import PathVerdict, judge_path
from router.signatures.renewal import renewed

ROOT = root()
OLD = ROOT.child("CA of state agencies", 31)
NEW = ROOT.child("CA of state agencies", 33)
LEAF = NEW.leaf(7)
OLD_SERIAL, NEW_SERIAL = 32, 34
BOTH = trusting(ROOT, OLD, NEW)
SMALL: range = range(8, 9)
LARGE = range(1_000, 1_001 + CRL_ENTRIES_TO_PATHS_MAX)
sizes = pytest.mark.parametrize("others", [SMALL, LARGE], ids=["small", "large"])


def ended(trust: TrustView, one: Ca, since: int) -> TrustView:
    """Return a view in which the trust in an authority ends at an instant."""
    return TrustView(
        (
            dataclasses.replace(known, trusted_to=since)
            if known.certificate == one.certificate
            else known
            for known in trust.authorities
        ),
        trust.version + 1,
    )


def kept(*data: bytes, trust: TrustView = BOTH) -> RevocationStore:
    store = RevocationStore(0)
    for der in data:
        store.add(der, trust, NOW_US)
    return store


def judged(store: RevocationStore, trust: TrustView = BOTH, at_us: int = NOW_US) -> PathVerdict:
    return judge_path(LEAF, (), trust, store.view, at_us)


def refusal(store: RevocationStore, der: bytes, trust: TrustView, at_us: int = NOW_US) -> str:
    try:
        made: Added = store.add(der, trust, at_us)
    except InputError as error:
        return error.code
    return f"taken as new: {made.new}"


@sizes
def test_a_list_of_the_former_key_counts_while_its_authority_is_trusted(others: range) -> None:
    assert judged(kept(ROOT.crl(), OLD.crl(others))).status == "valid"
    assert judged(kept(ROOT.crl(), OLD.crl([7, *others]))).code == "certificate.revoked"


@sizes
def test_the_former_key_needs_no_list_of_a_root_that_is_not_asked(others: range) -> None:
    unasked = TrustView(
        (
            dataclasses.replace(one, revocation="not_checked") if one.role == "root" else one
            for one in BOTH.authorities
        ),
        1,
    )
    assert judged(kept(OLD.crl(others), trust=unasked), unasked).status == "valid"
    revoked = kept(OLD.crl([7, *others]), trust=unasked)
    assert judged(revoked, unasked).code == "certificate.revoked"


@sizes
def test_an_authority_that_is_trusted_no_more_clears_and_accuses_nobody(others: range) -> None:
    trust = ended(BOTH, OLD, NOW_US - HOUR_US)
    for entries in ([*others], [7, *others]):
        store = kept(ROOT.crl(), OLD.crl(entries))
        assert judged(store, trust).status == "indeterminate"
        removed = trusting(ROOT, NEW)
        assert judged(store, removed).status == "indeterminate"
        store.add(NEW.crl(), removed, NOW_US)
        assert judged(store, removed).status == "valid"


@sizes
def test_a_lost_key_brings_no_list_for_its_sibling_after_its_end(others: range) -> None:
    trust = ended(BOTH, OLD, NOW_US)
    store = kept(ROOT.crl())
    backdated = OLD.crl(others, made=NOW - 3 * HOUR)
    store.add(backdated, trust, NOW_US + HOUR_US)
    assert judged(store, trust, NOW_US - HOUR_US).status == "indeterminate"
    own = judge_path(OLD.leaf(99), (), trust, store.view, NOW_US - HOUR_US)
    assert own.status == "valid", "what it signed itself and came before is judged with it still"


@sizes
def test_a_list_that_came_in_time_serves_documents_that_came_in_time(others: range) -> None:
    store = kept(ROOT.crl(), OLD.crl(others))
    trust = ended(BOTH, OLD, NOW_US + HOUR_US)
    verdict = judged(store, trust)
    assert verdict.status == "valid"
    assert verdict.good_until < NOW_US + HOUR_US, "and no others"


@sizes
def test_an_authority_whose_certificate_was_revoked_signs_no_lists_for_its_sibling(
    others: range,
) -> None:
    for entries in ([*others], [7, *others]):
        store = kept(ROOT.crl([entry(OLD_SERIAL, at=NOW - HOUR)]), OLD.crl(entries))
        assert judged(store).status == "indeterminate"


@sizes
def test_of_two_roots_of_one_name_each_has_lists_of_its_own(others: range) -> None:
    other = root("Root CA", 36)
    stranger = other.child("CA of state agencies", 37)
    trust = trusting(ROOT, NEW, other, stranger)
    store = kept(ROOT.crl(), other.crl(), stranger.crl(others), trust=trust)
    assert judged(store, trust).status == "indeterminate"
    accused = kept(ROOT.crl(), other.crl(), stranger.crl([7, *others]), trust=trust)
    assert judged(accused, trust).status == "indeterminate"


def test_a_path_that_rests_on_another_key_ends_with_what_is_known_of_that_key() -> None:
    store = kept(ROOT.crl(number=1), OLD.crl(LARGE))
    path = known_path(judged(store), LEAF, BOTH.authorities, store.view)
    store.add(NEW.response(NEW.leaf(8)), BOTH, NOW_US)
    assert path.holds(BOTH.authorities, store.view, NOW_US)
    fresh = renewed(path, LEAF, BOTH, store.view, NOW_US)
    assert fresh is not None
    store.add(ROOT.response(OLD.certificate), BOTH, NOW_US)
    for one in (path, fresh):
        assert not one.holds(BOTH.authorities, store.view, NOW_US)
    again = renewed(path, LEAF, BOTH, store.view, NOW_US)
    assert again is not None
    assert again.holds(BOTH.authorities, store.view, NOW_US)
    store.add(ROOT.crl([OLD_SERIAL], number=2, made=NOW), BOTH, NOW_US)
    assert not again.holds(BOTH.authorities, store.view, NOW_US)
    assert renewed(again, LEAF, BOTH, store.view, NOW_US) is None


def test_a_path_ends_when_the_signer_of_a_list_that_accuses_it_is_shown_as_good() -> None:
    store = kept(ROOT.response(NEW.certificate), NEW.crl(), OLD.crl([7, *LARGE]))
    path = known_path(judged(store), LEAF, BOTH.authorities, store.view)
    assert path.status == "valid", "nothing says that the former key's certificate is good"
    store.add(NEW.response(NEW.leaf(8)), BOTH, NOW_US)
    assert path.holds(BOTH.authorities, store.view, NOW_US)
    store.add(NEW.crl(number=2, made=NOW), BOTH, NOW_US)
    fresh = renewed(path, LEAF, BOTH, store.view, NOW_US)
    assert fresh is not None
    store.add(ROOT.response(OLD.certificate), BOTH, NOW_US)
    assert judged(store).code == "certificate.revoked"
    for one in (path, fresh):
        assert not one.holds(BOTH.authorities, store.view, NOW_US)


def test_a_path_found_good_without_its_accuser_is_no_answer_for_when_he_counted() -> None:
    past = NOW_US - 2 * HOUR_US
    brief = ROOT.response(OLD.certificate, made=NOW - 3 * HOUR, ends=NOW - HOUR)
    accuser = OLD.crl([7, *LARGE], made=NOW - 3 * HOUR)
    store = kept(ROOT.response(NEW.certificate), NEW.crl(), accuser, brief)
    path = known_path(judged(store), LEAF, BOTH.authorities, store.view)
    fresh = renewed(path, LEAF, BOTH, store.view, NOW_US)
    assert fresh is not None
    assert judged(store, at_us=past).code == "certificate.revoked"
    for one in (path, fresh):
        assert one.status == "valid"
        assert one.holds(BOTH.authorities, store.view, NOW_US + HOUR_US)
        assert not one.holds(BOTH.authorities, store.view, past)


def test_an_authority_that_was_removed_brings_no_lists_and_no_answers() -> None:
    store = RevocationStore(0)
    # Seen with a document while it was trusted.
    judge_path(OLD.leaf(9), (), BOTH, store.view, NOW_US)
    judge_path(OLD.leaf(9), (OLD.certificate,), trusting(ROOT), store.view, NOW_US)
    response = OLD.response(OLD.leaf(9), responder=OLD.responder())
    nobody = trusting(root("Another root", 38))
    long_ago = ended(ended(trusting(ROOT, OLD), OLD, 0), ROOT, 0)
    for trust in (nobody, long_ago, ended(trusting(ROOT, OLD), OLD, 0)):
        assert refusal(store, OLD.crl(), trust) == "revocation.untrusted"
        assert refusal(store, response, trust) == "revocation.untrusted"
    # Who trusts its root still may get documents that bring it along.
    assert refusal(store, OLD.crl(), trusting(ROOT)) == "taken as new: True"
    assert refusal(store, response, trusting(ROOT)) == "taken as new: True"


def test_what_an_authority_said_before_its_end_still_tells_of_its_own_signers() -> None:
    a_year_later = NOW_US + 365 * 24 * HOUR_US
    trust = ended(BOTH, OLD, NOW_US)
    store = RevocationStore(0)
    store.add(OLD.crl([7]), trust, a_year_later)
    store.add(NEW.crl(ends=NOW + 400 * 24 * HOUR), trust, a_year_later)
    assert store.view.status(OLD.certificate, 7, NOW_US - 1).kind == "revoked"
    late = OLD.crl([7], number=2, made=NOW + 31 * 24 * HOUR, ends=NOW + 500 * 24 * HOUR)
    assert refusal(store, late, trust, a_year_later) == "revocation.signature"


def test_what_came_of_an_authority_is_forgotten_once_it_is_removed() -> None:
    store = kept(ROOT.crl(), OLD.crl(LARGE), OLD.response(OLD.leaf(9)), NEW.crl())
    before = store.view
    store.add(NEW.crl(number=2, made=NOW), ended(BOTH, OLD, 0), NOW_US)
    assert len(before.lists) == 3
    assert len(store.view.lists) == 2
    assert not store.view.responses
    assert store.view.version > before.version + 1


def test_a_list_of_an_authority_that_only_documents_brought_counts_for_its_own_key_only() -> None:
    trust = trusting(ROOT, NEW)
    store = RevocationStore(0)
    store.add(ROOT.crl(), trust, NOW_US)
    judge_path(OLD.leaf(9), (OLD.certificate,), trust, store.view, NOW_US)
    store.add(OLD.crl(LARGE), trust, NOW_US)
    assert judged(store, trust).status == "indeterminate"
    own = judge_path(OLD.leaf(9), (OLD.certificate,), trust, store.view, NOW_US)
    assert own.status == "valid"
