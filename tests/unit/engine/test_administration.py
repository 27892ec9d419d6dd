"""Directory, trust and tokens: each change is a record, and a failed flush ends everything."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.office import (
    COMMITTEE,
    NOW_US,
    OPENED_US,
    PROVINCE,
    Office,
    bytes_on_disk,
    error_of,
    place_of,
    received,
)
from support.pki import pki

from router.engine import Engine
from router.errors import AuthenticationError, ClosedError, StorageError
from router.limits import TOKEN_NAME_CHARS_MAX
from router.model.answers import Problem
from router.model.instants import INSTANT_MAX, SECOND_US
from router.model.units import Unit
from router.queue.memory_store import Trouble

COMMUNE, OTHER = "H22.31.20", "H22.31.21"


def new_unit(number: int, code: str, **changes: Any) -> Unit:
    unit = Unit(number, code, f"Cơ quan {number}", 3, COMMITTEE, parent=PROVINCE)
    return msgspec.structs.replace(unit, valid_from=OPENED_US, **changes)


# Tokens.


def test_a_token_stands_for_its_unit_or_an_operator() -> None:
    office = Office()
    engine = office.engine
    token = engine.create_token("H22", "Văn thư tỉnh", actor="Lan")
    principal = engine.authenticate(token)
    assert (principal.unit, principal.code, principal.name) == (1, "H22", "Văn thư tỉnh")
    assert not principal.operator
    operator = engine.authenticate(engine.create_token(None, "Quản trị", operator=True))
    assert operator.operator
    assert operator.unit is None
    office.reopen()
    assert office.engine.authenticate(token) == principal
    assert office.engine.tokens() == [principal, operator]


def test_wrong_revoked_and_expired_tokens_are_told_apart_by_nobody() -> None:
    office = Office()
    engine = office.engine
    token = engine.create_token("H22", "a")
    other = engine.create_token("H22.31", "b")
    brief = engine.create_token("H22", "c", expires_at=NOW_US + SECOND_US)
    prefix, token_id, secret = token.split(".")
    bad = [
        "", ".", "..", "vb1", "vb1..", f"vb2.{token_id}.{secret}", f"vb1.{token_id}.",
        f"vb1.{token_id}.{other.split('.')[2]}", f"vb1.{token_id}.{secret[:-1]}",
        f"{token}=", f"{token} ", f" {token}", token.upper(), "vb1.nobody." + secret,
        "\ud800", "vb1.\x00.é", "x" * 100_000, f"vb1.{token_id}.{secret}\ud800",
    ]  # fmt: skip
    assert prefix == "vb1"
    for one in bad:
        with pytest.raises(AuthenticationError) as caught:
            engine.authenticate(one)
        assert (caught.value.code, caught.value.facts) == ("token.invalid", {})
    assert engine.authenticate(brief).name == "c"
    office.clock.advance(1)
    assert error_of(lambda: engine.authenticate(brief))[0] == "token.invalid"
    engine.revoke_token(engine.authenticate(token).token, actor="Lan")
    assert error_of(lambda: engine.authenticate(token))[0] == "token.invalid"
    assert error_of(lambda: engine.revoke_token(token_id))[0] == "token.not_found"
    assert error_of(lambda: office.reopen().authenticate(token))[0] == "token.invalid"
    assert office.engine.authenticate(other).code == "H22.31"


def test_a_tokens_secret_is_in_no_principal_and_not_on_the_disk(tmp_path: Path) -> None:
    office = Office(tmp_path / "data")
    token = office.engine.create_token("H22", "Văn thư")
    secret = token.split(".")[2]
    assert len(secret) >= 43
    principal = office.engine.authenticate(token)
    assert secret not in repr(principal)
    assert secret not in repr(office.engine.tokens())
    with pytest.raises(AuthenticationError) as caught:
        office.engine.authenticate(token + "x")
    assert secret not in f"{caught.value!r}"
    office.engine.close()
    stored = bytes_on_disk(tmp_path / "data")
    assert secret.encode() not in stored
    assert principal.token.encode() in stored


def test_bad_token_requests_are_refused() -> None:
    create = Office().engine.create_token
    assert error_of(lambda: create("H99", "a"))[0] == "unit.not_found"
    assert error_of(lambda: create("H22", ""))[0] == "actor.invalid"
    assert error_of(lambda: create("H22", "a" * (TOKEN_NAME_CHARS_MAX + 1)))[0] == "actor.invalid"
    assert error_of(lambda: create("H22", "a\x1b[2J"))[0] == "actor.invalid"
    assert error_of(lambda: create("H22", "a", actor="\n"))[0] == "actor.invalid"
    assert error_of(lambda: create(None, "nobody's"))[0] == "actor.invalid"


# The directory.


def test_an_import_is_taken_whole_or_not_at_all() -> None:
    office = Office()
    before = office.engine.resolve("all")
    rows = [new_unit(50 + index, f"H22.{50 + index}") for index in range(20)]
    bad = [*rows, new_unit(80, "H22.31")]
    place = error_of(lambda: office.engine.import_units(bad, actor="Lan"))
    assert place == ("directory.invalid", "row[20].code")
    assert error_of(lambda: office.engine.import_units(rows, actor="\0"))[0] == "actor.invalid"
    assert office.engine.resolve("all") == before
    assert office.reopen().resolve("all") == before
    assert office.engine.import_units(rows, actor="Lan") == 20
    assert office.engine.resolve("all").size == before.size + 20


def test_an_import_of_several_records_is_the_same_after_reopening(tmp_path: Path) -> None:
    office = Office(tmp_path / "data")
    rows = [new_unit(1_000 + index, f"H22.A{index}") for index in range(2_500)]
    office.engine.import_units(rows)
    office.engine.import_units(rows)
    for _ in range(2):
        resolved = office.engine.resolve("tier(district)", limit=3)
        assert (resolved.size, len(resolved.units)) == (2_502, 3)
        assert resolved.by_tier == {"district": 2_502}
    digest = resolved.audience_sha256
    assert office.reopen().resolve("tier(district)").audience_sha256 == digest


def test_closing_a_unit_holds_from_its_instant_on_and_after_reopening() -> None:
    office = Office()
    engine = office.engine
    at_us = NOW_US + 60 * SECOND_US
    engine.close_unit(COMMUNE, at_us, [OTHER], actor="Lan")
    for _ in range(2):
        assert engine.resolve("children(H22.31)").size == 2
        assert engine.resolve("children(H22.31)", at_us=at_us - 1).size == 2
        later = engine.resolve("children(H22.31)", at_us=at_us)
        assert [unit.code for unit in later.units] == [OTHER]
        resolve = partial(engine.resolve, COMMUNE, at_us=at_us)
        assert error_of(resolve)[0] == "recipient.closed"
        assert engine.unit(COMMUNE).valid_to == at_us
        engine = office.reopen()
    again = error_of(lambda: engine.close_unit(COMMUNE, at_us + 1, [OTHER]))
    assert again[0] == "directory.invalid"
    assert error_of(lambda: engine.close_unit("H99", at_us))[0] == "unit.not_found"
    assert error_of(lambda: engine.close_unit(OTHER, at_us, ["H99"]))[0] == "unit.not_found"
    assert error_of(lambda: engine.close_unit("H22.31", at_us))[0] == "directory.invalid"


def test_units_are_found_by_either_code_and_by_number() -> None:
    engine = Office().engine
    assert engine.unit("H22") == engine.unit(" 000.00.00.h22 ") == engine.unit(PROVINCE)
    assert error_of(lambda: engine.unit("H99"))[0] == "unit.not_found"
    assert error_of(lambda: engine.unit(99))[0] == "unit.not_found"


# Trust.


def test_trust_is_the_same_after_reopening_and_bad_changes_leave_nothing() -> None:
    office = Office()
    engine = office.engine
    assert error_of(lambda: engine.trust_issuer(b"x"))[0] == "trust.invalid"
    leaf = office.signers["H22"].certificate_der
    assert error_of(lambda: engine.trust_issuer(leaf))[0] == "trust.leaf"
    assert error_of(lambda: engine.bind("H22", pki().ca_der, 0))[0] == "trust.issuing"
    assert error_of(lambda: engine.bind("H22", leaf, 5, 5))[0] == "trust.invalid"
    assert error_of(lambda: engine.bind("H99", leaf, 0))[0] == "unit.not_found"
    mixed = [("H22.31", leaf, 0, None), ("H22", b"x", 0, None)]
    assert error_of(lambda: engine.bind_many(mixed))[0] == "trust.invalid"
    stolen = office.envelope(sender="H22.31", signers=[office.signers["H22"]])
    for _ in range(2):
        problem = office.submit(stolen)[0]
        assert isinstance(problem, Problem)
        assert problem.code == "sender.mismatch"
        office.send()
        office.reopen()


# Failing and closed.


CHANGES: dict[str, Callable[[Office], object]] = {
    "submit": lambda office: office.submit(office.envelope()),
    "acknowledge": lambda office: office.engine.acknowledge(
        COMMUNE, [office.lease(COMMUNE)[0].delivery]
    ),
    "create token": lambda office: office.engine.create_token("H22", "b"),
    "import": lambda office: office.engine.import_units([new_unit(60, "H22.60")]),
    "close": lambda office: office.engine.close_unit(COMMUNE, NOW_US + 1, [OTHER]),
    "trust": lambda office: office.engine.trust_issuer(pki().other_ca_der),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize(
    ("trouble", "code"), [(Trouble.FAIL, "store.failed"), (Trouble.FULL, "store.full")]
)
def test_a_failed_flush_answers_nothing_and_fences(name: str, trouble: Trouble, code: str) -> None:
    office = Office()
    token = office.engine.create_token("H22", "a")
    key = office.send().key
    before = (office.engine.resolve("all"), office.engine.tokens(), office.stored())
    heard: list[object] = []
    office.engine.listen(heard.append)
    office.disk.trouble_at(1, trouble)
    with pytest.raises(StorageError) as caught:
        CHANGES[name](office)
    assert caught.value.code == code
    assert heard == []
    assert not office.engine.healthy()
    assert office.engine.resolve("all") == before[0]
    assert office.engine.authenticate(token).unit == PROVINCE
    for change in (CHANGES["submit"], CHANGES["create token"], lambda o: o.engine.track(key)):
        assert error_of(lambda change=change: change(office))[0] == code
    office.reopen()
    assert office.engine.healthy()
    assert (office.engine.resolve("all"), office.engine.tokens(), office.stored()) == before
    office.send()
    assert office.engine.check() == []


def test_a_retry_after_a_failed_flush_is_accepted_once() -> None:
    office = Office()
    office.send()  # its snapshot has a number
    envelope = office.envelope()
    office.disk.trouble_at(1, Trouble.FAIL)
    with pytest.raises(StorageError):
        office.submit(envelope)
    office.reopen()
    first = received(office.submit(envelope)[0])
    again = received(office.submit(envelope)[0])
    assert (first.repeated, again.repeated, again.key) == (False, True, first.key)


CLOSED: dict[str, Callable[[Engine], object]] = {
    "submit": lambda engine: engine.submit([]),
    "submit for": lambda engine: engine.submit([], unit="H22"),
    "lease": lambda engine: engine.lease("H22"),
    "waiting": lambda engine: engine.waiting("H22"),
    "acknowledge": lambda engine: engine.acknowledge("H22", []),
    "refuse": lambda engine: engine.refuse("H22", [], "x"),
    "track": lambda engine: engine.track("00"),
    "explain": lambda engine: engine.explain("00", "H22"),
    "resolve": lambda engine: engine.resolve("all"),
    "unit": lambda engine: engine.unit("H22"),
    "change directory": lambda engine: engine.change_directory([]),
    "define group": lambda engine: engine.define_group("x", "all"),
    "preview": lambda engine: engine.preview_list(b"", at_us=1),
    "show": lambda engine: engine.show_unit("H22"),
    "summary": lambda engine: engine.directory_summary(),
    "history": lambda engine: engine.history("H22"),
    "changes": lambda engine: engine.directory_changes(),
    "export": lambda engine: engine.export_directory(len),
    "diff": lambda engine: engine.diff_directory(0, 1),
    "groups": lambda engine: engine.groups(),
    "group versions": lambda engine: engine.group_versions("x"),
    "check directory": lambda engine: engine.check_directory(),
    "import": lambda engine: engine.import_units([]),
    "close": lambda engine: engine.close_unit("H22", 1),
    "trust": lambda engine: engine.trust_issuer(b""),
    "trust authority": lambda engine: engine.trust_authority(b""),
    "distrust": lambda engine: engine.distrust("ab"),
    "authorities": lambda engine: engine.authorities(),
    "authority": lambda engine: engine.authority("ab"),
    "check trust": lambda engine: engine.check_trust(),
    "check certificates": lambda engine: engine.check_certificates([]),
    "bindings": lambda engine: engine.bindings(),
    "bind": lambda engine: engine.bind("H22", b"", 0),
    "create token": lambda engine: engine.create_token("H22", "a"),
    "revoke": lambda engine: engine.revoke_token("a"),
    "tokens": lambda engine: engine.tokens(),
    "authenticate": lambda engine: engine.authenticate("a"),
    "check": lambda engine: engine.check(),
}


@pytest.fixture(scope="module")
def closed() -> Engine:
    engine = Office().engine
    engine.close()
    engine.close()
    return engine


@pytest.mark.parametrize("name", CLOSED)
def test_a_closed_engine_says_so(closed: Engine, name: str) -> None:
    with pytest.raises(ClosedError) as caught:
        CLOSED[name](closed)
    assert caught.value.code == "engine.closed"


def test_a_closed_engine_still_counts_and_is_not_healthy(closed: Engine) -> None:
    assert closed.counters()["stored"] == {}
    assert not closed.healthy()


def test_an_engine_is_a_context_that_closes(tmp_path: Path) -> None:
    with Engine.open(tmp_path / "data") as engine:
        assert engine.healthy()
        assert error_of(lambda: Engine.open(tmp_path / "data"))[0] == "store.locked"
    assert not engine.healthy()
    with Engine.open(tmp_path / "data") as engine:
        assert engine.authenticate(engine.create_token(None, "a", operator=True)).operator


def test_questions_beyond_the_calendar_and_negative_limits_are_refused() -> None:
    engine = Office().engine
    for at_us in (-1, INSTANT_MAX + 1, 253_402_300_799 * SECOND_US, 1 << 70):
        assert error_of(lambda at=at_us: engine.resolve("all", at_us=at)) == (
            "field.invalid", "$.at_us",
        )  # fmt: skip
    assert engine.resolve("all", at_us=INSTANT_MAX).at.startswith("9999-12-3")
    assert error_of(lambda: engine.resolve("all", limit=-1)) == ("field.invalid", "$.limit")
    assert engine.resolve("all", limit=0).units == ()


def test_a_unit_that_opens_at_the_end_of_time_costs_other_documents_nothing() -> None:
    office = Office()
    office.engine.import_units([Unit(90, "H90", "Mai sau", 2, COMMITTEE, valid_from=INSTANT_MAX)])
    good = office.envelope()
    bad = office.envelope(recipients="H90")
    outcomes = office.submit(bad, good, bytearray(good), None)  # type: ignore[arg-type]
    assert place_of(outcomes[0]) == ("recipient.not_yet_open", "$.payload.recipients")
    assert received(outcomes[1])
    assert [place_of(one) for one in outcomes[2:]] == [("field.invalid", "$")] * 2


def test_a_token_is_for_one_and_for_a_time_and_run_out_ones_are_not_listed() -> None:
    office = Office()
    create = office.engine.create_token
    assert error_of(lambda: create("H22", "a", operator=True)) == ("actor.invalid", "unit")
    for ends in (NOW_US, -1, INSTANT_MAX + 1):
        place = error_of(lambda at=ends: create("H22", "a", expires_at=at))
        assert place == ("field.invalid", "expires_at")
    create("H22", "brief", expires_at=NOW_US + SECOND_US)
    create("H22", "long")
    assert [one.name for one in office.engine.tokens()] == ["brief", "long"]
    office.clock.advance(1)
    assert [one.name for one in office.engine.tokens()] == ["long"]


def test_an_operators_act_has_an_actor() -> None:
    engine = Office().engine
    for actor in ("", "  ", "a\nb"):
        for action in (
            lambda who=actor: engine.import_units([new_unit(60, "H22.60")], actor=who),
            lambda who=actor: engine.close_unit(COMMUNE, NOW_US + 1, [OTHER], actor=who),
            lambda who=actor: engine.create_token("H22", "a", actor=who),
        ):
            assert error_of(action)[0] == "actor.invalid"


def test_a_refused_actor_is_not_written_to_the_audit_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    office = Office()
    caplog.set_level("INFO", "router.audit")
    outcome = office.submit(office.envelope(), actor="Hoa\nrefused code=forged")[0]
    assert isinstance(outcome, Problem)
    assert outcome.code == "actor.invalid"
    assert [record.getMessage() for record in caplog.records] == [
        "refused code=actor.invalid unit=None actor=?"
    ]
