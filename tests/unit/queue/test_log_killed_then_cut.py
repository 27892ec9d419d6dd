"""A process is killed, the next one goes on, then the power goes: nothing is called damage."""

from __future__ import annotations

from random import Random

import pytest

from router.errors import StorageError
from router.queue._log import SegmentLog
from router.queue._simulated_disk import SimulatedDisk

BYTES_MAX = 16_384
FULL, LARGE = b"f" * 12_000, b"l" * 3_000
Spot = tuple[int, int, int]


def opened(disk: SimulatedDisk, after: int = 0, spot: Spot = (0, 0, 0)) -> SegmentLog:
    return SegmentLog.open(
        disk, checkpoint_sequence=after, checkpoint_spot=spot, segment_bytes_max=BYTES_MAX
    )


def killed_with_an_unflushed_segment() -> SimulatedDisk:
    """Return a disk whose second segment was written and not flushed when its owner died."""
    disk = SimulatedDisk()
    log = opened(disk)
    log.append(FULL)
    log.commit()
    log.append(LARGE)
    log.put_down()
    return disk.clone()


def gone_on(disk: SimulatedDisk) -> tuple[int, Spot]:
    """Open again, store something; return the sequence and the spot of the last record."""
    log = opened(disk)
    assert [record for _, record, _ in log.records()] == [FULL, LARGE]
    last = log.append(b"after")
    log.commit()
    return last


def test_what_was_copied_may_be_torn_where_it_had_been() -> None:
    """Found by the simulator, seeds 310 and 756: a checkpoint beyond was not to be opened."""
    torn = 0
    for seed in range(40):
        disk = killed_with_an_unflushed_segment()
        last, spot = gone_on(disk)
        disk.crash(Random(seed), "subset")
        place = disk.contents("00000002.seg")[4_096 : 4_096 + 24 + len(LARGE)]
        torn += any(place[:24]) and not place.endswith(LARGE)
        log = opened(disk, last, spot)
        assert log.records() == []
        assert log.append(b"more")[0] == last + 1
    assert torn > 5


def test_what_nobody_copied_must_be_whole() -> None:
    disk = SimulatedDisk()
    log = opened(disk)
    log.append(FULL)
    log.append(LARGE)
    log.commit()
    last, spot = log.append(FULL)
    log.commit()
    assert spot[0] == 3
    data = bytearray(disk.contents("00000002.seg"))
    data[4_096 + 30] ^= 1
    disk = disk.clone()
    disk.place("00000002.seg", bytes(data))
    with pytest.raises(StorageError) as caught:
        opened(disk, last, spot)
    assert caught.value.code == "store.corrupt"
    assert "00000002.seg" in str(caught.value.facts)


def test_what_was_copied_only_in_part_must_be_whole_before_it() -> None:
    """The segment before is damaged: nobody can tell what the torn one held."""
    disk = killed_with_an_unflushed_segment()
    last, spot = gone_on(disk)
    for name in ("00000001.seg", "00000002.seg"):
        data = bytearray(disk.contents(name))
        data[4_096 + 30] ^= 1
        disk.place(name, bytes(data))
    with pytest.raises(StorageError) as caught:
        opened(disk.clone(), last, spot)
    assert caught.value.code == "store.corrupt"
