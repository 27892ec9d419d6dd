"""Verifies a copy in a process of its own, so that who makes backups is not held up.

Checking millions of records is a loop in Python: within a daemon it would slow every answer.
`python -m router.queue.verifying DIRECTORY INSTANT [rows]` writes what it found as MessagePack.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from router.errors import StorageError
from router.queue.checking import Found, check

_NICE: Final = 10


class _Said(msgspec.Struct):
    """What the other process says: what it found, or the error it met."""

    found: Found | None = None
    code: str = ""
    path: str = ""
    facts: dict[str, str | int] = {}


def verify(path: Path, at: int, *, rows: bool = False) -> Found:
    """Check every page and every record of a copy, and every row if asked: `checking.check`.

    Where no further process can be had it is done here.  Raises what checking raises.
    """
    said = None
    with suppress(OSError, ValueError):  # an embedding program may be no Python to start
        done = subprocess.run(  # noqa: S603 - a module of ours, with arguments of ours
            [sys.executable, "-P", "-m", __name__, str(path), str(at), *["rows"] * rows],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        said = msgspec.msgpack.decode(done.stdout, type=_Said)
    if said is None:
        return check(path, at, rows=rows)
    if said.found is None:
        raise StorageError(said.code, path=said.path, **said.facts)
    return said.found


def main() -> None:
    """Check the directory named by the first argument, as of the instant in the second.

    A third one, “rows”, asks for every row and a replay, too.
    """
    with suppress(OSError):
        os.nice(_NICE)
    try:
        said = _Said(check(Path(sys.argv[1]), int(sys.argv[2]), rows="rows" in sys.argv[3:]))
    except StorageError as error:
        said = _Said(None, error.code, error.path, error.facts)
    sys.stdout.buffer.write(msgspec.msgpack.encode(said))


if __name__ == "__main__":
    main()
