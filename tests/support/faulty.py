"""Makes chosen file calls of another process fail, while it runs (shim/).

The process maps the same control file: what is set here holds from its next call on.
"""

from __future__ import annotations

import errno
import mmap
import struct
from enum import IntEnum, IntFlag
from pathlib import Path
from types import TracebackType

_CONTROL = struct.Struct("<IIiiqqQQ64s")
_MAGIC = 0x31544C46
_CALLS_AT = 4


class Calls(IntFlag):
    """The calls that can be made to fail, as in shim/."""

    WRITE = 1
    FLUSH = 2
    SIZE = 4
    RESERVE = 8
    OPEN = 16
    """Only such that make a new file."""
    RENAME = 32
    REMOVE = 64


class Action(IntEnum):
    """What becomes of a chosen call."""

    FAIL = 0
    SHORT = 1
    """Half of a write is written, and that is the answer."""
    FULL = 2
    """It fails if it would make the file longer, as on a full disk."""
    LOST = 3
    """A write or flush does nothing and says that it was done: what an engine would make of
    a failure that it does not look at."""
    SLOW = 4
    """It is done after a while: as many milliseconds as `error` says."""


class Faults:
    """The control file of one process.  Use as a context manager."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_CONTROL.pack(_MAGIC, 0, 0, 0, 0, 0, 0, 0, b""))
        self.path = path
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _CONTROL.size)

    def __enter__(self) -> Faults:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._map.close()

    def arm(
        self,
        calls: Calls,
        *,
        error: int = errno.EIO,
        action: Action = Action.FAIL,
        after: int = 0,
        times: int = -1,
        pattern: str = "*",
    ) -> None:
        """Let `times` calls (-1: all) fail with `error`, after so many that still pass.

        `pattern` is of fnmatch(3), on the path below the watched folder; `*` passes slashes.
        """
        self.disarm()
        text = pattern.encode()
        assert len(text) < 64
        self._map[:] = _CONTROL.pack(_MAGIC, 0, error, action, after, times, 0, 0, text)
        struct.pack_into("<I", self._map, _CALLS_AT, calls)

    def disarm(self) -> None:
        """Let every call pass again; the counts stay."""
        struct.pack_into("<I", self._map, _CALLS_AT, 0)

    @property
    def hits(self) -> int:
        """How many calls were made to fail since `arm`."""
        return int(_CONTROL.unpack(self._map[:])[6])

    @property
    def seen(self) -> int:
        """How many calls matched since `arm`, failed or not."""
        return int(_CONTROL.unpack(self._map[:])[7])
