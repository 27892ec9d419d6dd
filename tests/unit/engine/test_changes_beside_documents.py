"""While the directory of a country changes, others resolve and submit: each answer is right.

Right for the directory before a change or after it, never for a half; no errors; what was
sent to a unit reaches it whatever it became meanwhile.
"""

from __future__ import annotations

import threading
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


def test_answers_are_right_for_before_or_after_while_the_directory_changes() -> None:
    office = Office()
    office.engine.import_units(country())
    changes = Changes(office)
    faults: list[BaseException] = []
    rounds = {"resolve": 0, "submit": 0}
    over = threading.Event()

    def until_over(name: str, step: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                while not over.is_set():
                    step()
                    rounds[name] += 1
            except BaseException as error:  # noqa: BLE001 - told by the test's own thread
                faults.append(error)

        return threading.Thread(target=run)

    def resolve() -> None:
        changes.watch(lambda: office.engine.resolve(f"children({TO})", limit=0).size)
        assert office.engine.resolve(BOTH, limit=0).size == 2 * COMMUNES

    envelopes = iter([office.envelope(recipients=f"children({TO})") for _ in range(2_000)])
    keys: list[str] = []

    def submit() -> None:
        envelope = next(envelopes, None)
        if envelope is None:
            over.wait(0.05)
            return

        def ask() -> int:
            receipt = received(office.submit(envelope)[0])
            keys.append(receipt.key)
            return receipt.addressed

        changes.watch(ask)

    threads = [until_over("resolve", resolve), until_over("submit", submit)]
    for thread in threads:
        thread.start()
    try:
        changes.run()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert faults == []
    assert min(rounds.values()) > 0, rounds
    assert office.engine.resolve(f"children({TO})", limit=0).size == COMMUNES + CHANGES
    # Whom a document named when it came is whom it reaches, in whatever district it is now.
    moved = [f"{FROM}.{place}" for place in (1, CHANGES)]
    for code in (*moved, f"{TO}.1", f"{FROM}.{CHANGES + 1}"):
        wanted = [key for key in keys if office.engine.explain(key, code).receives]
        got: list[str] = []
        while some := office.lease(code, 1_000):
            got += [one.key for one in some]
        assert sorted(got) == sorted(wanted)
    assert office.engine.check() == []
