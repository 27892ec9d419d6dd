"""A dead delivery is queued again, and at that moment its recipient answers after all.

The operator's call reads what is dead and writes what joins anew; in between anything may happen.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.office import LUNG_CU, MA_LE, Office

from router import limits
from router.engine.facts import delivery_id
from router.model.answers import Receipt, Settled
from router.queue import after

COMMUNE, OTHER = "H22.31.20", "H22.31.21"


def die(office: Office, *units: str) -> None:
    """Hand everything that waits for units out so often that it is given up."""
    for _ in range(limits.DELIVERY_ATTEMPTS_MAX):
        for unit in units:
            assert office.lease(unit, lease_s=1)
        office.clock.advance(1)
    for unit in units:
        assert office.lease(unit) == []


def delivery(receipt: Receipt, unit: int = LUNG_CU) -> str:
    return delivery_id(bytes.fromhex(receipt.key), unit)


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> list[object]:
    """Let something happen once it is read what is dead, and before anything is written of it."""
    real = after.joining
    done: list[object] = []

    def joining(*arguments: object) -> bytes:
        if not done:
            done.append(act())
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(after, "joining", joining)
    return done


def answers(settled: list[Settled]) -> list[tuple[str, str]]:
    return [(one.state, one.code) for one in settled]


@pytest.mark.parametrize("named", [(), (COMMUNE,)], ids=["whole document", "one unit"])
@pytest.mark.parametrize("answer", ["delivered", "refused"])
def test_who_answers_late_is_not_handed_it_once_more(
    monkeypatch: pytest.MonkeyPatch, named: tuple[str, ...], answer: str
) -> None:
    office = Office()
    engine = office.engine
    receipt = office.send(recipients=f"{COMMUNE} | {OTHER}")
    die(office, COMMUNE)
    late = delivery(receipt)

    def act() -> str:
        if answer == "delivered":
            return engine.acknowledge(COMMUNE, [late])[0].state
        return engine.refuse(COMMUNE, [late], "muộn")[0].state

    done = meanwhile(monkeypatch, act)
    heard: list[object] = []
    engine.listen(heard.extend)
    said = answers(engine.redrive(receipt.key, named, reason="Máy đã sửa", actor="Nam"))
    assert said == ([(answer, "delivery.not_dead")] if named else [])
    assert done == [answer]
    assert heard == [], "nobody is reached"
    for _ in range(2):
        assert office.engine.track(receipt.key).states == {answer: 1, "queued": 1}
        assert office.lease(COMMUNE) == []
        again = office.engine.acknowledge(COMMUNE, [late])[0]
        assert (again.state, again.repeated) == (answer, True)
        assert [one.state for one in office.engine.delivery(late).history][-2:] == ["dead", answer]
        assert office.engine.check() == []
        office.reopen()


def test_the_others_are_queued_again_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office()
    receipt = office.send(recipients=f"{COMMUNE} | {OTHER}")
    die(office, COMMUNE, OTHER)
    meanwhile(monkeypatch, lambda: office.engine.acknowledge(COMMUNE, [delivery(receipt)]))
    said = office.engine.redrive(receipt.key, [COMMUNE, OTHER])
    assert answers(said) == [("delivered", "delivery.not_dead"), ("queued", "")]
    office.reopen()
    assert office.engine.track(receipt.key).states == {"delivered": 1, "queued": 1}
    assert office.engine.queue_stats().counters["in_flight"] == 1
    assert office.lease(COMMUNE) == []
    assert [one.delivery for one in office.lease(OTHER)] == [delivery(receipt, MA_LE)]
    assert office.engine.check() == []


def test_one_joining_overtaken_holds_back_that_of_another_entry_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second death of a delivery is another entry's than the first death of the other."""
    office = Office()
    receipt = office.send(recipients=f"{COMMUNE} | {OTHER}")
    die(office, COMMUNE)
    office.engine.redrive(receipt.key)
    die(office, COMMUNE, OTHER)
    before = office.engine.queue_stats().counters["entries"]
    meanwhile(monkeypatch, lambda: office.engine.acknowledge(COMMUNE, [delivery(receipt)]))
    assert answers(office.engine.redrive(receipt.key)) == [("queued", "")]
    assert office.engine.queue_stats().counters["entries"] == before + 1
    assert office.engine.track(receipt.key).states == {"delivered": 1, "queued": 1}
    assert office.lease(COMMUNE) == []
    assert office.engine.check() == []


def test_what_expires_meanwhile_stays_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office()
    life = 2 * limits.DELIVERY_ATTEMPTS_MAX
    receipt = office.send(recipients=COMMUNE, time_to_live_s=life)
    die(office, COMMUNE)

    def act() -> int:
        office.clock.advance(life)
        return office.engine.tick()

    meanwhile(monkeypatch, act)
    said = answers(office.engine.redrive(receipt.key, [COMMUNE]))
    assert said == [("expired", "delivery.not_dead")]
    assert office.engine.track(receipt.key).states == {"expired": 1}
    assert office.engine.check() == []
