"""The suite `queue` compares equal work: same documents, refused twice, handed out in order."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec
import pytest

from router._core import Audience
from router.queue.records import Acceptance, decode_acceptance
from vanban_bench.micro import queue
from vanban_bench.micro._queue_accept import check_equal
from vanban_bench.micro._queue_busy import busy_loop
from vanban_bench.micro._queue_slices import Course, Scale, Slice, in_turn, quantile_us, row_against
from vanban_bench.micro._queue_store import OurStore
from vanban_bench.peers.base import DuplicateError, PeerMissingError, Side, started
from vanban_bench.peers.log_floor import LogFloor
from vanban_bench.peers.nats_streams import NatsAlways
from vanban_bench.peers.postgres import PostgresCopy
from vanban_bench.peers.redis_streams import RedisAlways
from vanban_bench.peers.servers import program
from vanban_bench.peers.sqlite import SqliteFull
from vanban_bench.rows import DigestMismatchError
from vanban_bench.workloads.queue_country import Tree, country_of
from vanban_bench.workloads.queue_documents import (
    DOCUMENT_BYTES,
    Feed,
    document_key,
    grouped,
    whole_paper,
)
from vanban_bench.workloads.queue_pending import NEVER, Pending, never_acknowledged

ROWS = {
    "accept-1", "accept-64", "accept-1024", "accept-1-log-floor", "accept-64-log-floor",
    "accept-1-p999-under-checkpoint", "broadcast-10600", "broadcast-123265",
    "broadcast-10600-pending-100-after-reform", "broadcast-123265-after-reform", "drain-256",
    "drain-256-sqlite-full-lease-unflushed", "inbox", "inbox-idle", "track", "reopen",
    "beside-busy-loop", "beside-busy-loop-synchronous", "bytes-per-delivery",
    "bytes-at-acceptance", "growth-accept-64", "growth-inbox", "growth-drain",
}  # fmt: skip


def tree() -> Tree:
    return country_of(4, 8, 60, 2)


def small_scale() -> Scale:
    return Scale(
        tiny=True, slices=1, slice_s=1e-9, side_bytes=1 << 16, floor_bytes=1 << 20, servers=False,
        pending=1, past=1, days=1, day_documents=1, units=(4, 8, 60, 2),
    )  # fmt: skip


@pytest.fixture
def open_home() -> Iterator[Path]:
    """Give a folder through which a server that runs as another user can come."""
    with tempfile.TemporaryDirectory(prefix="vanban-test-") as name:
        home = Path(name)
        home.chmod(0o711)
        yield home


@contextmanager
def running(side: Side, home: Path) -> Iterator[Side]:
    """Start a side, or skip when its program or package is not installed."""
    folder = home / "server"
    folder.mkdir()
    try:
        side.start(folder)
    except PeerMissingError as error:
        pytest.skip(str(error))
    try:
        yield side
    finally:
        side.stop()


def test_every_promised_row_is_there_at_the_small_size(tmp_path: Path) -> None:
    rows = {row.name: row for row in queue.rows(True, 1, tmp_path)}
    assert set(rows) >= ROWS
    assert not list(tmp_path.iterdir()), "everything it made is removed"
    assert all("flush" in rows[name].note for name in ("accept-64", "drain-256"))
    assert rows["bytes-per-delivery"].unit == "bytes"


def test_a_stamped_record_is_the_record_that_encoding_would_give() -> None:
    letters = tree().letters(5)
    for place, paper in enumerate(Feed(letters).group(0, 10).papers):
        found = decode_acceptance(paper.record, 1)
        assert isinstance(found, Acceptance)
        assert (found.key, found.document_id, found.content, found.sender) == (
            paper.key, paper.document_id, paper.content, paper.sender,
        )  # fmt: skip
        assert found.audience.runs == letters[place % 5].runs
        assert found.postings == letters[place % 5].postings
        assert len(found.envelope) == DOCUMENT_BYTES


def test_documents_depend_on_their_number_alone() -> None:
    feed = Feed(tree().letters(5))
    whole = feed.group(0, 12).records
    assert feed.group(7, 3).records == whole[7:10]
    assert Feed(tree().letters(5)).group(0, 12).records == whole
    assert len({document_key(number) for number in range(1_000)}) == 1_000


def test_audiences_are_all_different_where_a_row_says_so() -> None:
    spreads = tree().broadcasts(40, 16)
    assert {spread.size for spread in spreads} == {40}
    found = [decode_acceptance(one, 1) for one in Feed(spreads, distinct=True).group(0, 64).records]
    names = {(one.audience.snapshot, one.audience.runs) for one in found}
    hashes = {one.audience.sha256 for one in found}
    assert len(names) == len(hashes) == 64


def test_the_country_has_the_units_of_the_tree_before_the_reform() -> None:
    whole = country_of()
    tiers = whole.hierarchy.count_by_tier(whole.everything)
    assert {tier: count for tier, (count, _) in tiers.items()} == {
        1: 32, 2: 63, 3: 705, 4: 10_600,
    }  # fmt: skip


def test_half_of_what_waits_comes_from_broadcasts_and_inboxes_follow_the_plan() -> None:
    place = tree()
    plan = Pending(place, 3_000, [5, 9], seed=1)
    papers = list(plan.papers(10, 64))
    sizes = [decode_acceptance(paper.record, 1).audience for paper in papers]
    assert sum(audience.size for audience in sizes) == plan.deliveries >= 3_000
    keys = [
        paper.key
        for paper, audience in zip(papers, sizes, strict=True)
        if 9 in Audience.from_bytes(audience.runs)
    ]
    assert plan.expected(9, 10_000) == keys
    plan.settle()
    number = place.hierarchy.number(9)
    assert plan.expected(9, 10_000) == [k for k in keys if never_acknowledged(number, k)]


def test_one_delivery_in_a_thousand_is_never_acknowledged() -> None:
    left = sum(never_acknowledged(unit, document_key(unit * 7)) for unit in range(100 * NEVER))
    assert 70 <= left <= 130


@pytest.mark.parametrize("side", [OurStore(), SqliteFull(), SqliteFull(lease_flushed=False)])
def test_a_side_hands_out_what_it_took_in_order_and_refuses_it_twice(
    side: Side, tmp_path: Path
) -> None:
    check_equal([side], tree(), Feed(tree().letters(4)), tmp_path)


@pytest.mark.parametrize(
    "side", [RedisAlways(), PostgresCopy(), PostgresCopy(lease_flushed=False), NatsAlways()]
)
def test_a_server_hands_out_what_it_took_in_order_and_refuses_it_twice(
    side: Side, open_home: Path
) -> None:
    with running(side, open_home):
        check_equal([side], tree(), Feed(tree().letters(4)), open_home)
        check_equal([side], tree(), Feed(tree().letters(4)), open_home)
        assert "flush" in side.durability


def test_a_server_ends_when_the_process_that_started_it_is_killed(open_home: Path) -> None:
    with running(RedisAlways(), open_home):
        pass
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    code = (
        "import sys; from pathlib import Path; from vanban_bench.peers.redis_streams import *\n"
        "side = RedisAlways(); side.start(Path(sys.argv[1]))\n"
        "print(side._redis.info('server')['process_id'], side._server.sockets, flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-P", "-c", code, str(open_home)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        number, sockets = child.stdout.readline().split()
        child.kill()
    end = time.monotonic() + 20
    while _runs(int(number)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _runs(int(number))
    shutil.rmtree(sockets)


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_the_floor_keeps_the_bytes_and_never_outgrows_its_file(tmp_path: Path) -> None:
    floor = LogFloor(1 << 20)
    check_equal([floor], tree(), Feed(tree().letters(4)), tmp_path)
    floor.open(tmp_path / "floor")
    feed = Feed(tree().letters(4))
    for first in range(0, 1_024, 256):
        floor.accept(feed.group(first, 256))
    floor.close()
    assert (tmp_path / "floor" / "log").stat().st_size == 1 << 20


class Forgetful(SqliteFull):
    """A planted side that loses the last document of each recipient."""

    def drain(self, reader, limit):  # type: ignore[no-untyped-def]
        return super().drain(reader, limit)[:-1]


class Careless(SqliteFull):
    """A planted side that takes a document twice."""

    def accept(self, group):  # type: ignore[no-untyped-def]
        try:
            super().accept(group)
        except DuplicateError:
            return


@pytest.mark.parametrize("side", [Forgetful(), Careless()])
def test_a_side_that_does_other_work_is_not_measured(side: Side, tmp_path: Path) -> None:
    with pytest.raises(DigestMismatchError):
        check_equal([side], tree(), Feed(tree().letters(4)), tmp_path)


def test_a_missing_program_is_told_and_the_others_run(tmp_path: Path) -> None:
    class Absent(LogFloor):
        name = "absent"

        def start(self, home: Path) -> None:
            program("no-such-program-of-ours", "/nowhere/*/bin")

    running_sides, missing = started([Absent(), LogFloor()], tmp_path)
    assert [side.name for side in running_sides] == ["log-floor"]
    assert missing == ["absent: the program no-such-program-of-ours is not installed"]


def test_sides_take_turns_and_each_slice_begins_in_quiet() -> None:
    calls: list[str] = []

    def work(name: str) -> Slice:
        calls.append(name)
        return Slice(1, 1.0, [1.0])

    works = {name: partial(work, name) for name in "AB"}
    scale = msgspec.structs.replace(small_scale(), tiny=False, slices=2)
    in_turn(works, scale, partial(calls.append, "-"))
    assert "".join(calls) == "-A-B-A-B"


def test_a_rows_ratio_is_the_median_of_the_slices_ratios() -> None:
    ours = [Slice(10, 1.0, [1.0]), Slice(20, 1.0, [1.0]), Slice(90, 1.0, [1.0])]
    theirs = [Slice(10, 1.0, [1.0]), Slice(5, 1.0, [1.0]), Slice(30, 1.0, [1.0])]
    row = row_against("queue", "x", "peer", ours, theirs, "d", "")
    assert (row.value, row.peer_value, row.ratio) == (20.0, 10.0, 3.0)
    steps = [Slice(1, 1.0, [n / 1e6 for n in range(1_000)])]
    assert quantile_us(steps, 0.999) == pytest.approx(999)


def test_a_store_that_outgrows_its_share_of_the_disk_is_made_anew(tmp_path: Path) -> None:
    scale = small_scale()
    prepared: list[Side] = []
    side = SqliteFull()
    course = Course(
        side, tmp_path / "data", Feed(tree().letters(4)),
        prepare=prepared.append,
    )  # fmt: skip
    for _ in range(6):
        course.slice(16, scale)
    assert len(prepared) > 1
    course.close()
    assert not (tmp_path / "data").exists()


def test_groups_hold_what_was_given_in_order() -> None:
    spread = tree().letters(1)[0]
    papers = [whole_paper(number, spread) for number in range(5)]
    groups = list(grouped(papers, 2))
    assert [len(group.records) for group in groups] == [2, 2, 1]
    assert [key for group in groups for key in (p.key for p in group.papers)] == [
        paper.key for paper in papers
    ]


def test_the_busy_thread_ends_with_its_block() -> None:
    import threading

    before = threading.active_count()
    with busy_loop():
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="the kernel doesn't count writes")
def test_bytes_are_counted_as_the_kernel_counts_them(tmp_path: Path) -> None:
    from vanban_bench.micro._queue_bytes import process_bytes

    before = process_bytes()
    with (tmp_path / "file").open("wb") as file:
        file.write(os.urandom(1 << 20))
        file.flush()
        os.fsync(file.fileno())
    assert process_bytes() - before in {0, *range(1 << 20, 1 << 21)}  # 0: a disk in memory
