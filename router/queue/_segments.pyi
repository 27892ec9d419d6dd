"""Segment files: their format, and the table of those there are."""

from typing import final

from router.queue._disk import Disk

__all__ = ["Segments"]

@final
class Segments:
    """The segments there are, and those of them that are open for reading."""

    disk: Disk

    def __new__(cls, disk: Disk) -> Segments: ...
