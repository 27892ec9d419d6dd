"""Approvers, who decide on what is held, and recipients who pry into it."""

from __future__ import annotations

from typing import Final

from router._core import Audience
from router._postings import postings
from router.engine import Engine
from router.errors import NotFoundError
from router.queue import NAMES, EntryRow, State, StoredDocument, after, records
from router.queue.records import CAUSES, Joining
from vanban_bench.simulator.deliveries import encode_id
from vanban_bench.simulator.documents import require
from vanban_bench.simulator.paper import Paper, Standing
from vanban_bench.simulator.parts import (
    EXCLUDED,
    EXPIRED,
    RELEASED,
    UNDECIDED,
    Awaited,
    Part,
)
from vanban_bench.simulator.session import Session

APPROVER: Final = "người duyệt"
_UNRESOLVED: Final = "the part's entry is missing"


def rule(session: Session) -> None:
    """Release a part that is held, or deny it."""
    waiting = [
        (paper, part)
        for paper in _stored(session)
        for part in paper.parts
        if part.standing in UNDECIDED
        and not part.over(session.now_us())
        and _members(paper, part)
        and not isinstance(part, Awaited)
    ]
    if waiting:
        paper, part = session.random.choice(waiting)
        decide(session, paper, part, session.random.choice((RELEASED, RELEASED, EXCLUDED)))


def decide(session: Session, paper: Paper, part: Part, decision: str) -> None:
    """Have a decision written down, and learn where the part stands."""
    found = session.call(
        lambda engine: _write(session, engine, paper, part, decision),
        lambda: part.perhaps.add(decision),
    )
    if found is None:
        return
    before, after_it = found
    allowed = part.may_stand(session.now_us(), session.model.ticked_us)
    allowed |= part.perhaps | {part.standing}  # what ran out may not be written down yet
    said = f"{paper.document_id}: the part that was {part.standing}"
    require(before in allowed, f"{said} is {before}, not one of {sorted(allowed)}")
    part.learn(after_it)
    if before != after_it:
        session.model.flushed()
    session.note("rule", paper.key, before, after_it)


def _write(
    session: Session, engine: Engine, paper: Paper, part: Part, decision: str
) -> tuple[str, str]:
    """Return where the part stood and stands: a decision that comes too late changes nothing."""
    stored = engine._queue.document(bytes.fromhex(paper.key))
    assert stored is not None
    row = _entry_of(engine, stored, paper, part)
    before = RELEASED if row.standing >= len(NAMES) else NAMES[row.standing]
    now_us = session.now_us()
    if before not in UNDECIDED or before == decision or part.over(now_us):
        return before, before
    if decision == RELEASED:
        record = _release(engine, stored, row, now_us)
    else:
        to = State[decision.upper()]
        record = records.encode_move(
            stored.sequence, row.number, to, b"", now_us, stored.sender, APPROVER, "xem xét"
        )
    engine._queue.store.append_raw([record])
    return before, decision


def _entry_of(engine: Engine, stored: StoredDocument, paper: Paper, part: Part) -> EntryRow:
    place = [one for one in paper.parts if _members(paper, one)].index(part)
    number = stored.sequence * 8 + 1 + place
    row = after.entry_of(engine._queue, stored.sequence, number)
    require(row is not None, f"{paper.document_id}: {_UNRESOLVED}")
    assert row is not None
    return row


def _release(engine: Engine, stored: StoredDocument, row: EntryRow, now_us: int) -> bytes:
    """Return the record that lets a part join inboxes."""
    audience = engine._queue.audience(row.audience)
    hierarchy = engine._rooms.snapshot(audience.snapshot).hierarchy
    joined = postings(hierarchy, Audience.from_bytes(audience.runs))
    return records.encode_join(
        Joining(
            stored.sequence, audience, joined, row.lane, CAUSES.index("released"), now_us,
            stored.sender, APPROVER, "duyệt", row.number, stored.expires_at or 0,
        )
    )  # fmt: skip


def decide_all(session: Session) -> None:
    """Decide on every part at the end, and learn what became of those that nobody knows of."""
    for paper in _stored(session):
        for part in paper.parts:
            if isinstance(part, Awaited):
                continue  # the engine's to decide
            if not _members(paper, part) or (part.standing not in UNDECIDED and not part.perhaps):
                continue
            decide(session, paper, part, session.random.choice((RELEASED, EXCLUDED)))
            if part.over(session.now_us()) and part.standing in UNDECIDED:
                part.learn(EXPIRED)


def pry(session: Session) -> None:
    """Ask, as a recipient, for what is held for it: it must not learn that there is anything."""
    random, now_us = session.random, session.now_us()
    secrets = [
        (paper, number)
        for paper in _stored(session)
        if paper.parts
        for number in paper.audiences[0]
        if paper.hidden_from(number)
    ]
    if not secrets:
        return
    paper, number = random.choice(sorted(secrets, key=lambda one: (one[0].key, one[1])))
    unit, delivery = session.world.holder(number, now_us), encode_id(paper.key, number)
    for answers in (
        session.call(lambda engine: engine.acknowledge(unit, [delivery], actor="văn thư")),
        session.call(lambda engine: engine.refuse(unit, [delivery], "sai", actor="văn thư")),
        session.call(lambda engine: engine.give_back(unit, [delivery], actor="văn thư")),
        session.call(lambda engine: engine.extend(unit, [delivery], 60, actor="văn thư")),
    ):
        for one in answers or ():
            require(
                one.code == "delivery.not_found",
                f"delivery {delivery}: its recipient learns of it before it is released",
            )
    if unit != session.world.holder(paper.sender.number, now_us):
        code = session.world.places[number].code
        shown = session.call(lambda engine: _is_shown(engine, paper, code, unit))
        require(not shown, f"{paper.document_id}: held, and explained to its recipient")


def _is_shown(engine: Engine, paper: Paper, code: str, viewer: int) -> bool:
    try:
        engine.explain(paper.key, code, viewer=viewer)
    except NotFoundError:
        return False
    return True


def _stored(session: Session) -> list[Paper]:
    """Return the documents that are certainly stored, for recipients that are known."""
    return [
        paper
        for paper in session.model.papers
        if paper.standing is Standing.STORED and len(paper.audiences) == 1
    ]


def _members(paper: Paper, part: Part) -> bool:
    """Say whether a part of a document has any members.

    The first part of equal shares takes all.
    """
    return any(paper.part_of(number) is part for number in paper.audiences[0])
