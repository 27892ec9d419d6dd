"""Why a document went to whom: told in groups, and told alike for ever."""

from __future__ import annotations

from typing import Any

import msgspec
from support.office import Office, error_of
from support.policies import in_force, without_years

from router.model.policies import PolicyExplained

RULES = b"""format = 1
name = "mau"
default = "forbid"
[[rules]]
name = "line"
title = "Trong tuyen"
recipients = "descendants(sender) | parent(sender) | H22.1"
effect = { allow = true, retention_years = 20 }
[[rules]]
name = "no-health"
recipients = "H22.1"
effect = { forbid = "recipients", reason = "da co ban khac" }
[[rules]]
name = "ask"
recipients = "H22.31.21"
effect = { hold = { approvers = "H22", expires_working_days = 2 } }
[[rules]]
name = "copy"
recipients = "H22.31.20"
effect = { add = "H22.32.20" }
"""
TO = "H22.31.20 | H22.31.21 | H22.32 | H22.1"


def activated(text: bytes = RULES) -> tuple[Office, int]:
    office = Office()
    return office, office.engine.activate_policy(text, reason="QĐ 1").version


def groups(told: PolicyExplained) -> dict[tuple[str, ...], tuple[str, tuple[str, ...]]]:
    return {
        tuple(sorted(one.units)): (one.outcome, tuple(rule.name for rule in one.rules))
        for one in told.groups
    }


def as_json(value: Any) -> bytes:
    return msgspec.json.encode(value)


def test_every_group_of_recipients_has_the_rules_that_decided_it() -> None:
    office, version = activated()
    told = office.engine.explain_policy(office.send("H22.31", TO).key)
    assert told.policy_version == version
    assert groups(told) == {
        ("H22.31.20",): ("allowed", ("line",)),
        ("H22.31.21",): ("held", ("line", "ask")),
        ("H22.32",): ("excluded", ("default",)),
        ("H22.1",): ("excluded", ("no-health",)),
        ("H22.32.20",): ("added", ("copy",)),
    }
    assert told.settings["lane"] == ("normal", "")
    assert told.settings["retention_years"] == ("20", "line")
    assert told.settings["deadline"][1] == "floor/receipt"
    held = next(one for one in told.groups if one.outcome == "held")
    assert "“ask”" in held.words
    assert "chờ duyệt" in held.words_vi


def test_one_unit_is_told_why() -> None:
    office, _ = activated()
    key = office.send("H22.31", TO).key
    told = {
        unit: office.engine.explain_policy_unit(key, unit).outcome
        for unit in ("H22.31.20", "H22.31.21", "H22.1", "H22.32.20", "H22")
    }
    assert told == {
        "H22.31.20": "allowed", "H22.31.21": "held", "H22.1": "excluded",
        "H22.32.20": "added", "H22": "not_addressed",
    }  # fmt: skip
    by_id = office.engine.explain_policy_unit(
        f"H22.31|{office.engine.track(key).document_id}", "H22.1"
    )
    assert by_id.rules[0].words.endswith(": da co ban khac")


def test_only_who_may_read_the_senders_documents_is_told() -> None:
    office, _ = activated()
    key = office.send("H22.31", TO).key
    assert office.engine.explain_policy(key, viewer="H22.31").key == key
    for viewer in ("H22.1", "H22.31.20"):
        assert error_of(lambda viewer=viewer: office.engine.explain_policy(key, viewer=viewer))[
            0
        ] == (  # type: ignore[misc]
            "document.not_found"
        )


def test_an_old_decision_is_explained_alike_after_activations_a_reform_and_a_restart() -> None:
    office, version = activated()
    key = office.send("H22.31", TO).key
    first = office.engine.explain_policy(key)
    one = office.engine.explain_policy_unit(key, "H22.31.21")
    for number in range(10):
        text = RULES.replace(b'"mau"', b'"mau %d"' % number).replace(b"H22.31.21", b"H22.32")
        office.engine.activate_policy(text, reason="QĐ 2")
    office.close_commune("H22.31.21", ["H22.31.20"])
    office.engine.rollback_policy(version, reason="QĐ 3")
    assert as_json(office.engine.explain_policy(key)) == as_json(first)
    office.reopen()
    assert as_json(office.engine.explain_policy(key)) == as_json(first)
    assert as_json(office.engine.explain_policy_unit(key, "H22.31.21")) == as_json(one)
    assert first.policy_version == version


def test_who_was_not_there_then_is_told_so() -> None:
    office, _ = activated()
    key = office.send("H22.31", TO).key
    office.close_commune("H22.32.20", ["H22"])
    assert office.engine.explain_policy_unit(key, "H22.32.20").outcome == "added"
    later = office.send("H22.31", "H22.31.20").key
    told = office.engine.explain_policy_unit(later, "H22.32.20")
    assert "did not exist" in told.words


def test_a_calendar_that_says_something_else_now_is_said_and_never_hidden() -> None:
    office = Office()
    hours = (
        'default = "allow"\n[[rules]]\nname = "at-work"\nwhen = { hours = "working" }\n'
        "effect = { retention_years = 5 }\n"
    )
    in_force(office, hours)
    key = office.send("H22.31", "H22").key
    assert office.engine.explain_policy(key).differs == ()
    without_years(office)
    told = office.engine.explain_policy(key)
    assert "at-work" in told.differs
    assert "“at-work”" not in told.groups[0].words
    assert "at-work" in told.groups[0].words


def test_a_default_that_allows_is_named_where_no_rule_speaks() -> None:
    office = Office()
    told = office.engine.explain_policy(office.send("H22", "H22.31").key)
    assert groups(told) == {("H22.31",): ("allowed", ("default",))}
    assert told.groups[0].words == "may receive, by the stated default"
