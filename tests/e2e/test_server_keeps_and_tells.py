"""Over HTTP: leases kept and given back, who has it below a unit, what senders are told."""

from __future__ import annotations

import asyncio
import threading

import pytest
from support.daemon import found
from support.http import ask

from router.client import AsyncClient, Client
from router.engine import Engine
from router.engine.due import Ticker
from router.errors import InputError, NotFoundError
from router.server import BackgroundServer

COMMUNE, OTHER = "H22.31.20", "H22.31.21"


@pytest.fixture
def house(tmp_path):
    with Engine.open(tmp_path / "store") as engine:
        town = found(engine)
        with BackgroundServer(engine) as server:
            yield engine, town, server.base_url


def test_a_lease_is_kept_and_given_back_and_a_sleeper_wakes(house):
    _, town, base_url = house
    with (
        Client(base_url, town.tokens["H22"]) as sender,
        Client(base_url, town.tokens[COMMUNE]) as inbox,
    ):
        sender.submit(town.envelope("H22", COMMUNE))
        (one,) = inbox.lease(lease_s=30)
        (kept,) = inbox.extend([one.delivery], 600)
        assert kept.state == "leased"
        assert kept.leased_until > one.leased_until
        got = []

        def sleep():
            with Client(base_url, town.tokens[COMMUNE]) as other:
                got.extend(other.lease(wait_s=30))

        sleeper = threading.Thread(target=sleep)
        sleeper.start()
        answer = {"state": ""}
        while sleeper.is_alive():
            (answer,) = inbox.give_back([one.delivery])
            sleeper.join(0.05)
        assert answer.state == "queued"
        assert [again.delivery for again in got] == [one.delivery]


def test_who_has_it_below_a_unit_is_counted_and_listed(house):
    _, town, base_url = house
    with (
        Client(base_url, town.tokens["H22"]) as sender,
        Client(base_url, town.tokens[COMMUNE]) as inbox,
    ):
        key = sender.submit(town.envelope("H22", "all")).key
        inbox.acknowledge([one.delivery for one in inbox.lease()])
        below = sender.track(key, below="H22.31")
        assert below.states == {"delivered": 1, "queued": 1}
        missing = sender.track(key, below="H22.31", state="queued")
        assert [one.address for one in missing.deliveries] == [OTHER]
        with pytest.raises(InputError) as caught:
            sender.track(key, state="lost")
        assert caught.value.code == "field.invalid"
        with pytest.raises(NotFoundError):
            sender.track(key, below="H99")


def test_a_sender_is_told_of_a_closed_recipient_without_being_asked_to_look(house):
    engine, town, base_url = house
    with Client(base_url, town.tokens["H22"]) as sender, Ticker(engine, 0.01):
        sender.submit(town.envelope("H22", COMMUNE))
        engine.close_unit(COMMUNE, engine.now_us(), [OTHER])
        while not (page := sender.outbox()).events:
            pass
        (event,) = page.events
        assert (event.kind, event.address, event.holder, event.open) == (
            "redirected", COMMUNE, OTHER, 1,
        )  # fmt: skip
        assert sender.outbox(after=page.cursor).events == ()

        async def read():
            async with AsyncClient(base_url, town.tokens["H22"]) as other:
                return await other.outbox(limit=1)

        assert asyncio.run(read()).events == (event,)
        with Client(base_url, town.tokens[OTHER]) as other:
            assert other.outbox().events == ()


def test_an_operator_has_no_outbox_and_a_bad_cursor_is_named(house):
    _, town, base_url = house
    answer = ask(base_url, "GET", "/v1/outbox", token=town.operator)
    assert (answer.status, answer.problem()["code"]) == (403, "access.other_unit")
    answer = ask(base_url, "GET", "/v1/outbox?after=x", token=town.tokens["H22"])
    assert (answer.status, answer.problem()["path"]) == (422, "$.after")
