"""Compiled only: decisions as objects."""

from collections.abc import Iterable
from typing import Any, final

__all__ = ["Instants", "Teller"]

@final
class Instants:
    """The last few instants told, as objects."""

    def __new__(cls) -> Instants: ...

@final
class Teller:
    """Knows the classes of decisions and what the numbers in an answer stand for."""

    def __new__(
        cls,
        *,
        helper: Any,
        decision: type,
        held_part: type,
        refusals: Iterable[Any],
        approvals: Iterable[int],
        version: int,
    ) -> Teller: ...
