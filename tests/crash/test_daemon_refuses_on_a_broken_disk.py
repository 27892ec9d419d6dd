"""A daemon whose disk fails refuses with 503 from then on, says so, and recovers by a restart."""

from __future__ import annotations

import errno

import pytest
from support.daemon import found_at
from support.faulty import Action, Calls, Faults
from support.hurt_daemon import Memory, live_and_fail, works_again
from support.preload import environment


@pytest.mark.parametrize(
    ("calls", "error", "action", "times"),
    [
        (Calls.FLUSH, errno.EIO, Action.FAIL, 1),
        pytest.param(Calls.WRITE, errno.ENOSPC, Action.FAIL, 1, marks=pytest.mark.system),
        pytest.param(Calls.WRITE, errno.EIO, Action.SHORT, 1, marks=pytest.mark.system),
        pytest.param(
            Calls.WRITE | Calls.SIZE | Calls.RESERVE,
            errno.ENOSPC,
            Action.FULL,
            -1,
            marks=pytest.mark.system,
        ),
    ],
    ids=["flush", "write", "short", "full"],
)
def test_it_refuses_and_recovers(shim, tmp_path, monkeypatch, calls, error, action, times):
    data = tmp_path / "disk" / "data"
    data.parent.mkdir()
    memory = Memory(found_at(data))
    with Faults(tmp_path / "control") as faults, monkeypatch.context() as patched:
        for name, text in environment(shim, data.parent, control=faults.path).items():
            patched.setenv(name, text)
        live_and_fail(
            data,
            memory,
            lambda _: faults.arm(calls, error=error, action=action, times=times),
            lambda _: faults.disarm(),
            tries=4_000 if action is Action.FULL else 30,  # room made ahead lasts a while
        )
        assert faults.hits
        if action is not Action.SHORT:
            assert memory.refusal == ("store.full" if error == errno.ENOSPC else "store.failed")
    works_again(data, memory)
