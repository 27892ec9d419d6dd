"""The register: every fact ever learnt about units."""

from collections.abc import Iterable
from typing import Final, final

from router._core import Hierarchy

__all__ = [
    "FACT_CLOSES",
    "FACT_CODES",
    "FACT_DETAILS",
    "FACT_KIND",
    "FACT_NAME",
    "FACT_OPENS",
    "FACT_PARENT",
    "FACT_SUCCESSORS",
    "FACT_SYNTHESISED",
    "FACT_TAGS",
    "FACT_TIER",
    "FOR_GOOD",
    "Register",
]

FACT_OPENS: Final[int]
FACT_CLOSES: Final[int]
FACT_TIER: Final[int]
FACT_KIND: Final[int]
FACT_PARENT: Final[int]
FACT_TAGS: Final[int]
FACT_CODES: Final[int]
FACT_NAME: Final[int]
FACT_DETAILS: Final[int]
FACT_SUCCESSORS: Final[int]
FACT_SYNTHESISED: Final[int]
FOR_GOOD: Final[int]

@final
class Register:
    def __len__(self) -> int: ...
    @property
    def facts(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    def copy(self) -> Register: ...
    def add(
        self,
        change: int,
        number: bytes,
        since: bytes,
        until: bytes,
        mask: bytes,
        tier: bytes,
        kind: bytes,
        tags: bytes,
        parent: bytes,
        text: bytes,
        kind_numbers: Iterable[int],
        tag_numbers: Iterable[int],
    ) -> tuple[set[int], list[tuple[int, str]]]: ...
    def numbers(self) -> list[int]: ...
    def life(self, number: int, known: int) -> tuple[int, int] | None: ...
    def state(
        self, number: int, at: int, known: int
    ) -> tuple[bool, int, int, int, int, bool, str, str, str, str] | None: ...
    def history(
        self, number: int
    ) -> list[tuple[int, int, int, int, int, int, int, int, dict[int, str]]]: ...
    def find(self, code: str, at: int, known: int) -> int: ...
    def bearers(self, code: str) -> list[int]: ...
    def lineage(self, number: int) -> tuple[set[tuple[int, int]], set[int]]: ...
    def open_numbers(self, at: int, known: int) -> list[int]: ...
    def compile(self, at: int, known: int) -> Hierarchy: ...
    def faults(self, at: int, known: int) -> tuple[str, int, int] | None: ...
