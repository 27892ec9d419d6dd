"""Holds over HTTP, the Python clients and the command line: seen by few, answered once."""

from __future__ import annotations

import asyncio
import json

import pytest
from support.commands import vanban
from support.daemon import found
from support.http import ask
from support.policies import EVERY_WEEK_ALIKE, in_force

from router.client import AsyncClient, Client
from router.engine import Engine
from router.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from router.server import BackgroundServer

COMMUNE, OTHER = "H22.31.20", "H22.31.21"
RULES = (
    'default = "allow"\n[[rules]]\nname = "ask"\nrecipients = "tier(commune)"\n'
    'effect = { hold = { approvers = "parent(sender)", expires_working_days = 3 } }\n'
    '[[rules]]\nname = "no"\nrecipients = "H22.32"\n'
    'effect = { forbid = "document", reason = "thử" }\n'
)


@pytest.fixture
def house(tmp_path):
    with Engine.open(tmp_path / "store") as engine:
        town = found(engine)
        in_force(engine, RULES + EVERY_WEEK_ALIKE)
        with BackgroundServer(engine) as server:
            yield town, server.base_url


def test_an_approver_sees_and_releases_and_the_sender_is_told(house):
    town, base_url = house
    with (
        Client(base_url, town.tokens["H22.31"]) as sender,
        Client(base_url, town.tokens["H22"], actor="Lò Thị Mai") as approver,
        Client(base_url, town.tokens[COMMUNE]) as inbox,
        Client(base_url, town.tokens["H22.32"]) as stranger,
    ):
        receipt = sender.submit(town.envelope("H22.31", f"{COMMUNE} | {OTHER}"))
        assert (receipt.effective, receipt.held) == (0, 2)
        assert inbox.lease() == []
        (shown,) = approver.holds().holds
        assert shown.units == (COMMUNE, OTHER)
        assert sender.holds().holds == (shown,)
        assert stranger.holds().holds == ()
        with pytest.raises(NotFoundError):
            stranger.hold(shown.hold)
        for nobody in (stranger, sender):
            with pytest.raises(ForbiddenError) as told:
                nobody.approve(shown.hold)
            assert told.value.code == "hold.not_approver"
        with pytest.raises(ForbiddenError):
            sender.approve(shown.hold, unit="H22")
        done = approver.approve(shown.hold, reason="đồng ý")
        assert (done.state, done.approvals[0].actor) == ("released", "Lò Thị Mai")
        assert approver.approve(shown.hold).repeated
        with pytest.raises(ConflictError):
            approver.deny(shown.hold, "muộn")
        assert [one.key for one in inbox.lease()] == [receipt.key]
        assert [one.kind for one in sender.outbox().events] == ["released"]
        assert sender.holds(document=receipt.key, state="").holds[0].state == "released"


def test_an_operator_acts_only_in_the_name_of_an_approver(house):
    town, base_url = house
    with (
        Client(base_url, town.tokens["H22.31"]) as sender,
        Client(base_url, town.operator, actor="Quản trị") as operator,
    ):
        sender.submit(town.envelope("H22.31", COMMUNE))
        (shown,) = operator.holds().holds
        with pytest.raises(InputError) as told:
            operator.approve(shown.hold)
        assert told.value.code == "field.missing"
        with pytest.raises(ForbiddenError):
            operator.deny(shown.hold, "không", unit="H22.32")
        assert operator.deny(shown.hold, "không", unit="H22").state == "denied"


def test_what_is_no_hold_or_no_body_is_refused(house):
    town, base_url = house
    token = town.tokens["H22"]
    for body, kind, status in ((b"", "application/json", 400), (b"{}", "text/plain", 415)):
        answer = ask(base_url, "POST", "/v1/holds/00/1/approve", body, token, kind)
        assert answer.status == status, answer
    with Client(base_url, token) as client:
        for wrong in ("", "x", "a/b/c", "0" * 32 + "/1", "0" * 32 + "/１"):
            with pytest.raises(NotFoundError):
                client.hold(wrong)


def test_the_async_client_knows_holds(house):
    town, base_url = house

    async def run():
        async with (
            AsyncClient(base_url, town.tokens["H22.31"]) as sender,
            AsyncClient(base_url, town.tokens["H22"]) as approver,
        ):
            await sender.submit(town.envelope("H22.31", COMMUNE))
            (shown,) = (await approver.holds()).holds
            assert await approver.hold(shown.hold) == shown
            half = await approver.deny(shown.hold, "không")
            return half.state

    assert asyncio.run(run()) == "denied"


def test_the_command_line_lists_shows_approves_and_denies(house, tmp_path):
    town, base_url = house
    for unit in ("H22", "H22.31"):
        (tmp_path / f"{unit}.token").write_text(town.tokens[unit])

    def run(*arguments, unit="H22"):
        where = ("--url", base_url, "--token-file", f"{unit}.token")
        return vanban("hold", *arguments, *where, cwd=tmp_path)

    assert "No part of a document is held here." in run("list").out
    with Client(base_url, town.tokens["H22.31"]) as sender:
        keys = [sender.submit(town.envelope("H22.31", COMMUNE)).key for _ in range(2)]
    listed = json.loads(run("list", "--json").out)
    holds = [one["hold"] for one in listed["holds"]]
    assert [one.split("/")[0] for one in holds] == keys
    assert "waits" in run("list").out
    shown = run("show", holds[0])
    assert "parent(sender)" in shown.out or "H22" in shown.out
    refused = run("approve", holds[0], unit="H22.31")
    assert refused.status == 1
    assert "hold.not_approver" in refused.err
    assert "released" in run("approve", holds[0], "--reason", "đồng ý").out
    assert run("deny", holds[1]).status == 2, "a denial needs a reason"
    assert "denied" in run("deny", holds[1], "--reason", "sai").out
    assert json.loads(run("list", "--json").out)["holds"] == []
