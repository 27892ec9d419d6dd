"""The register of facts: what it takes, what it refuses, and what it answers."""

from __future__ import annotations

from array import array

import pytest

from router._bearers import Bearers
from router._core import Hierarchy
from router._register import (
    FACT_CLOSES,
    FACT_CODES,
    FACT_KIND,
    FACT_NAME,
    FACT_OPENS,
    FACT_PARENT,
    FACT_SUCCESSORS,
    FACT_TAGS,
    FACT_TIER,
    FOR_GOOD,
    Register,
)

WHOLE = FACT_OPENS | FACT_TIER | FACT_KIND | FACT_PARENT | FACT_CODES | FACT_NAME
ROW = {
    "number": 7, "since": 10, "until": FOR_GOOD, "mask": WHOLE, "tier": 2, "kind": 0, "tags": 0,
    "parent": 0, "text": "H22\x1fGSO:02\tHà Giang\n",
}  # fmt: skip
CODES = {
    "number": "I", "since": "q", "until": "q", "mask": "H", "tier": "B", "kind": "H", "tags": "H",
    "parent": "I",
}  # fmt: skip


def columns(*rows):
    made = {
        name: array(code, [row[name] for row in rows]).tobytes() for name, code in CODES.items()
    }
    made["text"] = "".join(row["text"] for row in rows).encode()
    return made


def add(register, change, *rows, kinds=(1,), tags=(0,), **replaced):
    return register.add(change, **(columns(*rows) | replaced), kind_numbers=kinds, tag_numbers=tags)


@pytest.fixture
def register():
    made = Register()
    add(made, 0, ROW)
    return made


def test_a_fact_is_seen_from_its_change_on_and_for_its_time(register):
    assert register.find("H22", 10, 1) == register.find("GSO:02", 10, 1) == 7
    assert register.find("H22", 9, 1) == 0, "before it holds"
    assert register.find("H22", 10, 0) == 0, "before it is known"
    assert register.life(7, 1) == (10, FOR_GOOD)
    assert register.life(7, 0) is None
    assert register.life(8, 1) is None
    assert register.state(7, 10, 1)[:5] == (True, 2, 1, 0, 0)
    assert register.state(7, 10, 1)[6:8] == ("H22\x1fGSO:02", "Hà Giang")


def test_the_fact_learnt_last_decides_and_no_longer_than_it_says(register):
    later = ROW | {"since": 20, "until": 30, "mask": FACT_NAME, "text": "Tên mới\n"}
    instants, succeeded = add(register, 1, later)
    assert (instants, succeeded) == ({20, 30}, [])
    names = {at: register.state(7, at, 2)[7] for at in (10, 19, 20, 29, 30)}
    assert names == {10: "Hà Giang", 19: "Hà Giang", 20: "Tên mới", 29: "Tên mới", 30: "Hà Giang"}
    assert register.state(7, 25, 1)[7] == "Hà Giang", "as it was known before"


def test_an_end_names_who_succeeds(register):
    gone = ROW | {"since": 40, "mask": FACT_CLOSES | FACT_SUCCESSORS, "text": "8,9\n"}
    assert add(register, 1, gone) == ({40}, [(7, "8,9")])
    assert register.life(7, 2) == (10, 40)
    assert register.find("H22", 40, 2) == 0
    assert register.bearers("H22") == [7]
    assert register.open_numbers(39, 2) == [7]
    assert register.open_numbers(40, 2) == []


def test_a_copy_is_independent(register):
    other = register.copy()
    add(other, 1, ROW | {"number": 8, "text": "H23\tB\n"})
    assert (len(register), len(other)) == (1, 2)
    assert register.find("H23", 10, 2) == 0
    assert other.find("H22", 10, 2) == 7
    assert len(Register().copy()) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": 0},
        {"number": 0xFFFFFFFF},
        {"parent": 0xFFFFFFFF},
        {"until": 10},
        {"until": 5},
        {"mask": 0},
        {"mask": 0x8000 | WHOLE},
        {"number": 8, "mask": FACT_NAME, "text": "only a name of a new unit\n"},
        {"kind": 1},
        {"tags": 1},
        {"text": "no line end"},
        {"text": "too few fields\n"},
        {"text": "too\tmany\tfields\n"},
        {"text": "one\tline\nand another\n"},
    ],
)
def test_what_is_no_fact_is_refused(wrong):
    with pytest.raises(ValueError, match=r".+"):
        add(Register(), 0, ROW | wrong)


@pytest.mark.parametrize("column", list(CODES))
def test_columns_of_different_lengths_are_refused(column):
    for spoilt in (b"", b"\x01" * 3, columns(ROW, ROW)[column]):
        with pytest.raises(ValueError, match=r".+"):
            Register().add(
                0, **(columns(ROW) | {column: spoilt}), kind_numbers=[1], tag_numbers=[0]
            )


def test_values_of_another_type_are_refused(register):
    for ask in (register.life, register.history, register.lineage):
        with pytest.raises(TypeError):
            ask("7") if ask != register.life else ask("7", 1)
    with pytest.raises(TypeError):
        register.find(7, 1, 1)
    with pytest.raises(TypeError):
        Register.__reduce__(register)


def test_a_lineage_is_all_that_a_unit_ever_was_and_was_below(register):
    add(register, 1, ROW | {"number": 8, "text": "A\tA\n"})
    add(register, 2, ROW | {"number": 9, "parent": 8, "text": "B\tB\n"})
    move = ROW | {"number": 9, "since": 50, "mask": FACT_PARENT | FACT_KIND, "parent": 7}
    add(register, 3, move | {"text": "\n"}, kinds=(5,))
    assert register.lineage(9) == ({(2, 1), (2, 5)}, {7, 8})
    assert register.lineage(77) == (set(), set())


def test_faults_are_named(register):
    assert register.faults(10, 1) is None
    add(register, 1, ROW | {"number": 8, "parent": 99, "text": "A\tA\n"})
    assert register.faults(10, 2) == ("parent", 8, 99)
    same = Register()
    add(same, 0, ROW, ROW | {"number": 8, "text": "X\x1fGSO:02\tB\n"})
    assert same.faults(10, 1) in (("code", 8, 7), ("code", 7, 8))
    above = Register()
    add(above, 0, ROW, ROW | {"number": 8, "tier": 1, "parent": 7, "text": "X\tB\n"})
    assert above.faults(10, 1) == ("tier", 8, 7)


def test_compiling_takes_what_is_open_and_tags_are_found(register):
    add(register, 1, ROW | {"number": 8, "mask": WHOLE | FACT_TAGS, "text": "A\tA\n"}, tags=(3,))
    hierarchy = register.compile(10, 2)
    assert hierarchy.size == 2
    assert [hierarchy.number(p) for p in hierarchy.with_tags([3]).positions()] == [8]
    assert len(hierarchy.with_tags([4])) == 0
    assert register.compile(9, 2).size == 0
    for wrong in (-1, 65_536):
        with pytest.raises(ValueError, match=r".+"):
            hierarchy.with_tags([wrong])


def test_codes_of_a_snapshot_are_those_borne_then(register):
    add(register, 1, ROW | {"since": 50, "mask": FACT_CODES, "text": "H99\n"})
    add(register, 2, ROW | {"number": 8, "since": 50, "text": "H22\tB\n"})
    before = Bearers(register, register.compile(20, 3), 20, 3)
    after = Bearers(register, register.compile(60, 3), 60, 3)
    numbers = register.compile(60, 3)
    assert before.position("H22") == before.position("GSO:02") == 0
    assert before.position("H99") == -1
    assert numbers.number(after.position("H99")) == 7
    assert numbers.number(after.position("H22")) == 8
    assert after.position("GSO:02") == -1
    assert after.position("") == -1
    assert after.position("\ud800") == -1


def test_lists_are_answered_or_left_to_the_parser(register):
    add(register, 1, ROW | {"number": 8, "text": "A1\tA\n"})
    codes = Bearers(register, register.compile(10, 2), 10, 2)
    texts = ["H22", " h22|\ta1 ", "H22 | H22", "gso:02", "H22 |", "| H22", "H22 & A1", "", "H9",
             "all", "sender", "(H22)", "Hà", "H22 A1", "X" * 36, '"H22"']  # fmt: skip
    found = codes.list_audiences(texts)
    assert [None if one is None else one.runs for one in found] == [
        ((0, 1),), ((0, 2),), ((0, 1),), ((0, 1),), *[None] * 12,
    ]  # fmt: skip
    with pytest.raises(TypeError):
        codes.list_audiences([b"H22"])
    assert Bearers(Register(), Hierarchy([]), 0, 0).list_audiences(["H22"]) == [None]


def test_a_hierarchy_of_another_register_is_refused(register):
    with pytest.raises(ValueError, match="another register"):
        Bearers(register, Hierarchy([(1, 1, 1, 0)]), 0, 1)
    with pytest.raises(TypeError):
        Bearers(None, None, 0, 0)


def test_many_lists_of_many_codes_are_sorted_and_joined():
    register = Register()
    rows = [ROW | {"number": n, "text": f"C{n}\tA\n"} for n in range(1, 501)]
    add(register, 0, *rows)
    codes = Bearers(register, register.compile(10, 1), 10, 1)
    for step in (1, 3, 7, 251):
        wanted = [(n * step) % 500 + 1 for n in range(500)]
        (audience,) = codes.list_audiences([" | ".join(f"c{n}" for n in wanted)])
        assert audience is not None
        assert list(audience.positions()) == sorted({n - 1 for n in wanted})
