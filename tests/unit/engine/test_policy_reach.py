"""Who may write to whom, asked without a document; and what a rule would catch."""

from __future__ import annotations

import pytest
from support.office import UNITS, Office, error_of

from router.engine import Engine
from router.model.documents import Urgency
from router.policy.model import TestDocument

HEAD = 'format = 1\nname = "mau"\n'
RULES = """default = "forbid"
[[rules]]
name = "line"
recipients = "descendants(sender) | parent(sender) | H22.1"
effect = { allow = true }
"""
MORE = """[[rules]]
name = "no-health"
senders = "tier(commune)"
recipients = "H22.1"
effect = { forbid = "document" }
[[rules]]
name = "ask"
recipients = "H22.31.21"
effect = { hold = { approvers = "H22", expires_working_days = 2 } }
[[rules]]
name = "no-skipping"
directions = ["up"]
tiers_crossed = { min = 2 }
audience = { lacks = "parent(sender)" }
effect = { forbid = "recipients" }
[[rules]]
name = "heavy"
documents = { size_bytes = { min = 1000000 } }
effect = { forbid = "document" }
[[rules]]
name = "flash-only"
documents = { urgencies = ["flash"] }
recipients = "all"
effect = { allow = true }
"""


def office_with(rules: str = RULES + MORE) -> Office:
    office = Office()
    office.engine.activate_policy((HEAD + rules).encode(), reason="QĐ 1")
    return office


def all_pairs(engine: Engine, outcome: str, document: TestDocument | None = None) -> set[str]:
    return {
        f"{one.code} {code}"
        for one in UNITS
        for code, _ in engine.who_may_receive(one.code, document, outcome=outcome).units
    }


def test_who_may_receive_follows_the_rules_and_names_what_depends() -> None:
    engine = office_with().engine
    told = engine.who_may_receive("H22.31")
    assert {code for code, _ in told.units} == {"H22", "H22.31.20", "H22.1"}
    assert (told.allowed, told.held, told.excluded) == (3, 1, 2)
    assert told.depends == ("no-skipping", "heavy")
    held = engine.who_may_receive("H22.31", outcome="hold")
    assert [code for code, _ in held.units] == ["H22.31.21"]
    commune = engine.who_may_receive("H22.31.20")
    assert [code for code, _ in commune.units] == ["H22.31"]


@pytest.mark.parametrize("outcome", ["allow", "hold", "exclude"])
@pytest.mark.parametrize("document", [None, TestDocument(size_bytes=2_000_000)])
def test_asked_from_both_ends_the_answer_is_the_same(
    outcome: str, document: TestDocument | None
) -> None:
    engine = office_with().engine
    found = {
        f"{code} {one.code}"
        for one in UNITS
        for code, _ in engine.who_may_send(one.code, document, outcome=outcome).units
    }
    assert found == all_pairs(engine, outcome, document)


def test_a_described_document_settles_what_a_plain_one_leaves_open() -> None:
    engine = office_with().engine
    heavy = engine.who_may_receive("H22.31", TestDocument(size_bytes=2_000_000))
    assert (heavy.allowed, heavy.depends) == (0, ("no-skipping",))
    flash = engine.who_may_receive("H22.31", TestDocument(urgency=Urgency.FLASH))
    assert (flash.allowed, flash.held) == (5, 1)


def test_an_unsigned_document_reaches_only_whom_a_rule_admits_it_to() -> None:
    admits = '[[rules]]\nname = "inv"\nrecipients = "H22.1"\neffect = { admit_unsigned = true }\n'
    engine = office_with('default = "allow"\n' + admits).engine
    unsigned = TestDocument(signed_by=())
    assert engine.who_may_receive("H22", unsigned).units == (("H22.1", "Sở Y tế"),)
    assert all_pairs(engine, "allow", unsigned) == {
        f"{one.code} H22.1" for one in UNITS if one.code != "H22.1"
    }
    assert engine.who_may_send("H22.31", unsigned).allowed == 0


def test_what_is_told_is_what_a_document_meets() -> None:
    office = office_with(RULES)
    for one in UNITS:
        told = {code for code, _ in office.engine.who_may_receive(one.code).units}
        for other in UNITS:
            if other is not one:
                envelope = office.envelope(sender=one.code, recipients=other.code)
                accepted = hasattr(office.submit(envelope)[0], "key")
                assert accepted == (other.code in told), (one.code, other.code)


def test_units_are_listed_in_pages() -> None:
    engine = office_with('default = "allow"\n').engine
    first = engine.who_may_receive("H22", limit=4)
    second = engine.who_may_receive("H22", limit=4, page=first.next_page)
    assert (len(first.units), len(second.units), second.next_page) == (4, 2, 0)
    assert len({*first.units, *second.units}) == 6
    assert engine.who_may_receive("H22", limit=0).next_page == 0
    assert error_of(lambda: engine.who_may_receive("H22", outcome="perhaps"))[1] == "$.outcome"
    assert error_of(lambda: engine.who_may_receive("H99"))[0] == "unit.not_found"


def test_a_closed_unit_names_its_successor() -> None:
    office = office_with()
    office.close_commune("H22.31.21", ["H22.31.20"])
    assert error_of(lambda: office.engine.who_may_send("H22.31.21"))[0] == "unit.closed"


def test_a_rule_tells_what_it_would_catch() -> None:
    engine = office_with().engine
    told = engine.rule_reach("no-health")
    assert (told.senders, told.pairs, told.rule.name) == (3, 3, "no-health")
    assert told.lines == (("commune people-committee", "province department", 3, 3),)
    line = engine.rule_reach("line")
    pairs = {f"{a.code} {b.code}" for a in UNITS for b in UNITS if a is not b and (
        b.code == "H22.1" or a.parent == b.number or b.code.startswith(a.code + ".")
    )}  # fmt: skip
    assert line.pairs == len(pairs)
    skipping = engine.rule_reach("no-skipping")
    assert skipping.lines == (
        ("commune people-committee", "province people-committee", 3, 3),
        ("commune people-committee", "province department", 3, 3),
    )
    assert engine.rule_reach("floor/receipt").pairs == 7 * 6


def test_a_rule_of_a_text_that_is_not_in_force_is_told_too() -> None:
    engine = Office().engine
    text = (HEAD + RULES).encode()
    assert engine.rule_reach("line", text).senders == 7
    assert error_of(lambda: engine.rule_reach("line"))[0] == "policy.rule_not_found"
