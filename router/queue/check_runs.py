"""Stored runs of an audience, laid out so that one of them is found without a look at all.

A document that is written to very many by name has a topic for each, and each topic's row says
where in the audience its member stands.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from itertools import accumulate
from typing import Final

_PAIR: Final = struct.Struct("<II")


class Runs:
    """Runs in order; what damage left in another order is found nowhere."""

    def __init__(self, data: bytes) -> None:
        pairs = list(_PAIR.iter_unpack(data))
        self._starts = array("q", (start for start, _ in pairs))
        self._stops = array("q", (stop for _, stop in pairs))
        self._before = array("q", accumulate((stop - start for start, stop in pairs), initial=0))

    def hold(self, start: int, stop: int, rank: int) -> bool:
        """Say whether positions lie in one of the runs, the first of them at that rank."""
        place = bisect_right(self._starts, start) - 1
        return (
            place >= 0
            and start < stop <= self._stops[place]
            and self._before[place] + start - self._starts[place] == rank
        )
