"""Whom we trust, as what, for what and when: several generations stand side by side.

The failures guarded against: an authority believed outside its dates or for another purpose,
trust that ends and takes old documents with it, a record of an older version that means
something else today.
"""

from __future__ import annotations

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from support.generations import ca, day, g1, g2, sha1_ca, sha256_of
from support.pki import AT_US, leaf, pki, trust_of

from router.errors import InputError
from router.messages import say
from router.signatures import (
    Authority,
    AuthorityDistrusted,
    AuthorityTrusted,
    CertificateBound,
    IssuerTrusted,
    TrustStore,
    check_authorities,
    check_removal,
    decode_change,
    encode_change,
    trust_checks,
)
from router.signatures.certificates import read_certificate

BUNDLE = [g1().root.der, g1().below.der, g2().root.der, g2().below.der]
SHA = "ab" * 32


def imported(*ders: bytes, **options: object) -> TrustStore:
    """Return a store that trusts these, each by its own record."""
    store = TrustStore()
    for sequence, change in enumerate(check_authorities(store, ders, **options), start=1):
        store.apply(decode_change(encode_change(change)), sequence, 77, "Bà Lan")
    return store


def refusal(*ders: bytes, store: TrustStore | None = None, **options: object) -> InputError:
    with pytest.raises(InputError) as caught:
        check_authorities(store or TrustStore(), ders, **options)
    assert all(say(caught.value))
    assert all(say(caught.value, "vi"))
    return caught.value


def test_an_authority_holds_between_its_dates_and_for_its_purposes() -> None:
    certificate = read_certificate(g2().root.der)
    bounded = Authority(certificate, "root", frozenset({"documents"}), 10, 20)
    assert [bounded.holds(at) for at in (9, 10, 19, 20)] == [False, True, True, False]
    assert not bounded.holds(10, "time_stamps")
    anything = Authority(certificate, "root")
    assert anything.holds(0, "time_stamps")
    assert anything.holds(AT_US)


def test_what_signed_itself_becomes_a_root_and_the_others_intermediates() -> None:
    store = imported(*BUNDLE)
    assert [one.role for one in store.authorities] == ["root", "intermediate"] * 2
    assert store.issuers == tuple(map(read_certificate, (g1().root.der, g2().root.der)))
    assert {one.revocation for one in store.authorities} == {"required"}
    assert {(one.recorded_at, one.actor) for one in store.authorities} == {(77, "Bà Lan")}
    forced = imported(g1().below.der, role="root")
    assert forced.authorities[0].role == "root"


def test_a_view_tells_who_is_trusted_at_an_instant_for_a_purpose() -> None:
    store = imported(*BUNDLE, trusted_from=day("2020-01-01"), trusted_to=day("2029-01-01"))
    view = store.view
    assert len(view.roots_at(AT_US)) == len(view.intermediates_at(AT_US)) == 2
    assert view.roots_at(day("2019-12-31")) == view.intermediates_at(day("2029-01-01")) == ()
    stamps = imported(g1().root.der, purposes=["time_stamps"]).view
    assert stamps.roots_at(AT_US) == ()
    assert len(stamps.roots_at(AT_US, "time_stamps")) == 1
    found = view.authority(bytes.fromhex(sha256_of(g2().below)))
    assert found is view.authorities[3]
    assert view.authority(bytes(32)) is None
    assert view.named(found.certificate.subject_name) == (found,)
    assert view.named(b"") == ()


def test_authorities_are_the_same_object_while_only_bindings_change() -> None:
    store = imported(*BUNDLE)
    before = store.view
    store.apply(CertificateBound(1, SHA, 0), 9)
    assert store.view.authorities is before.authorities
    assert store.view.version == 9
    store.apply(AuthorityDistrusted(sha256_of(g1().root), 5), 10)
    assert store.view.authorities is not before.authorities


def test_trust_that_ends_holds_for_what_came_before() -> None:
    store = imported(*BUNDLE)
    ends = day("2025-07-01")
    store.apply(check_removal(store, sha256_of(g1().root), ends), 9)
    assert [one.certificate for one in store.view.roots_at(ends - 1)] == list(store.issuers)
    assert [one.certificate for one in store.view.roots_at(ends)] == [store.issuers[1]]
    assert store.authorities[0].sequence == 1, "it stands where it was imported"
    for since in (ends, ends + 1):
        with pytest.raises(InputError, match="2025-07-01"):
            check_removal(store, sha256_of(g1().root), since)
    store.apply(check_removal(store, sha256_of(g1().root), ends - 5), 10)
    assert store.authorities[0].trusted_to == ends - 5
    store.apply(check_authorities(store, [g1().root.der])[0], 11)
    assert store.authorities[0].trusted_to is None, "added again, it is trusted again"
    with pytest.raises(InputError, match="calendar"):
        check_removal(store, sha256_of(g2().root), 1 << 64)
    for sha256 in (SHA, "", sha256_of(g1().root).upper()):
        with pytest.raises(InputError):
            check_removal(store, sha256, 0)


def test_a_record_of_before_means_a_root_for_everything_that_is_not_checked() -> None:
    body = msgspec.msgpack.encode({"type": "issuer_trusted", "certificate": g1().below.der})
    assert encode_change(IssuerTrusted(g1().below.der)) == body
    store = TrustStore()
    store.apply(decode_change(body), 4)
    (one,) = store.authorities
    assert (one.role, one.purposes, one.trusted_from, one.trusted_to, one.revocation) == (
        "root", frozenset(), 0, None, "not_checked",
    )  # fmt: skip


def test_a_binding_of_before_is_read_and_says_nothing_of_its_issuer() -> None:
    old = {"type": "certificate_bound", "unit": 7, "certificate_sha256": SHA, "valid_from": 5}
    change = decode_change(msgspec.msgpack.encode(old))
    assert change == CertificateBound(7, SHA, 5)
    assert msgspec.msgpack.decode(encode_change(change)) == old
    store = TrustStore()
    store.apply(change, 1)
    assert list(store.all_bindings()) == [change]


def test_a_replay_gives_the_same_authorities() -> None:
    first, second = TrustStore(), TrustStore()
    changes = [
        *check_authorities(first, BUNDLE, purposes=["documents"], trusted_from=3, trusted_to=9),
        IssuerTrusted(pki().ca_der),
        AuthorityDistrusted(sha256_of(g2().root), 5),
    ]
    for sequence, change in enumerate(changes, start=1):
        first.apply(change, sequence, sequence, "a")
        second.apply(decode_change(encode_change(change)), sequence, sequence, "a")

    def told(store: TrustStore) -> list[tuple[object, ...]]:
        return [
            (one.certificate, one.role, one.purposes, one.trusted_from, one.trusted_to,
             one.revocation, one.sequence, one.recorded_at)
            for one in store.authorities
        ]  # fmt: skip

    assert told(first) == told(second)
    assert len(told(first)) == 5


def test_an_unreadable_authority_is_trusted_by_nobody_and_can_be_removed() -> None:
    store = TrustStore()
    store.apply(AuthorityTrusted(b"\x30\x00", "root"), 1)
    (sha256,) = store.unreadable
    assert store.authorities == ()
    store.apply(check_removal(store, sha256, 5), 2)
    assert store.unreadable == frozenset()


def test_a_bundle_is_taken_whole_or_not_at_all_and_the_place_is_named() -> None:
    signer = leaf(pki().key("ec", 0))
    error = refusal(*BUNDLE, signer)
    assert (error.code, error.path) == ("trust.leaf", "certificates[4]")
    assert refusal(signer).path == "certificate"
    assert refusal(g1().root.der, g1().root.der, b"junk").path == "certificates[2]"
    assert refusal().path == "certificates"
    assert len(check_authorities(TrustStore(), [g1().root.der] * 3)) == 1


def test_an_intermediate_must_be_able_to_carry_a_path() -> None:
    assert "only be a root" in str(refusal(g1().root.der, role="intermediate"))
    old = sha1_ca("cũ", (2010, 2030), g1().root)
    assert "sha1" in str(refusal(old))
    assert check_authorities(TrustStore(), [old], role="root")[0].role == "root"
    assert check_authorities(TrustStore(), [sha1_ca("gốc cũ", (2010, 2030))])[0].role == "root"
    mute = ca("không cấp", (2010, 2030), g1().below.key, g1().root, usages=["crl_sign"])
    assert "key usage" in str(refusal(mute.der))
    short = ca("ngắn", (2010, 2030), rsa.generate_private_key(65_537, 1024))
    assert "1024" in str(refusal(short.der))


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"role": "leaf"}, "role"),
        ({"revocation": "no"}, "revocation"),
        ({"purposes": ["mail"]}, "purposes"),
        ({"purposes": "documents"}, "purposes"),
        ({"trusted_from": 5, "trusted_to": 5}, "trusted_to"),
        ({"trusted_to": 0}, "trusted_to"),
        ({"trusted_to": 1 << 64}, "trusted_to"),
        ({"trusted_from": -(1 << 70)}, "trusted_from"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(options: dict[str, object], path: str) -> None:
    assert refusal(g1().root.der, **options).path == path


def test_a_bundle_is_counted_against_the_bound_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust_checks, "TRUST_CERTIFICATES_MAX", 3)
    store = trust_of()
    check_authorities(store, [*BUNDLE[:2], pki().ca_der])
    assert "at most 3" in str(refusal(*BUNDLE[:3], store=store))
    monkeypatch.setattr(trust_checks, "TRUST_BUNDLE_CERTIFICATES_MAX", 1)
    assert refusal(*BUNDLE[:2]).path == "certificates"
