"""What operators ask an engine: statistics, lists, shapes, backups."""

from __future__ import annotations

import pytest
from support.office import NOW_US, Office
from support.undecided import undecided

from router import limits
from router.engine import Engine
from router.engine.maintenance import check_directory, restore
from router.errors import InputError, NotFoundError, StorageError
from router.messages import say
from router.ports import ManualClock


@pytest.fixture
def office(tmp_path):
    office = Office(tmp_path / "data")
    yield office
    office.engine.close()


def take(office: Office, unit: str, count: int = 100) -> None:
    handed = office.engine.lease(unit, count)
    office.engine.acknowledge(unit, [one.delivery for one in handed])


def test_the_oldest_open_document_is_found_as_the_older_ones_end(office):
    receipts = []
    for _ in range(4):
        receipts.append(office.send("H22", "H22.31 | H22.1"))
        office.clock.advance(60)
    assert office.engine.queue_stats().oldest.key == receipts[0].key
    take(office, "H22.31", 2)
    assert office.engine.queue_stats().oldest.key == receipts[0].key
    take(office, "H22.1", 1)
    oldest = office.engine.queue_stats().oldest
    assert (oldest.key, oldest.age_s) == (receipts[1].key, 180)
    for unit in ("H22.31", "H22.1"):
        take(office, unit)
    stats = office.engine.queue_stats()
    assert stats.oldest is None
    assert stats.searched
    later = office.send("H22", "H22.1")
    assert office.engine.queue_stats().oldest.key == later.key


def test_a_search_that_would_take_long_goes_on_with_the_next_call(office, monkeypatch):
    monkeypatch.setattr("router.engine.operations.OLDEST_LOOKED_MAX", 3)
    for _ in range(7):
        office.send("H22", "H22.1")
    take(office, "H22.1")
    last = office.send("H22", "H22.1")
    asked = [office.engine.queue_stats() for _ in range(3)]
    assert [(one.oldest is None, one.searched) for one in asked] == [
        (True, False), (True, False), (False, True),
    ]  # fmt: skip
    assert asked[-1].oldest.key == last.key


def test_what_ran_out_waits_no_more(office):
    office.send("H22", "H22.1", time_to_live_s=60)
    assert office.engine.queue_stats().oldest is not None
    office.clock.advance(61)
    assert office.engine.queue_stats().oldest is None
    [listed] = office.engine.queue_list().documents
    assert listed.states == {"expired": 1}
    assert office.engine.queue_shape().total.open == 0


def test_stats_say_how_far_lmdb_is_behind(office):
    office.send("H22", "all")
    office.clock.advance(50)
    stats = office.engine.queue_stats()
    assert stats.behind > 0
    assert stats.behind_s >= 50
    office.reopen()
    stats = office.engine.queue_stats()
    assert (stats.behind, stats.behind_s) == (0, 0)


def test_deliveries_are_listed_once_over_any_pages(office):
    for _ in range(6):
        office.send("H22", "all")
    take(office, "H22.31", 2)
    office.engine.lease("H22.1", 3)
    every = office.engine.queue_list(deliveries=True, limit=1000).deliveries
    assert len(every) == 6 * 7 - 2
    assert sum(one.state == "leased" for one in every) == 3
    for limit in (1, 2, 5, 7, 13):
        paged, after = [], ""
        while True:
            page = office.engine.queue_list(deliveries=True, limit=limit, after=after)
            paged += page.deliveries
            after = page.next_after
            if not after:
                break
        assert tuple(paged) == every, limit
    mine = office.engine.queue_list(deliveries=True, unit="H22.31", limit=1000).deliveries
    assert len(mine) == 4
    assert {one.address for one in mine} == {"H22.31"}
    taken = office.engine.queue_list(deliveries=True, unit="H22.31", state="delivered").deliveries
    assert len(taken) == 2


def test_pages_that_looked_in_vain_go_on(office, monkeypatch):
    monkeypatch.setattr("router.engine.queue_lists.DOCUMENTS_LOOKED_MAX", 4)
    for _ in range(10):
        office.send("H22", "H22.1")
    last = office.send("H22.31", "H22")
    pages, after = [], ""
    while True:
        page = office.engine.queue_list(unit="H22.31", after=after)
        pages.append(page)
        after = page.next_after
        if not after:
            break
    assert [one.key for page in pages for one in page.documents] == [last.key]
    assert len(pages) > 2


def test_age_narrows_a_list(office):
    old = office.send("H22", "H22.1")
    office.clock.advance(600)
    office.send("H22", "H22.1")
    listed = office.engine.queue_list(older_s=300)
    assert [one.key for one in listed.documents] == [old.key]
    assert len(office.engine.queue_list(deliveries=True, older_s=300).deliveries) == 1
    listed = office.engine.queue_list(deliveries=True, unit="H22.1", older_s=300)
    assert [one.key for one in listed.deliveries] == [old.key]


def test_the_shape_counts_by_age_and_destination(office):
    office.send("H22", "H22.1")
    office.clock.advance(7 * 60)
    office.send("H22", "H22.1 | H22.31.20")
    office.clock.advance(4 * 60)
    shape = office.engine.queue_shape()
    ages = {row.code: row.ages for row in shape.rows}
    assert ages["H22.1"] == (1, 0, 1, 0, 0, 0, 0, 0, 0, 0)
    assert ages["H22.31.20"] == (1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    assert [row.code for row in shape.rows] == ["H22.1", "H22.31.20"]
    assert office.engine.queue_shape(within="H22.31").total.open == 1
    assert {row.code for row in office.engine.queue_shape(by="parent").rows} == {"H22", "H22.31"}


def test_a_shape_that_was_not_all_says_so(office, monkeypatch):
    for _ in range(5):
        office.send("H22", "all")
    assert office.engine.queue_shape().complete
    monkeypatch.setattr("router.engine.queue_shape.SHAPE_LINES_MAX", 9)
    shape = office.engine.queue_shape()
    assert not shape.complete
    assert shape.total.open <= 10


def test_what_can_not_be_asked_is_refused(office):
    ask = office.engine
    for call in (
        lambda: ask.queue_list(limit=0), lambda: ask.queue_list(state="lost"),
        lambda: ask.queue_list(after="-1"), lambda: ask.queue_list(deliveries=True, after="1.x"),
        lambda: ask.queue_shape(by="colour"), lambda: ask.queue_shape(limit=0),
        lambda: ask.backup("relative"), lambda: ask.backup("/tmp/\0x"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.code == "field.invalid"
    with pytest.raises(NotFoundError):
        ask.queue_show("0" * 32)
    with pytest.raises(NotFoundError):
        ask.queue_list(unit="nobody")


def test_an_engine_opened_on_what_was_restored_goes_on(office, tmp_path):
    receipt = office.send("H22", "H22.1 | H22.31", document_id="H22,2024/09/04,99/QĐ-UBND")
    take(office, "H22.1")
    made = office.engine.backup(str(tmp_path / "backup"))
    take(office, "H22.31")
    lost = office.send("H22", "H22.1")
    clock = ManualClock(NOW_US + 3_600_000_000)
    restore(tmp_path / "backup", tmp_path / "again", "Nguyễn Văn An", clock)
    engine = Engine.open(tmp_path / "again", clock=clock)
    [restoration] = engine.queue_stats().restorations
    assert (restoration.sequence, restoration.actor) == (made.sequence, "Nguyễn Văn An")
    assert engine.track(receipt.key).states == {"delivered": 1, "queued": 1}
    [again] = engine.lease("H22.31", 10)
    assert again.key == receipt.key
    with pytest.raises(NotFoundError):
        engine.track(lost.key)
    repeated, *_ = engine.submit([office.envelope(document_id="H22,2024/09/04,77/QĐ-UBND")])
    assert repeated.sequence > made.sequence + (1 << 32)
    engine.close()
    found = check_directory(tmp_path / "again", clock)
    assert found.wrong == ()
    assert found.stored["documents"] == 2
    with pytest.raises(StorageError) as caught:
        Engine.open(tmp_path / "backup", clock=clock)
    assert caught.value.code == "store.backup"


def test_a_verdict_that_a_backup_ended_with_is_tracked_after_its_restoration(monkeypatch, tmp_path):
    verifier = undecided(monkeypatch)
    office = Office(tmp_path / "data")
    receipt = office.send("H22", "H22.1 | H22.31")
    verifier.decided = "valid"
    office.clock.advance(limits.VERDICT_RETRY_S_MAX + 1)
    while office.engine.tick():
        pass
    before = office.engine.track(receipt.key)
    assert [one.state for one in before.deliveries[0].history] == ["waiting", "queued"]
    office.engine.backup(str(tmp_path / "backup"))
    office.engine.close()
    clock = ManualClock(NOW_US + 3_600_000_000)
    restore(tmp_path / "backup", tmp_path / "again", "Nguyễn Văn An", clock)
    with Engine.open(tmp_path / "again", clock=clock) as engine:
        assert engine.track(receipt.key) == before


def test_a_disk_that_refuses_documents_shows_in_the_statistics(office):
    stats = office.engine.queue_stats()
    assert not stats.refusing
    assert stats.disk_reserve_bytes == office.engine.pressure()["disk_reserve_bytes"]
    office.engine._queue.store.refusing = True
    assert office.engine.queue_stats().refusing


@pytest.mark.parametrize("name", ["nothing", "H22", "0" * 32, "H22|none"])
def test_a_wrong_name_is_answered_with_how_documents_are_named(office, name):
    with pytest.raises(NotFoundError) as refused:
        office.engine.queue_show(name)
    assert refused.value.code == "document.not_found"
    assert "key" in say(refused.value, "en")[1]


def test_a_wrong_delivery_is_answered_as_one(office):
    with pytest.raises(NotFoundError) as refused:
        office.engine.queue_show("A" * 27)
    assert refused.value.code == "delivery.not_found"
