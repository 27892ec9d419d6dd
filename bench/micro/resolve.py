"""Resolving recipients: broadcasts, lists, a realistic mixture, membership, stored forms.

All on the national directory of 123,265 units, as imported (30 June 2025) and with the
reform of 1 July 2025 behind it; 1,000 different selectors a round, and nothing is
remembered between them.  For broadcasts both sides hold ready what does not depend on the
question: we the compiled programs, the peers their sets of all communes, of all provinces
and of what lies below each unit.  Lists and the mixture begin with the text of the
selector on both sides.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, cast

from pyroaring import BitMap

from router import _core
from router.directory import Digests, Directory, Resolution, ResolveItem, Snapshot
from router.selectors import compile_program, parse
from vanban_bench.rows import Case, Row, digest_text, measure
from vanban_bench.workloads.reformed import SEED, country
from vanban_bench.workloads.selector_sets import (
    SELECTORS,
    Broadcast,
    broadcasts,
    code_lists,
    committees,
)

SUITE: Final = "resolve"
IRREGULAR_CODES: Final = 5_000
BATCH: Final = 64
BROADCAST_SHARE: Final = 20
"""One selector in so many of the mixture is a broadcast (5 %)."""


def _digest(members: Sequence[int], total: int) -> str:
    return hashlib.sha256(array("I", members).tobytes()).hexdigest() + f"/{total}"


def _digest_of_ours(answers: object) -> str:
    batch = cast("list[_core.Audience]", answers)
    return _digest(batch[-1].positions(), sum(map(len, batch)))


class Sides:
    """What both sides hold ready for one snapshot."""

    def __init__(self, directory: Directory, snapshot: Snapshot, tiny: bool) -> None:
        self.directory = directory
        self.snapshot = snapshot
        hierarchy = snapshot.hierarchy
        count = 60 if tiny else SELECTORS
        self.asked = broadcasts(snapshot, count)
        self.programs = [compile_program(parse(one.text), snapshot) for one in self.asked]
        self.communes = frozenset(committees(snapshot, "commune"))
        self.provinces = frozenset(committees(snapshot, "province"))
        below = {position for one in self.asked for position in one.but_below}
        self.below = {
            position: self.communes.intersection(hierarchy.descendants(position).positions())
            for position in below
        }
        self.positions = {
            code: position
            for position in range(len(snapshot))
            for unit in (snapshot.unit_at(position),)
            for code in (unit.code, *unit.aliases)
        }
        self.lists = code_lists(snapshot, SEED, count)
        self.irregular = code_lists(snapshot, SEED + 1, 2 if tiny else 20, IRREGULAR_CODES)

    def set_of(self, one: Broadcast) -> set[int]:
        """Answer a broadcast as the peer does."""
        # Copying and taking away is several times as fast here as `communes - below`.
        answer = set(self.communes)
        for position in one.but_below:
            answer -= self.below[position]
        answer |= self.provinces
        if one.but >= 0:
            answer.discard(one.but)
        return answer

    def list_set(self, text: str) -> set[int]:
        """Answer a list as the peer does."""
        positions = self.positions
        return {positions[code] for code in text.split(" | ")}


def cases(tiny: bool) -> list[Case]:
    """Return the cases of both dates."""
    made = country(tiny)
    found: list[Case] = []
    for suffix, snapshot in made.sides():
        sides = Sides(made.directory, snapshot, tiny)
        found += [
            _broadcast_sets(sides, suffix),
            _broadcast_expression(sides, suffix),
            _broadcast_roaring(sides, suffix, tiny),
            _lists(sides, suffix, tiny, "list-38", sides.lists),
            _lists(sides, suffix, tiny, f"list-{IRREGULAR_CODES}", sides.irregular),
            _realistic(sides, suffix, tiny),
            _whole_way(sides, suffix),
            _membership(sides, suffix, tiny),
            _hash(sides, suffix, "hash-first", cached=False),
            _hash(sides, suffix, "hash-cached", cached=True),
        ]
    return found


def rows(tiny: bool, rounds: int) -> Iterator[Row]:
    """Measure the cases, and the size of the stored form beside them."""
    for case in cases(tiny):
        yield measure(case, rounds)
    made = country(tiny)
    for suffix, snapshot in made.sides():
        yield _stored_bytes(Sides(made.directory, snapshot, tiny), suffix)


def _case(
    name: str,
    peer: str | None,
    ours: Callable[[], object],
    theirs: Callable[[], object] | None,
    digest: Callable[[Any], str],
    **more: Any,
) -> Case:
    return Case(
        suite=SUITE, name=name, unit="us", peer=peer, ours=ours, theirs=theirs, digest=digest,
        **more,
    )  # fmt: skip


def _of_sets(answer: object) -> str:
    if isinstance(answer, list):
        return _digest_of_ours(answer)
    last, total = cast("tuple[set[int], int]", answer)
    return _digest(sorted(last), total)


def _broadcast_sets(sides: Sides, suffix: str) -> Case:
    def theirs() -> object:
        # Only the last answer is kept: keeping all would charge the peer for fresh pages.
        total = 0
        for one in sides.asked:
            answer = sides.set_of(one)
            total += len(answer)
        return answer, total

    evaluate, programs = sides.snapshot.hierarchy.evaluate_batch, sides.programs
    return _case(
        f"broadcast{suffix}", "sets", lambda: evaluate(programs), theirs, _of_sets,
        loops_ours=20, items=len(programs), note="one set of all communes but some, plus provinces",
    )  # fmt: skip


def _broadcast_expression(sides: Sides, suffix: str) -> Case:
    """Show the peer as one would write it: `communes - below | provinces`."""

    def theirs() -> object:
        total = 0
        for one in sides.asked:
            answer = sides.communes
            for position in one.but_below:
                answer = answer - sides.below[position]
            answer = answer | (sides.provinces - {one.but})
            total += len(answer)
        return answer, total

    evaluate, programs = sides.snapshot.hierarchy.evaluate_batch, sides.programs
    return _case(
        f"broadcast-expression{suffix}", "sets", lambda: evaluate(programs), theirs, _of_sets,
        loops_ours=20, items=len(programs), note="the same against the plain set expression",
    )  # fmt: skip


def _broadcast_roaring(sides: Sides, suffix: str, tiny: bool) -> Case:
    def packed(members: frozenset[int]) -> BitMap:
        bitmap = BitMap(members)
        bitmap.run_optimize()
        return bitmap

    communes, provinces = packed(sides.communes), packed(sides.provinces)
    below = {position: packed(members) for position, members in sides.below.items()}
    # What does not depend on the question is ready; the expression is the quickest found.
    but = {one.but: packed(sides.provinces - {one.but}) for one in sides.asked}
    asked = [([below[position] for position in one.but_below], but[one.but]) for one in sides.asked]
    del provinces

    def theirs() -> object:
        total = 0
        for left_out, added in asked:
            answer = communes - left_out[0]
            for more in left_out[1:]:
                answer -= more
            answer |= added
            total += len(answer)
        return answer, total

    evaluate, programs = sides.snapshot.hierarchy.evaluate_batch, sides.programs
    loops = 1 if tiny else 20
    return _case(
        f"broadcast-roaring{suffix}", "pyroaring", lambda: evaluate(programs), theirs,
        _of_sets, loops_ours=loops, loops_theirs=loops, items=len(programs),
        note="the same sets against bitmaps with run_optimize",
    )  # fmt: skip


def _lists(sides: Sides, suffix: str, tiny: bool, name: str, texts: list[str]) -> Case:
    def theirs() -> object:
        total = 0
        for text in texts:
            answer = sides.list_set(text)
            total += len(answer)
        return answer, total

    loops = 1 if tiny else 5
    return _case(
        f"{name}{suffix}", "dict-and-set",
        lambda: sides.snapshot.list_audiences(texts), theirs, _of_sets,
        loops_ours=loops, loops_theirs=loops, items=len(texts),
        note="one selector, from its text",
    )  # fmt: skip


def _realistic(sides: Sides, suffix: str, tiny: bool) -> Case:
    """Mix the two rows above: lists from their text, broadcasts with all ready on both sides."""
    lists, several = sides.lists, sides.asked[: max(1, len(sides.lists) // BROADCAST_SHARE)]
    texts = lists[len(several) :]
    programs = sides.programs[: len(several)]
    snapshot = sides.snapshot

    def ours() -> object:
        return snapshot.list_audiences(texts) + snapshot.hierarchy.evaluate_batch(programs)

    def theirs() -> object:
        total = 0
        for text in texts:
            total += len(sides.list_set(text))
        for one in several:
            answer = sides.set_of(one)
            total += len(answer)
        return answer, total

    loops = 1 if tiny else 3
    return _case(
        f"realistic{suffix}", "dict-and-set", ours, theirs, _of_sets,
        loops_ours=loops, loops_theirs=loops, items=len(texts) + len(several),
        note="one selector: 95 % lists of 38 from their text, 5 % broadcasts",
    )  # fmt: skip


def _whole_way(sides: Sides, suffix: str) -> Case:
    """Show the whole way: every selector from its text, answers and errors as objects."""
    at_us = sides.snapshot.valid_from
    mixed: list[tuple[str, Broadcast | None]] = [(text, None) for text in sides.lists]
    for place in range(0, len(mixed), BROADCAST_SHARE):
        one = sides.asked[place // BROADCAST_SHARE]
        mixed[place] = (one.text, one)
    items = [ResolveItem(text, at_us) for text, _ in mixed]
    resolve = sides.directory.resolve_batch

    def ours() -> object:
        answers: list[_core.Audience] = []
        for start in range(0, len(items), BATCH):
            batch = resolve(items[start : start + BATCH])
            answers += [cast("Resolution", answer).audience for answer in batch]
        return answers

    def theirs() -> object:
        total = 0
        for text, known in mixed:  # told which broadcast it is: parses nothing
            answer = sides.list_set(text) if known is None else sides.set_of(known)
            total += len(answer)
        return answer, total

    return _case(
        f"resolve-batch{suffix}", "dict-and-set", ours, theirs, _of_sets, items=len(items),
        note="the mixture through Directory.resolve_batch, 64 at a time, parsed and compiled",
    )  # fmt: skip


def _membership(sides: Sides, suffix: str, tiny: bool) -> Case:
    audience = sides.snapshot.hierarchy.evaluate(sides.programs[0])
    members = frozenset(audience.positions())
    asked = array("I", range(0, len(sides.snapshot), 7))
    listed = asked.tolist()
    loops = 1 if tiny else 20
    return Case(
        suite=SUITE, name=f"membership{suffix}", unit="ns", peer="set",
        ours=lambda: audience.contains_many(asked),
        theirs=lambda: bytes([position in members for position in listed]),
        digest=bytes, loops_ours=loops, loops_theirs=loops, items=len(asked),
        note="is one unit in one broadcast's audience",
    )  # fmt: skip


def _hash(sides: Sides, suffix: str, name: str, *, cached: bool) -> Case:
    hierarchy = sides.snapshot.hierarchy
    audiences = hierarchy.evaluate_batch(sides.programs[:BATCH])
    digests = Digests()
    for audience in audiences:
        digests.of(1, sides.snapshot, audience)

    def ours() -> object:
        if cached:
            return [digests.of(1, sides.snapshot, audience) for audience in audiences]
        return [hierarchy.digest(audience) for audience in audiences]

    return _case(
        f"{name}{suffix}", None, ours, None,
        lambda found: digest_text(b"".join(found)), items=len(audiences),
        note="SHA-256 over the stable numbers of one broadcast's members",
    )  # fmt: skip


def _stored_bytes(sides: Sides, suffix: str) -> Row:
    audiences = sides.snapshot.hierarchy.evaluate_batch(sides.programs)
    packed = []
    for audience in audiences:
        bitmap = BitMap(audience.positions())
        bitmap.run_optimize()
        packed.append(len(bitmap.serialize()))
    ours = max(len(audience.to_bytes()) for audience in audiences)
    return Row(
        suite=SUITE, name=f"stored-bytes{suffix}", value=ours, unit="bytes", peer="pyroaring",
        peer_value=max(packed), ratio=max(packed) / ours, digest=digest_text(
            b"".join(audience.to_bytes() for audience in audiences)),
        rounds=1, note=f"the largest of {len(audiences)} stored audiences",
    )  # fmt: skip
