"""What another policy would change: stored documents, or all pairs of units, decided twice."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from router import limits
from router._core import Audience
from router.directory import Snapshot
from router.engine.administration_resolving import tier_name
from router.engine.policies import InForce
from router.engine.policy_explaining import Case, PolicyExplainer
from router.engine.policy_reach import BATCH, OUTCOMES, alone_of, outcomes_of
from router.engine.policy_reading import calendar_of, read_new
from router.engine.state import Rooms
from router.errors import InputError
from router.model.answers import LANE_NAMES
from router.model.decisions import Refused
from router.model.policies import PolicyImpact, TestDocument
from router.policy.compiled import CompiledPolicy, compile_policy
from router.policy.deciding import Decision, decide_batch
from router.policy.floor import floor_rules
from router.policy.model import PolicyFile
from router.policy.supposing import facts_of
from router.ports import Clock
from router.queue import Queue
from router.queue.listing import documents_from

_EMPTY: Final = Audience()
_NAMES: Final = {"allow": "allowed", "hold": "held", "exclude": "excluded"}
_REFUSED: Final = "refused"
_NOTHING: Final = "not a recipient"
_STATES: Final = ("allowed", "held", "excluded", _NOTHING)
_REPLAYED_AT_ONCE: Final = 1_024


class _Tally:
    """Counts of what changes, each with its first example."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def add(self, what: str, count: int, example: str) -> None:
        self._counts[what] += count
        self._examples.setdefault(what, example)

    def lines(self) -> tuple[tuple[str, int, str], ...]:
        return tuple(
            (what, count, self._examples[what]) for what, count in self._counts.most_common()
        )


class _Looked(msgspec.Struct):
    """Decisions compared so far."""

    documents: int = 0
    unchanged: int = 0


class PolicyImpactMaker:
    """Compares a policy that is not in force with the one that is; reads only."""

    def __init__(
        self, rooms: Rooms, queue: Queue, clock: Clock, explainer: PolicyExplainer
    ) -> None:
        self._rooms = rooms
        self._queue = queue
        self._clock = clock
        self._explainer = explainer

    def of(self, text: bytes, *, since_us: int, limit: int, pairs: bool) -> PolicyImpact:
        """See `Engine.policy_impact`."""
        if not 1 <= limit <= limits.POLICY_REPLAYED_MAX:
            said = f"1 to {limits.POLICY_REPLAYED_MAX} documents are replayed"
            raise InputError("field.invalid", path="$.limit", reason=said)
        now_us = self._clock.now_us()
        policy = read_new(text, self._rooms.directory.snapshot(now_us), now_us)
        standing = self._rooms.policies.in_force
        return (
            self._pairs(policy, standing)
            if pairs
            else self._replay(policy, standing, since_us, limit)
        )

    # Stored documents.

    def _replay(
        self, policy: PolicyFile, standing: InForce, since_us: int, limit: int
    ) -> PolicyImpact:
        """Decide the newest stored documents since an instant by both policies."""
        tally, looked = _Tally(), _Looked()
        made: dict[tuple[int, int], CompiledPolicy] = {}
        cases = self._cases(since_us, limit)
        while some := list(islice(cases, _REPLAYED_AT_ONCE)):
            some.sort(key=lambda case: (case.snapshot.identity, case.facts.accepted_at))
            for group in _alike(some):
                snapshot = group[0].snapshot
                before = self._rooms.policies.compiled(snapshot, standing)
                after = made.get(snapshot.identity)
                if after is None:
                    after = compile_policy(
                        policy, snapshot, calendar_of(policy), floor=floor_rules()
                    )
                    if len(made) >= limits.POLICY_COMPILED_MAX:
                        made.clear()
                    made[snapshot.identity] = after
                self._compare(group, before, after, tally, looked)
        return PolicyImpact(standing.version, looked.documents, 0, looked.unchanged, tally.lines())

    def _cases(self, since_us: int, limit: int) -> Iterator[Case]:
        """Yield the last `limit` documents accepted since an instant, oldest first."""
        rows = documents_from(self._queue, 0)
        for key in deque((row.key for _, row in rows if row.at >= since_us), maxlen=limit):
            stored = self._queue.document(key)
            if stored is not None:
                yield self._explainer.case(stored)

    def _compare(
        self, cases: Sequence[Case], before: CompiledPolicy, after: CompiledPolicy,
        tally: _Tally, looked: _Looked,
    ) -> None:  # fmt: skip
        """Decide documents of one snapshot by both policies, each at its own instant."""
        for case in cases:
            at_us = case.facts.accepted_at
            old = decide_batch(before, [case.asked], [case.audience], at_us)[0]
            new = decide_batch(after, [case.asked], [case.audience], at_us)[0]
            changes = list(_changes(old, new, case.snapshot))
            for what, count, example in changes:
                tally.add(what, count, f"{case.facts.sender}|{case.facts.document_id}{example}")
            looked.documents += 1
            looked.unchanged += not changes

    # Pairs of units.

    def _pairs(self, policy: PolicyFile, standing: InForce) -> PolicyImpact:
        """Decide a plain document of every unit to all others by both policies."""
        now_us = self._clock.now_us()
        snapshot = self._rooms.directory.snapshot(now_us)
        hierarchy = snapshot.hierarchy
        sides = [alone_of(one, snapshot, plain=True) for one in (standing.policy, policy)]
        kinds = {number: name for name, number in snapshot.kinds.items()}
        everything, tally = hierarchy.everything(), _Tally()
        changed = 0
        for place in everything.positions():
            others = everything - Audience.from_positions([place])
            number = hierarchy.number(place)
            facts = facts_of(TestDocument(), number, (number,), now_us)
            old, new = (outcomes_of(one.compiled, facts, others, now_us) for one in sides)
            tier, kind = hierarchy.tier(place), hierarchy.kind(place)
            group = f"{tier_name(tier)} {kinds.get(kind, str(kind))}"
            for now_is in OUTCOMES:
                for was in OUTCOMES:
                    found = new[now_is] & old[was] if now_is != was else _EMPTY
                    if found:
                        changed += found.size
                        what = f"{_NAMES[now_is]}, was {_NAMES[was]} ({group})"
                        example = f"{snapshot.unit_at(place).code} → {_first(found, snapshot)}"
                        tally.add(what, found.size, example)
        size = hierarchy.size
        total = size * max(size - 1, 0)
        return PolicyImpact(standing.version, 0, total, total - changed, tally.lines())


def _alike(cases: Sequence[Case]) -> Iterator[list[Case]]:
    """Cut sorted cases into groups of one snapshot, at most BATCH each."""
    group: list[Case] = []
    for case in cases:
        other = group and group[0].snapshot.identity != case.snapshot.identity
        if other or len(group) >= BATCH:
            yield group
            group = []
        group.append(case)
    if group:
        yield group


def _changes(old: Decision, new: Decision, snapshot: Snapshot) -> Iterator[tuple[str, int, str]]:
    """Yield (what changes, how many recipients or documents, whom for example)."""
    if old.refused is not new.refused:
        said = [_accepted(one) for one in (new, old)]
        yield f"{said[0]}, was {said[1]}", 1, ""
    if old.refused is not Refused.NO or new.refused is not Refused.NO:
        return
    before, after = _fates(old), _fates(new)
    known = before["allowed"] | before["held"] | before["excluded"]
    for now_is in _STATES[:3]:
        for was in _STATES:
            found = after[now_is] - known if was == _NOTHING else after[now_is] & before[was]
            if found and now_is != was:
                yield f"{now_is}, was {was}", found.size, f" → {_first(found, snapshot)}"
    there = after["allowed"] | after["held"] | after["excluded"]
    gone = known - there
    if gone:
        yield f"{_NOTHING}, was added", gone.size, f" → {_first(gone, snapshot)}"
    if old.lane != new.lane:
        lanes = [LANE_NAMES[one.lane] for one in (new, old)]
        yield f"lane {lanes[0]}, was {lanes[1]}", 1, ""
    for name in ("deadline", "send_by", "retention_years", "information_only"):
        if getattr(old, name) != getattr(new, name):
            yield f"another {name.replace('_', ' ')}", 1, ""


def _accepted(decision: Decision) -> str:
    if decision.refused is Refused.NO:
        return "accepted"
    return f"{_REFUSED} ({decision.refused.name.lower().replace('_', ' ')})"


def _fates(decision: Decision) -> dict[str, Audience]:
    held = _EMPTY
    for part in decision.held:
        held = held | part.audience
    return {"allowed": decision.effective, "held": held, "excluded": decision.excluded}


def _first(units: Audience, snapshot: Snapshot) -> str:
    return snapshot.unit_at(units.runs[0][0]).code
