"""The floor: what the disk gives to a log that checks nothing and finds nothing again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from vanban_bench.workloads.queue_documents import Group, Reader

_ZEROS: Final = bytes(1 << 20)


class LogFloor:
    """A file filled with zeros ahead; a group is one `pwrite` and one `fdatasync`.

    When the file is full it starts again at its beginning, so it takes no more disk than
    `file_bytes` and never grows within a measurement.  No checksum, no index, no duplicate
    check: the least that a durable group costs.
    """

    name = "log-floor"
    durability = "power loss; 1 fdatasync a group; no checks, no index"

    def __init__(self, file_bytes: int = 256 << 20) -> None:
        self._file_bytes = file_bytes
        self._file = -1
        self._offset = 0

    def start(self, home: Path) -> None:
        """Nothing is needed."""

    def stop(self) -> None:
        """Nothing was started."""

    def open(self, path: Path) -> None:
        """Make the file, filled with zeros and flushed."""
        path.mkdir(exist_ok=True)
        self._file = os.open(path / "log", os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600)
        for offset in range(0, self._file_bytes, len(_ZEROS)):
            os.pwrite(self._file, _ZEROS, offset)
        os.fsync(self._file)
        self._offset = 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def accept(self, group: Group) -> None:
        """Write the records of a group behind each other, and flush."""
        self._append(group.records[0] if len(group.records) == 1 else b"".join(group.records))

    def drain(self, reader: Reader, limit: int) -> list[bytes]:
        """Nothing can be found again here.  Raises NotImplementedError."""
        raise NotImplementedError("a bare log has no recipients")

    def rest(self) -> None:
        """Nothing was put off."""

    def bytes_used(self) -> int:
        """Return the size of the file."""
        return self._file_bytes

    def read(self, size: int) -> bytes:
        """Return the first bytes of the file, as they lie on the disk."""
        return os.pread(self._file, size, 0)

    def _append(self, data: bytes) -> None:
        if self._offset + len(data) > self._file_bytes:
            self._offset = 0
        os.pwrite(self._file, data, self._offset)
        os.fdatasync(self._file)
        self._offset += len(data)
