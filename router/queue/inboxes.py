"""What an inbox looks like from outside: its lines and counts."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple


class Waiting(NamedTuple):
    """One line of an inbox: a delivery that is queued or leased."""

    document: int
    entry: int
    lane: int
    attempts: int
    state: str


class OpenCount(NamedTuple):
    """Deliveries of one address that are not final; `more`: the count ended at its bound."""

    queued: int
    leased: int
    more: bool


class Inbox(NamedTuple):
    """What is open for an address; `more`: there may be further lines."""

    queued: tuple[Waiting, ...]
    leased: tuple[Waiting, ...]
    more: bool


def topics_digest(topics: Sequence[bytes]) -> int:
    """Return a number that differs when the (sorted) topics differ; never 0."""
    joined = b"".join(bytes((len(topic),)) + topic for topic in topics)
    return int.from_bytes(sha256(joined).digest()[:8], "big") | 1
