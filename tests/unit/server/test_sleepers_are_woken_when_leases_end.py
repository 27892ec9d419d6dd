"""The end of a lease wakes the sleepers of its unit: what was leased may be handed out again."""

from __future__ import annotations

import asyncio

import pytest

from router import limits
from router.server.waiters import Waiters


def test_the_unit_whose_lease_ran_out_is_woken_and_no_other():
    async def run():
        waiters = Waiters(10)
        waiters.bind(asyncio.get_running_loop())
        with waiters.waiting(1) as mine, waiters.waiting(2) as other:
            waiters.lent(2, 86_400)
            waiters.lent(1, 0)
            waiters.lent(1, 0)
            await asyncio.wait_for(mine.bell.wait(), 60)
            assert not other.bell.is_set()

    asyncio.run(run())


@pytest.mark.parametrize("lease_s", [86_400, 1])
def test_a_later_end_does_not_put_off_an_earlier_one(lease_s):
    async def run():
        waiters = Waiters(10)
        waiters.bind(asyncio.get_running_loop())
        with waiters.waiting(1) as first, waiters.waiting(2) as second:
            waiters.lent(1, 0)
            waiters.lent(2, lease_s)
            await asyncio.wait_for(first.bell.wait(), 60)
            if lease_s == 1:
                await asyncio.wait_for(second.bell.wait(), 60)
            else:
                assert not second.bell.is_set()

    asyncio.run(run())


def test_ends_are_remembered_up_to_their_bound(monkeypatch):
    monkeypatch.setattr(limits, "LEASE_ENDS_MAX", 3)

    async def run():
        waiters = Waiters(10)
        waiters.bind(asyncio.get_running_loop())
        for lease_s in range(100, 110):
            waiters.lent(1, lease_s)
        assert len(waiters._ends) == 3
        waiters.stop()

    asyncio.run(run())
