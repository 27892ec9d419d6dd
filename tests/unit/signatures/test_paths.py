"""A signer's certificate is good when a path leads to a root and nothing in it was revoked."""

from __future__ import annotations

import asyncio
import hashlib
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from support.pki import pki
from support.revocation import HOUR, HOUR_US, NOW, NOW_US, Ca, entry, named, root, usage
from support.revocation_views import Status, View

from router.limits import DISTINGUISHED_NAME_BYTES_MAX
from router.model.instants import SECOND_US, VIETNAM_TIME, instant_of
from router.signatures.authorities import Authority, TrustView
from router.signatures.certificates import Certificate, read_certificate
from router.signatures.paths import NOTHING_KNOWN, PathVerdict, RevocationView, judge_path
from router.signatures.verdicts import Evidence

ROOT = root()
MIDDLE = ROOT.child("CA of state agencies", 31)
LEAF = MIDDLE.leaf(7)
ROOT_LIST = ROOT.crl()
MIDDLE_LIST = MIDDLE.crl()
LISTS = View(lists=(ROOT_LIST, MIDDLE_LIST))
DAY_US = 24 * 3_600 * SECOND_US
SHORT = rsa.generate_private_key(65_537, 1_024)
CA_EXTENSIONS = [
    (x509.BasicConstraints(True, None), True),
    (usage(key_cert_sign=True, crl_sign=True), True),
]


def trust(
    *roots: Ca, middle: tuple[Ca, ...] = (), revocation: Any = "required", **dates: Any
) -> TrustView:
    return TrustView(
        [
            *(Authority(one.certificate, "root", revocation=revocation, **dates) for one in roots),
            *(
                Authority(one.certificate, "intermediate", revocation=revocation, **dates)
                for one in middle
            ),
        ],
        1,
    )


HOUSE = trust(ROOT, middle=(MIDDLE,))
UNCHECKED = trust(ROOT, middle=(MIDDLE,), revocation="not_checked")


def judged(
    leaf: Certificate = LEAF,
    view: TrustView = HOUSE,
    revocation: RevocationView = LISTS,
    at_us: int = NOW_US,
    others: tuple[Certificate, ...] = (),
) -> PathVerdict:
    verdict = judge_path(leaf, others, view, revocation, at_us)
    assert verdict.good_from <= at_us <= verdict.good_until
    if verdict.status == "invalid":
        assert {"certificate", "subject", "serial"} <= verdict.facts.keys()
        str(verdict.as_error())
    return verdict


def sha256(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def good(der: bytes = b"", since_us: int = 0, until_us: int = 0, **changes: Any) -> Status:
    """An answer of the index: not revoked, by a list with these dates (from NOW_US)."""
    evidence = Evidence(
        "", "crl", sha256=sha256(der), produced_at=NOW_US + since_us,
        fresh_until=NOW_US + (until_us or DAY_US),
    )  # fmt: skip
    return Status("good", evidence, **changes)


def weakly_signed(der: bytes, key: Any) -> bytes:
    """A certificate or list signed anew with ECDSA and SHA-1, which our library does not make."""
    kind = asn1_crl.CertificateList if der == MIDDLE_LIST else asn1_x509.Certificate
    made = kind.load(der)
    inner = made["tbs_cert_list" if der == MIDDLE_LIST else "tbs_certificate"]
    for algorithm in (made["signature_algorithm"], inner["signature"]):
        algorithm["algorithm"] = "sha1_ecdsa"
    signature = key.sign(inner.dump(force=True), ec.ECDSA(hashes.SHA1()))
    made["signature" if der == MIDDLE_LIST else "signature_value"] = signature
    return bytes(made.dump(force=True))


def test_a_good_path_names_its_certificates_and_what_says_they_were_not_revoked() -> None:
    verdict = judged()
    assert verdict.status == "valid"
    assert [one.subject for one in verdict.chain] == [
        one.subject for one in (LEAF, MIDDLE.certificate, ROOT.certificate)
    ]
    assert [(one.certificate_sha256, one.kind, one.sha256) for one in verdict.evidence] == [
        (LEAF.sha256.hex(), "crl", sha256(MIDDLE_LIST)),
        (MIDDLE.certificate.sha256.hex(), "crl", sha256(ROOT_LIST)),
    ]
    assert verdict.evidence[0].number == "1"
    assert verdict.good_from == MIDDLE.certificate.valid_from
    # The index has not said that it was not revoked later.
    assert verdict.good_until == NOW_US


def test_a_verdict_holds_until_the_first_of_its_evidence_ends() -> None:
    serial = MIDDLE.certificate.parsed.serial_number
    answers = {7: good(MIDDLE_LIST), serial: good(ROOT_LIST)}
    verdict = judged(revocation=View(lists=LISTS.lists, answers=answers))
    assert verdict.status == "valid"
    assert verdict.good_until == NOW_US + DAY_US - 1
    assert verdict.good_from == MIDDLE.certificate.valid_from


def test_the_sender_may_bring_the_authorities_between() -> None:
    assert judged(view=trust(ROOT)).code == "certificate.untrusted"
    assert judged(view=trust(ROOT), others=(MIDDLE.certificate,)).status == "valid"
    unknown = judged(view=trust(ROOT), others=(MIDDLE.certificate,), revocation=NOTHING_KNOWN)
    assert len(unknown.missing) == 2


def test_a_root_that_the_sender_brings_is_trusted_for_nothing() -> None:
    strange = root("Root of nobody", 33)
    leaf = strange.leaf(1)
    verdict = judged(leaf, others=(strange.certificate,), revocation=View(lists=(strange.crl(),)))
    assert verdict.code == "certificate.untrusted"
    assert verdict.facts["issuer"] == leaf.issuer


def test_a_subordinate_authority_may_be_trusted_as_a_root() -> None:
    known = View(lists=(MIDDLE_LIST,), answers={7: good(MIDDLE_LIST)})
    verdict = judged(view=trust(MIDDLE), revocation=known)
    assert verdict.status == "valid"
    assert judged(view=trust(MIDDLE), revocation=NOTHING_KNOWN).status == "indeterminate"
    assert verdict.chain == (LEAF, MIDDLE.certificate)


def test_a_root_of_the_first_generation_may_have_signed_itself_with_sha_1() -> None:
    old = Ca(ROOT.key, read_certificate(weakly_signed(ROOT.certificate.der, ROOT.key)))
    verdict = judged(view=trust(old, middle=(MIDDLE,)))
    assert verdict.status == "valid"
    assert verdict.chain[-1] == old.certificate


def test_nothing_is_logged_about_people(caplog: pytest.LogCaptureFixture) -> None:
    judged(revocation=View(lists=(MIDDLE_LIST, MIDDLE.crl(key=pki().key("ec", 50)))))
    assert caplog.records == []


def test_missing_lists_keep_it_indeterminate_and_are_named() -> None:
    verdict = judged(revocation=NOTHING_KNOWN)
    assert (verdict.status, verdict.code) == ("indeterminate", "")
    assert [one.certificate_sha256 for one in verdict.missing] == [
        LEAF.sha256.hex(), MIDDLE.certificate.sha256.hex(),
    ]  # fmt: skip
    assert judged(revocation=View(lists=(MIDDLE_LIST,))).missing == verdict.missing[1:]
    assert judged(revocation=View(lists=(ROOT_LIST,))).missing == verdict.missing[:1]


def test_what_is_missing_is_what_the_certificate_names() -> None:
    address = "http://ca.example/"
    for named_in, kind in (
        ({"responders": [address]}, "ocsp"),
        ({"lists": [address]}, "crl"),
        ({"lists": [address], "responders": [address]}, "crl"),
        ({}, "crl"),
    ):
        verdict = judged(MIDDLE.leaf(25, **named_in), revocation=View(lists=(ROOT_LIST,)))
        assert [one.kind for one in verdict.missing] == [kind]


def test_what_is_on_a_path_is_noticed_and_what_is_not_is_not() -> None:
    view = View()
    judged(revocation=view)
    assert view.noticed == [
        (MIDDLE.certificate, ROOT.certificate, NOW_US), (LEAF, MIDDLE.certificate, NOW_US),
    ]  # fmt: skip
    view.noticed.clear()
    judged(root("Root of nobody", 33).leaf(1), revocation=view)
    assert view.noticed == []


def test_authorities_trusted_without_revocation_need_no_lists() -> None:
    verdict = judged(view=UNCHECKED, revocation=NOTHING_KNOWN)
    assert verdict.status == "valid"
    assert [one.kind for one in verdict.evidence] == ["none", "none"]
    mixed = TrustView(
        [
            Authority(ROOT.certificate, "root", revocation="not_checked"),
            Authority(MIDDLE.certificate, "intermediate"),
        ],
        1,
    )
    assert len(judged(view=mixed, revocation=NOTHING_KNOWN).missing) == 1
    checked = judged(view=mixed, revocation=View(lists=(MIDDLE_LIST,)))
    assert [one.kind for one in checked.evidence] == ["crl", "none"]


def test_lists_only_in_the_index_count_beside_those_handed_out() -> None:
    only_index = View(answers={7: good(), MIDDLE.certificate.parsed.serial_number: good()})
    assert judged(revocation=only_index).status == "valid"
    mixed = View(lists=(ROOT_LIST,), answers={7: good(b"a large list")})
    verdict = judged(revocation=mixed)
    assert verdict.status == "valid"
    assert verdict.evidence[0].sha256 == sha256(b"a large list")
    assert verdict.evidence[1].sha256 == sha256(ROOT_LIST)


def test_the_validator_has_its_say_on_lists_that_are_handed_out() -> None:
    forged = MIDDLE.crl(key=pki().key("ec", 50))
    view = View(lists=(ROOT_LIST, forged), answers={7: good(forged)})
    assert judged(revocation=view).status == "indeterminate"


@pytest.mark.parametrize("seconds", [-86_400, -1, 0])
def test_revoked_at_the_instant_or_before_is_invalid(seconds: int) -> None:
    since = NOW + timedelta(seconds=seconds)
    listed = View(lists=(ROOT_LIST, MIDDLE.crl([entry(7, at=since)])))
    told = View(lists=LISTS.lists, answers={7: Status("revoked", revoked_at=instant_of(since))})
    for view in (told, listed):
        if view is listed and seconds == 0:
            continue  # lists handed out know seconds, the index tells the instant itself
        verdict = judged(revocation=view)
        assert verdict.code == "certificate.revoked"
        assert verdict.facts["certificate"] == "signer"
        assert verdict.good_from == max(instant_of(since), LEAF.valid_from)


def test_revoked_later_is_good_until_then() -> None:
    later = NOW + HOUR
    listed = View(lists=(ROOT_LIST, MIDDLE.crl([entry(7, at=later)], made=NOW + 2 * HOUR)))
    assert judged(revocation=listed).status == "valid"
    above = {MIDDLE.certificate.parsed.serial_number: good(ROOT_LIST)}
    told = good(revoked_at=instant_of(later))
    verdict = judged(revocation=View(lists=(ROOT_LIST,), answers=above | {7: told}))
    assert verdict.status == "valid"
    assert verdict.good_until == instant_of(later) - 1
    lost = good(revoked_at=NOW_US + DAY_US, invalidity_at=NOW_US + 5 * SECOND_US)
    verdict = judged(revocation=View(lists=(ROOT_LIST,), answers=above | {7: lost}))
    assert verdict.good_until == NOW_US + 5 * SECOND_US - 1


def test_a_key_lost_before_it_was_revoked_is_invalid_since_then() -> None:
    lost = Status("revoked", revoked_at=NOW_US + DAY_US, invalidity_at=NOW_US - DAY_US)
    verdict = judged(revocation=View(lists=(ROOT_LIST,), answers={7: lost}))
    assert verdict.code == "certificate.revoked"
    assert verdict.good_from == NOW_US - DAY_US


def test_a_revoked_authority_is_named() -> None:
    serial = MIDDLE.certificate.parsed.serial_number
    verdict = judged(
        others=(MIDDLE.certificate,),
        view=trust(ROOT),
        revocation=View(lists=(ROOT.crl([serial]), MIDDLE_LIST)),
    )
    assert verdict.code == "certificate.revoked"
    assert verdict.facts["certificate"] == "authority"
    assert verdict.facts["subject"] == MIDDLE.certificate.subject
    assert verdict.path == "protected.x5c[1]"


def test_lists_made_after_the_instant_decide_for_it() -> None:
    fresh = View(lists=(ROOT.crl(made=NOW + HOUR), MIDDLE.crl(made=NOW + HOUR)))
    assert judged(revocation=fresh).status == "valid"
    revoked = View(lists=(ROOT_LIST, MIDDLE.crl([7], made=NOW + HOUR)))
    assert judged(revocation=revoked).code == "certificate.revoked"


def test_each_list_decides_though_another_one_is_much_newer() -> None:
    brief = MIDDLE.crl(made=NOW + HOUR, ends=NOW + 2 * HOUR)
    newer = ROOT.crl(made=NOW + 20 * HOUR)
    assert judged(revocation=View(lists=(newer, brief))).status == "valid"


def test_a_response_made_after_the_certificate_ended_says_nothing_about_it() -> None:
    ended = MIDDLE.leaf(8, ends=NOW + HOUR)
    later = MIDDLE.response(ended, made=NOW + 2 * HOUR)
    view = View(lists=(ROOT_LIST,), responses=(later,))
    assert judged(ended, revocation=view).status == "indeterminate"


def test_a_list_made_after_the_certificate_ended_says_nothing_about_it() -> None:
    ended = MIDDLE.leaf(8, ends=NOW + HOUR)
    later = View(lists=(ROOT_LIST, MIDDLE.crl(made=NOW + 2 * HOUR)))
    assert judged(ended, revocation=later).status == "indeterminate"
    in_time = View(lists=(ROOT_LIST, MIDDLE.crl(made=NOW + HOUR)))
    assert judged(ended, revocation=in_time).status == "valid"


def test_stale_lists_serve_within_the_grace_only() -> None:
    stale = (ROOT_LIST, MIDDLE.crl(made=NOW - 30 * HOUR, ends=NOW - HOUR))
    assert judged(revocation=View(lists=stale)).status == "indeterminate"
    short = View(lists=stale, grace_us=30 * 60 * SECOND_US)
    assert judged(revocation=short).status == "indeterminate"
    told = good(stale[1], since_us=-30 * HOUR_US, until_us=-HOUR_US)
    answers = {7: told, MIDDLE.certificate.parsed.serial_number: good(ROOT_LIST)}
    long = judged(revocation=View(lists=stale, answers=answers, grace_us=2 * HOUR_US))
    assert long.status == "valid"
    assert long.good_from == NOW_US - HOUR_US
    assert long.good_until == NOW_US + HOUR_US - 1


def test_a_list_signed_with_a_weak_hash_is_not_believed() -> None:
    weak = weakly_signed(MIDDLE_LIST, MIDDLE.key)
    assert judged(revocation=View(lists=(ROOT_LIST, weak))).status == "indeterminate"


def test_unreadable_material_is_not_believed() -> None:
    for junk in (b"", b"\x30\x03\x02\x01\x01", ROOT_LIST[:-1], MIDDLE_LIST + b"\0"):
        view = View(lists=(ROOT_LIST, junk))
        assert judged(revocation=view).status in {"indeterminate", "valid"}
        assert judged(revocation=View(lists=(junk,))).status == "indeterminate"
        assert judged(revocation=View(responses=(junk,))).status == "indeterminate"


def test_an_ocsp_response_says_it_too() -> None:
    answers = (MIDDLE.response(LEAF), ROOT.response(MIDDLE.certificate))
    verdict = judged(revocation=View(responses=answers))
    assert verdict.status == "valid"
    assert [(one.kind, one.sha256) for one in verdict.evidence] == [
        ("ocsp", sha256(answers[0])), ("ocsp", sha256(answers[1])),
    ]  # fmt: skip
    bad = MIDDLE.response(LEAF, status=ocsp.OCSPCertStatus.REVOKED, revoked=NOW - HOUR)
    view = View(lists=(ROOT_LIST,), responses=(bad,))
    assert judged(revocation=view).code == "certificate.revoked"


def test_a_response_of_a_responder_that_did_not_exist_at_the_instant_decides() -> None:
    responder = MIDDLE.responder(starts=NOW + HOUR, ends=NOW + 48 * HOUR)
    late = MIDDLE.response(LEAF, responder=responder, made=NOW + 2 * HOUR)
    view = View(lists=(ROOT_LIST,), responses=(late,))
    assert judged(revocation=view).status == "valid"
    later = MIDDLE.response(
        LEAF, responder=responder, made=NOW + 3 * HOUR,
        status=ocsp.OCSPCertStatus.REVOKED, revoked=NOW + 2 * HOUR,
    )  # fmt: skip
    above = {MIDDLE.certificate.parsed.serial_number: good(ROOT_LIST)}
    verdict = judged(revocation=View(lists=(ROOT_LIST,), responses=(later,), answers=above))
    assert verdict.status == "valid"
    assert verdict.good_until == instant_of(NOW + 2 * HOUR) - 1


def test_a_response_signed_by_a_stranger_is_not_believed() -> None:
    stranger = root("Root of nobody", 33).responder(41)
    forged = MIDDLE.response(LEAF, responder=stranger)
    view = View(lists=(ROOT_LIST,), responses=(forged,))
    assert judged(revocation=view).status == "indeterminate"


def test_names_are_compared_as_people_read_them() -> None:
    """A CA renewed with other software writes the same name as another kind of string."""

    def spelled(text: str, kind: x509.name._ASN1Type) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
                x509.NameAttribute(NameOID.COMMON_NAME, text, _type=kind),
            ]
        )

    kinds = x509.name._ASN1Type
    key = pki().key("ec", 35)
    printed = spelled("CA of  State Agencies", kinds.PrintableString)
    written = spelled("ca of state agencies", kinds.UTF8String)
    middle = Ca(key, ROOT.certify(printed, key, serial=35, extensions=CA_EXTENSIONS))
    same = Ca(key, ROOT.certify(written, key, serial=36, extensions=CA_EXTENSIONS))
    leaf = same.leaf(3)
    assert leaf.issuer_name != middle.certificate.subject_name
    view = trust(ROOT, middle=(middle,))
    assert judged(leaf, view, View(lists=(ROOT_LIST, middle.crl()))).status == "valid"


def test_dates_are_judged_for_every_certificate_of_the_path() -> None:
    past, later = NOW - 48 * HOUR, NOW + 48 * HOUR
    old = MIDDLE.leaf(9, ends=past)
    young = MIDDLE.leaf(10, starts=later)
    assert judged(old).code == "certificate.expired"
    assert judged(old).good_from == instant_of(past) + SECOND_US
    assert judged(young).code == "certificate.not_yet_valid"
    assert judged(young).good_until == instant_of(later) - 1
    middle = ROOT.child("Old CA", 36, ends=past)
    verdict = judged(middle.leaf(11), trust(ROOT, middle=(middle,)))
    assert (verdict.code, verdict.facts["certificate"]) == ("certificate.expired", "authority")
    assert verdict.facts["subject"] == middle.certificate.subject
    verdict = judged(
        MIDDLE.leaf(7), HOUSE, at_us=instant_of(datetime(2038, 1, 1, tzinfo=VIETNAM_TIME))
    )
    assert verdict.code == "certificate.expired"
    long = MIDDLE.leaf(12, ends=datetime(2040, 1, 1, tzinfo=VIETNAM_TIME))
    late = instant_of(datetime(2038, 1, 1, tzinfo=VIETNAM_TIME))
    verdict = judged(long, trust(MIDDLE), at_us=late)
    assert (verdict.code, verdict.facts["certificate"]) == ("certificate.expired", "root")


def test_the_second_of_the_end_still_belongs_to_the_validity() -> None:
    leaf = MIDDLE.leaf(13, ends=NOW)
    assert judged(leaf, at_us=NOW_US + SECOND_US - 1).status == "valid"
    assert judged(leaf, at_us=NOW_US + SECOND_US).code == "certificate.expired"


def test_a_renewed_authority_is_found_whichever_is_valid() -> None:
    old = ROOT.child("CA twice", 37, ends=NOW - HOUR)
    new = Ca(old.key, ROOT.certify("CA twice", old.key, serial=99, extensions=CA_EXTENSIONS))
    for order in ((old, new), (new, old)):
        verdict = judged(
            old.leaf(14), trust(ROOT, middle=order), View(lists=(ROOT_LIST, new.crl()))
        )
        assert verdict.status == "valid"
        assert verdict.chain[1] == new.certificate


def test_trust_that_ended_is_no_trust_even_if_the_sender_brings_the_authority() -> None:
    ended = TrustView(
        [
            Authority(ROOT.certificate, "root"),
            Authority(MIDDLE.certificate, "intermediate", trusted_to=NOW_US),
        ],
        1,
    )
    verdict = judged(view=ended, others=(MIDDLE.certificate,))
    assert verdict.code == "certificate.untrusted"
    serial = MIDDLE.certificate.parsed.serial_number
    told = View(answers={7: good(), serial: good()})
    before = judged(view=ended, revocation=told, at_us=NOW_US - 9)
    assert before.status == "valid"
    assert before.good_until == NOW_US - 1
    stamps = trust(ROOT, middle=(MIDDLE,), purposes=frozenset({"time_stamps"}))
    assert judged(view=stamps).code == "certificate.untrusted"


def test_trust_in_a_key_that_ended_is_no_trust_under_another_certificate_of_it() -> None:
    again = ROOT.certify(
        MIDDLE.name, MIDDLE.key, serial=77,
        extensions=[(x509.BasicConstraints(True, None), True),
                    (usage(key_cert_sign=True, crl_sign=True), True)],
    )  # fmt: skip
    told = View(answers={7: good(), 77: good()})

    def code(trusted_to: int | None, at_us: int = NOW_US) -> str:
        known = [
            Authority(ROOT.certificate, "root"),
            Authority(MIDDLE.certificate, "intermediate", trusted_to=trusted_to),
        ]
        view = TrustView(known, 1)
        verdict = judged(view=view, others=(again,), revocation=told, at_us=at_us)
        assert verdict.good_from <= at_us <= verdict.good_until
        assert trusted_to is None or at_us >= trusted_to or verdict.good_until < trusted_to
        return verdict.code or verdict.status

    assert code(None) == "valid"
    assert code(NOW_US + 9) == "valid"
    assert code(NOW_US) == "certificate.untrusted"
    assert code(NOW_US, NOW_US - 9) == "valid"


def test_a_weak_or_unfit_authority_between_is_refused_by_name() -> None:
    def middle_of(extensions: Any, key: Any = None) -> Ca:
        key = key or pki().key("ec", 38)
        return Ca(key, ROOT.certify("Unfit CA", key, serial=38, extensions=extensions))

    strong = middle_of(CA_EXTENSIONS)
    weak = Ca(strong.key, read_certificate(weakly_signed(strong.certificate.der, ROOT.key)))
    no_ca = [(x509.BasicConstraints(False, None), True)]
    no_sign = [(x509.BasicConstraints(True, None), True), (usage(crl_sign=True), True)]
    unknown = [
        *CA_EXTENSIONS,
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True),
    ]
    for ca, code in (
        (middle_of(no_ca), "certificate.usage"),
        (middle_of(no_sign), "certificate.usage"),
        (middle_of(unknown), "certificate.malformed"),
        (weak, "certificate.algorithm"),
        (middle_of(CA_EXTENSIONS, key=SHORT), "signature.key"),
    ):
        verdict = judged(ca.leaf(15), trust(ROOT), others=(ca.certificate,))
        assert verdict.code == code
        assert verdict.facts["subject"] == ca.certificate.subject
        assert verdict.path == "protected.x5c[1]"


def test_an_unfit_signer_is_refused_whatever_its_path() -> None:
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING])
    responder = MIDDLE.leaf(16, extensions=[(purposes, False)])
    verdict = judged(responder)
    assert (verdict.code, verdict.facts["certificate"]) == ("certificate.usage", "signer")
    assert judged(MIDDLE.certificate).code == "certificate.usage"
    both = [ExtendedKeyUsageOID.OCSP_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH]
    client = MIDDLE.leaf(17, extensions=[(x509.ExtendedKeyUsage(both), True)])
    assert judged(client).status == "valid"


def limited(extension: x509.ExtensionType, *, length: int | None = None) -> Ca:
    key = pki().key("ec", 39)
    extensions = [(x509.BasicConstraints(True, length), True), CA_EXTENSIONS[1], (extension, True)]
    return Ca(key, ROOT.certify("Limited CA", key, serial=39, extensions=extensions))


def test_the_limits_of_an_authority_bind_it_as_root_and_between() -> None:
    inside = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "LA")])
    names = limited(x509.NameConstraints([x509.DirectoryName(inside)], None))
    strange = names.leaf(18)
    lists = View(lists=(ROOT_LIST, names.crl()))
    told = View(lists=(ROOT_LIST,), answers={19: good()})
    for view in (trust(ROOT, middle=(names,)), trust(names)):
        verdict = judged(strange, view, lists)
        assert verdict.code == "certificate.constraints"
        assert verdict.facts["constraint"] == "names"
    at_home = names.certify(
        x509.Name([*inside, x509.NameAttribute(NameOID.COMMON_NAME, "signer")]),
        pki().key("ec", 1), serial=19,
    )  # fmt: skip
    for view in (trust(ROOT, middle=(names,)), trust(names)):
        assert judged(at_home, view, told).status == "valid"
    without = limited(x509.NameConstraints(None, [x509.DirectoryName(named("signer 20"))]))
    assert judged(without.leaf(20), trust(without)).code == "certificate.constraints"


def test_the_length_an_authority_allows_binds_it_as_root_and_between() -> None:
    key = pki().key("ec", 39)
    extensions = [(x509.BasicConstraints(True, 0), True), CA_EXTENSIONS[1]]
    short = Ca(key, ROOT.certify("Short CA", key, serial=39, extensions=extensions))
    below = short.child("CA below", 41)
    lists = View(lists=(ROOT_LIST, short.crl(), below.crl()))
    for view in (trust(ROOT, middle=(short, below)), trust(short, middle=(below,))):
        verdict = judged(below.leaf(21), view, lists)
        assert verdict.code == "certificate.constraints"
        assert verdict.facts["constraint"] == "length"
        told = View(lists=(ROOT_LIST,), answers={22: good()})
        assert judged(short.leaf(22), view, told).status == "valid"


def test_a_root_may_allow_some_authorities_below() -> None:
    key = pki().key("ec", 39)
    extensions = [(x509.BasicConstraints(True, 1), True), CA_EXTENSIONS[1]]
    some = Ca(key, ROOT.certify("CA of one below", key, serial=39, extensions=extensions))
    below = some.child("CA below", 41)
    view = trust(some, middle=(below,), revocation="not_checked")
    assert judged(below.leaf(24), view).status == "valid"


def test_of_two_paths_the_good_one_counts() -> None:
    """A CA certified by two roots: one of them is revoked there, the other is fine."""
    other = root("Second root", 34)
    key = MIDDLE.key
    cross = Ca(key, other.certify(MIDDLE.name, key, serial=77, extensions=CA_EXTENSIONS))
    view = trust(other, ROOT, middle=(cross, MIDDLE))
    lists = (other.crl([77]), ROOT_LIST, MIDDLE_LIST)
    assert judged(view=view, revocation=View(lists=lists)).status == "valid"
    waiting = judged(view=view, revocation=View(lists=(lists[0], MIDDLE_LIST)))
    assert waiting.status == "indeterminate"
    # Where the signer's own revocation is found, no further path is asked.
    lenient = TrustView(
        [*view.authorities[:2], Authority(MIDDLE.certificate, "intermediate"),
         Authority(cross.certificate, "intermediate", revocation="not_checked")],
        1,
    )  # fmt: skip
    revoked = View(lists=(other.crl(), ROOT_LIST, MIDDLE.crl([7])))
    for one in (view, lenient):
        assert judged(view=one, revocation=revoked).code == "certificate.revoked"


def test_a_name_too_long_to_compare_is_refused() -> None:
    many = [
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"{number:060}")
        for number in range(DISTINGUISHED_NAME_BYTES_MAX // 60)
    ]
    leaf = MIDDLE.certify(x509.Name(many), pki().key("ec", 2), serial=23)
    verdict = judged(leaf)
    assert (verdict.code, verdict.facts["certificate"]) == ("certificate.malformed", "signer")


def test_it_works_on_a_thread_whose_event_loop_runs() -> None:
    """The validator is written in coroutines; none of them ever waits."""

    async def inside() -> PathVerdict:
        return judged()

    assert asyncio.run(inside()).status == "valid"


def test_the_validator_is_loaded_with_the_first_judgement_only() -> None:
    program = (
        "import sys, router.signatures, router.signatures.paths\n"
        "heavy = {'pyhanko_certvalidator', 'asn1crypto', 'asyncio', 'aiohttp'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
        "import router.signatures.path_judge\n"
        "assert 'aiohttp' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
