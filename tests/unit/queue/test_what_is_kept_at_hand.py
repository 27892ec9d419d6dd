"""What is kept at hand of documents only saves looking: it changes no answer."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support.stores import AT, KINDS, acceptance, box_of, member_of, topics_for

from router.queue._filter import Filter
from router.queue._overlay import Overlay
from router.queue.memory_store import MemoryDisk, MemoryStore
from router.queue.queue import Queue
from router.queue.records import Accepted
from router.queue.tables import ORDERED, TABLES

_SEEDS = """
import router.limits
router.limits.WARM_DOCUMENTS = router.limits.WARM_AUDIENCES = {places}
from vanban_bench.simulator import run_seed
reports = [run_seed(seed) for seed in range({places} * 10, {places} * 10 + 10)]
print(sum(report.deliveries for report in reports))
"""


@pytest.fixture(params=KINDS)
def box(request, tmp_path):
    return box_of(request.param, tmp_path / "data")


@pytest.mark.parametrize("places", [1, 2, 8])
def test_a_table_that_holds_next_to_nothing_gives_the_same_answers(places):
    """Nearly every look then meets another document's line; the simulator holds the promises."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", _SEEDS.format(places=places)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_key_is_known_again_after_a_start_below_and_above_those_of_before(box, checkpoint):
    """Below the highest key of the base every one is looked up; above it the filter is asked."""
    low, middle, high, higher = (bytes([first]) + b"key of 16 bytes" for first in (1, 50, 90, 200))
    queue = Queue(box.open())
    queue.accept([acceptance(1, [3], key=low), acceptance(2, [3], key=high)])
    if checkpoint:
        queue.store.checkpoint()
    queue.close()
    queue = Queue(box.open())
    for number, key in enumerate((low, high), start=10):
        with pytest.raises(ValueError, match="in use"):
            queue.accept([acceptance(number, [3], key=key)])
    for number, key in enumerate((middle, higher), start=20):
        assert isinstance(queue.accept([acceptance(number, [3], key=key)])[0], Accepted)
        with pytest.raises(ValueError, match="in use"):
            queue.accept([acceptance(number + 10, [3], key=key)])
    assert queue.counts()["documents"] == 4
    assert queue.check() == []
    queue.close()


def test_a_strange_key_in_the_base_makes_no_used_one_new():
    """Whatever stands last in the table of keys: what is not known is looked up."""
    disk = MemoryDisk()
    key = b"a key: 16 bytes."
    queue = Queue(MemoryStore(disk))
    queue.accept([acceptance(1, [3], key=key)])
    queue.store.checkpoint()
    disk.base = disk.base.copy()
    queue.close()
    strange = Overlay(ORDERED)
    strange.set(TABLES.index("keys"), b"\xff" * 5, bytes(8))
    disk.base.apply(strange)
    queue = Queue(MemoryStore(disk))
    with pytest.raises(ValueError, match="in use"):
        queue.accept([acceptance(2, [3], key=key)])
    queue.close()


def test_keys_do_not_take_the_room_of_names():
    """A filter that is full answers "perhaps" for good: each has its own bound."""
    filters = Filter(300_000), Filter()
    for number in range(170_000):
        for one in filters:
            one.put(number.to_bytes(8, "little") * 2)
    assert [one.complete for one in filters] == [False, True]
    assert filters[0].bytes == 0
    assert all(bytes(16) in one for one in filters)


def test_what_is_untouched_is_handed_out_the_same_before_and_after_checkpoints(box):
    """An entry's row is kept from its acceptance to its first change, whatever layer has it."""
    queue = Queue(box.open())
    items = [acceptance(number, [3, 4]) for number in range(6)]
    queue.accept(items)
    keys = [item.key for item in items]
    for turn, address in enumerate((3, 4)):
        queue.store.checkpoint()
        for place in range(0, 6, 2):
            leased = queue.lease(
                address, topics_for(address), member_of(address), 2, AT + 10, AT, "x"
            )
            assert [one.key for one in leased] == keys[place : place + 2]
            if place == 2:
                queue.store.checkpoint()
            answers = queue.settle(
                address, [(one.key, "delivered", "") for one in leased], AT, address, "x",
                member_of(address),
            )  # fmt: skip
            assert [(one.state, one.repeated) for one in answers] == [("delivered", False)] * 2
        assert queue.counts()["delivered"] == 6 * (turn + 1)
        assert queue.check() == []
    assert queue.counts()["in_flight"] == 0
    queue.close()
