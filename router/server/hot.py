"""The hot endpoints: submit one, submit a batch, lease, extend, give back, acknowledge, refuse.

They are bare ASGI handlers with prepared decoders: a typed handler of the framework costs
about twice the processor time of these.  They decide nothing; the engine does.
"""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

import msgspec

from router import limits
from router.engine import Engine, Submission
from router.errors import ForbiddenError, TooLargeError
from router.model.answers import Delivery, Outcome, Principal, Receipt
from router.model.requests import (
    AcknowledgeRequest,
    ExtendRequest,
    GiveBackRequest,
    Leased,
    LeaseRequest,
    RefuseRequest,
    Settlements,
)
from router.server.batcher import Batcher
from router.server.requests import (
    JSON,
    NDJSON,
    PROBLEM,
    Call,
    ClientGoneError,
    decode,
    encode,
    retry_after_s,
)
from router.server.waiters import Waiter, Waiters
from router.settings import Settings

Asked = TypeVar("Asked")
_leases: Final = msgspec.json.Decoder(LeaseRequest)
_acknowledgements: Final = msgspec.json.Decoder(AcknowledgeRequest)
_refusals: Final = msgspec.json.Decoder(RefuseRequest)
_extensions: Final = msgspec.json.Decoder(ExtendRequest)
_returns: Final = msgspec.json.Decoder(GiveBackRequest)


class HotEndpoints:
    """The handlers; each takes a `Call` whose principal is known and answers it."""

    def __init__(
        self, engine: Engine, settings: Settings, batcher: Batcher, waiters: Waiters
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._batcher = batcher
        self._waiters = waiters

    async def submit(self, call: Call) -> None:
        """POST /v1/documents: one envelope in, a receipt or a problem out."""
        unit = own_unit(call)
        call.require_type(JSON)
        body = await self._read(call, limits.ENVELOPE_BYTES_MAX)
        item = Submission(envelope=body, unit=unit, actor=call.actor, language=call.language)
        (outcome,) = await self._batcher.submit((item,))
        if isinstance(outcome, Receipt):
            location = b"/v1/documents/" + outcome.key.encode() + b"/tracking"
            status = 200 if outcome.repeated else 201
            await call.answer(status, encode(outcome), JSON, ((b"location", location),))
            return
        call.code = outcome.code
        wait = retry_after_s(outcome)
        retry = () if wait is None else ((b"retry-after", b"%d" % wait),)
        await call.answer(outcome.status, encode(outcome), PROBLEM, retry)

    async def submit_batch(self, call: Call) -> None:
        """POST /v1/documents/batch: one envelope a line, one receipt or problem a line back.

        Each line stands for itself.
        """
        unit = own_unit(call)
        call.require_type(NDJSON)
        body = await self._read(call, limits.BATCH_BYTES_MAX)
        lines = lines_of(body)
        items = [Submission(line, unit, call.actor, call.language) for line in lines]
        outcomes = await self._batcher.submit(items)
        await call.answer(200, _lines(outcomes), NDJSON)

    async def lease(self, call: Call) -> None:
        """POST /v1/inbox/lease: hand out deliveries, waiting for the first when asked to."""
        unit = own_unit(call)
        asked = await self._decoded(call, _leases)
        if asked.wait_s > 0 and not self._waiters.stopped:
            deliveries = await self._wait(call, unit, asked)
        else:
            deliveries = self._lease_now(call, unit, asked)
        await call.answer(200, encode(Leased(tuple(deliveries))))

    async def acknowledge(self, call: Call) -> None:
        """POST /v1/inbox/acknowledge: the deliveries named are taken over."""
        unit = own_unit(call)
        asked = await self._decoded(call, _acknowledgements)
        settled = self._engine.acknowledge(unit, asked.deliveries, actor=call.actor)
        await call.answer(200, encode(Settlements(tuple(settled))))

    async def refuse(self, call: Call) -> None:
        """POST /v1/inbox/refuse: the deliveries named go back with a reason."""
        unit = own_unit(call)
        asked = await self._decoded(call, _refusals)
        settled = self._engine.refuse(unit, asked.deliveries, asked.reason, actor=call.actor)
        await call.answer(200, encode(Settlements(tuple(settled))))

    async def extend(self, call: Call) -> None:
        """POST /v1/inbox/extend: the deliveries named stay with who has them."""
        unit = own_unit(call)
        asked = await self._decoded(call, _extensions)
        lease_s = asked.lease_s or self._settings.inbox.lease_s
        settled = self._engine.extend(unit, asked.deliveries, lease_s, actor=call.actor)
        await call.answer(200, encode(Settlements(tuple(settled))))

    async def give_back(self, call: Call) -> None:
        """POST /v1/inbox/give-back: the deliveries named wait in the inbox again."""
        unit = own_unit(call)
        asked = await self._decoded(call, _returns)
        settled = self._engine.give_back(unit, asked.deliveries, actor=call.actor)
        await call.answer(200, encode(Settlements(tuple(settled))))

    def _lease_now(self, call: Call, unit: int, asked: LeaseRequest) -> list[Delivery]:
        lease_s = asked.lease_s or self._settings.inbox.lease_s
        return self._engine.lease(unit, asked.limit, lease_s=lease_s, actor=call.actor)

    async def _wait(self, call: Call, unit: int, asked: LeaseRequest) -> list[Delivery]:
        """Lease as soon as there is something; empty at the end of the time or at the stop.

        Asleep it stands outside the gate: sleepers have their own bound, and must not keep
        those out who are awake.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + asked.wait_s
        with self._waiters.waiting(unit) as waiter:
            gone = loop.create_task(call.gone())
            rung = True
            try:
                while True:  # and a last time when the time is over
                    waiter.bell.clear()
                    deliveries = self._lease_now(call, unit, asked)
                    if deliveries or self._waiters.stopped or not rung:
                        return deliveries
                    with call.outside():
                        rung = await _rung(waiter, gone, end - loop.time())
            finally:
                gone.cancel()

    async def _read(self, call: Call, bytes_max: int) -> bytes:
        return await call.read(bytes_max, self._settings.http.body_read_s)

    async def _decoded(self, call: Call, decoder: msgspec.json.Decoder[Asked]) -> Asked:
        call.require_type(JSON)
        body = await self._read(call, limits.CONTROL_BODY_BYTES_MAX)
        return decode(decoder, body)


def lines_of(body: bytes) -> list[bytes]:
    """Return the lines of a batch; one that is blank may end it.

    Raises TooLargeError `batch.too_large` over BATCH_DOCUMENTS_MAX lines, before it takes a
    body of millions of line breaks apart, which would cost many times its bytes.
    """
    limit = limits.BATCH_DOCUMENTS_MAX
    lines = body.split(b"\n", limit + 1)
    if not lines[-1].strip():
        lines.pop()
    if len(lines) > limit:
        size = body.count(b"\n") + (not body.endswith(b"\n"))
        raise TooLargeError("batch.too_large", size=size, limit=limit)
    return lines


def _lines(outcomes: list[Outcome]) -> bytes:
    """Return NDJSON: one receipt or problem a line, in the order of the documents."""
    return b"".join(encode(outcome) + b"\n" for outcome in outcomes)


def own_unit(call: Call) -> int:
    """Return the unit the token speaks for.  Raises ForbiddenError when it speaks for none."""
    principal: Principal | None = call.principal
    if principal is None or principal.unit is None:
        raise ForbiddenError("access.other_unit")
    return principal.unit


async def _rung(waiter: Waiter, gone: asyncio.Task[None], seconds: float) -> bool:
    """Sleep; True when the bell rang, False when the time is over."""
    if seconds <= 0:
        return False
    bell = asyncio.ensure_future(waiter.bell.wait())
    try:
        await asyncio.wait((bell, gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            raise ClientGoneError
        return bell.done()
    finally:
        bell.cancel()
