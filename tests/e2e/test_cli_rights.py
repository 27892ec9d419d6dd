"""The commands about rights, and about what a change would do before it is made."""

from __future__ import annotations

import json
import re

import pytest
from support.house import made

MERGER = {
    "type": "reorganisation",
    "at": "2031-01-01",
    "title": "NQ 1685/NQ-UBTVQH15",
    "events": [{"type": "merge", "units": ["H22.31.20"], "into": "H22.31.21"}],
}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    return made(tmp_path_factory.mktemp("house"))


def test_a_right_is_granted_listed_and_revoked(house):
    reason = ("--reason", "NQ 1685", "--data", "data")
    answer = house.run("right", "grant", "H22.31.20", "read", "H22.32 | H22.31.21", *reason)
    assert answer.status == 0, answer
    number = re.search(r"right (\d+)", answer.out)[1]
    assert "NQ 1685" in house.run("right", "list", "--data", "data").out
    (right,) = json.loads(house.run("right", "list", "--data", "data", "--json").out)
    assert (right["id"], right["code"], right["actions"]) == (int(number), "H22.31.20", ["read"])
    assert house.run("right", "revoke", number, "--data", "data").status == 0
    again = house.run("right", "revoke", number, "--data", "data")
    assert (again.status, "right.not_found" in again.err) == (1, True)
    assert json.loads(house.run("right", "list", "--data", "data", "--json").out) == []


@pytest.mark.parametrize(
    ("actions", "selector", "code"),
    [("read", "H99", "recipient.unknown"), ("write", "H22", "right.invalid"),
     ("read", "H22 &", "selector.syntax"), ("read", "H22 & H22.31", "audience.empty")],
)  # fmt: skip
def test_a_bad_right_is_refused_with_its_reason(house, actions, selector, code):
    options = ("--reason", "x", "--data", "data")
    answer = house.run("right", "grant", "H22.31.20", actions, selector, *options)
    assert (answer.status, code in answer.err) == (1, True), answer


def test_an_operators_token_is_made_with_rights(house):
    options = ("--name", "Sở Nội vụ", "--data", "data")
    answer = house.run(
        "token", "create", "--operator", "--right", "directory,read:subtree(H22.31)", *options
    )
    assert answer.status == 0, answer
    assert "only its rights" in house.run("token", "list", "--data", "data").out
    rights = json.loads(house.run("right", "list", "--data", "data", "--json").out)
    assert [(one["actions"], one["selector"]) for one in rights] == [
        (["read", "directory"], "subtree(H22.31)")
    ]
    wrong = house.run("token", "create", "--operator", "--right", "read", *options)
    assert (wrong.status, "right.invalid" in wrong.err) == (1, True)


def test_the_impact_of_a_change_is_told_before_it_is_made(house):
    (house.home / "merger.json").write_text(json.dumps(MERGER), encoding="utf-8")
    define = ("group", "define", "các xã", "children(H22.31)", "--data", "data")
    assert house.run(*define).status == 0, house.run(*define)
    before = house.run("directory", "history", "--data", "data").out
    said = house.run("directory", "impact", "merger.json", "--data", "data")
    assert said.status == 0, said
    assert "các xã" in said.out
    assert re.search(r"H22\.31\.20 .* → H22\.31\.21", said.out)
    vietnamese = house.run("directory", "impact", "merger.json", "--data", "data", VANBAN_LANG="vi")
    assert "đơn vị kết thúc" in vietnamese.out
    answer = house.run("directory", "impact", "merger.json", "--data", "data", "--json")
    report = json.loads(answer.out)
    assert (report["title"], report["end"]) == ("NQ 1685/NQ-UBTVQH15", 1)
    assert house.run("directory", "history", "--data", "data").out == before
    (house.home / "bad.json").write_text("[]", encoding="utf-8")
    bad = house.run("directory", "impact", "bad.json", "--data", "data")
    assert (bad.status, "directory.invalid" in bad.err) == (1, True)
