"""What every base must do: in memory, in LMDB and over py-lmdb.

A base that loses a row or mixes two states in one reading costs documents that were
acknowledged: the log before its checkpoint is gone.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest
from support.bases import TABLES, Rows, changes

from router.errors import ClosedError, StorageError
from router.limits import BASE_PAGE_ROWS
from router.queue._base import Base, MemoryBase
from router.queue._lmdb import LmdbBase
from router.queue._lmdb_calls import PROBLEM, WHEELS_TESTED
from router.queue._pylmdb import PyLmdbBase
from router.queue.environment import Gate


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
        [sys.executable, "-P", "-c", program, str(tmp_path / "store")],
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
