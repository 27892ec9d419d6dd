"""libfiu fails the file calls of real processes: nothing that was answered is lost.

The Debian packages fiu-utils and libfiu0 are needed.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from support.daemon import found_at
from support.hurt_daemon import Memory, live_and_fail, works_again
from support.load import Promises, write_script
from support.recording import TESTS, Judge, play_life

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

PRELOADED = [Path("/usr/lib/fiu") / name for name in ("fiu_run_preload.so", "fiu_posix_preload.so")]
PRELOADS = frozenset(("LD_PRELOAD", "FIU_CTRL_FIFO", "FIU_ENABLE"))
POSTS = 60
WHOLE = 10
"""So many are sent before anything fails."""
ROUNDS = 6


@pytest.fixture(autouse=True)
def _libfiu():
    if shutil.which("fiu-run") is None or not all(path.exists() for path in PRELOADED):
        pytest.skip("the Debian packages fiu-utils and libfiu0 are not installed")


@pytest.mark.parametrize(
    ("points", "error"),
    [
        (["posix/io/rw/pwrite", "posix/io/rw/write", "posix/io/rw/writev"], errno.ENOSPC),
        (["posix/io/rw/pwrite", "posix/io/rw/write", "posix/io/rw/pwritev"], errno.EIO),
        (["posix/io/rw/pwrite/reduce", "posix/io/rw/write/reduce", "posix/io/rw/writev/reduce"], 0),
        (["posix/io/sync/fdatasync", "posix/io/sync/fsync"], errno.EIO),
        (["posix/io/sync/fdatasync", "posix/io/sync/fsync"], errno.ENOSPC),
        (["posix/io/rw/ftruncate", "posix/io/dir/rename", "posix/io/dir/unlink"], errno.EIO),
    ],
    ids=["write-full", "write-broken", "short", "flush-broken", "flush-full", "names"],
)
def test_an_engine_under_failing_calls_breaks_no_promise(tmp_path, points, error):
    refused = 0
    for turn in range(ROUNDS):
        folder = tmp_path / str(turn)
        (folder / "disk").mkdir(parents=True)
        script = write_script(folder / "disk" / "data", POSTS, turn)
        whole = play_life(msgspec.structs.replace(script, last=WHOLE), folder, dict(os.environ))
        assert whole.returncode == 0, whole.stderr
        sent = folder / "sent.json"
        sent.write_bytes(
            msgspec.json.encode(msgspec.structs.replace(script, first=WHOLE, last=POSTS - 1))
        )
        share = (0.3, 0.1, 0.03)[turn % 3] if error else 0.3
        wanted = [
            f"enable_random name={one},probability={share},failinfo={error}" for one in points
        ]
        switches = [word for one in wanted for word in ("-c", one)]
        played = subprocess.run(
            ["fiu-run", "-x", "-f", "", *switches, sys.executable, "-P", "-m", "support.load",
             "--play", str(sent)],
            env={**os.environ, "PYTHONPATH": str(TESTS)},
            capture_output=True,
            check=False,
            timeout=120,
        )  # fmt: skip
        assert played.stdout, played.stderr.decode()
        marks = [*whole.stdout.encode().splitlines(), *played.stdout.splitlines()]
        promised = Promises(marks)
        refused += bool(promised.refused)
        assert set(promised.then) <= {"store.failed", "store.full"}
        assert promised.healthy == (not promised.refused)
        with Judge(script, folder) as judge:
            assert judge.problems(folder / "disk" / "data", marks) == []
    if error and not any("ftruncate" in one for one in points):  # names are seldom touched
        assert refused


@pytest.mark.parametrize(
    ("point", "error"),
    [
        ("posix/io/rw/pwrite", errno.ENOSPC),
        ("posix/io/rw/pwrite", errno.EIO),
        ("posix/io/rw/pwrite/reduce", errno.EIO),
        ("posix/io/sync/fdatasync", errno.EIO),
        ("posix/io/sync/fdatasync", errno.ENOSPC),
    ],
)
def test_a_daemon_refuses_and_recovers(tmp_path, monkeypatch, point, error):
    data = tmp_path / "data"
    memory = Memory(found_at(data))
    pipes = tmp_path / "fiu"

    def control(running, command):
        # Not with the library itself preloaded: only the daemon is to meet faults.
        clean = {name: value for name, value in os.environ.items() if name not in PRELOADS}
        subprocess.run(
            ["fiu-ctrl", "-f", str(pipes), "-c", command, str(running.process.pid)],
            check=True, env=clean,
        )  # fmt: skip

    with monkeypatch.context() as patched:
        patched.setenv("LD_PRELOAD", " ".join(map(str, PRELOADED)))
        patched.setenv("FIU_CTRL_FIFO", str(pipes))
        patched.setenv("FIU_ENABLE", "")
        live_and_fail(
            data,
            memory,
            lambda running: control(running, f"enable name={point},failinfo={error}"),
            lambda running: control(running, f"disable name={point}"),
        )
    if "reduce" not in point:
        assert memory.refusal == ("store.full" if error == errno.ENOSPC else "store.failed")
    works_again(data, memory)
