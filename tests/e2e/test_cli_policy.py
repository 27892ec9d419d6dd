"""`vanban policy` as an operator uses it: check, test, weigh, activate, ask why, take back."""

from __future__ import annotations

import json
import re

import pytest
from support.house import made

GOOD = """format = 1
name = "mau"
default = "allow"

[[rules]]
name = "no-health"
title = "Không gửi Sở Y tế"
senders = "tier(commune)"
recipients = "kind(department)"
effect = { forbid = "recipients", reason = "qua văn phòng" }

[[tests]]
name = "a commune writes to its district"
sender = "H22.31.20"
recipients = "parent(H22.31.20)"
expect = "allow"
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    found = made(tmp_path_factory.mktemp("house"))
    (found.home / "good.toml").write_text(GOOD, encoding="utf-8")
    (found.home / "fails.toml").write_text(
        GOOD.replace('expect = "allow"', 'expect = "exclude"'), encoding="utf-8"
    )
    (found.home / "wrong.toml").write_text("format = 1\nnaem = 2\n", encoding="utf-8")
    return found


def run(house, *arguments):
    return house.run("policy", *arguments, "--data", "data")


def test_a_good_file_is_checked_and_tested(house):
    checked = run(house, "check", "good.toml")
    assert (checked.status, "could be activated" in checked.out) == (0, True), checked
    tried = run(house, "test", "good.toml")
    assert (tried.status, "1/1 tests passed" in tried.out) == (0, True), tried
    assert json.loads(run(house, "test", "good.toml", "--json").out)["valid"] is True


def test_a_wrong_file_and_a_failing_test_are_told_and_not_activated(house):
    wrong = run(house, "check", "wrong.toml")
    assert (wrong.status, wrong.out.startswith("wrong.toml")) == (1, True), wrong
    failing = run(house, "activate", "fails.toml", "--reason", "x", "--yes")
    assert failing.status == 1, failing
    assert "test failed: a commune writes to its district" in failing.out
    assert json.loads(run(house, "versions", "--json").out) == []


def test_activated_explained_asked_and_taken_back(house):
    shown = run(house, "activate", "good.toml", "--reason", "QĐ 12")
    assert (shown.status, "Nothing is activated yet." in shown.out) == (0, True), shown
    weighed = run(house, "impact", "good.toml", "--pairs")
    assert "excluded, was allowed" in weighed.out, weighed
    done = run(house, "activate", "good.toml", "--reason", "QĐ 12", "--yes")
    assert done.status == 0, done
    version = re.search(r"In force, version (\d+)", done.out)[1]
    assert run(house, "show").out == GOOD
    asked = run(house, "who-may-receive", "H22.31.20")
    assert int(re.search(r"(\d+) excluded", asked.out)[1]) > 0, asked
    back = run(house, "who-may-send", "H22.1", "--outcome", "exclude", "--json")
    assert json.loads(back.out)["excluded"] >= 1, back
    rule = run(house, "explain", "--rule", "no-health")
    assert "Không gửi Sở Y tế" in rule.out, rule
    again = run(house, "rollback", "--reason", "sai")
    assert (again.status, "as in version 0" in again.out) == (0, True), again
    listed = json.loads(run(house, "versions", "--json").out)
    assert listed[0]["version"] == int(version)
    assert [one.get("active", False) for one in listed] == [False, True]
    assert run(house, "show", version).out == GOOD
    assert "QĐ 12" in run(house, "versions").out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [(("explain",), 2, "name a document"), (("explain", "H99|x"), 1, "unit.not_found"),
     (("explain", "--rule", "none"), 1, "policy.rule_not_found"),
     (("show", "4711"), 1, "policy.not_found"), (("who-may-send", "H99"), 1, "unit.not_found"),
     (("rollback", "4711", "--reason", "x"), 1, "policy.not_found"),
     (("activate", "good.toml", "--reason", " ", "--yes"), 1, "field.invalid"),
     (("show", "--floor"), 0, "floor/receipt")],
)  # fmt: skip
def test_what_cannot_be_done_is_said(house, arguments, status, said):
    answer = run(house, *arguments)
    assert (answer.status, said in answer.err + answer.out) == (status, True), answer
