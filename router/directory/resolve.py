"""Resolving selectors in batches: one call of the core for each snapshot a batch needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from router._core import Audience, Program
from router.directory.snapshot import Snapshot
from router.errors import RecipientError, VanbanError
from router.model.units import TIER_NUMBERS
from router.selectors import Node, Skipped, compile_program, parse


class ResolveItem(msgspec.Struct, frozen=True):
    """A selector to resolve at an instant (the issue time).

    `skip`: leave unknown and closed units out instead of refusing; `path` names the field
    the selector stands in, for the error.
    """

    selector: str
    at_us: int
    skip: bool = False
    path: str = "recipients"


class Resolution(msgspec.Struct, frozen=True):
    """Who is meant: the audience under its snapshot, the parsed selector, codes left out."""

    snapshot: Snapshot
    audience: Audience
    node: Node
    skipped: tuple[str, ...] = ()


def resolve_batch(
    items: Sequence[ResolveItem], snapshot_at: Callable[[int], Snapshot]
) -> list[Resolution | VanbanError]:
    """Resolve a batch; each item gets its own answer or its own error, in order.

    Equal selectors of one snapshot are evaluated once.  An audience without members is the
    error `audience.empty`.
    """
    answers: list[Resolution | VanbanError | None] = [None] * len(items)
    jobs: dict[tuple[int, int, str, bool], _Job] = {}
    for index, item in enumerate(items):
        snapshot = snapshot_at(item.at_us)
        key = (*snapshot.identity, item.selector, item.skip)
        job = jobs.get(key)
        if job is None:
            try:
                job = _prepare(snapshot, item)
            except VanbanError as error:
                answers[index] = error
                continue
            jobs[key] = job
        job.asked.append(index)
    for snapshot, group in _by_snapshot(jobs.values()):
        audiences = snapshot.hierarchy.evaluate_batch([job.program for job in group])
        for job, audience in zip(group, audiences, strict=True):
            for index in job.asked:
                answers[index] = job.answer(audience, items[index].path)
    return [answer for answer in answers if answer is not None]


class _Job:
    """One program to evaluate, and the places in the batch that wait for it."""

    def __init__(
        self, snapshot: Snapshot, node: Node, program: Program, skipped: tuple[str, ...]
    ) -> None:
        self.snapshot = snapshot
        self.node = node
        self.program = program
        self.skipped = skipped
        self.asked: list[int] = []

    def answer(self, audience: Audience, path: str) -> Resolution | VanbanError:
        if not audience.size:
            return RecipientError("audience.empty", path=path)
        return Resolution(self.snapshot, audience, self.node, self.skipped)


def _prepare(snapshot: Snapshot, item: ResolveItem) -> _Job:
    try:
        node = parse(item.selector)
        skipped: list[Skipped] | None = [] if item.skip else None
        program = compile_program(node, snapshot, skipped)
    except VanbanError as error:
        raise _placed(error, item.path, snapshot) from error
    return _Job(snapshot, node, program, tuple(left.unit for left in skipped or ()))


def _placed(error: VanbanError, path: str, snapshot: Snapshot) -> VanbanError:
    """Return the error with its path, and with the words that would have been known."""
    facts = dict(error.facts)
    if error.code == "selector.unknown_tier":
        facts["known"] = ", ".join(TIER_NUMBERS)
    elif error.code == "selector.unknown_kind":
        facts["known"] = ", ".join(sorted(snapshot.kinds))
    return type(error)(error.code, path=error.path or path, **facts)


def _by_snapshot(jobs: Iterable[_Job]) -> list[tuple[Snapshot, list[_Job]]]:
    groups: dict[tuple[int, int], tuple[Snapshot, list[_Job]]] = {}
    for job in jobs:
        groups.setdefault(job.snapshot.identity, (job.snapshot, []))[1].append(job)
    return list(groups.values())
