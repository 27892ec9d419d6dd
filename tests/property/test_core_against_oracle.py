"""The compiled core must say what Python sets over a parent map say.

A wrong run sends a document to the wrong office, and no later check would notice: so every
answer of the hierarchy is compared with an oracle that shares no code with it.
"""

from __future__ import annotations

import pickle
from array import array
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.forests import forests
from support.oracle import Oracle

from router._core import (
    OP_ALL,
    OP_CHILDREN,
    OP_CLASS,
    OP_DESCENDANTS,
    OP_DIFFERENCE,
    OP_INTERSECTION,
    OP_KIND,
    OP_NONE,
    OP_PARENT,
    OP_SET,
    OP_SIBLINGS,
    OP_SUBTREE,
    OP_TIER,
    OP_UNION,
    OP_UNIT,
    Audience,
    Hierarchy,
    Program,
    runs_contain,
)

positions = st.sets(st.integers(0, 60))


def canonical(audience: Audience) -> bool:
    runs = audience.runs
    return all(start < stop for start, stop in runs) and all(
        before[1] < after[0] for before, after in pairwise(runs)
    )


def some_audience(data: st.DataObject, hierarchy: Hierarchy) -> Audience:
    return Audience.from_positions(data.draw(st.sets(st.integers(0, hierarchy.size - 1))))


@given(forests())
def test_units_are_numbered_by_tier_kind_and_preorder(rows):
    oracle, hierarchy = Oracle(rows), Hierarchy(rows)
    order = oracle.order()
    assert [hierarchy.number(p) for p in range(hierarchy.size)] == order
    for position, number in enumerate(order):
        assert hierarchy.position(number) == position
        assert hierarchy.tier(position) == oracle.tier[number]
        assert hierarchy.kind(position) == oracle.kind[number]
        above = [hierarchy.number(p) for p in hierarchy.ancestors(position)]
        assert above == oracle.ancestors(number)
        parent = hierarchy.parent(position)
        assert (0 if parent < 0 else hierarchy.number(parent)) == oracle.parent[number]
        below = hierarchy.descendants(position)
        children = hierarchy.children(position)
        assert canonical(below)
        assert canonical(children)
        assert set(hierarchy.numbers(below)) == oracle.below(number)
        assert set(hierarchy.numbers(children)) == oracle.evaluate(("children", ("code", number)))


@given(forests(), st.data())
def test_every_member_subscribes_to_a_topic_of_its_audience(rows, data):
    hierarchy = Hierarchy(rows)
    audience = some_audience(data, hierarchy)
    topics = hierarchy.topics(audience)
    assert len(set(topics)) == len(topics)
    for position in audience.positions():
        assert set(hierarchy.subscriptions(position)) & set(topics)
    for start, stop in audience.runs:
        if stop - start == 1:
            number = hierarchy.number(start)
            assert (number, hierarchy.tier(start), hierarchy.kind(start)) in topics


@given(forests(), st.data())
def test_counts_numbers_and_digest_of_an_audience_are_the_oracles(rows, data):
    oracle, hierarchy = Oracle(rows), Hierarchy(rows)
    audience = some_audience(data, hierarchy)
    numbers = list(hierarchy.numbers(audience))
    assert numbers == sorted(hierarchy.number(p) for p in audience.positions())
    assert hierarchy.digest(audience) == oracle.digest(numbers)
    classes = Counter((oracle.tier[n], oracle.kind[n]) for n in numbers)
    assert hierarchy.count_by_class(audience) == dict(classes)
    for position in range(hierarchy.size):
        number = hierarchy.number(position)
        subtree = oracle.below(number) | {number}
        assert hierarchy.overlap(audience, position) == len(subtree & set(numbers))
        assert hierarchy.roll_up(audience, [position]) == [oracle.roll_up(numbers, subtree)]
    assert hierarchy.count_by_tier(audience) == oracle.roll_up(numbers, oracle.all)
    everywhere = range(hierarchy.size)
    assert hierarchy.roll_up(audience, everywhere) == [
        hierarchy.roll_up(audience, [position])[0] for position in everywhere
    ]


@given(positions, positions)
def test_audience_algebra_is_set_algebra(left, right):
    a, b = Audience.from_positions(left), Audience.from_positions(right)
    for answer, wanted in ((a | b, left | right), (a & b, left & right), (a - b, left - right)):
        assert canonical(answer)
        assert list(answer.positions()) == sorted(wanted)
        assert answer.size == len(answer) == len(wanted)
        assert answer == Audience.from_positions(wanted)
        assert hash(answer) == hash(Audience.from_positions(wanted))
        stored = answer.to_bytes()
        for position in range(62):
            assert (position in answer) == runs_contain(stored, position) == (position in wanted)
        asked = array("I", [*range(61, -1, -1), 2**32 - 1])
        assert answer.contains_many(asked) == bytes(position in wanted for position in asked)
    assert (a == b) == (left == right)


@given(
    st.binary(max_size=64)
    | st.lists(st.integers(0, 40), max_size=12).map(
        lambda values: b"".join(value.to_bytes(4, "little") for value in values)
    )
)
def test_stored_runs_are_read_exactly_or_refused(data):
    try:
        audience = Audience.from_bytes(data)
    except ValueError:
        pass
    else:
        assert audience.to_bytes() == data
        assert canonical(audience)
    if len(data) % 8 == 0:
        for position in (0, 1, 7, 2**32 - 1):
            assert runs_contain(data, position) in (True, False)


OPS = [
    OP_ALL, OP_CHILDREN, OP_DESCENDANTS, OP_DIFFERENCE, OP_INTERSECTION, OP_KIND, OP_NONE,
    OP_TIER, OP_UNION, OP_UNIT, OP_SET, OP_PARENT, OP_SIBLINGS, OP_SUBTREE, OP_CLASS, 0, 99,
]  # fmt: skip
VALUES = [0, 0, 0, 1, 2, 5, 11, 12, 0x20001, 0x40001, 0x30000]
BINARY = {
    OP_UNION: frozenset.union,
    OP_DIFFERENCE: frozenset.difference,
    OP_INTERSECTION: frozenset.intersection,
}


RELATED = {
    OP_CHILDREN: "children",
    OP_DESCENDANTS: "descendants",
    OP_PARENT: "parent",
    OP_SIBLINGS: "siblings",
    OP_SUBTREE: "subtree",
}


def run_slowly(ops, sets, oracle, order):
    """Run postfix operations on Python sets; None when the program must be refused."""
    stack = []
    for op, value, _ in ops:
        simple = {
            OP_ALL: ("all",), OP_TIER: ("tier", value), OP_KIND: ("kind", value),
            OP_CLASS: ("&", ("tier", value >> 16), ("kind", value & 0xFFFF)),
        }  # fmt: skip
        if op in BINARY:
            if len(stack) < 2 or value:
                return None
            right = stack.pop()
            stack.append(BINARY[op](stack.pop(), right))
        elif op in RELATED:
            if not stack or value:
                return None
            stack[-1] = oracle.related(RELATED[op], stack[-1])
        elif op == OP_SET:
            if value >= len(sets):
                return None
            stack.append(frozenset(order[place] for place in sets[value]))
        elif op == OP_UNIT:
            if value >= len(order):
                return None
            stack.append(frozenset({order[value]}))
        elif op == OP_NONE and not value:
            stack.append(frozenset())
        elif op in simple and not (op == OP_ALL and value):
            stack.append(oracle.evaluate(simple[op]))
        else:
            return None
    return stack[0] if len(stack) == 1 else None


@given(
    forests(12),
    st.lists(
        st.tuples(st.sampled_from(OPS), st.sampled_from(VALUES), st.just(0)),
        max_size=10,
    ),
    st.lists(st.sets(st.integers(0, 11)), max_size=3),
)
def test_any_program_is_refused_or_runs_as_on_sets(rows, ops, sets):
    oracle, hierarchy = Oracle(rows), Hierarchy(rows)
    sets = [{place for place in one if place < len(rows)} for one in sets]
    held = [Audience.from_positions(one) for one in sets]
    wanted = run_slowly(ops, sets, oracle, oracle.order())
    try:
        program = Program(ops, held)
    except ValueError:
        assert wanted is None
        return
    del held  # the program alone keeps its sets
    try:
        answer = hierarchy.evaluate(program)
    except ValueError:
        assert wanted is None
        return
    assert wanted is not None
    assert canonical(answer)
    assert set(hierarchy.numbers(answer)) == wanted
    assert hierarchy.evaluate_batch([program] * 3) == [answer] * 3
    assert hierarchy.evaluate(pickle.loads(pickle.dumps(program))) == answer


@given(forests(), st.data())
def test_relatives_of_a_set_are_the_oracles(rows, data):
    oracle, hierarchy = Oracle(rows), Hierarchy(rows)
    audience = some_audience(data, hierarchy)
    numbers = frozenset(hierarchy.numbers(audience))
    for op, name in RELATED.items():
        program = Program([(OP_SET, 0, 0), (op, 0, 0)], [audience])
        answer = hierarchy.evaluate(program)
        assert canonical(answer)
        assert frozenset(hierarchy.numbers(answer)) == oracle.related(name, numbers)


def test_a_constant_set_of_a_larger_snapshot_is_refused():
    hierarchy = Hierarchy([(1, 1, 0, 0)])
    program = Program([(OP_SET, 0, 0)], [Audience.from_positions([1])])
    with pytest.raises(ValueError, match="outside this snapshot"):
        hierarchy.evaluate(program)
    with pytest.raises(TypeError, match="audiences"):
        Program([(OP_ALL, 0, 0)], [b""])


@pytest.mark.parametrize("asked", [array("H", [1]), array("i", [1]), b"abcd", array("d", [1.0])])
def test_membership_is_asked_with_unsigned_numbers_only(asked):
    with pytest.raises(TypeError, match="unsigned 32-bit"):
        Audience.from_positions([1]).contains_many(asked)


def test_a_roll_up_refuses_what_is_not_of_its_snapshot():
    hierarchy = Hierarchy([(1, 1, 0, 0)])
    with pytest.raises(IndexError):
        hierarchy.roll_up(Audience(), [1])
    with pytest.raises(ValueError, match="another"):
        hierarchy.roll_up(Audience.from_positions([1]), [0])
    assert hierarchy.roll_up(Audience(), [0]) == [{1: (0, 1)}]
