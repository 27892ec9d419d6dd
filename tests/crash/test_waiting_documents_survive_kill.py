"""`kill -9` while documents that waited are judged: each waits, or is decided, as one.

Nobody gets what was not found good, the sender is told of every verdict and of nothing else,
and whoever opens the directory next goes on where the other was killed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from support.office import PATIENT, Office
from support.policies import EVERY_WEEK_ALIKE, in_force
from support.undecided import Undecided, undecided

from router import limits
from router.engine import Engine
from router.model.answers import OutboxEvent
from router.queue import Queue
from router.queue.records import KIND_FEED

COMMUNE = "H22.31.20"
HELD = (
    'default = "allow"\n[[rules]]\nname = "ask"\nrecipients = "H22.31.20"\n'
    'effect = { hold = { approvers = "H22", expires_working_days = 300 } }\n'
)
JUDGING = """
import sys
import router.engine.engine
import router.limits
from router.engine import Engine
from router.ports import ManualClock
from router.settings import Settings, SignatureSettings
from router.signatures import Verdict, Verifier

router.limits.VERDICTS_PER_TURN = 1

class Half(Verifier):
    def verify_batch(self, items, *rest):
        found = super().verify_batch(items, *rest)
        return [
            Verdict("invalid", one.trust_version, code="certificate.untrusted")
            if item.payload[-8] % 2 else one
            for item, one in zip(items, found)
        ]

router.engine.engine.Verifier = Half
patient = Settings(signatures=SignatureSettings(turn_wait_ms=600_000))
engine = Engine.open(sys.argv[1], settings=patient, clock=ManualClock(int(sys.argv[2])))
print("ready", flush=True)
while engine.tick():
    print("decided", flush=True)
"""
LETTERS = 150
"""So many that the kill comes before the last."""


def judged_until_killed(data: Path, turns: int, now_us: int) -> int:
    """Judge in a process that is killed after some turns; return how many it told of."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", JUDGING, str(data), str(now_us)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    said = [process.stdout.readline() for _ in range(turns)]
    process.send_signal(signal.SIGKILL)
    said += process.stdout.readlines()
    assert process.wait() == -signal.SIGKILL
    return sum(line == "decided\n" for line in said)


def told(engine: Engine) -> list[OutboxEvent]:
    events: list[OutboxEvent] = []
    cursor, more = "", True
    while more:
        page = engine.outbox("H22.31", after=cursor)
        events, cursor, more = [*events, *page.events], page.cursor, page.more
    return events


def wrong_after(engine: Engine, keys: list[str]) -> list[str]:
    """Return what is not as it should be: states that do not go together, or with what was told."""
    wrong = engine.check()
    kinds = {one.key: one.kind for one in told(engine)}
    if len(kinds) != len(told(engine)):
        wrong.append("somebody was told twice")
    of_kind = {
        "": {"waiting": 3},
        "verdict_valid": {"queued": 2, "held": 1},
        "verdict_invalid": {"excluded": 3},
    }
    for key in keys:
        states, kind = engine.track(key).states, kinds.get(key, "")
        if states != of_kind[kind]:
            wrong.append(f"{key} is {states}, and its sender was told “{kind}”")
    return wrong


@pytest.mark.parametrize("seed", range(3))
def test_a_document_waits_or_is_decided_whenever_it_is_killed(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = undecided(monkeypatch)
    data = tmp_path / "data"
    office = Office(data)
    in_force(office, HELD + EVERY_WEEK_ALIKE)
    keys = [office.send("H22.31", "tier(commune)").key for _ in range(LETTERS)]
    office.engine.close()
    turns = Random(seed).randint(0, LETTERS // 2)
    office.clock.advance(limits.VERDICT_RETRY_S_MAX + 1)
    done = judged_until_killed(data, turns, office.clock.now_us())
    with Engine.open(data, settings=PATIENT, clock=office.clock) as engine:
        assert wrong_after(engine, keys) == []
        assert len(told(engine)) >= done
        verifier.decided = "valid"
        while engine.tick():
            pass
        assert wrong_after(engine, keys) == []
        good = {one.key for one in told(engine) if one.kind == "verdict_valid"}
        assert len(told(engine)) == LETTERS
        got = [one.key for one in engine.lease("H22.31.21", 500)]
        assert sorted(got) == sorted(good)


def test_a_group_that_was_cut_after_its_verdict_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may keep the first records of an unflushed group and lose the others."""
    for kept, states in ((1, {"waiting": 3}), (2, {"queued": 2, "held": 1}),
                         (3, {"queued": 2, "held": 1})):  # fmt: skip
        verifier = undecided(monkeypatch)
        office = Office(tmp_path / str(kept))
        in_force(office, HELD + EVERY_WEEK_ALIKE)
        key = office.send("H22.31", "tier(commune)").key
        office.clock.advance(limits.VERDICT_RETRY_S_MAX + 1)
        verifier.decided = "valid"
        cut_groups(office.engine._queue, kept, monkeypatch)
        office.engine.tick()
        office.engine.close()
        monkeypatch.undo()
        engine = undecided_again(monkeypatch, office)
        while engine.tick():
            pass
        assert engine.track(key).states == states
        assert engine.check() == []
        kinds = [one.kind for one in told(engine)]
        assert kinds == ([] if kept == 1 else ["verdict_valid"])
        if kept > 1:
            engine.approve(f"{key}/1", "H22", actor="x")
            deliveries = {one.address: one for one in engine.track(key).deliveries}
            history = [one.state for one in deliveries[COMMUNE].history]
            assert history == ["waiting", "held", "queued"]
        engine.close()


def cut_groups(queue: Queue, kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let only so many records, from the sender's event on, of each group reach the log."""
    store = queue.store

    class Cut:
        def __getattr__(self, name: str) -> object:
            return getattr(store, name)

        def append_raw(self, group: list[bytes]) -> list[int]:
            events = [place for place, data in enumerate(group) if data[0] == KIND_FEED]
            return store.append_raw(group[: events[0] + kept] if events else group)

    monkeypatch.setattr(queue, "store", Cut())


def undecided_again(monkeypatch: pytest.MonkeyPatch, office: Office) -> Engine:
    """Open again with a verifier that can decide nothing: what is decided is decided."""
    verifier: type[Undecided] = undecided(monkeypatch)
    assert verifier.decided == ""
    office.clock.advance(limits.VERDICT_RETRY_S_MAX + 1)
    office.engine = office._open()
    return office.engine
