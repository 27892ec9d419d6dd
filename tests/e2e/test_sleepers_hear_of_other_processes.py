"""A long poll wakes for what comes through another process of the machine, whatever it is.

The failure guarded against: a sleeper that waits to its end while a document, or one that was
leased through `Engine.connect` and let go, waits in its inbox.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.daemon import Town, found
from support.shared import wait_until

from router.client import Client
from router.engine import Engine
from router.engine.local import channel
from router.errors import OwnerError
from router.model.answers import Delivery
from router.server import BackgroundServer
from router.server.waiters import Waiters

COMMUNE = "H22.31.20"


class Sleeper:
    """A long poll of the commune, over HTTP, on a thread."""

    def __init__(self, base_url: str, town: Town) -> None:
        self._client = Client(base_url, town.tokens[COMMUNE])
        self.got: list[Delivery] = []
        self._thread = threading.Thread(target=self._sleep)
        self._thread.start()

    def _sleep(self) -> None:
        with self._client as client:
            self.got += client.lease(wait_s=60)

    def woken(self) -> list[Delivery]:
        self._thread.join(50)
        assert not self._thread.is_alive(), "it sleeps on"
        return self.got


class House:
    """An owner that shares its engine and serves HTTP, and a client in the same process."""

    def __init__(self, engine: Engine, server: BackgroundServer, town: Town, data: Path) -> None:
        self.town = town
        self.server = server
        self.other = Engine.connect(data)

    def sleeper(self) -> Sleeper:
        asleep = self.server.service.waiters.count
        sleeper = Sleeper(self.server.base_url, self.town)
        wait_until(lambda: self.server.service.waiters.count > asleep)
        return sleeper


@pytest.fixture
def house(tmp_path) -> Iterator[House]:
    with Engine.open(tmp_path / "data", share=True) as engine:
        town = found(engine)
        with BackgroundServer(engine) as server:
            house = House(engine, server, town, tmp_path / "data")
            yield house
            house.other.close()


def test_a_document_given_through_another_process_wakes(house: House) -> None:
    sleeper = house.sleeper()
    house.other.submit([house.town.envelope("H22", COMMUNE)])
    assert len(sleeper.woken()) == 1


def test_what_another_process_gives_back_wakes(house: House) -> None:
    house.other.submit([house.town.envelope("H22", COMMUNE)])
    (held,) = house.other.lease(COMMUNE, lease_s=3_600)
    sleeper = house.sleeper()
    house.other.give_back(COMMUNE, [held.delivery])
    assert [one.delivery for one in sleeper.woken()] == [held.delivery]


def test_a_lease_of_another_process_that_ends_wakes(house: House) -> None:
    house.other.submit([house.town.envelope("H22", COMMUNE)])
    (held,) = house.other.lease(COMMUNE, lease_s=3)
    sleeper = house.sleeper()
    assert [one.delivery for one in sleeper.woken()] == [held.delivery]


def test_an_owner_that_can_not_be_asked_wakes_everybody(tmp_path) -> None:
    """Each sleeper then looks for itself, and meets the owner's death."""
    from router.engine.local.calls import SentArrival
    from router.engine.local.hearing import HeardArrival

    def gone(*_: object) -> set[int]:
        raise OwnerError("owner.gone", path=str(tmp_path))

    async def run() -> None:
        waiters = Waiters(10)
        waiters.bind(asyncio.get_running_loop())
        with waiters.waiting(1) as one, waiters.waiting(2) as other:
            waiters.arrived([HeardArrival(SentArrival(7, b"\0" * 8, 1, 0), gone)])
            await asyncio.wait_for(asyncio.gather(one.bell.wait(), other.bell.wait()), 60)

    asyncio.run(run())


def test_a_client_asks_its_owner_once_about_many_arrivals(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from router.engine import reached_by

    heard: list = []
    house.other.listen(heard.extend)
    units = [unit for unit in house.town.tokens if unit != "H22"]
    house.other.submit([house.town.envelope("H22", one) for one in units])
    wait_until(lambda: len(heard) == len(units))
    asked: list[str] = []
    ask = channel.Channel.ask

    def counted(self, method: str, arguments: object):
        asked.append(method)
        return ask(self, method, arguments)

    monkeypatch.setattr(channel.Channel, "ask", counted)
    assert reached_by(heard, (1, 2, 3, 4, 5)) == {2, 3, 4, 5}
    assert asked == ["arrivals.reached"]
