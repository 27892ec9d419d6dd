"""Reforms: units are renamed, moved, made another kind, merged and split under way.

Each is one reorganisation with its own title, by which a run finds out after a crash whether
it had been flushed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from router.engine import Engine
from router.errors import InputError
from router.model.instants import SECOND_US
from router.model.reorganisations import Changing, Event, Merging, Reorganisation, Splitting
from vanban_bench.simulator.documents import require
from vanban_bench.simulator.session import Session
from vanban_bench.simulator.world import COMMITTEE, DEPARTMENT, OFFICE, Place

TIER_ABOVE = {3: 2, 4: 3}


@dataclass
class Reform:
    """A reform that was asked for, and what the model learns when it was made."""

    change: Reorganisation
    learn: Callable[[], None]


def reform(session: Session) -> None:
    """Reform something, now or soon."""
    at_us = session.now_us() + session.random.choice([0, 0, 60, 1_200]) * SECOND_US
    kinds = (_rename, _move, _move, _rekind, _merge, _split)
    made = session.random.choice(kinds)(session, at_us)
    if made is None:
        return
    events, learn = made
    title = f"NQ {session.reforms + 1}"
    session.reforms += 1
    one = Reform(Reorganisation(at_us, title, events), learn)

    def ask(engine: Engine) -> bool:
        try:
            engine.change_directory(one.change, actor="simulator")
        except InputError as error:
            require(error.code == "directory.invalid", f"{title}: {error}")
            return False
        return True

    if session.call(ask, lambda: session.pending_reforms.append(one)):
        learn()
        session.note("reform", title, at_us, repr(events))


_Made = tuple[tuple[Event, ...], Callable[[], None]]


def _rename(session: Session, at_us: int) -> _Made | None:
    place = _one(session, _lasting(session, at_us))
    if place is None:
        return None
    return (Changing(place.number, name=f"{place.name} mới"),), lambda: None


def _move(session: Session, at_us: int) -> _Made | None:
    """Put a commune below another district, a district below another province."""
    settled = [one for one in _lasting(session, at_us) if one.tier in TIER_ABOVE]
    place = _one(session, [one for one in settled if one.kind == COMMITTEE])
    if place is None:
        return None
    kind, old = place.standing(at_us)
    above = [one for one in _lasting(session, at_us) if one.tier == TIER_ABOVE[place.tier]]
    tops = [one for one in above if one.kind == COMMITTEE and one.number != old]
    top = _one(session, tops)
    if top is None:
        return None
    became = at_us, kind, top.number
    return (Changing(place.number, parent=top.number),), lambda: place.later.append(became)


def _rekind(session: Session, at_us: int) -> _Made | None:
    leaves = session.world.leaves(at_us)
    place = _one(session, [one for one in _lasting(session, at_us) if one in leaves])
    if place is None:
        return None
    kind = session.random.choice([COMMITTEE, DEPARTMENT, OFFICE])
    became = at_us, kind, place.standing(at_us)[1]
    return (Changing(place.number, kind=kind),), lambda: place.later.append(became)


def _merge(session: Session, at_us: int) -> _Made | None:
    leaves = session.world.leaves(at_us)
    if len(leaves) < 8:
        return None
    ending = session.random.sample(leaves, session.random.randint(1, 3))
    heir = _one(session, [one for one in _lasting(session, at_us) if one not in ending])
    if heir is None:
        return None
    event = Merging(tuple(one.number for one in ending), heir.number)
    return (event,), lambda: _end(ending, at_us, (heir.number,))


def _split(session: Session, at_us: int) -> _Made | None:
    leaves = session.world.leaves(at_us)
    lasting = _lasting(session, at_us)
    if len(leaves) < 8:
        return None
    leaf = session.random.choice(leaves)
    heirs = session.random.sample([one for one in lasting if one is not leaf], 2)
    numbers = tuple(one.number for one in heirs)
    return (Splitting(leaf.number, numbers),), lambda: _end([leaf], at_us, numbers)


def _end(places: list[Place], at_us: int, successors: tuple[int, ...]) -> None:
    for place in places:
        place.valid_to, place.successors = at_us, successors


def _lasting(session: Session, at_us: int) -> list[Place]:
    """Return units that are open then for good, and of which nothing later is known."""
    known = [one for one in session.world.open(at_us) if one.valid_to is None]
    return [one for one in known if all(since <= at_us for since, _, _ in one.later)]


def _one(session: Session, places: list[Place]) -> Place | None:
    return session.random.choice(places) if places else None
