"""Senders who read their outbox: each death and each redirection is told once, in order.

What was read once is there for ever, also after a crash; nothing comes before a cursor that was
answered.  A sender is told of nothing but its own documents.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from functools import partial
from typing import Final

from router import limits
from router.engine import Engine
from router.engine.outbox import read_cursor
from router.model.answers import Outbox, OutboxEvent
from router.model.instants import SECOND_US, instant_of
from vanban_bench.simulator.awaited import learn
from vanban_bench.simulator.deliveries import decode_id
from vanban_bench.simulator.documents import require
from vanban_bench.simulator.paper import Paper, Standing
from vanban_bench.simulator.parts import EXCLUDED, EXPIRED, RELEASED, UNDECIDED, Awaited
from vanban_bench.simulator.session import Session

TICKS_MAX: Final = 200
MORE_THAN_ANY: Final = 1 << 20


def read_outbox(session: Session) -> None:
    """Read, as a sender, all there is to read, by pages; hold it against what was read before."""
    sender = session.random.choice(sorted(session.signer_of))
    unit = session.world.holder(sender, session.now_us())
    events = _pages(session, unit, session.random.choice([1, 3, limits.OUTBOX_PAGE_MAX]))
    if events is not None:
        _check(session, unit, events)
        session.note("outbox", unit, events)


def read_all(session: Session) -> None:
    """Let every sender read, at the end; nothing that fell due is left undone."""
    for _ in range(TICKS_MAX):
        if not session.tick():
            break
    learn(session)
    now_us = session.now_us()
    for unit in sorted({session.world.holder(one, now_us) for one in session.signer_of}):
        events = _pages(session, unit, limits.OUTBOX_PAGE_MAX)
        if events is not None:
            _check(session, unit, events)
            _require_redirections(session, unit, events)


def _pages(session: Session, unit: int, limit: int) -> list[OutboxEvent] | None:
    """Return all events of a unit's outbox; None when the engine died meanwhile."""
    events: list[OutboxEvent] = []
    cursor = ""
    while True:
        page = session.call(partial(_page, unit=unit, cursor=cursor, limit=limit))
        if page is None:
            return None
        require(len(page.events) <= limit, "a page of an outbox is longer than asked for")
        events += page.events
        if not page.more:
            return events
        require(page.cursor not in ("", cursor), "an outbox does not go on")
        cursor = page.cursor


def _page(engine: Engine, unit: int, cursor: str, limit: int) -> Outbox:
    return engine.outbox(unit, after=cursor, limit=limit)


def _check(session: Session, unit: int, events: list[OutboxEvent]) -> None:
    said = f"the outbox of {session.world.places[unit].code}"
    cursors = [read_cursor(event.cursor) for event in events]
    require(cursors == sorted(set(cursors)), f"{said} is out of order")
    now_us = session.now_us()
    known = {event.cursor: event for event in events}
    for sender in session.world.held_by(unit, now_us):
        read = session.told.setdefault(sender, {})
        for cursor, event in read.items():
            require(known.get(cursor) == event, f"{said}: {cursor} was read, and is another now")
        mine = {event.cursor: event for event in events if event.sender == _code(session, sender)}
        last = max(map(read_cursor, read), default=(0, 0, -1))
        for cursor in mine.keys() - read.keys():
            require(read_cursor(cursor) > last, f"{said}: {cursor} came before what was read")
        session.told[sender] = mine
    _check_each(session, said, events)


def _check_each(session: Session, said: str, events: list[OutboxEvent]) -> None:
    """Check that each event is true of a document of this sender, and told once."""
    times: Counter[tuple[str, ...]] = Counter()
    for event in events:
        sender = session.world.by_code(event.sender).number
        if event.kind == "dead":
            _check_dead(session, said, event, sender)
            times["dead", event.delivery] += 1
        elif event.kind == "hold_expired":
            _check_hold_expired(session, said, event, sender)
            times["hold_expired", event.hold] += 1
        elif event.kind.startswith("verdict_"):
            _check_verdict(session, said, event, sender)
            times["verdict", event.key] += 1
        else:
            require(event.kind == "redirected", f"{said} tells of {event.kind}")
            _check_redirected(session, said, event, sender)
            what = event.key or event.at
            times["redirected", event.sender, event.address, what] += 1
    for told, count in times.items():
        most = 1
        if told[0] == "dead":
            paper, address = session.model.row_of_id[told[1]]
            most += session.model.rows[paper.key, address].redrives
        require(count <= most, f"{said} tells {count} times of {' '.join(told)}")


def _check_dead(session: Session, said: str, event: OutboxEvent, sender: int) -> None:
    whole = decode_id(event.delivery)
    address = int.from_bytes(whole[-4:], "big")
    paper = session.model.named_in(event.key, sender, event.document_id)
    require(paper is not None, f"{said} tells of a document that nobody knows of")
    assert paper is not None
    require(paper.sender.number == sender, f"{said} tells of another's document")
    named = whole[:-4].hex(), event.document_id
    require(named == (event.key, paper.document_id), f"{said} mixes documents up")
    require(event.address == _code(session, address), f"{said}: {event.delivery} went elsewhere")
    require(any(address in one for one in paper.audiences), f"{said}: {event.address} is strange")
    require(not paper.hidden_from(address), f"{said}: what died was never released")
    session.model.require_died(paper, address, event.delivery)


def _check_hold_expired(session: Session, said: str, event: OutboxEvent, sender: int) -> None:
    """Check that a part of this sender's document was held, and could run out at that instant."""
    paper = session.model.named_in(event.key, sender, event.document_id)
    require(paper is not None and paper.sender.number == sender, f"{said} tells of a stranger's")
    assert paper is not None
    at_us = instant_of(datetime.fromisoformat(event.at))
    ran_out = [one for one in paper.parts if one.began in UNDECIDED and one.due_us // SECOND_US
               == at_us // SECOND_US]  # fmt: skip
    require(bool(ran_out), f"{said}: no part of {event.key} runs out at {event.at}")
    require(event.hold.partition("/")[0] == event.key, f"{said} mixes parts up")
    require(event.recipients > 0, f"{said}: nobody was held")


def _check_verdict(session: Session, said: str, event: OutboxEvent, sender: int) -> None:
    """Check that a document of this sender waited for such a verdict, and has it."""
    paper = session.model.named_in(event.key, sender, event.document_id)
    require(paper is not None and paper.sender.number == sender, f"{said} tells of a stranger's")
    assert paper is not None
    part = paper.parts[0] if paper.parts else None
    require(isinstance(part, Awaited), f"{said}: {event.key} waited for no verdict")
    assert part is not None
    stands = {"verdict_valid": RELEASED, "verdict_invalid": EXCLUDED}.get(event.kind, EXPIRED)
    require(stands == part.standing or stands in part.perhaps, f"{said} tells of {event.kind}")
    meant = any(event.recipients == len(audience) for audience in paper.audiences)
    require(meant or not paper.audiences, f"{said} counts others than those who waited")


def _check_redirected(session: Session, said: str, event: OutboxEvent, sender: int) -> None:
    """Check who answers for an address since when; and for documents, that it was meant."""
    world, at_us = session.world, instant_of(datetime.fromisoformat(event.at))
    place = world.by_code(event.address)
    if event.key:  # accepted before an end that was told by then: the clock had gone back
        at_us = max(at_us, session.model.ticked_us)
    said = f"{said}: {event.address} redirected to {event.holder} at {event.at}"
    require(place.valid_to is not None and place.valid_to <= at_us, f"{said}, yet it is open")
    heirs = {_code(session, one) for one in world.heirs(place.number)}
    require(event.holder in heirs, f"{said}, wrongly")
    require(event.open > 0, f"{said} for nothing")
    if event.key:
        paper = session.model.named_in(event.key, sender, event.document_id)
        require(paper is not None and paper.sender.number == sender, f"{said} for a stranger's")
        assert paper is not None
        meant = any(place.number in audience for audience in paper.audiences)
        part = paper.part_of(place.number)
        require(meant and (part is None or isinstance(part, Awaited)),
                f"{said} for {paper.document_id}")  # fmt: skip
        return
    most = sum(
        paper.sender.number == sender and any(place.number in one for one in paper.audiences)
        for paper in session.model.papers
    )
    require(event.open <= most, f"{said} for {event.open} documents, {most} are known")


def _require_redirections(session: Session, unit: int, events: list[OutboxEvent]) -> None:
    """Require that all that certainly was open at a closed address was told."""
    now_us = session.now_us()
    by_document = {(event.key, event.address) for event in events if event.key}
    rolled = {(event.sender, event.address) for event in events if not event.key}
    for paper in session.model.papers:
        sender = paper.sender.number
        if paper.standing is not Standing.STORED or session.world.holder(sender, now_us) != unit:
            continue
        for address in paper.audiences[0]:
            place = session.world.places[address]
            if not _was_open(session, paper, address):
                continue
            told = (paper.sender.code, place.code) in rolled
            told = told or (paper.key, place.code) in by_document
            require(told, f"{paper.document_id}: nobody told that {place.code} was closed")


def _was_open(session: Session, paper: Paper, address: int) -> bool:
    """Say whether a delivery certainly waits at an address that is another's by now."""
    model, now_us = session.model, session.now_us()
    row = model.rows.get((paper.key, address))
    return (
        session.world.holder(address, now_us) != address
        and paper.part_of(address) is None
        and (row is None or (row.state == "open" and not row.perhaps))
        and not model.asked_late(paper, address)
        and not model.may_be_dead(paper, address)
        and (paper.expires_at is None or paper.expires_at > now_us)
    )


def _code(session: Session, number: int) -> str:
    return session.world.places[number].code
