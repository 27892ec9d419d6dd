"""Files of certificates, as CAs publish them and people keep them: PEM bundles, or DER.

A PEM file may hold several certificates with text between them; what else it holds is passed
by, but a private key is refused, whatever stands beside it: who mixes them up must hear of it.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from router.errors import InputError, SignatureRefusedError
from router.limits import TRUST_BUNDLE_BYTES_MAX, TRUST_BUNDLE_CERTIFICATES_MAX
from router.signatures.certificates import read_certificate

_BOM: Final = b"\xef\xbb\xbf"
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_END: Final = b"-----END CERTIFICATE-----"
_KEY: Final = b"PRIVATE KEY-----"
_SPACE: Final = re.compile(rb"\s+")


def read_bundle(data: bytes, name: str) -> tuple[bytes, ...]:
    """Return the certificates of a file in DER, in its order.

    `name` is the file's, for the path of errors (`bundle.pem[2]`).  Raises InputError
    `trust.private_key`, and `trust.invalid` for what is too large or holds no certificate, or
    one that can't be read.
    """
    if len(data) > TRUST_BUNDLE_BYTES_MAX:
        raise _invalid(name, f"the file has more than {TRUST_BUNDLE_BYTES_MAX} bytes")
    if _KEY in data:
        raise InputError("trust.private_key", path=name)
    if _BEGIN not in data:
        return (_read(data, name),)
    found = []
    for place, block in enumerate(data.removeprefix(_BOM).split(_BEGIN)[1:]):
        if place >= TRUST_BUNDLE_CERTIFICATES_MAX:
            raise _invalid(name, f"the file holds more than {place} certificates")
        body, end, _ = block.partition(_END)
        try:
            der = base64.b64decode(_SPACE.sub(b"", body), validate=True)
        except binascii.Error:
            der = b""
        found.append(_read(der if end else b"", f"{name}[{place}]"))
    return tuple(found)


def _read(der: bytes, path: str) -> bytes:
    try:
        read_certificate(der)
    except SignatureRefusedError:
        raise _invalid(path, "the file holds no certificate in PEM or DER") from None
    return der


def _invalid(path: str, reason: str) -> InputError:
    return InputError("trust.invalid", path=path, reason=reason)
