"""What the log was given it keeps, reads back and replays."""

from __future__ import annotations

import threading
from pathlib import Path
from random import Random

import pytest

from router.errors import ClosedError, StorageError, TooLargeError
from router.limits import RECORD_BYTES_MAX
from router.queue._disk import Disk, PosixDisk
from router.queue._log import SegmentLog
from router.queue._simulated_disk import SimulatedDisk

Spot = tuple[int, int, int]


@pytest.fixture(params=["posix", "simulated"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return PosixDisk(tmp_path) if request.param == "posix" else SimulatedDisk()


def opened(
    disk: Disk, *, bytes_max: int = 16_384, after: int = 0, spot: Spot = (0, 0, 0)
) -> SegmentLog:
    return SegmentLog.open(
        disk, checkpoint_sequence=after, checkpoint_spot=spot, segment_bytes_max=bytes_max
    )


def records(count: int, seed: int = 1, longest: int = 700) -> list[bytes]:
    chance = Random(seed)
    return [chance.randbytes(chance.randint(1, longest)) for _ in range(count)]


def test_sequences_begin_at_one_and_have_no_gap(disk: Disk) -> None:
    log = opened(disk)
    assert [log.append(record)[0] for record in records(5)] == [1, 2, 3, 4, 5]
    assert (log.last, log.flushed) == (5, 0)
    log.commit()
    assert (log.last, log.flushed) == (5, 5)


def test_what_was_committed_is_read_at_its_spot_and_by_hopping(disk: Disk) -> None:
    log = opened(disk)
    given = records(200)
    spots = [log.append(record)[1] for record in given]
    log.commit()
    assert len({spot[0] for spot in spots}) > 3, "several segments"
    for i, record in enumerate(given):
        assert log.fetch(spots[i], i + 1) == record
        assert log.fetch((spots[i][0], spots[i][1], 0), i + 1) == record
        assert log.fetch((0, 0, 0), i + 1) == record
        assert log.fetch(spots[max(0, i - 3)], i + 1) == record
    assert log.fetch((0, 0, 0), 201) is None
    assert log.fetch((0, 0, 0), 0) is None


def test_a_replay_shows_all_in_order_with_spots_that_read(disk: Disk) -> None:
    given = records(120)
    log = opened(disk)
    for record in given:
        log.append(record)
    log.commit()
    log.close()
    again = opened(disk)
    seen = again.records()
    assert [(sequence, record) for sequence, record, _ in seen] == list(enumerate(given, 1))
    assert all(again.fetch(spot, sequence) == record for sequence, record, spot in seen)
    assert (again.last, again.flushed, again.epoch) == (120, 120, 2)


def test_a_replay_begins_after_the_checkpoint(disk: Disk) -> None:
    log = opened(disk)
    spots = [log.append(record)[1] for record in records(50)]
    log.commit()
    log.close()
    again = opened(disk, after=30, spot=spots[29])
    assert [entry[0] for entry in again.records()] == list(range(31, 51))
    again.close()
    third = opened(disk, after=50, spot=(0, 0, 0))
    assert third.records() == []
    assert third.append(b"x")[0] == 51


def test_what_was_written_unflushed_survives_the_process(disk: Disk) -> None:
    log = opened(disk)
    log.append(b"lease")
    log.put_down()
    assert log.flushed == 0
    del log
    again = opened(disk)
    assert [entry[1] for entry in again.records()] == [b"lease"]
    assert again.flushed == 1


def test_what_was_never_written_is_gone_and_its_sequence_free(disk: Disk) -> None:
    log = opened(disk)
    log.append(b"kept")
    log.commit()
    log.append(b"only in memory")
    del log
    again = opened(disk)
    assert again.last == 1
    assert again.append(b"other")[0] == 2
    assert again.fetch((0, 0, 0), 2) is None  # not yet written
    again.commit()
    assert again.fetch((0, 0, 0), 2) == b"other"


def test_many_openings_in_a_row_keep_everything(disk: Disk) -> None:
    given: list[bytes] = []
    for i in range(12):
        log = opened(disk)
        assert [entry[1] for entry in log.records()] == given
        assert log.epoch == i + 1
        for record in records(i % 4, seed=i):
            log.append(record)
            given.append(record)
        log.commit()
        if i % 3:
            log.close()


def test_an_epoch_is_at_least_what_is_asked_for(disk: Disk) -> None:
    log = SegmentLog.open(disk, epoch_min=40)
    assert log.epoch == 41
    log.close()
    assert opened(disk).epoch == 42


def test_a_record_of_the_largest_size_fits_and_a_larger_one_does_not(disk: Disk) -> None:
    log = opened(disk)
    largest = Random(3).randbytes(RECORD_BYTES_MAX)
    for bad in (largest + b"x", b""):
        with pytest.raises(TooLargeError) as caught:
            log.append(bad)
        assert caught.value.code == "record.too_large"
    given = [b"small", largest, b"small", largest, largest, largest, largest, b"small"]
    spots = [log.append(record)[1] for record in given]
    log.commit()
    assert [log.fetch(spot, i + 1) for i, spot in enumerate(spots)] == given
    log.close()
    assert [entry[1] for entry in opened(disk).records()] == given


def test_segments_grow_to_the_largest_size_and_are_made_ahead_only_when_wanted(disk: Disk) -> None:
    log = opened(disk, bytes_max=4 * 1_048_576)
    assert not log.make_ready()
    made = 0
    for _ in range(3_000):
        log.append(bytes(4_000))
        log.commit()
        made += log.make_ready()
    assert made >= 3
    sizes = [log_size(disk, name) for name in disk.names() if name.endswith(".seg")]
    assert sizes[:3] == [1_048_576, 2 * 1_048_576, 4 * 1_048_576]
    assert max(sizes) == 4 * 1_048_576
    assert log.bytes_kept == sum(sizes)


def log_size(disk: Disk, name: str) -> int:
    file = disk.call("open", name.encode(), False)
    size: int = disk.call("size", file)
    disk.call("close", file)
    return size


def test_a_clean_close_gives_back_the_unused_end(disk: Disk) -> None:
    log = opened(disk, bytes_max=1_048_576)
    log.append(bytes(400_000))
    log.append(bytes(400_000))
    log.commit()
    assert log.make_ready()
    log.close()
    assert disk.names() == ["00000001.seg", "EPOCH"]
    assert log_size(disk, "00000001.seg") == 4_096 + 2 * 400_024


def test_an_unclean_stop_leaves_no_unused_segments_for_ever(disk: Disk) -> None:
    log = opened(disk, bytes_max=1_048_576)
    log.append(bytes(600_000))
    log.commit()
    assert log.make_ready()
    del log
    opened(disk, after=1)
    assert disk.names() == ["00000001.seg", "00000003.seg", "EPOCH"]
    assert log_size(disk, "00000001.seg") == 4_096 + 600_024


def test_cutting_removes_only_segments_wholly_below(disk: Disk) -> None:
    log = opened(disk)
    spots = [log.append(record)[1] for record in records(300)]
    log.commit()
    kept = log.bytes_kept
    log.cut(1)
    assert log.bytes_kept == kept
    log.cut(150)
    segment = spots[149][0]
    assert all(log.fetch(spot, i + 1) is not None for i, spot in enumerate(spots) if i >= 149)
    assert [log.fetch(spot, i + 1) is None for i, spot in enumerate(spots)] == [
        spot[0] < segment for spot in spots
    ]
    assert log.bytes_kept < kept
    log.close()
    again = opened(disk, after=149, spot=spots[148])
    assert len(again.records()) == 151


def test_after_everything_was_cut_the_log_goes_on(disk: Disk) -> None:
    log = opened(disk)
    for record in records(100):
        log.append(record)
    log.commit()
    log.cut(101)
    log.close()
    again = opened(disk, after=100)
    again.cut(101)
    sequence, spot = again.append(b"next")
    assert sequence == 101
    assert [name for name in disk.names() if name.endswith(".seg")] == [f"{spot[0]:08}.seg"]


def test_bytes_since_counts_what_a_replay_would_read(disk: Disk) -> None:
    log = opened(disk)
    for _ in range(100):
        log.append(bytes(1_000))
    log.commit()
    assert log.added_bytes == 100 * 1_024
    assert log.bytes_since(100) == 0
    for after in (0, 1, 30, 99):
        exact = (100 - after) * 1_024
        assert abs(log.bytes_since(after) - exact) < 8 * 1_024  # the unused ends of segments


def test_a_former_owner_is_fenced(disk: Disk) -> None:
    former = opened(disk)
    former.append(b"answered")
    former.commit()
    former.append(b"too late")
    owner = opened(disk)
    for attempt in (former.commit, former.put_down, lambda: former.append(b"x")):
        with pytest.raises(StorageError) as caught:
            attempt()
        assert caught.value.code == "store.locked"
    former.close()
    assert [entry[1] for entry in owner.records()] == [b"answered"]
    owner.append(b"mine")
    owner.commit()
    assert owner.fault() is None


def test_a_closed_log_says_so(disk: Disk) -> None:
    log = opened(disk)
    spot = log.append(b"x")[1]
    log.commit()
    log.close()
    log.close()
    for attempt in (lambda: log.append(b"x"), log.commit, lambda: log.fetch(spot, 1)):
        with pytest.raises(ClosedError):
            attempt()


def test_readers_beside_the_writer_see_only_whole_records(tmp_path: Path) -> None:
    log = opened(PosixDisk(tmp_path))
    given: dict[int, tuple[Spot, bytes]] = {}
    wrong: list[object] = []
    done = threading.Event()

    def read(seed: int) -> None:
        chance = Random(seed)
        while not done.is_set():
            top = log.flushed
            if top:
                sequence = chance.randint(max(1, top - 400), top)
                spot, record = given[sequence]
                found = log.fetch(spot if chance.random() < 0.5 else (0, 0, 0), sequence)
                # A reader may have slept since: what is cut by now may be gone.
                if found != record and (found is not None or sequence > log.flushed - 300):
                    wrong.append((sequence, found))

    readers = [threading.Thread(target=read, args=(seed,)) for seed in range(3)]
    for reader in readers:
        reader.start()
    for i, record in enumerate(records(1_500), 1):
        spot = log.append(record)[1]
        given[i] = (spot, record)
        log.commit()
        log.make_ready()
        if i > 400:
            log.cut(i - 350)
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert log.read_fault() is None


def test_segments_made_ahead_beside_a_rolling_writer_keep_their_order(tmp_path: Path) -> None:
    log = opened(PosixDisk(tmp_path), bytes_max=8_192)
    done = threading.Event()

    def prepare() -> None:
        while not done.is_set():
            log.make_ready()

    maker = threading.Thread(target=prepare)
    maker.start()
    given = records(900, longest=3_000)
    for record in given:
        log.append(record)
        log.put_down()
    log.commit()
    done.set()
    maker.join()
    assert log.fault() is None
    again = opened(PosixDisk(tmp_path), bytes_max=8_192)
    assert [entry[1] for entry in again.records()] == given


def test_at_most_64_files_are_kept_open_and_none_after_closing(tmp_path: Path) -> None:
    def of_this_log() -> int:
        links = list(Path("/proc/self/fd").iterdir())
        return sum(str(tmp_path) in str(link.readlink()) for link in links if link.is_symlink())

    disk = PosixDisk(tmp_path)
    log = opened(disk, bytes_max=8_192)
    spots = [log.append(bytes(3_000))[1] for _ in range(160)]
    log.commit()
    assert len({spot[0] for spot in spots}) > 70
    for _ in range(2):
        assert all(log.fetch(spot, i) == bytes(3_000) for i, spot in enumerate(spots, 1))
    assert 60 < of_this_log() <= 64 + 2  # the segment being written, and the directory
    log.close()
    assert of_this_log() == 1
