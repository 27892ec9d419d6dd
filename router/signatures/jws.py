"""Signature entries: detached JWS over bytes as they are (forms "jws" and "merkle").

In the form "jws" the bytes are the payload, in the form "merkle" the root statement of a tree
of documents (`router.signatures.trees`).

The protected header is base64url of a JSON object with exactly these members:

- `alg`: a name of `router.signatures.algorithms` (never "none", never a MAC);
- `b64`: false, and `crit`: ["b64"] (RFC 7797: the payload goes into the signature unencoded);
- `x5c`: one to five certificates, base64 of DER, the signer's first (RFC 7515, 4.1.6);
- `x5t#S256`: base64url of the SHA-256 of the signer's certificate (RFC 7515, 4.1.8);
- in the form "merkle" also `tree`: "rfc6962-sha256", and `crit`: ["b64", "tree"], so that who
  knows no trees must refuse it (RFC 7515, 4.1.11) and no header serves both forms.

Anything else, a member written twice, or a second spelling of the same bytes is refused.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final, NamedTuple

from router.errors import SignatureRefusedError
from router.limits import (
    CERTIFICATE_BYTES_MAX,
    CERTIFICATES_PER_SIGNATURE_MAX,
    SIGNATURE_HEADER_CHARS_MAX,
)
from router.model.documents import SignatureEntry
from router.signatures.algorithms import ALGORITHMS, Algorithm
from router.signatures.certificates import plain
from router.signatures.encoding import decode_standard, decode_url, encode_standard, encode_url

TREE_KIND: Final = "rfc6962-sha256"
"""How the trees are hashed: the value of `tree` in their headers."""
_JWS_MEMBERS: Final = frozenset({"alg", "b64", "crit", "x5c", "x5t#S256"})
_MEMBERS: Final = {"jws": _JWS_MEMBERS, "merkle": _JWS_MEMBERS | {"tree"}}
_KEY_MEMBERS: Final = frozenset({"jku", "jwk", "kid", "x5t", "x5u"})
_MACS: Final = frozenset({"HS256", "HS384", "HS512"})
_CRITICAL: Final = {"jws": ["b64"], "merkle": ["b64", "tree"]}


class Header(NamedTuple):
    """What a protected header says: algorithm, certificates in DER (leaf first), and form."""

    algorithm: Algorithm
    certificates: tuple[bytes, ...]
    form: str = "jws"


def signing_input(protected: str, payload: bytes) -> bytes:
    """Return the bytes that are signed: header as sent, a dot, the payload (RFC 7797, 3)."""
    return protected.encode("ascii") + b"." + payload


def write_header(algorithm: Algorithm, certificates: tuple[bytes, ...], form: str = "jws") -> str:
    """Return the protected header for these certificates (the signer's first)."""
    header = {
        "alg": algorithm.name,
        "b64": False,
        "crit": _CRITICAL[form],
        **({"tree": TREE_KIND} if form == "merkle" else {}),
        "x5c": [encode_standard(der) for der in certificates],
        "x5t#S256": encode_url(hashlib.sha256(certificates[0]).digest()),
    }
    return encode_url(json.dumps(header, separators=(",", ":")).encode("ascii"))


def check_form(entry: SignatureEntry) -> None:
    """See that the entry is of a form taken here.

    Raises SignatureRefusedError `signature.form`, or `tree.malformed` for a place in a tree
    in a form that has none.
    """
    if entry.form not in _MEMBERS:
        raise SignatureRefusedError("signature.form", path="form", form=plain(entry.form))
    if entry.form == "jws" and entry.tree:
        raise SignatureRefusedError(
            "tree.malformed", path="tree", reason="the form jws has no tree"
        )


def read_header(protected: str) -> Header:
    """Read a protected header; its `crit` says which form it is for, and no header is for two.

    Raises SignatureRefusedError; the path is relative to the entry.  The codes:
    `signature.spelling`, `.header` (size, JSON), `.header_twice`, `.header_unknown`,
    `.header_missing` (members), `.named_key` (a key that is no certificate), `.critical`,
    `.encoded` (b64), `.unsigned`, `.mac`, `.algorithm`, `.certificates`, `.thumbprint`,
    `tree.kind`, `certificate.malformed`.
    """
    members = _members(protected)
    _check_no_key(members)
    form = _form(members)
    wanted = _MEMBERS[form]
    unknown = sorted(members.keys() - wanted)
    if unknown:
        raise _refusal("signature.header_unknown", member=_quoted(unknown[0]))
    missing = sorted(wanted - members.keys())
    if missing:
        raise _refusal("signature.header_missing", member=missing[0])
    if form == "merkle" and members["tree"] != TREE_KIND:
        raise SignatureRefusedError("tree.kind", path="protected.tree", wanted=TREE_KIND)
    if members["b64"] is not False:
        raise SignatureRefusedError("signature.encoded", path="protected.b64")
    algorithm = _algorithm(members["alg"])
    certificates = _certificates(members["x5c"])
    thumbprint = encode_url(hashlib.sha256(certificates[0]).digest())
    if members["x5t#S256"] != thumbprint:
        raise SignatureRefusedError("signature.thumbprint", path="protected.x5t#S256")
    return Header(algorithm, certificates, form)


def check_header_form(entry: SignatureEntry, form: str) -> None:
    """See that the entry's header is one for its form: a tree's signature is no document's.

    Raises SignatureRefusedError `tree.header`.
    """
    if entry.form != form:
        raise SignatureRefusedError("tree.header", path="protected.crit", form=entry.form)


def read_signature(text: str) -> bytes:
    """Return the signature's bytes.  Raises SignatureRefusedError `signature.spelling`."""
    try:
        return decode_url(text)
    except ValueError:
        raise SignatureRefusedError("signature.spelling", path="signature") from None


def _members(protected: str) -> dict[str, object]:
    if len(protected) > SIGNATURE_HEADER_CHARS_MAX:
        raise _refusal(
            "signature.header", reason=f"more than {SIGNATURE_HEADER_CHARS_MAX} characters"
        )
    try:
        raw = decode_url(protected)
    except ValueError:
        raise _refusal("signature.spelling") from None
    try:
        members = json.loads(raw.decode("utf-8"), object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        raise _refusal("signature.header", reason="it is not JSON in UTF-8") from None
    if not isinstance(members, dict):
        raise _refusal("signature.header", reason="it is not a JSON object")
    return members


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise _refusal("signature.header_twice", member=_quoted(name))
        members[name] = value
    return members


def _check_no_key(members: dict[str, object]) -> None:
    """See that the header brings no key, and no address of one, beside its certificates."""
    for name in sorted(members.keys() & _KEY_MEMBERS):
        raise _refusal("signature.named_key", member=name)


def _algorithm(name: object) -> Algorithm:
    if isinstance(name, str) and name in ALGORITHMS:
        return ALGORITHMS[name]
    quoted = _quoted(name)
    if quoted.lower() == "none":
        raise SignatureRefusedError("signature.unsigned", path="protected.alg")
    if quoted.upper() in _MACS:
        raise SignatureRefusedError("signature.mac", path="protected.alg", algorithm=quoted)
    raise SignatureRefusedError("signature.algorithm", path="protected.alg", algorithm=quoted)


def _form(members: dict[str, object]) -> str:
    critical = members.get("crit")
    for form, names in _CRITICAL.items():
        if critical == names:
            return form
    if critical is None:
        reason = "crit is missing"
    elif isinstance(critical, list):
        others = [name for name in critical if name not in ("b64", "tree")]
        reason = _quoted(others[0]) if others else "it must be exactly b64, or b64 and tree"
    else:
        reason = "it is no list"
    raise SignatureRefusedError("signature.critical", path="protected.crit", reason=reason)


def _certificates(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= CERTIFICATES_PER_SIGNATURE_MAX:
        raise SignatureRefusedError(
            "signature.certificates", path="protected.x5c", limit=CERTIFICATES_PER_SIGNATURE_MAX
        )
    return tuple(_certificate(text, place) for place, text in enumerate(value))


def _certificate(text: object, place: int) -> bytes:
    path = f"protected.x5c[{place}]"
    if not isinstance(text, str):
        raise SignatureRefusedError("certificate.malformed", path=path, reason="no text")
    try:
        der = decode_standard(text)
    except ValueError as error:
        raise SignatureRefusedError("certificate.malformed", path=path, reason=str(error)) from None
    if not 1 <= len(der) <= CERTIFICATE_BYTES_MAX:
        raise SignatureRefusedError(
            "certificate.malformed", path=path, reason=f"not 1 to {CERTIFICATE_BYTES_MAX} bytes"
        )
    return der


def _quoted(value: object) -> str:
    return plain(value[:64]) if isinstance(value, str) else "(no text)"


def _refusal(code: str, **facts: str | int) -> SignatureRefusedError:
    return SignatureRefusedError(code, path="protected", **facts)
