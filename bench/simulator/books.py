"""After each step: where the deliveries of some documents stand, asked of the store itself.

Nothing is flushed or changed by the asking.  Every accepted document stands somewhere, in one
state, for each unit that it is for, and nowhere for any other.
"""

from __future__ import annotations

from typing import Final

from router.queue._readings import Places
from router.queue.transport import NAMES
from vanban_bench.simulator.documents import WrongError, require
from vanban_bench.simulator.paper import Paper, Standing
from vanban_bench.simulator.parts import SHOWN_THOUGH_HIDDEN
from vanban_bench.simulator.session import Session

PAPERS_A_STEP: Final = 2
STRANGERS: Final = 3
_STATE, _ATTEMPTS, _HIDDEN = 3, 7, 10


def check_books(session: Session) -> None:
    """Hold the counters, and some documents delivery by delivery, against the model."""
    session.model.check_counts(session.store.counts())
    stored = [one for one in session.model.papers if one.standing is Standing.STORED]
    for paper in session.random.sample(stored, min(len(stored), PAPERS_A_STEP)):
        if len(paper.audiences) == 1:
            _check_paper(session, paper)


def _check_paper(session: Session, paper: Paper) -> None:
    store, model, now_us = session.store, session.model, session.now_us()
    sequence = store.sequence_of(bytes.fromhex(paper.key))
    if sequence is None:
        raise WrongError(f"{paper.document_id}: was accepted, and is not there")
    assert sequence is not None
    audience = paper.audiences[0]
    others = [one for one in session.world.places if one not in audience]
    strangers = session.random.sample(others, min(len(others), STRANGERS))
    for number in (*sorted(audience), *strangers):
        place, known = session.world.places[number], session.engine._queue._known_places(number)
        found = store.standing(number, sequence, Places(known), now_us)
        if isinstance(found, list):
            known.update(session.engine._rooms.places(number)(found))
            found = store.standing(number, sequence, Places(known), now_us)
        said = f"{paper.document_id}: in the books of {place.code}"
        if number not in audience:
            require(found is None, f"{said}, for whom it is not")
            continue
        if found is None or isinstance(found, list):
            raise WrongError(f"{said} it is missing")
        assert isinstance(found, tuple)
        state, attempts = NAMES[found[_STATE]], found[_ATTEMPTS]
        allowed = model.may_stand(paper, number, now_us)
        require(state in allowed, f"{said} it is {state}, not one of {sorted(allowed)}")
        if paper.hidden_from(number) and state not in SHOWN_THOUGH_HIDDEN:
            require(bool(found[_HIDDEN]), f"{said} it is {state}, and no secret from its recipient")
        least, most = model.attempts_of(paper, number)
        require(least <= attempts <= most, f"{said} it was handed out {attempts} times")
