"""Bounds of a run, small enough to be met; what is beyond them is refused and leaves no trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final

from router import limits
from router.errors import InputError, TooLargeError
from vanban_bench.simulator.documents import require
from vanban_bench.simulator.paper import Paper, Standing

if TYPE_CHECKING:
    from router.engine import Engine
    from vanban_bench.simulator.deliveries import Deliveries
    from vanban_bench.simulator.session import Session

BOUNDED_ONE_IN: Final = 4
IN_FLIGHT, PENDING = "sender.too_many_in_flight", "recipient.too_many_pending"
TOO_MANY: Final = frozenset((IN_FLIGHT, PENDING))


@dataclass(frozen=True)
class Bounds:
    """Bounds in documents and deliveries; 0: none."""

    in_flight: int = 0
    pending: int = 0
    leases: int = 0


def make_bounds(random: Random) -> Bounds:
    """Return the bounds of a run; most runs have none."""
    if random.randrange(BOUNDED_ONE_IN):
        return Bounds()
    return Bounds(random.choice((0, 4, 12)), random.choice((0, 2, 6)), random.choice((0, 2, 6)))


def may_be_refused(
    model: Deliveries, bounds: Bounds, paper: Paper, audience: frozenset[int]
) -> set[str]:
    """Return the codes with which a new document may be refused for what is open already."""
    found = set()
    if bounds.in_flight:
        sent = [one for one in _perhaps_stored(model) if one.sender is paper.sender]
        most = sum(1 + len(one.parts) for one in sent if _perhaps_open(model, one))
        if most + model.joins >= bounds.in_flight:
            found.add(IN_FLIGHT)
    if bounds.pending and any(
        _most_pending(model, number) >= bounds.pending for number in audience
    ):
        found.add(PENDING)
    return found


def require_room(model: Deliveries, bounds: Bounds, paper: Paper) -> None:
    """Require that a document that was accepted was within the bounds, as far as is certain."""
    before = [one for one in model.papers if one is not paper and len(one.audiences) == 1
              and one.standing is Standing.STORED]  # fmt: skip
    if bounds.in_flight:
        least = sum(
            any(_certainly_open(model, one, number) for number in one.audiences[0])
            for one in before
            if one.sender is paper.sender
        )
        require(least < bounds.in_flight,
                f"{paper.document_id}: accepted beside {least} in flight")  # fmt: skip
    if bounds.pending and paper.selector.op == "code":
        (number,) = paper.audiences[0]
        least = sum(
            _certainly_open(model, one, number)
            for one in before
            if one.selector.op == "code" and number in one.audiences[0]
        )
        held = paper.part_of(number) is not None
        require(held or least < bounds.pending,
                f"{paper.document_id}: accepted beside {least} pending")  # fmt: skip


def _perhaps_stored(model: Deliveries) -> list[Paper]:
    return [one for one in model.papers if one.standing is not Standing.ABSENT]


def _perhaps_open(model: Deliveries, paper: Paper) -> bool:
    return any(
        (row := model.rows.get((paper.key, number))) is None or row.state == "open"
        for audience in paper.audiences
        for number in audience
    )


def _most_pending(model: Deliveries, number: int) -> int:
    return model.joins + sum(
        any(number in audience for audience in paper.audiences)
        and ((row := model.rows.get((paper.key, number))) is None or row.state == "open")
        for paper in _perhaps_stored(model)
    )


def _certainly_open(model: Deliveries, paper: Paper, number: int) -> bool:
    """Say whether a delivery certainly is open and neither hidden nor dead."""
    row = model.rows.get((paper.key, number))
    return (
        paper.part_of(number) is None
        and paper.life_us is None
        and (row is None or (row.state == "open" and not row.perhaps and not row.redriven))
        and not model.may_be_dead(paper, number)
    )


def perhaps_leased(model: Deliveries, address: int, now_us: int) -> int:
    """Return how many deliveries of an address may be under lease."""
    if model.lease_lost_until.get(address, now_us) > now_us:
        return 1 << 30
    return sum(
        row.state == "open" and row.leased_until > now_us
        for (_, number), row in model.rows.items()
        if number == address
    )


def certainly_leased(model: Deliveries, address: int, now_us: int) -> int:
    """Return how many deliveries of an address certainly are under lease."""
    return sum(
        model.surely_leased(row, now_us) and not row.perhaps
        for (_, number), row in model.rows.items()
        if number == address
    )


def overreach(session: Session) -> None:
    """Ask for more than is given at once: each is refused, and nothing is written or kept."""
    store, random = session.store, session.random
    unit = random.choice(session.world.open(session.now_us())).number
    if session.world.holder(unit, session.now_us()) != unit:
        return
    paper = b"{}"
    ids = [random.choice("AB") * 27]
    asked: Sequence[tuple[str, Callable[[Engine], object]]] = (
        ("batch", lambda engine: engine.submit([paper] * (limits.BATCH_DOCUMENTS_MAX + 1))),
        ("lease", lambda engine: engine.lease(unit, limits.LEASE_DELIVERIES_MAX + 1)),
        ("lease", lambda engine: engine.lease(unit, 0)),
        ("time", lambda engine: engine.lease(unit, 1, lease_s=limits.LEASE_S_MAX + 1)),
        ("ids", lambda engine: engine.acknowledge(
            unit, ids * (limits.ACKNOWLEDGE_DELIVERIES_MAX + 1))),
        ("page", lambda engine: engine.outbox(unit, limit=limits.OUTBOX_PAGE_MAX + 1)),
    )  # fmt: skip
    what, question = random.choice(asked)
    before = store.last, store.sizes()["overlay_bytes"], store.counts()

    def refused(engine: Engine) -> bool:
        try:
            question(engine)
        except (InputError, TooLargeError):
            return True
        return False

    answer = session.call(refused)
    if answer is None:
        return
    require(answer, f"an absurd {what} is taken")
    after = session.store.last, session.store.sizes()["overlay_bytes"], session.store.counts()
    require(after == before, f"an absurd {what} that was refused left a trace")
