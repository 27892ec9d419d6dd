"""Whom a group of new documents reaches is said for all sleepers together, and rightly.

The failure guarded against: a sleeper not woken for its mail, or each flush asking every
document about every sleeper.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from support.office import CODES, PROVINCE, Office

from router.engine import Arrival, reached_by

SELECTORS = (
    "H22.31.20",
    "H22.31.20 | H22.32",
    "children(H22.31)",
    "descendants(H22) - H22.31",
    "tier(commune)",
    "all",
)


def arrivals_of(office: Office, selectors: Sequence[str]) -> list[Arrival]:
    heard: list[Arrival] = []
    office.engine.listen(heard.extend)
    office.submit(*(office.envelope(recipients=one) for one in selectors))
    assert len(heard) == len(selectors)
    return heard


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("selector", [*SELECTORS, None])
def test_all_together_are_told_what_each_alone_would_be(selector: str | None, closed: bool) -> None:
    office = Office()
    if closed:
        arrivals = arrivals_of(office, SELECTORS if selector is None else [selector])
        office.close_commune("H22.31.20", ["H22.31.21"])
        arrivals = [Arrival(one._rooms, one._audience, office.clock.now_us()) for one in arrivals]
    else:
        arrivals = arrivals_of(office, SELECTORS if selector is None else [selector])
    numbers = tuple(CODES)
    for asked in (numbers, numbers[:1], numbers[2:4], ()):
        alone = {unit for unit in asked if any(one.reaches(unit) for one in arrivals)}
        assert reached_by(arrivals, asked) == alone


def test_a_successor_is_reached_by_a_letter_to_the_closed_unit() -> None:
    office = Office()
    office.close_commune("H22.31.20", ["H22.31.21"])
    arrivals = arrivals_of(office, ["H22.31.21"])
    assert reached_by(arrivals, tuple(CODES)) == {4}


def test_equal_audiences_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office()
    arrivals = arrivals_of(office, ["H22.31.20"] * 5 + ["children(H22.31)"] * 5)
    looked = []
    reached = Arrival.reached
    monkeypatch.setattr(
        Arrival, "reached", lambda self, *rest: looked.append(self) or reached(self, *rest)
    )
    assert reached_by(arrivals, tuple(CODES)) == {3, 4}
    assert len(looked) == 2
    assert reached_by(arrivals, (PROVINCE,)) == set()
