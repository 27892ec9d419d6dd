"""The best Python we found for compiling a snapshot: numpy columns, one pass a level.

It makes what the core makes: the numbering (tier, kind, preorder), parents, subtree
intervals, the runs of each (tier, kind), the look-up from number to position, and the runs
of the children and of the descendants of each unit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Column = np.ndarray[Any, np.dtype[np.int64]]


class Columns(NamedTuple):
    """The open units of a snapshot, a row each: numbers ascending, parent 0 for a root."""

    number: Column
    tier: Column
    kind: Column
    parent: Column


class Runs(NamedTuple):
    """Runs in order of the unit (a position) that they belong to."""

    unit: Column
    start: Column
    stop: Column


class Compiled(NamedTuple):
    """The columns of a snapshot by position.

    Stable number, parent's position (-1: none), place in preorder and the preorder just
    past the subtree; `blocks` holds where each (tier, kind) begins.
    """

    number: Column
    parent: Column
    preorder: Column
    subtree_stop: Column
    blocks: Column
    position_of: Column


def columns_of(rows: list[tuple[int, int, int, int]]) -> Columns:
    """Turn (number, tier, kind, parent) rows, in any order, into columns."""
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    table = table[np.argsort(table[:, 0], kind="stable")]
    number, tier, kind, parent = (np.ascontiguousarray(table[:, i]) for i in range(4))
    return Columns(number, tier, kind, parent)


def compile_columns(given: Columns) -> Compiled:
    """Compile a snapshot; roots and siblings go by ascending number."""
    count = len(given.number)
    index = np.full(int(given.number[-1]) + 1, -1, dtype=np.int64)
    index[given.number] = np.arange(count)
    above = np.where(given.parent > 0, index[given.parent], -1)
    levels = _levels(above, count)
    sizes = np.ones(count, dtype=np.int64)
    for level in reversed(levels[1:]):
        np.add.at(sizes, above[level], sizes[level])
    preorder = np.zeros(count, dtype=np.int64)
    roots = levels[0]
    preorder[roots] = np.cumsum(sizes[roots]) - sizes[roots]
    for level in levels[1:]:
        order = level[np.argsort(above[level], kind="stable")]
        parents = above[order]
        before = np.cumsum(sizes[order]) - sizes[order]
        first = np.flatnonzero(np.r_[True, parents[1:] != parents[:-1]])
        base = np.repeat(before[first], np.diff(np.r_[first, len(order)]))
        preorder[order] = preorder[parents] + 1 + before - base
    key = (given.tier << 48) | (given.kind << 32) | preorder
    order = np.argsort(key, kind="stable")
    position = np.empty(count, dtype=np.int64)
    position[order] = np.arange(count)
    parent = np.where(above[order] >= 0, position[above[order]], -1)
    blocks = np.flatnonzero(np.r_[True, (key[order] >> 32)[1:] != (key[order] >> 32)[:-1]])
    by_number = np.where(index >= 0, position[index], -1)
    starts = preorder[order]
    return Compiled(given.number[order], parent, starts, starts + sizes[order], blocks, by_number)


def runs_of_children(made: Compiled) -> Runs:
    """Return the runs of the units directly below each one."""
    below = np.flatnonzero(made.parent >= 0)
    below = below[np.argsort(made.parent[below], kind="stable")]
    above = made.parent[below]
    begins = np.r_[True, (above[1:] != above[:-1]) | (below[1:] != below[:-1] + 1)]
    first = np.flatnonzero(begins)
    last = np.r_[first[1:], len(below)] - 1
    return Runs(above[first], below[first], below[last] + 1)


def runs_of_descendants(made: Compiled) -> Runs:
    """Return the runs of all units below each one: at most one in each (tier, kind)."""
    units = np.flatnonzero(made.subtree_stop - made.preorder > 1)
    found = []
    for start, stop in zip(made.blocks, np.r_[made.blocks[1:], len(made.number)], strict=True):
        places = made.preorder[start:stop]
        low = np.searchsorted(places, made.preorder[units] + 1)
        high = np.searchsorted(places, made.subtree_stop[units])
        some = high > low
        found.append((units[some], start + low[some], start + high[some]))
    unit, begin, end = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.argsort(unit, kind="stable")
    return Runs(unit[order], begin[order], end[order])


def compile_all(given: Columns) -> tuple[Compiled, Runs, Runs]:
    """Compile a snapshot with the runs below each unit, as the core does."""
    made = compile_columns(given)
    return made, runs_of_children(made), runs_of_descendants(made)


def _levels(above: Column, count: int) -> list[Column]:
    """Return the units of each depth, ascending; raise ValueError for a cycle."""
    depth = np.zeros(count, dtype=np.int64)
    up = above.copy()
    deepest = 0
    while (up >= 0).any():
        depth[up >= 0] += 1
        deepest += 1
        if deepest > count:
            raise ValueError("a unit is its own ancestor")
        up = np.where(up >= 0, above[up], -1)
    return [np.flatnonzero(depth == level) for level in range(int(depth.max()) + 1)]
