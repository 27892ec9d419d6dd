"""Who bears which code in one snapshot."""

from collections.abc import Iterable
from typing import final

from router._audience import Audience
from router._core import Hierarchy
from router._register import Register

__all__ = ["Bearers"]

@final
class Bearers:
    def __new__(cls, register: Register, hierarchy: Hierarchy, at: int, known: int) -> Bearers: ...
    @property
    def memory_bytes(self) -> int: ...
    def position(self, code: str) -> int: ...
    def list_audiences(self, texts: Iterable[str]) -> list[Audience | None]: ...
