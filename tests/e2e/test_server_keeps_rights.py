"""Over HTTP a token does what its rights say; others' documents are not found."""

from __future__ import annotations

import json

import pytest
from support.daemon import found
from support.http import ask

from router.engine import Engine
from router.engine.rights import wanted_of
from router.server import BackgroundServer


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with Engine.open(tmp_path_factory.mktemp("data") / "store") as engine:
        town = found(engine)
        with BackgroundServer(engine) as server:
            yield engine, town, server.base_url


def operator(engine, *rights):
    wanted = [wanted_of(right) for right in rights]
    return engine.create_token(None, "Sở Nội vụ", operator=True, rights=wanted)


def sent(house, sender, recipients):
    _, town, url = house
    body = town.envelope(sender, recipients)
    kind = "application/json"
    answer = ask(url, "POST", "/v1/documents", body, town.tokens[sender], kind)
    assert answer.status == 201, answer.body
    return answer.json()["key"]


def resolve(url, token, **asked):
    return ask(url, "POST", "/v1/resolve", json.dumps(asked), token, "application/json")


def test_a_limited_operator_tracks_what_its_right_covers(house):
    engine, town, url = house
    within, beyond = sent(house, "H22.31.20", "H22"), sent(house, "H22.32", "H22")
    token = operator(engine, "read:subtree(H22.31)")
    assert ask(url, "GET", f"/v1/documents/{within}/tracking", None, token).status == 200
    assert ask(url, "GET", f"/v1/documents/{within}/explain?unit=H22", None, token).status == 200
    for path in ("tracking", "explain?unit=H22"):
        answer = ask(url, "GET", f"/v1/documents/{beyond}/{path}", None, token)
        assert (answer.status, answer.problem()["code"]) == (404, "document.not_found")
    assert ask(url, "GET", f"/v1/documents/{beyond}/tracking", None, town.operator).status == 200
    assert ask(url, "GET", "/v1/units/H22.31.21", None, token).status == 200
    assert ask(url, "GET", "/v1/units/H22.32", None, token).status == 404
    assert ask(url, "GET", "/v1/whoami", None, token).json()["limited"] is True
    lease = ask(url, "POST", "/v1/inbox/lease", "{}", token, "application/json")
    assert (lease.status, lease.problem()["code"]) == (403, "access.other_unit")


def test_a_limited_operator_asks_whom_a_selector_means_within_its_right(house):
    engine, town, url = house
    token = operator(engine, "resolve:subtree(H22.31)")
    assert resolve(url, token, selector="children(H22.31)").json()["size"] == 2
    for selector in ("all", "H22.32", "children(H22)"):
        problem = resolve(url, token, selector=selector).problem()
        assert (problem["status"], problem["code"]) == (403, "right.missing")
    assert resolve(url, operator(engine, "read:all"), selector="H22.31").status == 403
    assert resolve(url, town.operator, selector="all").json()["size"] == 5
    assert resolve(url, town.tokens["H22.31.20"], selector="all").json()["size"] == 5


def test_a_grant_opens_and_its_end_closes(house):
    engine, town, url = house
    key = sent(house, "H22.32", "H22.31.20")
    token = town.tokens["H22.31.21"]
    path = f"/v1/documents/{key}/tracking"
    assert ask(url, "GET", path, None, token).status == 404
    right = engine.grant_right("H22.31.21", "read", "H22.32", reason="QĐ 12")
    assert ask(url, "GET", path, None, token).status == 200
    engine.revoke_right(right.id)
    assert ask(url, "GET", path, None, token).status == 404


def test_a_delivery_is_looked_at_from_both_ends(house):
    engine, town, url = house
    sent(house, "H22.32", "H22.31.20")
    lease = ask(
        url, "POST", "/v1/inbox/lease", '{"limit": 100}', town.tokens["H22.31.20"],
        "application/json",
    )  # fmt: skip
    name = lease.json()["deliveries"][-1]["delivery"]
    for token in (town.operator, town.tokens["H22.32"], town.tokens["H22.31.20"]):
        answer = ask(url, "GET", f"/v1/deliveries/{name}", None, token)
        assert answer.json()["state"] == "leased"
    stranger = ask(url, "GET", f"/v1/deliveries/{name}", None, town.tokens["H22.31.21"])
    assert (stranger.status, stranger.problem()["code"]) == (404, "delivery.not_found")
    covered = operator(engine, "read:H22.31.20")
    assert ask(url, "GET", f"/v1/deliveries/{name}", None, covered).status == 200
    assert ask(url, "GET", f"/v1/deliveries/{name}", None).status == 401
