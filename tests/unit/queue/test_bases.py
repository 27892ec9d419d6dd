"""What every base must do, in memory, in LMDB and over py-lmdb; and what its files must survive.

A base that loses a row, mixes two states in one reading, or opens a damaged file costs
documents that were acknowledged: the log before its checkpoint is gone.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import lmdb
import pytest

from router.errors import ClosedError, StorageError
from router.limits import BASE_PAGE_ROWS
from router.queue._base import Base, MemoryBase
from router.queue._lmdb import LmdbBase
from router.queue._lmdb_calls import PROBLEM, WHEELS_TESTED
from router.queue._overlay import Overlay
from router.queue._pylmdb import PyLmdbBase
from router.queue.environment import Gate, damage

TABLES = ("exact", "ordered")
Rows = dict[bytes, bytes]


def changes(
    puts: Rows | None = None, gone: tuple[bytes, ...] = (), ordered: Rows | None = None
) -> Overlay:
    overlay = Overlay([False, True])
    for key, value in (puts or {}).items():
        overlay.set(0, key, value)
    for key in gone:
        overlay.delete(0, key)
    for key, value in (ordered or {}).items():
        overlay.set(1, key, value)
    return overlay


def open_native(path: Path, map_bytes: int = 0) -> Base:
    return LmdbBase.open(path, TABLES, map_bytes)


def open_fallback(path: Path, map_bytes: int = 0) -> Base:
    return LmdbBase.open(path, TABLES, map_bytes, fallback=True)


Opener = Callable[..., Base]
on_disk = pytest.mark.parametrize("open_base", [open_native, open_fallback])


@pytest.fixture(params=["memory", "lmdb", "py-lmdb"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Base]:
    made: Base
    if request.param == "memory":
        made = MemoryBase(TABLES)
    else:
        made = LmdbBase.open(tmp_path / "store", TABLES, fallback=request.param == "py-lmdb")
        assert isinstance(made, LmdbBase if request.param == "lmdb" else PyLmdbBase)
    yield made
    made.close()


def test_the_installed_wheel_is_one_that_was_tested() -> None:
    assert PROBLEM == ""
    assert lmdb.__version__ in WHEELS_TESTED


class TestEveryBase:
    """The contract of `Base`."""

    def test_holds_what_all_writes_together_left(self, base: Base) -> None:
        chance = random.Random(4)
        model: Rows = {}
        for _ in range(12):
            puts = {
                chance.randbytes(chance.randint(1, 24)): chance.randbytes(
                    chance.choice((0, 1, 24, 300, 5_000))
                )
                for _ in range(chance.choice((1, 30, 400)))
            }
            known = sorted(model)
            gone = (*chance.sample(known, len(known) // 3), b"never there")
            gone = tuple(key for key in gone if key not in puts)
            base.apply(changes(puts, gone))
            model = {key: value for key, value in model.items() if key not in gone} | puts
            assert list(base.items(0)) == sorted(model.items())
            assert list(base.items(1)) == []
        for key in (*sorted(model)[::50], b"never there"):
            assert base.value(0, key) == model.get(key)
        assert base.fault() is None

    def test_keys_beyond_the_last_and_among_the_others_stand_in_order(self, base: Base) -> None:
        keys = [number.to_bytes(8, "big") * 2 for number in range(0, 4_000, 2)]
        base.apply(changes(ordered=dict.fromkeys(keys, b"even")))
        more = [number.to_bytes(8, "big") * 2 for number in (1, 1_999, 3_999, 4_000, 4_001, 9_000)]
        base.apply(changes(ordered=dict.fromkeys(more, b"more")))
        found = [key for key, _ in base.items(1)]
        assert found == sorted(keys + more)
        assert len(found) > BASE_PAGE_ROWS, "more than one page of rows was read"

    def test_finds_from_a_key_on_up_to_another_and_the_last_not_above(self, base: Base) -> None:
        rows = {bytes([number, 5]): bytes([number]) for number in range(10, 60, 10)}
        assert base.last_below(0, b"\xff") is None
        base.apply(changes(rows))
        assert list(base.items(0, b"\x14", b"\x28\x05")) == sorted(rows.items())[1:3]
        assert list(base.items(0, b"\x28\x05")) == sorted(rows.items())[3:]
        assert list(base.items(0, b"\x32\x06")) == []
        assert base.last_below(0, b"\x14\x05") == (b"\x14\x05", b"\x14")
        assert base.last_below(0, b"\x14\x05\x00") == (b"\x14\x05", b"\x14")
        assert base.last_below(0, b"\x14\x04") == (b"\x0a\x05", b"\x0a")
        assert base.last_below(0, b"\xff") == (b"\x32\x05", b"\x32")
        assert base.last_below(0, b"\x0a\x04") is None
        assert base.last_below(0, b"") is None
        assert base.value(0, b"") is None

    def test_a_reading_sees_one_state_while_another_thread_writes(self, base: Base) -> None:
        keys = [number.to_bytes(9, "big") for number in range(BASE_PAGE_ROWS // 2)]
        base.apply(changes(dict.fromkeys(keys, b"0")))
        failed: list[BaseException] = []

        def write() -> None:
            try:
                for turn in range(1, 40):
                    base.apply(changes(dict.fromkeys(keys, str(turn).encode())))
            except BaseException as error:
                failed.append(error)

        writer = threading.Thread(target=write)
        writer.start()
        states = set()
        while writer.is_alive():
            rows = list(base.items(0))
            assert len(rows) == len(keys)
            assert len({value for _, value in rows}) == 1
            states.add(rows[0][1])
        writer.join()
        assert not failed
        assert base.value(0, keys[0]) == b"39"

    def test_empty_changes_change_nothing(self, base: Base) -> None:
        base.apply(changes({b"key": b"value"}))
        base.apply(changes())
        base.apply(changes(gone=(b"other",)))
        assert list(base.items(0)) == [(b"key", b"value")]

    def test_a_closed_base_refuses_and_closing_twice_is_once(self, base: Base) -> None:
        base.apply(changes({b"key": b"value"}))
        base.close()
        base.close()
        with pytest.raises(ClosedError):
            base.value(0, b"key")
        with pytest.raises(ClosedError):
            list(base.items(0))
        with pytest.raises(ClosedError):
            base.apply(changes({b"key": b"other"}))

    def test_a_table_that_is_not_there_is_an_index_error(self, base: Base) -> None:
        for table in (-1, 2):
            with pytest.raises(IndexError):
                base.value(table, b"key")
            with pytest.raises(IndexError):
                base.items(table)

    def test_too_many_tables_and_twins_are_refused(self, base: Base, tmp_path: Path) -> None:
        for tables in ([f"t{n}" for n in range(33)], ["a", "a"]):
            with pytest.raises(ValueError, match="tables"):
                MemoryBase(tables)
            with pytest.raises(ValueError, match="tables"):
                LmdbBase.open(tmp_path / "other", tables)
        assert not (tmp_path / "other").exists()


class TestMemoryBase:
    """What the simulator asks of it."""

    def test_a_copy_is_what_a_crash_leaves_and_goes_its_own_way(self) -> None:
        base = MemoryBase(TABLES)
        base.apply(changes({b"a": b"1", b"b": b"1"}))
        copy = base.copy()
        base.apply(changes({b"a": b"2"}, gone=(b"b",)))
        copy.apply(changes({b"c": b"3"}))
        assert dict(base.items(0)) == {b"a": b"2"}
        assert dict(copy.items(0)) == {b"a": b"1", b"b": b"1", b"c": b"3"}

    @pytest.mark.parametrize(("full", "code"), [(False, "store.failed"), (True, "store.full")])
    def test_a_planned_failure_leaves_nothing_and_stays(self, full: bool, code: str) -> None:
        base = MemoryBase(TABLES)
        base.fail_after(1, full=full)
        base.apply(changes({b"a": b"1"}))
        for _ in range(2):
            with pytest.raises(StorageError) as caught:
                base.apply(changes({b"a": b"2"}))
            assert caught.value.code == code
        assert dict(base.items(0)) == {b"a": b"1"}
        again = base.copy()
        again.apply(changes({b"a": b"3"}))
        assert dict(again.items(0)) == {b"a": b"3"}


def refused(open_base: Opener, path: Path) -> str:
    """Open what cannot be opened, twice: nothing may be left open.  Return the code."""
    codes = set()
    for _ in range(2):
        with pytest.raises(StorageError) as caught:
            open_base(path)
        codes.add(caught.value.code)
    assert not [name for name in files_open() if name.startswith(str(path))]
    assert len(codes) == 1
    return codes.pop()


def files_open() -> list[str]:
    names = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            names.append(str(entry.readlink()))
    return names


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def fill(open_base: Opener, path: Path, rows: int = 2_000) -> Rows:
    model = {number.to_bytes(9, "big"): bytes([number & 255]) * 40 for number in range(rows)}
    made = open_base(path)
    made.apply(changes(model | {b"large": bytes(20_000)}))
    made.close()
    return model | {b"large": bytes(20_000)}


@on_disk
class TestOnDisk:
    """What an environment's files must survive, and what is refused."""

    def test_what_was_written_is_there_when_opened_again_either_way(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        model = fill(open_base, tmp_path / "store")
        for other in (open_native, open_fallback):
            base = other(tmp_path / "store")
            assert dict(base.items(0)) == model
            base.apply(changes({b"more": b"x"}))
            model[b"more"] = b"x"
            base.close()
        assert (tmp_path / "store/data.mdb").stat().st_mode & 0o777 == 0o600

    def test_one_environment_is_opened_once_a_process(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        base = open_base(tmp_path / "store")
        (tmp_path / "other name").symlink_to(tmp_path / "store")
        for other in (open_native, open_fallback):
            for path in (tmp_path / "store", tmp_path / "other name"):
                with pytest.raises(StorageError) as caught:
                    other(path)
                assert caught.value.code == "store.locked"
        base.apply(changes({b"key": b"value"}))
        base.close()
        open_base(tmp_path / "other name").close()

    def test_a_full_map_fails_the_write_and_every_later_one(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        base = open_base(tmp_path / "store", 1 << 20)
        base.apply(changes({b"key": b"value"}))
        large = {bytes([n]): bytes(60_000) for n in range(40)}
        for given in (large, {b"key": b"other"}):
            with pytest.raises(StorageError) as caught:
                base.apply(changes(given))
            assert caught.value.code == "store.full"
        assert dict(base.items(0)) == {b"key": b"value"}
        base.close()
        base = open_base(tmp_path / "store")
        assert dict(base.items(0)) == {b"key": b"value"}
        base.apply(changes(large))
        assert len(list(base.items(0))) == 41
        base.close()

    def test_a_full_disk_fails_the_write_and_nothing_of_it_stays(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        base = open_base(tmp_path / "store")
        base.apply(changes({b"key": b"value"}))
        with files_at_most(3 << 20):
            for given in ({bytes([n]): bytes(60_000) for n in range(99)}, {b"key": b"other"}):
                with pytest.raises(StorageError) as caught:
                    base.apply(changes(given))
                assert caught.value.code == "store.full"
        base.close()
        base = open_base(tmp_path / "store")
        assert dict(base.items(0)) == {b"key": b"value"}
        base.close()

    def test_a_full_disk_at_the_first_opening_leaves_nothing(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        with files_at_most(5_000):
            assert refused(open_base, tmp_path / "store") == "store.full"
        assert list((tmp_path / "store").iterdir()) == []
        open_base(tmp_path / "store").close()

    def test_a_place_that_takes_no_files_is_refused(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_bytes(b"")
        for path in (tmp_path / "none/store", tmp_path / "file", Path("/proc/self/store")):
            assert refused(open_base, path) == "store.failed"

    @pytest.mark.parametrize("content", [b"", b"x" * 100, b"x" * 20_000, bytes(8_192)])
    def test_what_is_no_lmdb_file_is_refused_and_not_touched(
        self, open_base: Opener, tmp_path: Path, content: bytes
    ) -> None:
        data = tmp_path / "data.mdb"
        data.write_bytes(content)
        assert refused(open_base, tmp_path) == "store.corrupt"
        assert data.read_bytes() == content

    def test_what_is_no_file_is_foreign(self, open_base: Opener, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "data.mdb")
        assert refused(open_base, tmp_path) == "store.foreign"

    def test_an_environment_of_another_program_is_foreign_and_not_touched(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        with (
            lmdb.open(str(tmp_path), max_dbs=4, lib_version=0) as env,
            env.begin(write=True) as txn,
        ):
            txn.put(b"key", b"value", db=env.open_db(b"theirs", txn=txn))
        before = (tmp_path / "data.mdb").read_bytes()
        assert refused(open_base, tmp_path) == "store.foreign"
        assert (tmp_path / "data.mdb").read_bytes() == before

    def test_a_file_of_lmdb_1_0_is_refused(self, open_base: Opener, tmp_path: Path) -> None:
        with lmdb.open(str(tmp_path), lib_version=1) as env, env.begin(write=True) as txn:
            txn.put(b"key", b"value")
        before = (tmp_path / "data.mdb").read_bytes()
        assert refused(open_base, tmp_path) == "store.corrupt"
        assert (tmp_path / "data.mdb").read_bytes() == before

    def test_a_file_cut_short_is_refused_wherever_it_is_cut(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        fill(open_base, tmp_path / "store", 300)
        data = tmp_path / "store/data.mdb"
        used = open_base(tmp_path / "store")
        needed = used.info()["used_bytes"]
        used.close()
        whole = data.read_bytes()
        for size in (1, 4_095, 4_096, 8_191, 8_192, 12_288, needed // 2, needed - 1):
            data.write_bytes(whole[:size])
            assert refused(open_base, tmp_path / "store") == "store.corrupt", size
            assert data.stat().st_size == size
        data.write_bytes(whole[:needed])
        open_base(tmp_path / "store").close()

    def test_a_file_that_ends_before_pages_given_up_is_mended(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        model = fill(open_base, tmp_path / "store", 3_000)
        gone = tuple(sorted(model))[10:]
        base = open_base(tmp_path / "store")
        for part in (gone[::2], gone[1::2]):
            base.apply(changes(gone=part))
            base.apply(changes({b"few": b"x"}))
        kept = dict(base.items(0))
        needed = base.info()["used_bytes"]
        base.close()
        data = tmp_path / "store/data.mdb"
        whole = data.read_bytes()
        mended = 0
        for size in range(needed - 4_096, 8_192, -32_768):
            data.write_bytes(whole[:size])
            with suppress(StorageError):  # where a page in use is cut off
                base = open_base(tmp_path / "store")
                assert dict(base.items(0)) == kept
                assert data.stat().st_size >= needed
                base.close()
                mended += 1
        assert mended > 0

    def test_what_an_interrupted_creation_left_is_dropped(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        (tmp_path / "making").mkdir()
        (tmp_path / "making/data.mdb").write_bytes(b"torn")
        open_base(tmp_path).close()
        assert {path.name for path in tmp_path.iterdir()} == {"data.mdb", "lock.mdb"}

    def test_a_copy_holds_everything_while_others_write(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        model = fill(open_base, tmp_path / "store")
        base = open_base(tmp_path / "store")
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                base.apply(changes(ordered={bytes(16): os.urandom(9)}))

        writer = threading.Thread(target=write)
        writer.start()
        base.copy_to(tmp_path / "copy")
        stop.set()
        writer.join()
        with pytest.raises(StorageError) as caught:
            base.copy_to(tmp_path / "copy")
        assert caught.value.code == "store.exists"
        with files_at_most(10_000), pytest.raises(StorageError) as caught:
            base.copy_to(tmp_path / "no room")
        assert caught.value.code == "store.full"
        assert list((tmp_path / "no room").iterdir()) == []
        assert base.fault() is None
        base.close()
        with pytest.raises(ClosedError):
            base.copy_to(tmp_path / "late")
        copy = open_base(tmp_path / "copy")
        assert dict(copy.items(0)) == model
        copy.close()


READ_ALL = """
import sys
from router.errors import StorageError
from router.queue._lmdb import LmdbBase
try:
    base = LmdbBase.open(sys.argv[1], ["exact", "ordered"])
    print(len(list(base.items(0))))
except StorageError as error:
    print(error.code)
"""


class TestLmdbBase:
    """What only the compiled one does."""

    def test_a_page_that_was_lost_is_found_and_never_read_as_fewer_rows(
        self, tmp_path: Path
    ) -> None:
        store = tmp_path / "store"
        rows = len(fill(open_native, store, 600))
        assert damage(store) == []
        data = store / "data.mdb"
        whole = data.read_bytes()
        ends = set()
        for page in range(2, 14):
            data.write_bytes(whole[: page * 4_096] + bytes(4_096) + whole[page * 4_096 + 4_096 :])
            done = subprocess.run(
                [sys.executable, "-c", READ_ALL, str(store)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode == -signal.SIGABRT:
                assert "stored data is damaged" in done.stderr
                ends.add("ended")
            else:
                assert done.returncode == 0
                ends.add(done.stdout.strip())
            if done.stdout.strip() != str(rows):
                assert damage(store) != []
        assert ends <= {"ended", "store.corrupt", str(rows)}
        assert len(ends) > 1, "a page in use was among them"

    def test_the_file_stays_ahead_of_the_data_by_a_bounded_way(self, tmp_path: Path) -> None:
        base = open_native(tmp_path / "store")
        small = base.info()["file_bytes"]
        assert small < 1 << 20, "a store without data takes no room ahead"
        for turn in range(30):
            rows = {bytes([turn, n]) * 4: os.urandom(3_000) for n in range(100)}
            base.apply(changes(rows))
            info = base.info()
            assert info["used_bytes"] < info["file_bytes"] <= 2 * info["used_bytes"] + (1 << 20)
        base.close()

    def test_pages_given_up_are_counted_and_used_again(self, tmp_path: Path) -> None:
        base = open_native(tmp_path / "store")
        rows = {n.to_bytes(9, "big"): bytes(500) for n in range(2_000)}
        base.apply(changes(rows))
        base.apply(changes(gone=tuple(rows)))
        given_up = base.info()
        assert given_up["free_pages"] > 100
        base.apply(changes({b"\0": b"x"}))  # what the last write gave up is free from here on
        base.apply(changes(rows))
        again = base.info()
        assert again["free_pages"] < given_up["free_pages"]
        assert again["used_bytes"] < 1.3 * given_up["used_bytes"]
        assert again["readers"] <= 2
        base.close()

    def test_a_child_process_cannot_use_nor_hurt_its_parents_base(self, tmp_path: Path) -> None:
        base = open_native(tmp_path / "store")
        base.apply(changes({b"key": b"value"}))
        child = os.fork()
        if child == 0:
            refusals = 0
            for use in (lambda: base.value(0, b"key"), lambda: base.apply(changes({b"a": b"b"}))):
                try:
                    use()
                except StorageError:
                    refusals += 1
            base.close()
            os._exit(5 + refusals)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        base.apply(changes({b"more": b"value"}))
        assert dict(base.items(0)) == {b"key": b"value", b"more": b"value"}
        base.close()


def test_a_wheel_that_was_not_tested_is_not_used_and_a_warning_says_so(tmp_path: Path) -> None:
    facts = tmp_path / "path/lmdb-9.9.9.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: lmdb\nVersion: 9.9.9\n")
    program = (
        "import sys, warnings\n"
        "warnings.simplefilter('error')\n"
        "from router.queue._lmdb import LmdbBase\n"
        "try:\n"
        "    LmdbBase.open(sys.argv[1], ['a'])\n"
        "except RuntimeWarning as warning:\n"
        "    print(warning)\n"
        "warnings.simplefilter('ignore')\n"
        "base = LmdbBase.open(sys.argv[1], ['a'])\n"
        "print(type(base).__name__, list(base.items(0)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "store")],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "path")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "lmdb 9.9.9 is not among those tested: 3.0.0" in done.stdout
    assert "PyLmdbBase []" in done.stdout


def test_closing_waits_for_those_inside_and_lets_nobody_in_afterwards() -> None:
    gate = Gate()
    entered, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with gate.inside():
            entered.set()
            leave.wait()

    inside = threading.Thread(target=stay)
    inside.start()
    entered.wait()
    with gate.inside():
        pass  # several at once
    closing = threading.Thread(target=gate.shut)
    closing.start()
    closing.join(0.05)
    assert closing.is_alive()
    leave.set()
    inside.join()
    closing.join()
    with pytest.raises(ClosedError), gate.inside():
        pass
