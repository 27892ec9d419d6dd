"""Files of certificates as they really come; a key among them never goes unnoticed."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from support.generations import g1, g2, pem_of
from support.pki import leaf, pki

from router.errors import InputError
from router.signatures import bundles
from router.signatures.bundles import read_bundle

BOTH = (g1().root.der, g1().below.der)


def refused(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        read_bundle(data, "ca.pem")
    return caught.value


def test_a_file_holds_one_or_many_certificates_in_its_order() -> None:
    pem = g1().pem()
    assert read_bundle(pem, "x") == BOTH
    assert read_bundle(g2().root.der, "x") == (g2().root.der,)
    for same in (
        b"\xef\xbb\xbf" + pem,
        pem.replace(b"\n", b"\r\n"),
        b"subject=CN = g1\nissuer=CN = g1\n" + pem + b"\n\n",
        pem + b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
    ):
        assert read_bundle(same, "x") == BOTH
    assert read_bundle(pem_of(g1().root) + pem_of(g1().root), "x") == (BOTH[0], BOTH[0])


@pytest.mark.parametrize("kind", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_private_key_is_refused_whatever_stands_beside_it(kind: PrivateFormat) -> None:
    key = pki().key("ec", 0).private_bytes(Encoding.PEM, kind, NoEncryption())
    for data in (key, g1().pem() + key, key + g1().pem()):
        error = refused(data)
        assert (error.code, error.path) == ("trust.private_key", "ca.pem")
        assert base64.b64encode(key) not in str(error).encode()


def test_what_can_not_be_read_is_named_by_its_place() -> None:
    one = pem_of(g1().root)
    assert refused(b"").path == "ca.pem"
    assert refused(b"no certificate").path == "ca.pem"
    assert refused(leaf(pki().key("ec", 0)) + b"\x00").path == "ca.pem"
    assert refused(one + one.replace(b"MII", b"AAA")).path == "ca.pem[1]"
    assert refused(one + one.replace(b"-----END CERTIFICATE-----", b"")).path == "ca.pem[1]"
    assert refused(one + one.replace(b"M", b"*", 1)).path == "ca.pem[1]"


def test_files_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "TRUST_BUNDLE_CERTIFICATES_MAX", 2)
    assert len(read_bundle(g1().pem(), "x")) == 2
    assert "more than 2" in str(refused(g1().pem() + pem_of(g2().root)))
    monkeypatch.setattr(bundles, "TRUST_BUNDLE_BYTES_MAX", 100)
    assert "more than 100 bytes" in str(refused(g1().pem()))


@given(st.binary(max_size=300), st.integers(0, 1_200))
def test_any_bytes_are_a_bundle_or_refused(junk: bytes, place: int) -> None:
    pem = g1().pem()
    for data in (junk, pem[:place] + junk + pem[place:], BOTH[0][:place] + junk):
        try:
            found = read_bundle(data, "x")
        except InputError:
            continue
        assert set(found) <= {*BOTH, data}, "junk may be another signature over the same"
