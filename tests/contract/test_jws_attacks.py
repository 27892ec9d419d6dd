"""What broke other verifiers of JWS is refused here, each with the code that says what it is.

Every forged entry is signed as well as its forger could: with the real key where the attack is
on the header, with a key of his own where it is on the key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from support.pki import AT_US, PAYLOAD, altered, forge, header_of, leaf, pki, signer_of, trust_of

from router.client.signing import Signer, make_envelope
from router.limits import ENVELOPE_BYTES_MAX
from router.model.documents import SignatureEntry
from router.signatures import Verdict, Verifier
from router.signatures.algorithms import ALGORITHMS
from router.signatures.encoding import decode_url, encode_standard, encode_url
from router.signatures.jws import signing_input, write_header
from vanban_bench.workloads.test_pki import TestCa, unit_subject

Header = dict[str, Any]
Made = tuple[SignatureEntry, bytes]
"""A forged entry, and the payload it travels with."""


def agency() -> Signer:
    return pki().issue(1, "H22", "UBND tỉnh", kind="ec", index=0)


def judged(entry: SignatureEntry, payload: bytes = PAYLOAD) -> Verdict:
    """Return the verdict over the envelope as it travels."""
    envelope = make_envelope(payload, [])
    envelope = msgspec.structs.replace(envelope, signatures=(entry,))
    return verdict_of_raw(msgspec.json.encode(envelope))


def verdict_of_raw(raw: bytes) -> Verdict:
    verifier = Verifier(1, 60.0)
    try:
        return verifier.verify_envelopes([raw], trust_of(), None, AT_US)[0]
    finally:
        verifier.close()


def put(**members: object) -> SignatureEntry:
    return altered(lambda header: header.update(members))


def without(name: str) -> SignatureEntry:
    return altered(lambda header: header.pop(name))


def signature(change: Callable[[bytes], bytes]) -> SignatureEntry:
    entry = agency().sign(PAYLOAD)
    return SignatureEntry("jws", entry.protected, encode_url(change(decode_url(entry.signature))))


def text(**changes: Callable[[str], str]) -> SignatureEntry:
    """Return a good entry whose members were spelled otherwise afterwards."""
    entry = agency().sign(PAYLOAD)
    made = {name: change(getattr(entry, name)) for name, change in changes.items()}
    return msgspec.structs.replace(entry, **made)


def raw_header(change: Callable[[bytes], bytes]) -> SignatureEntry:
    raw = decode_url(agency().sign(b"").protected)
    return forge(pki().key("ec", 0), "ES256", change(raw))


def mac(secret: bytes, name: str = "HS256") -> SignatureEntry:
    """Sign with a MAC whose secret is what everybody knows: the public key."""
    header = header_of(agency().sign(b"")) | {"alg": name}
    protected = encode_url(json.dumps(header).encode())
    digest = hmac.new(secret, signing_input(protected, PAYLOAD), hashlib.sha256).digest()
    return SignatureEntry("jws", protected, encode_url(digest))


def public_pem() -> bytes:
    public = pki().key("ec", 0).public_key()
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def own_key(**members: object) -> SignatureEntry:
    """Bring a key along in the header and sign with it, under another's certificate."""
    key = ec.derive_private_key(4711, ec.SECP256R1())
    return forge(key, "ES256", header_of(agency().sign(b"")) | members)


def own_jwk() -> dict[str, str]:
    numbers = ec.derive_private_key(4711, ec.SECP256R1()).public_key().public_numbers()
    x, y = (encode_url(one.to_bytes(32, "big")) for one in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def encoded_payload() -> Made:
    """Sign the payload in base64url, as plain JWS has it, and claim that it is as it is."""
    entry = agency().sign(encode_url(PAYLOAD).encode())
    return entry, PAYLOAD


def attached() -> Made:
    entry = agency().sign(PAYLOAD)
    return SignatureEntry(
        "jws", entry.protected, f"{encode_url(PAYLOAD)}.{entry.signature}"
    ), PAYLOAD


def moved_dot() -> Made:
    entry = agency().sign(b"abc.def")
    return SignatureEntry("jws", f"{entry.protected}.abc", entry.signature), b"def"


def other_content() -> Made:
    return agency().sign(PAYLOAD), PAYLOAD.replace(b"ki", b"KI", 1) + b" "


def self_signed() -> SignatureEntry:
    """Issue under the trusted CA's name and certificate, with a key of one's own."""
    forged = TestCa(ec.derive_private_key(815, ec.SECP256R1()), pki().ca.certificate)
    key = ec.derive_private_key(816, ec.SECP256R1())
    der = forged.certify(key.public_key(), unit_subject("H22", "UBND tỉnh"), serial=5)
    return Signer(key, [der, pki().ca_der]).sign(PAYLOAD)


def short_rsa() -> SignatureEntry:
    key = rsa.generate_private_key(65_537, 1_024)
    protected = write_header(ALGORITHMS["RS256"], (leaf(key),))
    made = key.sign(signing_input(protected, PAYLOAD), padding.PKCS1v15(), hashes.SHA256())
    return SignatureEntry("jws", protected, encode_url(made))


def der_ecdsa() -> SignatureEntry:
    entry, key = agency().sign(PAYLOAD), pki().key("ec", 0)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    made = key.sign(signing_input(entry.protected, PAYLOAD), ec.ECDSA(hashes.SHA256()))
    return SignatureEntry("jws", entry.protected, encode_url(made))


def other_kind(name: str) -> SignatureEntry:
    """Name an algorithm of RSA over an elliptic key, which signs its own way."""
    return forge(pki().key("ec", 0), "ES256", header_of(agency().sign(b"")) | {"alg": name})


def second_certificate() -> SignatureEntry:
    """Name the agency's certificate first and sign with the key of the second."""
    mine = pki().issue(3, "H23", "UBND khác", kind="ec", index=1)
    header = header_of(agency().sign(b""))
    header["x5c"] = [*header["x5c"], encode_standard(mine.certificate_der)]  # type: ignore[misc]
    return forge(pki().key("ec", 1), "ES256", header)


def last_bits() -> SignatureEntry:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text(signature=lambda one: one[:-1] + letters[letters.index(one[-1]) | 1])


def of_a_tree(form: str, header_form: str) -> SignatureEntry:
    made = agency().sign_many([PAYLOAD, b"other"])[0] if header_form == "merkle" else None
    entry = made or agency().sign(PAYLOAD)
    return SignatureEntry(form, entry.protected, entry.signature, entry.tree)


ATTACKS: dict[str, tuple[Callable[[], SignatureEntry | Made], str]] = {
    # The algorithm is what the header says; it must never say that there is none.
    "alg none": (lambda: put(alg="none"), "signature.unsigned"),
    "alg none in other letters": (lambda: put(alg="nOnE"), "signature.unsigned"),
    "alg none without a signature": (
        lambda: SignatureEntry("jws", put(alg="none").protected, ""), "signature.unsigned",
    ),
    "public key as the secret of a MAC": (lambda: mac(public_pem()), "signature.mac"),
    "the certificate as the secret of a MAC": (
        lambda: mac(agency().certificate_der, "HS512"), "signature.mac",
    ),
    "an empty secret": (lambda: mac(b"", "hs256"), "signature.mac"),
    "SHA-1 by name": (lambda: put(alg="RS1"), "signature.algorithm"),
    "SHA-1 by its URI": (
        lambda: put(alg="http://www.w3.org/2000/09/xmldsig#rsa-sha1"), "signature.algorithm",
    ),
    "a curve not taken": (lambda: put(alg="ES256K"), "signature.algorithm"),
    "an algorithm in a list": (lambda: put(alg=["ES256", "none"]), "signature.algorithm"),
    "RSA's name over an elliptic key": (lambda: other_kind("RS256"), "signature.key_kind"),
    "another curve's name": (lambda: other_kind("ES384"), "signature.key_kind"),
    "Ed25519's name over another key": (lambda: other_kind("EdDSA"), "signature.key_kind"),
    # Keys come in certificates of authorities that the operator trusts, and from nowhere else.
    "jwk with a key of one's own": (lambda: own_key(jwk=own_jwk()), "signature.named_key"),
    "jku": (lambda: own_key(jku="https://evil.example/keys"), "signature.named_key"),
    "x5u": (lambda: own_key(x5u="https://evil.example/pem"), "signature.named_key"),
    "kid as a path": (lambda: own_key(kid="../../dev/null"), "signature.named_key"),
    "x5t with SHA-1": (lambda: own_key(x5t=encode_url(bytes(20))), "signature.named_key"),
    "a key of one's own": (own_key, "signature.invalid"),
    "a CA of one's own by the trusted name": (self_signed, "certificate.untrusted"),
    "the second certificate's key": (second_certificate, "signature.invalid"),
    "no certificate": (lambda: put(x5c=[]), "signature.certificates"),
    "a certificate that is no list": (lambda: put(x5c="MII"), "signature.certificates"),
    "the thumbprint of another": (
        lambda: put(**{"x5t#S256": encode_url(bytes(32))}), "signature.thumbprint",
    ),
    "a short RSA key": (short_rsa, "signature.key"),
    # What is critical must be understood.
    "crit names something": (lambda: put(crit=["b64", "exp"], exp=1), "signature.critical"),
    "crit is missing": (lambda: without("crit"), "signature.critical"),
    "crit is empty": (lambda: put(crit=[]), "signature.critical"),
    "crit names b64 twice": (lambda: put(crit=["b64", "b64"]), "signature.critical"),
    "crit is a text": (lambda: put(crit="b64"), "signature.critical"),
    "crit names what is not there": (lambda: put(crit=["b64", "http"]), "signature.critical"),
    # One header means one thing.
    "a member twice": (
        lambda: raw_header(lambda raw: raw[:-1] + b',"alg":"ES256"}'), "signature.header_twice",
    ),
    "a member twice, once escaped": (
        lambda: raw_header(lambda raw: raw[:-1] + rb',"\u0061lg":"none"}'),
        "signature.header_twice",
    ),
    "a member that is not taken": (lambda: put(typ="JOSE"), "signature.header_unknown"),
    "a compressed payload": (lambda: put(zip="DEF"), "signature.header_unknown"),
    "a nonce": (lambda: put(nonce="1"), "signature.header_unknown"),
    "no alg": (lambda: without("alg"), "signature.header_missing"),
    "no b64": (lambda: without("b64"), "signature.header_missing"),
    "two objects": (lambda: raw_header(lambda raw: raw + raw), "signature.header"),
    "a list": (lambda: raw_header(lambda raw: b"[" + raw + b"]"), "signature.header"),
    "nested too deeply": (
        lambda: raw_header(lambda _: b'{"alg":' + b"[" * 9_000), "signature.header",
    ),
    "UTF-16": (
        lambda: raw_header(lambda raw: raw.decode().encode("utf-16")), "signature.header",
    ),
    "a byte order mark": (
        lambda: raw_header(lambda raw: b"\xef\xbb\xbf" + raw), "signature.header",
    ),
    "an endless number": (
        lambda: raw_header(lambda raw: raw[:-1] + b',"n":' + b"9" * 9_000 + b"}"),
        "signature.header",
    ),
    # The payload is signed as it is.
    "b64 true": (lambda: put(b64=True), "signature.encoded"),
    "b64 as a text": (lambda: put(b64="false"), "signature.encoded"),
    "b64 as zero": (lambda: put(b64=0), "signature.encoded"),
    "the payload signed in base64url": (encoded_payload, "signature.invalid"),
    "the payload attached": (attached, "signature.spelling"),
    "the dot moved": (moved_dot, "signature.spelling"),
    "another payload": (other_content, "signature.invalid"),
    # One text for each byte string, one length for each signature.
    "padding": (lambda: text(signature=lambda one: one + "=="), "signature.spelling"),
    "padding of the header": (lambda: text(protected=lambda one: one + "="), "signature.spelling"),
    "a line break": (lambda: text(signature=lambda one: one[:9] + "\n" + one[9:]),
                     "signature.spelling"),
    "the other alphabet": (lambda: text(protected=lambda one: one[:8] + "+/" + one[10:]),
                           "signature.spelling"),
    "letters that look alike": (lambda: text(signature=lambda one: "А" + one[1:]),
                                "signature.spelling"),
    "unused bits": (last_bits, "signature.spelling"),
    "no signature": (lambda: text(signature=lambda _: ""), "signature.length"),
    "a trailing byte": (lambda: signature(lambda raw: raw + b"\0"), "signature.length"),
    "a leading byte": (lambda: signature(lambda raw: b"\0" + raw), "signature.length"),
    "a byte cut off": (lambda: signature(lambda raw: raw[:-1]), "signature.length"),
    "ECDSA in DER": (der_ecdsa, "signature.length"),
    "r and s of zero": (lambda: signature(lambda raw: bytes(len(raw))), "signature.invalid"),
    "r and s of one": (
        lambda: signature(lambda _: (1).to_bytes(32, "big") * 2), "signature.invalid",
    ),
    "r and s exchanged": (lambda: signature(lambda raw: raw[32:] + raw[:32]), "signature.invalid"),
    # A form is a form.
    "another form": (lambda: of_a_tree("cms", "jws"), "signature.form"),
    "a document's signature as a tree's": (lambda: of_a_tree("merkle", "jws"), "tree.header"),
    "a tree's signature as a document's": (
        lambda: msgspec.structs.replace(of_a_tree("jws", "merkle"), tree=""), "tree.header",
    ),
    "a place in a tree beside a document's signature": (
        lambda: of_a_tree("jws", "merkle"), "tree.malformed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_by_its_name(name: str) -> None:
    make, code = ATTACKS[name]
    made = make()
    entry, payload = made if isinstance(made, tuple) else (made, PAYLOAD)
    verdict = judged(entry, payload)
    assert (verdict.status, verdict.code) == ("invalid", code)
    assert verdict.path.startswith("signatures[0]")
    assert verdict.signatures == ()


def test_what_is_attacked_is_good_by_itself() -> None:
    assert judged(agency().sign(PAYLOAD)).status == "valid"
    assert judged(altered(lambda _: None)).status == "valid"
    assert judged(signer_of(pki().key("rsa", 0)).sign(PAYLOAD)).status == "valid"


# The envelope around it.


def good_text() -> str:
    return msgspec.json.encode(make_envelope(PAYLOAD, [agency()])).decode()


@pytest.mark.parametrize("member", ["payload", "signatures", "version"])
def test_a_member_of_the_envelope_that_stands_twice_is_refused(member: str) -> None:
    value = json.dumps(json.loads(good_text())[member])
    for name in (member, f"\\u{ord(member[0]):04x}{member[1:]}"):
        raw = f'{{"{name}":{value},{good_text()[1:]}'.encode()
        verdict = verdict_of_raw(raw)
        assert (verdict.status, verdict.code) == ("invalid", "json.duplicate_member")


@pytest.mark.parametrize("member", ["form", "protected", "signature"])
def test_a_member_of_a_signature_entry_that_stands_twice_is_refused(member: str) -> None:
    raw = good_text().replace(f'"{member}":', f'"{member}":"x","{member}":', 1).encode()
    assert verdict_of_raw(raw).code == "json.duplicate_member"


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one | {"header": {"alg": "none"}},
        lambda one: one | {"payload": "e30"},
        lambda one: one | {"signatures": []},
    ],
)
def test_a_signature_entry_takes_no_unprotected_header_and_no_payload(
    change: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    envelope = json.loads(good_text())
    envelope["signatures"] = [change(envelope["signatures"][0])]
    assert verdict_of_raw(json.dumps(envelope).encode()).code == "json.malformed"


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"\xff", b"[" * 100_000, b'{"version":1}'])
def test_what_is_no_envelope_is_refused(raw: bytes) -> None:
    verdict = verdict_of_raw(raw)
    assert (verdict.status, verdict.code) == ("invalid", "json.malformed")


def test_an_envelope_of_another_version_is_refused() -> None:
    raw = good_text().replace('"version":1', '"version":2').encode()
    assert verdict_of_raw(raw).code == "envelope.version"


def test_an_envelope_over_its_limit_is_not_read() -> None:
    raw = good_text().encode() + b" " * ENVELOPE_BYTES_MAX
    assert verdict_of_raw(raw).code == "envelope.too_large"


def test_payload_bytes_count_and_not_their_spelling() -> None:
    """What is signed are the decoded bytes, so no spelling of them can smuggle others in."""
    envelope = json.loads(good_text())
    for changed in (PAYLOAD + b" ", PAYLOAD[:-1], b""):
        envelope["payload"] = base64.b64encode(changed).decode()
        assert verdict_of_raw(json.dumps(envelope).encode()).code == "signature.invalid"
