"""What is known about revocation is proven, never goes back, and ends when it is stale.

The failure guarded against: a list or a response that nobody trustworthy signed, that is out of
date, or that speaks about other certificates, lets a revoked signer's document through.
"""

from __future__ import annotations

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from support.revocation import (
    HOUR,
    HOUR_US,
    NOW,
    NOW_US,
    Ca,
    entry,
    named,
    responder_extensions,
    root,
    trusting,
)

from router.errors import InputError
from router.limits import CRL_ENTRIES_TO_PATHS_MAX
from router.model.revocation import Added
from router.signatures import RevocationStore, TrustView
from router.signatures.revocation_view import Above

CA = root()
TRUST = trusting(CA)
DAY_US = 24 * HOUR_US


def store(grace_s: int = 86_400) -> RevocationStore:
    return RevocationStore(grace_s)


def refused(given: RevocationStore, der: bytes, trust: TrustView = TRUST, **more: Any) -> str:
    before = given.view
    with pytest.raises(InputError) as caught:
        given.add(der, trust, NOW_US, **more)
    assert given.view is before
    return caught.value.code


def kind_of(
    given: RevocationStore, serial: int, at_us: int = NOW_US, ca: Ca = CA,
    above: Above | None = None,
) -> str:  # fmt: skip
    return given.view.status(ca.certificate, serial, at_us, above=above).kind


def idp(**changes: Any) -> tuple[x509.IssuingDistributionPoint, bool]:
    fields: dict[str, Any] = {
        "full_name": None, "relative_name": None, "only_contains_user_certs": False,
        "only_contains_ca_certs": False, "only_some_reasons": None, "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }  # fmt: skip
    return x509.IssuingDistributionPoint(**(fields | changes)), True


# Lists.


def test_a_list_says_who_was_revoked_and_why_and_who_was_not() -> None:
    given = store()
    lost = entry(7, reason=x509.ReasonFlags.key_compromise, invalid=NOW - 48 * HOUR)
    added = given.add(CA.crl([lost, 8, 9 << 90], number=12), TRUST, NOW_US)
    assert added == Added(
        "crl", CA.certificate.subject, CA.certificate.sha256.hex(), added.slot, 3,
        NOW_US - HOUR_US, NOW_US + 23 * HOUR_US, "12",
    )  # fmt: skip
    status = given.view.status(CA.certificate, 7, NOW_US)
    assert (status.kind, status.reason) == ("revoked", "key_compromise")
    assert (status.revoked_at, status.invalidity_at) == (NOW_US - DAY_US, NOW_US - 2 * DAY_US)
    assert kind_of(given, 8) == kind_of(given, 9 << 90) == "revoked"
    assert kind_of(given, 9) == kind_of(given, (1 << 64) + 8) == "good"
    good = given.view.status(CA.certificate, 9, NOW_US)
    assert good.evidence is not None
    assert (good.evidence.kind, good.evidence.number, good.evidence.grace) == ("crl", "12", False)
    assert good.usable_until == NOW_US + 23 * HOUR_US + DAY_US


def test_nothing_known_is_unknown_not_good() -> None:
    assert kind_of(store(), 7) == "unknown"
    given = store()
    given.add(CA.crl([]), TRUST, NOW_US)
    assert kind_of(given, 7, ca=root("Another CA", 31)) == "unknown"


def test_what_was_revoked_later_was_good_before_and_a_lost_key_was_not() -> None:
    given = store()
    plain, lost = entry(7), entry(8, invalid=NOW - 72 * HOUR)
    given.add(CA.crl([plain, lost]), TRUST, NOW_US)
    before = NOW_US - 2 * DAY_US
    assert kind_of(given, 7, before) == "good"
    assert given.view.status(CA.certificate, 7, before).revoked_at == NOW_US - DAY_US
    assert kind_of(given, 8, before) == "revoked"


def test_a_later_revocation_is_told_although_a_newer_word_does_not_know_it() -> None:
    given, soon = store(), NOW + HOUR / 2
    given.add(CA.crl([entry(7, at=soon)]), TRUST, NOW_US)
    leaf = CA.leaf(7)
    given.add(CA.response(leaf, made=NOW), TRUST, NOW_US)
    told = given.view.status(CA.certificate, 7, NOW_US, leaf)
    assert told.evidence is not None
    assert (told.kind, told.evidence.kind) == ("good", "ocsp")
    assert told.revoked_at == NOW_US + HOUR_US // 2, "up to then, and no longer"
    after = given.view.status(CA.certificate, 7, NOW_US + HOUR_US // 2, leaf)
    assert after.kind == "revoked"


def test_stale_data_serves_within_the_grace_and_says_so_and_then_no_more() -> None:
    given = store(grace_s=7_200)
    given.add(CA.crl([7], ends=NOW), TRUST, NOW_US)
    last_fresh = given.view.status(CA.certificate, 9, NOW_US - 1)
    stale = given.view.status(CA.certificate, 9, NOW_US)
    assert last_fresh.evidence is not None
    assert stale.evidence is not None
    assert (last_fresh.evidence.grace, stale.evidence.grace) == (False, True)
    assert kind_of(given, 9, NOW_US + 2 * HOUR_US - 1) == "good"
    assert kind_of(given, 9, NOW_US + 2 * HOUR_US) == "unknown"
    assert kind_of(given, 7, NOW_US + 2 * HOUR_US) == "revoked", "a revocation stays"


def test_a_lifted_hold_is_good_again_and_a_stale_hold_decides_nothing() -> None:
    given = store()
    hold = entry(7, reason=x509.ReasonFlags.certificate_hold)
    given.add(CA.crl([hold], number=1), TRUST, NOW_US)
    assert kind_of(given, 7) == "revoked"
    assert kind_of(given, 7, NOW_US + 3 * DAY_US) == "unknown"
    given.add(CA.crl([], number=2, made=NOW), TRUST, NOW_US)
    assert kind_of(given, 7) == "good"


def test_a_list_of_nobody_trusted_is_refused() -> None:
    assert refused(store(), root("Another CA", 31).crl([])) == "revocation.untrusted"


def test_a_list_signed_with_another_key_under_a_trusted_name_is_refused() -> None:
    stranger = root("Root CA", 31)
    assert refused(store(), stranger.crl([])) == "revocation.signature"


def test_a_list_signed_by_an_authority_that_may_not_sign_lists_is_refused() -> None:
    silent = root("Silent CA", 32, crl_sign=False)
    assert refused(store(), silent.crl([]), trusting(silent)) == "revocation.usage"


def test_a_list_signed_with_a_weak_hash_is_refused() -> None:
    der = CA.crl([]).replace(hashes_oid("sha256"), hashes_oid("sha1"))
    assert refused(store(), der) == "revocation.algorithm"


def hashes_oid(name: str) -> bytes:
    """The end of ecdsa-with-SHA256, and what stands for SHA-1 with as many octets."""
    return bytes.fromhex({"sha256": "06082a8648ce3d040302", "sha1": "06082a8648ce3d040301"}[name])


def test_a_list_with_a_number_of_thousands_of_digits_is_refused() -> None:
    given = store()
    assert refused(given, CA.crl([7], number=1 << 20_000)) == "revocation.malformed"
    assert refused(given, CA.crl([7], number=1 << 160)) == "revocation.malformed"
    assert given.add(CA.crl([7], number=(1 << 160) - 1), TRUST, NOW_US).new


def test_a_list_of_a_number_that_goes_back_is_refused_and_the_same_is_taken_as_known() -> None:
    given = store()
    der = CA.crl([7], number=5)
    assert given.add(der, TRUST, NOW_US).new
    assert not given.add(der, TRUST, NOW_US).new
    assert refused(given, CA.crl([], number=4, made=NOW)) == "revocation.older"
    assert refused(given, CA.crl([], number=5, made=NOW - 2 * HOUR)) == "revocation.older"
    assert refused(given, CA.crl([], number=None, made=NOW - 2 * HOUR)) == "revocation.older"
    assert kind_of(given, 7) == "revoked"
    assert given.add(CA.crl([7, 8], number=6, made=NOW), TRUST, NOW_US).new


def test_an_authority_that_was_rebuilt_begins_its_numbers_again_when_the_old_ones_are_over() -> (
    None
):
    given = store(grace_s=3_600)
    given.add(CA.crl([7], number=500, ends=NOW), TRUST, NOW_US)
    again = CA.crl([7], number=1, made=NOW + HOUR, ends=NOW + 9 * HOUR)
    with pytest.raises(InputError, match=r"revocation\.older"):
        given.add(again, TRUST, NOW_US + HOUR_US - 1)
    assert given.add(again, TRUST, NOW_US + HOUR_US).new


def test_a_list_from_the_future_is_refused() -> None:
    assert refused(store(), CA.crl([], made=NOW + HOUR, ends=NOW + 2 * HOUR)) == "revocation.early"


@pytest.mark.parametrize(
    "der", [b"", b"0", b"\x30\x80", b"<html>", CA.crl([])[:-1], CA.crl([]) + b"0"]
)
def test_what_is_no_list_is_refused(der: bytes) -> None:
    assert refused(store(), der) == "revocation.malformed"
    assert refused(store(), der, kind="crl") == "revocation.malformed"


def test_whatever_byte_of_a_response_is_changed_it_is_refused_by_name() -> None:
    der = CA.response(CA.leaf(9))
    given = store()
    for at in range(len(der)):
        changed = der[:at] + bytes([der[at] ^ 0xFF]) + der[at + 1 :]
        with pytest.raises(InputError, match=r"^revocation\."):
            given.add(changed, TRUST, NOW_US)


def test_a_critical_extension_of_a_list_or_an_entry_that_is_not_understood_is_refused() -> None:
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    assert refused(store(), CA.crl([], extensions=[(odd, True)])) == "revocation.critical"
    marked = entry(7, extensions=[(odd, True)])
    assert refused(store(), CA.crl([marked])) == "revocation.critical"
    assert store().add(CA.crl([], extensions=[(odd, False)]), TRUST, NOW_US).new


def test_a_partial_list_speaks_only_about_its_part() -> None:
    url = "http://ca.example/part-1.crl"
    names = [x509.UniformResourceIdentifier(url)]
    given = store()
    added = given.add(CA.crl([7], extensions=[idp(full_name=names)]), TRUST, NOW_US)
    assert added.scope == "point"
    inside, outside = CA.leaf(9, lists=[url]), CA.leaf(10, lists=["http://ca.example/2.crl"])
    assert kind_of(given, 9) == "unknown", "nobody said that it is one of this part"
    assert given.view.status(CA.certificate, 9, NOW_US, inside).kind == "good"
    assert given.view.status(CA.certificate, 10, NOW_US, outside).kind == "unknown"


def test_a_list_of_signers_says_nothing_about_authorities() -> None:
    given = store()
    given.add(CA.crl([], extensions=[idp(only_contains_user_certs=True)]), TRUST, NOW_US)
    below = CA.child("Sub CA", 33)
    view = given.view
    assert view.status(CA.certificate, 34, NOW_US, below.certificate).kind == "unknown"
    assert view.status(CA.certificate, 9, NOW_US, CA.leaf(9)).kind == "good"


@pytest.mark.parametrize(
    "narrow",
    [
        idp(indirect_crl=True),
        idp(only_some_reasons=frozenset([x509.ReasonFlags.key_compromise])),
        idp(only_contains_attribute_certs=True),
        (x509.DeltaCRLIndicator(1), True),
    ],
    ids=["indirect", "reasons", "attributes", "delta"],
)
def test_what_the_index_cannot_answer_from_goes_to_the_path_and_is_refused_when_large(
    narrow: tuple[x509.ExtensionType, bool],
) -> None:
    given = store()
    der = CA.crl([7], extensions=[narrow])
    given.add(der, TRUST, NOW_US)
    assert kind_of(given, 9) == kind_of(given, 7) == "unknown"
    assert given.view.lists_for(CA.certificate, NOW_US, TRUST) == (der,)
    large = CA.crl(range(1, CRL_ENTRIES_TO_PATHS_MAX + 2), extensions=[narrow])
    assert refused(store(), large) == "revocation.scope"


def test_a_large_list_is_answered_from_the_index_only() -> None:
    given = store()
    given.add(CA.crl(range(1, CRL_ENTRIES_TO_PATHS_MAX + 1), number=1), TRUST, NOW_US)
    assert len(given.view.lists_for(CA.certificate, NOW_US, TRUST)) == 1
    more = CA.crl(range(1, CRL_ENTRIES_TO_PATHS_MAX + 2), number=2, made=NOW)
    given.add(more, TRUST, NOW_US)
    assert given.view.lists_for(CA.certificate, NOW_US, TRUST) == ()
    assert kind_of(given, CRL_ENTRIES_TO_PATHS_MAX + 1) == "revoked"
    assert kind_of(given, CRL_ENTRIES_TO_PATHS_MAX + 2) == "good"


def test_a_list_made_after_a_certificate_ended_shows_nothing_about_it() -> None:
    given = store()
    given.add(CA.crl([7]), TRUST, NOW_US)
    ended = CA.leaf(9, ends=NOW - 3 * HOUR)
    assert given.view.status(CA.certificate, 9, NOW_US - 4 * HOUR_US, ended).kind == "unknown"


def test_a_renewed_authority_signs_one_list_for_all_its_certificates() -> None:
    old, new = CA.child("Sub CA", 33), CA.child("Sub CA", 34)
    given, trust = store(), trusting(CA, old, new)
    given.add(new.crl([7]), trust, NOW_US)
    above = Above(trust, (CA.certificate,))
    assert kind_of(given, 9, ca=old, above=above) == "unknown", "nothing says the new one is good"
    given.add(CA.crl(), trust, NOW_US)
    assert kind_of(given, 7, ca=old, above=above) == "revoked"
    assert kind_of(given, 9, ca=old, above=above) == "good"
    assert kind_of(given, 9, ca=old) == "unknown", "on no path to a root"
    other = root("Other root", 35)
    elsewhere = Above(trust, (other.certificate,))
    assert kind_of(given, 9, ca=other.child("Sub CA", 36), above=elsewhere) == "unknown"


def test_an_authority_that_writes_its_name_otherwise_is_the_same() -> None:
    spelt = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(
                NameOID.COMMON_NAME, "root  ca", _type=x509.name._ASN1Type.PrintableString
            ),
        ]
    )
    given = store()
    given.add(CA.crl([7], name=spelt), TRUST, NOW_US)
    assert kind_of(given, 7) == "revoked"
    assert named("Root CA") != spelt


def test_the_stamp_changes_with_what_is_known_about_a_certificate_and_with_nothing_else() -> None:
    other = root("Another CA", 31)
    trust, given = trusting(CA, other), store()
    first = given.view.stamp(CA.certificate, 7)
    der = CA.crl([7], number=1)
    given.add(der, trust, NOW_US)
    second = given.view.stamp(CA.certificate, 7)
    given.add(other.crl([]), trust, NOW_US)
    given.add(der, trust, NOW_US)
    given.add(CA.response(CA.leaf(9)), trust, NOW_US)
    assert given.view.stamp(CA.certificate, 7) == second != first
    assert given.view.stamp(CA.certificate, 9) > second
    given.add(CA.crl([7], number=2, made=NOW), trust, NOW_US)
    assert given.view.stamp(CA.certificate, 7) > second


def test_a_view_that_was_taken_does_not_change() -> None:
    given = store()
    before = given.view
    given.add(CA.crl([7]), TRUST, NOW_US)
    given.add(CA.response(CA.leaf(9)), TRUST, NOW_US)
    assert before.status(CA.certificate, 7, NOW_US).kind == "unknown"
    assert before.version < given.view.version


def test_who_asks_does_not_wait_for_a_list_that_is_being_judged() -> None:
    given = store()
    given.add(CA.crl([7]), TRUST, NOW_US)
    with given._adding:  # as while a list of a hundred thousand entries is read
        assert kind_of(given, 7) == "revoked"
        assert [one.state for one in given.states(TRUST, NOW_US)] == ["fresh"]
        assert given.wanted(TRUST, NOW_US) == ()
        given.view.notice(CA.leaf(9), CA.certificate, NOW_US)
        given.failed(CA.certificate.sha256.hex(), "no answer", NOW_US)


# Responses.


def test_a_response_of_the_authority_or_of_its_responder_is_believed() -> None:
    for responder in (None, CA.responder()):
        given = store()
        good, bad, odd = CA.leaf(9), CA.leaf(10), CA.leaf(11)
        given.add(CA.response(good, responder=responder), TRUST, NOW_US)
        revoked = CA.response(
            bad, status=ocsp.OCSPCertStatus.REVOKED, revoked=NOW - 9 * HOUR, responder=responder
        )
        given.add(revoked, TRUST, NOW_US)
        unknown = CA.response(odd, status=ocsp.OCSPCertStatus.UNKNOWN, responder=responder)
        given.add(unknown, TRUST, NOW_US)
        assert [kind_of(given, serial) for serial in (9, 10, 11, 12)] == [
            "good", "revoked", "unknown", "unknown",
        ]  # fmt: skip
        assert kind_of(given, 10, NOW_US - 10 * HOUR_US) == "good"
        assert given.view.responses_for(CA.certificate, 10, NOW_US) == (revoked,)


def test_a_response_with_its_id_hashed_by_sha_256_is_understood() -> None:
    given = store()
    given.add(CA.response(CA.leaf(9), algorithm=hashes.SHA256()), TRUST, NOW_US)
    assert kind_of(given, 9) == "good"


OTHER = root("Another CA", 31)
CODE_SIGNING = ExtendedKeyUsageOID.CODE_SIGNING


@pytest.mark.parametrize(
    "responder",
    [
        CA.responder(extensions=[]),
        CA.responder(extensions=[(x509.ExtendedKeyUsage([CODE_SIGNING]), False)]),
        CA.responder(ends=NOW - 2 * HOUR),
        CA.responder(starts=NOW + HOUR),
        OTHER.responder(),
        CA.child("Sub CA", 33).responder(),
    ],
    ids=["no purpose", "other purpose", "ended", "not begun", "of another", "of one below"],
)
def test_a_responder_that_may_not_answer_is_refused(responder: Ca) -> None:
    der = CA.response(CA.leaf(9), responder=responder)
    assert refused(store(), der) == "revocation.responder"


def test_a_response_signed_with_a_key_that_is_not_the_named_ones_is_refused() -> None:
    namesake = root("Root CA", 31)
    der = CA.response(CA.leaf(9), responder=namesake, with_certificates=[])
    assert refused(store(), der) == "revocation.responder"
    absent = CA.response(CA.leaf(9), responder=CA.responder(), with_certificates=[])
    assert refused(store(), absent) == "revocation.responder"


def test_a_responder_that_must_be_asked_about_is_believed_while_a_list_shows_it_good() -> None:
    asked = CA.responder(extensions=responder_extensions(no_check=False))
    der = CA.response(CA.leaf(9), responder=asked)
    given = store()
    assert refused(given, der) == "revocation.responder"
    given.add(CA.crl([7]), TRUST, NOW_US)
    assert given.add(der, TRUST, NOW_US).new
    revoked = store()
    revoked.add(CA.crl([940]), TRUST, NOW_US)
    assert refused(revoked, der) == "revocation.responder"


def test_an_older_response_does_not_take_the_place_of_a_newer_one() -> None:
    given, leaf = store(), CA.leaf(9)
    bad = CA.response(leaf, status=ocsp.OCSPCertStatus.REVOKED, revoked=NOW - HOUR)
    given.add(bad, TRUST, NOW_US)
    assert refused(given, CA.response(leaf, made=NOW - 5 * HOUR)) == "revocation.older"
    assert kind_of(given, 9) == "revoked"


def test_an_error_of_a_responder_proves_nothing() -> None:
    for status in ocsp.OCSPResponseStatus:
        if status != ocsp.OCSPResponseStatus.SUCCESSFUL:
            der = ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
            assert refused(store(), der, kind="ocsp") == "revocation.unanswered"


def test_a_response_without_an_end_serves_an_hour_and_the_grace() -> None:
    given = store(grace_s=0)
    given.add(CA.response(CA.leaf(9), made=NOW, ends=None), TRUST, NOW_US)
    assert kind_of(given, 9, NOW_US + HOUR_US - 1) == "good"
    assert kind_of(given, 9, NOW_US + HOUR_US) == "unknown"


def test_a_response_where_a_list_was_asked_for_is_refused_and_the_other_way_round() -> None:
    assert refused(store(), CA.response(CA.leaf(9)), kind="crl") == "revocation.malformed"
    assert refused(store(), CA.crl([]), kind="ocsp") == "revocation.malformed"


def test_a_response_is_of_a_trusted_authority() -> None:
    assert refused(store(), OTHER.response(OTHER.leaf(9))) == "revocation.untrusted"


# What is wanted.


def below(*urls: str) -> TrustView:
    return trusting(CA, CA.child("Sub CA", 33, lists=urls))


def wanted(given: RevocationStore, trust: TrustView, at_us: int) -> list[tuple[str, ...]]:
    return [one.urls for one in given.wanted(trust, at_us)]


def test_a_list_is_wanted_again_when_refreshed_near_its_end_and_each_minute_from_then_on() -> None:
    url, minute_us = "http://ca.example/a.crl", 60_000_000
    given, trust = RevocationStore(refresh_s=4 * 3_600), below(url)
    assert wanted(given, trust, NOW_US) == [(url,)]
    der = CA.crl([], made=NOW - HOUR, ends=NOW + 9 * HOUR)
    given.add(der, trust, NOW_US, url=url)
    checked = NOW_US
    assert wanted(given, trust, checked + 4 * HOUR_US - 1) == []
    assert wanted(given, trust, checked + 4 * HOUR_US) == [(url,)]
    checked = NOW_US + 7 * HOUR_US
    given.add(der, trust, checked, url=url)
    assert wanted(given, trust, NOW_US + 8 * HOUR_US - 1) == []
    assert wanted(given, trust, NOW_US + 8 * HOUR_US) == [(url,)], "a tenth of its life before"
    checked = NOW_US + 10 * HOUR_US
    given.add(der, trust, checked, url=url)
    assert wanted(given, trust, checked + minute_us - 1) == []
    assert wanted(given, trust, checked + minute_us) == [(url,)]


def test_only_what_must_be_checked_is_wanted_and_only_from_usable_addresses() -> None:
    url = "http://ca.example/a.crl"
    unchecked = trusting(CA, CA.child("Sub CA", 33, lists=[url]), revocation="not_checked")
    assert wanted(store(), unchecked, NOW_US) == []
    odd = ("ldap://ca.example/a", "file:///etc/passwd", "http://u@ca.example/", "http:///a")
    assert wanted(store(), below(*odd), NOW_US) == []
    assert wanted(store(), below(*odd, url, "https://b.example/a"), NOW_US) == [
        (url, "https://b.example/a")
    ]


def test_a_responder_is_asked_about_who_is_seen_until_a_list_speaks_about_them() -> None:
    given = RevocationStore(refresh_s=3_600)
    leaf = CA.leaf(9, responders=["http://ca.example/ocsp"], lists=["http://ca.example/a.crl"])
    given.view.notice(leaf, CA.certificate, NOW_US)
    given.view.notice(leaf, CA.certificate, NOW_US)
    kinds = {one.kind: one.body for one in given.wanted(TRUST, NOW_US)}
    assert set(kinds) == {"crl", "ocsp"}
    asked = ocsp.load_der_ocsp_request(kinds["ocsp"])
    assert asked.serial_number == 9
    assert not list(asked.extensions), "no nonce"
    given.add(CA.response(leaf, ends=NOW + 9 * HOUR), TRUST, NOW_US)
    assert [one.kind for one in given.wanted(TRUST, NOW_US)] == ["crl"]
    assert "ocsp" in {one.kind for one in given.wanted(TRUST, NOW_US + 5 * HOUR_US)}
    given.add(CA.crl([], ends=NOW + 9 * HOUR), TRUST, NOW_US, url="http://ca.example/a.crl")
    assert "ocsp" not in {one.kind for one in given.wanted(TRUST, NOW_US + 5 * HOUR_US)}
    assert "ocsp" in {one.kind for one in given.wanted(TRUST, NOW_US + 9 * HOUR_US)}
    assert given.wanted(TRUST, NOW_US + 31 * DAY_US)[0].kind == "crl"
    assert len(given.wanted(TRUST, NOW_US + 31 * DAY_US)) == 1, "long not seen, forgotten"


def test_an_authority_that_only_documents_bring_may_sign_lists_once_its_path_was_good() -> None:
    below_it = CA.child("Sent along", 38)
    given = store()
    assert refused(given, below_it.crl([7])) == "revocation.untrusted"
    given.view.notice(below_it.leaf(9), below_it.certificate, NOW_US)
    given.add(below_it.crl([7]), TRUST, NOW_US)
    assert kind_of(given, 7, ca=below_it) == "revoked"
    assert [one.state for one in given.states(TRUST, NOW_US)] == ["missing", "fresh"]


def test_of_too_many_wants_each_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.signatures.revocation_wants.REVOCATION_WANTED_MAX", 2)
    given = store()
    for serial in range(5):
        leaf = CA.leaf(serial + 1, responders=["http://ca.example/ocsp"])
        given.view.notice(leaf, CA.certificate, NOW_US)
    seen = set()
    for _ in range(5):
        found = given.wanted(TRUST, NOW_US)
        assert len(found) == 2
        seen |= {one.body for one in found}
    assert len(seen) == 5
