"""LMDB without the GIL: the functions that the lmdb wheel carries, found by name."""

from typing import Final

__all__ = ["PROBLEM", "WHEELS_TESTED", "describe"]

PROBLEM: Final[str]
WHEELS_TESTED: Final[tuple[str, ...]]

def describe(number: int) -> str:
    """Return LMDB's own words for one of its numbers, "" without LMDB."""
