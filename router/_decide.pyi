"""The compiled tables of a policy for one snapshot."""

from collections.abc import Sequence
from typing import Any, Final, Protocol, final

from router._audience import Audience
from router._core import Hierarchy

__all__ = ["ROW_BYTES", "DecisionTables", "Flag"]

ROW_BYTES: Final[int]

class Flag:
    ALLOWS: Final[int]
    FORBIDS_RECIPIENTS: Final[int]
    FORBIDS_DOCUMENT: Final[int]
    HOLDS: Final[int]
    ADDS: Final[int]
    REQUIRES: Final[int]
    QUARANTINES: Final[int]
    ADMITS_UNSIGNED: Final[int]
    IS_SETTING: Final[int]
    IS_FLOOR: Final[int]
    CUTS: Final[int]
    ASKS_NUMBERS: Final[int]
    ASKS_LISTS: Final[int]
    ASKS_AUDIENCE: Final[int]
    ASKS_DAYS: Final[int]
    ASKS_WORKING: Final[int]
    ASKS_OUTSIDE: Final[int]

class _Helper(Protocol):
    def type_of(self, word: str) -> int: ...
    def mark_of(self, word: str) -> Sequence[int]: ...
    def media_of(self, word: str) -> Sequence[int]: ...
    def members(self, number: int, sender: int) -> Audience: ...
    def terms(self, day: int) -> bytes: ...
    def parts(
        self, needed: Sequence[tuple[int, int, Audience]], terms: bytes
    ) -> tuple[tuple[Any, ...], int]: ...

@final
class DecisionTables:
    def __new__(
        cls,
        hierarchy: Hierarchy,
        rows: bytes,
        sets: Sequence[tuple[int, Audience | None]],
        lists: bytes,
        approvals: Sequence[int],
        *,
        helper: _Helper,
        decision: type[Any],
        held_part: type[Any],
        acts: Sequence[object],
        urgencies: Sequence[object],
        refusals: Sequence[object],
        version: int,
        types: int,
        terms: int,
        closed: bool,
        asks_sender: bool,
        facts: type[Any] | None = None,
    ) -> DecisionTables: ...
    @property
    def rule_count(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def version(self) -> int: ...
    def decide(
        self,
        documents: Sequence[object],
        audiences: Sequence[Audience],
        *,
        day: int,
        year: int,
        hours: int,
        terms: bytes,
    ) -> list[Any]: ...
