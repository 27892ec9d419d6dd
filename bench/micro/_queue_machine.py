"""The machine's memory before a row is measured."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Final

_SHARE: Final = 0.75
_PAGE_BYTES: Final = 4_096


def touch_memory(info: Path = Path("/proc/meminfo")) -> int:
    """Use most of the memory that is free once, and give it back; return how many bytes.

    A virtual machine gets memory from its host page by page, at its first use: a group of 128 KB
    that is the first to use its 32 pages of the page cache took 0.35 ms longer on one such machine.
    That would be counted to whoever's turn it is; on other machines this is done in no time.
    Does nothing where the system does not say how much is free.
    """
    try:
        lines = info.read_text().splitlines()
    except OSError:
        return 0
    free = sum(int(line.split()[1]) * 1_024 for line in lines if line.startswith("MemFree:"))
    size = int(free * _SHARE) // _PAGE_BYTES * _PAGE_BYTES
    if not size:
        return 0
    with mmap.mmap(-1, size) as memory:
        for at in range(0, size, _PAGE_BYTES):
            memory[at] = 1
    return size
