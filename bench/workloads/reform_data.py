"""The real territories on the two sides of 1 July 2025, and which became which.

30 June 2025: 63 provinces, 696 districts, 10,035 communes.  1 July 2025: 34 provinces and
3,321 communes; the district level is gone.  Of 10,040 old units (the communes and five
island districts without communes) 471 were split.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Final

from router.model.instants import VIETNAM_TIME, instant_of
from vanban_bench.workloads.sample_directory import Territory, read_table

REFORM_AT: Final = instant_of(datetime(2025, 7, 1, tzinfo=VIETNAM_TIME))
"""The first instant at which the new units exist and the old ones do not."""


def _territories(name: str) -> tuple[Territory, ...]:
    return tuple(
        Territory(
            row["gso_code"], int(row["tier"]), row["kind"], row["name"], row["parent_gso_code"]
        )
        for row in read_table(name)
    )


@cache
def territories_before() -> tuple[Territory, ...]:
    """Return the tree of 30 June 2025, in the order of tier and GSO code."""
    return _territories("vn-units-2025-06-30.csv")


@cache
def territories_after() -> tuple[Territory, ...]:
    """Return the tree of 1 July 2025, in the order of tier and GSO code."""
    return _territories("vn-units-2025-07-01.csv")


def below(territories: tuple[Territory, ...]) -> dict[str, tuple[Territory, ...]]:
    """Return territories by the GSO code of what they lie in ("" for the country)."""
    found: dict[str, list[Territory]] = {}
    for territory in territories:
        found.setdefault(territory.parent_gso_code, []).append(territory)
    return {code: tuple(inside) for code, inside in found.items()}


@cache
def _successions() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for row in read_table("vn-successions-2025-07-01.csv"):
        into = found.setdefault(row["old_gso_code"], [])
        into.insert(0 if row["default"] == "1" else len(into), row["new_gso_code"])
    return {code: tuple(into) for code, into in found.items()}


def successions() -> dict[str, tuple[str, ...]]:
    """Return the new communes by old commune or island district, the default successor first.

    Keys and values are GSO codes, of the two sides: the same code on both names two units.
    """
    return {code: into for code, into in _successions().items() if len(code) > 2}


def province_successions() -> dict[str, str]:
    """Return the new province by old province (GSO codes of the two sides)."""
    return {code: into[0] for code, into in _successions().items() if len(code) == 2}


def e_ids_before() -> dict[str, str]:
    """Return the level-1 codes of the 63 provinces by GSO code of 30 June 2025."""
    return {row["gso_code"]: row["e_id"] for row in read_table("e-id-provinces.csv")}


def e_ids_after() -> dict[str, str]:
    """Return the level-1 codes of the 34 provinces by GSO code of 1 July 2025.

    The level-1 code stays with the name (QĐ 09/2025/QĐ-TTg), the GSO code with the seat
    (QĐ 19/2025/QĐ-TTg): the new Lào Cai has the code of the old Lào Cai, H38, and the GSO
    code of the old Yên Bái, 15.
    """
    return {row["gso_code"]: row["e_id"] for row in read_table("e-id-provinces-2025.csv")}
