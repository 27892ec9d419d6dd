"""The national directory on both sides of the reform of 1 July 2025, as one `Directory`.

Benchmarks and tests of scale ask it at two dates: as imported, and with the whole reform
behind it.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

from router.directory import Directory, Snapshot, encode_change
from vanban_bench.workloads.national import NATIONAL_SIZE
from vanban_bench.workloads.reform_2025 import national_before, national_reorganisation

SEED: Final = 20_250_701
TINY_SIZE: Final = 2_500


class Country(NamedTuple):
    """The records, the directory they make, and its snapshots on 30 June and 1 July 2025."""

    bodies: tuple[bytes, ...]
    directory: Directory
    before: Snapshot
    after: Snapshot

    def sides(self) -> tuple[tuple[str, Snapshot], ...]:
        """Return the two snapshots with what rows about them are called."""
        return ("", self.before), ("-after-reform", self.after)


@cache
def country(tiny: bool = False) -> Country:
    """Return the country of 123,265 units (a part of it when `tiny`), made once a process."""
    units = national_before(SEED, TINY_SIZE if tiny else NATIONAL_SIZE)
    directory = Directory()
    bodies: list[bytes] = []
    for change in directory.plan_import(units):
        bodies.append(encode_change(change))
        directory.apply(change, len(bodies))
    reform = national_reorganisation(units)
    for planned in directory.plan(reform):
        bodies.append(encode_change(planned))
        directory.apply(planned, len(bodies))
    return Country(
        tuple(bodies), directory, directory.snapshot(reform.at - 1), directory.snapshot(reform.at)
    )


def directory_of(bodies: tuple[bytes, ...]) -> Directory:
    """Return the directory that these records make, as an opening does."""
    directory = Directory()
    for sequence, body in enumerate(bodies, 1):
        directory.apply(body, sequence)
    return directory
