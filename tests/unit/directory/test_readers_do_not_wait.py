"""A change is planned, learnt and compiled beside what readers use; they never wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from router._register import Register
from router.directory import Directory, Resolution, ResolveItem
from router.directory.verifying import Trial
from router.model.reorganisations import Changing, Reorganisation
from router.model.units import Unit

WAIT_S = 30.0
AT = 1_000_000
COMMITTEE = "people-committee"
UNITS = (
    Unit(1, "H22", "UBND tỉnh", 2, COMMITTEE),
    Unit(2, "H22.31", "UBND huyện", 3, COMMITTEE, parent=1),
    Unit(3, "H22.31.20", "UBND xã", 4, COMMITTEE, parent=2),
    Unit(4, "H22.32", "UBND huyện", 3, COMMITTEE, parent=1),
    Unit(5, "H22.32.20", "UBND xã", 4, COMMITTEE, parent=4),
)
READS: dict[str, Callable[[Directory], object]] = {
    "snapshot": lambda directory: directory.snapshot(AT),
    "snapshot of another day": lambda directory: directory.snapshot(AT + 5),
    "snapshot as known before": lambda directory: directory.snapshot(AT, 0),
    "resolve": lambda directory: directory.resolve_batch([ResolveItem("all", AT)]),
    "unit": lambda directory: directory.unit(3, AT),
    "units": lambda directory: list(directory.units(AT)),
    "find": lambda directory: directory.find("H22.31", AT),
    "require": lambda directory: directory.require("H22.31", AT),
    "holder": lambda directory: directory.holder(3, AT),
    "addresses": lambda directory: directory.addresses(3, AT),
    "subscriptions": lambda directory: directory.subscriptions(3),
    "history": lambda directory: directory.history(3),
    "changes": lambda directory: directory.changes(),
    "groups": lambda directory: directory.groups_at(AT),
    "memory": lambda directory: directory.memory_bytes,
}


def filled() -> Directory:
    directory = Directory()
    for sequence, body in enumerate(directory.plan_import(UNITS), 1):
        directory.apply(body, sequence)
    directory.snapshot(AT)
    return directory


@contextmanager
def standing_still(
    monkeypatch: pytest.MonkeyPatch, owner: type, method: str, change: Callable[[], object]
) -> Iterator[None]:
    """Run a change on a thread up to a method of the way; let it stand there."""
    reached, go_on = threading.Event(), threading.Event()
    real = getattr(owner, method)
    thread = threading.Thread(target=change, daemon=True)

    def slow(*args: object, **options: object) -> object:
        if threading.current_thread() is thread:
            reached.set()
            assert go_on.wait(WAIT_S)
        return real(*args, **options)

    monkeypatch.setattr(owner, method, slow)
    thread.start()
    assert reached.wait(WAIT_S), "the change did not come that way"
    try:
        yield
    finally:
        go_on.set()
        thread.join(WAIT_S)
        assert not thread.is_alive()


def ends(action: Callable[[], object]) -> bool:
    done = threading.Event()

    def run() -> None:
        action()
        done.set()

    threading.Thread(target=run, daemon=True).start()
    return done.wait(WAIT_S)


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize(("owner", "method"), [(Directory, "_compile"), (Trial, "check")])
def test_a_reader_passes_a_change_under_way(
    name: str, owner: type, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = filled()
    change = Reorganisation(AT, "NQ", (Changing(3, name="UBND xã mới"),))

    def apply() -> None:
        for body in directory.plan(change):
            directory.apply(body, 2)

    with standing_still(monkeypatch, owner, method, apply):
        assert ends(lambda: READS[name](directory))
        assert directory.unit(3, AT).name == "UBND xã", "half a change is seen by nobody"
        assert directory.sequence == 1
    assert directory.unit(3, AT).name == "UBND xã mới"
    assert directory.snapshot(AT).sequence == 2


class Interrupted:
    """A register whose lineages are read just before something else happens."""

    def __init__(self, register: Register, happens: Callable[[], None]) -> None:
        self._register = register
        self._happens = happens

    def lineage(self, number: int) -> object:
        found = self._register.lineage(number)
        self._happens()
        return found


def test_topics_found_before_a_change_are_not_remembered_after_it() -> None:
    directory = filled()
    bodies = directory.plan(Reorganisation(AT, "NQ", (Changing(3, parent=4),)))
    register = directory._register

    def change() -> None:
        directory._register = register
        for body in bodies:
            directory.apply(body, 2)

    directory._register = Interrupted(register, change)  # type: ignore[assignment]
    directory.subscriptions(3)
    (answer,) = directory.resolve_batch([ResolveItem("children(H22.32)", AT)])
    assert isinstance(answer, Resolution)
    (topic,) = answer.snapshot.topics_bytes(answer.audience)
    for member in (3, 5):
        assert topic in directory.subscriptions(member), "what is sent there would not be found"
