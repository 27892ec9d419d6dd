"""The endpoints for held parts: who may see them, approve, deny.

Answers are flushed before they are given, so the handlers that change something run on
threads of their own, and never on the loop.
"""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.handlers.http_handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from router import limits
from router.engine import Engine
from router.model.policies import Holds, HoldShown
from router.model.requests import ApproveRequest, DenyRequest
from router.server.seats import AnyRequest, call_of, principal_of


def hold_handlers(engine: Engine) -> list[HTTPRouteHandler]:
    """Return the route handlers over one engine."""
    return [*_looking(engine), *_answering(engine)]


def _looking(engine: Engine) -> list[HTTPRouteHandler]:
    @get("/v1/holds", sync_to_thread=True, operation_id="holds")
    def holds(
        request: AnyRequest,
        document: Annotated[str, QueryParameter(max_length=64)] = "",
        in_state: Annotated[str, QueryParameter(name="state", max_length=16)] = "held",
        limit: Annotated[int, QueryParameter(ge=1, le=limits.HOLDS_PAGE_MAX)] = 100,
        page: Annotated[int, QueryParameter(ge=0, le=limits.UNITS_MAX)] = 0,
    ) -> Holds:
        """List held parts of documents that the token's unit may approve or has sent.

        Operators see those of the units whose documents they may read.  With a `document`
        (its key) `state` may be any state, or empty for all.
        """
        seat = engine.seat(principal_of(request))
        return seat.holds(document=document, state=in_state, limit=limit, page=page)

    @get("/v1/holds/{key:str}/{part:str}", sync_to_thread=True, operation_id="hold")
    def hold(request: AnyRequest, key: FromPath[str], part: FromPath[str]) -> HoldShown:
        """One held part: who waits, who may approve, what was answered."""
        return engine.seat(principal_of(request)).hold(f"{key}/{part}")

    return [holds, hold]


def _answering(engine: Engine) -> list[HTTPRouteHandler]:
    @post(
        "/v1/holds/{key:str}/{part:str}/approve",
        sync_to_thread=True, status_code=200, operation_id="approve",
    )  # fmt: skip
    def approve(
        request: AnyRequest, key: FromPath[str], part: FromPath[str], data: JSONBody[ApproveRequest]
    ) -> HoldShown:
        """Approve in the name of the token's unit (an operator names one); safe to repeat."""
        seat = engine.seat(principal_of(request))
        actor = call_of(request).actor
        return seat.approve(f"{key}/{part}", unit=data.unit, actor=actor, reason=data.reason)

    @post(
        "/v1/holds/{key:str}/{part:str}/deny",
        sync_to_thread=True, status_code=200, operation_id="deny",
    )  # fmt: skip
    def deny(
        request: AnyRequest, key: FromPath[str], part: FromPath[str], data: JSONBody[DenyRequest]
    ) -> HoldShown:
        """Deny with a reason in the name of the token's unit (an operator names one)."""
        seat = engine.seat(principal_of(request))
        actor = call_of(request).actor
        return seat.deny(f"{key}/{part}", data.reason, unit=data.unit, actor=actor)

    return [approve, deny]
