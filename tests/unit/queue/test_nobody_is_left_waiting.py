"""Closing, forking and a clock that is set leave nobody waiting, and nothing half done.

A caller that had queued documents waited for ever when the store was closed or opened again
before its turn; a checkpoint that went on while its store was closed wrote into memory given
back; a forked child went on holding the directory of its dead parent, and could write into the
parent's log; and a clock set back by an hour kept leases unflushed for as long.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import pytest
from support.stores import AT, SECOND, acceptance, member_of, topics_for

from router.errors import ClosedError
from router.queue import GroupStore, LogStore, Queue
from router.queue.memory_store import MemoryDisk, MemoryStore
from router.queue.records import RoomRecord, encode_acceptance, encode_room

TESTS = Path(__file__).parents[2]


def program(source, *arguments, **options):
    """Start a program of its own that finds the tests' support."""
    return subprocess.Popen(
        [sys.executable, "-P", "-c", textwrap.dedent(source), str(TESTS), *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options,
    )  # fmt: skip


def opened(kind, path):
    if kind == "memory":
        return MemoryStore(MemoryDisk())
    store = LogStore if kind == "log" else GroupStore
    return store.open(path / "data", clock_us=AT)


@pytest.mark.parametrize("kind", ["log", "group", "memory"])
def test_who_queued_and_left_is_told_when_the_store_closes_first(kind, tmp_path):
    store = opened(kind, tmp_path)
    numbers = [store.enqueue([encode_acceptance(acceptance(n, [5]))]) for n in range(3)]
    store.close()
    assert store.completed() == [(number, None) for number in numbers]
    assert store.sizes()["in_line"] == 0
    with pytest.raises(ClosedError):
        store.enqueue([b"x"])


def test_who_queued_and_left_is_told_when_the_store_is_opened_again(tmp_path):
    store = opened("log", tmp_path)
    number = store.enqueue([encode_acceptance(acceptance(1, [5]))])
    renewed = store.renew(clock_us=AT)
    assert store.completed() == [(number, None)]
    assert renewed.last == 0
    renewed.close()


def test_a_store_closes_only_when_a_checkpoint_of_another_thread_has_ended(tmp_path):
    source = """
        import subprocess, sys, threading, time
        sys.path.insert(0, sys.argv[1])
        from pathlib import Path
        from support.stores import AT, acceptance
        from unit.queue.test_backpressure import HeldCheckpoint
        from router.queue import LogStore, Queue
        path = Path(sys.argv[2])
        store = LogStore.open(path, clock_us=AT)
        Queue(store).accept([acceptance(n, [5]) for n in range(200)])
        held = HeldCheckpoint(path)
        checkpoint = threading.Thread(target=store.checkpoint)
        checkpoint.start()
        time.sleep(0.3)  # it is most likely waiting for LMDB now; either way must be fine
        threading.Timer(0.5, held.release).start()
        store.stop()
        store.shut(clean=False)
        print("shut", checkpoint.is_alive() and store.sizes()["checkpoints"] == 0)
        checkpoint.join()
        print("fine")
    """
    process = program(source, tmp_path / "data", text=True)
    said, _ = process.communicate()
    assert (process.returncode, said.split()) == (0, ["shut", "False", "fine"])


@pytest.mark.parametrize("kind", ["LogStore", "GroupStore"])
def test_a_child_does_not_hold_the_directory_when_its_parent_has_died(kind, tmp_path):
    source = """
        import os, sys
        import router.queue
        store = getattr(router.queue, sys.argv[3]).open(sys.argv[2], clock_us=1)
        if not os.fork():
            os.write(1, b"child\\n")
            sys.stdin.read()
            os._exit(0)
        os.write(1, b"parent\\n")
        sys.stdin.readline()
        os._exit(0)  # without closing, as when it is killed
    """
    process = program(source, tmp_path / "data", kind)
    assert {process.stdout.readline(), process.stdout.readline()} == {b"child\n", b"parent\n"}
    process.kill()
    process.wait()
    next_owner = opened("log" if kind == "LogStore" else "group", tmp_path)
    next_owner.close()
    process.stdin.close()
    process.stdout.close()


def test_a_child_finds_the_store_closed_and_writes_nothing_into_the_log(tmp_path):
    store = opened("log", tmp_path)
    Queue(store).accept([acceptance(1, [5])])
    large = [encode_room(RoomRecord("x", bytes(900_000), AT, 0, "x"))] * 8
    child = os.fork()
    if not child:
        try:
            store.append_raw(large)
        except ClosedError:
            os._exit(7)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    shutil.copytree(tmp_path / "data", tmp_path / "copy")  # what a power cut would leave
    copy = LogStore.open(tmp_path / "copy", clock_us=AT)
    assert copy.last == 1
    copy.close()
    Queue(store).accept([acceptance(2, [5])])
    store.close()


def test_a_child_may_own_the_directory_after_its_parent_gave_it_up(tmp_path):
    store = opened("log", tmp_path)
    gone, closed = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(closed)
            os.read(gone, 1)
            LogStore.open(tmp_path / "data", clock_us=AT).close()
            os._exit(7)
        finally:
            os._exit(1)
    store.close()
    os.close(closed)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    os.close(gone)


SET_BACK = """
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <time.h>
    int clock_gettime(clockid_t clock, struct timespec *now) {
        int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
        int status = real(clock, now);
        if (clock == CLOCK_REALTIME) now->tv_sec += 3600;  /* it is set back right after */
        return status;
    }
"""


def test_a_clock_that_is_set_back_delays_no_flush(tmp_path):
    (tmp_path / "clock.c").write_text(SET_BACK)
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "gcc").split()[0]
    library = tmp_path / "clock.so"
    subprocess.run(
        [compiler, "-fPIC", "-shared", "-o", library, tmp_path / "clock.c", "-ldl"], check=True
    )
    source = """
        import os, sys
        sys.path.insert(0, sys.argv[1])
        from support.stores import AT, SECOND, acceptance, member_of, topics_for
        from support.waiting import until
        from router.queue import LogStore, Queue
        store = LogStore.open(sys.argv[2], clock_us=AT)
        queue = Queue(store)
        queue.accept([acceptance(1, [5])])
        assert queue.lease(5, topics_for(5), member_of(5), 1, AT + SECOND, AT, "x")
        until(lambda: store.durable == 2, 20)
        os._exit(0)
    """
    process = program(source, tmp_path / "data", env={**os.environ, "LD_PRELOAD": str(library)})
    process.communicate()
    assert process.returncode == 0


def test_a_topic_longer_than_any_entry_joins_is_met_by_nobody(tmp_path):
    store = opened("log", tmp_path)
    queue = Queue(store)
    queue.accept([acceptance(1, [5])])
    topics = [*topics_for(5), bytes(200), b"\xff" * 255]
    found = queue.lease(5, topics, member_of(5), 9, AT + SECOND, AT, "x")
    assert len(found) == 1
    store.close()
