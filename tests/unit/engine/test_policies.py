"""Policies as versions: activated whole or not at all, kept for ever, taken back in one step."""

from __future__ import annotations

import hashlib
import random
import threading
from pathlib import Path

import pytest
from support.office import Office, error_of, received, refused
from support.shared import SharedOffice

from router import limits
from router.engine import Engine
from router.engine.policy_records import ROOM, parts_of, text_of
from router.engine.rights import wanted_of
from router.engine.state import encode_record
from router.errors import PolicyError, StorageError
from router.limits import POLICY_PART_BYTES_MAX
from router.model.policies import TestDocument
from router.queue import RoomRecord

OPEN = b'format = 1\nname = "open"\ndefault = "allow"\n'
CLOSED = (
    b'format = 1\nname = "closed"\ndefault = "forbid"\n'
    b'[[rules]]\nname = "up"\nrecipients = "parent(sender)"\neffect = { allow = true }\n'
)
FAILING = CLOSED + (
    b'[[tests]]\nname = "H22 may write to Dong Van"\nsender = "H22"\nrecipients = "H22.31"\n'
    b'expect = "allow"\n'
)


def activate(engine: Engine, text: bytes, reason: str = "QĐ 12") -> int:
    return engine.activate_policy(text, reason=reason, actor="Bà Lan").version


def test_an_activated_policy_decides_what_comes_next_and_its_version_is_in_the_receipt() -> None:
    office = Office()
    assert office.send("H22", "H22.31").policy_version == 0
    version = activate(office.engine, CLOSED)
    outcome = office.submit(office.envelope(sender="H22", recipients="H22.31"))[0]
    assert refused(outcome).code == "policy.nobody_left"
    assert office.send("H22.31", "H22").policy_version == version
    (shown,) = office.engine.policy_versions()
    assert (shown.version, shown.name, shown.active) == (version, "closed", True)
    assert (shown.actor, shown.reason, shown.rules) == ("Bà Lan", "QĐ 12", 1)
    assert office.engine.policy_text() == CLOSED


@pytest.mark.parametrize("where", ["memory", "disk"])
def test_what_is_in_force_is_so_after_a_restart(where: str, tmp_path: Path) -> None:
    office = Office(tmp_path / "data" if where == "disk" else None)
    first, second = activate(office.engine, OPEN), activate(office.engine, CLOSED)
    engine = office.reopen()
    assert engine.policy_text() == CLOSED
    assert engine.policy_text(first) == OPEN
    assert [one.version for one in engine.policy_versions()] == [first, second]
    assert office.send("H22.31", "H22").policy_version == second
    office.engine.close()


def test_a_policy_that_fails_its_tests_leaves_the_running_one() -> None:
    office = Office()
    version = activate(office.engine, OPEN)
    with pytest.raises(PolicyError) as caught:
        activate(office.engine, FAILING)
    assert caught.value.code == "policy.tests_failed"
    assert caught.value.facts["test"] == "H22 may write to Dong Van"
    assert office.send("H22", "H22.31").policy_version == version
    checked = office.engine.test_policy_text(FAILING)
    assert not checked.valid
    assert [one.passed for one in checked.tests] == [False]


def test_every_failing_test_is_named_with_its_line_up_to_twenty_and_all_are_counted() -> None:
    office = Office()
    test = FAILING[len(CLOSED) :]
    for count in (3, 23):
        names = [f"H22 may write, {number}" for number in range(count)]
        tests = [test.replace(b"H22 may write to Dong Van", name.encode()) for name in names]
        with pytest.raises(PolicyError) as caught:
            activate(office.engine, CLOSED + b"".join(tests))
        problems = caught.value.problems
        assert [dict(one.facts)["test"] for one in problems] == names[:20]
        assert [one.path for one in problems][:2] == ["tests[0]", "tests[1]"]
        lines = [one.line for one in problems]
        assert lines == sorted(set(lines))
        assert lines[0] > 0
        assert caught.value.facts["count"] == count


def test_a_text_that_is_no_policy_leaves_the_running_one() -> None:
    office = Office()
    with pytest.raises(PolicyError):
        activate(office.engine, b'format = 1\nname = "x"\nunknown = 1\n')
    assert office.engine.policy_versions() == []
    assert not office.engine.check_policy_text(b"= 1").valid


@pytest.mark.parametrize("reason", ["", "  ", "a\x1b[31m", "x" * 10_000])
def test_an_activation_says_why(reason: str) -> None:
    office = Office()
    assert error_of(lambda: activate(office.engine, OPEN, reason))[1] == "$.reason"
    assert office.engine.policy_versions() == []


def test_a_rollback_is_a_new_version_and_each_further_one_goes_a_step_back() -> None:
    office = Office()
    engine = office.engine
    first, second = activate(engine, OPEN), activate(engine, CLOSED)
    third = activate(engine, OPEN.replace(b"open", b"wide"))
    texts = {first: OPEN, second: CLOSED}
    for wanted in (second, first):
        back = engine.rollback_policy(reason="sai", actor="Bà Lan")
        assert back.version > third
        assert back.rolled_back_to == wanted
        assert engine.policy_text() == texts[wanted]
    assert engine.rollback_policy(reason="sai").rolled_back_to == 0
    assert engine.policy_text() == b""
    assert error_of(lambda: engine.rollback_policy(reason="sai"))[0] == "policy.none_before"
    named = engine.rollback_policy(third, reason="đúng")
    assert (named.rolled_back_to, named.name, named.active) == (third, "wide", True)
    assert office.reopen().policy_text().startswith(b'format = 1\nname = "wide"')
    assert error_of(lambda: office.engine.rollback_policy(99, reason="sai"))[0] == (
        "policy.not_found"
    )


def test_nothing_was_before_the_shipped_policy() -> None:
    office = Office()
    assert error_of(lambda: office.engine.rollback_policy(reason="sai"))[0] == "policy.none_before"
    assert error_of(lambda: office.engine.rollback_policy(0, reason="sai"))[0] == "policy.in_force"


def test_a_rollback_repeats_no_text() -> None:
    office = Office()
    engine = office.engine
    long = OPEN + b"# " + bytes(range(33, 127)) * 2_000 + b"\n"
    first = activate(engine, long)
    activate(engine, CLOSED)
    before = engine._queue.store.last
    engine.rollback_policy(first, reason="sai")
    assert engine._queue.store.last == before + 1
    assert engine.policy_text() == long


def test_a_text_of_several_parts_is_whole_again_or_refused() -> None:
    noise = random.Random(5).randbytes(3 * POLICY_PART_BYTES_MAX)
    parts = parts_of(noise)
    assert len(parts) > 3
    digest = hashlib.sha256(noise).digest()
    assert text_of(digest, parts) == noise
    with pytest.raises(StorageError):
        text_of(digest, parts[:-1])
    with pytest.raises(StorageError):
        text_of(digest, [parts[1], parts[0], *parts[2:]])


def test_two_activations_at_once_come_one_after_the_other_and_no_batch_mixes_them() -> None:
    office = Office()
    engine = office.engine
    texts = [OPEN.replace(b"open", b"n%d" % number) for number in range(8)]
    seen: list[set[int]] = []
    done = threading.Event()

    def send() -> None:
        while not done.is_set():
            batch = [office.envelope(sender="H22", recipients="H22.31") for _ in range(3)]
            seen.append({received(one).policy_version for one in office.submit(*batch)})

    sender = threading.Thread(target=send)
    sender.start()
    threads = [threading.Thread(target=activate, args=(engine, text)) for text in texts]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    done.set()
    sender.join()
    versions = engine.policy_versions()
    assert sorted(one.name for one in versions) == sorted(f"n{number}" for number in range(8))
    assert [one.active for one in versions] == [False] * 7 + [True]
    assert all(len(one) == 1 for one in seen)
    assert engine.policy_text().startswith(b'format = 1\nname = "%s"' % versions[-1].name.encode())


def test_changing_the_policy_takes_a_right_to_every_unit() -> None:
    office = Office()

    def seat(*rights: str) -> object:
        wanted = [wanted_of(right) for right in rights]
        token = office.engine.create_token(None, "Sở Nội vụ", operator=True, rights=wanted)
        return office.engine.seat(office.engine.authenticate(token))

    small, whole = seat("policy:subtree(H22.31)"), seat("policy:all")
    lan = {"reason": "QĐ 1", "actor": "Bà Lan"}
    assert error_of(lambda: small.activate_policy(OPEN, **lan))[0] == "right.missing"  # type: ignore[attr-defined]
    assert whole.activate_policy(OPEN, **lan).active  # type: ignore[attr-defined]
    assert error_of(lambda: whole.policy_impact(CLOSED))[0] == "right.missing"  # type: ignore[attr-defined]
    readers = seat("policy,read:all")
    assert readers.policy_impact(CLOSED).against  # type: ignore[attr-defined]
    commune = office.engine.seat(
        office.engine.authenticate(office.engine.create_token("H22.31.20", "văn thư"))
    )
    assert commune.who_may_receive("H22.31.20").allowed == 6
    assert error_of(lambda: commune.who_may_receive("H22"))[0] == "right.missing"
    assert error_of(commune.policy_versions)[0] == "right.missing"


def test_another_process_has_the_same_calls_and_every_mistake(tmp_path: Path) -> None:
    office = SharedOffice(tmp_path / "data")
    version = activate(office.engine, OPEN)
    with pytest.raises(PolicyError) as caught:
        activate(office.engine, b'format = 1\nname = "x"\nunknown = 1\n')
    assert caught.value.problems
    assert office.engine.policy_text(version) == OPEN
    assert office.engine.who_may_receive("H22", TestDocument(), limit=2).next_page == 1
    assert office.engine.test_policy_text(FAILING).tests[0].passed is False
    key = office.send("H22", "H22.31").key
    assert office.engine.explain_policy(key).policy_version == version
    seat = office.engine.seat(office.engine.authenticate(office.engine.create_token("H22", "v")))
    assert seat.explain_policy_unit(key, "H22.31").outcome == "allowed"
    assert seat.who_may_send("H22", limit=1).allowed == 6
    office.engine.close()
    assert office.owner is not None
    office.owner.close()


def test_a_mistake_about_the_directory_is_placed_and_leaves_the_running_policy() -> None:
    office = Office()
    text = OPEN + b'[[rules]]\nname = "a"\nrecipients = "H22.99"\neffect = { lane = "flash" }\n'
    checked = office.engine.check_policy_text(text)
    assert not checked.valid
    (found,) = [one for one in checked.findings if one.severity == "error"]
    assert (found.code, found.line, found.path) == ("recipient.unknown", 6, "rules[0].recipients")
    with pytest.raises(PolicyError) as caught:
        activate(office.engine, text)
    assert caught.value.code == "recipient.unknown"
    assert office.engine.policy_versions() == []


def test_a_doubt_is_told_and_does_not_keep_a_policy_from_being_activated() -> None:
    office = Office()
    text = OPEN + b'without_floor = "thu nghiem trong phong thi nghiem"\n'
    checked = office.engine.check_policy_text(text)
    assert checked.valid
    assert "policy.without_floor" in {one.code for one in checked.findings}
    activate(office.engine, text)
    (shown,) = office.engine.policy_versions()
    assert shown.without_floor


def test_rules_whose_sets_nobody_could_join_are_refused_and_the_running_policy_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office()
    rules = "".join(
        f'[[rules]]\nname = "r{number}"\nrecipients = "H22 | H22.31.20"\n'
        'effect = { forbid = "recipients" }\n'
        for number in range(8)
    )
    text = f'format = 1\nname = "t"\ndefault = "allow"\n{rules}'.encode()
    assert office.engine.check_policy_text(text).valid
    monkeypatch.setattr(limits, "POLICY_RUNS_MAX", 6)
    checked = office.engine.check_policy_text(text)
    (found,) = [one for one in checked.findings if one.severity == "error"]
    assert (checked.valid, found.code, found.path) == (False, "policy.too_complex", "rules[3]")
    with pytest.raises(PolicyError):
        office.engine.activate_policy(text, reason="thử")
    assert office.engine.policy_versions() == []


def test_a_doubt_about_the_first_line_is_placed_behind_a_mark_of_byte_order() -> None:
    text = (
        '\ufeffwithout_floor = "thử nghiệm trên máy không có người dùng"\n'
        'format = 1\nname = "t"\ndefault = "allow"\n'
    )
    findings = Office().engine.check_policy_text(text.encode()).findings
    assert [(one.code, one.line) for one in findings] == [("policy.without_floor", 1)]


def test_parts_of_an_activation_that_a_crash_cut_off_change_nothing() -> None:
    office = Office()
    noise = "".join(f"# {random.Random(line).getrandbits(16_000):x}\n" for line in range(400))
    text = OPEN + noise.encode()
    parts = parts_of(text)
    assert len(parts) == 2
    for left in (parts[:1], parts, parts[:1]):
        records = [RoomRecord(ROOM, encode_record(part), 1, 0, "Bà Lan") for part in left]
        office.engine._rooms.append(records)
    assert office.reopen().policy_versions() == []
    version = activate(office.engine, text)
    assert office.reopen().policy_text(version) == text
    office.engine.rollback_policy(0, reason="sai", actor="Bà Lan")
    again = activate(office.engine, text)
    assert office.reopen().policy_text(again) == office.engine.policy_text(version) == text
