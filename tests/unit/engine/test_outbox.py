"""What senders are told: of closed recipients, once, in order, also after a restart."""

from __future__ import annotations

import pytest
from support.office import COMMITTEE, NOW_US, Office, error_of

from router import limits
from router.model.answers import OutboxEvent
from router.model.instants import SECOND_US
from router.model.reorganisations import Closing, Merging, Opening, Reorganisation
from router.model.units import Unit

COMMUNE, OTHER, THIRD = "H22.31.20", "H22.31.21", "H22.32.20"
TITLE = "Nghị quyết 1684/NQ-UBTVQH15"


def told(office: Office, unit: str = "H22") -> list[OutboxEvent]:
    while office.engine.tick():
        pass
    return list(office.engine.outbox(unit).events)


def lines(events: list[OutboxEvent]) -> list[tuple[str, str, str, int]]:
    return [(one.kind, one.address, one.holder, one.open) for one in events]


def close(office: Office, code: str, heir: str, *, after_s: int = 60) -> None:
    at_us = office.clock.now_us() + after_s * SECOND_US
    office.engine.change_directory(Reorganisation(at_us, TITLE, (Closing(code, (heir,)),)))


def test_senders_are_told_at_the_legal_instant_how_much_is_open_there() -> None:
    office = Office()
    for _ in range(3):
        office.send(recipients=COMMUNE)
    office.send("H22.1", recipients="tier(commune)")
    office.send("H22.31", recipients=OTHER)
    (taken, _) = office.lease(COMMUNE, 2)
    office.engine.acknowledge(COMMUNE, [taken.delivery])
    close(office, COMMUNE, OTHER)
    assert told(office) == [], "the act is known, not yet in force"
    office.clock.advance(60)
    (event,) = told(office)
    assert (event.kind, event.sender, event.address) == ("redirected", "H22", COMMUNE)
    assert (event.holder, event.open, event.title) == (OTHER, 2, TITLE)
    assert event.at == "2024-09-04T10:01:00+07:00"
    assert lines(told(office, "H22.1")) == [("redirected", COMMUNE, OTHER, 1)]
    assert told(office, "H22.31") == []
    got = office.lease(OTHER)
    assert sorted(one.address for one in got) == [COMMUNE] * 2 + [OTHER] * 2


def test_nobody_is_told_twice_by_restarts_repeated_ticks_or_a_clock_that_goes_back() -> None:
    office = Office()
    office.send(recipients=COMMUNE)
    close(office, COMMUNE, OTHER)
    office.clock.advance(60)
    once = told(office)
    assert len(once) == 1
    for _ in range(2):
        office.reopen()
        assert told(office) == once
    office.clock.instant_us -= 3_600 * SECOND_US
    assert told(office) == once
    office.clock.instant_us += 7_200 * SECOND_US
    assert told(office) == once
    assert office.engine.tick() == 0
    assert office.engine.check() == []


@pytest.mark.parametrize("restarted", [False, True])
def test_a_document_is_told_of_though_the_clock_went_back_before_an_end_that_was_told(
    restarted: bool,
) -> None:
    office = Office()
    office.send(recipients=COMMUNE)
    close(office, COMMUNE, OTHER)
    office.clock.advance(3_600)
    assert len(told(office)) == 1
    office.clock.instant_us -= 3_590 * SECOND_US
    if restarted:
        office.reopen()
    office.send(recipients=COMMUNE)
    office.clock.advance(7_200)
    assert lines(told(office)) == [("redirected", COMMUNE, OTHER, 1)] * 2


def test_a_closing_learnt_of_late_is_told_when_it_is_known() -> None:
    office = Office()
    office.send(recipients=COMMUNE)
    office.clock.advance(3_600)
    office.send(recipients=COMMUNE)
    close(office, COMMUNE, OTHER, after_s=-1_800)
    assert lines(told(office)) == [("redirected", COMMUNE, OTHER, 2)]


def test_what_a_closed_unit_answered_for_goes_on_to_the_next_holder_and_is_told_again() -> None:
    office = Office()
    office.send(recipients=COMMUNE)
    office.send(recipients=OTHER)
    close(office, COMMUNE, OTHER)
    office.clock.advance(60)
    assert lines(told(office)) == [("redirected", COMMUNE, OTHER, 1)]
    close(office, OTHER, THIRD)
    office.clock.advance(60)
    later = told(office)[1:]
    assert sorted(lines(later)) == [
        ("redirected", COMMUNE, THIRD, 1), ("redirected", OTHER, THIRD, 1),
    ]  # fmt: skip


def test_a_document_accepted_for_a_unit_closed_since_it_was_issued_is_told_of_at_once() -> None:
    office = Office()
    before = office.document(recipients=f"{COMMUNE} | {THIRD}")
    close(office, COMMUNE, OTHER)
    office.clock.advance(120)
    assert told(office) == []
    envelope = office.envelope(before)
    office.submit(envelope)
    (event,) = told(office)
    assert (event.kind, event.address, event.holder) == ("redirected", COMMUNE, OTHER)
    assert (event.document_id, event.open, event.title) == (before.document_id, 1, TITLE)
    assert [one.address for one in office.lease(OTHER)] == [COMMUNE]
    office.submit(envelope)
    office.submit(office.envelope(office.document(recipients=OTHER)))
    office.reopen()
    assert told(office) == [event]


def test_both_ways_together_tell_each_open_delivery_once() -> None:
    office = Office()
    first = office.document(recipients=COMMUNE)
    late = office.document(recipients=COMMUNE)
    close(office, COMMUNE, OTHER)
    office.submit(office.envelope(first))
    office.clock.advance(61)
    office.submit(office.envelope(late))
    events = told(office)
    assert sum(one.open for one in events) == 2
    assert {one.document_id for one in events} == {"", late.document_id}


def test_a_document_overtaken_by_the_closing_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepted before the end, stored after its senders were told."""
    office = Office()
    close(office, COMMUNE, OTHER)
    envelope = office.envelope(recipients=COMMUNE)
    office.clock.advance(59)
    honest = office.engine._queue.accept

    def accept(batch: object, also: object) -> object:
        office.clock.advance(2)
        assert told(office) == []
        return honest(batch, also)  # type: ignore[arg-type]

    monkeypatch.setattr(office.engine._queue, "accept", accept)
    office.submit(envelope)
    assert lines(told(office)) == [("redirected", COMMUNE, OTHER, 1)]


def test_an_abolished_unit_without_successor_redirects_nothing() -> None:
    office = Office()
    office.send(recipients=COMMUNE)
    office.close_commune(COMMUNE, [])
    assert told(office) == []
    assert len(office.lease(COMMUNE)) == 1


def test_a_merger_of_many_is_rolled_up_by_address_and_read_in_pages() -> None:
    office = Office()
    for _ in range(5):
        office.send(recipients="tier(commune)")
    at_us = NOW_US + 60 * SECOND_US
    heir = Unit(101, "H22.901", "UBND xã Lũng Cú", 4, COMMITTEE, valid_from=at_us)
    events = (Opening(heir, parent="H22"), Merging((COMMUNE, OTHER, THIRD), "H22.901"))
    office.engine.change_directory(Reorganisation(at_us, TITLE, events))
    office.clock.advance(60)
    whole = told(office)
    assert sorted(lines(whole)) == [
        ("redirected", code, "H22.901", 5) for code in (COMMUNE, OTHER, THIRD)
    ]
    cursor, paged = "", []
    while True:
        page = office.engine.outbox("H22", after=cursor, limit=1)
        paged += page.events
        cursor = page.cursor
        if not page.more:
            break
    assert paged == whole
    assert office.engine.outbox("H22", after=cursor).events == ()
    assert office.engine.outbox("H22", after=cursor).cursor == cursor


def test_the_holder_of_a_closed_sender_reads_what_it_was_told() -> None:
    office = Office()
    office.send(OTHER, recipients=COMMUNE)
    close(office, COMMUNE, THIRD)
    office.clock.advance(60)
    assert len(told(office, OTHER)) == 1
    close(office, OTHER, THIRD)
    office.clock.advance(60)
    (event,) = told(office, THIRD)
    assert (event.sender, event.address) == (OTHER, COMMUNE)
    assert told(office, OTHER) == []


@pytest.mark.parametrize(
    "cursor", ["x", "1", "1-2", "1-2-3-4", "1--2", "-1-2-3", "²-1-1", "9" * 30]
)
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    office = Office()
    place = error_of(lambda: office.engine.outbox("H22", after=cursor))
    assert place == ("field.invalid", "$.after")


@pytest.mark.parametrize("limit", [0, -1, limits.OUTBOX_PAGE_MAX + 1])
def test_a_page_out_of_range_is_refused(limit: int) -> None:
    office = Office()
    place = error_of(lambda: office.engine.outbox("H22", limit=limit))
    assert place == ("field.invalid", "$.limit")
