"""Writes the vectors of this folder: envelopes of version 1, good and bad, with the outcome.

Run it from a checkout with the package installed: `python bindings/vectors/make.py`.
All of it repeats byte for byte but PS256, PS384 and PS512, whose signatures hold a random salt
and change on each run; so only run it when the format or a code changes.  The private keys
are public (see the test keys' README).
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from making import AT, PKI, Json, Vector, agency, document, envelope
from trees import bad_places, bad_tree_signatures, good_trees

from router.client.signing import Signer, encode_document
from router.model.documents import Attachment, SignatureEntry
from router.model.instants import VIETNAM_TIME, instant_of, show_instant
from router.signatures.algorithms import ALGORITHMS, SigningKey, sign_raw
from router.signatures.encoding import decode_url, encode_url
from router.signatures.jws import signing_input
from vanban_bench.workloads.test_pki import key_usage, unit_subject

HERE = Path(__file__).parent
FILE = "Nội dung tệp đính kèm\n".encode()
SIGNER = "$.signatures[0].protected.x5c[0]"


def signed_header(change: Callable[[Json], object]) -> Json:
    """Return an envelope whose protected header was changed before it was signed."""
    header = json.loads(decode_url(agency().sign(b"").protected))
    change(header)
    return signed_raw_header(json.dumps(header, separators=(",", ":")).encode())


def signed_raw_header(raw: bytes, key: SigningKey | None = None) -> Json:
    """Return an envelope with this header, rightly signed by ES256."""
    payload = encode_document(document())
    protected = encode_url(raw)
    signature = sign_raw(
        ALGORITHMS["ES256"], key or PKI.key("ec", 0), signing_input(protected, payload)
    )
    entry = SignatureEntry("jws", protected, encode_url(signature))
    return envelope() | {"signatures": [msgspec.to_builtins(entry)]}


def with_entry(**changes: object) -> Json:
    """Return a good envelope whose signature entry was changed afterwards."""
    made = envelope()
    return made | {"signatures": [made["signatures"][0] | changes]}


def odd_signer(*extensions: Any, ca: Any = None) -> Signer:
    """Return a signer whose certificate has other extensions."""
    der = (ca or PKI.ca).certify(
        PKI.key("ec", 0).public_key(),
        unit_subject("H22", "UBND tỉnh Hà Giang"),
        serial=77,
        extensions=extensions or None,
    )
    return Signer(PKI.key("ec", 0), der)


def good() -> Iterator[Vector]:
    """Yield what must be accepted."""
    for place, name in enumerate(ALGORITHMS):
        if name == "ES384":
            key: SigningKey = ec.derive_private_key(0x1234_5678, ec.SECP384R1())
        elif name == "EdDSA":
            key = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
        elif name == "ES256":
            key = PKI.key("ec", 0)
        else:
            key = PKI.key("rsa", 0)
        der = PKI.ca.certify(
            key.public_key(), unit_subject("H22", "UBND tỉnh Hà Giang"), serial=100 + place
        )
        made = envelope(None, Signer(key, der, name))
        yield Vector(f"algorithm-{name.lower()}", f"Signed with {name}.", made)
    person = PKI.issue(2, "H22", "Chủ tịch UBND tỉnh", kind="rsa", index=1)
    yield Vector("person-and-agency", "Two signatures: the person's, then the agency's.",
                 envelope(None, person, agency()))  # fmt: skip
    chain = Signer(PKI.key("ec", 0), (agency().certificate_der, PKI.ca_der))
    yield Vector("chain", "x5c carries the issuer as well; only the first is used.",
                 envelope(None, chain))  # fmt: skip
    file = Attachment("Phụ lục.txt", "text/plain", len(FILE), hashlib.sha256(FILE).hexdigest())
    large = Attachment("Bản đồ.pdf", "application/pdf", 50_000_000, "ab" * 32)
    yield Vector("attachments", "One attachment travels inline, one by its hash only.",
                 envelope(document(attachments=(file, large)), contents=(FILE,)))  # fmt: skip
    payload = encode_document(document())
    spaced = json.dumps(json.loads(payload), indent=2, sort_keys=True, ensure_ascii=True)
    yield Vector("other-spelling", "Indented, sorted, escaped: any JSON is good, once signed.",
                 envelope(spaced.encode()))  # fmt: skip
    answered = {"sender": "G22", "document_id": "G22,2024/09/01,7/TTr-BNV"}
    whole = document(
        urgency="flash",
        marks=("lưu hành nội bộ",),
        time_to_live_s=86_400,
        reply_by="2024-09-10",
        on_bad_recipient="skip",
        reply_to=(answered,),
    )
    yield Vector("all-fields", "A new document with every optional field that it may have.",
                 envelope(encode_document(whole)))  # fmt: skip


def bad_headers() -> Iterator[Vector]:
    """Yield headers outside the profile; all of them are rightly signed."""

    def put(**members: object) -> Json:
        return signed_header(lambda header: header.update(members))

    header = "$.signatures[0].protected"
    critical = ("signature.critical", "$.signatures[0].protected.crit")
    yield Vector("alg-none", "alg is none.", put(alg="none"),
                 "signature.unsigned", f"{header}.alg")  # fmt: skip
    yield Vector("alg-hs256", "alg is a MAC.", put(alg="HS256"),
                 "signature.mac", f"{header}.alg")  # fmt: skip
    yield Vector("alg-wrong-key", "RS256 with an ECDSA certificate.", put(alg="RS256"),
                 "signature.key_kind", SIGNER)  # fmt: skip
    yield Vector("b64-true", "The payload is said to be encoded.", put(b64=True),
                 "signature.encoded", f"{header}.b64")  # fmt: skip
    yield Vector("b64-missing", "b64 is critical but missing.",
                 signed_header(lambda header: header.pop("b64")),
                 "signature.header_missing", header)  # fmt: skip
    yield Vector("crit-missing", "b64 without crit.",
                 signed_header(lambda header: header.pop("crit")), *critical)  # fmt: skip
    yield Vector("crit-unknown", "crit names exp too.", put(crit=["b64", "exp"], exp=1),
                 *critical)  # fmt: skip
    yield Vector("header-unknown-member", "The header has kid.", put(kid="1"),
                 "signature.named_key", header)  # fmt: skip
    yield Vector("x5t-wrong", "x5t#S256 is of another certificate.",
                 put(**{"x5t#S256": encode_url(bytes(32))}),
                 "signature.thumbprint", f"{header}.x5t#S256")  # fmt: skip
    yield Vector("x5c-empty", "x5c lists no certificate.", put(x5c=[]),
                 "signature.certificates", f"{header}.x5c")  # fmt: skip
    yield Vector("x5c-six", "x5c lists six certificates.",
                 signed_header(lambda header: header.update(x5c=header["x5c"] * 6)),
                 "signature.certificates", f"{header}.x5c")  # fmt: skip
    yield Vector("x5c-url-alphabet", "x5c in base64url without padding.",
                 put(x5c=[encode_url(agency().certificate_der)]),
                 "certificate.malformed", SIGNER)  # fmt: skip
    raw = decode_url(agency().sign(b"").protected)
    yield Vector("header-duplicate-member", "alg stands twice in the header.",
                 signed_raw_header(raw[:-1] + b',"alg":"ES256"}'),
                 "signature.header_twice", header)  # fmt: skip
    yield Vector("header-not-json", "The header is no JSON.", signed_raw_header(b"ES256"),
                 "signature.header", header)  # fmt: skip


def bad_signatures() -> Iterator[Vector]:
    """Yield entries whose signature is not over these bytes, or not spelled as it must be."""
    made = envelope()
    entry = made["signatures"][0]
    invalid = ("signature.invalid", "$.signatures[0].signature")
    changed = document(subject="Về việc giao chỉ tiêu kế hoạch năm 2025")
    other = base64.b64encode(encode_document(changed)).decode()
    yield Vector("payload-changed", "One digit of the payload was changed after signing.",
                 made | {"payload": other}, *invalid)  # fmt: skip
    added = base64.b64encode(encode_document(document()) + b"\n").decode()
    yield Vector("payload-newline", "A line end was added to the payload after signing.",
                 made | {"payload": added}, *invalid)  # fmt: skip
    raw = bytearray(decode_url(entry["signature"]))
    raw[40] ^= 1
    yield Vector("signature-changed", "One bit of the signature was changed.",
                 with_entry(signature=encode_url(bytes(raw))), *invalid)  # fmt: skip
    key = PKI.key("ec", 0)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    message = signing_input(entry["protected"], encode_document(document()))
    der = key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    yield Vector("ecdsa-der", "The ECDSA signature is DER instead of r and s.",
                 with_entry(signature=encode_url(der)),
                 "signature.length", "$.signatures[0].signature")  # fmt: skip
    yield Vector("wrong-key", "The header names one key, another one signed.",
                 signed_raw_header(decode_url(entry["protected"]), PKI.key("ec", 1)),
                 *invalid)  # fmt: skip
    yield Vector("signature-padded", "base64url with padding.",
                 with_entry(signature=entry["signature"] + "=="),
                 "signature.spelling", "$.signatures[0].signature")  # fmt: skip
    yield Vector("protected-padded", "base64url with padding.",
                 with_entry(protected=entry["protected"] + "="),
                 "signature.spelling", "$.signatures[0].protected")  # fmt: skip
    yield Vector("form-unknown", "No form of that name.", with_entry(form="cms"),
                 "signature.form", "$.signatures[0].form")  # fmt: skip
    yield Vector("second-bad", "The first signature is good, the second is not.",
                 made | {"signatures": [entry, entry | {"signature": encode_url(bytes(64))}]},
                 "signature.invalid", "$.signatures[1].signature")  # fmt: skip
    yield Vector("unsigned", "There is no signature.", made | {"signatures": []},
                 "signature.missing", "$.signatures")  # fmt: skip


def bad_certificates() -> Iterator[Vector]:
    """Yield good signatures under certificates that don't count."""

    def day(year: int) -> int:
        return instant_of(datetime(year, 1, 1, tzinfo=VIETNAM_TIME))

    def signed(signer: Signer) -> Json:
        return envelope(None, signer)

    yield Vector("certificate-expired", "The certificate ended on 1 January 2024.",
                 signed(agency(valid_from=day(2021), valid_to=day(2024))),
                 "certificate.expired", SIGNER)  # fmt: skip
    yield Vector("certificate-not-yet-valid", "The certificate begins on 1 January 2025.",
                 signed(agency(valid_from=day(2025))), "certificate.not_yet_valid",
                 SIGNER)  # fmt: skip
    yield Vector("certificate-untrusted", "Issued by a CA that is not imported.",
                 signed(agency(trusted=False)), "certificate.untrusted", SIGNER)  # fmt: skip
    yield Vector("certificate-of-ca", "The CA itself signed.",
                 signed(Signer(PKI.ca.key, PKI.ca_der)), "certificate.usage", SIGNER)  # fmt: skip
    yield Vector("certificate-usage", "The key may only encipher keys.",
                 signed(odd_signer((key_usage("key_encipherment"), True))),
                 "certificate.usage", SIGNER)  # fmt: skip
    changed = bytearray(agency().certificate_der)
    place = changed.index(b"H22")
    changed[place : place + 3] = b"H23"
    yield Vector("certificate-changed", "One letter of the certificate was changed.",
                 signed(Signer(PKI.key("ec", 0), bytes(changed))),
                 "certificate.untrusted", SIGNER)  # fmt: skip
    junk = b"\x30\x03\x02\x01\x05"
    thumbprint = encode_url(hashlib.sha256(junk).digest())
    members = {"x5c": [base64.b64encode(junk).decode()], "x5t#S256": thumbprint}
    yield Vector("certificate-junk", "x5c holds no certificate.",
                 signed_header(lambda header: header.update(members)),
                 "certificate.malformed", SIGNER)  # fmt: skip


def bad_documents() -> Iterator[Vector]:
    """Yield rightly signed envelopes that the door refuses for what they say."""

    def signed(raw: bytes) -> Json:
        return envelope(raw)

    text = encode_document(document())
    fields: Json = json.loads(text)

    def having(**changes: object) -> Json:
        return signed(json.dumps(fields | changes, ensure_ascii=False).encode())

    cases = (
        ("payload-not-json", "The payload is cut off.", signed(text[:-1]),
         "json.malformed", "$.payload"),
        ("payload-duplicate-member", "sender stands twice.",
         signed(text[:-1] + b',"sender":"H23"}'), "json.duplicate_member", "$.payload"),
        ("payload-unknown-field", "A field is misspelled.", having(subjet="x"),
         "field.unknown", "$.payload"),
        ("payload-missing-field", "There is no subject.",
         signed(json.dumps({k: v for k, v in fields.items() if k != "subject"}).encode()),
         "field.missing", "$.payload"),
        ("payload-naive-time", "The issue time has no zone.",
         having(issued_at="2024-09-04T07:45:00"), "field.invalid", "$.payload.issued_at"),
        ("payload-long-subject", "The subject has 501 characters.", having(subject="x" * 501),
         "field.too_long", "$.payload.subject"),
        ("payload-format-2", "Format 2 is not known.", having(format=2),
         "envelope.version", "$.payload.format"),
        ("payload-new-acts-on", "A new document acts on another.",
         having(acts_on=[{"sender": "H22", "document_id": "x"}]),
         "field.conflict", "$.payload.acts_on"),
        ("payload-future", "Issued a day after it arrives.",
         having(issued_at="2024-09-05T08:00:00+07:00"),
         "document.issued_in_future", "$.payload.issued_at"),
        ("payload-early", "Issued two calendar years before it arrives.",
         having(issued_at="2022-12-31T08:00:00+07:00"),
         "document.issued_too_early", "$.payload.issued_at"),
        ("payload-secret", "Marked as a state secret.", having(marks=["Tối mật"]),
         "document.secret", "$.payload.marks"),
        ("payload-secret-nfd", "The same mark in NFD.",
         having(marks=[unicodedata.normalize("NFD", "Tối mật")]),
         "document.secret", "$.payload.marks"),
        ("attachment-not-signed", "Inline bytes that no attachment names.",
         envelope(None, contents=(FILE,)), "attachment.content", "$.contents[0]"),
    )  # fmt: skip
    for name, about, made, code, path in cases:
        yield Vector(name, about, made, code, path, "door")
    whole = json.dumps(envelope(), ensure_ascii=False)
    yield Vector("envelope-duplicate-member", "version stands twice.",
                 whole[:-1] + ', "version": 1}', "json.duplicate_member", "$", "door")  # fmt: skip
    yield Vector("envelope-unknown-field", "The envelope has another field.",
                 envelope() | {"to": "H22"}, "field.unknown", "$", "door")  # fmt: skip
    yield Vector("envelope-version-2", "Version 2 is not known.", envelope() | {"version": 2},
                 "envelope.version", "$.version", "door")  # fmt: skip


def bad_texts() -> Iterator[Vector]:
    """Yield rightly signed documents with a hidden secrecy mark, or a name that is none."""
    fields: Json = json.loads(encode_document(document()))

    def having(**changes: object) -> Json:
        return envelope(json.dumps(fields | changes, ensure_ascii=False).encode())

    file = {"name": "a.txt", "media_type": "text/plain", "size_bytes": 1, "sha256": "ab" * 32}
    cases = (
        ("payload-secret-hidden", "A mark announced, with an invisible character in it.",
         having(marks=["Độ mật: T\u200bối mật"]), "document.secret", "$.payload.marks"),
        ("payload-secret-subject", "A mark in NFD, in brackets, at the subject's end.",
         having(subject=unicodedata.normalize("NFD", "Kế hoạch 【Tài liệu mật】")),
         "document.secret", "$.payload.marks"),
        ("payload-control-character", "The subject holds a control character.",
         having(subject="Về việc\u001b[2J"), "field.invalid", "$.payload.subject"),
        ("attachment-path", "An attachment is named with a folder.",
         having(attachments=[file | {"name": "../a.txt"}]),
         "field.invalid", "$.payload.attachments[0].name"),
        ("attachment-two-sizes", "One SHA-256 is named with two sizes.",
         having(attachments=[file, file | {"size_bytes": 2}]),
         "attachment.content", "$.payload.attachments[1]"),
        ("attachment-hash-newline", "A SHA-256 ends in a line end.",
         having(attachments=[file | {"sha256": "ab" * 32 + "\n"}]),
         "field.too_long", "$.payload.attachments[0].sha256"),
    )  # fmt: skip
    for name, about, made, code, path in cases:
        yield Vector(name, about, made, code, path, "door")


def bad_others() -> Iterator[Vector]:
    """Yield rightly signed, well formed envelopes that the directory or the law refuses."""
    stranger = PKI.issue(3, "H22.1", "Sở Nội vụ", kind="ec", index=1)
    for name, about, made, code in (
        ("sender-mismatch", "Good, but the certificate is bound to no unit.",
         envelope(None, stranger), "sender.mismatch"),
        ("sender-unknown", "No unit has the sender's code.",
         envelope(document(sender="Z99")), "sender.unknown"),
    ):  # fmt: skip
        yield Vector(name, about, made, code, "$.payload.sender", "engine")
    for name, about, recipients, code in (
        ("recipient-unknown", "No unit has the recipient's code.", "H22.999", "recipient.unknown"),
        ("selector-syntax", "A parenthesis is missing.", "children(H22", "selector.syntax"),
        ("audience-empty", "The selector selects nobody.", "H22 - H22", "audience.empty"),
    ):
        made = envelope(document(recipients=recipients))
        yield Vector(name, about, made, code, "$.payload.recipients", "engine")


def bindings_of(made: Json | str) -> dict[str, str]:
    """Return which certificates must be bound to which unit: the signers', to H22."""
    whole = json.loads(made) if isinstance(made, str) else made
    found: dict[str, str] = {}
    for entry in whole["signatures"]:
        try:
            header = json.loads(decode_url(entry["protected"]))
            der = base64.b64decode(header["x5c"][0], validate=True)
        except (ValueError, KeyError, IndexError):
            continue
        found[hashlib.sha256(der).hexdigest()] = "H22"
    return found


def write(folder: str, vector: Vector) -> None:
    """Write one vector as a JSON file."""
    raw = vector.envelope
    record = {
        "name": vector.name,
        "about": vector.about,
        "stage": vector.stage,
        "at": show_instant(instant_of(AT)),
        "outcome": "refused" if vector.code else "accepted",
        "code": vector.code,
        "path": vector.path,
        "bindings": {} if vector.code == "sender.mismatch" else bindings_of(raw),
        **({"envelope_text": raw} if isinstance(raw, str) else {"envelope": raw}),
    }
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    (HERE / folder / f"{vector.name}.json").write_text(text, encoding="utf-8")


def main() -> None:
    """Write all vectors and the CA they need."""
    for folder, makers in (
        ("good", (good, good_trees)),
        (
            "bad",
            (
                bad_headers,
                bad_signatures,
                bad_places,
                bad_tree_signatures,
                bad_certificates,
                bad_documents,
                bad_texts,
                bad_others,
            ),
        ),
    ):
        shutil.rmtree(HERE / folder, ignore_errors=True)
        (HERE / folder).mkdir()
        for maker in makers:
            for vector in maker():
                write(folder, vector)
    pem = PKI.ca.certificate.public_bytes(serialization.Encoding.PEM)
    (HERE / "test-ca.pem").write_bytes(pem)


if __name__ == "__main__":
    main()
