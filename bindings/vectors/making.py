"""What all vectors are made of: one document, its sender's signer, an envelope."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from router.client.signing import Signer, make_envelope
from router.model.documents import Document
from router.model.instants import VIETNAM_TIME
from vanban_bench.workloads.test_pki import TestPki

AT = datetime(2024, 9, 4, 8, 0, tzinfo=VIETNAM_TIME)
PKI = TestPki.load()

Json = dict[str, Any]


class Vector(NamedTuple):
    """One file: what is sent, when it arrives, and what must be answered."""

    name: str
    about: str
    envelope: Json | str
    code: str = ""
    path: str = ""
    stage: str = "signature"


def document(**changes: object) -> Document:
    """Return a plain decision of Hà Giang for all units directly below it."""
    fields: Json = {
        "format": 1,
        "sender": "H22",
        "document_id": "H22,2024/09/04,05/QĐ-UBND",
        "number": "05",
        "notation": "QĐ-UBND",
        "document_type": "Quyết định",
        "subject": "Về việc giao chỉ tiêu kế hoạch năm 2024",
        "issued_at": datetime(2024, 9, 4, 7, 45, tzinfo=VIETNAM_TIME),
        "recipients": "children(H22)",
    }
    return Document(**(fields | changes))


def agency(**options: Any) -> Signer:
    """Return the agency's signer (P-256 unless said otherwise)."""
    return PKI.issue(1, "H22", "UBND tỉnh Hà Giang", **({"kind": "ec", "index": 0} | options))


def envelope(
    content: Document | bytes | None = None, *signers: Signer, contents: tuple[bytes, ...] = ()
) -> Json:
    """Return a signed envelope as a JSON object."""
    made = make_envelope(content or document(), signers or (agency(),), contents)
    return dict(msgspec.to_builtins(made))
