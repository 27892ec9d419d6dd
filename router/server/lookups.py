"""The endpoints that are not hot: tracking, explanation, resolution, units, health.

Typed Litestar handlers, a thin layer over the engine.  The principal was established
before Litestar saw the request (`router.server.app`) and stands in the scope.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote

import msgspec
from litestar import Response, get, post
from litestar.exceptions import HTTPException
from litestar.handlers.http_handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from router import limits
from router.engine import Engine
from router.errors import (
    ForbiddenError,
    InputError,
    MalformedError,
    NotFoundError,
    OverloadedError,
    PolicyError,
    StorageError,
    VanbanError,
)
from router.model.answers import (
    Explanation,
    Outbox,
    Principal,
    Resolved,
    TrackedDelivery,
    Tracking,
)
from router.model.requests import Health, ResolveRequest
from router.model.revocation import worst_of
from router.model.units import Unit
from router.policy.problems import findings_of
from router.server.policies import policy_handlers
from router.server.requests import PROBLEM, encode, problem_with_status, retry_after_s
from router.server.seats import AnyRequest, call_of, principal_of


def handlers(engine: Engine) -> list[HTTPRouteHandler]:
    """Return the route handlers over one engine."""
    return [
        *_document_handlers(engine), *_directory_handlers(engine), *policy_handlers(engine),
        *_health_handlers(engine),
    ]  # fmt: skip


def _document_handlers(engine: Engine) -> list[HTTPRouteHandler]:
    @get("/v1/documents/{key:str}/tracking", sync_to_thread=False, operation_id="track")
    def track(
        request: AnyRequest,
        key: FromPath[str],
        below: Annotated[
            str | None, QueryParameter(min_length=1, max_length=limits.CODE_CHARS_MAX)
        ] = None,
        in_state: Annotated[str | None, QueryParameter(name="state", max_length=16)] = None,
        limit: Annotated[int, QueryParameter(ge=0, le=limits.TRACKING_PAGE_MAX)] = 100,
        page: Annotated[int, QueryParameter(ge=0, le=limits.UNITS_MAX)] = 0,
    ) -> Tracking:
        """Who has the document and who not; for its sender and operators.

        The sender is the unit that answers for it today, or who was granted to read its
        documents.  All others, recipients too, are told that there is no such document.
        `below` narrows counts and page to the units below one, `state` the page to one state.
        """
        seat = engine.seat(principal_of(request))
        return seat.track(unquote(key), below=below, state=in_state, limit=limit, page=page)

    @get("/v1/outbox", sync_to_thread=False, operation_id="outbox")
    def outbox(
        request: AnyRequest,
        after: Annotated[str, QueryParameter(max_length=64)] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=limits.OUTBOX_PAGE_MAX)] = 100,
    ) -> Outbox:
        """Tell the token's unit what became of documents it has sent, oldest first.

        Redirections, deliveries that nobody could take.  Ask again with the `cursor` of the
        answer as `after`; events stay.
        """
        unit = principal_of(request).unit
        if unit is None:
            raise ForbiddenError("access.other_unit")
        return engine.outbox(unit, after=after, limit=limit)

    @get("/v1/documents/{key:str}/explain", sync_to_thread=False, operation_id="explain")
    def explain(
        request: AnyRequest,
        key: FromPath[str],
        unit: Annotated[str, QueryParameter(min_length=1, max_length=limits.CODE_CHARS_MAX)],
    ) -> Explanation:
        """Why a unit receives the document, or why not."""
        return engine.seat(principal_of(request)).explain(unquote(key), unit)

    @get("/v1/deliveries/{delivery:str}", sync_to_thread=False, operation_id="delivery")
    def delivery(request: AnyRequest, delivery: FromPath[str]) -> TrackedDelivery:
        """One delivery and all that happened to it; for its sender, its recipient, operators.

        Each is who answers for the unit today, or who was granted to read its documents.
        """
        return engine.seat(principal_of(request)).delivery(unquote(delivery))

    return [track, outbox, explain, delivery]


def _directory_handlers(engine: Engine) -> list[HTTPRouteHandler]:
    @post("/v1/resolve", sync_to_thread=False, status_code=200, operation_id="resolve")
    def resolve(request: AnyRequest, data: JSONBody[ResolveRequest]) -> Resolved:
        """Whom a selector selects at an instant, and why a unit is among them or not.

        The sender is the token's unit where the request names none.
        """
        principal = principal_of(request)
        return engine.seat(principal).resolve(
            data.selector,
            at_us=data.at_us,
            known_at_us=data.known_at_us,
            sender=data.sender or principal.unit,
            explain=data.explain,
            roll_up=data.roll_up,
            limit=data.limit,
            page=data.page,
        )

    @get("/v1/units/{code:str}", sync_to_thread=False, operation_id="unit")
    def unit(request: AnyRequest, code: FromPath[str]) -> Unit:
        """One unit by its code in either form."""
        return engine.seat(principal_of(request)).unit(unquote(code))

    @get("/v1/whoami", sync_to_thread=False, operation_id="whoami")
    def whoami(request: AnyRequest) -> Principal:
        """Whom the token speaks for."""
        return principal_of(request)

    return [resolve, unit, whoami]


def _health_handlers(engine: Engine) -> list[HTTPRouteHandler]:
    @get("/healthz", sync_to_thread=False, operation_id="healthz")
    def healthz() -> Health:
        """Answers as long as the process serves."""
        return Health("ok")

    @get("/readyz", sync_to_thread=False, operation_id="readyz")
    def readyz(request: AnyRequest) -> Health:
        """Whether the service works: the store is whole and no stop is under way.

        While only documents are refused (a disk nearly full) it stays ready, and says so:
        acknowledgements must still come through.  Nor does stale revocation data end it: what
        it keeps from being judged waits.
        """
        if call_of(request).stopping:
            raise OverloadedError("server.stopping", retry_after_s=limits.RETRY_AFTER_S)
        found = engine.trouble()
        if not engine.healthy():
            if found is None:
                raise StorageError("store.failed", reason="an earlier write failed")
            raise StorageError(found.code, path=found.path, **found.facts)
        stale = worst_of(engine.revocation_states())
        return Health("ready", "" if found is None else found.code, stale)

    return [healthz, readyz]


def answer_error(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Turn what Litestar raises, or we, into problem details.  Others go on to the front."""
    known = _known(request, error)
    if known is None:
        raise error
    call = call_of(request)
    problem = problem_with_status(known, call.language)
    if isinstance(known, PolicyError) and known.problems:
        problem = msgspec.structs.replace(problem, findings=findings_of(known.problems))
    headers = {"content-language": call.language}
    if isinstance(error, HTTPException) and problem.status == 405:
        headers["allow"] = str(known.facts["allowed"])
    if (wait := retry_after_s(known)) is not None:
        headers["retry-after"] = str(wait)
    return Response(
        encode(problem),
        status_code=problem.status,
        media_type=PROBLEM.decode(),
        headers=headers,
    )


def _known(request: AnyRequest, error: Exception) -> VanbanError | None:
    if isinstance(error, VanbanError):
        return error
    if isinstance(error, RecursionError):
        return MalformedError("json.too_deep")
    if not isinstance(error, HTTPException) or error.status_code >= 500:
        return None
    if error.status_code == 404:
        return NotFoundError("request.not_found")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("allow", "GET")
        if "GET" in allowed:  # the front answers HEAD wherever GET is answered
            allowed += ", HEAD"
        return MalformedError("request.method", method=request.method, allowed=allowed)
    if not isinstance(error.extra, list):
        return MalformedError("json.malformed", reason="the body can't be read")
    named = ((item.get("key", "body"), item.get("message", "wrong")) for item in error.extra)
    return InputError("request.invalid", reason="; ".join(f"{key}: {said}" for key, said in named))
