"""CRC-32C (Castagnoli, RFC 3720 appendix B.4): by the processor where it can, else by table."""

from typing import Final

__all__ = ["HARDWARE", "checksum", "checksum_by_table"]

HARDWARE: Final[bool]

def checksum(data: bytes | bytearray | memoryview, before: int = 0) -> int:
    """Return the CRC-32C of `data`, going on from the sum of the bytes `before` it."""

def checksum_by_table(data: bytes | bytearray | memoryview, before: int = 0) -> int:
    """Return the same as `checksum`, never asking the processor."""
