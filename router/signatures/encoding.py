"""Strict base64: exactly one text for each byte string, so nothing can hide in the spelling.

RFC 7515 wants base64url without padding for `protected` and `signature`, and ordinary base64
with padding for `x5c`.  Python's decoders are lenient (stray characters, unused bits); these
are not: what does not encode back to the same text is refused.  `decode_url` is compiled, as
every document's signature passes through it.
"""

from __future__ import annotations

import base64

from router._spelling import decode_url

__all__ = ["decode_standard", "decode_url", "encode_standard", "encode_url"]


def encode_url(data: bytes) -> str:
    """Return base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def encode_standard(data: bytes) -> str:
    """Return base64 with padding (RFC 4648, section 4), as `x5c` has it."""
    return base64.b64encode(data).decode("ascii")


def decode_standard(text: str) -> bytes:
    """Return the bytes of canonical base64 with padding.  Raises ValueError otherwise."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("not base64") from error
    if encode_standard(data) != text:
        raise ValueError("not canonical base64")
    return data
