"""The endpoints about verdicts: of stored documents, of an envelope nobody stores, alerts.

They read the log or verify signatures, so they run on threads and never on the loop.
"""

from __future__ import annotations

import asyncio
from typing import Annotated
from urllib.parse import unquote

from litestar import get, post
from litestar.handlers.http_handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from router import limits
from router.engine import Engine
from router.model.verdicts import AffectedPage, VerdictShown
from router.server.seats import AnyRequest, principal_of


def verdict_handlers(engine: Engine) -> list[HTTPRouteHandler]:
    """Return the route handlers over one engine."""

    @get("/v1/documents/{key:str}/verdict", sync_to_thread=True, operation_id="verdict")
    def verdict(request: AnyRequest, key: FromPath[str]) -> VerdictShown:
        """Tell the verdict over a document's signatures as it was reached, with its evidence.

        For its sender and operators, as tracking is.
        """
        return engine.seat(principal_of(request)).verdict(unquote(key))

    @get("/v1/revocation-alerts", sync_to_thread=True, operation_id="revocationAlerts")
    def alerts(
        request: AnyRequest,
        after: Annotated[str, QueryParameter(max_length=64)] = "",
        limit: Annotated[int, QueryParameter(ge=1, le=limits.AFFECTED_PAGE_MAX)] = 100,
    ) -> AffectedPage:
        """List documents whose signers had been revoked when they signed, as is known since.

        Those of senders whose documents the token may read: a unit's own, an operator's all.
        Ask again with `next_after`, also after an empty page.
        """
        return engine.seat(principal_of(request)).revocation_alerts(after=after, limit=limit)

    @post("/v1/verify", status_code=200, operation_id="verify")
    async def verify(request: AnyRequest) -> VerdictShown:
        """Judge one envelope as if it came now; nothing is stored, nothing delivered."""
        seat = engine.seat(principal_of(request))
        body = await request.body()
        (shown,) = await asyncio.to_thread(seat.verify, [body])
        return shown

    return [verdict, alerts, verify]
