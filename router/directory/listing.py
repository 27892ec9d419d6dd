"""A list of units as read: rows in our words, what the list has no column for left unset."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import UNSET, UnsetType

from router.errors import SheetProblem


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row: a unit as the list says it stands.

    `line` is its line in the list (from 1).  `code` and `gso` are its codes ("" none),
    `territory` the class of its territory where the list names that (xã, phường: a tag).
    What is `UNSET` the list says nothing about.  `parent` None makes it a root.
    `parent_else` are other codes that its parent may mean, when a spreadsheet may have
    taken zeros from it.
    """

    line: int
    number: int | None = None
    code: str = ""
    gso: str = ""
    territory: str = ""
    name: str | UnsetType = UNSET
    tier: int | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    parent: str | UnsetType | None = UNSET
    parent_else: tuple[str, ...] = ()
    parent_number: int | UnsetType = UNSET
    aliases: tuple[str, ...] | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    valid_from: int | UnsetType = UNSET
    valid_to: int | UnsetType = UNSET
    successors: tuple[str, ...] | UnsetType = UNSET
    code_synthesised: bool | UnsetType = UNSET
    contact: dict[str, str] | UnsetType = UNSET
    delivery: dict[str, str | bool] | UnsetType = UNSET

    @property
    def label(self) -> str:
        """Return what names the row: its code, else its GSO code, else its number."""
        return self.code or self.gso or str(self.number)


class Listing(msgspec.Struct, frozen=True):
    """A whole list, read and checked row by row.

    `columns` are those it has; `gso_layout` says that it is of the statistics office's
    form (see docs/directory.md).  `warnings` are doubts, at most
    `limits.SHEET_PROBLEMS_MAX` of them; `doubts` counts them all.
    """

    rows: tuple[Row, ...]
    columns: frozenset[str]
    gso_layout: bool = False
    warnings: tuple[SheetProblem, ...] = ()
    doubts: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)
