"""Takes the facts of one record into a register."""

from __future__ import annotations

from router._register import Register
from router.directory.changes import FactsLearnt
from router.directory.facts import swapped
from router.directory.known import Vocabulary


def add_part(register: Register, words: Vocabulary, place: int, part: FactsLearnt) -> set[int]:
    """Add the facts of one record to a register; return the instants they begin and end at.

    Raises ValueError for what can't be a record.
    """
    instants, succeeded = register.add(
        place,
        swapped(part.number, "I"),
        swapped(part.since, "q"),
        swapped(part.until, "q"),
        swapped(part.mask, "H"),
        part.tier,
        swapped(part.kind, "H"),
        swapped(part.tags, "H"),
        swapped(part.parent, "I"),
        part.text,
        [words.kind(name) for name in part.kinds],
        [words.tag_set(tags) for tags in part.tag_sets],
    )
    for former, successors in succeeded:
        words.succession(former, successors)
    found: set[int] = instants
    return found
