"""Resolving selectors in batches: one call of the core for each snapshot a batch needs.

Plain lists of codes, the bulk of all recipients, are answered by the snapshot itself when
it can (`list_audiences`); only what is left is parsed and compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from router._core import Audience, Program
from router.directory.snapshot import Snapshot
from router.errors import RecipientError, VanbanError
from router.model.instants import show_instant
from router.selectors import Node, Skipped, compile_selector, instant_of_selector, parse

SnapshotAt = Callable[[int], Snapshot]


class ResolveItem(msgspec.Struct, frozen=True):
    """A selector to resolve at an instant (the issue time).

    `skip`: leave unknown and closed units and empty groups out instead of refusing; `path`
    names the field the selector stands in, for the error; `sender` is the stable number of
    the unit that sends, for selectors that speak of it.
    """

    selector: str
    at_us: int
    skip: bool = False
    path: str = "recipients"
    sender: int | None = None


class Resolution(msgspec.Struct, frozen=True):
    """Who is meant: the audience under its snapshot, the selector's text, what was left out.

    A selector with an instant (`… @ 2025-06-30`) has the snapshot of that instant.
    """

    snapshot: Snapshot
    audience: Audience
    selector: str
    skipped: tuple[str, ...] = ()

    @property
    def node(self) -> Node:
        """The parsed selector; parsed when asked for, because hardly anybody does."""
        return parse(self.selector)


Answer = Resolution | VanbanError
_Key = tuple[tuple[int, int], str, bool, int | None]


def resolve_batch(items: Sequence[ResolveItem], snapshot_at: SnapshotAt) -> list[Answer]:
    """Resolve a batch; each item gets its own answer or its own error, in order.

    Equal selectors of one snapshot (and one sender, where they speak of it) are evaluated
    once.  Errors are RecipientError: those of `router.selectors`, `audience.empty` for a
    selector without members, `selector.future` for an instant after the item's own.
    """
    answers: list[Answer | None] = [None] * len(items)
    jobs = _Jobs(snapshot_at)
    for snapshot, indexes in _by_instant(items, snapshot_at):
        for index in _answer_lists(snapshot, items, indexes, answers):
            try:
                jobs.job(snapshot, items[index]).asked.append(index)
            except VanbanError as error:
                answers[index] = error
    for snapshot, group in _by_snapshot(jobs.made):
        audiences = snapshot.hierarchy.evaluate_batch([job.program for job in group])
        for job, audience in zip(group, audiences, strict=True):
            for index in job.asked:
                answers[index] = job.answer(audience, items[index])
    return [answer for answer in answers if answer is not None]


def _by_instant(
    items: Sequence[ResolveItem], snapshot_at: SnapshotAt
) -> list[tuple[Snapshot, list[int]]]:
    """Return each snapshot with the places of its items; most batches have one."""
    runs: list[tuple[Snapshot, list[int]]] = []
    snapshot: Snapshot | None = None
    places: list[int] = []
    for index, item in enumerate(items):
        if snapshot is None or not snapshot.holds(item.at_us):
            snapshot, places = snapshot_at(item.at_us), []
            runs.append((snapshot, places))
        places.append(index)
    return runs


def _answer_lists(
    snapshot: Snapshot,
    items: Sequence[ResolveItem],
    indexes: list[int],
    answers: list[Answer | None],
) -> list[int]:
    """Answer lists of codes that the snapshot all knows; return the places of the rest."""
    list_audiences: Callable[[list[str]], list[Audience | None]] | None
    list_audiences = getattr(snapshot, "list_audiences", None)
    if list_audiences is None:
        return indexes
    texts = [items[index].selector for index in indexes]
    rest = []
    for index, text, audience in zip(indexes, texts, list_audiences(texts), strict=True):
        if audience:
            answers[index] = Resolution(snapshot, audience, text)
        else:
            rest.append(index)
    return rest


class _Job:
    """One program to evaluate, and the places in the batch that wait for it."""

    def __init__(
        self, snapshot: Snapshot, program: Program, uses_sender: bool, skipped: tuple[str, ...]
    ) -> None:
        self.snapshot = snapshot
        self.program = program
        self.uses_sender = uses_sender
        self.skipped = skipped
        self.asked: list[int] = []

    def answer(self, audience: Audience, item: ResolveItem) -> Answer:
        if not audience:
            return RecipientError("audience.empty", path=item.path)
        return Resolution(self.snapshot, audience, item.selector, self.skipped)


class _Jobs:
    """The programs of one batch, each made once."""

    def __init__(self, snapshot_at: SnapshotAt) -> None:
        self.snapshot_at = snapshot_at
        self.made: list[_Job] = []
        self.parsed: dict[str, tuple[Node, int | None]] = {}
        self.found: dict[_Key, _Job] = {}

    def job(self, snapshot: Snapshot, item: ResolveItem) -> _Job:
        """Return the job of an item; raise the error, with its path, that it has none."""
        try:
            return self.find(snapshot, item)
        except VanbanError as error:
            raise type(error)(error.code, path=error.path or item.path, **error.facts) from error

    def find(self, snapshot: Snapshot, item: ResolveItem) -> _Job:
        node, at = self.parse(item.selector)
        if at is not None:
            if at > item.at_us:
                raise RecipientError("selector.future", at=show_instant(at))
            snapshot = self.snapshot_at(at)
        key: _Key = (snapshot.identity, item.selector, item.skip, None)
        job = self.found.get(key)
        if job is None or job.uses_sender:
            key = (snapshot.identity, item.selector, item.skip, item.sender)
            job = self.found.get(key)
        if job is None:
            job = _compile(snapshot, node, item)
            self.made.append(job)
            if not job.uses_sender:
                key = (snapshot.identity, item.selector, item.skip, None)
            self.found[key] = job
        return job

    def parse(self, text: str) -> tuple[Node, int | None]:
        found = self.parsed.get(text)
        if found is None:
            node = parse(text)
            found = self.parsed[text] = (node, instant_of_selector(node))
        return found


def _compile(snapshot: Snapshot, node: Node, item: ResolveItem) -> _Job:
    skipped: list[Skipped] | None = [] if item.skip else None
    sender = -1 if item.sender is None else snapshot.hierarchy.position(item.sender)
    compiled = compile_selector(node, snapshot, skipped, sender=None if sender < 0 else sender)
    left = tuple(one.unit for one in skipped or ())
    return _Job(snapshot, compiled.program, compiled.uses_sender, left)


def _by_snapshot(jobs: Iterable[_Job]) -> list[tuple[Snapshot, list[_Job]]]:
    groups: dict[tuple[int, int], tuple[Snapshot, list[_Job]]] = {}
    for job in jobs:
        groups.setdefault(job.snapshot.identity, (job.snapshot, []))[1].append(job)
    return list(groups.values())
