"""Small directories for tests: a tree of four tiers, and a directory that holds it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from router.directory import Directory
from router.model.instants import VIETNAM_TIME, instant_of
from router.model.units import Unit


def at(year: int, month: int = 1, day: int = 1) -> int:
    """The instant at which a day begins in Vietnam."""
    return instant_of(datetime(year, month, day, tzinfo=VIETNAM_TIME))


START = at(2004)
NOW = at(2024, 9, 4)


def unit(number: int, code: str, tier: int, parent: int | None = None, **fields: object) -> Unit:
    """One unit of no matter which kind, open since 2004."""
    given: dict[str, object] = {
        "name": f"Đơn vị {code}",
        "kind": "people-committee",
        "valid_from": START,
        **fields,
    }
    return Unit(number=number, code=code, tier=tier, parent=parent, **given)  # type: ignore[arg-type]


def small_tree() -> list[Unit]:
    """Centre, province, two districts, and two communes in each."""
    return [
        unit(1, "G22", 1, kind="government-office", aliases=("000.00.00.G22",)),
        unit(2, "H22", 2, 1, aliases=("000.00.00.H22",)),
        unit(3, "H22.31", 3, 2, aliases=("000.00.31.H22",)),
        unit(4, "H22.32", 3, 2, aliases=("000.00.32.H22",)),
        unit(5, "H22.31.20", 4, 3, aliases=("000.20.31.H22",)),
        unit(6, "H22.31.21", 4, 3, aliases=("000.21.31.H22",)),
        unit(7, "H22.32.20", 4, 4, aliases=("000.20.32.H22",)),
        unit(8, "H22.32.21", 4, 4, aliases=("000.21.32.H22",)),
    ]


def add(directory: Directory, units: Sequence[Unit]) -> None:
    """Plan an import and apply it, as the engine would."""
    start = directory.sequence
    for body in directory.plan_import(units):
        directory.apply(body, start + body.part)


def close(directory: Directory, number: int, at_us: int, *successors: int) -> None:
    """Plan a closing and apply it."""
    directory.apply(directory.plan_close(number, at_us, successors), directory.sequence + 1)


def directory_of(units: Sequence[Unit]) -> Directory:
    """A directory that holds these units."""
    directory = Directory()
    add(directory, units)
    return directory
