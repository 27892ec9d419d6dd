"""The policy over HTTP, by both clients: why, what if, versions; and who may ask."""

from __future__ import annotations

import asyncio

import pytest
from support.daemon import found
from support.http import ask

from router.client import AsyncClient, Client
from router.engine import Engine
from router.engine.rights import wanted_of
from router.errors import ConflictError, ForbiddenError, NotFoundError, PolicyError
from router.model.policies import TestDocument
from router.server import BackgroundServer

OPEN = 'format = 1\nname = "mở"\ndefault = "allow"\n'
NO_COMMUNES = OPEN + (
    '[[rules]]\nname = "tỉnh/không-xã"\nrecipients = "tier(commune)"\n'
    'effect = { forbid = "recipients" }\n'
)
FAILING = NO_COMMUNES + (
    '[[tests]]\nname = "t"\nsender = "H22"\nrecipients = "H22.31.20"\nexpect = "allow"\n'
)


@pytest.fixture
def house(tmp_path):
    with Engine.open(tmp_path / "store") as engine:
        town = found(engine)
        with BackgroundServer(engine) as server:
            yield engine, town, server.base_url


def test_an_operator_activates_asks_and_takes_back(house):
    _, town, url = house
    with Client(url, town.operator, actor="Bà Lan") as client:
        assert client.policy_versions() == []
        assert client.check_policy(NO_COMMUNES).valid
        before = client.policy_impact(NO_COMMUNES, pairs=True)
        assert before.lines[0][0].startswith("excluded, was allowed")
        made = client.activate_policy(NO_COMMUNES, reason="QĐ 12")
        assert (made.actor, made.reason, made.active) == ("Bà Lan", "QĐ 12", True)
        assert client.policy_text() == NO_COMMUNES
        assert client.rule_reach("tỉnh/không-xã").pairs > 0
        assert client.who_may_receive("H22").excluded > 0
        listed = client.who_may_send("H22.31.20", TestDocument(), outcome="exclude", limit=1)
        assert (listed.allowed, len(listed.units), listed.next_page) == (0, 1, 1)
        with pytest.raises(PolicyError) as failed:
            client.activate_policy(FAILING, reason="QĐ 13")
        assert failed.value.code == "policy.tests_failed"
        assert [one.code for one in failed.value.problems] == ["policy.test_failed"]
        with pytest.raises(PolicyError) as wrong:
            client.activate_policy(OPEN + "colour = 1\nshape = 2\n", reason="QĐ 14")
        told = [(one.line, one.path, one.code) for one in wrong.value.problems]
        assert told == [(4, "colour", "policy.unknown_key"), (5, "shape", "policy.unknown_key")]
        assert client.rollback_policy(reason="sai").rolled_back_to == 0
        with pytest.raises(ConflictError):
            client.rollback_policy(reason="sai")
        assert client.policy_text(made.version) == NO_COMMUNES
        with pytest.raises(NotFoundError):
            client.policy_text(1 << 40)


def test_a_sender_is_told_why_and_a_stranger_nothing(house):
    engine, town, url = house
    version = engine.activate_policy(NO_COMMUNES.encode(), reason="QĐ 12").version
    with Client(url, town.tokens["H22"]) as client:
        receipt = client.submit(town.envelope("H22", "H22.31 | H22.31.20"))
        told = client.explain_policy(receipt.key)
        assert told.policy_version == version
        assert {one.outcome: one.units for one in told.groups} == {
            "allowed": ("H22.31",), "excluded": ("H22.31.20",),
        }  # fmt: skip
        under = client.explain_policy_unit(receipt.key, "H22.31.20")
        assert (under.outcome, under.rules[0].name) == ("excluded", "tỉnh/không-xã")
        assert client.who_may_receive("H22").unit == "H22"
        for refused in (
            lambda: client.who_may_receive("H22.31"),
            client.policy_versions,
            lambda: client.activate_policy(OPEN, reason="x"),
            lambda: client.rollback_policy(reason="x"),
            lambda: client.policy_impact(OPEN),
        ):
            with pytest.raises(ForbiddenError):
                refused()
    with Client(url, town.tokens["H22.31"]) as other, pytest.raises(NotFoundError):
        other.explain_policy(receipt.key)
    assert [one.version for one in engine.policy_versions()] == [version]


def test_a_token_with_the_right_changes_the_policy_and_nothing_else(house):
    engine, town, url = house
    wanted = [wanted_of("policy:all")]
    token = engine.create_token(None, "Sở Nội vụ", operator=True, rights=wanted)
    with Client(url, token) as client:
        assert client.activate_policy(OPEN, reason="QĐ 1").actor == "Sở Nội vụ"
        with pytest.raises(ForbiddenError):
            client.policy_impact(OPEN)
        with pytest.raises(ForbiddenError):
            client.who_may_receive("H22")
    del town


def test_the_asynchronous_client_asks_the_same(house):
    _, town, url = house

    async def run():
        async with AsyncClient(url, town.operator) as client:
            made = await client.activate_policy(NO_COMMUNES, reason="QĐ 1")
            return (
                made.version,
                [one.version for one in await client.policy_versions()],
                await client.policy_text(),
                (await client.who_may_send("H22.31.20")).allowed,
            )

    version, versions, text, allowed = asyncio.run(run())
    assert (versions, text, allowed) == ([version], NO_COMMUNES, 0)


@pytest.mark.parametrize(
    ("path", "body"),
    [("activate", '{"text": "x"}'), ("check", '{"text": ""}'), ("impact", '{"text": "x", "n": 1}'),
     ("who-may-send", '{"unit": "H22", "outcome": "perhaps"}'), ("rollback", "{}")],
)  # fmt: skip
def test_a_body_of_another_shape_is_refused(house, path, body):
    _, town, url = house
    answer = ask(url, "POST", f"/v1/policy/{path}", body, town.operator, "application/json")
    assert (answer.status, answer.problem()["code"]) == (422, "request.invalid"), answer.body
