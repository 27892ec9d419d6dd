"""A change of the rooms holds their lock over its flush: no read may need that lock."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from support.office import LUNG_CU, Office

from router.engine.facts import delivery_id

WAIT_S = 20.0


def ends_in_time(action: Callable[[], object]) -> bool:
    """Run an action on a thread; say whether it came back."""
    done = threading.Event()

    def run() -> None:
        action()
        done.set()

    threading.Thread(target=run, daemon=True).start()
    return done.wait(WAIT_S)


READS: dict[str, Callable[[Office, str, str], object]] = {
    "settle": lambda office, key, _: office.engine.acknowledge(
        "H22.31.20", [delivery_id(bytes.fromhex(key), LUNG_CU)]
    ),
    "lease": lambda office, *_: office.lease("H22.31.20"),
    "waiting": lambda office, *_: office.engine.waiting("H22.31.20"),
    "submit": lambda office, *_: office.submit(office.envelope()),
    "track": lambda office, key, _: office.engine.track(key, unit="H22"),
    "explain": lambda office, key, _: office.engine.explain(key, "H22.31.20", viewer="H22"),
    "resolve": lambda office, *_: office.engine.resolve("all"),
    "authenticate": lambda office, _, token: office.engine.authenticate(token),
    "tokens": lambda office, *_: office.engine.tokens(),
}


@pytest.mark.parametrize("name", READS)
def test_reads_and_documents_pass_while_a_change_is_being_flushed(name: str) -> None:
    office = Office()
    receipt = office.send()
    token = office.engine.create_token("H22", "Văn thư")
    with office.engine._rooms.lock:  # as a change of the directory does over its flush
        assert ends_in_time(lambda: READS[name](office, receipt.key, token))
