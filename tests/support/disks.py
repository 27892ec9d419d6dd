"""Small and read-only file systems, or what comes nearest without the right to mount."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from support.bases import files_at_most

Bound = Callable[[], contextlib.AbstractContextManager[None]]


def _mount(*arguments: str) -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def mounted(place: Path, size: int) -> Iterator[tuple[Path, Bound]]:
    """Yield a file system of that size, and what bounds writing where there is none.

    Without the right to mount, it is a directory, and the bound is one on the size of files.
    """
    place.mkdir()
    if _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)):
        try:
            yield place, contextlib.nullcontext
        finally:
            subprocess.run(["umount", "--lazy", str(place)], check=True)
    else:
        yield place, lambda: files_at_most(size // 8)


@contextlib.contextmanager
def without_writing(disk: Path) -> Iterator[None]:
    """Forbid writing to a file system within the block, or to a directory tree."""
    gc.collect()  # what is closed and still in memory may have files mapped
    if os.path.ismount(disk) and _mount("-o", "remount,ro", str(disk)):
        try:
            yield
        finally:
            assert _mount("-o", "remount,rw", str(disk))
        return
    tree = [disk, *disk.rglob("*")]
    modes = [(one, one.stat().st_mode) for one in tree]
    for one, mode in modes:
        one.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for one, mode in modes:
            one.chmod(mode)
