"""The asynchronous client, on aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType

import aiohttp
from yarl import URL

from router.client import wire
from router.client.concurrent_policy import AsyncPolicyCalls
from router.client.concurrent_verdicts import AsyncVerdictCalls
from router.errors import ClosedError, OverloadedError
from router.model.answers import (
    Delivery,
    Explanation,
    Outbox,
    Outcome,
    Principal,
    Receipt,
    Resolved,
    Settled,
    Tracking,
)
from router.model.documents import Envelope
from router.model.policies import Holds, HoldShown
from router.model.requests import ResolveRequest
from router.model.units import Unit


class AsyncClient(AsyncPolicyCalls, AsyncVerdictCalls):
    """Speaks to one daemon with one token; an asynchronous context manager.

    The same calls, answers, errors and repetitions as `Client`; calls may run at once, on
    up to `connections` connections.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        actor: str = "",
        language: str = "en",
        timeout_s: float = wire.TIMEOUT_S,
        connections: int = 16,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        headers = wire.headers_of(token, actor, language)
        self._headers = headers
        self._timeout_s = timeout_s
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; idempotent."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def submit(self, envelope: bytes | Envelope) -> Receipt:
        """Submit one document; return its receipt.  Raises its refusal."""
        return wire.read_outcome(*await self._ask(wire.submit(envelope)))

    async def submit_batch(self, envelopes: Sequence[bytes | Envelope]) -> list[Outcome]:
        """Submit many; return a Receipt or Problem for each, in order."""
        return wire.read_outcomes(*await self._ask(wire.submit_batch(envelopes)), len(envelopes))

    async def lease(
        self, limit: int = 100, *, lease_s: int | None = None, wait_s: float = 0
    ) -> list[Delivery]:
        """Take up to `limit` deliveries for `lease_s` seconds, waiting for the first."""
        return wire.read_lease(*await self._ask(wire.lease(limit, lease_s, wait_s)))

    async def extend(self, deliveries: Sequence[str], lease_s: int | None = None) -> list[Settled]:
        """Keep these deliveries (their ids) for `lease_s` seconds from now."""
        return wire.read_settled(*await self._ask(wire.extend(deliveries, lease_s)))

    async def give_back(self, deliveries: Sequence[str]) -> list[Settled]:
        """Put these deliveries (their ids) back into the inbox, in their old places."""
        return wire.read_settled(*await self._ask(wire.give_back(deliveries)))

    async def acknowledge(self, deliveries: Sequence[str]) -> list[Settled]:
        """Say that these deliveries (their ids) are taken over."""
        return wire.read_settled(*await self._ask(wire.acknowledge(deliveries)))

    async def refuse(self, deliveries: Sequence[str], reason: str) -> list[Settled]:
        """Return these deliveries (their ids) with a reason."""
        return wire.read_settled(*await self._ask(wire.refuse(deliveries, reason)))

    async def outbox(self, *, after: str = "", limit: int = 100) -> Outbox:
        """Return what the own unit is told about what it has sent, after a cursor."""
        return wire.read(*await self._ask(wire.outbox(after, limit)), wire.outboxes)

    async def track(
        self,
        document: str,
        *,
        below: str | None = None,
        state: str | None = None,
        limit: int = 100,
        page: int = 0,
    ) -> Tracking:
        """Say who has a document (its key, or ``<sender>|<document id>``) and who not.

        `below` narrows counts and page to the units below one, `state` the page to one state.
        """
        request = wire.track(document, limit, page, below, state)
        return wire.read(*await self._ask(request), wire.trackings)

    async def holds(
        self, *, document: str = "", state: str = "held", limit: int = 100, page: int = 0
    ) -> Holds:
        """List held parts that the own unit may approve or has sent, the oldest first.

        With a `document` (its key) `state` may be any state, or "" for all.
        """
        request = wire.holds(document, state, limit, page)
        return wire.read(*await self._ask(request), wire.hold_pages)

    async def hold(self, hold: str) -> HoldShown:
        """Return one held part by its id (``<document key>/<part>``)."""
        return wire.read(*await self._ask(wire.hold(hold)), wire.held)

    async def approve(self, hold: str, *, reason: str = "", unit: str | None = None) -> HoldShown:
        """Approve a held part; an operator names the `unit` in whose name it acts."""
        return wire.read(*await self._ask(wire.approve(hold, reason, unit)), wire.held)

    async def deny(self, hold: str, reason: str, *, unit: str | None = None) -> HoldShown:
        """Deny a held part for good; its sender is told the reason."""
        return wire.read(*await self._ask(wire.deny(hold, reason, unit)), wire.held)

    async def explain(self, document: str, unit: str) -> Explanation:
        """Say why a unit receives a document, or why not."""
        return wire.read(*await self._ask(wire.explain(document, unit)), wire.explanations)

    async def resolve(
        self,
        selector: str,
        *,
        at_us: int | None = None,
        known_at_us: int | None = None,
        sender: str | None = None,
        explain: str | None = None,
        roll_up: bool = False,
        limit: int = 100,
        page: int = 0,
    ) -> Resolved:
        """Say whom a selector selects; a page of `limit` units is listed.

        `known_at_us` asks as the directory was known then; `sender` is the unit that
        `sender` in the selector means (the token's); `explain` asks of one unit why it is
        selected or not; `roll_up` asks for the members by tier and province.
        """
        question = ResolveRequest(
            selector, at_us, limit, known_at_us, sender, explain, roll_up, page
        )
        return wire.read(*await self._ask(wire.resolve(question)), wire.resolutions)

    async def unit(self, code: str) -> Unit:
        """Return one unit by its code in either form."""
        return wire.read(*await self._ask(wire.unit(code)), wire.units)

    async def whoami(self) -> Principal:
        """Return whom the token stands for."""
        return wire.read(*await self._ask(wire.WHOAMI), wire.principals)

    async def _ask(self, request: wire.Request) -> tuple[int, bytes]:
        pause_s = wire.PAUSE_S
        for attempt in range(wire.ATTEMPTS):
            if attempt:
                await asyncio.sleep(pause_s)
                pause_s *= 2
            if self._closed:
                raise ClosedError("engine.closed")
            try:
                return await self._exchange(request)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                reason = type(error).__name__
        raise OverloadedError("server.unreachable", reason=reason)

    async def _exchange(self, request: wire.Request) -> tuple[int, bytes]:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._connections)
            self._session = aiohttp.ClientSession(connector=connector, headers=self._headers)
        async with self._session.request(
            request.method,
            URL(self._base_url + request.path, encoded=True),
            data=request.body or None,
            headers={"Content-Type": request.kind},
            timeout=aiohttp.ClientTimeout(total=self._timeout_s + request.wait_s),
            allow_redirects=False,
        ) as response:
            return response.status, await response.read()
