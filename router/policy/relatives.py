"""Selectors of a policy as sets of one snapshot, for any sender."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

import msgspec

from router import limits
from router._core import Audience
from router.errors import RecipientError
from router.policy.model import Rule
from router.selectors import Lookup, Node, Skipped, compile_selector, parse

_EMPTY = Audience()


class Hollow(msgspec.Struct, frozen=True):
    """A selector of a rule that selects nobody here: its key, and the code of the reason."""

    rule: int
    key: str
    code: str


class Relative:
    """The set of a selector for any sender of one snapshot; constant where it can be."""

    __slots__ = ("_found", "_lookup", "_node", "code", "constant", "text")

    def __init__(self, text: str, lookup: Lookup) -> None:
        self.text = text
        self._lookup = lookup
        self._node = parse(text)
        self._found: dict[int, Audience] = {}
        self.code = ""
        self.constant: Audience | None = None
        found, uses_sender = self._evaluate(None)
        if not uses_sender:
            self.constant = found

    @property
    def node(self) -> Node:
        """The selector as parsed."""
        return self._node

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


class Relatives:
    """The sets of a policy's selectors in one snapshot, each text once."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._found: dict[str, Relative] = {}

    def of(self, text: str | None) -> Relative | None:
        """Return the set of a selector; None for none.

        Raises RecipientError for a selector that does not parse.
        """
        if text is None:
            return None
        found = self._found.get(text)
        if found is None:
            found = self._found[text] = Relative(text, self._lookup)
        return found

    def any_hollow(self) -> bool:
        """Say whether any selector selects nobody, whoever sends."""
        return any(one.code for one in self._found.values())


def selectors_of(rule: Rule) -> Mapping[str, str | None]:
    """Return the selectors of a rule by the names of `CompiledRule`."""
    documents, audience, effect = rule.documents, rule.audience, rule.effect
    return {
        "senders": rule.senders,
        "recipients": rule.recipients,
        "signed_by": documents.signed_by if documents else None,
        "includes": audience.includes if audience else None,
        "lacks": audience.lacks if audience else None,
        "by": effect.require.by if effect.require else None,
        "add": effect.add,
    }


def folded(text: str) -> str:
    """Return a type or mark as it is compared: NFC, no outer blanks, no case."""
    return unicodedata.normalize("NFC", text).strip().casefold()
