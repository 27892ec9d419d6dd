"""A document is stored once by its name; what repeats is told from what conflicts."""

from __future__ import annotations

import threading

import msgspec
import pytest
from support.stores import (
    AT,
    KINDS,
    MemoryBox,
    acceptance,
    audience_of,
    box_of,
    member_of,
    state_of,
    topics_for,
)

from router.errors import StorageError, TooLargeError
from router.queue.memory_store import MemoryStore, SimulatedCrashError, Trouble
from router.queue.queue import Queue
from router.queue.records import (
    Accepted,
    Conflict,
    Overfull,
    Part,
    Repeated,
    RoomRecord,
    encode_acceptance,
)
from router.queue.transport import State

YEAR = 366 * 86_400 * 1_000_000
NEW, SAME, KEY_IN_USE, NO_RECORD = 0, 1, 4, 6


@pytest.fixture(params=KINDS)
def box(request, tmp_path):
    return box_of(request.param, tmp_path / "data")


@pytest.fixture
def queue(box):
    queue = Queue(box.open())
    yield queue
    queue.close()


@pytest.fixture
def memory():
    return MemoryBox()


def again(item, **changes):
    fields = {"key": b"another key 0016", **changes}
    return msgspec.structs.replace(item, **fields)


def look(item, at=None):
    return (item.sender, item.document_id, item.act, item.idempotency_key, item.content,
            item.at if at is None else at)  # fmt: skip


def flushes(queue):
    return queue.store.sizes()["flushes"]


def test_a_new_document_gets_a_sequence_and_can_be_read(queue):
    item = acceptance(1, [3, 4])
    assert queue.accept([item]) == [Accepted(1)]
    stored = queue.document(item.key)
    assert stored is not None
    assert (stored.envelope, stored.facts, stored.audience, stored.entries, stored.twin) == (
        item.envelope, item.facts, item.audience, (8,), 0,
    )  # fmt: skip
    assert queue.by_document_id(7, item.document_id, "new") == item.key
    assert queue.by_document_id(7, item.document_id, "recall") is None
    assert queue.by_document_id(8, item.document_id, "new") is None
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


def test_what_was_known_is_known_after_reopening(box):
    item = acceptance(1, [3], idempotency_key="k")
    queue = Queue(box.open())
    queue.accept([item])
    queue.close()
    queue = Queue(box.open())
    assert queue.accept([again(item)]) == [Repeated(item.key, 1, item.facts)]
    other = again(acceptance(2, [3], idempotency_key="k"))
    assert queue.accept([other]) == [Conflict(item.key, "idempotency_key")]
    assert queue.accept([acceptance(3, [3])]) == [Accepted(2)]
    assert queue.check() == []
    queue.close()


def test_an_act_has_its_own_name_and_so_has_another_sender(queue):
    item = acceptance(1, [3])
    recall = again(item, act="recall", content=b"r" * 32, number_notation="2/TB")
    foreign = acceptance(2, [3], document_id=item.document_id, sender=8)
    assert queue.accept([item, recall, foreign]) == [Accepted(1), Accepted(2), Accepted(3)]


def test_two_equal_documents_in_one_batch_are_stored_once(queue):
    item = acceptance(1, [3])
    assert queue.accept([item, again(item)]) == [Accepted(1), Repeated(item.key, 1, item.facts)]


def test_two_with_one_key_in_one_batch_are_one_document_or_a_conflict(queue):
    item = acceptance(1, [3], idempotency_key="k")
    same = again(item, document_id="another id", key=b"another key 0017")
    other = again(acceptance(2, [3]), idempotency_key="k")
    assert queue.accept([item, same, other]) == [
        Accepted(1), Repeated(item.key, 1, item.facts), Conflict(item.key, "idempotency_key"),
    ]  # fmt: skip
    assert queue.counts()["documents"] == 1
    assert queue.check() == []


@pytest.mark.parametrize("named", ["document_id", "idempotency_key"])
def test_a_retry_while_the_first_is_in_flight_is_answered_with_the_first(queue, named):
    """Many threads hand in one document at once: one is accepted, the others repeat it."""
    item = acceptance(1, [3], idempotency_key="k")
    start = threading.Barrier(8)
    answers: list[object] = []

    def submit(number: int) -> None:
        changes = {} if named == "document_id" else {"document_id": f"id {number}"}
        mine = again(item, key=b"key of thread %02d" % number, **changes)
        start.wait()
        answers.extend(queue.accept([mine]))

    threads = [threading.Thread(target=submit, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (first,) = [answer for answer in answers if isinstance(answer, Accepted)]
    repeated = [answer for answer in answers if isinstance(answer, Repeated)]
    assert len(repeated) == 7
    assert {answer.sequence for answer in repeated} == {first.sequence}
    assert len({answer.key for answer in repeated}) == 1
    assert queue.counts()["documents"] == 1
    assert queue.check() == []


def test_a_retry_queued_behind_the_first_is_answered_with_the_first(queue):
    item = acceptance(1, [3])
    tickets = [queue.store.enqueue([encode_acceptance(one)]) for one in (item, again(item))]
    queue.append_rooms([RoomRecord("directory", b"", AT, 1, "x")])
    assert queue.store.completed() == [(tickets[0], [(NEW, 1, 0)]), (tickets[1], [(SAME, 1, 0)])]


def test_an_idempotency_key_names_one_document_of_one_sender(queue):
    item = acceptance(1, [3], idempotency_key="k")
    queue.accept([item])
    other = acceptance(2, [3], idempotency_key="k")
    assert queue.accept([other]) == [Conflict(item.key, "idempotency_key")]
    assert queue.accept([msgspec.structs.replace(other, sender=9)]) == [Accepted(2)]


@pytest.mark.parametrize("named", ["document_id", "idempotency_key"])
def test_names_hold_for_the_calendar_year_and_the_next(queue, named):
    item = acceptance(1, [3], idempotency_key="k")
    queue.accept([item])
    repeated = Repeated(item.key, 1, item.facts)
    asked = item if named == "document_id" else again(item, document_id="another")
    assert queue.find([look(asked, AT + YEAR), look(asked, AT + 2 * YEAR)]) == [repeated, None]
    assert queue.find([look(asked, AT - YEAR // 2)]) == [repeated]
    later = again(asked, at=AT + YEAR, year=2025)
    assert queue.accept([later]) == [repeated]
    free = again(asked, at=AT + 2 * YEAR, year=2026)
    assert queue.accept([free]) == [Accepted(2)]
    assert queue.by_document_id(7, free.document_id, "new") == free.key


@pytest.mark.parametrize("named", ["document_id", "idempotency_key"])
def test_a_clock_that_goes_back_over_new_year_forgets_no_name(queue, named):
    new_year = 1_735_664_400_000_000  # 2025-01-01 00:00 +07:00
    item = acceptance(1, [3], idempotency_key="k", at=new_year, year=2025)
    queue.accept([item])
    asked = item if named == "document_id" else again(item, document_id="another")
    before = again(asked, at=new_year - 2 * 3_600_000_000, year=2024)
    repeated = Repeated(item.key, 1, item.facts)
    assert queue.find([look(before)]) == [repeated]
    assert queue.accept([before]) == [repeated]


def test_the_window_follows_the_calendar_at_plus_seven_hours(queue):
    """The last microsecond of 2025 in Hà Nội still asks for 2024; the next one does not."""
    item = acceptance(1, [3])
    queue.accept([item])
    new_year = 1_767_200_400_000_000  # 2026-01-01 00:00 +07:00
    assert queue.find([look(item, new_year - 1)]) == [Repeated(item.key, 1, item.facts)]
    assert queue.find([look(item, new_year)]) == [None]


def test_equal_number_notation_sender_and_year_make_a_twin(queue, box):
    first = acceptance(1, [3])
    number = first.number_notation
    batch = [
        first,
        acceptance(2, [3], number_notation=number),
        acceptance(3, [3], number_notation=number, sender=8),
        acceptance(4, [3], number_notation=number, year=2023),
        acceptance(5, [3], number_notation=""),
        acceptance(6, [3], number_notation=""),
    ]
    assert queue.accept(batch) == [
        Accepted(1), Accepted(2, twin=1), Accepted(3), Accepted(4), Accepted(5), Accepted(6),
    ]  # fmt: skip
    assert queue.accept([acceptance(7, [3], number_notation=number)]) == [Accepted(7, twin=1)]
    assert [queue.document(item.key).twin for item in batch] == [0, 1, 0, 0, 0, 0]
    queue.close()
    reopened = Queue(box.open())
    assert reopened.accept([acceptance(8, [3], number_notation=number)]) == [Accepted(8, twin=1)]
    assert reopened.check() == []
    reopened.close()


@pytest.mark.parametrize("text", ["x" * 200, "ỳ" * 200, "\0", "../../etc", "\ud800"])
def test_hostile_ids_never_reach_a_key(queue, text):
    item = acceptance(1, [3], document_id=text, idempotency_key=text[:128])
    if text == "\ud800":  # no UTF-8, so the record itself can't be written
        with pytest.raises(UnicodeEncodeError):
            queue.accept([item])
        return
    assert queue.accept([item]) == [Accepted(1)]
    assert queue.accept([again(item)]) == [Repeated(item.key, 1, item.facts)]
    assert max(len(key) for _, key, _ in state_of(queue)) <= 24


def test_acceptance_makes_no_row_for_a_recipient(queue):
    queue.accept([acceptance(1, range(1, 100_001), broadcast=True)])
    tables = [table for table, _, _ in state_of(queue)]
    assert len(tables) <= 14
    assert not {"cells", "open", "cursors"} & set(tables)
    assert queue.counts()["recipients"] == 100_000


def test_equal_audiences_are_stored_once(queue):
    queue.accept([acceptance(number, [3, 4, 5]) for number in range(10)])
    assert [table for table, _, _ in state_of(queue)].count("audiences") == 1


def test_parts_that_are_held_or_excluded_have_entries_of_their_own(queue):
    parts = (
        Part(State.HELD, audience_of([4]), AT + YEAR), Part(State.EXCLUDED, audience_of([5, 6])),
    )  # fmt: skip
    item = acceptance(1, [3], parts=parts)
    queue.accept([item])
    rows = queue.entries(1)
    assert [(row.number, row.standing, row.size) for row in rows] == [
        (8, State.QUEUED, 1), (9, State.HELD, 1), (10, State.EXCLUDED, 2),
    ]  # fmt: skip
    assert [queue.audience(row.audience) for row in rows] == [
        item.audience, audience_of([4]), audience_of([5, 6]),
    ]  # fmt: skip
    counts = queue.counts()
    assert (counts["entries"], counts["in_flight"], counts["excluded"]) == (3, 2, 2)
    for address in (4, 5):
        assert queue.lease(
            address, topics_for(address), member_of(address), 9, AT + 1, AT, "x"
        ) == []  # fmt: skip
    assert queue.check() == []


def test_a_sender_with_too_many_in_flight_is_refused_and_may_go_on_later(queue):
    queue.store.in_flight_max = 2
    items = [acceptance(number, [3]) for number in range(3)]
    assert queue.accept(items) == [Accepted(1), Accepted(2), Overfull(2)]
    assert queue.accept([again(items[0])]) == [Repeated(items[0].key, 1, items[0].facts)]
    assert queue.accept([acceptance(4, [3], sender=8)]) == [Accepted(3)]
    queue.settle(3, [(items[0].key, "delivered", "")], AT, 3, "x", member_of(3))
    assert queue.accept([items[2]]) == [Accepted(5)]
    assert queue.check() == []


def test_also_goes_first_in_the_same_group(queue):
    before = flushes(queue)
    record = RoomRecord("directory", b"snapshot", AT, 1, "engine")
    assert queue.accept([acceptance(1, [3])], also=[record]) == [Accepted(2)]
    assert list(queue.room_records("directory")) == [(1, record)]
    assert list(queue.room_records("trust")) == []
    assert flushes(queue) == before + 1


def test_rooms_do_not_mix_and_keep_their_order(queue, box):
    for number in range(5):
        for room in ("a", "ab", "b"):
            queue.append_rooms([RoomRecord(room, b"%d" % number, AT, 1, "x")])
    queue.close()
    queue = Queue(box.open())
    bodies = [record.body for _, record in queue.room_records("a")]
    assert bodies == [b"%d" % number for number in range(5)]
    queue.close()


def test_a_document_too_large_is_refused_whole(queue):
    big = acceptance(2, [3], envelope=b"x" * 1_048_576)
    with pytest.raises(TooLargeError) as caught:
        queue.accept([acceptance(1, [3]), big])
    assert caught.value.code == "record.too_large"
    assert queue.counts()["documents"] == 0


@pytest.mark.parametrize(
    "changes",
    [{"key": b"short"}, {"content": b"short"}, {"lane": 4}, {"postings": b"\x21" + b"x" * 34},
     {"postings": b"\0\0"}, {"postings": b"\x03abc\x01"}, {"postings": b"\x03abc\x05"}],
)  # fmt: skip
def test_what_no_engine_hands_in_is_refused(queue, changes):
    with pytest.raises(ValueError, match=r"bytes|no acceptance record"):
        queue.accept([acceptance(1, [3], **changes)])
    assert queue.counts()["documents"] == 0
    assert queue.healthy()


@pytest.mark.parametrize("cut", [1, 2, 100, 195, 196, 200, -1])
def test_a_record_cut_short_is_no_record(queue, cut):
    whole = encode_acceptance(acceptance(1, [3], parts=(Part(State.HELD, audience_of([4])),)))
    assert queue.store.take([whole[:cut]]) == [(NO_RECORD, 0, 0)]
    assert queue.store.take([whole]) == [(NEW, 1, 0)]


def test_queued_groups_share_a_flush(queue):
    before = flushes(queue)
    tickets = [
        queue.store.enqueue([encode_acceptance(acceptance(number, [3]))]) for number in range(8)
    ]
    assert queue.store.completed() == []
    queue.append_rooms([RoomRecord("directory", b"", AT, 1, "x")])
    answers = queue.store.completed()
    assert [number for number, _ in answers] == tickets
    assert [answer[0][1] for _, answer in answers] == list(range(1, 9))
    assert flushes(queue) == before + 1
    assert queue.check() == []


def test_one_bad_caller_does_not_disturb_its_neighbours(queue):
    queue.store.enqueue([encode_acceptance(acceptance(100, [3]))])
    taken = acceptance(100, [3]).key
    for number in range(5):
        changes = {"key": taken} if number == 2 else {}
        queue.store.enqueue([encode_acceptance(acceptance(number, [3], **changes))])
    queue.append_rooms([RoomRecord("directory", b"", AT, 1, "x")])
    kinds = [answers[0][0] for _, answers in queue.store.completed()]
    assert kinds == [NEW, NEW, NEW, KEY_IN_USE, NEW, NEW]
    assert queue.counts()["documents"] == 5
    assert queue.check() == []


def test_a_key_in_use_is_a_mistake_of_the_caller(queue):
    item = acceptance(5, [4])
    with pytest.raises(ValueError, match="in use"):
        queue.accept([item, acceptance(2, [3], key=item.key)])
    assert queue.document(item.key).document_id == item.document_id
    got = queue.lease(4, topics_for(4), member_of(4), 5, AT + 1, AT, "x")
    assert [leased.envelope for leased in got] == [item.envelope]
    assert queue.check() == []


@pytest.mark.parametrize("trouble", [Trouble.FAIL, Trouble.FULL])
def test_a_failed_flush_answers_nobody_and_fences(memory, trouble):
    queue = Queue(memory.open())
    queue.accept([acceptance(1, [3])])
    memory.disk.trouble_at(1, trouble)
    for _ in range(2):
        with pytest.raises(StorageError) as caught:
            queue.accept([acceptance(2, [3])])
        assert caught.value.code == ("store.full" if trouble is Trouble.FULL else "store.failed")
    assert not queue.healthy()
    with pytest.raises(StorageError):
        queue.counts()
    queue = Queue(memory.open())
    assert queue.counts()["documents"] == 1
    assert queue.accept([acceptance(2, [3])])[0].sequence == 2


@pytest.mark.parametrize("trouble", [Trouble.CRASH_BEFORE, Trouble.CRASH_AFTER])
def test_a_crash_keeps_a_group_whole_or_drops_it(memory, trouble):
    queue = Queue(memory.open())
    queue.accept([acceptance(1, [3])])
    memory.disk.trouble_at(1, trouble)
    with pytest.raises(SimulatedCrashError):
        queue.accept([acceptance(2, [3]), acceptance(3, [4])])
    queue = Queue(memory.open())
    kept = trouble is Trouble.CRASH_AFTER
    assert queue.counts()["documents"] == (3 if kept else 1)
    answer = queue.accept([acceptance(2, [3])])[0]
    assert isinstance(answer, Repeated if kept else Accepted)
    assert queue.check() == []


def test_an_older_opening_is_fenced(memory):
    old = Queue(memory.open())
    new = Queue(MemoryStore(memory.disk))
    with pytest.raises(StorageError) as caught:
        old.accept([acceptance(1, [3])])
    assert caught.value.code == "store.locked"
    assert new.accept([acceptance(1, [3])]) == [Accepted(1)]
