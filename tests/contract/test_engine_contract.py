"""One engine, two ways to it: what `Engine.open` does, `Engine.connect` does, on every port.

The office of these tests is opened each way on each durability port (conftest.py).  The failure
guarded against: a call that does not travel, comes back as another type, or fails
with another exception than in the owner's own process.
"""

from __future__ import annotations

import importlib
import inspect
import io
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.office import CODES, LUNG_CU, NOW_US, OPENED_US, Office, place_of, received
from support.pki import pki
from support.shared import wait_until

import router
from router import errors
from router.engine import Arrival, Engine, Submission, reached_by
from router.engine.local.calls import ENGINE_CALLS, HERE, OWN, SEAT_CALLS, call_named
from router.engine.local.engine import ConnectedEngine, ConnectedSeat
from router.engine.local.wire import SEAT, Refusal
from router.engine.seat import Seat
from router.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    NotFoundError,
    RecipientError,
    SheetError,
    VanbanError,
)
from router.model.administration import DirectoryChanged
from router.model.answers import Delivery, Principal
from router.model.documents import Envelope
from router.model.instants import SECOND_US
from router.model.reorganisations import Changing, GroupDefined, Reorganisation
from router.model.rights import RightWanted
from router.model.units import Unit

COMMUNE, OTHER = "H22.31.20", "H22.31.21"
NOT_CALLS = {"open", "over", "connect", "describe_diff"}
"""Class and static methods: they ask no engine."""


def raised(action: Callable[[], object]) -> VanbanError:
    with pytest.raises(VanbanError) as caught:
        action()
    return caught.value


# Nothing is forgotten.


def test_every_public_name_of_the_engine_is_a_call_or_answered_by_the_client() -> None:
    public = {name for name in dir(Engine) if not name.startswith("_")}
    assert public == set(ENGINE_CALLS) | HERE | NOT_CALLS
    assert {name for name in dir(Seat) if not name.startswith("_")} == set(SEAT_CALLS)


@pytest.mark.parametrize(
    ("kind", "base", "names"),
    [(ConnectedEngine, Engine, {*ENGINE_CALLS, *HERE}), (ConnectedSeat, Seat, {*SEAT_CALLS})],
)
def test_every_call_is_the_clients_own_with_an_equal_signature(
    kind: type, base: type, names: set[str]
) -> None:
    for name in names:
        mine, theirs = vars(kind)[name], inspect.getattr_static(base, name)
        assert mine is not theirs
        signatures = [inspect.signature(one) for one in (mine, theirs)]
        shown = [[str(one) for one in each.parameters.values()][1:] for each in signatures]
        assert shown[0] == shown[1], name
        assert signatures[0].return_annotation == signatures[1].return_annotation, name
        assert mine.__doc__, name


@pytest.mark.parametrize("name", [*ENGINE_CALLS, *OWN, *(SEAT + name for name in SEAT_CALLS)])
def test_every_call_has_types_that_travel(name: str) -> None:
    call = call_named(name)
    assert call.answers.decode  # made from the annotation of the answer
    assert call.names >= call._needed


def test_an_engine_with_a_call_that_cannot_travel_is_noticed() -> None:
    def new(self: Engine, what: Callable[[], int]) -> dict[str, int] | dict[str, str]:
        return {}

    from router.engine.local.calls import Call

    with pytest.raises(TypeError):
        Call("new", new)


def test_every_exception_of_ours_travels_as_the_very_same_class() -> None:
    for module in pkgutil.walk_packages(router.__path__, "router."):
        if ".cli" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)

    def below(kind: type[VanbanError]) -> Iterator[type[VanbanError]]:
        yield kind
        for one in kind.__subclasses__():
            yield from below(one)

    for kind in set(below(VanbanError)):
        assert getattr(errors, kind.__name__) is kind, "wire.Refusal finds classes by name there"
        error: VanbanError
        if kind is SheetError:
            problem = errors.SheetProblem(3, "mã", "sheet.code", "x")
            error = SheetError("sheet.invalid", problems=(problem,), path="p")
        else:
            error = kind("store.full", path="$.a[1]", unit="H22", count=3)
        sent = msgspec.msgpack.encode(Refusal.of(error))
        back = msgspec.msgpack.decode(sent, type=Refusal).exception()
        assert pickle.dumps(back) == pickle.dumps(error)


# The same answers.


def test_documents_go_the_whole_way(office: Office) -> None:
    engine = office.engine
    envelope = office.envelope(recipients=f"{COMMUNE} | {OTHER}", contents=())
    ready = msgspec.json.decode(office.envelope(recipients="all"), type=Envelope)
    broken = Envelope(version="1", payload=b"{}")  # type: ignore[arg-type]
    outcomes = engine.submit([envelope, ready, broken, b"{", bytearray(envelope)], actor="Lan")  # type: ignore[list-item]
    first, second = received(outcomes[0]), received(outcomes[1])
    assert [place_of(one) for one in outcomes[2:]] == [
        ("field.invalid", "$.version"), ("json.malformed", "$"), ("field.invalid", "$"),
    ]  # fmt: skip
    items = [Submission(envelope, 1, "Lan", "vi"), Submission(b"[]", None)]
    again, refused = engine.submit_many(items)
    assert received(again).repeated
    assert place_of(refused)[0] == "field.invalid"
    assert engine.waiting(COMMUNE)
    leased = engine.lease(COMMUNE, 10, lease_s=60, actor="Hoa")
    assert [one.key for one in leased] == [first.key, second.key]
    assert all(type(one) is Delivery and type(one.payload) is bytes for one in leased)
    (done,) = engine.acknowledge(COMMUNE, (leased[0].delivery,), actor="Hoa")
    assert (done.state, done.repeated) == ("delivered", False)
    (done,) = engine.refuse(COMMUNE, [leased[1].delivery], "Gửi nhầm", actor="Hoa")
    assert done.state == "refused"
    tracking = engine.track(first.key, unit="H22", limit=10)
    assert tracking.states == {"delivered": 1, "queued": 1}
    assert tracking.deliveries[0].history[-1].actor == "Hoa"
    assert engine.delivery(leased[0].delivery, unit="H22").state == "delivered"
    assert engine.explain(first.key, COMMUNE).receives
    assert engine.counters()["accepted"] == 2
    assert engine.healthy()
    assert engine.check() == []
    assert engine.now_us() == NOW_US


def test_refusals_are_the_same_exceptions(office: Office) -> None:
    engine = office.engine
    office.send()
    found = [
        raised(lambda: engine.unit("H99")),
        raised(lambda: engine.lease("H22", -1)),
        raised(lambda: engine.refuse(COMMUNE, ["x"], " ")),
        raised(lambda: engine.resolve("children(")),
        raised(lambda: engine.resolve("all", at_us=1 << 70)),
        raised(lambda: engine.resolve("all", limit=-1)),
        raised(lambda: engine.authenticate("vb1.x.y")),
        raised(lambda: engine.create_token("H22", "x", operator=True)),
        raised(lambda: engine.preview_list(b"a,b\n1,2\n", at_us=NOW_US)),
        raised(lambda: engine.submit([b"{}"] * 1_025)),
    ]
    assert [(type(one).__name__, one.code, one.path) for one in found] == [
        ("NotFoundError", "unit.not_found", ""),
        ("InputError", "field.invalid", "$.limit"),
        ("InputError", "reason.missing", "$.reason"),
        ("RecipientError", "selector.syntax", "recipients"),
        ("InputError", "field.invalid", "$.at_us"),
        ("InputError", "field.invalid", "$.limit"),
        ("AuthenticationError", "token.invalid", ""),
        ("InputError", "actor.invalid", "unit"),
        ("SheetError", "sheet.columns", ""),
        ("TooLargeError", "batch.too_large", ""),
    ]
    assert found[0].facts == {"unit": "H99"}
    assert isinstance(found[3], RecipientError)
    assert isinstance(found[8], SheetError)
    assert found[8].problems


def test_the_directory_is_asked_and_changed(office: Office) -> None:
    engine = office.engine
    assert engine.resolve("children(H22.31)", roll_up=True, explain=COMMUNE).size == 2
    shown = engine.show_unit(COMMUNE)
    assert (shown.unit, shown.parent) == (engine.unit(LUNG_CU), shown.parent)
    assert type(shown.unit.aliases) is tuple
    at = NOW_US + 60 * SECOND_US
    change = Reorganisation(at, "QĐ 1", (Changing(COMMUNE, name="Xã mới"),))
    assert engine.impact(change).title == engine.impact([change]).title == "QĐ 1"
    changed = engine.change_directory([change], actor="sổ")
    assert type(changed) is DirectoryChanged
    assert changed.records
    (altered,) = engine.diff_directory(NOW_US, at)
    assert engine.describe_diff([altered])
    assert engine.define_group("ba xã", f"{COMMUNE} | {OTHER} | H22.32.20").facts
    assert [one.size for one in engine.groups()] == [3]
    assert engine.group_versions("ba xã")[0].selector
    assert engine.check_directory() == []
    assert len(engine.units()) == len(CODES)
    assert engine.directory_summary().open == len(CODES)
    assert [one.form for one in engine.directory_changes()][-1] == "group"
    assert len(engine.history(COMMUNE)) == 2
    office.clock.advance(61)
    engine.close_unit(COMMUNE, office.clock.now_us(), [OTHER])
    assert isinstance(raised(lambda: engine.lease(COMMUNE)), ForbiddenError)
    assert engine.import_units([Unit(90, "H90", "Mai sau", 2, "people-committee")]) == 1
    wrong = GroupDefined("x", "children(")
    assert raised(lambda: engine.change_directory(wrong)).code == "selector.syntax"


def test_lists_are_read_where_the_caller_is_and_previews_come_whole(
    office: Office, tmp_path: Path
) -> None:
    engine = office.engine
    written: list[str] = []
    assert engine.export_directory(written.append) == len(CODES)
    text = "".join(written).replace("UBND xã Lũng Cú", "UBND xã Lũng Cú mới")
    file = tmp_path / "list.csv"
    file.write_text(text, encoding="utf-8")
    previews = [
        engine.preview_list(source, at_us=NOW_US, complete=True, opened={"H22"}, title="QĐ 2")
        for source in (text.encode(), file, io.BytesIO(text.encode()))
    ]
    assert len({one.confirm for one in previews}) == 1
    preview = previews[0]
    assert preview.difference.counts["renamed"] == 1
    assert preview.difference.reorganisation is not None
    assert preview.lines("vi")
    assert preview.summary()["counts"]["renamed"] == 1
    assert engine.impact(preview).units_after == len(CODES)
    assert engine.apply_preview(preview, confirm=preview.confirm).facts == 1
    assert isinstance(raised(lambda: engine.apply_preview(preview)), ConflictError)
    missing = raised(lambda: engine.preview_list(tmp_path / "none.csv", at_us=NOW_US))
    assert (type(missing), missing.code) == (InputError, "sheet.format")


def test_trust_tokens_and_rights(office: Office) -> None:
    engine = office.engine
    assert len(engine.trust_issuer(pki().ca_der)) == 64
    signer = pki().issue(2, "H22.31", "UBND huyện Đồng Văn", kind="ec")
    engine.bind("H22.31", signer.certificate_der, OPENED_US)
    assert engine.bind_many([("H22", signer.certificate_der, 0, None)]) == 1
    token = engine.create_token("H22", "Văn thư", expires_at=NOW_US + SECOND_US)
    principal = engine.authenticate(token)
    assert (type(principal), principal.unit) == (Principal, 1)
    assert engine.tokens() == [principal]
    right = engine.grant_right("H22.32", ["read"], "H22.31", reason="phối hợp")
    assert engine.rights() == [right]
    assert engine.rights_of(Principal("", "", 5, "H22.32")) == [right]
    engine.revoke_right(right.id)
    engine.revoke_token(principal.token)
    assert raised(lambda: engine.revoke_token(principal.token)).code == "token.not_found"
    wanted = [RightWanted(("directory",), "subtree(H22.31)")]
    limited = engine.create_token(None, "Sở Nội vụ", operator=True, rights=wanted)
    assert engine.authenticate(limited).limited


def test_a_seat_gives_what_the_rights_allow(office: Office) -> None:
    engine = office.engine
    key = office.send(recipients=COMMUNE).key
    wanted = [RightWanted(("directory", "resolve", "token"), "subtree(H22.31)")]
    token = engine.create_token(None, "Sở Nội vụ", operator=True, rights=wanted)
    seat = engine.seat(engine.authenticate(token))
    assert seat.unit(COMMUNE).number == LUNG_CU
    assert seat.resolve("children(H22.31)", limit=1, roll_up=True).next_page == 1
    assert isinstance(raised(lambda: seat.unit("H22.32")), NotFoundError)
    assert raised(lambda: seat.resolve("all")).code == "right.missing"
    assert raised(lambda: seat.track(key)).code == "document.not_found"
    made = seat.create_token(COMMUNE, "Xã", actor="Hoa", expires_at=NOW_US + SECOND_US)
    assert engine.authenticate(made).unit == LUNG_CU
    assert len(seat.tokens()) == 1
    change = Reorganisation(NOW_US, "QĐ 1", (Changing("H22.32", name="Khác"),))
    assert raised(lambda: seat.change_directory(change, actor="Hoa")).code == "right.missing"
    unit = engine.seat(Principal("", "", 1, "H22"))
    assert unit.track(key).states == {"queued": 1}
    assert unit.rights() == []
    assert unit.explain(key, COMMUNE).receives
    assert engine.seat(None).track(key).recipients == 1
    every = engine.seat(engine.authenticate(engine.create_token(None, "QT", operator=True)))
    right = every.grant_right("H22", RightWanted(("read",), "all"), reason="xem", actor="a")
    assert every.rights()[-1] == right
    every.revoke_right(right.id, reason="thôi", actor="a")


def test_listeners_hear_whom_documents_reach(office: Office) -> None:
    heard: list[Arrival] = []
    calls: list[int] = []

    def fails(arrivals: Any) -> None:
        calls.append(len(arrivals))
        raise RuntimeError("a listener's own fault")

    office.engine.listen(fails)
    office.engine.listen(heard.extend)
    office.submit(office.envelope(recipients=COMMUNE), office.envelope(recipients=COMMUNE))
    wait_until(lambda: heard and calls)
    assert reached_by(heard, tuple(CODES)) == {LUNG_CU}
    assert heard[0].reaches(LUNG_CU)
    assert not heard[0].reaches(1)
    assert heard[0].audience[0] > 0


def test_listeners_hear_of_what_waits_again(office: Office) -> None:
    heard: list[Arrival] = []
    office.engine.listen(heard.extend)
    office.send(recipients=COMMUNE)
    wait_until(lambda: heard)
    (held,) = office.engine.lease(COMMUNE, lease_s=60)
    heard.clear()
    office.engine.give_back(COMMUNE, [held.delivery])
    wait_until(lambda: heard)
    assert reached_by(heard, tuple(CODES)) == {LUNG_CU}
    assert heard[0].reaches(LUNG_CU)
    assert not heard[0].reaches(1)
    (held,) = office.engine.lease(COMMUNE, lease_s=60)
    heard.clear()
    office.clock.advance(59)
    office.engine.tick()
    office.engine.extend(COMMUNE, [held.delivery], 60)
    office.clock.advance(60)
    assert not heard, "the lease has not ended yet, and is extended"
    office.engine.tick()
    wait_until(lambda: heard)
    assert reached_by(heard, tuple(CODES)) == {LUNG_CU}
    assert office.engine.waiting(COMMUNE)


def test_arguments_are_given_by_place_or_name_and_checked(office: Office) -> None:
    engine: Any = office.engine
    assert engine.resolve(selector="H22").size == 1
    assert engine.lease(COMMUNE, 1) == []
    for wrong in (
        engine.resolve,
        lambda: engine.resolve("all", whatever=1),
        lambda: engine.lease(COMMUNE, 1, 2),
        lambda: engine.seat(None).resolve("all", whatever=1),
    ):
        with pytest.raises(TypeError):
            wrong()


def test_all_is_there_again_after_reopening(office: Office) -> None:
    receipt = office.send(recipients=COMMUNE)
    office.reopen()
    assert [one.key for one in office.lease(COMMUNE)] == [receipt.key]
