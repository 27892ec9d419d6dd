"""Bases opened either way, and changes for them."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from router.errors import StorageError
from router.queue._base import Base
from router.queue._lmdb import LmdbBase
from router.queue._overlay import Overlay

TABLES = ("exact", "ordered")
Rows = dict[bytes, bytes]


def changes(
    puts: Rows | None = None, gone: tuple[bytes, ...] = (), ordered: Rows | None = None
) -> Overlay:
    overlay = Overlay([False, True])
    for key, value in (puts or {}).items():
        overlay.set(0, key, value)
    for key in gone:
        overlay.delete(0, key)
    for key, value in (ordered or {}).items():
        overlay.set(1, key, value)
    return overlay


def open_native(path: Path, map_bytes: int = 0) -> Base:
    return LmdbBase.open(path, TABLES, map_bytes)


def open_fallback(path: Path, map_bytes: int = 0) -> Base:
    return LmdbBase.open(path, TABLES, map_bytes, fallback=True)


Opener = Callable[..., Base]


def refused(open_base: Opener, path: Path) -> str:
    """Open what cannot be opened, twice: nothing may be left open.  Return the code."""
    codes = set()
    for _ in range(2):
        with pytest.raises(StorageError) as caught:
            open_base(path)
        codes.add(caught.value.code)
    assert not [name for name in files_open() if name.startswith(str(path))]
    assert len(codes) == 1
    return codes.pop()


def files_open() -> list[str]:
    names = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            names.append(str(entry.readlink()))
    return names


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def fill(open_base: Opener, path: Path, rows: int = 2_000) -> Rows:
    model = {number.to_bytes(9, "big"): bytes([number & 255]) * 40 for number in range(rows)}
    made = open_base(path)
    made.apply(changes(model | {b"large": bytes(20_000)}))
    made.close()
    return model | {b"large": bytes(20_000)}
