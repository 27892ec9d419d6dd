"""The sample province's policy (40 rules), and two provinces to try it on around the reform.

The file is the one that docs/policy-sample.md explains; no rule of it names a unit, so it
holds for any province, with districts and without.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

import msgspec

from router.directory import Directory, Snapshot, encode_change
from router.model.units import Unit
from router.policy.model import PolicyFile
from vanban_bench.workloads.reform_2025 import COMMITTEE, TreeMaker, national_reorganisation
from vanban_bench.workloads.reform_data import REFORM_AT
from vanban_bench.workloads.sample_directory import DISTRICT, PROVINCE

WHOLE_PROVINCES: Final = ("H14", "H22", "H60")
"""Cao Bằng goes on, Hà Giang (H22) merges into Tuyên Quang (H60)."""


class Sides(NamedTuple):
    """One directory on both sides of the reform: 30 June and 1 July 2025."""

    directory: Directory
    before: Snapshot
    after: Snapshot

    def at(self, instant_us: int) -> Snapshot:
        """Return the side on which an instant lies."""
        return self.after if instant_us >= REFORM_AT else self.before


def province_policy_text() -> bytes:
    """Return the policy file with its tests, which are about days before the reform."""
    return _text("province.toml")


def after_reform_tests_text() -> bytes:
    """Return tests about days after the reform; they may stand at the end of the policy file."""
    return _text("province-after-reform.toml")


@cache
def province_policy() -> PolicyFile:
    """Return the policy, with the tests of both sides of the reform."""
    whole = province_policy_text() + b"\n" + after_reform_tests_text()
    return msgspec.toml.decode(whole, type=PolicyFile)


@cache
def sides() -> Sides:
    """Return the centre, all provinces, three of them whole, around the reform; made once."""
    directory = Directory()
    units = _units()
    changes = [*directory.plan_import(units)]
    for sequence, change in enumerate(changes, 1):
        encode_change(change)
        directory.apply(change, sequence)
    for sequence, planned in enumerate(
        directory.plan(national_reorganisation(units)), len(changes) + 1
    ):
        directory.apply(planned, sequence)
    return Sides(directory, directory.snapshot(REFORM_AT - 1), directory.snapshot(REFORM_AT))


def _units() -> list[Unit]:
    """Return the units of 30 June 2025, parents before children."""
    maker = TreeMaker()
    maker.tree_of_30_june()
    for unit in tuple(maker.units):
        if unit.kind == COMMITTEE and unit.code.partition(".")[0] in WHOLE_PROVINCES:
            if unit.tier == PROVINCE:
                maker.departments(unit)
            elif unit.tier == DISTRICT:
                maker.offices(unit)
    return [
        unit
        for unit in maker.units
        if "." not in unit.code or unit.code.partition(".")[0] in WHOLE_PROVINCES
    ]


def _text(name: str) -> bytes:
    return (files("vanban_bench") / "data" / "policies" / name).read_bytes()
