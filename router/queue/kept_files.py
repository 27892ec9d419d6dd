"""Small files kept beside the log: what can be had again, but should survive a restart.

    DIR/NAME.KIND    magic, SHA-256 of the content, content

Nothing rests on these files: who reads them judges the content anew.  Each is written whole or
not at all, all of them are bounded in number and bytes, and what is damaged or not ours is left
alone and said in the log.  A disk that is full costs the next start some fetching, so writing
never raises.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from router.queue.datadir import write_whole

_log: Final = logging.getLogger("router.queue")
_MAGIC: Final = b"vanban-kept-1\n"
_DIGEST_BYTES: Final = 32
_HEAD_BYTES: Final = len(_MAGIC) + _DIGEST_BYTES
_NAME: Final = re.compile(r"[0-9a-f]{1,64}\.[a-z]{1,8}")
_DRAFT: Final = ".new"
"""As `write_whole` calls what it has not finished."""


class KeptFiles:
    """The files of one directory, made when the first is written; thread-safe.

    `bytes_max` and `files_max` bound all of them, `file_bytes_max` each.
    """

    def __init__(
        self, directory: Path, *, bytes_max: int, files_max: int, file_bytes_max: int
    ) -> None:
        self._directory = directory
        self._bytes_max = bytes_max
        self._files_max = files_max
        self._file_bytes_max = file_bytes_max
        self._lock = threading.Lock()  # guards _sizes and the directory
        self._sizes: dict[str, int] = {}

    @property
    def held_bytes(self) -> int:
        """Bytes of all files that were read or written by this object."""
        with self._lock:
            return sum(self._sizes.values())

    def read_all(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield (name, kind, content) of each whole file, the oldest first.

        What an interrupted writing left is removed.
        """
        for name in self._found():
            content = self._read(name)
            if content is None:
                continue
            with self._lock:
                self._sizes[name] = _HEAD_BYTES + len(content)
            stem, _, kind = name.partition(".")
            yield stem, kind, content

    def put(self, name: str, kind: str, content: bytes) -> bool:
        """Write a file, or another one in its place; return whether it is kept.

        `name` is hexadecimal, `kind` a short word.  The oldest make room where the bounds
        are met; a file over its own bound, or that the disk refuses, is not kept.
        """
        file = f"{name}.{kind}"
        if not _NAME.fullmatch(file):
            raise ValueError("a kept file has a hexadecimal name and a short kind")
        if len(content) > self._file_bytes_max:
            return False
        framed = _MAGIC + hashlib.sha256(content).digest() + content
        with self._lock:
            try:
                self._directory.mkdir(mode=0o700, exist_ok=True)
                self._make_room(file, len(framed))
                write_whole(self._directory / file, framed)
            except OSError as error:
                _log.warning("%s can't be kept: %s", file, error.strerror)
                return False
            self._sizes.pop(file, None)
            self._sizes[file] = len(framed)
        return True

    def drop(self, name: str, kind: str) -> None:
        """Remove a file, where there is one."""
        with self._lock:
            self._remove(f"{name}.{kind}")

    def _make_room(self, file: str, size: int) -> None:
        others = {name: held for name, held in self._sizes.items() if name != file}
        held = sum(others.values())
        for name, gone in tuple(others.items()):
            if len(others) < self._files_max and held + size <= self._bytes_max:
                break
            self._remove(name)
            del others[name]
            held -= gone

    def _remove(self, file: str) -> None:
        self._sizes.pop(file, None)
        try:
            (self._directory / file).unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s can't be removed: %s", file, error.strerror)

    def _found(self) -> list[str]:
        """Return the names that are ours, the oldest file first."""
        aged = []
        try:
            with os.scandir(self._directory) as entries:
                for entry in entries:
                    if _NAME.fullmatch(entry.name.removesuffix(_DRAFT)) and entry.name.endswith(
                        _DRAFT
                    ):
                        self._remove(entry.name)
                    elif _NAME.fullmatch(entry.name):
                        aged.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.name))
                    else:
                        _log.warning("%r is no kept file and is left alone", entry.name)
        except FileNotFoundError:
            return []
        except OSError as error:
            _log.warning("kept files can't be listed: %s", error.strerror)
        aged.sort()
        for _, name in aged[: max(0, len(aged) - self._files_max)]:
            self._remove(name)
        return [name for _, name in aged[-self._files_max :]]

    def _read(self, name: str) -> bytes | None:
        """Return the content of a whole file of ours, or None."""
        place = self._directory / name
        try:
            handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(handle, "rb") as file:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise OSError(0, "no regular file")
                data = file.read(_HEAD_BYTES + self._file_bytes_max + 1)
        except OSError as error:
            _log.warning("kept file %s can't be read: %s", name, error.strerror)
            return None
        content = data[_HEAD_BYTES:]
        digest = hashlib.sha256(content).digest()
        whole = data[:_HEAD_BYTES] == _MAGIC + digest and len(content) <= self._file_bytes_max
        if not whole:
            _log.warning("kept file %s is damaged and not used", name)
            return None
        return content
