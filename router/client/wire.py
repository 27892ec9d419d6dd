"""What both clients share: requests as bytes, answers and errors as structs and classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from router import limits
from router.errors import (
    AuthenticationError,
    CalendarError,
    ClosedError,
    ConflictError,
    ForbiddenError,
    InputError,
    MalformedError,
    NotFoundError,
    OverloadedError,
    PolicyError,
    PolicyProblem,
    PolicyRefusedError,
    RecipientError,
    SignatureRefusedError,
    StorageError,
    TooLargeError,
    TooManyOpenError,
    VanbanError,
)
from router.model.answers import (
    Delivery,
    Explanation,
    Outbox,
    Outcome,
    Principal,
    Problem,
    Receipt,
    Resolved,
    Settled,
    Tracking,
)
from router.model.documents import Envelope
from router.model.policies import Holds, HoldShown
from router.model.requests import (
    AcknowledgeRequest,
    ApproveRequest,
    DenyRequest,
    ExtendRequest,
    GiveBackRequest,
    Leased,
    LeaseRequest,
    RefuseRequest,
    ResolveRequest,
    Settlements,
)
from router.model.units import Unit

Answer = TypeVar("Answer")

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
TIMEOUT_S: Final = 60.0
ATTEMPTS: Final = 3
PAUSE_S: Final = 0.2
"""Before the second attempt; doubled before each further one."""
TOKEN_FORM: Final = re.compile(r"vb1\.[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{1,128}")
"""``vb1.<id>.<secret>``, as the engine makes them."""
_encode: Final = msgspec.json.Encoder().encode
_problems: Final = msgspec.json.Decoder(Problem)

_BY_STATUS: Final[dict[int, type[VanbanError]]] = {
    400: MalformedError,
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    405: MalformedError,
    408: MalformedError,
    409: ConflictError,
    413: TooLargeError,
    415: MalformedError,
    422: InputError,
    429: TooManyOpenError,
    503: OverloadedError,
}
_BY_PREFIX: Final[dict[str, type[VanbanError]]] = {
    "store.": StorageError,
    "store.nearly_full": OverloadedError,
    "store.checkpoint_behind": OverloadedError,
    "store.busy": OverloadedError,
    "engine.closed": ClosedError,
    "signature.": SignatureRefusedError,
    "certificate.": SignatureRefusedError,
    "selector.": RecipientError,
    "recipient.": RecipientError,
    "audience.": RecipientError,
    "document.secret": PolicyRefusedError,
    "policy.": PolicyError,
    "policy.forbidden": PolicyRefusedError,
    "policy.nobody_left": PolicyRefusedError,
    "policy.requirement": PolicyRefusedError,
    "policy.sender_not_then": PolicyRefusedError,
    "calendar.": CalendarError,
}


class Request(NamedTuple):
    """One request: method, path with query, body, content type, seconds it may wait."""

    method: str
    path: str
    body: bytes = b""
    kind: str = JSON
    wait_s: float = 0.0


def token_of(text: str) -> str:
    """Return an access token without the blanks and line ends around it; "" stays "".

    Raises AuthenticationError `token.malformed` for anything else, and never names it: what
    is given here by mistake may be a private key.
    """
    token = text.strip()
    if token and TOKEN_FORM.fullmatch(token) is None:
        raise AuthenticationError("token.malformed")
    return token


def headers_of(token: str, actor: str, language: str) -> dict[str, str]:
    """Return the headers every request carries.

    Raises AuthenticationError `token.malformed`, InputError `actor.invalid`.
    """
    token = token_of(token)
    if len(actor) > limits.ACTOR_CHARS_MAX or not actor.isprintable():
        raise InputError("actor.invalid", reason="too long or not printable")
    headers = {"Accept": JSON, "Accept-Language": language}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if actor:
        # Header values are bytes; the daemon reads this one as UTF-8.
        headers["Vanban-Actor"] = actor
    return headers


def error_of(status: int, body: bytes) -> VanbanError:
    """Return the error the daemon answered with, as the class the engine would raise."""
    try:
        problem = _problems.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        reason = f"HTTP status {status} without problem details"
        return OverloadedError("server.unreachable", reason=reason)
    kind = _BY_STATUS.get(status, VanbanError)
    for prefix, named in _BY_PREFIX.items():
        if problem.code.startswith(prefix) and status in (422, 503):
            kind = named
    error = kind(problem.code, path=problem.path)
    error.facts.update(problem.facts)
    if isinstance(error, PolicyError):
        error.problems = tuple(
            PolicyProblem(one.severity, one.code, one.line, one.path, one.rule, one.suggestion)
            for one in problem.findings
        )
    return error


def read(status: int, body: bytes, decoder: msgspec.json.Decoder[Answer]) -> Answer:
    """Decode a good answer; raise the error of a bad one."""
    if status not in (200, 201):
        raise error_of(status, body)
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise OverloadedError("server.unreachable", reason="an unreadable answer") from None


receipts: Final = msgspec.json.Decoder(Receipt)
leases: Final = msgspec.json.Decoder(Leased)
settlements: Final = msgspec.json.Decoder(Settlements)
trackings: Final = msgspec.json.Decoder(Tracking)
outboxes: Final = msgspec.json.Decoder(Outbox)
explanations: Final = msgspec.json.Decoder(Explanation)
resolutions: Final = msgspec.json.Decoder(Resolved)
hold_pages: Final = msgspec.json.Decoder(Holds)
held: Final = msgspec.json.Decoder(HoldShown)
units: Final = msgspec.json.Decoder(Unit)
principals: Final = msgspec.json.Decoder(Principal)


def submit(envelope: bytes | Envelope) -> Request:
    """Ask to accept one document."""
    body = _encode(envelope) if isinstance(envelope, Envelope) else envelope
    if len(body) > limits.ENVELOPE_BYTES_MAX:
        limit = limits.ENVELOPE_BYTES_MAX
        raise TooLargeError("envelope.too_large", size=len(body), limit=limit)
    return Request("POST", "/v1/documents", body)


def submit_batch(envelopes: Sequence[bytes | Envelope]) -> Request:
    """Ask to accept many; a line break between JSON tokens is only white space."""
    if len(envelopes) > limits.BATCH_DOCUMENTS_MAX:
        limit = limits.BATCH_DOCUMENTS_MAX
        raise TooLargeError("batch.too_large", size=len(envelopes), limit=limit)
    lines = [
        _encode(one) if isinstance(one, Envelope) else one.replace(b"\n", b" ") for one in envelopes
    ]
    body = b"".join(line + b"\n" for line in lines)
    if len(body) > limits.BATCH_BYTES_MAX:
        raise TooLargeError("batch.too_large", size=len(body), limit=limits.BATCH_BYTES_MAX)
    return Request("POST", "/v1/documents/batch", body, NDJSON)


def read_outcome(status: int, body: bytes) -> Receipt:
    """Return the receipt of one document, or raise its refusal."""
    return read(status, body, receipts)


def read_outcomes(status: int, body: bytes, count: int) -> list[Outcome]:
    """Return a receipt or problem for each document of a batch, in order."""
    if status != 200:
        raise error_of(status, body)
    outcomes: list[Outcome] = []
    for line in body.splitlines():
        fields = msgspec.json.decode(line)
        kind: type[Receipt] | type[Problem] = Problem if "detail" in fields else Receipt
        outcomes.append(msgspec.convert(fields, kind))
    if len(outcomes) != count:
        raise OverloadedError("server.unreachable", reason="answers are missing")
    return outcomes


def lease(limit: int, lease_s: int | None, wait_s: float) -> Request:
    """Ask for deliveries."""
    body = _encode(LeaseRequest(limit, lease_s, float(wait_s)))
    return Request("POST", "/v1/inbox/lease", body, wait_s=float(wait_s))


def read_lease(status: int, body: bytes) -> list[Delivery]:
    """Return the deliveries handed out."""
    return list(read(status, body, leases).deliveries)


def acknowledge(deliveries: Sequence[str]) -> Request:
    """Say that deliveries are taken over."""
    return Request("POST", "/v1/inbox/acknowledge", _encode(AcknowledgeRequest(tuple(deliveries))))


def refuse(deliveries: Sequence[str], reason: str) -> Request:
    """Return deliveries with a reason."""
    body = _encode(RefuseRequest(tuple(deliveries), reason))
    return Request("POST", "/v1/inbox/refuse", body)


def extend(deliveries: Sequence[str], lease_s: int | None) -> Request:
    """Keep deliveries for longer."""
    body = _encode(ExtendRequest(tuple(deliveries), lease_s))
    return Request("POST", "/v1/inbox/extend", body)


def give_back(deliveries: Sequence[str]) -> Request:
    """Put deliveries back into the inbox."""
    return Request("POST", "/v1/inbox/give-back", _encode(GiveBackRequest(tuple(deliveries))))


def outbox(after: str, limit: int) -> Request:
    """Ask what the own unit is told about what it has sent."""
    query = urlencode({"after": after, "limit": limit} if after else {"limit": limit})
    return Request("GET", f"/v1/outbox?{query}")


def read_settled(status: int, body: bytes) -> list[Settled]:
    """Return one answer for each delivery named."""
    return list(read(status, body, settlements).deliveries)


def track(
    document: str, limit: int, page: int, below: str | None = None, state: str | None = None
) -> Request:
    """Ask where a document is."""
    asked: dict[str, str | int] = {"limit": limit, "page": page}
    asked |= {name: said for name, said in (("below", below), ("state", state)) if said}
    query = urlencode(asked)
    return Request("GET", f"/v1/documents/{quote(document, safe='')}/tracking?{query}")


def holds(document: str, state: str, limit: int, page: int) -> Request:
    """Ask for held parts."""
    asked: dict[str, str | int] = {"state": state, "limit": limit, "page": page}
    asked |= {"document": document} if document else {}
    return Request("GET", f"/v1/holds?{urlencode(asked)}")


def hold(name: str) -> Request:
    """Ask for one held part."""
    return Request("GET", _hold(name))


def approve(name: str, reason: str, unit: str | None) -> Request:
    """Approve a held part."""
    return Request("POST", f"{_hold(name)}/approve", _encode(ApproveRequest(reason, unit)))


def deny(name: str, reason: str, unit: str | None) -> Request:
    """Deny a held part."""
    return Request("POST", f"{_hold(name)}/deny", _encode(DenyRequest(reason, unit)))


def _hold(name: str) -> str:
    """Return the path of a held part.  Raises NotFoundError for what is no such id."""
    key, _, part = name.partition("/")
    if not key or not part or "/" in part:
        raise NotFoundError("hold.not_found")
    return f"/v1/holds/{quote(key, safe='')}/{quote(part, safe='')}"


def explain(document: str, unit: str) -> Request:
    """Ask why a unit receives a document."""
    query = urlencode({"unit": unit})
    return Request("GET", f"/v1/documents/{quote(document, safe='')}/explain?{query}")


def resolve(question: ResolveRequest) -> Request:
    """Ask whom a selector selects."""
    return Request("POST", "/v1/resolve", _encode(question))


def unit(code: str) -> Request:
    """Ask for one unit."""
    return Request("GET", f"/v1/units/{quote(code, safe='')}")


WHOAMI: Final = Request("GET", "/v1/whoami")
