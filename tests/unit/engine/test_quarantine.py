"""Refusals by policy that leave evidence: whole, bounded, never of state secrets."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from support.office import SECRET_SUBJECT, Office, bytes_on_disk, error_of, place_of
from support.policies import in_force

from router import limits

RULES = (
    'default = "allow"\n[[rules]]\nname = "no"\nrecipients = "H22.1"\n'
    'effect = { forbid = "document", quarantine = true, reason = "thử" }\n'
)


def test_a_refusal_by_policy_leaves_the_envelope_as_it_came() -> None:
    office = Office()
    version = in_force(office, RULES)
    before = office.stored()["documents"]
    envelope = office.envelope(recipients="H22.1")
    assert place_of(office.submit(envelope)[0])[0] == "policy.forbidden"
    (kept,) = office.engine.quarantined()
    assert (kept.code, kept.rule, kept.policy_version) == ("policy.forbidden", "no", version)
    assert (kept.sender, kept.envelope) == ("H22", envelope)
    assert office.stored()["documents"] == before
    office.reopen()
    assert office.engine.quarantined()[0].envelope == envelope
    assert office.engine.quarantined(after=kept.id) == ()
    assert office.engine.check() == []
    assert error_of(lambda: office.engine.quarantined(limit=0))[0] == "field.invalid"


def test_without_the_effect_a_refusal_leaves_nothing(tmp_path: Path) -> None:
    office = Office(tmp_path / "data")
    in_force(office, RULES.replace(", quarantine = true", ""))
    assert place_of(office.submit(office.envelope(recipients="H22.1"))[0])[0] == "policy.forbidden"
    assert office.engine.quarantined() == ()
    office.engine.close()
    assert SECRET_SUBJECT.encode() not in bytes_on_disk(tmp_path / "data")


def test_a_state_secret_leaves_nothing_whatever_the_policy_says(tmp_path: Path) -> None:
    office = Office(tmp_path / "data")
    in_force(
        office,
        RULES.replace(
            'default = "allow"',
            'default = "allow"\nwithout_floor = "chỉ để thử nghiệm trong bộ kiểm thử"',
        ),
    )
    secret = office.envelope(recipients="H22.1", marks=("Mật",))
    assert place_of(office.submit(secret)[0])[0] == "document.secret"
    assert office.engine.quarantined() == ()
    office.engine.close()
    assert SECRET_SUBJECT.encode() not in bytes_on_disk(tmp_path / "data")


def test_what_does_not_fit_leaves_a_line_in_the_audit_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    office = Office()
    in_force(office, RULES)
    monkeypatch.setattr(limits, "QUARANTINE_MAX", 1)
    small = [office.envelope(recipients="H22.1") for _ in range(2)]
    with caplog.at_level(logging.INFO, logger="router.audit"):
        office.submit(*small)
        monkeypatch.setattr(limits, "QUARANTINE_BYTES_MAX", 10)
        office.submit(office.envelope(recipients="H22.1"))
    said = [line.split("quarantine=")[1] for line in caplog.messages if "quarantine=" in line]
    assert said == ["kept", "full", "too_large"]
    assert len(office.engine.quarantined()) == 1
    office.reopen()
    in_force(office, RULES)
    office.submit(office.envelope(recipients="H22.1"))
    assert len(office.engine.quarantined()) == 1, "the bound holds over a restart"
