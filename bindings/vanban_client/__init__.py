"""The Python client under its own installed name: talk to a daemon, sign documents.

    from vanban_client import Client, Signer, make_envelope, make_envelopes

Nothing here opens a data directory; the engine itself is `router.Engine`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.client import Client
from router.client.signing import (
    SignedTree,
    Signer,
    encode_document,
    make_envelope,
    make_envelopes,
)
from router.model.answers import Delivery, Outbox, OutboxEvent, Problem, Receipt
from router.model.documents import Attachment, Document, Envelope, InlineContent
from router.model.instants import VIETNAM_TIME

if TYPE_CHECKING:
    from router.client import AsyncClient

__all__ = [
    "VIETNAM_TIME",
    "AsyncClient",
    "Attachment",
    "Client",
    "Delivery",
    "Document",
    "Envelope",
    "InlineContent",
    "Outbox",
    "OutboxEvent",
    "Problem",
    "Receipt",
    "SignedTree",
    "Signer",
    "encode_document",
    "make_envelope",
    "make_envelopes",
]


def __getattr__(name: str) -> object:
    if name == "AsyncClient":
        from router.client import AsyncClient

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
