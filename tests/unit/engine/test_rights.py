"""A right is a selector and a set of actions: it lets do that, there, from then on, no more."""

from __future__ import annotations

import pytest
from support.office import (
    DONG_VAN,
    HEALTH,
    LUNG_CU,
    MA_LE,
    MEO_VAC,
    NOW_US,
    PA_VI,
    PROVINCE,
    Office,
    error_of,
)

from router.engine import Engine
from router.engine.rights import wanted_of
from router.engine.seat import Seat
from router.errors import VanbanError
from router.model.answers import Principal
from router.model.instants import SECOND_US
from router.model.reorganisations import (
    Changing,
    Closing,
    Correction,
    Fix,
    GroupDefined,
    Merging,
    Opening,
    Reorganisation,
    Splitting,
)
from router.model.rights import RightWanted
from router.model.units import Unit

LATER = NOW_US + 60 * SECOND_US
NOT_YOURS = ("document.not_found", "")
FORBIDDEN = ("right.missing", "")


def limited(office: Office, *rights: str) -> Seat:
    """Return the seat of an operator whose token has these rights."""
    wanted = [wanted_of(right) for right in rights]
    token = office.engine.create_token(None, "Sở Nội vụ", operator=True, rights=wanted)
    return office.engine.seat(office.engine.authenticate(token))


def grant(office: Office, unit: str, actions: str, selector: str, **options: int) -> int:
    right = office.engine.grant_right(
        unit, actions, selector, reason="QĐ 12", actor="Bà Lan", **options
    )
    return right.id


def renamed(unit: str, at_us: int = LATER) -> Reorganisation:
    return Reorganisation(at_us, "NQ 1", (Changing(unit, name="UBND đổi tên"),))


# Who has a right.


def test_an_operator_without_rights_of_its_own_may_everything() -> None:
    office = Office()
    token = office.engine.create_token(None, "quản trị", operator=True)
    seat = office.engine.seat(office.engine.authenticate(token))
    key = office.send("H22.31.20", recipients="H22").key
    assert seat.track(key).recipients == 1
    assert seat.resolve("all").size == 7
    seat.change_directory(renamed("H22.31"), actor="x")
    assert seat.create_token("H22", "x", actor="x")
    assert seat.tokens()
    assert seat.grant_right("H22", wanted_of("read:all"), reason="x", actor="x").id


def test_a_limited_operator_may_only_what_its_rights_say() -> None:
    office = Office()
    seat = limited(office, "read:subtree(H22.31)")
    within = office.send("H22.31.20", recipients="H22").key
    beyond = office.send("H22.32.20", recipients="H22.31.20").key
    assert seat.track(within).sender == "H22.31.20"
    assert seat.explain(within, "H22").receives
    assert error_of(lambda: seat.track(beyond)) == NOT_YOURS
    assert seat.explain(beyond, "H22.31.20").receives, "a recipient's, so it may ask about that"
    assert error_of(lambda: seat.explain(beyond, "H22")) == NOT_YOURS
    for act in (
        lambda: seat.resolve("all"),
        lambda: seat.resolve("H22.31.20"),
        lambda: seat.change_directory(renamed("H22.31.20"), actor="x"),
        lambda: seat.create_token("H22.31.20", "x", actor="x"),
        lambda: seat.create_token(None, "x", operator=True, actor="x"),
        lambda: seat.trust_issuer(b"", actor="x"),
        lambda: seat.bind("H22.31.20", b"", 0, actor="x"),
        lambda: seat.grant_right("H22", wanted_of("read:all"), reason="x", actor="x"),
        lambda: seat.revoke_right(1, actor="x"),
    ):
        assert error_of(act) == FORBIDDEN
    assert seat.tokens() == []
    assert [right.selector for right in seat.rights()] == ["subtree(H22.31)"]


def test_a_token_whose_rights_have_ended_may_nothing_rather_than_everything() -> None:
    office = Office()
    seat = limited(office, "read:subtree(H22.31)")
    key = office.send("H22.31.20", recipients="H22").key
    seat.track(key)
    (right,) = office.engine.rights()
    office.engine.revoke_right(right.id, actor="Bà Lan")
    assert error_of(lambda: seat.track(key)) == NOT_YOURS
    assert error_of(lambda: seat.resolve("H22")) == FORBIDDEN
    office.reopen()
    (principal,) = office.engine.tokens()
    assert principal.limited
    assert error_of(lambda: office.engine.seat(principal).track(key)) == NOT_YOURS


def test_a_grant_opens_others_documents_from_then_until_it_is_revoked() -> None:
    office = Office()
    key = office.send("H22.32.20", recipients="H22").key
    assert error_of(lambda: office.engine.track(key, unit="H22.31")) == NOT_YOURS
    number = grant(office, "H22.31", "read", "H22.32.20")
    assert office.engine.track(key, unit="H22.31").sender == "H22.32.20"
    assert error_of(lambda: office.engine.track(key, unit="H22.1")) == NOT_YOURS
    (right,) = office.engine.rights()
    assert (right.id, right.code, right.actor, right.reason) == (
        number, "H22.31", "Bà Lan", "QĐ 12",
    )  # fmt: skip
    office.reopen()
    assert office.engine.rights() == [right]
    assert office.engine.track(key, unit="H22.31")
    office.engine.revoke_right(number, actor="Bà Lan")
    assert error_of(lambda: office.engine.track(key, unit="H22.31")) == NOT_YOURS
    assert error_of(lambda: office.engine.revoke_right(number)) == ("right.not_found", "")
    office.reopen()
    assert office.engine.rights() == []


def test_a_right_holds_from_its_beginning_up_to_its_end() -> None:
    office = Office()
    key = office.send("H22.32.20", recipients="H22").key
    grant(office, "H22.31", "read", "H22.32.20", since=LATER, until=LATER + SECOND_US)
    assert error_of(lambda: office.engine.track(key, unit="H22.31")) == NOT_YOURS
    office.clock.advance(60)
    assert office.engine.track(key, unit="H22.31")
    office.clock.advance(1)
    assert error_of(lambda: office.engine.track(key, unit="H22.31")) == NOT_YOURS


def test_a_token_may_have_rights_that_its_unit_has_not() -> None:
    office = Office()
    key = office.send("H22.32.20", recipients="H22").key
    tokens = [office.engine.create_token("H22.31", name) for name in ("a", "b")]
    first, second = (office.engine.authenticate(token) for token in tokens)
    office.engine.grant_right(first.token, "read", "H22.32.20", token=True, reason="x")
    assert office.engine.seat(first).track(key)
    assert error_of(lambda: office.engine.seat(second).track(key)) == NOT_YOURS


def test_the_sender_of_a_units_right_is_the_unit() -> None:
    office = Office()
    key = office.send("H22.31.20", recipients="H22").key
    grant(office, "H22.31", "read", "subtree(sender)")
    assert office.engine.track(key, unit="H22.31")


# What is refused when it is granted.


@pytest.mark.parametrize(
    ("actions", "selector", "said"),
    [
        ("read", "H99.1", ("recipient.unknown", "selector")),
        ("read", "H22 &", ("selector.syntax", "selector")),
        ("read", "H22.31 & H22.32", ("audience.empty", "selector")),
        ("read", "H22 @ 2031-01-01", ("selector.future", "selector")),
        ("read", "descendants(H22.1)", ("audience.empty", "selector")),
        ("write", "H22", ("right.invalid", "actions")),
        ("", "H22", ("right.invalid", "actions")),
    ],
)
def test_a_bad_or_empty_right_is_refused_and_leaves_nothing(
    actions: str, selector: str, said: tuple[str, str]
) -> None:
    office = Office()
    rooms = office.stored()["rooms"]
    assert error_of(lambda: grant(office, "H22.31", actions, selector)) == said
    assert office.engine.rights() == []
    assert office.stored()["rooms"] == rooms


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"reason": "  "}, "reason"),
        ({"reason": "x" * 1_001}, "reason"),
        ({"reason": "x", "since": -1}, "since"),
        ({"reason": "x", "until": NOW_US}, "until"),
        ({"reason": "x", "since": LATER, "until": LATER}, "until"),
    ],
)
def test_a_right_needs_a_reason_and_a_time(options: dict[str, object], path: str) -> None:
    office = Office()
    code = error_of(lambda: office.engine.grant_right("H22", "read", "H22.31", **options))  # type: ignore[arg-type]
    assert code == ("right.invalid", path)


def test_who_may_everything_is_not_given_a_right() -> None:
    office = Office()
    token = office.engine.create_token(None, "quản trị", operator=True)
    number = office.engine.authenticate(token).token
    act = lambda: office.engine.grant_right(number, "read", "H22", token=True, reason="x")  # noqa: E731
    assert error_of(act) == ("right.invalid", "holder")
    missing = lambda: office.engine.grant_right("00", "read", "H22", token=True, reason="x")  # noqa: E731
    assert error_of(missing) == ("token.not_found", "")


def test_a_token_with_a_bad_right_is_not_made() -> None:
    office = Office()
    assert error_of(lambda: limited(office, "read:H22", "read:H99.9"))[0] == "recipient.unknown"
    assert office.engine.tokens() == []
    assert office.engine.rights() == []
    unit = lambda: office.engine.create_token("H22", "x", rights=[wanted_of("read:H22")])  # noqa: E731
    assert error_of(unit) == ("right.invalid", "rights")


@pytest.mark.parametrize("text", ["", "read", ":H22", "read:", "reed:H22", ",:H22"])
def test_what_is_no_right_is_refused(text: str) -> None:
    with pytest.raises(VanbanError) as raised:
        wanted_of(text)
    assert raised.value.code == "right.invalid"


def test_the_actions_of_a_right_are_put_in_order() -> None:
    assert wanted_of("read, directory:H22 | GSO:02") == RightWanted(
        ("read", "directory"), "H22 | GSO:02"
    )


# The directory of the day.


def test_a_right_follows_its_selector_through_a_move() -> None:
    office = Office()
    seat = limited(office, "read:subtree(H22.31)")
    key = office.send("H22.32.20", recipients="H22").key
    assert error_of(lambda: seat.track(key)) == NOT_YOURS
    move = Reorganisation(LATER, "NQ 2", (Changing("H22.32.20", parent="H22.31"),))
    office.engine.change_directory(move)
    assert error_of(lambda: seat.track(key)) == NOT_YOURS
    office.clock.advance(61)
    assert seat.track(key).sender == "H22.32.20"


def test_a_right_whose_selector_came_to_fail_grants_nothing() -> None:
    office = Office()
    seat = limited(office, "read:children(H22.32) | H22.32")
    key = office.send("H22.32.20", recipients="H22").key
    seat.track(key)
    merge = Reorganisation(LATER, "NQ 3", (Merging(("H22.32", "H22.32.20"), "H22.31"),))
    office.engine.change_directory(merge)
    office.clock.advance(61)
    assert error_of(lambda: seat.track(key)) == NOT_YOURS, "children(…) names a closed unit"


def test_a_right_covers_the_past_of_units_that_were_merged_into_its_own() -> None:
    office = Office()
    seat = limited(office, "read:subtree(H22.31)")
    key = office.send("H22.32.20", recipients="H22").key
    office.close_commune("H22.32.20", ["H22.31.20"])
    assert seat.track(key).sender == "H22.32.20"


def test_the_past_is_named_by_an_instant_or_by_the_closed_code() -> None:
    office = Office()
    key = office.send("H22.31.20", recipients="H22").key
    office.close_commune("H22.31.20", [])
    seats = [limited(office, f"read:{selector}") for selector in (
        "H22.31.20", "H22.32 | H22.31.20", "children(H22.31) @ 2024-09-01", "all @ 2024-09-01",
    )]  # fmt: skip
    for seat in seats:
        assert seat.track(key).sender == "H22.31.20"
    assert error_of(lambda: limited(office, "read:subtree(H22.31.20)"))[0] == "recipient.closed"
    assert error_of(lambda: limited(office, "read:all").track(key)) == NOT_YOURS


# Acts.


def test_whom_a_selector_means_is_told_within_the_right() -> None:
    office = Office()
    seat = limited(office, "resolve:subtree(H22.31)")
    assert seat.resolve("descendants(H22.31)").size == 2
    assert seat.resolve("H22.31.20", explain="H22.31.21").size == 1
    for selector, options in (
        ("all", {}), ("H22.32.20", {}), ("all - H22", {}), ("H22.31.20", {"sender": "H22.32"}),
        ("H22.31.20", {"explain": "H22.32"}),
    ):  # fmt: skip
        assert error_of(lambda s=selector, o=options: seat.resolve(s, **o))[0] in (
            "right.missing", "unit.not_found",
        )  # fmt: skip
    assert error_of(lambda: seat.resolve("H99.9"))[0] == "recipient.unknown"
    assert seat.unit("H22.31.20").number == LUNG_CU
    assert error_of(lambda: seat.unit("H22.32")) == ("unit.not_found", "")
    unit = office.engine.seat(Principal("", "", HEALTH, "H22.1"))
    assert unit.resolve("all").size == 7, "a sender asks about everybody"
    assert unit.unit("H22.32").number == MEO_VAC


def test_the_past_of_a_unit_is_told_to_whom_may_read_it() -> None:
    office = Office()
    office.close_commune("H22.31.20", ["H22.31.21"])
    seats = {
        "limited": limited(office, "read:subtree(H22.31)"),
        "successor": office.engine.seat(Principal("", "", MA_LE, "H22.31.21")),
    }
    for seat in seats.values():
        assert len(seat.history("H22.31.20")) == 2
        assert error_of(lambda one=seat: one.history("H22.32")) == ("unit.not_found", "")
    resolver = limited(office, "resolve:all")
    assert error_of(lambda: resolver.history("H22.31.20")) == ("unit.not_found", "")


def test_a_unit_that_never_was_is_covered_by_nobody() -> None:
    office = Office()
    office.engine.create_token("H22.31.20", "văn thư")
    office.engine.change_directory(Correction("sửa", fixes=(Fix(LUNG_CU, withdrawn=True),)))
    assert limited(office, "token:subtree(H22.31)").tokens() == []
    assert len(office.engine.tokens()) == 2


def within_and_beyond() -> dict[str, tuple[object, bool]]:
    commune = Unit(90, "H22.31.29", "UBND xã mới", 4, "people-committee", valid_from=LATER)
    stray = Unit(91, "H22.32.29", "UBND xã mới", 4, "people-committee", valid_from=LATER)

    def at(*events: object) -> Reorganisation:
        return Reorganisation(LATER, "NQ", events)  # type: ignore[arg-type]

    return {
        "rename within": (at(Changing("H22.31.20", name="Khác")), True),
        "rename beyond": (at(Changing("H22.32.20", name="Khác")), False),
        "rename both": (
            at(Changing("H22.31.20", name="A"), Changing("H22.32.20", name="B")), False,
        ),
        "open within": (at(Opening(commune, parent="H22.31")), True),
        "open beyond": (at(Opening(stray, parent="H22.32")), False),
        "move out": (at(Changing("H22.31.20", parent="H22.32")), False),
        "move in": (at(Changing("H22.32.20", parent="H22.31")), False),
        "merge within": (at(Merging(("H22.31.20",), "H22.31.21")), True),
        "merge into another's": (at(Merging(("H22.31.20",), "H22.32.20")), False),
        "split to another's": (at(Splitting("H22.31.20", ("H22.31.21", "H22.32.20"))), False),
        "close": (at(Closing("H22.31.20")), True),
        "fix within": (Correction("sửa", fixes=(Fix(LUNG_CU, name="Khác"),)), True),
        "fix beyond": (Correction("sửa", fixes=(Fix(PA_VI, name="Khác"),)), False),
        "group": (GroupDefined("các xã", "children(H22.31)"), False),
    }  # fmt: skip


@pytest.mark.parametrize("name", within_and_beyond())
def test_the_directory_changes_within_the_right_and_not_beyond(name: str) -> None:
    change, allowed = within_and_beyond()[name]
    office = Office()
    seat = limited(office, "directory:subtree(H22.31)")
    before = office.engine.directory_changes()
    if allowed:
        seat.change_directory(change, actor="Bà Lan")  # type: ignore[arg-type]
        assert len(office.engine.directory_changes()) == len(before) + 1
    else:
        assert error_of(lambda: seat.change_directory(change, actor="x")) == FORBIDDEN  # type: ignore[arg-type]
        assert office.engine.directory_changes() == before


def test_closing_and_importing_ask_for_the_right_too() -> None:
    office = Office()
    seat = limited(office, "directory:subtree(H22.31)")
    unit = Unit(90, "H22.31.29", "UBND xã mới", 4, "people-committee", DONG_VAN, valid_from=NOW_US)
    stray = Unit(91, "H22.32.29", "UBND xã mới", 4, "people-committee", MEO_VAC, valid_from=NOW_US)
    assert error_of(lambda: seat.import_units([unit, stray], actor="x")) == FORBIDDEN
    assert error_of(lambda: seat.close_unit("H22.32.20", LATER, actor="x")) == FORBIDDEN
    assert error_of(lambda: seat.close_unit("H22.31.20", LATER, ["H22.32"], actor="x")) == FORBIDDEN
    seat.import_units([unit], actor="x")
    seat.close_unit("H22.31.20", LATER, ["H22.31.21"], actor="x")
    assert office.engine.unit("H22.31.20").successors == (MA_LE,)


def test_groups_are_defined_of_units_within_the_right() -> None:
    office = Office()
    seat = limited(office, "group:subtree(H22.31)")
    seat.change_directory(GroupDefined("các xã", "children(H22.31)"), actor="x")
    wide = GroupDefined("các xã", "tier(commune)")
    assert error_of(lambda: seat.change_directory(wide, actor="x")) == FORBIDDEN
    office.engine.change_directory(wide)
    narrow = GroupDefined("các xã", "H22.31.20")
    assert error_of(lambda: seat.change_directory(narrow, actor="x")) == FORBIDDEN, (
        "what it meant so far was beyond the right"
    )
    assert error_of(lambda: seat.change_directory(renamed("H22.31"), actor="x")) == FORBIDDEN


def test_tokens_are_made_seen_and_ended_within_the_right() -> None:
    office = Office()
    seat = limited(office, "token:subtree(H22.31)")
    made = seat.create_token("H22.31.20", "văn thư", actor="x")
    office.engine.create_token("H22.32", "văn thư")
    (seen,) = seat.tokens()
    assert seen.unit == LUNG_CU
    other = next(one.token for one in office.engine.tokens() if one.unit == MEO_VAC)
    assert error_of(lambda: seat.revoke_token(other, actor="x")) == ("token.not_found", "")
    assert error_of(lambda: seat.create_token("H22", "x", actor="x")) == FORBIDDEN
    seat.revoke_token(seen.token, actor="x")
    assert error_of(lambda: office.engine.authenticate(made))[0] == "token.invalid"


def test_certificates_are_bound_within_the_right() -> None:
    office = Office()
    seat = limited(office, "trust:subtree(H22.31)")
    certificate = office.signers["H22.31.20"].certificate_der
    seat.bind("H22.31", certificate, 0, actor="x")
    assert error_of(lambda: seat.bind("H22.32", certificate, 0, actor="x")) == FORBIDDEN


def test_grants_and_denials_leave_a_line_with_the_actor(caplog: pytest.LogCaptureFixture) -> None:
    office = Office()
    with caplog.at_level("INFO", logger="router.audit"):
        number = grant(office, "H22.31", "read", "H22.32")
        seat = limited(office, "read:H22")
        error_of(lambda: seat.resolve("all"))
        office.engine.revoke_right(number, actor="Ông Minh")
    lines = [record.getMessage() for record in caplog.records]
    assert any("granted" in line and "Bà Lan" in line for line in lines)
    assert any("denied action=resolve" in line for line in lines)
    assert any("revoked" in line and "Ông Minh" in line for line in lines)
    assert error_of(lambda: office.engine.revoke_right(1, actor=" "))[0] == "actor.invalid"


def test_a_right_of_a_closed_unit_is_not_its_successors() -> None:
    office = Office()
    key = office.send("H22.32", recipients="H22").key
    grant(office, "H22.31.20", "read", "H22.32")
    assert office.engine.track(key, unit="H22.31.20")
    office.close_commune("H22.31.20", ["H22.31.21"])
    assert error_of(lambda: office.engine.track(key, unit="H22.31.20")) == NOT_YOURS
    assert error_of(lambda: office.engine.track(key, unit="H22.31.21")) == NOT_YOURS


def test_the_rights_of_one_holder_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office()
    monkeypatch.setattr("router.limits.RIGHTS_PER_HOLDER_MAX", 2)
    for _ in range(2):
        grant(office, "H22.31", "read", "H22")
    assert error_of(lambda: grant(office, "H22.31", "read", "H22")) == ("right.invalid", "holder")
    grant(office, "H22.32", "read", "H22")


def test_embedding_needs_no_principal() -> None:
    office = Office()
    assert isinstance(office.engine, Engine)
    key = office.send("H22.31.20", recipients="H22").key
    assert office.engine.track(key).recipients == 1
    assert office.engine.seat(None).track(key).recipients == 1
    assert office.engine.seat(None).unit("H22").number == PROVINCE


def test_the_rights_of_a_unit_end_with_it_though_no_successor_is_known() -> None:
    office = Office()
    grant(office, "H22.32.20", "read,directory", "all")
    token = office.engine.create_token("H22.32.20", "văn thư")
    seat = office.engine.seat(office.engine.authenticate(token))
    others = office.send("H22.31.20", recipients="H22").key
    own = office.send("H22.32.20", recipients="H22").key
    assert seat.track(others).recipients == 1
    now_us = office.engine.now_us()
    office.engine.change_directory(Reorganisation(now_us, "NQ 1", (Closing("H22.32.20"),)))
    assert error_of(lambda: seat.track(others)) == NOT_YOURS
    assert error_of(lambda: seat.change_directory(renamed("H22.31"), actor="x")) == FORBIDDEN
    assert seat.track(own).recipients == 1, "its own documents stay its own"


def test_nobody_tells_of_a_unit_of_the_past_that_was_not_his() -> None:
    office = Office()
    seat = limited(office, "directory:subtree(H22.31)")
    district, began = office.engine.unit("H22.31").number, office.engine.unit("H22.31").valid_from

    def known_later(code: str, parent: int | None) -> Correction:
        ended = began + SECOND_US
        unit = Unit(
            0, code, "UBND xã cũ", 4, "people-committee", parent, valid_from=began, valid_to=ended
        )
        return Correction("Đính chính", (unit,))

    for parent in (None, office.engine.unit("H22.32").number):
        foreign = known_later("H78", parent)
        assert error_of(lambda one=foreign: seat.change_directory(one, actor="x")) == FORBIDDEN
    assert seat.change_directory(known_later("H22.31.98", district), actor="x").records == 1
