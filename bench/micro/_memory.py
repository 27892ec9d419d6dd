"""Prints what the national directory costs in memory: run in a process of its own.

Reads records (each after its length, 4 bytes) from standard input, and the instant of the
reform as its argument; prints the bytes of resident memory that the directory with its
code look-ups and the snapshots on both sides of the instant took.
"""

from __future__ import annotations

import gc
import os
import resource
import struct
import sys
from pathlib import Path

from router.directory import Directory
from vanban_bench.workloads.reformed import directory_of


def _resident() -> int:
    gc.collect()
    pages = Path("/proc/self/statm")
    if pages.exists():
        return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Measure once."""
    data = sys.stdin.buffer
    bodies = []
    while head := data.read(4):
        bodies.append(data.read(struct.unpack(">I", head)[0]))
    at_us = int(sys.argv[1])
    Directory().snapshot(0)
    before = _resident()
    directory = directory_of(tuple(bodies))
    held = directory.snapshot(at_us - 1), directory.snapshot(at_us)
    for snapshot in held:
        snapshot.list_audiences(["G22"])  # makes its look-ups
    print(_resident() - before, len(directory), sum(map(len, held)))


if __name__ == "__main__":
    main()
