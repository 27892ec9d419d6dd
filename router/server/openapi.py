"""The OpenAPI 3.1 document: Litestar's own, completed with what it can't know.

Litestar describes its handlers; the hot endpoints are added from the table below, and the
component schemas are replaced by msgspec's, which keep discriminators, forbidden unknown
fields and descriptions that Litestar drops.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final, cast

import msgspec
from litestar import Litestar

from router.engine import Engine
from router.model.answers import (
    Explanation,
    Outbox,
    Principal,
    Problem,
    Receipt,
    Resolved,
    Tracking,
)
from router.model.documents import Document, Envelope
from router.model.policies import (
    Holds,
    HoldShown,
    PolicyChecked,
    PolicyExplained,
    PolicyImpact,
    Quarantined,
    QuarantinePage,
    Reach,
    RuleReach,
    UnitUnderPolicy,
)
from router.model.requests import (
    AcknowledgeRequest,
    ActivateRequest,
    ApproveRequest,
    DenyRequest,
    ExtendRequest,
    GiveBackRequest,
    Health,
    ImpactRequest,
    Leased,
    LeaseRequest,
    PolicyRequest,
    PolicyShown,
    PolicyVersions,
    ReachRequest,
    RefuseRequest,
    ResolveRequest,
    RollbackRequest,
    Settlements,
)
from router.model.units import Unit
from router.model.verdicts import AffectedPage, VerdictShown

API_VERSION: Final = "1.0.0"
TITLE: Final = "vanban-router"
_SCHEMAS: Final = "#/components/schemas/{name}"
_PUBLIC: Final = ("/healthz", "/readyz", "/metrics", "/openapi.json")
_TYPES: Final = (
    AcknowledgeRequest,
    ActivateRequest,
    AffectedPage,
    ApproveRequest,
    DenyRequest,
    Document,
    Envelope,
    Explanation,
    ExtendRequest,
    GiveBackRequest,
    Health,
    HoldShown,
    Holds,
    ImpactRequest,
    Leased,
    LeaseRequest,
    Outbox,
    PolicyChecked,
    PolicyExplained,
    PolicyImpact,
    PolicyRequest,
    PolicyShown,
    PolicyVersions,
    Principal,
    Problem,
    QuarantinePage,
    Quarantined,
    Reach,
    ReachRequest,
    Receipt,
    RefuseRequest,
    ResolveRequest,
    Resolved,
    RollbackRequest,
    RuleReach,
    Settlements,
    Tracking,
    Unit,
    UnitUnderPolicy,
    VerdictShown,
)


def build_document(app: Litestar) -> dict[str, Any]:
    """Return the whole document as plain data, members in a stable order."""
    own = app.openapi_schema.to_schema()
    _, components = msgspec.json.schema_components(_TYPES, ref_template=_SCHEMAS)
    paths: dict[str, Any] = {**own["paths"], **_hot_paths(), **_plain_paths()}
    for path, methods in paths.items():
        for operation in methods.values():
            _complete(path, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": API_VERSION,
            "description": "Routing of signed official documents; see docs/http-api.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {name: components[name] for name in sorted(components)},
        },
    }


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Give every operation our problem details; drop Litestar's own error schema."""
    responses = operation["responses"]
    for status in [status for status in responses if status.startswith(("4", "5"))]:
        del responses[status]
    responses["default"] = {
        "description": "Refused: problem details (RFC 9457) with a stable code.",
        "content": {"application/problem+json": {"schema": _ref("Problem")}},
    }
    if path in _PUBLIC:
        operation["security"] = []


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _SCHEMAS.format(name=name)}


def _content(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {kind: {"schema": schema}}


_HEADERS: Final = [
    {
        "name": "Vanban-Actor",
        "in": "header",
        "required": False,
        "description": "The person acting, at most 64 characters; default the token's name.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 64},
    },
    {
        "name": "Accept-Language",
        "in": "header",
        "required": False,
        "description": "Language of problem texts: en or vi.",
        "schema": {"type": "string"},
    },
]


def _operation(
    name: str, summary: str, body: dict[str, Any], answers: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "parameters": _HEADERS,
            "requestBody": {"required": True, "content": body},
            "responses": {
                status: {"description": summary, "content": content}
                for status, content in answers.items()
            },
            "deprecated": False,
        }
    }


def _hot_paths() -> dict[str, Any]:
    """Describe the endpoints that bypass Litestar."""
    line = "One JSON object a line, in the order of the request."
    outcome = {"oneOf": [_ref("Receipt"), _ref("Problem")], "description": line}
    receipt = _content("application/json", _ref("Receipt"))
    settled = {"200": _content("application/json", _ref("Settlements"))}
    return {
        "/v1/documents": _operation(
            "submit",
            "Submit one signed document; 200 when an equal one was accepted before.",
            _content("application/json", _ref("Envelope")),
            {"201": receipt, "200": receipt},
        ),
        "/v1/documents/batch": _operation(
            "submitBatch",
            "Submit many, one envelope a line; each line stands for itself.",
            _content("application/x-ndjson", _ref("Envelope")),
            {"200": _content("application/x-ndjson", outcome)},
        ),
        "/v1/verify": _operation(
            "verify",
            "Judge one envelope as if it came now; nothing is stored, nothing delivered.",
            _content("application/json", _ref("Envelope")),
            {"200": _content("application/json", _ref("VerdictShown"))},
        ),
        "/v1/inbox/lease": _operation(
            "lease",
            "Take deliveries from the own inbox, waiting for the first when asked to.",
            _content("application/json", _ref("LeaseRequest")),
            {"200": _content("application/json", _ref("Leased"))},
        ),
        "/v1/inbox/acknowledge": _operation(
            "acknowledge",
            "Say that deliveries were taken over; harmless to repeat.",
            _content("application/json", _ref("AcknowledgeRequest")),
            settled,
        ),
        "/v1/inbox/refuse": _operation(
            "refuse",
            "Return deliveries with a reason.",
            _content("application/json", _ref("RefuseRequest")),
            settled,
        ),
        "/v1/inbox/extend": _operation(
            "extend",
            "Keep deliveries that are handed out for longer.",
            _content("application/json", _ref("ExtendRequest")),
            settled,
        ),
        "/v1/inbox/give-back": _operation(
            "giveBack",
            "Put deliveries that are handed out back into the inbox, in their old places.",
            _content("application/json", _ref("GiveBackRequest")),
            settled,
        ),
    }


def _plain_paths() -> dict[str, Any]:
    def page(name: str, summary: str, kind: str) -> dict[str, Any]:
        answer = {"description": summary, "content": {kind: {"schema": {}}}}
        return {"get": {"operationId": name, "summary": summary, "responses": {"200": answer}}}

    return {
        "/metrics": page("metrics", "Counters for Prometheus.", "text/plain"),
        "/openapi.json": page("openapi", "This document.", "application/json"),
    }


def main(file: str) -> None:
    """Write the document to a file: the snapshot that client authors and tests use."""
    from router.server.app import litestar_app

    # The handlers close over the engine and touch it only when called.
    document = build_document(litestar_app(cast("Engine", None)))
    text = json.dumps(document, ensure_ascii=False, indent=2)
    Path(file).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
