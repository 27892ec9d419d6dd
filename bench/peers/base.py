"""What every side of a measurement of queues can do, ours and the peers'."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from vanban_bench.workloads.queue_documents import Group, Reader


class PeerMissingError(LookupError):
    """The peer's program or package is not installed here; the text says which."""


class DuplicateError(ValueError):
    """A document was given twice under one name (sender, document id, act)."""


class Side(Protocol):
    """One program that accepts documents and hands them out.

    `start` and `stop` bracket everything (a server's process), `open` and `close` one empty
    store; `open` on a path where one was makes it anew.  All calls come from one thread.
    """

    name: str
    durability: str
    """What an accepted document has survived when `accept` returns, in a few words."""

    def start(self, home: Path) -> None:
        """Prepare in the folder `home`.  Raises `PeerMissingError` when it can't run here."""
        ...

    def stop(self) -> None:
        """End what `start` began; idempotent."""
        ...

    def open(self, path: Path) -> None:
        """Make an empty store whose files lie in `path` (a server: in its own folder)."""
        ...

    def close(self) -> None:
        """Close the store."""
        ...

    def accept(self, group: Group) -> None:
        """Store a group of documents in one durable step.  Raises `DuplicateError`."""
        ...

    def drain(self, reader: Reader, limit: int) -> list[bytes]:
        """Lease up to `limit` documents of a recipient, read them, acknowledge them.

        Returns their keys, oldest first.  Both steps are durable where `durability` of the
        side doesn't say otherwise.
        """
        ...

    def rest(self) -> None:
        """Finish what was put off (a checkpoint), so that nothing runs on afterwards."""
        ...

    def bytes_used(self) -> int:
        """Return the bytes its files take, 0 when that is unknown."""
        ...


def bytes_below(path: Path) -> int:
    """Return the bytes of all files below a folder (a file that vanishes counts nothing)."""
    total = 0
    for file in path.rglob("*"):
        try:
            if file.is_file():
                total += file.stat().st_size
        except OSError:
            continue
    return total


def optional(module: str, package: str) -> Any:
    """Return an optional module.  Raises `PeerMissingError` naming its package."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise PeerMissingError(f"the Python package {package} is not installed") from None


def started(sides: Sequence[Side], home: Path) -> tuple[list[Side], list[str]]:
    """Start the sides, each in its folder; return those that run and why others don't."""
    running: list[Side] = []
    missing: list[str] = []
    for side in sides:
        try:
            folder = home / side.name
            folder.mkdir()
            side.start(folder)
        except PeerMissingError as error:
            missing.append(f"{side.name}: {error}")
        except BaseException:
            for one in running:
                one.stop()
            raise
        else:
            running.append(side)
    return running, missing
