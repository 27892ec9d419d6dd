"""Requests about verdicts as bytes, and the decoders of their answers."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from router import limits
from router.client.wire import Request
from router.errors import TooLargeError
from router.model.documents import Envelope
from router.model.verdicts import AffectedPage, VerdictShown

_encode: Final = msgspec.json.Encoder().encode
verdicts: Final = msgspec.json.Decoder(VerdictShown)
affected: Final = msgspec.json.Decoder(AffectedPage)


def verdict(document: str) -> Request:
    """Ask for the verdict of a stored document."""
    return Request("GET", f"/v1/documents/{quote(document, safe='')}/verdict")


def verify(envelope: bytes | Envelope) -> Request:
    """Ask to judge an envelope.  Raises TooLargeError `envelope.too_large`."""
    body = _encode(envelope) if isinstance(envelope, Envelope) else envelope
    if len(body) > limits.ENVELOPE_BYTES_MAX:
        limit = limits.ENVELOPE_BYTES_MAX
        raise TooLargeError("envelope.too_large", size=len(body), limit=limit)
    return Request("POST", "/v1/verify", body)


def revocation_alerts(after: str, limit: int) -> Request:
    """Ask which documents later revocations concern."""
    return Request("GET", f"/v1/revocation-alerts?{urlencode({'after': after, 'limit': limit})}")
