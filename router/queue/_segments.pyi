"""Segment files: their format, the table of those there are, reading beside the writer."""

from typing import final

from router.queue._disk import Disk

__all__ = ["Segments"]

@final
class Segments:
    """The segments there are, and those of them that are open for reading."""

    disk: Disk

    def __new__(cls, disk: Disk) -> Segments: ...
