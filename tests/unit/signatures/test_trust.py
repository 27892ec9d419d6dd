"""Trust is what the log says, in its order; a binding holds for its dates only."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from support.pki import AT_US, leaf, pki, trust_of

from router import limits
from router.errors import InputError
from router.messages import say
from router.signatures import (
    CertificateBound,
    IssuerDistrusted,
    IssuerTrusted,
    TrustChange,
    TrustStore,
    check_binding,
    check_distrust,
    check_issuer,
    decode_change,
    encode_change,
    trust_checks,
)
from router.signatures.certificates import read_certificate
from vanban_bench.workloads.test_pki import make_ca

SHA = "ab" * 32


def ca_sha256() -> str:
    return read_certificate(pki().ca_der).sha256.hex()


@pytest.mark.parametrize(
    "change",
    [
        IssuerTrusted(certificate=b"\x30\x00"),
        IssuerDistrusted(sha256=SHA),
        CertificateBound(unit=7, certificate_sha256=SHA, valid_from=5),
        CertificateBound(unit=7, certificate_sha256=SHA, valid_from=5, valid_to=9),
    ],
)
def test_a_change_is_recorded_and_read_again(change: TrustChange) -> None:
    assert decode_change(encode_change(change)) == change


@pytest.mark.parametrize(
    "body",
    [b"", b"\xc1", b"\x80", encode_change(IssuerDistrusted(sha256="x")), b"\x81\xa4type\xa1x"],
)
def test_what_is_no_change_is_not_read(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a trust change"):
        decode_change(body)


def test_the_version_is_the_sequence_of_the_last_record() -> None:
    store = TrustStore()
    assert store.version == 0
    store.apply(IssuerTrusted(certificate=pki().ca_der), 12)
    before = store.view
    store.apply(CertificateBound(unit=1, certificate_sha256=SHA, valid_from=0), 40)
    assert (before.version, store.version, store.view.version) == (12, 40, 40)
    assert store.view.issuers == before.issuers


def test_a_binding_holds_from_its_start_up_to_its_end() -> None:
    store = TrustStore()
    store.apply(CertificateBound(unit=7, certificate_sha256=SHA, valid_from=10, valid_to=20), 1)
    assert [store.bound_unit(SHA, at) for at in (9, 10, 19, 20)] == [
        frozenset(), {7}, {7}, frozenset(),
    ]  # fmt: skip
    assert store.bound_unit("cd" * 32, 15) == frozenset()


def test_a_later_binding_replaces_the_one_of_the_same_unit() -> None:
    store = TrustStore()
    for unit, start, stop in ((7, 0, None), (8, 0, None), (7, 0, 50), (7, 0, 50)):
        change = CertificateBound(
            unit=unit, certificate_sha256=SHA, valid_from=start, valid_to=stop
        )
        store.apply(change, 1)
    assert store.bound_unit(SHA, 49) == {7, 8}
    assert store.bound_unit(SHA, 50) == {8}
    assert store.binding_count == 2


def test_a_replay_gives_the_same_store() -> None:
    signer = pki().issue(1, "H22", "UBND")
    first = TrustStore()
    bodies = []
    for change in (
        check_issuer(first, pki().ca_der),
        check_issuer(first, pki().other_ca_der),
        check_binding(first, 1, signer.certificate_der, 0, AT_US),
        check_binding(first, 1, signer.certificate_der, 5),
    ):
        bodies.append(encode_change(change))
        first.apply(change, len(bodies))
    second = TrustStore()
    for sequence, body in enumerate(bodies, start=1):
        second.apply(decode_change(body), sequence)
    assert second.version == first.version
    assert second.issuers == first.issuers
    assert second.bindings(signer.certificate_sha256) == first.bindings(signer.certificate_sha256)


def test_a_recorded_issuer_that_cannot_be_read_does_not_stop_a_replay() -> None:
    store = TrustStore()
    store.apply(IssuerTrusted(certificate=b"\x30\x00"), 1)
    store.apply(IssuerTrusted(certificate=leaf(pki().key("ec", 0))), 2)
    assert store.issuers == ()
    assert len(store.unreadable) == 2
    for number, sha256 in enumerate(sorted(store.unreadable), start=3):
        store.apply(check_distrust(store, sha256), number)
    assert (store.unreadable, store.version) == (frozenset(), 4)


def refused(error: pytest.ExceptionInfo[InputError]) -> str:
    assert error.value.code in {"trust.invalid", "trust.leaf", "trust.issuing"}
    assert say(error.value)[0]
    assert say(error.value, "vi")[0]
    return error.value.code


def test_only_a_ca_can_be_trusted() -> None:
    for der in (b"", b"junk", leaf(pki().key("ec", 0)), leaf(pki().key("rsa", 0))):
        with pytest.raises(InputError) as error:
            check_issuer(TrustStore(), der)
        assert refused(error)


def test_an_issuer_is_trusted_twice_without_harm() -> None:
    store = trust_of()
    store.apply(check_issuer(store, pki().ca_der), 5)
    assert len(store.issuers) == 1
    assert store.is_trusted(ca_sha256())


def test_only_a_trusted_issuer_can_be_distrusted() -> None:
    store = trust_of()
    for sha256 in (SHA, "", "zz" * 32, ca_sha256().upper(), ca_sha256()[:-1]):
        with pytest.raises(InputError) as error:
            check_distrust(store, sha256)
        assert refused(error)
    store.apply(check_distrust(store, ca_sha256()), 3)
    assert not store.is_trusted(ca_sha256())
    store.apply(IssuerDistrusted(sha256=SHA), 4)


def test_a_binding_needs_a_signers_certificate_and_sound_dates() -> None:
    store = trust_of()
    good = pki().issue(1, "H22", "UBND").certificate_der
    short = leaf(rsa.generate_private_key(65_537, 1024))
    for unit, der, start, stop in (
        (1, b"junk", 0, None),
        (1, pki().ca_der, 0, None),
        (1, short, 0, None),
        (0, good, 0, None),
        (1, good, 10, 10),
        (1, good, 10, 5),
        (1, good, 1 << 64, None),
        (1, good, 0, 1 << 64),
    ):
        with pytest.raises(InputError) as error:
            check_binding(store, unit, der, start, stop)
        assert refused(error)


def test_issuers_and_bindings_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trust_checks.BINDINGS_MAX == limits.BINDINGS_MAX
    monkeypatch.setattr(trust_checks, "BINDINGS_MAX", 1)
    monkeypatch.setattr(trust_checks, "TRUST_CERTIFICATES_MAX", 1)
    store = trust_of()
    der = pki().issue(1, "H22", "UBND").certificate_der
    store.apply(check_binding(store, 1, der, 0), 2)
    store.apply(check_binding(store, 1, der, 0, 5), 3)
    with pytest.raises(InputError):
        check_binding(store, 2, der, 0)
    check_issuer(store, pki().ca_der)
    another = make_ca(ec.generate_private_key(ec.SECP256R1()), "another", (2015, 2055))
    with pytest.raises(InputError):
        check_issuer(store, another.der)
