"""A document is stored once by its name; what repeats is told from what conflicts."""

from __future__ import annotations

import threading

import msgspec
import pytest
from support.stores import AT, MemoryBox, acceptance, member_of, topics_for

from router.errors import StorageError, TooLargeError
from router.queue import tables
from router.queue.memory_store import MemoryStore, SimulatedCrashError, Trouble
from router.queue.queue import Queue
from router.queue.records import Accepted, Conflict, Repeated, RoomRecord

YEAR = 366 * 86_400 * 1_000_000


@pytest.fixture
def box():
    return MemoryBox()


@pytest.fixture
def queue(box):
    return Queue(box.open())


def again(item, **changes):
    return msgspec.structs.replace(item, key=b"another key 0016", **changes)


def look(item, at=None):
    return (item.sender, item.document_id, item.act, item.idempotency_key, item.content,
            item.at if at is None else at)  # fmt: skip


def test_a_new_document_gets_a_sequence_and_can_be_read(queue):
    item = acceptance(1, [3, 4])
    assert queue.accept([item]) == [Accepted(1)]
    stored = queue.document(item.key)
    assert stored is not None
    assert (stored.envelope, stored.audience, stored.entries) == (
        item.envelope,
        item.audience,
        (1,),
    )
    assert queue.by_document_id(7, item.document_id, "new") == item.key
    assert queue.by_document_id(7, item.document_id, "recall") is None
    assert queue.document(b"no such key here") is None
    assert queue.document(b"short") is None


def test_equal_content_repeats_and_other_content_conflicts(queue):
    item = acceptance(1, [3])
    queue.accept([item])
    assert queue.accept([again(item)]) == [Repeated(item.key, 1, item.facts)]
    other = again(item, content=b"o" * 32)
    assert queue.accept([other]) == [Conflict(item.key, "document_id")]
    assert queue.find([look(item), look(other), look(acceptance(2, [3]))]) == [
        Repeated(item.key, 1, item.facts), Conflict(item.key, "document_id"), None,
    ]  # fmt: skip
    assert queue.counts()["documents"] == 1


def test_an_act_has_its_own_name_and_so_has_another_sender(queue):
    item = acceptance(1, [3])
    recall = again(item, act="recall", content=b"r" * 32)
    foreign = acceptance(2, [3], document_id=item.document_id, sender=8)
    assert queue.accept([item, recall, foreign]) == [Accepted(1), Accepted(2), Accepted(3)]


def test_two_equal_documents_in_one_batch_are_stored_once(queue):
    item = acceptance(1, [3])
    assert queue.accept([item, again(item)]) == [Accepted(1), Repeated(item.key, 1, item.facts)]


def test_an_idempotency_key_names_one_document_of_one_sender(queue):
    item = acceptance(1, [3], idempotency_key="k")
    queue.accept([item])
    other = acceptance(2, [3], idempotency_key="k")
    assert queue.accept([other]) == [Conflict(item.key, "idempotency_key")]
    assert queue.accept([msgspec.structs.replace(other, sender=9)]) == [Accepted(2)]


def test_names_hold_for_the_year_and_the_next(queue):
    item = acceptance(1, [3])
    queue.accept([item])
    repeated = Repeated(item.key, 1, item.facts)
    assert queue.find([look(item, AT + YEAR), look(item, AT + 2 * YEAR)]) == [repeated, None]
    assert queue.find([look(item, AT - YEAR // 2)]) == [repeated]
    assert queue.by_document_id(7, item.document_id, "new") == item.key


@pytest.mark.parametrize("text", ["x" * 200, "ỳ" * 200, "\0", "../../etc", "\ud800"])
def test_hostile_ids_never_reach_a_key(queue, box, text):
    item = acceptance(1, [3], document_id=text, idempotency_key=text[:128])
    if text == "\ud800":  # no UTF-8, so the record itself can't be written
        with pytest.raises(UnicodeEncodeError):
            queue.accept([item])
        return
    assert queue.accept([item]) == [Accepted(1)]
    assert queue.accept([again(item)]) == [Repeated(item.key, 1, item.facts)]
    longest = max(len(key) for table in box.disk.tables.values() for key in table.keys)
    assert longest <= 34


def test_acceptance_makes_no_row_for_a_recipient(queue, box):
    queue.accept([acceptance(1, range(1, 100_001), broadcast=True)])
    assert sum(len(table.keys) for table in box.disk.tables.values()) == 8
    assert not box.disk.table(tables.DELIVERIES).keys
    assert queue.counts()["recipients"] == 100_000


def test_equal_audiences_are_stored_once(queue, box):
    queue.accept([acceptance(number, [3, 4, 5]) for number in range(10)])
    assert len(box.disk.table(tables.AUDIENCES).keys) == 1


def test_also_goes_first_in_the_same_group(queue, box):
    record = RoomRecord("directory", b"snapshot", AT, 1, "engine")
    assert queue.accept([acceptance(1, [3])], also=[record]) == [Accepted(2)]
    assert list(queue.room_records("directory")) == [(1, record)]
    assert list(queue.room_records("trust")) == []
    assert box.disk.flushes == 1


def test_rooms_do_not_mix_and_keep_their_order(queue):
    for number in range(5):
        for room in ("a", "ab", "b"):
            queue.append_rooms([RoomRecord(room, b"%d" % number, AT, 1, "x")])
    bodies = [record.body for _, record in queue.room_records("a")]
    assert bodies == [b"%d" % number for number in range(5)]


def test_a_document_too_large_is_refused_whole(queue):
    big = acceptance(2, [3], envelope=b"x" * 1_048_576)
    with pytest.raises(TooLargeError) as caught:
        queue.accept([acceptance(1, [3]), big])
    assert caught.value.code == "record.too_large"
    assert queue.counts()["documents"] == 0


@pytest.mark.parametrize(
    "changes",
    [{"key": b"short"}, {"content": b"short"}, {"lane": 4}, {"topics": (b"x" * 17,)},
     {"topics": (b"",)}],
)  # fmt: skip
def test_what_no_engine_hands_in_is_refused(queue, changes):
    with pytest.raises(ValueError, match=r"bytes|lane"):
        queue.accept([acceptance(1, [3], **changes)])
    assert queue.counts()["documents"] == 0


def test_callers_of_several_threads_share_flushes(box):
    store = box.open()
    queue = Queue(store)
    answers: dict[int, object] = {}
    start = threading.Barrier(9)

    def submit(number: int) -> None:
        start.wait()
        answers[number] = queue.accept([acceptance(number, [3])])[0]

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    with store.view():  # nobody can flush while this holds the disk
        start.wait()
        while len(queue._commit._waiting) < 7:
            pass
    for thread in threads:
        thread.join()
    assert sorted(answer.sequence for answer in answers.values()) == list(range(1, 9))
    assert box.disk.flushes == 2
    assert queue.check() == []


def test_one_bad_caller_does_not_disturb_its_neighbours(box):
    store = box.open()
    queue = Queue(store)
    queue.accept([acceptance(100, [3])])
    taken = acceptance(100, [3]).key
    answers: dict[int, object] = {}

    def submit(number: int) -> None:
        item = acceptance(number, [3], **({"key": taken} if number == 2 else {}))
        try:
            answers[number] = queue.accept([item])[0]
        except ValueError as error:
            answers[number] = error

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(5)]
    with store.view():
        for thread in threads:
            thread.start()
        while len(queue._commit._waiting) < 4:
            pass
    for thread in threads:
        thread.join()
    assert isinstance(answers.pop(2), ValueError)
    assert sorted(answer.sequence for answer in answers.values()) == [2, 3, 4, 5]
    assert queue.counts()["documents"] == 5
    assert queue.check() == []


@pytest.mark.parametrize("trouble", [Trouble.FAIL, Trouble.FULL])
def test_a_failed_flush_answers_nobody_and_fences(box, trouble):
    queue = Queue(box.open())
    queue.accept([acceptance(1, [3])])
    box.disk.trouble_at(1, trouble)
    for _ in range(2):
        with pytest.raises(StorageError) as caught:
            queue.accept([acceptance(2, [3])])
        assert caught.value.code == ("store.full" if trouble is Trouble.FULL else "store.failed")
    assert not queue.healthy()
    with pytest.raises(StorageError):
        queue.counts()
    queue = Queue(box.open())
    assert queue.counts()["documents"] == 1
    assert queue.accept([acceptance(2, [3])]) == [Accepted(2)]


@pytest.mark.parametrize("trouble", [Trouble.CRASH_BEFORE, Trouble.CRASH_AFTER])
def test_a_crash_keeps_a_group_whole_or_drops_it(box, trouble):
    queue = Queue(box.open())
    queue.accept([acceptance(1, [3])])
    box.disk.trouble_at(1, trouble)
    with pytest.raises(SimulatedCrashError):
        queue.accept([acceptance(2, [3]), acceptance(3, [4])])
    queue = Queue(box.open())
    kept = trouble is Trouble.CRASH_AFTER
    assert queue.counts()["documents"] == (3 if kept else 1)
    answer = queue.accept([acceptance(2, [3])])[0]
    assert isinstance(answer, Repeated if kept else Accepted)
    assert queue.check() == []


def test_a_document_of_a_failed_group_is_not_served_under_its_sequence(box):
    queue = Queue(box.open())
    with pytest.raises(ValueError, match="in use"):
        queue.accept([
            acceptance(1, [3]), again(acceptance(1, [3])),
            acceptance(2, [3], key=acceptance(1, [3]).key),
        ])  # fmt: skip
    item = acceptance(5, [4])
    assert queue.accept([item]) == [Accepted(1)]
    assert queue.document(item.key).document_id == item.document_id
    got = queue.lease(4, topics_for(4), member_of(4), 5, AT + 1, AT, "x")
    assert [leased.envelope for leased in got] == [item.envelope]


def test_an_older_opening_is_fenced(box):
    old = Queue(box.open())
    new = Queue(MemoryStore(box.disk))
    with pytest.raises(StorageError) as caught:
        old.accept([acceptance(1, [3])])
    assert caught.value.code == "store.locked"
    assert new.accept([acceptance(1, [3])]) == [Accepted(1)]
