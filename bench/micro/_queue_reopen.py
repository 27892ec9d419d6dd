"""The row of opening again: after `kill -9`, with nothing of the files in memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vanban_bench.micro._queue_slices import Scale
from vanban_bench.micro._queue_world import World
from vanban_bench.rows import DigestMismatchError, Row, digest_text

SUITE: Final = "queue"
_CHILD: Final = (sys.executable, "-P", "-m", "vanban_bench.micro._queue_child")
_FIRST: Final = 700_000_000_000
_ADDED: Final = 50_000
_DROP: Final = Path("/proc/sys/vm/drop_caches")


def rows(world: World, scale: Scale) -> Iterator[Row]:
    """Kill a process that accepts into the world, drop the page cache, open; some times.

    The world's store is closed first and stays closed.
    """
    before = world.store.documents()
    world.store.close()
    added = 64 if scale.tiny else _ADDED
    opened, answered = [], []
    dropped = False
    for turn in range(scale.slices):
        _fill_and_kill(world.path, _FIRST + turn * 1_000_000_000, added)
        dropped = drop_cache(world.path, whole=not scale.tiny)
        text = subprocess.run(  # noqa: S603 - our own module
            [*_CHILD, "open", str(world.path)], stdout=subprocess.PIPE, check=True
        ).stdout
        one, two, count = text.split()
        before, documents = before + added, int(count)
        if documents < before:
            raise DigestMismatchError(f"{SUITE}: {documents} documents after a kill, not {before}")
        before = documents
        opened.append(float(one))
        answered.append(float(two))
    how = "posix_fadvise" + (" and drop_caches" if dropped else ", not drop_caches")
    note = (
        f"{world.note}; killed while accepting, at least {added} documents after opening; page "
        f"cache dropped by {how}"
    )
    digest = digest_text(str(before))
    for name, found, words in (
        ("reopen", opened, note), ("reopen-to-first-answer", answered, f"{note}; counts asked"),
    ):  # fmt: skip
        yield Row(SUITE, name, statistics.median(found), "s", digest=digest, rounds=len(found),
                  note=words)  # fmt: skip


def drop_cache(path: Path, *, whole: bool) -> bool:
    """Take the files of a folder out of the page cache.

    `whole`: the rest of the machine's cache too, where we may; returns whether that was done.
    """
    for file in path.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
                os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if not whole:
        return False
    os.sync()
    try:
        _DROP.write_text("1")
    except OSError:
        return False
    return True


def _fill_and_kill(path: Path, first: int, count: int) -> None:
    command = [*_CHILD, "fill", str(path), str(first), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:  # noqa: S603 - our own module
        assert child.stdout is not None
        line = child.stdout.readline()
        child.kill()
    if line.strip() != b"ready":
        raise RuntimeError("the process that fills the store ended early")
