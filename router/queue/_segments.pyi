"""Segment files: their format, the table of those there are, reading beside the writer."""

from router.queue._disk import Disk

__all__ = ["Segments"]

class Segments:
    """The segments there are, and those of them that are open for reading."""

    disk: Disk

    def __init__(self, disk: Disk) -> None: ...
