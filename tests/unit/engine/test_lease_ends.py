"""The end of a lease is told once, for its unit only, and within a bound.

The failure guarded against: a sleeper that is never woken for what was leased and let go, or
a memory of ends that grows with the leases.
"""

from __future__ import annotations

import pytest

from router import limits
from router.engine.lease_ends import LeaseEnds
from router.model.instants import SECOND_US


def test_an_end_is_told_once_and_not_before() -> None:
    ends = LeaseEnds()
    ends.lent(1, 10 * SECOND_US)
    ends.lent(1, 10 * SECOND_US)
    ends.lent(2, 20 * SECOND_US)
    assert ends.ended(10 * SECOND_US - 1) == set()
    assert ends.ended(10 * SECOND_US) == {1}
    assert ends.ended(19 * SECOND_US) == set()
    assert ends.ended(20 * SECOND_US) == {2}


def test_a_later_end_does_not_put_off_an_earlier_one() -> None:
    ends = LeaseEnds()
    ends.lent(1, 86_400 * SECOND_US)
    ends.lent(2, 5 * SECOND_US)
    ends.lent(1, 5 * SECOND_US + 1)
    assert ends.ended(5 * SECOND_US) == {2}
    assert ends.ended(6 * SECOND_US) == {1}, "no lease is told of before it has ended"
    assert ends.ended(86_400 * SECOND_US) == {1}


def test_ends_are_remembered_up_to_their_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LEASE_ENDS_MAX", 3)
    ends = LeaseEnds()
    for second in range(1, 10):
        ends.lent(second, second * SECOND_US)
    assert ends.ended(100 * SECOND_US) == {1, 2, 3}
    ends.lent(7, SECOND_US)
    assert ends.ended(SECOND_US) == {7}, "room is there again"
