"""The end of a run: everything is drained, and the books must balance."""

from __future__ import annotations

import contextlib

import msgspec

from router import limits
from router.engine.facts import delivery_id
from router.errors import NotFoundError
from router.model.answers import Tracking
from router.model.documents import Document
from router.model.instants import SECOND_US
from vanban_bench.simulator.approvers import decide_all
from vanban_bench.simulator.clients import check_tracking, send, settle, take
from vanban_bench.simulator.documents import require
from vanban_bench.simulator.faults import Death
from vanban_bench.simulator.outbox import read_all
from vanban_bench.simulator.paper import Paper, Standing
from vanban_bench.simulator.session import Session

LEASE_S = 60
ROUNDS_MAX = 20
WHOLE_BOARDS = 5


def finish(session: Session) -> None:
    """Let every sender get its answer and every unit its documents; check the whole."""
    session.plan.end(session.disk)
    session.plan.death = Death.POWER_CUT  # which forgets what was planned for the disk
    session.crash()
    _answer_all(session)
    read_all(session)
    _drain(session)
    _check_all_final(session)
    session.check_disk()
    session.crash()
    _check_boards(session)


def _answer_all(session: Session) -> None:
    latest = max((paper.issued_at for paper in session.model.papers), default=0)
    session.clock.instant_us = max(session.now_us(), latest)
    for paper in session.model.papers:
        stored_unseen = paper.standing is Standing.STORED and paper.receipt is None
        if paper.standing is Standing.MAYBE or stored_unseen:
            send(session, [paper], None)
            if paper.receipt is None and paper.standing is not Standing.ABSENT:
                _look_up(session, paper)


def _look_up(session: Session, paper: Paper) -> None:
    """Learn by name what became of a document that can't be sent again.

    Its sender has been closed from before its issue time on, since it was first sent.
    """
    name = f"{paper.sender.code}|{paper.document_id}"
    tracking: Tracking | None = None
    with contextlib.suppress(NotFoundError):
        tracking = session.engine.track(name, limit=limits.TRACKING_PAGE_MAX)
    subject = msgspec.json.decode(paper.envelope.payload, type=Document).subject
    if tracking is None or tracking.subject != subject:
        session.model.learn_absent(paper)
        return
    session.model.learn_stored(paper, tracking.key)
    reached = {session.world.by_code(one.address).number for one in tracking.deliveries}
    require(reached in paper.audiences, f"{paper.document_id}: stored with a strange audience")
    paper.audiences = [frozenset(reached)]


def _drain(session: Session) -> None:
    """Go past every lease, then let all units take and acknowledge until nothing is left."""
    decide_all(session)
    leases = [row.leased_until for row in session.model.rows.values()]
    leases += session.model.lease_lost_until.values()
    session.clock.instant_us = max([session.now_us(), *leases]) + SECOND_US
    _settle_again(session)
    left = session.world.open(session.now_us())
    for _ in range(ROUNDS_MAX):
        left = [place for place in left if _empty_inbox(session, place.number)]
        if not left:
            return _settle_dead(session)
    return require(False, "the inboxes do not run dry")


def _settle_dead(session: Session) -> None:
    """Let units acknowledge what was handed out so often that it comes no more.

    They may never have seen it: then every answer that held it was lost.
    """
    model, now_us = session.model, session.now_us()
    for paper in model.papers:
        for address in paper.audiences[0] if paper.standing is Standing.STORED else ():
            row = model.rows.get((paper.key, address))
            if paper.hidden_from(address):
                continue
            if (row is None or row.state == "open") and model.may_be_dead(paper, address):
                delivery = delivery_id(bytes.fromhex(paper.key), address)
                model.row(paper, address, delivery)
                settle(session, session.world.holder(address, now_us), [delivery], "delivered")


def _settle_again(session: Session) -> None:
    """Let every unit whose acknowledgement got no answer send it again."""
    for (_, address), row in list(session.model.rows.items()):
        for state in sorted(row.perhaps)[:1]:
            unit = session.world.holder(address, session.now_us())
            settle(session, unit, [row.delivery], state)


def _empty_inbox(session: Session, unit: int) -> int:
    taken = 0
    while ids := take(session, unit, 50, LEASE_S, session.now_us()):
        settle(session, unit, ids, "delivered")
        taken += len(ids)
        require(taken < 100_000, "one inbox does not run dry")
    return taken


def _check_all_final(session: Session) -> None:
    """Every stored document has one final state at every unit of its audience."""
    model = session.model
    for paper in model.papers:
        if paper.standing is not Standing.STORED:
            continue
        require(len(paper.audiences) == 1, f"{paper.document_id}: its audience is not known")
        for address in paper.audiences[0]:
            if paper.hidden_from(address):
                continue  # its part was decided on, or ran out
            row = model.rows.get((paper.key, address))
            expired = model.asked_late(paper, address)
            final = row is not None and row.state != "open"
            code = session.world.places[address].code
            require(final or expired, f"{paper.document_id}: never delivered to {code}")
    for key, address in model.rows:
        entitled = any(
            paper.key == key and address in paper.audiences[0]
            for paper in model.papers
            if paper.standing is Standing.STORED
        )
        require(entitled, f"a delivery to {address} belongs to no audience")


def _check_boards(session: Session) -> None:
    """After another start the engine still knows every document and every state."""
    stored = [one for one in session.model.papers if one.standing is Standing.STORED]
    whole = session.random.sample(stored, min(len(stored), WHOLE_BOARDS))
    for paper in stored:
        if paper in whole:
            name = f"{paper.sender.code}|{paper.document_id}"
            tracking = [_board(session, paper, document) for document in (paper.key, name)]
        else:
            tracking = [_board(session, paper, paper.key, limit=0)]
        session.note("board", tracking)
    counts = session.engine.counters()["stored"]
    assert isinstance(counts, dict)
    require(counts["documents"] == len(stored), "the store holds another number of documents")


def _board(
    session: Session, paper: Paper, document: str, limit: int = limits.TRACKING_PAGE_MAX
) -> Tracking:
    """Return the tracking board of a document, asked for by key or by name; check it.

    With a limit of 0 it only counts.
    """
    tracking = session.call(lambda engine: engine.track(document, limit=limit))
    require(tracking is not None, "the engine died without a reason")
    assert tracking is not None
    if limit:
        check_tracking(session, paper, tracking)
    said = f"{paper.document_id}: the board"
    addressed = len(paper.audiences[0])
    require(sum(tracking.states.values()) == addressed, f"{said} does not add up")
    require("queued" not in tracking.states, f"{said} says that some are queued still")
    return tracking
