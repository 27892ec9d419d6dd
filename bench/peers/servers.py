"""Starting a server's program in a folder of its own, and ending it."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from vanban_bench.peers.base import PeerMissingError

_START_S: Final = 30.0
_STOP_S: Final = 30.0


def program(name: str, *folders: str) -> str:
    """Return the path of a program.  Raises `PeerMissingError`.

    It is looked for on the PATH, then in folders given as patterns (the newest wins).
    """
    found = shutil.which(name)
    for pattern in folders:
        for folder in sorted(Path("/").glob(pattern.lstrip("/"))):
            if (folder / name).exists():
                found = str(folder / name)
    if found is None:
        raise PeerMissingError(f"the program {name} is not installed")
    return found


class Server:
    """One process, its short folder for a socket, and its end."""

    def __init__(self, *, as_other: Sequence[str] = ()) -> None:
        """Make the folder of the socket.

        `as_other` names users, one of whom the process must become when we are root (some
        programs refuse to run as root); none: it runs as we do.  Raises `PeerMissingError`.
        """
        self.user: str | None = None
        if as_other and os.geteuid() == 0:
            self.user = next((name for name in as_other if _exists(name)), None)
            if self.user is None:
                raise PeerMissingError(f"it can't run as root, and no user {as_other[0]} is here")
        # The path of a socket has at most 107 bytes, so it can't lie in a deep folder.
        self.sockets = Path(tempfile.mkdtemp(prefix="vanban-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.own(self.sockets)

    def own(self, path: Path) -> None:
        """Give a folder to the user of the process; those above must let it pass.

        Raises `PeerMissingError` when they don't.
        """
        if self.user is None:
            return
        shutil.chown(path, self.user)
        done = subprocess.run(  # noqa: S603 - a fixed program
            ["/usr/bin/test", "-w", path], user=self.user, cwd="/", check=False
        )
        if done.returncode:
            raise PeerMissingError(
                f"it must run as {self.user}, who can't write where the data lie"
            )

    def run(self, command: Sequence[str], ready: Callable[[], bool]) -> None:
        """Start the process and wait until `ready`.  Raises RuntimeError when it ends or hangs."""
        self._process = subprocess.Popen(  # noqa: S603 - a program found on this machine
            [*_dying_with_us(), *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, user=self.user, cwd="/", env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
        end = time.monotonic() + _START_S
        while not ready():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{command[0]} did not start")
            time.sleep(0.02)

    def call(self, command: Sequence[str]) -> None:
        """Run a command as the user of the process.  Raises CalledProcessError."""
        subprocess.run(  # noqa: S603 - a program found on this machine
            list(command), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, user=self.user, cwd="/", env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip

    def stop(self) -> None:
        """End the process (that one only), wait for it, remove the socket; idempotent."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.sockets, ignore_errors=True)


def _dying_with_us() -> list[str]:
    """Return what makes the kernel end the process when we are killed: setpriv, if it is here."""
    found = shutil.which("setpriv")
    return [] if found is None else [found, "--pdeathsig", "TERM"]


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
