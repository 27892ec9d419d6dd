"""The directory: compiling a snapshot, memory a unit, opening with a reform behind it.

On the national directory of 123,265 units, as imported and after the reform of 1 July
2025.  Compiling starts on both sides from the columns each keeps: ours from all facts ever
learnt, the peer's (numpy) from columns of just the units that are open.
"""

from __future__ import annotations

import statistics
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Final, cast

from router import Engine
from router._core import Hierarchy
from router.directory import Snapshot
from router.engine.state import DIRECTORY
from router.queue import LogStore, Queue, RoomRecord
from vanban_bench.micro._numpy_compile import (
    Compiled,
    Runs,
    columns_of,
    compile_all,
    compile_columns,
)
from vanban_bench.rows import Case, Row, digest_text, measure
from vanban_bench.workloads.reformed import Country, country

SUITE: Final = "directory"


def cases(tiny: bool) -> list[Case]:
    """Return the compilation of both dates."""
    found = []
    for suffix, snapshot in country(tiny).sides():
        found.append(_compile_case(snapshot, f"compile{suffix}", tiny, whole=True))
        found.append(_compile_case(snapshot, f"compile-numbering{suffix}", tiny, whole=False))
    return found


def rows(tiny: bool, rounds: int, directory: Path | None = None) -> Iterator[Row]:
    """Measure compilation, memory and opening; the disk is that of `directory`."""
    for case in cases(tiny):
        yield measure(case, rounds)
    made = country(tiny)
    for suffix, snapshot in made.sides():
        value = snapshot.hierarchy.memory_bytes / len(snapshot)
        yield Row(
            SUITE, f"bytes-per-unit-core{suffix}", value, "bytes", rounds=1,
            note="one compiled snapshot",
        )  # fmt: skip
    yield _process_memory(made)
    yield from _opening(made, rounds, directory or Path.cwd())


def _compile_case(snapshot: Snapshot, name: str, tiny: bool, *, whole: bool) -> Case:
    """Compare compilations; not `whole`: the peer leaves out the runs below each unit."""
    hierarchy = snapshot.hierarchy
    columns = columns_of([_row(hierarchy, position) for position in range(len(snapshot))])
    register, at_us, known = snapshot.known.register, snapshot.valid_from, snapshot.known.count
    less = "" if whole else ", which lays out no runs below units here; we do"

    def digest(compiled: object) -> str:
        if isinstance(compiled, Hierarchy):
            return _digest_of_ours(compiled, whole)
        if isinstance(compiled, Compiled):
            return digest_text(repr(_numbering(compiled)))
        made, children, descendants = cast("tuple[Compiled, Runs, Runs]", compiled)
        return digest_text(repr((_numbering(made), _joined(children), _joined(descendants))))

    return Case(
        suite=SUITE, name=name, unit="ms", peer="python",
        ours=lambda: register.compile(at_us, known),
        theirs=lambda: compile_all(columns) if whole else compile_columns(columns),
        digest=digest, loops_ours=1 if tiny else 5, loops_theirs=1 if tiny else 3,
        note=f"{len(snapshot)} units; the peer is numpy{less}",
    )  # fmt: skip


def _row(hierarchy: Hierarchy, position: int) -> tuple[int, int, int, int]:
    above = hierarchy.parent(position)
    return (
        hierarchy.number(position),
        hierarchy.tier(position),
        hierarchy.kind(position),
        0 if above < 0 else hierarchy.number(above),
    )


def _digest_of_ours(compiled: Hierarchy, whole: bool) -> str:
    places = range(compiled.size)
    numbering = [(compiled.number(place), compiled.parent(place)) for place in places]
    if not whole:
        return digest_text(repr(numbering))
    children = {p: list(runs) for p in places if (runs := compiled.children(p).runs)}
    descendants = {p: list(runs) for p in places if (runs := compiled.descendants(p).runs)}
    return digest_text(repr((numbering, children, descendants)))


def _numbering(made: Compiled) -> list[tuple[int, int]]:
    return list(zip(made.number.tolist(), made.parent.tolist(), strict=True))


def _joined(runs: Runs) -> dict[int, list[tuple[int, int]]]:
    """Return the runs by unit, those that touch made one, as the core keeps them."""
    found: dict[int, list[tuple[int, int]]] = {}
    for unit, start, stop in zip(*(column.tolist() for column in runs), strict=True):
        mine = found.setdefault(unit, [])
        if mine and mine[-1][1] == start:
            mine[-1] = (mine[-1][0], stop)
        else:
            mine.append((start, stop))
    return found


def _process_memory(made: Country) -> Row:
    """Load the directory in a process of its own and read its resident memory."""
    records = b"".join(struct.pack(">I", len(body)) + body for body in made.bodies)
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-P", "-m", "vanban_bench.micro._memory", str(made.after.valid_from)],
        input=records, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    taken, ever, open_ = map(int, done.stdout.split())
    note = (
        f"resident memory of {ever} units ever ({len(made.before)} imported), code look-ups and "
        f"two snapshots ({open_} places), by the units imported"
    )
    value = taken / len(made.before)
    return Row(SUITE, "bytes-per-unit-process", value, "bytes", rounds=1, note=note)


def _opening(made: Country, rounds: int, where: Path) -> Iterator[Row]:
    """Open the engine on a data directory that holds the records, to the first resolution."""
    with tempfile.TemporaryDirectory(prefix="vanban-open-", dir=where) as home:
        path = Path(home) / "data"
        _fill(LogStore.open(path, clock_us=1), made)
        opened, resolved = [], []
        for _ in range(max(rounds, 1)):
            begun = perf_counter()
            engine = Engine.open(path)
            opened.append(perf_counter() - begun)
            found = engine.resolve("tier(province)", at_us=made.after.valid_from, limit=0)
            resolved.append(perf_counter() - begun)
            engine.close()
            assert found.size
    note = f"Engine.open, {len(made.bodies)} records, {len(made.directory)} units ever"
    digest = digest_text(b"".join(made.bodies))
    for name, seconds, words in (
        ("open", opened, note),
        ("open-to-first-answer", resolved, f"{note}; and one selector resolved"),
    ):
        yield Row(
            SUITE, name, statistics.median(seconds), "s", digest=digest, rounds=len(seconds),
            note=words,
        )  # fmt: skip


def _fill(store: LogStore, made: Country) -> None:
    queue = Queue(store)
    queue.append_rooms([RoomRecord(DIRECTORY, body, 1, 0, "bench") for body in made.bodies])
    queue.close()
