"""The tables of a policy by themselves: bad arguments, threads, memory that comes back."""

from __future__ import annotations

import gc
import os
import platform
import subprocess
import sys
import sysconfig
import threading
from array import array
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import asdict, replace
from support.forests import TAGS
from support.random_policies import CALENDAR, World

from router._core import Audience, Hierarchy
from router._decide import ROW_BYTES, DecisionTables, Flag
from router.limits import HELD_PARTS_MAX, POLICY_STANCES_BYTES_MAX
from router.model.decisions import Refused
from router.model.documents import Act, Urgency
from router.policy.answers import Decision, HeldPart
from router.policy.compiled import CompiledPolicy, compile_policy
from router.policy.deciding import decide_batch
from router.policy.model import (
    Default,
    Direction,
    DocumentConditions,
    Effect,
    Forbid,
    Hold,
    PolicyFile,
    Rule,
)

TESTS = Path(__file__).resolve().parents[2]
SEEDS = range(200, 240)
TWO_UNITS = Hierarchy([(1, 1, 0, 0), (2, 2, 0, 1)])


def tables(rows: bytes = b"", **changed: Any) -> DecisionTables:
    given: dict[str, Any] = {
        "helper": None, "decision": Decision, "held_part": HeldPart, "acts": tuple(Act),
        "urgencies": tuple(Urgency), "refusals": tuple(Refused), "version": 1, "types": 0,
        "terms": 0, "closed": False, "asks_sender": False,
    }  # fmt: skip
    sets, lists = changed.pop("sets", []), changed.pop("lists", array("I", [0]).tobytes())
    approvals = changed.pop("approvals", [])
    return DecisionTables(TWO_UNITS, rows, sets, lists, approvals, **{**given, **changed})


def row(place: int, value: int) -> bytes:
    """Return a row of zeros with one 32-bit number, counted from the first after the days."""
    made = array("I", [0] * (ROW_BYTES // 4))
    made[6 + place] = value
    return made.tobytes()


FLAGS, SENDERS, TYPES, APPROVAL, DEADLINE = 0, 2, 9, 20, 21


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (b"x", "length"),
        (row(SENDERS, 1), "set"),
        (row(DEADLINE, 1), "term"),
        (row(APPROVAL, 1), "approval"),
        (row(TYPES, 1), "list"),
        (row(TYPES, 0xFFFFFFFF), "list"),
        (row(FLAGS, Flag.ADDS), "lacks"),
        (row(FLAGS, Flag.HOLDS), "lacks"),
        (row(FLAGS, Flag.REQUIRES), "lacks"),
    ],
)
def test_a_row_that_names_what_is_not_there_is_refused(rows: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        tables(rows)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"lists": b""}, ValueError),
        ({"lists": array("I", [9, 1]).tobytes()}, ValueError),
        ({"sets": [(9, None)]}, ValueError),
        ({"sets": [(0, None)]}, TypeError),
        ({"sets": [(0, Audience.from_positions([7]))]}, ValueError),
        ({"approvals": [0]}, ValueError),
        ({"acts": ()}, ValueError),
        ({"types": -1}, ValueError),
    ],
)
def test_tables_are_checked_whole_before_they_exist(
    changed: dict[str, Any], error: type[Exception]
) -> None:
    rows = row(TYPES, 0) if "lists" in changed else b""
    with pytest.raises(error):
        tables(rows, **changed)


def test_tables_are_not_pickled() -> None:
    with pytest.raises(TypeError, match="compiled"):
        tables().__reduce__()


def policies() -> list[tuple[World, CompiledPolicy]]:
    worlds = [World(seed) for seed in SEEDS]
    return [
        (world, compile_policy(world.policy, world.lookup, CALENDAR, floor=world.floor))
        for world in worlds
    ]


def test_facts_of_another_class_are_read_by_name_and_decided_the_same() -> None:
    asked = 0
    for world, compiled in policies():
        documents, audiences, instant = batch(world, 3)
        others = [SimpleNamespace(**asdict(facts)) for facts in documents]
        wanted = decide_batch(compiled, documents, audiences, instant)
        assert decide_batch(compiled, others, audiences, instant) == wanted  # type: ignore[arg-type]
        asked += len(others)
    assert asked


def batch(world: World, count: int) -> tuple[list[Any], list[Audience], int]:
    place = world.hierarchy.position
    audiences = [Audience.from_positions(map(place, world.audience())) for _ in range(count)]
    return [world.document() for _ in range(count)], audiences, world.instant()


def test_two_threads_decide_by_one_policy_as_one_does() -> None:
    for world, compiled in policies()[:8]:
        facts, audiences, at_us = batch(world, 40)
        alone = decide_batch(compiled, facts, audiences, at_us)
        fresh = compile_policy(world.policy, world.lookup, CALENDAR, floor=world.floor)
        found: list[Any] = []
        start = threading.Barrier(2)

        def decide(
            policy: CompiledPolicy = fresh, asked: Any = (facts, audiences, at_us),
            barrier: threading.Barrier = start, into: list[Any] = found,
        ) -> None:  # fmt: skip
            barrier.wait()
            into.append([decide_batch(policy, *asked) for _ in range(10)])

        threads = [threading.Thread(target=decide) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [[alone] * 10] * 2


def test_an_audience_of_another_snapshot_is_refused_and_the_tables_go_on() -> None:
    world, compiled = policies()[0]
    facts, audiences, at_us = batch(world, 2)
    before = decide_batch(compiled, facts, audiences, at_us)
    with pytest.raises(ValueError, match="another"):
        decide_batch(compiled, facts, [audiences[0], Audience.from_positions([99])], at_us)
    with pytest.raises(TypeError):
        decide_batch(compiled, facts, [audiences[0], None], at_us)  # type: ignore[list-item]
    assert decide_batch(compiled, facts, audiences, at_us) == before


def test_nothing_is_left_behind_by_deciding() -> None:
    made = policies()[:6]
    asked = [(compiled, *batch(world, 20)) for world, compiled in made]
    audience = asked[0][2][0]

    def all_of_them() -> int:
        for compiled, facts, audiences, at_us in asked:
            decide_batch(compiled, facts, audiences, at_us)
        gc.collect()
        return sys.getallocatedblocks()

    for _ in range(3):
        all_of_them()
    references = sys.getrefcount(audience)

    def growth() -> int:
        before = all_of_them()
        for _ in range(20):
            after = all_of_them()
        return after - before

    # Threads of other tests may allocate meanwhile, but what is left behind is left each time.
    assert any(growth() < 50 for _ in range(4))
    assert sys.getrefcount(audience) == references


def test_who_waits_for_nothing_in_common_is_held_in_parts_by_position() -> None:
    world = World(3, rules=0)
    rules = tuple(
        Rule(f"r{unit}", Effect(hold=Hold("all", unit + 1)), recipients=world_code(world, unit))
        for unit in range(min(8, world.hierarchy.size))
    )
    policy = PolicyFile(format=1, name="t", default=Default.ALLOW, rules=rules)
    compiled = compile_policy(policy, world.lookup, CALENDAR)
    facts = world.document()
    (found,) = decide_batch(compiled, [facts], [world.hierarchy.everything()], batch(world, 1)[2])
    starts = [part.audience.runs[0][0] for part in found.held]
    assert starts == sorted(starts)
    assert len(found.held) == min(HELD_PARTS_MAX, world.hierarchy.size)
    assert found.held[0].rules == (1,)


def world_code(world: World, position: int) -> str:
    return f"H{world.hierarchy.number(position)}"


@pytest.mark.parametrize("runs", [5, 200, 700])
def test_a_rule_of_many_runs_is_found_by_each_of_its_recipients(runs: int) -> None:
    rows = [(1, 1, 0, 0), *((number, 2, 0, 1) for number in range(2, 2 + 2 * runs))]
    hierarchy = Hierarchy(rows)
    world = World(1)
    lookup = type(world.lookup)(rows, hierarchy)
    text = " | ".join(f"H{number}" for number in range(2, 2 + 2 * runs, 2))
    rule = Rule("r", Effect(forbid=Forbid.RECIPIENTS), recipients=text)
    policy = PolicyFile(format=1, name="t", default=Default.ALLOW, rules=(rule,))
    compiled = compile_policy(policy, lookup, CALENDAR)
    audiences = [Audience.from_positions([place]) for place in range(hierarchy.size)]
    facts = [world.document()] * len(audiences)
    answers = decide_batch(compiled, facts, audiences, batch(world, 1)[2])
    for place, answer in enumerate(answers):
        number = hierarchy.number(place)
        assert bool(answer.excluded) == (number % 2 == 0 and number > 1)
    some = Audience.from_positions(range(0, hierarchy.size, max(1, hierarchy.size // 60)))
    (answer,) = decide_batch(compiled, facts[:1], [some], batch(world, 1)[2])
    even = {place for place in some.positions() if hierarchy.number(place) % 2 == 0}
    assert set(answer.excluded.positions()) == even


def test_more_senders_than_are_remembered_are_decided_as_each_alone_in_bounded_memory() -> None:
    senders, rules = 6_000, 240  # what they make of the rules takes three times the bound
    rows = [(1, 1, 0, 0), *((number, 2, 0, 1) for number in range(2, 102))]
    rows += [(number, 3, 0, 2 + number % 100) for number in range(102, 102 + senders)]
    hierarchy = Hierarchy(rows)
    world = World(1, rules=0)
    lookup = type(world.lookup)(rows, hierarchy)
    forbid = Effect(forbid=Forbid.RECIPIENTS)
    silent = DocumentConditions(types=("no document's",))
    made = [Rule(f"r{place}", forbid, documents=silent) for place in range(rules)]
    made.append(Rule("above", forbid, recipients="parent(sender)"))
    policy = PolicyFile(format=1, name="t", default=Default.ALLOW, rules=tuple(made))
    compiled = compile_policy(policy, lookup, CALENDAR)
    everybody, at_us = hierarchy.everything(), batch(world, 1)[2]
    facts = [replace(world.document(), sender=102 + place) for place in range(senders)]
    gc.collect()
    before = resident_bytes()
    for _ in range(2):
        for one in facts:
            (answer,) = decide_batch(compiled, [one], [everybody], at_us)
            parent = hierarchy.position(2 + one.sender % 100)
            assert answer.excluded.runs == ((parent, parent + 1),)
    assert resident_bytes() - before < 1.5 * POLICY_STANCES_BYTES_MAX


def test_what_known_senders_learn_later_is_bounded_too() -> None:
    senders = 2_000
    rows = [(1, 1, 0, 0), *((number, 2, 0, 1) for number in range(2, 102))]
    rows += [(number, 3, 0, 2 + number % 100) for number in range(102, 6_102)]
    hierarchy = Hierarchy(rows)
    world = World(1, rules=0)
    lookup = type(world.lookup)(rows, hierarchy)
    rule = Rule(
        "every third beside", Effect(forbid=Forbid.RECIPIENTS), recipients=f'tag("{TAGS[0]}")',
        directions=(Direction.ACROSS,), documents=DocumentConditions(types=("second",)),
    )  # fmt: skip
    policy = PolicyFile(format=1, name="t", default=Default.ALLOW, rules=(rule,))
    compiled = compile_policy(policy, lookup, CALENDAR)
    everybody, at_us = hierarchy.everything(), batch(world, 1)[2]
    third = {place for place in range(101, 6_101) if hierarchy.number(place) % 3 == 0}
    gc.collect()
    before = resident_bytes()
    for kind in ("first", "second"):  # by the first each sender is known, and no set of it
        for place in range(senders):
            facts = replace(world.document(), sender=102 + place, type=kind)
            (answer,) = decide_batch(compiled, [facts], [everybody], at_us)
            if place % 500 == 0:
                excluded = third if kind == "second" else set()
                assert set(answer.excluded.positions()) == excluded
    assert resident_bytes() - before < 1.5 * POLICY_STANCES_BYTES_MAX


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the library wraps glibc's functions")
def test_memory_that_is_not_there_is_told_and_none_is_lost(tmp_path: Path) -> None:
    library = tmp_path / "memory.so"
    compiler = (sysconfig.get_config_var("CC") or "gcc").split()[0]
    source = TESTS / "support" / "memory" / "memory.c"
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
    subprocess.run([compiler, *flags, "-o", str(library), str(source)], check=True)
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from support.memory_program import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(TESTS)],
        env={**os.environ, "LD_PRELOAD": str(library), "PYTHONMALLOC": "pymalloc"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    failures, grown = map(int, done.stdout.split())
    assert failures > 50
    assert grown <= 0, f"{grown} blocks were lost over {failures} failures"
