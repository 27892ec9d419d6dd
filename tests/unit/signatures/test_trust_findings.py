"""What a person is told to look at, before a document has to wait for it; and nothing else."""

from __future__ import annotations

import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from support.generations import ca, ca_name, day, g1, g2, sha1_ca, sha256_of
from support.pki import AT_US, pki

from router.messages import TABLE
from router.signatures import (
    AuthorityTrusted,
    IssuerTrusted,
    TrustStore,
    check_authorities,
    check_binding,
)
from router.signatures.certificates import read_certificate
from router.signatures.trust_checks import role_of
from router.signatures.trust_findings import Found, Lineage, look_over

ALL = [g1().root.der, g1().below.der, g2().root.der, g2().below.der]


def store_of(*ders: bytes, **options: object) -> TrustStore:
    store = TrustStore()
    for sequence, change in enumerate(check_authorities(store, ders, **options), start=1):
        store.apply(change, sequence)
    return store


def told(store: TrustStore, at_us: int = AT_US) -> set[tuple[str, str]]:
    found = look_over(store, at_us)
    for one in found:
        words = TABLE[one.code]
        for text in words:
            text.format_map(one.facts)  # KeyError for a fact that is missing
    return {(one.code, one.severity) for one in found}


def test_two_sound_generations_leave_nothing_to_be_done() -> None:
    assert told(store_of(*ALL)) == set()


def test_who_trusts_nobody_hears_so() -> None:
    nobody = ("trust.nobody", "error")
    assert told(TrustStore()) == {nobody}
    assert nobody in told(store_of(g1().root.der), day("2030-06-01"))
    assert nobody in told(store_of(g1().root.der, trusted_from=AT_US + 1))
    assert nobody in told(store_of(g1().root.der, purposes=["time_stamps"]))


def test_certificates_that_end_are_told_in_time() -> None:
    one = store_of(*ALL)
    assert told(one, day("2028-12-01")) == {("authority.expires_soon", "warning")}
    assert ("authority.expired", "warning") in told(one, day("2030-06-01"))
    early = told(store_of(g1().root.der, g2().root.der), day("2017-01-01"))
    assert early == {("authority.not_yet_valid", "note")}


def test_an_intermediate_that_leads_nowhere_is_an_error() -> None:
    nowhere = ("authority.no_path", "error")
    assert told(store_of(g1().below.der, g2().root.der)) == {nowhere}
    (found,) = look_over(store_of(g1().below.der, g2().root.der), AT_US)
    assert found.sha256 == sha256_of(g1().below)
    assert nowhere in told(store_of(*ALL), day("2030-06-01"))


def test_what_is_weak_or_not_checked_is_told() -> None:
    assert told(store_of(sha1_ca("cũ", (2010, 2030)))) == {("authority.weak_hash", "note")}
    short = ca("ngắn", (2010, 2040), pki().key("rsa", 0))
    assert told(store_of(short.der)) == {("authority.weak_key", "note")}
    long = ca("dài", (2010, 2040), rsa.generate_private_key(65_537, 3072))
    assert told(store_of(long.der)) == set()
    mute = ca("không CRL", (2010, 2030), g1().root.key, usages=["key_cert_sign"])
    assert told(store_of(mute.der)) == {("authority.no_list_signing", "warning")}
    unchecked = ("authority.revocation_not_checked", "warning")
    assert told(store_of(mute.der, revocation="not_checked")) == {unchecked}


def test_one_name_with_two_keys_at_one_time_is_told() -> None:
    first = ca("trùng tên", (2010, 2030), g1().root.key)
    other = ca("trùng tên", (2020, 2040), g2().root.key)
    renewed = ca("trùng tên", (2021, 2041), g1().root.key)
    later = ca("trùng tên", (2031, 2041), g2().root.key)
    overlap = ("authority.names_overlap", "warning")
    assert told(store_of(first.der, other.der)) == {overlap}
    assert told(store_of(first.der, renewed.der)) == set()
    assert overlap not in told(store_of(first.der, later.der))


def test_what_can_not_be_read_is_told_and_not_trusted() -> None:
    store = store_of(*ALL)
    store.apply(AuthorityTrusted(b"\x30\x00", "root"), 9)
    assert told(store) == {("authority.unreadable", "error")}


def test_what_ended_is_not_looked_at_any_more() -> None:
    old = store_of(g1().below.der, g2().root.der)
    held = dataclasses.replace(old.authorities[0], trusted_to=AT_US)
    assert not held.holds(AT_US)
    ended = store_of(g2().root.der)
    ended.apply(AuthorityTrusted(g1().below.der, "intermediate", trusted_to=AT_US), 9)
    assert told(ended) == set()


def test_bound_certificates_that_run_out_or_come_from_nobody_are_counted() -> None:
    store = store_of(*ALL)
    ending = g2().signer("H22", "UBND", "2020-01-01", "2024-12-01")
    lasting = g2().signer("H22", "UBND", "2020-01-01", "2030-01-01")
    for number, signer in enumerate((ending, lasting), start=10):
        store.apply(check_binding(store, 1, signer.certificate_der, 0), number)
    assert told(store) == {("binding.expires_soon", "warning")}
    assert [one.facts["count"] for one in look_over(store, AT_US)] == [1]
    strange = pki().issue(1, "H22", "UBND", trusted=False)
    store.apply(check_binding(store, 1, strange.certificate_der, 0, AT_US), 12)
    assert len(told(store)) == 1, "no binding that is in force"
    store.apply(check_binding(store, 1, strange.certificate_der, 0), 13)
    assert ("binding.issuer_unknown", "warning") in told(store)


def test_a_shortest_way_to_a_root_is_found_over_who_is_trusted_then() -> None:
    deep = ca("dưới nữa", (2020, 2028), pki().key("ec", 14), g1().below)
    key = pki().key("ec", 15).public_key()
    leaf = read_certificate(deep.certify(key, ca_name("một đơn vị"), serial=9))
    store = store_of(*ALL, deep.der)
    lineage = Lineage(store.view)
    names = [one.certificate.der for one in lineage.path(leaf, AT_US)]
    assert names == [deep.der, g1().below.der, g1().root.der]
    assert lineage.path(leaf, day("2029-06-01")) == ()
    assert Lineage(store_of(deep.der, g1().root.der).view).path(leaf, AT_US) == ()


def test_a_generation_is_the_years_of_the_roots_it_leads_to() -> None:
    crossed = ca("RootCA chuyên dùng G2", (2018, 2030), g2().root.key, g1().root)
    store = store_of(*ALL, crossed.der)
    lineage = Lineage(store.view)
    assert [lineage.generation(one) for one in store.authorities] == [
        "2010–2030", "2010–2030", "G2 2018–2048", "2010–2030, G2 2018–2048", "2010–2030",
    ]  # fmt: skip
    (alone,) = store_of(g1().below.der).authorities
    assert Lineage(store_of(g1().below.der).view).generation(alone) == ""


def test_two_authorities_that_signed_each_other_are_no_endless_way() -> None:
    one = ca("một", (2010, 2030), g1().root.key, ca("hai", (2010, 2030), g2().root.key))
    two = ca("hai", (2010, 2030), g2().root.key, ca("một", (2010, 2030), g1().root.key))
    store = store_of(one.der, two.der)
    lineage = Lineage(store.view)
    assert lineage.path(read_certificate(one.der), AT_US) == ()
    assert lineage.generation(store.authorities[0]) == ""
    assert role_of(read_certificate(one.der)) == "intermediate"


def test_an_issuer_of_before_is_told_as_not_checked() -> None:
    store = TrustStore()
    store.apply(IssuerTrusted(g1().root.der), 1)
    assert told(store) == {("authority.revocation_not_checked", "warning")}


@pytest.mark.parametrize("code", ["trust.nobody", "binding.expires_soon"])
def test_a_finding_stands_for_itself(code: str) -> None:
    assert Found(code, "note") == (code, "note", "", "", {})
