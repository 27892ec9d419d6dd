"""What operators are told of disks, damage and places: once, and what is so."""

from __future__ import annotations

import logging
import os
import time

import pytest
from support.stores import AT, acceptance

from router.errors import StorageError
from router.messages import say
from router.queue import backup, forked, segments
from router.queue.backup import back_up
from router.queue.checking import check
from router.queue.guard import SpaceGuard
from router.queue.log_store import LogStore
from router.queue.queue import Queue


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data"
    queue = Queue(LogStore.open(path, clock_us=AT))
    queue.accept([acceptance(1, [5])])
    queue.close()
    return path


def test_a_process_forked_while_a_backup_is_made_does_not_hold_it(tmp_path):
    making = tmp_path / "b.partial"
    making.mkdir()
    held = backup._held(making)
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    try:
        time.sleep(0.2)  # until the child let go; it had better have done so by then
        forked.let_go(held)
        forked.let_go(backup._held(making))
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


@pytest.mark.parametrize("place", ["file/backup", "file/deep/backup", "x" * 300])
def test_a_backup_where_none_can_be_is_refused_for_what_it_is(data, tmp_path, place):
    (tmp_path / "file").write_bytes(b"")
    store = LogStore.open(data, clock_us=AT)
    try:
        with pytest.raises(StorageError) as refused:
            back_up(store, tmp_path / place, AT)
        assert refused.value.code == "store.no_place"
        assert "daemon" not in str(say(refused.value, "en"))
        Queue(store).accept([acceptance(2, [5])])
    finally:
        store.close()


def test_a_damaged_header_is_told_once_by_the_segments_name(data):
    segment = next(iter(segments.numbers(data / "log")))
    path = data / "log" / segments.name_of(segment)
    whole = bytearray(path.read_bytes())
    whole[20] ^= 1
    path.write_bytes(whole)
    found = check(data, AT)
    assert found.wrong == [f"{path.name}: its header is damaged or another segment's"]
    with pytest.raises(StorageError) as refused:
        LogStore.open(data, clock_us=AT)
    assert refused.value.path == f"log/{path.name}"
    assert "record 0" not in str(refused.value.facts)


def test_a_disk_that_refuses_documents_is_told_of_once_and_when_it_is_over(caplog):
    free, now = [5], [0.0]
    guard = SpaceGuard(lambda: free[0], 10, lambda: now[0])
    with caplog.at_level(logging.INFO, "router.queue"):
        for free[0] in (5, 4, 100, 100):
            guard.look()
            now[0] += 10
    assert [(one.levelname, "5 bytes" in one.getMessage()) for one in caplog.records] == [
        ("WARNING", True), ("INFO", False),
    ]  # fmt: skip
