"""The compiled core must raise, never read or write past its memory, whatever it is given."""

from __future__ import annotations

import copy
import pickle
import threading

import pytest

from router import _core
from router._core import Audience, Hierarchy, Program, runs_contain
from router.limits import HIERARCHY_DEPTH_MAX, SELECTOR_NODES_MAX, UNITS_MAX

ROWS = [(1, 1, 0, 0), (2, 2, 0, 1), (3, 2, 0, 1), (4, 4, 1, 2), (5, 4, 1, 3)]
HIERARCHY = Hierarchy(ROWS)
ALL = (_core.OP_ALL, 0, 0)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(1, 1, 0, 0), (1, 2, 0, 0)], "stands twice"),
        ([(1, 1, 0, 9)], "parent of unit 1"),
        ([(1, 1, 0, 1)], "its own ancestor"),
        ([(1, 1, 0, 2), (2, 1, 0, 3), (3, 1, 0, 1), (4, 1, 0, 0)], "its own ancestor"),
        ([(0, 1, 0, 0)], "must be positive"),
        ([(-1, 1, 0, 0)], "between 0 and"),
        ([(2**32, 1, 0, 0)], "between 0 and"),
        ([(2**200, 1, 0, 0)], "between 0 and"),
        ([(1, 256, 0, 0)], "a tier"),
        ([(1, 0, 65_536, 0)], "a kind"),
        ([(1, 0, 0, -5)], "parent's number"),
        ([(1, 0, 0)], "unpack"),
    ],
)
def test_a_hierarchy_that_is_none_is_refused(rows, words):
    with pytest.raises(ValueError, match=words):
        Hierarchy(rows)


def test_values_of_another_type_are_refused():
    for rows in ([("1", 1, 0, 0)], [(1.0, 1, 0, 0)], [None], None, 7):
        with pytest.raises(TypeError):
            Hierarchy(rows)
    for position in ("0", None, 1.0):
        with pytest.raises(TypeError):
            HIERARCHY.number(position)


def test_depth_is_allowed_to_its_bound_exactly():
    chain = [(number, 1, 0, number - 1) for number in range(1, HIERARCHY_DEPTH_MAX + 1)]
    assert len(Hierarchy(chain).ancestors(HIERARCHY_DEPTH_MAX - 1)) == HIERARCHY_DEPTH_MAX - 1
    with pytest.raises(ValueError, match="deeper"):
        Hierarchy([*chain, (HIERARCHY_DEPTH_MAX + 1, 1, 0, HIERARCHY_DEPTH_MAX)])


@pytest.mark.parametrize("position", [-1, 5, 2**31, 2**32, 2**64, 2**200, -(2**200)])
def test_a_position_out_of_range_is_an_index_error(position):
    for ask in (
        HIERARCHY.number, HIERARCHY.tier, HIERARCHY.kind, HIERARCHY.parent, HIERARCHY.ancestors,
        HIERARCHY.children, HIERARCHY.descendants, HIERARCHY.subscriptions,
    ):  # fmt: skip
        with pytest.raises(IndexError):
            ask(position)
    with pytest.raises(IndexError):
        HIERARCHY.overlap(HIERARCHY.everything(), position)
    assert position not in HIERARCHY.everything()
    assert not runs_contain(HIERARCHY.everything().to_bytes(), position)


@pytest.mark.parametrize("number", [-1, 0, 6, 2**32 - 1, 2**32, 2**200])
def test_an_unknown_number_has_no_position(number):
    assert HIERARCHY.position(number) == -1


def test_an_audience_of_a_larger_snapshot_is_refused():
    foreign = Audience.from_positions([1, 5])
    for ask in (
        HIERARCHY.numbers, HIERARCHY.digest, HIERARCHY.topics, HIERARCHY.count_by_class,
    ):  # fmt: skip
        with pytest.raises(ValueError, match="larger snapshot"):
            ask(foreign)
        with pytest.raises(TypeError):
            ask(None)
        with pytest.raises(TypeError):
            ask(b"")
    with pytest.raises(ValueError, match="larger snapshot"):
        HIERARCHY.overlap(foreign, 0)


@pytest.mark.parametrize(
    "ops",
    [
        [],
        [ALL, ALL],
        [(_core.OP_UNION, 0, 0)],
        [ALL, (_core.OP_UNION, 0, 0)],
        [(_core.OP_CHILDREN, 0, 0)],
        [(0, 0, 0)],
        [(11, 0, 0)],
        [(-1, 0, 0)],
        [(_core.OP_ALL, 1, 0)],
        [(_core.OP_ALL, 0, 1)],
        [(_core.OP_UNIT, -1, 0)],
        [(_core.OP_UNIT, UNITS_MAX, 0)],
        [(_core.OP_TIER, 256, 0)],
        [(_core.OP_KIND, 65_536, 0)],
        [(_core.OP_ALL, 0)],
        [ALL] * (4 * SELECTOR_NODES_MAX + 1),
    ],
)
def test_a_program_with_a_bad_operation_or_stack_effect_is_refused(ops):
    with pytest.raises(ValueError, match=r"operation|value|program|unpack"):
        Program(ops)


def test_a_program_that_reaches_past_the_snapshot_is_refused_before_anything_runs():
    past = Program([(_core.OP_UNIT, 5, 0)])
    with pytest.raises(ValueError, match="outside this snapshot"):
        HIERARCHY.evaluate(past)
    with pytest.raises(ValueError, match="outside this snapshot"):
        HIERARCHY.evaluate_batch([Program([ALL]), past])
    with pytest.raises(TypeError):
        HIERARCHY.evaluate_batch([Program([ALL]), None])
    with pytest.raises(TypeError):
        HIERARCHY.evaluate(None)
    assert HIERARCHY.evaluate_batch([]) == []


def test_a_tier_or_kind_nobody_has_selects_nobody():
    for op, value in ((_core.OP_TIER, 3), (_core.OP_KIND, 7), (_core.OP_NONE, 0)):
        assert HIERARCHY.evaluate(Program([(op, value, 0)])) == Audience()


def test_an_empty_hierarchy_answers():
    empty = Hierarchy([])
    assert empty.size == 0
    assert empty.everything() == Audience()
    assert empty.evaluate(Program([ALL, (_core.OP_CHILDREN, 0, 0)])) == Audience()
    assert list(empty.numbers(Audience())) == []
    assert empty.topics(Audience()) == []


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 7,
        b"\0" * 8,
        b"\1\0\0\0\1\0\0\0",
        b"\0\0\0\0\1\0\0\0\1\0\0\0\2\0\0\0",
        b"\5\0\0\0\6\0\0\0\1\0\0\0\2\0\0\0",
        b"\0\0\0\0\xff\xff\xff\xff",
    ],
)
def test_stored_runs_of_another_form_are_refused(data):
    with pytest.raises(ValueError, match="stored run"):
        Audience.from_bytes(data)


def test_audiences_mix_with_audiences_only():
    audience = HIERARCHY.everything()
    for other in ({1}, None, b""):
        with pytest.raises(TypeError):
            audience | other
        with pytest.raises(TypeError):
            other - audience
        assert audience != other
    assert "1" not in audience
    with pytest.raises(TypeError):
        Audience.from_bytes(8)
    with pytest.raises(ValueError, match="a position"):
        Audience.from_positions([UNITS_MAX])


def test_audiences_and_programs_survive_pickling_and_hierarchies_say_they_do_not():
    audience = Audience.from_positions([0, 1, 4])
    assert pickle.loads(pickle.dumps(audience)) == audience
    assert copy.deepcopy(audience) == audience
    program = pickle.loads(pickle.dumps(Program([ALL])))
    assert HIERARCHY.evaluate(program) == HIERARCHY.everything()
    with pytest.raises(TypeError):
        pickle.dumps(HIERARCHY)


def test_threads_share_a_hierarchy():
    rows = [(n, 1 + n % 4, n % 7, n // 4) for n in range(1, 2_000)]
    hierarchy = Hierarchy(rows)
    programs = [
        Program([(_core.OP_KIND, kind, 0), (_core.OP_DESCENDANTS, 0, 0)]) for kind in range(7)
    ]
    wanted = hierarchy.evaluate_batch(programs)
    answers: list[bool] = []

    def work() -> None:
        answers.append(all(hierarchy.evaluate_batch(programs) == wanted for _ in range(20)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 4


def test_memory_is_told():
    assert HIERARCHY.memory_bytes > 0
    assert len(HIERARCHY) == HIERARCHY.size == 5
