"""Names that are surely not there, known without looking."""

import builtins
from typing import final

__all__ = ["Filter"]

@final
class Filter:
    """A growing set of 16-byte digests that may say yes too often, never no.

    It holds at most `bytes_max` of memory.
    """

    complete: bool
    bytes: int

    def __new__(cls, bytes_max: int = ...) -> Filter: ...
    def put(self, digest: builtins.bytes) -> None:
        """Put a digest of 16 bytes in."""

    def __contains__(self, digest: builtins.bytes) -> bool:
        """Say whether a digest may be in."""
