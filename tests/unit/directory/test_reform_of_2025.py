"""The whole reform of 1 July 2025 through the directory: both sides of midnight stay right.

On that night a tier went, 29 level-1 codes were closed, and 10,035 communes became 3,321
new ones, most of them under the code of an old commune with other ground.  A letter of the
evening and one of the morning may name the same code and mean two units; a reply that comes
months later with a code of the evening must still find who answers for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cache

import pytest
from support.units import at

from router.directory import Directory, Resolution, ResolveItem
from router.errors import VanbanError
from router.model.units import Unit
from vanban_bench.workloads.reform_2025 import (
    TITLE,
    national_before,
    national_reorganisation,
    reorganisation,
    units_before,
)
from vanban_bench.workloads.reform_data import (
    REFORM_AT,
    province_successions,
    successions,
    territories_before,
)

EVE = REFORM_AT - 1_000_000
"""23:59:59 on 30 June 2025."""
LEARNT = at(2025, 6, 1)
"""When the directory was imported; the reform was entered two weeks later."""
ENTERED = at(2025, 6, 16)


def applied(directory: Directory, bodies: Iterable[bytes], known_at: int) -> int:
    """Apply planned records; return the sequence of the last."""
    start = directory.sequence
    for number, body in enumerate(bodies, 1):
        assert directory.sequence == start, "parts are invisible until the last"
        directory.apply(body, start + number, known_at)
    return directory.sequence


@cache
def reformed() -> tuple[Directory, int]:
    """The directory with the reform entered, and the sequence before it was."""
    directory = Directory()
    units = units_before()
    imported = applied(directory, directory.plan_import(units), LEARNT)
    applied(directory, directory.plan(reorganisation(units)), ENTERED)
    return directory, imported


def committees(units: Iterable[Unit]) -> Counter[int]:
    return Counter(unit.tier for unit in units if unit.kind == "people-committee")


def gso_code_of(unit: Unit) -> str:
    return next(code for code in unit.aliases if code.startswith("GSO:")).removeprefix("GSO:")


def resolve(selector: str, instant: int) -> Resolution | VanbanError:
    directory, _ = reformed()
    (answer,) = directory.resolve_batch([ResolveItem(selector, instant)])
    return answer


def count(selector: str, instant: int) -> int:
    answer = resolve(selector, instant)
    assert isinstance(answer, Resolution), answer
    return answer.audience.size


def name(selector: str, instant: int) -> str:
    answer = resolve(selector, instant)
    assert isinstance(answer, Resolution), answer
    (unit,) = answer.snapshot.units_of(answer.audience)
    return unit.name


def test_a_second_before_midnight_the_old_country_stands_and_at_midnight_the_new() -> None:
    directory, _ = reformed()
    assert committees(directory.units(EVE)) == {2: 63, 3: 696, 4: 10_035}
    assert committees(directory.units(REFORM_AT)) == {2: 34, 4: 3_321}
    for tier, old, new in (("province", 63, 34), ("commune", 10_035, 3_321)):
        assert count(f"tier({tier}) & kind(people-committee)", EVE) == old
        assert count(f"tier({tier}) & kind(people-committee)", REFORM_AT) == new
    assert count("tier(district)", EVE) == 696
    gone = resolve("tier(district)", REFORM_AT)
    assert isinstance(gone, VanbanError), "a tier that went is no silent empty set"


def test_before_the_reform_was_entered_nobody_knew_of_it() -> None:
    directory, imported = reformed()
    snapshot = directory.snapshot(REFORM_AT, imported)
    assert len(snapshot) == len(directory.snapshot(EVE)) == 28 + 63 + 696 + 10_035
    assert directory.sequence_at(ENTERED - 1) == imported
    assert directory.sequence_at(ENTERED) == directory.sequence
    made = directory.changes()[-1]
    assert (made.form, made.title, made.at) == ("reorganisation", TITLE, REFORM_AT)


def test_every_old_unit_finds_its_successors() -> None:
    directory, _ = reformed()
    into = successions()
    now = province_successions()
    provinces = {each.gso_code: each.parent_gso_code for each in territories_before()}
    old = [unit for unit in directory.units(EVE) if unit.kind == "people-committee"]
    assert len(old) == 10_794
    for unit in old:
        code = gso_code_of(unit)
        expected = into.get(code)
        if expected is None:
            expected = (now[provinces[code] if unit.tier == 3 else code],)
        successors = directory.successors(unit.number, REFORM_AT)
        found = [directory.unit(each, REFORM_AT) for each in successors]
        assert tuple(gso_code_of(each) for each in found) == expected
        assert directory.successors(unit.number, EVE) == (unit.number,)
        # Who answers for it is the default successor, and before midnight itself.
        assert directory.holder(unit.number, REFORM_AT) == successors[0]
        assert directory.holder(unit.number, EVE) == unit.number


def test_every_new_unit_finds_its_predecessors() -> None:
    directory, _ = reformed()
    expected: dict[str, set[str]] = {}
    for old, new in successions().items():
        for code in new:
            expected.setdefault(code, set()).add(old)
    provinces: dict[str, set[str]] = {}
    for old_code, new_code in province_successions().items():
        provinces.setdefault(new_code, set()).add(old_code)
    new_units = [
        unit
        for unit in directory.units(REFORM_AT)
        if unit.kind == "people-committee" and unit.valid_from == REFORM_AT
    ]
    assert committees(new_units) == {2: 23, 4: 3_321}
    for unit in new_units:
        found = [directory.unit(each, EVE) for each in directory.predecessors(unit.number)]
        if unit.tier == 4:
            assert {gso_code_of(each) for each in found} == expected[gso_code_of(unit)]
        else:
            # The districts of a province are succeeded by it too.
            merged = {gso_code_of(each) for each in found if each.tier == 2}
            assert merged == provinces[gso_code_of(unit)]


def test_ha_giang_resolves_on_the_eve_and_names_its_successor_on_the_day() -> None:
    assert count("descendants(H22) & tier(commune)", EVE) == 193
    assert count("children(H22) & tier(district)", EVE) == 11
    assert count("children(H60) & tier(district)", EVE) == 7
    assert count("children(H60) & tier(commune)", REFORM_AT) == 124
    for selector in ("H22", "descendants(H22) & tier(commune)"):
        refused = resolve(selector, REFORM_AT)
        assert isinstance(refused, VanbanError)
        assert refused.code == "recipient.closed"
        assert refused.facts["successor"] == "H60"
    directory, _ = reformed()
    (closed,) = directory.bearers("H22")
    heir = directory.find("H60", REFORM_AT)
    assert heir is not None
    assert heir.number != directory.require("H60", EVE).number, "the name stayed, not the unit"
    assert directory.holder(closed.number, REFORM_AT) == heir.number
    grounds = {
        successor
        for unit in directory.units(EVE)
        if unit.tier == 4 and unit.code.startswith("H22.")
        for successor in directory.successors(unit.number, REFORM_AT)
    }
    assert len(grounds) == 73
    assert {directory.unit(each).parent for each in grounds} == {heir.number}


@pytest.mark.parametrize(
    ("code", "on_the_eve", "on_the_day"),
    [
        ("gso:15", "UBND tỉnh Yên Bái", "UBND tỉnh Lào Cai"),
        ("H38", "UBND tỉnh Lào Cai", "UBND tỉnh Lào Cai"),
        ("gso:52", "UBND tỉnh Bình Định", "UBND tỉnh Gia Lai"),
        ("H21", "UBND tỉnh Gia Lai", "UBND tỉnh Gia Lai"),
        ("gso:24", "UBND tỉnh Bắc Giang", "UBND tỉnh Bắc Ninh"),
        ("000.00.00.H05", "UBND tỉnh Bắc Ninh", "UBND tỉnh Bắc Ninh"),
    ],
)
def test_one_code_is_read_by_its_date(code: str, on_the_eve: str, on_the_day: str) -> None:
    directory, _ = reformed()
    assert directory.require(code, EVE).name == on_the_eve
    assert directory.require(code, REFORM_AT).name == on_the_day
    assert name(code, EVE) == on_the_eve
    assert name(code, REFORM_AT) == on_the_day


def test_gso_codes_of_communes_mean_other_units_on_the_two_days() -> None:
    directory, _ = reformed()
    again = 0
    for unit in directory.units(REFORM_AT):
        if unit.kind != "people-committee" or unit.tier != 4:
            continue
        bearers = directory.bearers(f"GSO:{gso_code_of(unit)}")
        assert bearers[-1].number == unit.number
        again += len(bearers) == 2
        before = directory.find(f"GSO:{gso_code_of(unit)}", EVE)
        assert before is None or before.number != unit.number
    assert again == 3_316


def test_what_was_not_touched_is_the_same_unit() -> None:
    directory, _ = reformed()
    cao_bang = directory.require("H14", EVE)
    assert directory.require("H14", REFORM_AT).number == cao_bang.number
    assert directory.holder(cao_bang.number, REFORM_AT) == cao_bang.number
    tuyen_quang = directory.require("H60", EVE)
    assert directory.require("H60", REFORM_AT).number != tuyen_quang.number


def test_schools_and_bodies_go_on_below_the_successors() -> None:
    directory = Directory()
    units = national_before(7, 40_000)
    applied(directory, directory.plan_import(units), LEARNT)
    applied(directory, directory.plan(national_reorganisation(units)), ENTERED)
    kinds = Counter(unit.kind for unit in directory.units(EVE))
    assert sum(kinds.values()) == 40_000
    after = Counter(unit.kind for unit in directory.units(REFORM_AT))
    for kind in ("school", "clinic", "sub-department", "service-centre"):
        assert after[kind] == kinds[kind]
    for number in (unit.number for unit in units if unit.kind in ("clinic", "sub-department")):
        before, now = directory.unit(number, EVE), directory.unit(number, REFORM_AT)
        assert (now.code, now.name, now.aliases) == (before.code, before.name, before.aliases)
        assert before.parent is not None
        assert now.parent == directory.holder(before.parent, REFORM_AT)
    selector = "descendants(H60) & kind(clinic)"
    for instant, homes in ((EVE, ("H60",)), (REFORM_AT, ("H60", "H22"))):
        (answer,) = directory.resolve_batch([ResolveItem(selector, instant)])
        assert isinstance(answer, Resolution)
        codes = {unit.code for unit in answer.snapshot.units_of(answer.audience)}
        expected = {u.code for u in units if u.kind == "clinic" and u.code.startswith(homes)}
        assert codes == expected
