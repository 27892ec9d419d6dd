"""A policy compiled for one snapshot: what each rule asks, as sets and numbers.

`compile_policy` evaluates every selector that does not speak of the sender once; what does
is evaluated when a sender is first met, and remembered.  A selector whose units are closed
or whose groups are empty in this snapshot selects nobody (`CompiledPolicy.hollow` names
them).  Numbering: docs/policy.md; layout for the core: docs/decisions/0014.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import msgspec

from router import limits
from router._core import Audience
from router.errors import RecipientError
from router.model.calendar import WorkingCalendar
from router.policy.model import PolicyFile, Rule
from router.selectors import Lookup, Skipped, compile_selector, parse

_EMPTY = Audience()


class Hollow(msgspec.Struct, frozen=True):
    """A selector of a rule that selects nobody here: its key, and the code of the reason."""

    rule: int
    key: str
    code: str


class Relative:
    """The set of a selector for any sender of one snapshot; constant where it can be."""

    def __init__(self, text: str, lookup: Lookup) -> None:
        self.text = text
        self._lookup = lookup
        self._node = parse(text)
        self._found: dict[int, Audience] = {}
        self.code = ""
        self.constant: Audience | None = None
        if not self._evaluate(None)[1]:
            self.constant = self._evaluate(None)[0]

    def of(self, sender: int) -> Audience:
        """Return the set for the sender at a position (-1: not open in this snapshot)."""
        if self.constant is not None:
            return self.constant
        found = self._found.get(sender)
        if found is None:
            if len(self._found) >= limits.POLICY_SENDERS_CACHED_MAX:
                self._found.clear()
            found = self._found[sender] = _EMPTY if sender < 0 else self._evaluate(sender)[0]
        return found

    def _evaluate(self, sender: int | None) -> tuple[Audience, bool]:
        """Return the set, and whether it depends on the sender."""
        left_out: list[Skipped] = []
        try:
            compiled = compile_selector(
                self._node, self._lookup, left_out, sender=sender, forgiving=True
            )
        except RecipientError as error:
            if error.code == "selector.no_sender":
                return _EMPTY, True
            self.code = error.code
            return _EMPTY, False
        found = self._lookup.hierarchy.evaluate(compiled.program)
        if not found and not compiled.uses_sender:
            self.code = left_out[0].code if left_out else "audience.empty"
        return found, compiled.uses_sender


class CompiledRule:
    """One rule with its number and its sets; None where the rule does not ask."""

    def __init__(self, number: int, rule: Rule, lookup: Lookup) -> None:
        self.number = number
        self.rule = rule
        documents, audience, effect = rule.documents, rule.audience, rule.effect
        self.senders = _relative(rule.senders, lookup)
        self.recipients = _relative(rule.recipients, lookup)
        self.signed_by = _relative(documents.signed_by if documents else None, lookup)
        self.includes = _relative(audience.includes if audience else None, lookup)
        self.lacks = _relative(audience.lacks if audience else None, lookup)
        self.by = _relative(effect.require.by if effect.require else None, lookup)
        self.add = _relative(effect.add, lookup)
        self.types = frozenset(map(folded, documents.types)) if documents else frozenset()
        self.marks = frozenset(map(folded, documents.marks)) if documents else frozenset()
        self.without = frozenset(map(folded, documents.without_marks)) if documents else frozenset()

    def hollow(self) -> list[Hollow]:
        """Name the selectors that select nobody in this snapshot, whoever sends."""
        keys = ("senders", "recipients", "signed_by", "includes", "lacks", "by", "add")
        sets = ((key, getattr(self, key)) for key in keys)
        return [Hollow(self.number, key, one.code) for key, one in sets if one and one.code]


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
        shipped = () if policy.without_floor else tuple(floor)
        numbered = enumerate((*policy.rules, *shipped), 1)
        self.rules = tuple(CompiledRule(number, rule, lookup) for number, rule in numbered)
        self.hollow = tuple(one for rule in self.rules for one in rule.hollow())
        tiers = sorted(self.hierarchy.count_by_tier(self.hierarchy.everything()))
        self.tier_rank = {tier: rank for rank, tier in enumerate(tiers)}
        self.asks_sender = any(_asks_sender(rule) for rule in self.rules)
        """Whether a sender unknown to the snapshot leaves anything undecided."""

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


def folded(text: str) -> str:
    """Return a type or mark as it is compared: NFC, no outer blanks, no case."""
    return unicodedata.normalize("NFC", text).strip().casefold()


def _relative(text: str | None, lookup: Lookup) -> Relative | None:
    return None if text is None else Relative(text, lookup)


def _asks_sender(one: CompiledRule) -> bool:
    rule = one.rule
    sets = (one.recipients, one.signed_by, one.includes, one.lacks, one.by, one.add)
    relative = any(found is not None and found.constant is None for found in sets)
    crossing = bool(rule.directions) or rule.tiers_crossed is not None
    return one.senders is not None or crossing or relative
