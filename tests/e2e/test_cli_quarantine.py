"""Refusals kept as evidence: operators list and read them, nobody else learns of them."""

from __future__ import annotations

import base64
import json

import pytest
from support.commands import vanban
from support.daemon import found
from support.http import ask

from router.engine import Engine
from router.model.answers import Problem
from router.server import BackgroundServer

POLICY = (
    'format = 1\nname = "thử"\ndefault = "allow"\n[[rules]]\nname = "không-gửi"\n'
    'recipients = "H22.31"\n'
    'effect = { forbid = "document", quarantine = true, reason = "thử" }\n'
)


@pytest.fixture
def refused(tmp_path):
    """A data directory whose policy refused two documents of H22, and what they were."""
    with Engine.open(tmp_path / "store") as engine:
        town = found(engine)
        engine.activate_policy(POLICY.encode(), reason="thử")
        sent = [town.envelope("H22", "H22.31") for _ in range(2)]
        assert all(isinstance(one, Problem) for one in engine.submit(sent))
    return tmp_path, town, sent


def test_the_command_lists_page_by_page_and_gives_back_what_came(refused):
    home, _, sent = refused

    def run(*arguments, **settings):
        return vanban("quarantine", *arguments, "--data", "store", cwd=home, **settings)

    first = run("list", "--limit", "1", "--json").json()
    (one,) = first["refusals"]
    assert (one["sender"], one["code"], one["rule"]) == ("H22", "policy.forbidden", "không-gửi")
    assert one["refused_at"].endswith("+07:00")
    assert "envelope" not in one
    rest = run("list", "--after", str(first["next_after"]), "--json").json()
    assert [each["id"] > one["id"] for each in rest["refusals"]] == [True]
    run("show", str(one["id"]), "--save", "envelope.json")
    assert (home / "envelope.json").read_bytes() == sent[0]
    told = run("list", VANBAN_LANG="vi").out
    assert "từ chối lúc" in told
    assert "không-gửi" in told
    missing = run("show", "999999")
    assert (missing.status, "quarantine.not_found" in missing.err) == (1, True)


def test_over_http_it_is_for_operators_only(refused):
    home, town, sent = refused
    with Engine.open(home / "store") as engine, BackgroundServer(engine) as server:
        url = server.base_url

        def read(path, token):
            answer = ask(url, "GET", path, token=token)
            return answer.status, json.loads(answer.body)

        status, body = read("/v1/quarantine", town.operator)
        assert status == 200
        ids = [one["id"] for one in body["refusals"]]
        assert len(ids) == len(sent)
        status, body = read(f"/v1/quarantine/{ids[1]}", town.operator)
        assert (status, base64.b64decode(body["envelope"])) == (200, sent[1])
        for path in ("/v1/quarantine", f"/v1/quarantine/{ids[1]}"):
            status, body = read(path, town.tokens["H22"])
            assert (status, body["code"]) == (403, "right.missing")
        status, body = read("/v1/quarantine/1", town.operator)
        assert (status, body["code"]) == (404, "quarantine.not_found")
