"""Remembers trees of documents whose root was verified, and the nodes proven below it."""

from typing import Any, NoReturn, final

__all__ = ["VerifiedTree", "VerifiedTrees"]

@final
class VerifiedTree:
    protected: str
    signature: str
    size: int
    root: bytes
    told: Any
    nbytes: int
    def __reduce__(self) -> NoReturn: ...

@final
class VerifiedTrees:
    nbytes: int
    def __init__(self, bytes_max: int, trees_max: int) -> None: ...
    def __len__(self) -> int: ...
    def __reduce__(self) -> NoReturn: ...
    def prove(
        self, protected: str, signature: str, place: str, payload: bytes
    ) -> tuple[VerifiedTree, int] | None: ...
    def prove_raw(self, raws: list[bytes]) -> list[tuple[VerifiedTree, int] | None]: ...
    def add(self, protected: str, signature: str, size: int, root: bytes, told: object) -> None: ...
