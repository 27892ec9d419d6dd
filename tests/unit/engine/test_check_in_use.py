"""A check of an engine in use says what is wrong with it, and never that it is being used."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.office import Office
from support.stores import AT, GroupBox, LogBox, acceptance

from router.queue import segments
from router.queue.backup import check_in_use
from router.queue.check import MovedError, check_store
from router.queue.queue import Queue

UNIT = "H22.31"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path / "data")
    for _ in range(30):
        office.send()
    yield office
    office.engine.close()


@contextmanager
def busy(office: Office) -> Iterator[None]:
    """Let another thread send and take within the block; it must have done so at the end."""
    over, begun = threading.Event(), threading.Event()
    done: list[int] = []

    def work() -> None:
        while not over.is_set():
            office.send()
            handed = [one.delivery for one in office.lease(UNIT, 5)]
            done.append(len(office.engine.acknowledge(UNIT, handed)))
            begun.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        over.set()
        thread.join()
    assert any(done)


def test_what_is_written_meanwhile_is_no_damage(office, tmp_path):
    with busy(office):
        for _ in range(3):
            assert office.engine.check() == []
    assert office.engine.check() == []
    assert list((tmp_path / "data").glob("checking-*")) == []


def test_damage_is_found_beside_writers(office, tmp_path):
    office.reopen()  # what is damaged must lie below the checkpoint, or nobody wrote it yet
    segment = tmp_path / "data" / "log" / segments.name_of(1)
    data = bytearray(segment.read_bytes())
    data[5_000] ^= 1
    segment.write_bytes(data)
    with busy(office):
        found = office.engine.check()
    assert any("00000001.seg" in line for line in found), found
    assert list((tmp_path / "data").glob("checking-*")) == []


def test_what_a_killed_check_left_is_taken_away(office, tmp_path):
    left = tmp_path / "data" / "checking-left"
    (left / "store").mkdir(parents=True)
    (left / "store" / "data.mdb").write_bytes(b"x")
    with busy(office):
        assert office.engine.check() == []
    assert not left.exists()


def test_a_store_that_was_written_to_while_it_was_looked_at_is_not_judged(tmp_path):
    queue = Queue(LogBox(tmp_path / "data").open())
    queue.accept([acceptance(1, [5])])
    record = queue.store.record
    written = iter(range(2, 4))

    def writes(sequence: int) -> bytes | None:
        for number in written:
            queue.accept([acceptance(number, [5])])
        return record(sequence)

    class Busy:
        """The store, to which another writes while the log is read."""

        record = staticmethod(writes)

        def __getattr__(self, name: str) -> object:
            return getattr(queue.store, name)

    with pytest.raises(MovedError):
        check_store(Busy())  # type: ignore[arg-type]
    assert check_store(queue.store) == []
    queue.close()


def test_a_store_without_a_log_of_segments_is_copied_too(tmp_path, monkeypatch):
    queue = Queue(GroupBox(tmp_path / "data").open())
    looks: list[int] = []

    def moved() -> list[str]:
        looks.append(1)
        raise MovedError

    monkeypatch.setattr(queue, "check", moved)
    assert check_in_use(queue, AT) == []
    assert looks == [1]
    assert not list((tmp_path / "data").glob("checking-*"))
    queue.close()
