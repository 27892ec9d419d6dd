"""The slow, obvious oracle: Python sets over a parent map, nothing of the compiled core.

An expression is a tuple: ("code", number), ("all",), ("tier", t), ("kind", k),
("tag", name), ("sender",), ("children", e), ("descendants", e), ("parent", e),
("siblings", e), ("subtree", e), ("|", e, e, ...), ("&", e, ...), ("-", e, ...).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

Expression = tuple[Any, ...]
Row = tuple[int, int, int, int]
RELATIONS = ("children", "descendants", "parent", "siblings", "subtree")
TIERS = {1: "central", 2: "province", 3: "district", 4: "commune"}


class Oracle:
    """Rows are (number, tier, kind, parent's number or 0)."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = list(rows)
        self.tier = {number: tier for number, tier, _, _ in self.rows}
        self.kind = {number: kind for number, _, kind, _ in self.rows}
        self.parent = {number: parent for number, _, _, parent in self.rows}
        self.all = frozenset(self.parent)
        self.sender = 0
        self.tags: dict[str, frozenset[int]] = {}

    def ancestors(self, number: int) -> list[int]:
        found = []
        while self.parent[number]:
            number = self.parent[number]
            found.append(number)
        return found

    def below(self, number: int) -> frozenset[int]:
        return frozenset(unit for unit in self.all if number in self.ancestors(unit))

    def evaluate(self, expression: Expression) -> frozenset[int]:
        name, *rest = expression
        if name == "all":
            return self.all
        if name == "code":
            return frozenset(rest)
        if name == "tier":
            return frozenset(unit for unit in self.all if self.tier[unit] == rest[0])
        if name == "kind":
            return frozenset(unit for unit in self.all if self.kind[unit] == rest[0])
        if name == "tag":
            return self.tags[rest[0]]
        if name == "sender":
            return frozenset({self.sender})
        sets = [self.evaluate(part) for part in rest]
        if name in RELATIONS:
            return self.related(name, sets[0])
        answer = sets[0]
        for other in sets[1:]:
            answer = {"|": answer | other, "&": answer & other, "-": answer - other}[name]
        return answer

    def related(self, name: str, given: frozenset[int]) -> frozenset[int]:
        parents = frozenset(self.parent[unit] for unit in given) - {0}
        children = frozenset(unit for unit in self.all if self.parent[unit] in given)
        below = frozenset(unit for unit in self.all if given & set(self.ancestors(unit)))
        beside = frozenset(unit for unit in self.all if self.parent[unit] in parents) - given
        return {
            "parent": parents,
            "siblings": beside,
            "children": children,
            "descendants": below,
            "subtree": given | below,
        }[name]

    def roll_up(self, numbers: Iterable[int], within: Iterable[int]) -> dict[int, tuple[int, int]]:
        """Count by tier: (members, all) of some units."""
        members, units = set(numbers), list(within)
        return {
            tier: (
                sum(unit in members for unit in units if self.tier[unit] == tier),
                sum(self.tier[unit] == tier for unit in units),
            )
            for tier in {self.tier[unit] for unit in units}
        }

    def digest(self, numbers: Iterable[int]) -> bytes:
        data = b"".join(number.to_bytes(4, "big") for number in sorted(numbers))
        return hashlib.sha256(data).digest()

    def order(self) -> list[int]:
        """Numbers by position: sorted by (tier, kind, preorder)."""
        preorder: list[int] = []

        def visit(number: int) -> None:
            preorder.append(number)
            for child in sorted(unit for unit in self.all if self.parent[unit] == number):
                visit(child)

        for root in sorted(unit for unit in self.all if not self.parent[unit]):
            visit(root)
        place = {number: index for index, number in enumerate(preorder)}
        return sorted(self.all, key=lambda unit: (self.tier[unit], self.kind[unit], place[unit]))


def kind_name(kind: int) -> str:
    """Name a kind with letters only, as the grammar wants it."""
    return "kind-" + chr(ord("a") + kind)


def code_of(number: int) -> str:
    return f"H{number}"


def text_of(expression: Expression) -> str:
    """Write an expression as a selector, parentheses around every operation within one."""
    name, *rest = expression
    if name == "all":
        return "all"
    if name == "code":
        return code_of(rest[0])
    if name == "tier":
        return f"tier({TIERS[rest[0]]})"
    if name == "kind":
        return f"kind({kind_name(rest[0])})"
    if name == "sender":
        return "sender"
    if name == "tag":
        return f'tag("{rest[0]}")'
    if name in RELATIONS:
        return f"{name}({text_of(rest[0])})"
    return f" {name} ".join(
        f"({text_of(part)})" if part[0] in "|&-" else text_of(part) for part in rest
    )
