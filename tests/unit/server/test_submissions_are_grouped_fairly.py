"""Documents that arrive together share one engine call; none waits for another's thousand.

The failure guarded against: one flush for each document, or a clerk's single letter stuck
behind a portal's batch, or an outcome handed to the wrong request.
"""

from __future__ import annotations

import asyncio

import pytest

from router import limits
from router.engine import Submission
from router.errors import StorageError, VanbanError
from router.messages import problem_of
from router.server.batcher import Batcher


class Recorder:
    """Answers each submission with a problem that repeats its envelope, and counts groups."""

    def __init__(self):
        self.groups = []

    def submit_many(self, items):
        self.groups.append([item.envelope for item in items])
        return [self.answer(item.envelope) for item in items]

    @staticmethod
    def answer(envelope):
        return problem_of(VanbanError("server.fault", reference=envelope.decode()))


def fault(error):
    return VanbanError("server.fault", reference=type(error).__name__)


def items(prefix, count):
    return [Submission(f"{prefix}{index}".encode()) for index in range(count)]


def expected(batch):
    return [Recorder.answer(item.envelope) for item in batch]


def test_what_arrives_in_one_turn_is_one_group():
    async def run():
        recorder = Recorder()
        batcher = Batcher(recorder.submit_many, fault)
        batches = [items(f"r{request}-", 1) for request in range(20)]
        outcomes = await asyncio.gather(*(batcher.submit(batch) for batch in batches))
        assert outcomes == [expected(batch) for batch in batches]
        assert len(recorder.groups) == 1

    asyncio.run(run())


def test_groups_are_bounded_and_order_is_kept():
    async def run():
        recorder = Recorder()
        batch = items("d", 200)
        assert await Batcher(recorder.submit_many, fault).submit(batch) == expected(batch)
        assert max(map(len, recorder.groups)) <= limits.SUBMIT_GROUP_DOCUMENTS_MAX
        assert [one for group in recorder.groups for one in group] == [b.envelope for b in batch]

    asyncio.run(run())


def test_a_single_document_does_not_wait_for_a_large_batch():
    async def run():
        recorder = Recorder()
        batcher = Batcher(recorder.submit_many, fault)
        large = asyncio.create_task(batcher.submit(items("large", 1_000)))
        await asyncio.sleep(0)
        await batcher.submit(items("single", 1))
        assert not large.done()
        assert len(await large) == 1_000

    asyncio.run(run())


def test_more_requests_than_a_group_holds_all_get_their_answers():
    async def run():
        recorder = Recorder()
        batcher = Batcher(recorder.submit_many, fault)
        batches = [items(f"r{request}-", 1 + request % 5) for request in range(300)]
        outcomes = await asyncio.gather(*(batcher.submit(batch) for batch in batches))
        assert outcomes == [expected(batch) for batch in batches]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("raised", "code"),
    [(StorageError("store.failed", reason="disk"), "store.failed"), (KeyError(), "server.fault")],
)
def test_an_exception_of_the_engine_answers_every_item_of_its_group(raised, code):
    def explode(group):
        raise raised

    async def run():
        outcomes = await Batcher(explode, fault).submit(items("d", 3))
        assert [outcome.code for outcome in outcomes] == [code] * 3

    asyncio.run(run())


def test_a_document_that_trips_the_engine_costs_its_neighbours_nothing():
    recorder = Recorder()
    faults = []

    def trip_over_one(group):
        outcomes = recorder.submit_many(group)
        if any(item.envelope == b"odd0" for item in group):
            raise OverflowError("a fault of ours")
        return outcomes

    def noted(error):
        faults.append(error)
        return fault(error)

    async def run():
        batcher = Batcher(trip_over_one, noted)
        before, odd, after = await asyncio.gather(
            *(
                batcher.submit(items(name, count))
                for name, count in (("a", 3), ("odd", 1), ("b", 2))
            )
        )
        assert before == expected(items("a", 3))
        assert after == expected(items("b", 2))
        assert [outcome.code for outcome in odd] == ["server.fault"]

    asyncio.run(run())
    assert len(faults) == 1


def test_a_failed_disk_is_not_asked_again_for_each_document():
    groups = []

    def fail(group):
        groups.append(len(group))
        raise StorageError("store.failed", reason="disk")

    asyncio.run(Batcher(fail, fault).submit(items("d", 5)))
    assert groups == [5]


def test_nothing_submitted_is_nothing_answered():
    assert asyncio.run(Batcher(Recorder().submit_many, fault).submit([])) == []


def test_a_request_given_up_does_not_disturb_the_others():
    async def run():
        recorder = Recorder()
        batcher = Batcher(recorder.submit_many, fault)
        given_up = asyncio.create_task(batcher.submit(items("gone", 100)))
        await asyncio.sleep(0)
        kept = items("kept", 100)
        other = asyncio.create_task(batcher.submit(kept))
        given_up.cancel()
        assert await other == expected(kept)

    asyncio.run(run())
