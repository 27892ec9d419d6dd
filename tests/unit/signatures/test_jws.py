"""A header that is not exactly what the profile says is refused, well signed or not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from support.pki import PAYLOAD, altered, forge, header_of, pki, verdict_of

from router.model.documents import SignatureEntry
from router.signatures.encoding import encode_standard, encode_url

Header = dict[str, Any]
THUMBPRINT = "protected.x5t#S256"


def good() -> SignatureEntry:
    return pki().issue(1, "H22", "UBND tỉnh", kind="ec", index=0).sign(PAYLOAD)


def refused(entry: SignatureEntry, code: str, path: str) -> None:
    verdict = verdict_of(entry)
    assert (verdict.status, verdict.code, verdict.path) == ("invalid", code, path)
    assert verdict.signatures == ()


def test_an_unchanged_header_is_good() -> None:
    assert verdict_of(altered(lambda header: None)).status == "valid"


def drop(name: str) -> Callable[[Header], object]:
    return lambda header: header.pop(name)


def put(name: str, value: object) -> Callable[[Header], object]:
    return lambda header: header.update({name: value})


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        (put("alg", "none"), "signature.unsigned", "protected.alg"),
        (put("alg", "None"), "signature.unsigned", "protected.alg"),
        (put("alg", "HS256"), "signature.mac", "protected.alg"),
        (put("alg", "ES512"), "signature.algorithm", "protected.alg"),
        (put("alg", "es256"), "signature.algorithm", "protected.alg"),
        (put("alg", None), "signature.algorithm", "protected.alg"),
        (put("alg", ["ES256"]), "signature.algorithm", "protected.alg"),
        (drop("alg"), "signature.header_missing", "protected"),
        (put("b64", True), "signature.encoded", "protected.b64"),
        (put("b64", 0), "signature.encoded", "protected.b64"),
        (put("b64", "false"), "signature.encoded", "protected.b64"),
        (drop("b64"), "signature.header_missing", "protected"),
        (drop("crit"), "signature.critical", "protected.crit"),
        (put("crit", []), "signature.critical", "protected.crit"),
        (put("crit", ["b64", "b64"]), "signature.critical", "protected.crit"),
        (put("crit", ["b64", "exp"]), "signature.critical", "protected.crit"),
        (put("crit", ["exp"]), "signature.critical", "protected.crit"),
        (put("crit", ["b64", {}]), "signature.critical", "protected.crit"),
        (put("crit", "b64"), "signature.critical", "protected.crit"),
        (put("crit", {"b64": 1}), "signature.critical", "protected.crit"),
        (put("kid", "1"), "signature.named_key", "protected"),
        (put("jwk", {}), "signature.named_key", "protected"),
        (put("x5u", "http://example.vn/cert"), "signature.named_key", "protected"),
        (put("\ud800", 1), "signature.header_unknown", "protected"),
        (drop("x5c"), "signature.header_missing", "protected"),
        (put("x5c", []), "signature.certificates", "protected.x5c"),
        (put("x5c", "MII"), "signature.certificates", "protected.x5c"),
        (put("x5c", [1]), "certificate.malformed", "protected.x5c[0]"),
        (put("x5c", ["MII"]), "certificate.malformed", "protected.x5c[0]"),
        (put("x5c", [""]), "certificate.malformed", "protected.x5c[0]"),
        (lambda h: h.update(x5c=h["x5c"] * 6), "signature.certificates", "protected.x5c"),
        (lambda h: h["x5c"].append("!"), "certificate.malformed", "protected.x5c[1]"),
        (lambda h: h["x5c"].append("A" * 12_000), "certificate.malformed", "protected.x5c[1]"),
        (drop("x5t#S256"), "signature.header_missing", "protected"),
        (put("x5t#S256", encode_url(b"\0" * 32)), "signature.thumbprint", THUMBPRINT),
        (put("x5t#S256", None), "signature.thumbprint", THUMBPRINT),
        (lambda h: h.update({"x5t#S256": h["x5t#S256"] + "="}), "signature.thumbprint", THUMBPRINT),
    ],
)
def test_a_header_outside_the_profile_is_refused(
    change: Callable[[Header], object], code: str, path: str
) -> None:
    refused(altered(change), code, f"signatures[0].{path}")


def test_junk_that_is_no_certificate_is_refused() -> None:
    junk = b"\x30\x03\x02\x01\x05"

    def change(header: Header) -> None:
        import hashlib

        header["x5c"] = [encode_standard(junk)]
        header["x5t#S256"] = encode_url(hashlib.sha256(junk).digest())

    refused(altered(change), "certificate.malformed", "signatures[0].protected.x5c[0]")


def test_a_certificate_chain_may_travel_along() -> None:
    entry = altered(lambda header: header["x5c"].append(encode_standard(pki().ca_der)))
    assert verdict_of(entry).status == "valid"


@pytest.mark.parametrize("name", ["alg", "b64", "crit", "x5c", "x5t#S256"])
def test_a_member_that_stands_twice_is_refused(name: str) -> None:
    header = header_of(good())
    text = json.dumps(header)
    twice = text[:-1] + f", {json.dumps(name)}: {json.dumps(header[name])}" + "}"
    entry = forge(pki().key("ec", 0), "ES256", twice.encode())
    refused(entry, "signature.header_twice", "signatures[0].protected")


def test_a_member_written_once_plainly_and_once_escaped_stands_twice() -> None:
    text = json.dumps(header_of(good()))
    entry = forge(pki().key("ec", 0), "ES256", (text[:-1] + r', "\u0061lg": "none"}').encode())
    refused(entry, "signature.header_twice", "signatures[0].protected")


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'"alg"', b"{}x", b"[" * 15_000,
        b'{"a":' * 3_000, b"1" * 9_000, b"\xef\xbb\xbf{}",
    ],
)  # fmt: skip
def test_a_header_that_is_no_json_object_is_refused(raw: bytes) -> None:
    entry = forge(pki().key("ec", 0), "ES256", raw)
    refused(entry, "signature.header", "signatures[0].protected")


def test_a_header_over_its_limit_is_refused() -> None:
    entry = SignatureEntry(form="jws", protected="A" * 24_580, signature="")
    refused(entry, "signature.header", "signatures[0].protected")


def test_another_spelling_of_the_same_header_is_refused() -> None:
    entry = good()
    padded = SignatureEntry("jws", entry.protected + "=", entry.signature)
    refused(padded, "signature.spelling", "signatures[0].protected")
    cut = entry.protected[:9] + "\n" + entry.protected[9:]
    broken = SignatureEntry("jws", cut, entry.signature)
    refused(broken, "signature.spelling", "signatures[0].protected")
    odd = SignatureEntry("jws", "ê" + entry.protected, entry.signature)
    refused(odd, "signature.spelling", "signatures[0].protected")
    standard = base64.b64encode(b"\xfb\xff\xff").decode()
    refused(SignatureEntry("jws", standard, ""), "signature.spelling", "signatures[0].protected")


@pytest.mark.parametrize("tail", ["=", "==", "\n", " ", "A", "é"])
def test_another_spelling_of_the_signature_is_refused(tail: str) -> None:
    entry = good()
    verdict = verdict_of(SignatureEntry("jws", entry.protected, entry.signature + tail))
    assert verdict.status == "invalid"
    assert verdict.path == "signatures[0].signature"


def test_unused_bits_of_the_signature_must_be_zero() -> None:
    entry = good()
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = letters[letters.index(entry.signature[-1]) | 1]
    assert twin != entry.signature[-1]
    assert base64.urlsafe_b64decode(entry.signature + "==") == base64.urlsafe_b64decode(
        entry.signature[:-1] + twin + "=="
    )
    changed = SignatureEntry("jws", entry.protected, entry.signature[:-1] + twin)
    refused(changed, "signature.spelling", "signatures[0].signature")


@pytest.mark.parametrize("form", ["JWS", "cms", "\ud800"])
def test_another_form_is_refused(form: str) -> None:
    verdict = verdict_of(SignatureEntry(form, good().protected, good().signature))
    assert (verdict.code, verdict.path) == ("signature.form", "signatures[0].form")
    str(verdict.facts).encode("utf-8")


def test_an_escaped_but_equal_header_is_another_header() -> None:
    raw = json.dumps(header_of(good())).encode()
    entry = forge(pki().key("ec", 0), "ES256", raw)
    swapped = SignatureEntry("jws", entry.protected, good().signature)
    refused(swapped, "signature.invalid", "signatures[0].signature")
