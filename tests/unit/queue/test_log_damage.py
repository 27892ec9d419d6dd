"""Loss that a power cut explains ends the log; anything else is refused, and named."""

from __future__ import annotations

from random import Random

import pytest

from router.errors import StorageError
from router.queue._log import SegmentLog
from router.queue._simulated_disk import SimulatedDisk

HEADER = 4_096
HEAD = 24
Spot = tuple[int, int, int]


def opened(
    disk: SimulatedDisk, *, bytes_max: int = 16_384, after: int = 0, spot: Spot = (0, 0, 0)
) -> SegmentLog:
    return SegmentLog.open(
        disk, checkpoint_sequence=after, checkpoint_spot=spot, segment_bytes_max=bytes_max
    )


def name_of(number: int) -> str:
    return f"{number:08}.seg"


def end_of(spot: Spot) -> int:
    return (spot[1] + HEAD + spot[2] + 7) & ~7


def fill(log: SegmentLog, groups: list[list[bytes]], *, commit_last: bool = True) -> list[Spot]:
    spots = []
    for i, group in enumerate(groups):
        spots += [log.append(record)[1] for record in group]
        if commit_last or i < len(groups) - 1:
            log.commit()
        else:
            log.put_down()
    return spots


def changed(disk: SimulatedDisk, number: int, data: bytes) -> SimulatedDisk:
    twin = disk.clone()
    twin.place(name_of(number), data)
    return twin


def kept(disk: SimulatedDisk, after: int = 0, spot: Spot = (0, 0, 0)) -> list[bytes]:
    return [entry[1] for entry in opened(disk, after=after, spot=spot).records()]


GROUPS = [[b"a" * 40, b"b" * 600], [b"c" * 513], [b"d" * 9, b"e" * 700, b"f" * 31]]
RECORDS = [record for group in GROUPS for record in group]


def test_a_tail_torn_at_any_byte_keeps_the_whole_records_before_it() -> None:
    disk = SimulatedDisk()
    spots = fill(opened(disk), GROUPS, commit_last=False)
    data = disk.contents(name_of(1))
    for cut in range(end_of(spots[2]), end_of(spots[5]) + 8, 5):
        torn = changed(disk, 1, data[:cut].ljust(len(data), b"\0"))
        whole = [
            r for r, spot in zip(RECORDS, spots, strict=True) if spot[1] + HEAD + spot[2] <= cut
        ]
        assert kept(torn) == whole
        assert kept(torn) == whole, "and a second opening sees the same"
        short = changed(disk, 1, data[:cut])
        assert kept(short) == whole


def test_a_lost_middle_of_an_unflushed_group_ends_the_log_whatever_follows() -> None:
    disk = SimulatedDisk()
    spots = fill(opened(disk), GROUPS, commit_last=False)
    data = bytearray(disk.contents(name_of(1)))
    data[spots[3][1] : end_of(spots[3])] = bytes(end_of(spots[3]) - spots[3][1])
    torn = changed(disk, 1, bytes(data))
    log = opened(torn)
    assert [entry[1] for entry in log.records()] == RECORDS[:3]
    assert log.append(b"new")[0] == 4
    log.commit()
    del log
    assert kept(torn) == [*RECORDS[:3], b"new"]


def test_any_flipped_bit_is_refused_or_ends_the_log_after_the_last_mark() -> None:
    disk = SimulatedDisk()
    spots = fill(opened(disk), GROUPS)
    data = disk.contents(name_of(1))
    refused: list[tuple[int, str]] = []
    marked = 3  # the last group's frames say that three records were durable
    for at in (*range(64), *range(HEADER, end_of(spots[-1]))):
        flipped = bytearray(data)
        flipped[at] ^= 1 << (at % 8)
        try:
            found = kept(changed(disk, 1, bytes(flipped)))
        except StorageError as error:
            refused.append((at, error.code))
        else:
            assert found == RECORDS[: len(found)]
            assert len(found) >= marked
            assert found == RECORDS or at >= end_of(spots[marked - 1])
    assert len(refused) > 500
    assert all(at < end_of(spots[marked - 1]) for at, _ in refused)
    assert {code for _, code in refused} == {"store.corrupt", "store.foreign"}


def test_damage_below_the_mark_is_named_with_its_place() -> None:
    disk = SimulatedDisk()
    spots = fill(opened(disk), GROUPS)
    data = bytearray(disk.contents(name_of(1)))
    data[spots[1][1] + 100] ^= 1
    with pytest.raises(StorageError) as caught:
        opened(changed(disk, 1, bytes(data)))
    assert caught.value.code == "store.corrupt"
    assert caught.value.path == "log[2]"
    assert f"00000001.seg, offset {spots[1][1]}, record 2" in str(caught.value.facts["reason"])


def test_damage_at_or_below_the_checkpoint_is_refused_even_without_a_mark() -> None:
    disk = SimulatedDisk()
    spots = fill(opened(disk), [RECORDS])
    data = bytearray(disk.contents(name_of(1)))
    data[spots[4][1] + HEAD] ^= 1
    torn = changed(disk, 1, bytes(data))
    assert kept(torn.clone()) == RECORDS[:4]
    for after, spot in ((5, spots[4]), (6, (0, 0, 0)), (6, (1, spots[4][1], 1))):
        with pytest.raises(StorageError) as caught:
            opened(torn.clone(), after=after, spot=spot)
        assert caught.value.code == "store.corrupt"


def test_damage_in_a_kept_tail_is_refused_because_its_header_marks_it() -> None:
    disk = SimulatedDisk()
    fill(opened(disk), [RECORDS])
    second = opened(disk)
    assert second.records()[0][2][0] == 2
    data = bytearray(disk.contents(name_of(2)))
    data[HEADER + HEAD] ^= 1
    with pytest.raises(StorageError) as caught:
        opened(changed(disk, 2, bytes(data)))
    assert "00000002.seg, offset 4096, record 1" in str(caught.value)


def test_a_damaged_record_is_noticed_when_it_is_read() -> None:
    disk = SimulatedDisk()
    log = opened(disk)
    spots = fill(log, GROUPS)
    file = disk.call("open", b"00000001.seg", False)
    disk.call("write", file, b"\xff", spots[1][1] + HEAD + 7)
    for spot in (spots[1], (0, 0, 0)):
        with pytest.raises(StorageError) as caught:
            log.fetch(spot, 2)
        assert caught.value.code == "store.corrupt"
    assert log.fetch(spots[2], 3) == RECORDS[2]
    log.append(b"and writing goes on")
    log.commit()


def many(disk: SimulatedDisk, count: int = 120) -> list[Spot]:
    """Fill several segments in one opening, a record a group."""
    chance = Random(4)
    return fill(opened(disk), [[chance.randbytes(chance.randint(200, 900))] for _ in range(count)])


def test_a_missing_segment_is_refused_wherever_it_is_needed() -> None:
    disk = SimulatedDisk()
    spots = many(disk)
    last = spots[-1][0]
    assert last >= 4
    for number in range(1, last):
        gone = disk.clone()
        gone.discard(name_of(number))
        with pytest.raises(StorageError) as caught:
            opened(gone)
        assert caught.value.code == "store.corrupt"
    gone = disk.clone()
    gone.discard(name_of(last))
    with pytest.raises(StorageError) as caught:  # the checkpoint holds more than is there
        opened(gone, after=len(spots), spot=spots[-1])
    assert caught.value.code == "store.corrupt"


def test_a_missing_segment_before_the_checkpoint_is_as_if_it_were_cut() -> None:
    disk = SimulatedDisk()
    spots = many(disk)
    disk.discard(name_of(1))
    after = next(i for i, spot in enumerate(spots, 1) if spot[0] == 3)
    assert len(kept(disk, after, spots[after - 1])) == len(spots) - after


def test_renamed_swapped_and_older_segments_are_refused() -> None:
    disk = SimulatedDisk()
    many(disk)
    second, third = disk.contents(name_of(2)), disk.contents(name_of(3))
    renamed = changed(disk, 2, third)
    older = SimulatedDisk()
    many(older)
    opened(older).close()
    late = disk.clone()
    late.place(name_of(9_999), older.contents(name_of(1)))
    for wrong in (renamed, changed(renamed, 3, second), late):
        with pytest.raises(StorageError) as caught:
            opened(wrong)
        assert caught.value.code == "store.corrupt"


def test_frames_left_over_from_another_use_of_the_place_are_not_believed() -> None:
    former = SimulatedDisk()
    former.call("salt")  # another log's salts differ
    spots = fill(opened(former), GROUPS)
    disk = SimulatedDisk()
    fill(opened(disk), [RECORDS[:2]])
    data = bytearray(disk.contents(name_of(1)))
    at = spots[2][1]
    data[at : end_of(spots[-1])] = former.contents(name_of(1))[at : end_of(spots[-1])]
    assert kept(changed(disk, 1, bytes(data))) == RECORDS[:2]


def test_a_truncated_segment_is_refused_unless_only_the_end_was_unmarked() -> None:
    disk = SimulatedDisk()
    spots = many(disk)
    data = disk.contents(name_of(2))
    for size in (0, 100, HEADER - 1, HEADER, len(data) // 2):
        with pytest.raises(StorageError) as caught:
            opened(changed(disk, 2, data[:size]))
        assert caught.value.code == "store.corrupt"
    last = spots[-1]
    assert len(kept(changed(disk, last[0], disk.contents(name_of(last[0]))[: last[1]]))) == 119


def test_a_foreign_file_is_refused_only_when_it_says_it_is_a_segment() -> None:
    disk = SimulatedDisk()
    fill(opened(disk), GROUPS)
    disk.place("notes.txt", b"hello")
    disk.place("0000001.seg.bak", b"hello")
    assert kept(disk) == RECORDS
    for name, data in (("mine.seg", b"x"), (name_of(7), b"x" * 5_000)):
        foreign = disk.clone()
        foreign.place(name, data)
        with pytest.raises(StorageError) as caught:
            opened(foreign)
        assert caught.value.code == "store.foreign"
        assert name in str(caught.value)


def test_a_newer_format_is_refused() -> None:
    from router.queue._crc import checksum

    disk = SimulatedDisk()
    fill(opened(disk), GROUPS)
    data = bytearray(disk.contents(name_of(1)))
    data[8:12] = (2).to_bytes(4, "big")
    data[48:52] = checksum(bytes(data[:48])).to_bytes(4, "big")
    with pytest.raises(StorageError) as caught:
        opened(changed(disk, 1, bytes(data)))
    assert caught.value.code == "store.format"


@pytest.mark.parametrize(
    ("call", "outcome"),
    [
        ("write", "fail"),
        ("write", "full"),
        ("write", "short"),
        ("flush", "fail"),
        ("flush", "full"),
    ],
)
def test_after_a_failed_write_or_flush_the_log_is_dead_until_it_is_opened_again(
    call: str, outcome: str
) -> None:
    disk = SimulatedDisk()
    log = opened(disk)
    log.append(b"first")
    log.commit()
    log.append(b"second")
    disk.plan(call, 1, outcome)  # type: ignore[arg-type]
    code = "store.failed" if outcome == "fail" else "store.full"
    for attempt in (log.commit, log.commit, log.put_down, lambda: log.append(b"third")):
        with pytest.raises(StorageError) as caught:
            attempt()
        assert caught.value.code == code
    assert log.flushed == 1
    assert log.fetch((0, 0, 0), 1) == b"first"
    log.close()
    again = opened(disk)
    assert [entry[1] for entry in again.records()][:1] == [b"first"]
    again.append(b"goes on")
    again.commit()


def test_a_full_disk_fails_the_group_that_needs_room_and_nothing_answered() -> None:
    disk = SimulatedDisk()
    log = opened(disk)
    disk.room_bytes = 20_000
    answered = 0
    fault = None
    while fault is None:
        try:
            log.append(bytes([answered % 256]) * 500)
            log.commit()
            answered += 1
        except StorageError as error:
            fault = error.code
    assert fault == "store.full"
    assert answered > 20
    del log
    disk.room_bytes = None
    assert len(kept(disk)) >= answered


def test_a_segment_that_can_not_be_made_ahead_kills_nothing() -> None:
    disk = SimulatedDisk()
    log = opened(disk)
    log.append(bytes(8_000))
    log.commit()
    disk.plan("extend", 1, "full")
    with pytest.raises(StorageError) as caught:
        log.make_ready()
    assert caught.value.code == "store.full"
    assert "ahead.new" not in disk.names()
    assert log.fault() is None
    assert log.make_ready()
    log.append(bytes(14_000))
    log.commit()


def test_an_opening_that_fails_leaves_what_was_there() -> None:
    disk = SimulatedDisk()
    fill(opened(disk), GROUPS)
    failed: list[str] = []
    for call in ("open", "write", "flush", "extend", "rename", "flush_names", "read"):
        for at in range(1, 12):
            tried = disk.clone()
            tried.plan(call, at, "fail")
            try:
                opened(tried)
            except StorageError as error:
                failed.append(error.code)
            for mode in ("none", "any", "all"):
                twin = tried.clone()
                twin.crash(Random(at), mode)
                assert kept(twin) == RECORDS
    assert len(failed) > 10
    assert set(failed) == {"store.failed"}


def test_a_lying_flush_is_noticed_once_a_mark_covers_what_was_lost() -> None:
    disk = SimulatedDisk()
    log = opened(disk)
    fill(log, [[b"one"]])
    log.append(b"two" * 3_000)  # more than the last page, which the next write has again
    disk.plan("flush", 1, "skip")
    log.commit()  # a lie
    log.append(b"three" * 200)
    log.put_down()
    found: list[bytes] = []
    refused: list[str] = []
    for seed in range(30):
        twin = disk.clone()
        twin.crash(Random(seed), "subset")
        try:
            found.append(kept(twin)[0])
        except StorageError as error:
            refused.append(error.code)
    assert set(found) == {b"one"}
    assert set(refused) == {"store.corrupt"}
