"""While the directory of a country changes, others resolve and submit: each answer is right.

Right for the directory before a change or after it, never for a half; no errors; what was
sent to a unit reaches it whatever it became meanwhile.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from support.office import COMMITTEE, OPENED_US, Office, received

from router.model.reorganisations import Changing, Reorganisation
from router.model.units import Unit

DISTRICTS, COMMUNES = 20, 1_000
CHANGES = 24
FROM, TO = "H22.51", "H22.52"
BOTH = f"children({FROM}) | children({TO})"


def country() -> list[Unit]:
    units = []
    for district in range(DISTRICTS):
        number = 10_000 * (district + 1)
        code = f"H22.{district + 51}"
        units.append(
            Unit(number, code, f"UBND huyện {district}", 3, COMMITTEE, 1, valid_from=OPENED_US)
        )
        units += [
            Unit(number + place + 1, f"{code}.{place + 1}", f"UBND xã {place}", 4, COMMITTEE,
                 number, valid_from=OPENED_US)
            for place in range(COMMUNES)
        ]  # fmt: skip
    return units


class Changes:
    """Moves commune after commune from one district to the other, counting both ends."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.begun = self.done = 0

    def run(self) -> None:
        now_us = self.office.clock.now_us()
        for place in range(1, CHANGES + 1):
            move = Changing(f"{FROM}.{place}", parent=TO)
            self.begun = place
            self.office.engine.change_directory(Reorganisation(now_us, f"NQ {place}", (move,)))
            self.done = place

    def watch(self, ask: Callable[[], int]) -> None:
        """Hold an answer (the size of the district that grows) against the changes."""
        at_least = self.done
        found = ask() - COMMUNES
        assert at_least <= found <= self.begun, (at_least, found, self.begun)


class Beside:
    """Steps that threads repeat while something else happens; what they raise is kept."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.rounds: Counter[str] = Counter()
        self.faults: list[BaseException] = []

    def during(self, action: Callable[[], None], **steps: Callable[[], None]) -> None:
        threads = [threading.Thread(target=self._run, args=pair) for pair in steps.items()]
        for thread in threads:
            thread.start()
        try:
            action()
        finally:
            self.over.set()
            for thread in threads:
                thread.join()
        assert self.faults == []
        assert self.rounds.keys() == steps.keys(), "each had its turn"

    def _run(self, name: str, step: Callable[[], None]) -> None:
        try:
            while not self.over.is_set():
                step()
                self.rounds[name] += 1
        except BaseException as error:
            self.faults.append(error)


def test_answers_are_right_for_before_or_after_while_the_directory_changes() -> None:
    office = Office()
    office.engine.import_units(country())
    changes, beside = Changes(office), Beside()
    envelopes = iter([office.envelope(recipients=f"children({TO})") for _ in range(2_000)])
    keys: list[str] = []

    def resolve() -> None:
        changes.watch(lambda: office.engine.resolve(f"children({TO})", limit=0).size)
        assert office.engine.resolve(BOTH, limit=0).size == 2 * COMMUNES

    def submit() -> None:
        envelope = next(envelopes, None)
        if envelope is None:
            beside.over.wait()
            return

        def ask() -> int:
            receipt = received(office.submit(envelope)[0])
            keys.append(receipt.key)
            return receipt.addressed

        changes.watch(ask)

    beside.during(changes.run, resolve=resolve, submit=submit)
    assert office.engine.resolve(f"children({TO})", limit=0).size == COMMUNES + CHANGES
    # Whom a document named when it came is whom it reaches, in whatever district it is now.
    moved = [f"{FROM}.{place}" for place in (1, CHANGES)]
    for code in (*moved, f"{TO}.1", f"{FROM}.{CHANGES + 1}"):
        wanted = [key for key in keys if office.engine.explain(key, code).receives]
        assert sorted(drained(office, code)) == sorted(wanted)
    assert office.engine.check() == []


def drained(office: Office, code: str) -> list[str]:
    got: list[str] = []
    while some := office.lease(code, 1_000):
        got += [one.key for one in some]
    return got
