"""Acceptance under a policy: what is stored, what the receipt says, what leaves nothing."""

from __future__ import annotations

from datetime import datetime

import msgspec
from support.office import HEALTH, NOW, PROVINCE, Office, at, place_of, received
from support.policies import in_force, without_years

from router.engine.facts import Facts, decode_facts
from router.model.documents import Urgency
from router.model.instants import VIETNAM_TIME, instant_of

COMMUNES = "tier(commune)"


def facts_of(office: Office, key: str) -> Facts:
    stored = office.engine._queue.document(bytes.fromhex(key))
    assert stored is not None
    return decode_facts(stored.facts)


def states(office: Office, key: str) -> dict[str, int]:
    return office.engine.track(key).states


def test_without_a_policy_everything_goes_and_the_floor_sets_the_deadline() -> None:
    office = Office()
    receipt = office.send(recipients="all")
    assert (receipt.addressed, receipt.effective) == (7, 7)
    assert (receipt.held, receipt.excluded, receipt.policy_version) == (0, 0, 0)
    assert receipt.deadline == "2024-09-05T00:00:00+07:00"
    facts = facts_of(office, receipt.key)
    assert facts.rules[:3] == ("floor/sender", "floor/signed", "floor/lane")
    assert "floor/receipt" in facts.rules
    assert facts.decision is not None
    assert facts.decision.signers == ((PROVINCE,),)
    (delivery, *_) = office.lease("H22.31")
    assert (delivery.deadline, delivery.for_information) == (receipt.deadline, False)


def test_what_the_rules_part_is_stored_in_parts_and_told() -> None:
    office = Office()
    version = in_force(
        office,
        'default = "allow"\n'
        '[[rules]]\nname = "no"\nrecipients = "H22.1"\neffect = { forbid = "recipients" }\n'
        f'[[rules]]\nname = "ask"\nrecipients = "{COMMUNES}"\n'
        'effect = { hold = { approvers = "H22", expires_working_days = 2 } }\n'
        '[[rules]]\nname = "copy"\nrecipients = "H22.31.20"\neffect = { add = "H22.32" }\n'
        '[[rules]]\nname = "keep"\neffect = { retention_years = 20, deadline_working_days = 3 }\n',
    )
    receipt = office.send("H22.31", "H22.31.20 | H22.31.21 | H22.1 | H22")
    assert (receipt.addressed, receipt.effective) == (4, 2)
    assert (receipt.held, receipt.excluded, receipt.retention_years) == (2, 1, 20)
    assert receipt.policy_version == version
    assert states(office, receipt.key) == {"queued": 2, "held": 2, "excluded": 1}
    assert office.lease("H22.32")
    assert not office.lease("H22.1")
    assert not office.lease("H22.31.20")
    kept = facts_of(office, receipt.key).decision
    assert kept is not None
    assert (kept.added, kept.excluded, [part.size for part in kept.held]) == (1, 1, [2])
    assert receipt.deadline == "2024-09-05T00:00:00+07:00"  # the floor's is earlier
    again = office.reopen().check()
    assert again == []


def test_a_document_that_is_held_whole_is_accepted_and_waits() -> None:
    office = Office()
    in_force(
        office,
        'default = "allow"\n[[rules]]\nname = "ask"\n'
        'effect = { hold = { approvers = "H22", expires_working_days = 1 } }\n',
    )
    receipt = office.send("H22.31", COMMUNES)
    assert (receipt.effective, receipt.held) == (0, 3)
    assert states(office, receipt.key) == {"held": 3}
    assert not office.lease("H22.31.20")
    assert office.reopen().check() == []


def test_a_refusal_by_policy_stores_nothing_and_costs_the_others_nothing() -> None:
    office = Office()
    in_force(
        office,
        'default = "forbid"\n[[rules]]\nname = "down"\nrecipients = "descendants(sender)"\n'
        "effect = { allow = true }\n",
    )
    before = office.stored()["documents"]
    up, down = office.submit(
        office.envelope(sender="H22.31", recipients="H22"),
        office.envelope(sender="H22.31", recipients=COMMUNES + " & descendants(H22.31)"),
    )
    assert place_of(up) == ("policy.nobody_left", "$.payload.recipients")
    assert received(down).effective == 2
    assert office.stored()["documents"] == before + 1


def test_an_unsigned_document_needs_a_rule_and_is_then_marked() -> None:
    office = Office()
    unsigned = office.envelope(office.document(document_type="Giấy mời"), signers=[])
    assert place_of(office.submit(unsigned)[0]) == ("signature.missing", "$.signatures")
    in_force(
        office,
        'default = "allow"\n[[rules]]\nname = "invitations"\n'
        'documents = { types = ["giấy mời"] }\neffect = { admit_unsigned = true }\n',
    )
    receipt = received(office.submit(unsigned)[0])
    assert receipt.for_information
    assert [one.for_information for one in office.lease("H22.1")] == [True]


def test_what_somebody_else_signed_is_refused_whatever_the_rules_are() -> None:
    office = Office()
    in_force(
        office,
        'default = "allow"\n[[rules]]\nname = "any"\neffect = { admit_unsigned = true }\n',
    )
    foreign = office.envelope(office.document(), signers=[office.signers["H22.31"]])
    assert place_of(office.submit(foreign)[0]) == ("sender.mismatch", "$.payload.sender")
    both = office.envelope(
        office.document(), signers=[office.signers["H22.1"], office.signers["H22"]]
    )
    kept = facts_of(office, received(office.submit(both)[0]).key).decision
    assert kept is not None
    assert kept.signers == ((HEALTH,), (PROVINCE,))


def test_lanes_can_be_raised_and_never_lowered() -> None:
    office = Office()
    in_force(
        office,
        'default = "allow"\n[[rules]]\nname = "a"\neffect = { lane = "urgent" }\n',
    )
    assert office.send().lane == "urgent"
    assert office.send(urgency=Urgency.FLASH).lane == "flash"


def test_late_sending_is_accepted_with_an_alert_and_stays_so_on_repeat() -> None:
    office = Office()
    on_time = office.send(issued_at=at(days=-5))  # a Friday; then 2 September with its weekend
    assert on_time.alerts == ()
    envelope = office.envelope(issued_at=at(days=-7))
    first, again = (received(office.submit(envelope)[0]) for _ in range(2))
    assert [alert.code for alert in first.alerts] == ["document.sent_late"]
    assert again.repeated
    assert again.alerts == first.alerts
    assert (again.deadline, again.held) == (first.deadline, 0)
    assert office.engine.track(first.key).alerts == first.alerts
    assert office.send().alerts == ()


def test_a_year_without_a_calendar_sets_no_deadline_and_says_so() -> None:
    office = Office()
    in_force(office, 'default = "allow"\n')
    without_years(office)
    receipt = office.send()
    assert receipt.deadline == ""
    assert [alert.code for alert in receipt.alerts] == ["calendar.year_missing"]
    in_force(
        office,
        'default = "allow"\n[[rules]]\nname = "d"\neffect = { deadline_working_days = 2 }\n',
    )
    without_years(office)
    assert place_of(office.submit(office.envelope())[0])[0] == "calendar.year_missing"


def test_whether_it_was_within_hours_is_kept_when_a_rule_asks() -> None:
    office = Office()
    rule = 'default = "allow"\n[[rules]]\nname = "h"\nwhen = { hours = "outside" }\n'
    in_force(office, rule + "effect = { retention_years = 5 }\n")
    receipt = office.send()
    assert receipt.retention_years == 0
    kept = facts_of(office, receipt.key).decision
    assert kept is not None
    assert kept.working_hours is True
    office.clock.advance((datetime(2024, 9, 4, 18, tzinfo=VIETNAM_TIME) - NOW).total_seconds())
    assert office.send().retention_years == 5


def test_a_batch_over_two_snapshots_is_decided_in_each_documents_own() -> None:
    office = Office()
    in_force(
        office,
        'default = "allow"\n[[rules]]\nname = "x"\nrecipients = "siblings(H22.31.20)"\n'
        'effect = { forbid = "recipients" }\n',
    )
    before = datetime(2024, 9, 3, 9, tzinfo=VIETNAM_TIME)
    office.engine.close_unit("H22.31.21", instant_of(at(hours=-1)), (), actor="sổ")
    old, new = office.submit(
        office.envelope(recipients=COMMUNES, issued_at=before),
        office.envelope(recipients=COMMUNES),
    )
    assert (received(old).effective, received(old).excluded) == (2, 1)
    assert (received(new).effective, received(new).excluded) == (2, 0)
    assert received(old).snapshot != received(new).snapshot


def test_facts_that_were_kept_before_policies_read_as_they_were() -> None:
    office = Office()
    stored = office.engine._queue.document(bytes.fromhex(office.send().key))
    assert stored is not None
    old = msgspec.msgpack.encode(msgspec.msgpack.decode(stored.facts)[:19])
    read = decode_facts(old)
    assert read.decision is None
    receipt = read.receipt(bytes(16), 1, repeated=True)
    assert (receipt.deadline, receipt.held, receipt.excluded) == ("", 0, 0)


def test_full_recipients_are_left_out_beside_held_ones() -> None:
    office = Office()
    in_force(
        office,
        f'default = "allow"\n[[rules]]\nname = "ask"\nrecipients = "{COMMUNES}"\n'
        'effect = { hold = { approvers = "H22", expires_working_days = 1 } }\n',
    )
    office.engine._queue.store.pending_max = 1
    office.send(recipients="H22.31")
    receipt = office.send(recipients="H22.31 | H22.31.20", on_bad_recipient="skip")
    assert (receipt.skipped, receipt.effective, receipt.held) == (("H22.31",), 0, 1)


def test_an_activated_policy_brings_its_hours_and_its_years() -> None:
    office = Office()
    text = (
        'format = 1\nname = "Giờ riêng"\ndefault = "allow"\n'
        '[calendar]\nhours = ["13:00-17:00"]\n[calendar.years.2024]\ndays_off = [2024-09-05]\n'
        '[[rules]]\nname = "h"\nwhen = { hours = "outside" }\n'
        "effect = { retention_years = 5, deadline_working_days = 1 }\n"
    )
    office.engine.activate_policy(text.encode(), actor="quản trị", reason="thử")
    receipt = office.send()  # at ten in the morning, the day before one that is off
    assert receipt.retention_years == 5
    assert office.send().held == 0
    calendar = office.engine._rooms.policies.in_force.calendar
    assert not calendar.is_working_day(at(days=1).date())
