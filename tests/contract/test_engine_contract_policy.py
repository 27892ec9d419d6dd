"""The policy and its holds through every way to an engine, on every durability port.

Beside test_engine_contract.py, whose office this is.
"""

from __future__ import annotations

import pytest
from support.office import Office

from router import Problem
from router.errors import NotFoundError, PolicyError

COMMUNES = "tier(commune)"
HOLD = b"""format = 1
name = "t"
default = "allow"
[[rules]]
name = "ask"
recipients = "tier(commune)"
effect = { hold = { approvers = "parent(sender)", expires_working_days = 2 } }
[[tests]]
name = "communes wait"
sender = "H22.31"
recipients = "tier(commune)"
expect = "hold"
"""
FORBID = b"""format = 1
name = "nobody"
default = "forbid"
[[rules]]
name = "keep"
effect = { quarantine = true }
"""


def test_a_policy_is_checked_tried_activated_shown_and_rolled_back(office: Office) -> None:
    engine = office.engine
    assert not [one for one in engine.check_policy_text(HOLD).findings if one.severity == "error"]
    assert [one.passed for one in engine.test_policy_text(HOLD).tests] == [True]
    with pytest.raises(PolicyError):
        engine.activate_policy(b"format = 2", reason="thử")
    first = engine.activate_policy(HOLD, reason="thử")
    assert engine.policy_text(first.version) == HOLD
    assert engine.rule_reach("ask").rule.name == "ask"
    assert engine.policy_impact(FORBID, pairs=True).pairs > 0
    back = engine.rollback_policy(0, reason="sai phạm vi")
    assert [one.version for one in engine.policy_versions()] == [first.version, back.version]


def test_a_held_part_is_shown_explained_and_answered_once(office: Office) -> None:
    engine = office.engine
    engine.activate_policy(HOLD, reason="thử")
    receipt = office.send("H22.31", COMMUNES)
    (held,) = engine.holds().holds
    assert engine.hold(held.hold).hold == held.hold == f"{receipt.key}/1"
    assert engine.explain_policy(receipt.key).groups
    assert engine.explain_policy_unit(receipt.key, "H22.31.20").outcome == "held"
    assert engine.approve(held.hold, "H22", actor="lãnh đạo").state == "released"
    assert office.lease("H22.31.20")
    office.send("H22.31", COMMUNES)
    (held,) = engine.holds().holds
    assert engine.deny(held.hold, "H22", "sai thẩm quyền", actor="lãnh đạo").state == "denied"


def test_who_may_send_what_to_whom_is_answered(office: Office) -> None:
    engine = office.engine
    engine.activate_policy(HOLD, reason="thử")
    assert engine.who_may_receive("H22.31", outcome="hold").units
    assert engine.who_may_send("H22.31.20", outcome="hold").units


def test_a_refused_document_leaves_evidence_when_the_policy_says_so(office: Office) -> None:
    engine = office.engine
    engine.activate_policy(FORBID, reason="thử")
    (refused,) = office.submit(office.envelope(recipients="H22.31.20"))
    assert isinstance(refused, Problem)
    (kept,) = engine.quarantined()
    assert engine.evidence(kept.id).id == kept.id
    with pytest.raises(NotFoundError):
        engine.evidence(kept.id + 1)
