"""The overlay: what changed since the last checkpoint, in memory, in front of the base."""

import builtins
from collections.abc import Sequence
from typing import final

__all__ = ["Overlay"]

@final
class Overlay:
    """Keys and values of up to 32 tables, tombstones among them.

    A table is exact or ordered; a key of an ordered one is a prefix and eight bytes, the
    suffix.  Keys have at most 64 bytes.  The compiled rooms use the interface in C; this one
    is for tests and dumps.  Every method raises ValueError for an unknown table and for a key
    of a size that table cannot hold.
    """

    def __new__(cls, ordered: Sequence[bool]) -> Overlay:
        """Make an empty one; `ordered[i]` says whether table i is ordered, else it is exact.

        Raises ValueError when there are no tables or more than 32.
        """

    @property
    def bytes(self) -> int:
        """Memory held, in bytes."""

    @property
    def items(self) -> int:
        """Keys held, tombstones included."""

    def set(
        self, table: int, key: builtins.bytes, value: builtins.bytes, *, new: bool = False
    ) -> None:
        """Put a value (`new`: nothing below has its key); MemoryError: there is none."""

    def delete(self, table: int, key: builtins.bytes) -> None:
        """Leave a tombstone; MemoryError when there is no memory."""

    def get(self, table: int, key: builtins.bytes) -> builtins.bytes | None:
        """Return the value, or None of a removed key; KeyError when it was never here."""

    def alter(self, table: int, key: builtins.bytes, value: builtins.bytes) -> bool:
        """Write over the beginning of a value in place; False when there is none so long."""

    def group(
        self, table: int, prefix: builtins.bytes, start: int = 0
    ) -> list[tuple[int, builtins.bytes | None]]:
        """List (suffix, value) of one prefix from a suffix on; None for a removed one."""

    def walk(
        self, table: int, start: builtins.bytes = b""
    ) -> list[tuple[builtins.bytes, builtins.bytes | None]]:
        """List (key, value) of a table in order from a key on; None for a removed one."""

    def clear(self) -> None:
        """Drop everything."""
