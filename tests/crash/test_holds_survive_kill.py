"""`kill -9` in the middle of approvals and denials: each part either waits or is over.

What was answered stays so; what was not can be answered again; nobody is told of an end that
did not come, and what was released reaches its recipients exactly once.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from support.office import Office
from support.policies import EVERY_WEEK_ALIKE, in_force

from router.engine import Engine

COMMUNE = "H22.31.20"
RULES = (
    'default = "allow"\n'
    '[[rules]]\nname = "a"\neffect = { hold = { approvers = "H22", expires_working_days = 300 } }\n'
    '[[rules]]\nname = "b"\nrecipients = "H22.31.20"\n'
    'effect = { hold = { approvers = "H22.1", expires_working_days = 300 } }\n'
)
APPROVING = """
import json
import sys
from router.engine import Engine
from router.ports import ManualClock

data, names = sys.argv[1], json.loads(sys.argv[2])
engine = Engine.open(data, clock=ManualClock(int(sys.argv[3])))
print("ready", flush=True)
for place, name in enumerate(names):
    if place % 3 == 2:
        engine.deny(name, "H22", "không", actor="x")
    else:
        engine.approve(name, "H22.1", actor="x")
        engine.approve(name, "H22", actor="x")
    print(name, flush=True)
"""
LETTERS = 120
"""So many that the kill comes before the last."""


def answered_until_killed(data: Path, names: list[str], lines: int, now_us: int) -> list[str]:
    """Answer holds in a process that is killed after some lines; return what it had answered."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-P",
            "-c",
            APPROVING,
            str(data),
            json.dumps(names),
            str(now_us),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    said = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.readlines()
    assert process.wait() == -signal.SIGKILL
    return [line.strip() for line in said if line.strip() in names]


def wrong_after(engine: Engine, names: list[str], answered: list[str]) -> list[str]:
    """Return what is not as it should be after a crash."""
    wrong = engine.check()
    ends = {one.hold: one.kind for one in _told(engine)}
    for place, name in enumerate(names):
        shown = engine.hold(name)
        over = "denied" if place % 3 == 2 else "released"
        if shown.state not in ({over} if name in answered else {"held", over}):
            wrong.append(f"{name} is {shown.state}")
        if (shown.state == over) != (ends.get(name) == over):
            wrong.append(f"{name} is {shown.state}, and its sender was told {ends.get(name)}")
    return wrong


def _told(engine: Engine) -> list:
    events, cursor, more = [], "", True
    while more:
        page = engine.outbox("H22.31", after=cursor)
        events, cursor, more = [*events, *page.events], page.cursor, page.more
    return events


@pytest.mark.parametrize("seed", range(3))
def test_a_held_part_waits_or_is_over_whenever_it_is_killed(tmp_path: Path, seed: int) -> None:
    data = tmp_path / "data"
    office = Office(data)
    in_force(office, RULES + EVERY_WEEK_ALIKE)
    keys = [office.send("H22.31", COMMUNE).key for _ in range(LETTERS)]
    names = [f"{key}/1" for key in keys]
    office.engine.close()
    lines = Random(seed).randint(0, LETTERS // 2)
    answered = answered_until_killed(data, names, lines, office.clock.now_us())
    with Engine.open(data, clock=office.clock) as engine:
        assert wrong_after(engine, names, answered) == []
        held = {one.hold for one in engine.holds(limit=500).holds}
        assert held == {name for name in names if engine.hold(name).state == "held"}
        for place, name in enumerate(names):
            if name in held and place % 3 != 2:
                engine.approve(name, "H22.1", actor="x")
                engine.approve(name, "H22", actor="x")
            elif name in held:
                engine.deny(name, "H22", "không", actor="x")
        released = {key for place, key in enumerate(keys) if place % 3 != 2}
        got = [one.key for one in engine.lease(COMMUNE, 500)]
        assert sorted(got) == sorted(released)
        assert wrong_after(engine, names, names) == []
