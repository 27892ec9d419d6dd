"""Whatever is lost in a crash, what was flushed is there, in order, and nothing twice."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import StorageError
from router.queue._log import SegmentLog
from router.queue._simulated_disk import SimulatedDisk

Spot = tuple[int, int, int]

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 3_000)),
        st.tuples(st.just("add"), st.integers(1, 60)),
        st.tuples(st.just("commit"), st.just(0)),
        st.tuples(st.just("put_down"), st.just(0)),
        st.tuples(st.just("ahead"), st.just(0)),
        st.tuples(st.just("checkpoint"), st.just(0)),
        st.tuples(st.just("cut"), st.integers(0, 3)),
        st.tuples(st.just("close"), st.just(0)),
        st.tuples(st.just("kill"), st.just(0)),
        st.tuples(st.just("crash"), st.integers(0, 2**32)),
        st.tuples(st.just("fail"), st.sampled_from(["write", "flush", "extend", "rename"])),
    ),
    min_size=5,
    max_size=60,
)


class Case:
    """A log, what it was given, and what it owes."""

    def __init__(self, bytes_max: int) -> None:
        self.disk = SimulatedDisk()
        self.bytes_max = bytes_max
        self.given: list[bytes] = []  # record of sequence i + 1
        self.spots: list[Spot] = []
        self.checkpoint = 0
        self.cut = 1  # nothing below is owed
        self.count = 0
        self.epoch = 0
        self.log: SegmentLog
        self.open()

    def open(self) -> None:
        """Open, and hold what is kept against what is owed."""
        owed = self.log.flushed if self.epoch else 0
        spot = self.spots[self.checkpoint - 1] if self.checkpoint else (0, 0, 0)
        self.log = SegmentLog.open(
            self.disk,
            checkpoint_sequence=self.checkpoint,
            checkpoint_spot=spot,
            segment_bytes_max=self.bytes_max,
        )
        seen = self.log.records()
        assert self.log.epoch > self.epoch
        self.epoch = self.log.epoch
        assert self.log.last == self.log.flushed >= owed
        assert [entry[0] for entry in seen] == list(range(self.checkpoint + 1, self.log.last + 1))
        assert [entry[1] for entry in seen] == self.given[self.checkpoint : self.log.last]
        del self.given[self.log.last :]
        self.spots[self.checkpoint :] = [entry[2] for entry in seen]
        for sequence in range(self.cut, self.log.last + 1):
            record = self.given[sequence - 1]
            assert self.log.fetch(self.spots[sequence - 1], sequence) == record
            assert self.log.fetch((0, 0, 0), sequence) == record

    def do(self, step: str, value: int | str) -> None:
        """Do one step; a failing one is followed by an opening."""
        try:
            self.try_to(step, value)
        except StorageError as error:
            if error.code != "store.failed":
                raise
            self.end_process()
            self.open()

    def end_process(self) -> None:
        """End plans and open files; what was written stays."""
        self.disk.crash(Random(0), "all")

    def try_to(self, step: str, value: int | str) -> None:
        if step == "add":
            self.count += 1
            record = Random(self.count).randbytes(int(value))
            sequence, spot = self.log.append(record)
            assert sequence == len(self.given) + 1
            self.given.append(record)
            self.spots.append(spot)
        elif step == "commit":
            self.log.commit()
        elif step == "put_down":
            self.log.put_down()
        elif step == "ahead":
            self.log.make_ready()
        elif step == "checkpoint":
            self.checkpoint = self.log.flushed
        elif step == "cut":
            self.cut = max(self.cut, self.checkpoint - int(value))
            self.log.cut(self.cut)
        elif step == "fail":
            self.disk.plan(str(value), 1, "fail")
        else:
            if step == "close":
                self.log.close()
            if step == "crash":
                self.disk.crash(Random(value))
            else:
                self.end_process()
            self.open()


@settings(max_examples=250, deadline=None)
@given(STEPS, st.sampled_from([8_192, 12_288, 65_536]))
def test_what_was_flushed_is_there_after_any_history(
    steps: list[tuple[str, int | str]], bytes_max: int
) -> None:
    case = Case(bytes_max)
    for step, value in steps:
        case.do(step, value)
    case.disk.crash(Random(len(steps)))
    case.open()


def test_a_lying_flush_turns_these_checks_red() -> None:
    case = Case(8_192)
    case.do("add", 40)
    case.do("commit", 0)
    case.do("add", 40)
    case.disk.plan("flush", 1, "skip")
    case.do("commit", 0)
    case.disk.crash(Random(1), "none")
    with pytest.raises(AssertionError):
        case.open()
