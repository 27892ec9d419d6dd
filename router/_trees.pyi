"""Remembers trees of documents whose root was verified, and the nodes proven below it."""

from typing import Any, NoReturn

__all__ = ["VerifiedTree", "VerifiedTrees"]

class VerifiedTree:
    protected: str
    signature: str
    size: int
    root: bytes
    told: Any
    nbytes: int
    def __init__(
        self, protected: str, signature: str, size: int, root: bytes, told: object
    ) -> None: ...
    def __reduce__(self) -> NoReturn: ...

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
