"""Resolving a broadcast: the compiled core against Python sets.

The set is "all communes except one district's, plus all provinces", asked for many
districts in turn, on a synthetic country of the size of 2024 (63 provinces, 705 districts,
10,632 communes).  Both sides have everything prepared that does not depend on the district:
we the compiled hierarchy and programs, the peer its sets of communes, provinces and each
district's communes.  Nothing is remembered between calls; the digest is over the last answer's
members and the sizes of all.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from typing import Final, cast

from router import _core
from vanban_bench.rows import Case

PROVINCES: Final = 63
DISTRICTS: Final = 705
COMMUNES: Final = 10_632
PROVINCE, DISTRICT, COMMUNE = 2, 3, 4
DISTRICTS_ASKED: Final = 64

Row = tuple[int, int, int, int]


def country(tiny: bool = False) -> list[Row]:
    """Return (number, tier, kind, parent) rows: districts and communes dealt out in turn."""
    provinces, districts, communes = (4, 12, 60) if tiny else (PROVINCES, DISTRICTS, COMMUNES)
    rows: list[Row] = [(1 + i, PROVINCE, 1, 0) for i in range(provinces)]
    first = provinces + 1
    rows += [(first + i, DISTRICT, 1, 1 + i % provinces) for i in range(districts)]
    below = first + districts
    rows += [(below + i, COMMUNE, 1, first + i % districts) for i in range(communes)]
    return rows


def broadcast(hierarchy: _core.Hierarchy, district: int) -> _core.Program:
    """Compile the selector `tier(commune) - children(DISTRICT) | tier(province)`."""
    return _core.Program(
        [
            (_core.OP_TIER, COMMUNE, 0),
            (_core.OP_UNIT, hierarchy.position(district), 0),
            (_core.OP_CHILDREN, 0, 0),
            (_core.OP_DIFFERENCE, 0, 0),
            (_core.OP_TIER, PROVINCE, 0),
            (_core.OP_UNION, 0, 0),
        ]
    )


def _digest(members: Sequence[int], total: int) -> str:
    return hashlib.sha256(array("I", members).tobytes()).hexdigest() + f"/{total}"


def cases(tiny: bool) -> list[Case]:
    """Return the one case, `resolve/broadcast`, timed in microseconds a set."""
    rows = country(tiny)
    hierarchy = _core.Hierarchy(rows)
    asked = [row[0] for row in rows if row[1] == DISTRICT][:: 3 if tiny else 11][:DISTRICTS_ASKED]
    programs = [broadcast(hierarchy, district) for district in asked]
    provinces = frozenset(row[0] for row in rows if row[1] == PROVINCE)
    communes = frozenset(row[0] for row in rows if row[1] == COMMUNE)
    excluded = [frozenset(row[0] for row in rows if row[3] == district) for district in asked]

    def ours() -> object:
        return hierarchy.evaluate_batch(programs)

    def theirs() -> object:
        # Copying and taking away is several times as fast here as `communes - below`.  Only
        # the last answer is kept: keeping all would charge the peer for fresh pages.
        total = 0
        for below in excluded:
            answer = set(communes)
            answer -= below
            answer |= provinces
            total += len(answer)
        return answer, total

    def digest(answers: object) -> str:
        if isinstance(answers, list):
            batch = cast("list[_core.Audience]", answers)
            return _digest(hierarchy.numbers(batch[-1]), sum(map(len, batch)))
        last, total = cast("tuple[set[int], int]", answers)
        return _digest(sorted(last), total)

    return [
        Case(
            suite="resolve",
            name="broadcast",
            unit="us",
            peer="sets",
            ours=ours,
            theirs=theirs,
            digest=digest,
            loops_ours=1 if tiny else 500,
            items=len(asked),
            note="one set; all communes but one district's, plus all provinces",
        )
    ]
