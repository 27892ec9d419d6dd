"""Postings: the topics under which inboxes find an audience, each with what it stands for."""

from router._core import Audience, Hierarchy

__all__ = ["EVERYBODY", "postings"]

EVERYBODY: tuple[int, int, int]
"""The topic that every unit subscribes to: broadcasts over many classes of units."""

def postings(hierarchy: Hierarchy, audience: Audience) -> bytes:
    """Return the postings of an audience as records have them, in order of their topics.

    For each: a byte 7, the topic (number u32, tier u8, kind u16), a byte that says how many
    runs follow (0: too many, ask the audience), and (start, stop, rank of the start) of each,
    u32, most significant byte first.  Raises ValueError for an audience of another snapshot.
    """
