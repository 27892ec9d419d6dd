"""A policy file compiled for one snapshot: what each rule asks, as sets and numbers.

`compile_policy` evaluates every selector that does not speak of the sender once; what does
is evaluated when a sender is first met, and remembered.  A selector whose units are closed
or whose groups are empty in this snapshot selects nobody (`CompiledPolicy.hollow` names
them).  Numbering: docs/policy.md; layout for the core: docs/decisions/0014.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, overload

from router.model.calendar import WorkingCalendar
from router.policy.model import PolicyFile, Rule
from router.policy.relatives import Hollow, Relative, Relatives, folded, selectors_of
from router.policy.tables import Outside, pack
from router.selectors import Lookup

__all__ = [
    "CompiledPolicy",
    "CompiledRule",
    "Hollow",
    "Relative",
    "Rules",
    "compile_policy",
    "folded",
]


class CompiledRule:
    """One rule with its number and its sets; None where the rule does not ask."""

    __slots__ = (
        "add", "by", "includes", "lacks", "marks", "number", "recipients", "rule", "senders",
        "signed_by", "types", "without",
    )  # fmt: skip

    def __init__(self, number: int, rule: Rule, relatives: Relatives) -> None:
        self.number = number
        self.rule = rule
        sets = {key: relatives.of(text) for key, text in selectors_of(rule).items()}
        self.senders = sets["senders"]
        self.recipients = sets["recipients"]
        self.signed_by = sets["signed_by"]
        self.includes = sets["includes"]
        self.lacks = sets["lacks"]
        self.by = sets["by"]
        self.add = sets["add"]
        documents = rule.documents
        self.types = frozenset(map(folded, documents.types)) if documents else frozenset()
        self.marks = frozenset(map(folded, documents.marks)) if documents else frozenset()
        self.without = frozenset(map(folded, documents.without_marks)) if documents else frozenset()

    def hollow(self) -> list[Hollow]:
        """Name the selectors that select nobody in this snapshot, whoever sends."""
        sets = ((key, getattr(self, key)) for key in selectors_of(self.rule))
        return [Hollow(self.number, key, one.code) for key, one in sets if one and one.code]


class Rules(Sequence[CompiledRule]):
    """The rules of a policy, made when they are asked for: a decision needs none of them."""

    def __init__(self, rules: Sequence[Rule], relatives: Relatives) -> None:
        self._rules = rules
        self._relatives = relatives

    def __len__(self) -> int:
        return len(self._rules)

    @overload
    def __getitem__(self, place: int) -> CompiledRule: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[CompiledRule]: ...
    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return tuple(self[index] for index in range(*place.indices(len(self))))
        rule = self._rules[place]
        return CompiledRule(place % len(self._rules) + 1, rule, self._relatives)

    def __iter__(self) -> Iterator[CompiledRule]:
        return (self[place] for place in range(len(self)))


class CompiledPolicy:
    """A policy over one snapshot: immutable but for what it remembers; any thread may ask."""

    def __init__(
        self, policy: PolicyFile, lookup: Lookup, calendar: WorkingCalendar, version: int,
        floor: Sequence[Rule],
    ) -> None:  # fmt: skip
        self.policy = policy
        self.version = version
        self.calendar = calendar
        self.hierarchy = lookup.hierarchy
        self.relatives = Relatives(lookup)
        numbered = (*policy.rules, *(() if policy.without_floor else floor))
        self.rules = Rules(numbered, self.relatives)
        packed = pack(numbered, self.relatives)
        self.asks_sender = packed.asks_sender
        """Whether a sender unknown to the snapshot leaves anything undecided."""
        self.asks_hours = packed.asks_hours
        """Whether any rule asks for working hours."""
        self.outside = Outside(packed, calendar)
        self.tables = packed.tables(self.hierarchy, self.outside, policy.default, version)

    @cached_property
    def hollow(self) -> tuple[Hollow, ...]:
        """The selectors that select nobody in this snapshot, whoever sends."""
        if not self.relatives.any_hollow():
            return ()
        return tuple(one for rule in self.rules for one in rule.hollow())

    @cached_property
    def tier_rank(self) -> dict[int, int]:
        """The place of each tier among those that have a unit here, the highest first."""
        tiers = sorted(self.hierarchy.count_by_tier(self.hierarchy.everything()))
        return {tier: rank for rank, tier in enumerate(tiers)}

    def name_of(self, number: int) -> str:
        """Return a rule's name by its number; "default" for 0."""
        return self.rules[number - 1].rule.name if number else "default"


def compile_policy(
    policy: PolicyFile,
    lookup: Lookup,
    calendar: WorkingCalendar,
    *,
    version: int = 0,
    floor: Sequence[Rule] = (),
) -> CompiledPolicy:
    """Compile a checked policy for the snapshot behind `lookup` (its groups come with it).

    Raises RecipientError for a selector that does not parse: `check` finds those first.
    """
    return CompiledPolicy(policy, lookup, calendar, version, floor)
