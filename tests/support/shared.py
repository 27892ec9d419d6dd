"""An office whose engine is used through `Engine.connect`, and owners in other processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from support.office import Office

from router.engine import Engine
from router.ports import Store

START_S_MAX = 60.0
_OWNER = """
import pathlib, sys, time
from router.engine import Engine
path = pathlib.Path(sys.argv[1])
end = time.monotonic() + 60
while True:
    try:
        engine = Engine.open(path, share=True)
        break
    except Exception as error:
        if getattr(error, "code", "") != "store.locked" or time.monotonic() > end:
            raise
        time.sleep(0.01)
print("ready", flush=True)
sys.stdin.read()
engine.close()
"""


class SharedOffice(Office):
    """An office that asks the owner of its data directory for everything.

    With `open_store` the owner's engine stands over that store, another durability port's; the
    socket lies in the directory as ever.
    """

    owner: Engine | None = None

    def __init__(self, path: Path, open_store: Callable[[], Store] | None = None) -> None:
        self._path = path
        self._port = open_store
        super().__init__(path)

    def _open(self) -> Engine:
        if self._port is None:
            self.owner = Engine.open(self._path, clock=self.clock, share=True)
        else:
            self._path.mkdir(exist_ok=True)
            self.owner = Engine.over(self._port(), clock=self.clock)
            self.owner._share(self._path)
        return Engine.connect(self._path)

    def reopen(self) -> Engine:
        """Close both sides and open them again."""
        self.close()
        self.engine = self._open()
        return self.engine

    def close(self) -> None:
        """Close both sides."""
        self.engine.close()
        if self.owner is not None:
            self.owner.close()


@dataclass
class Owner:
    """A process that owns a data directory and shares it."""

    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def pause(self) -> None:
        """Stop it without ending it."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> int:
        """Let it close its engine and end; return the exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(30)


@contextlib.contextmanager
def owner(data: Path) -> Iterator[Owner]:
    """Run a process that owns the directory until the block ends; waits for a former owner."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _OWNER, str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(os.environ),
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", "the owner did not start"
        yield Owner(process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()


def wait_until(true: object, seconds: float = START_S_MAX) -> None:
    """Wait until a function says so; fail when it never does."""
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)
