"""What an operator does to the directory is all or nothing, seen before, and explained after."""

from __future__ import annotations

import io
from datetime import datetime

import msgspec
import pytest
from support.lists import NOVEMBER, SEPTEMBER
from support.office import COMMITTEE, NOW_US, PROVINCE, Office, refused

from router.engine import Engine
from router.engine.change_files import read_changes, successors_to_name
from router.errors import ConflictError, InputError, NotFoundError, RecipientError, StorageError
from router.model.instants import VIETNAM_TIME, instant_of
from router.model.reorganisations import (
    Changing,
    Closing,
    Correction,
    Fix,
    GroupDefined,
    Opening,
    Reorganisation,
)
from router.model.units import Unit
from router.ports import ManualClock
from router.queue import MemoryDisk, MemoryStore
from router.queue.memory_store import SimulatedCrashError, Trouble


def day(text: str) -> int:
    return instant_of(datetime.fromisoformat(text).replace(tzinfo=VIETNAM_TIME))


REFORM_US = day("2025-07-01")
REFORM = Reorganisation(
    REFORM_US,
    "Luật 72/2025/QH15",
    (
        Opening(Unit(0, "H22.40", "UBND xã mới", 4, COMMITTEE), "H22"),
        *(Closing(code, ("H22.40",)) for code in ("H22.31.20", "H22.31.21", "H22.32.20")),
        Closing("H22.31", ("H22",)),
        Closing("H22.32", ("H22",)),
    ),
)
LIST = """\
code,name,tier,kind,parent
H22,UBND tỉnh Hà Giang,province,people-committee,
H22.31,UBND huyện Đồng Văn,district,people-committee,H22
H22.31.20,UBND xã Lũng Cú mới,commune,people-committee,H22.31
H22.50,Sở Nội vụ,province,department,H22
""".encode()


def preview_of(engine: Engine, data: bytes = LIST, **how: object):  # type: ignore[no-untyped-def]
    return engine.preview_list(data, at_us=REFORM_US, **how)  # type: ignore[arg-type]


# Lists.


def test_a_preview_applies_nothing_and_its_confirmation_applies_all_of_it() -> None:
    engine = Office().engine
    before = engine.directory_summary(at_us=REFORM_US)
    preview = preview_of(engine, complete=True, title="Danh sách")
    assert engine.directory_summary(at_us=REFORM_US) == before
    assert {unit.code for unit in preview.difference.unknown_successors} == {
        "H22.31.21", "H22.32", "H22.32.20", "H22.1",
    }  # fmt: skip
    assert any("Lũng Cú mới" in line for line in preview.lines())
    assert any("đổi tên" in line for line in preview.lines("vi"))
    done = engine.apply_preview(preview, actor="Lan")
    assert done.facts == preview.facts > 0
    assert engine.directory_summary(at_us=REFORM_US).open == 4
    assert engine.show_unit("H22.50", at_us=REFORM_US).unit.number == 8
    again = preview_of(engine, complete=True, title="Danh sách")
    assert again.empty
    assert engine.apply_preview(again).records == 0


def test_a_preview_of_before_another_change_is_refused_and_nothing_of_it_is_applied() -> None:
    engine = Office().engine
    preview = preview_of(engine)
    with pytest.raises(ConflictError) as caught:
        engine.apply_preview(preview, confirm="0" * 16)
    assert caught.value.code == "import.changed"
    engine.define_group("các sở", "kind(department)")
    with pytest.raises(ConflictError):
        engine.apply_preview(preview)
    with pytest.raises(NotFoundError):
        engine.show_unit("H22.50")
    fresh = preview_of(engine)
    assert fresh.confirm != preview.confirm
    assert engine.apply_preview(fresh, confirm=fresh.confirm).records == 1


def test_the_confirmation_is_the_same_for_any_order_of_rows_and_another_for_other_rows() -> None:
    engine = Office().engine
    head, *rows = LIST.splitlines()
    turned = b"\n".join([head, *reversed(rows)])
    assert preview_of(engine, turned).confirm == preview_of(engine).confirm
    assert preview_of(engine, LIST.replace(b"50", b"51")).confirm != preview_of(engine).confirm


def test_a_list_within_a_selector_closes_only_what_it_could_hold() -> None:
    engine = Office().engine
    data = LIST.splitlines()[0] + b"\nH22.31.20,x,commune,people-committee,H22.31\n"
    preview = preview_of(engine, data, complete=True, within="children(H22.31)")
    assert [unit.code for unit in preview.difference.unknown_successors] == ["H22.31.21"]
    with pytest.raises(RecipientError) as caught:
        preview_of(engine, data, complete=True, within="children(H99)")
    assert (caught.value.code, caught.value.path) == ("recipient.unknown", "within")


def test_a_mistake_that_only_the_directory_sees_is_told_by_the_units_code() -> None:
    engine = Office().engine
    rows = b"code,name,tier,kind,parent\nH22.31.20,x,province,people-committee,H22.31\n"
    with pytest.raises(InputError) as caught:
        preview_of(engine, rows)
    assert (caught.value.code, caught.value.path) == ("directory.invalid", "H22.31.20.tier")


@pytest.mark.parametrize("trouble", list(Trouble))
def test_a_correction_and_a_reorganisation_of_one_list_are_kept_together_or_not_at_all(
    trouble: Trouble,
) -> None:
    """A disk that fails or a power cut while they are written leaves both or none."""
    disk, clock = MemoryDisk(), ManualClock(NOW_US)
    engine = Engine.over(MemoryStore(disk), clock=clock)
    engine.apply_preview(engine.preview_list(SEPTEMBER, at_us=day("2024-09-01")))
    preview = engine.preview_list(NOVEMBER, at_us=day("2024-11-01"), complete=True)
    assert len(preview.bodies) == 2
    disk.trouble_at(1, trouble)
    with pytest.raises((StorageError, SimulatedCrashError)):
        engine.apply_preview(preview)
    again = Engine.over(MemoryStore(disk), clock=clock)
    assert len(again.directory_changes()) == (3 if trouble is Trouble.CRASH_AFTER else 1)


# Changes as data.


def test_several_changes_are_judged_in_order_and_applied_all_or_none() -> None:
    engine = Office().engine
    group = GroupDefined("các xã", "children(H22) & tier(commune)")
    rename = Reorganisation(REFORM_US + 1, "", (Changing("H22.40", name="UBND xã Đồng Văn"),))
    wrong = Reorganisation(REFORM_US + 1, "", (Closing("H22.31"),))
    with pytest.raises(InputError) as caught:
        engine.change_directory([REFORM, group, wrong])
    assert caught.value.path == "[2].events[0].unit"
    assert [one.form for one in engine.directory_changes()] == ["import"]
    done = engine.change_directory([REFORM, group, rename], actor="Lan")
    assert done.records == 3
    assert engine.show_unit("H22.40", at_us=REFORM_US + 1).unit.name == "UBND xã Đồng Văn"
    assert engine.show_unit("H22.40", at_us=REFORM_US).unit.name == "UBND xã mới"
    assert engine.change_directory(group).records == 0


def test_changes_survive_a_reopening() -> None:
    office = Office()
    office.engine.change_directory(REFORM)
    office.engine.define_group("các sở", "kind(department)", title="QĐ 5")
    shown = office.engine.show_unit("H22.31", at_us=REFORM_US)
    changes = office.engine.directory_changes()
    office.reopen()
    assert office.engine.show_unit("H22.31", at_us=REFORM_US) == shown
    assert office.engine.directory_changes() == changes
    assert [one.title for one in office.engine.groups()] == ["QĐ 5"]


def test_an_act_without_an_actor_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        Office().engine.change_directory(REFORM, actor=" ")
    assert caught.value.code == "actor.invalid"


def test_files_of_changes_take_dates_and_codes_as_people_write_them() -> None:
    numbers = {"H22.31.20": 3, "H22": 1}.__getitem__
    text = b"""[{"type": "correction", "title": "x", "fixes": [
        {"number": "H22.31.20", "_unit": "note", "successors": ["H22", 7]},
        {"number": 4, "_unit": "not filled in", "successors": []},
        {"number": 5, "successors": [], "closed_at": "2025-07-01"}]},
        {"type": "group", "name": "g", "selector": "all", "since": "2025-07-01T08:00:00+07:00"}]"""
    correction, group = read_changes(text, numbers)
    assert isinstance(correction, Correction)
    assert correction.fixes == (
        Fix(3, successors=(1, 7)),
        Fix(5, successors=(), closed_at=REFORM_US),
    )
    assert isinstance(group, GroupDefined)
    assert group.since == REFORM_US + 8 * 3_600_000_000
    written = successors_to_name([(Unit(3, "A", "B", 4, COMMITTEE), [])], "x")
    assert read_changes(written, numbers) == [Correction("x")]


def test_a_wrong_code_in_a_fix_is_told_with_its_place() -> None:
    engine = Office().engine
    fixes = b'{"type":"correction","fixes":[{"number":3},{"number":4,"successors":["H22","H9"]}]}'
    for text, place in ((fixes, ""), (b'[{"type":"x"},' + fixes + b"]", "[1].")):
        with pytest.raises(NotFoundError) as caught:
            read_changes(text, lambda code: engine.show_unit(code).unit.number)
        assert caught.value.path == f"{place}fixes[1].successors[1]"


# Asking.


def test_a_unit_is_shown_with_those_around_it_at_any_date() -> None:
    engine = Office().engine
    engine.change_directory(REFORM)
    before = engine.show_unit("H22.31", at_us=REFORM_US - 1)
    assert (before.state, before.below, before.answers) == ("open", {"commune": 2}, None)
    assert before.parent is not None
    assert before.parent.code == "H22"
    after = engine.show_unit("#2", at_us=REFORM_US)
    assert (after.state, [one.code for one in after.successors]) == ("closed", ["H22"])
    assert after.answers is not None
    heir = engine.show_unit("H22.40", at_us=REFORM_US)
    assert [one.code for one in heir.predecessors] == ["H22.31.20", "H22.31.21", "H22.32.20"]
    for unknown in ("H99", "#99", 99, "00688"):
        with pytest.raises(NotFoundError):
            engine.show_unit(unknown)


def test_an_export_of_a_date_is_read_back_without_a_difference() -> None:
    engine = Office().engine
    engine.change_directory(REFORM)
    for at_us in (REFORM_US - 1, REFORM_US):
        written = io.StringIO()
        count = engine.export_directory(written.write, at_us=at_us)
        assert count == engine.directory_summary(at_us=at_us).open
        data = written.getvalue().encode()
        again = engine.preview_list(data, at_us=at_us, complete=True)
        assert again.empty, again.lines()
    every = io.StringIO()
    assert engine.export_directory(every.write, every=True) == 8


def test_what_changed_between_two_dates_is_told_in_words() -> None:
    engine = Office().engine
    engine.change_directory(REFORM)
    found = engine.diff_directory(REFORM_US - 1, REFORM_US)
    assert [one.what for one in found].count("closed") == 5
    assert any("UBND xã mới" in line for line in engine.describe_diff(found))
    assert engine.diff_directory(REFORM_US, REFORM_US) == ()


def test_a_group_emptied_by_a_reform_says_since_when_and_by_which_act() -> None:
    engine = Office().engine
    engine.define_group("các huyện", "tier(district)")
    engine.define_group("cấp giữa", 'group("các huyện")')
    engine.change_directory(REFORM)
    for selector in ('group("các huyện")', 'group("các huyện") | H22', 'group("cấp giữa")'):
        with pytest.raises(RecipientError) as caught:
            engine.resolve(selector, at_us=REFORM_US + 1)
        assert caught.value.code == "group.emptied"
        assert caught.value.facts["since"] == "2025-07-01"
        assert caught.value.facts["title"] == "Luật 72/2025/QH15"
    with pytest.raises(RecipientError) as caught:
        engine.resolve("tier(district)", at_us=REFORM_US)
    assert caught.value.code == "audience.emptied"
    with pytest.raises(RecipientError) as caught:
        engine.resolve("tier(central)", at_us=REFORM_US)
    assert caught.value.code == "audience.empty", "it never had a member"


def test_a_document_to_a_group_that_a_reform_emptied_is_refused_with_the_act() -> None:
    office = Office()
    office.engine.define_group("các huyện", "tier(district)")
    office.engine.define_group("cấp dưới", "children(sender) & tier(district)")
    office.engine.change_directory(
        [
            msgspec.structs.replace(REFORM, at=NOW_US - 60_000_000),
            GroupDefined("các phòng", "kind(office) | tier(district)"),
        ]
    )
    for _ in range(2):
        problem = refused(office.submit(office.envelope(recipients='group("các huyện")'))[0])
        assert (problem.code, problem.path) == ("group.emptied", "$.payload.recipients")
        assert "Luật 72/2025/QH15" in problem.detail
        mine = refused(office.submit(office.envelope(recipients='group("cấp dưới")'))[0])
        assert (mine.code, mine.path) == ("group.emptied", "$.payload.recipients")
        assert "Luật 72/2025/QH15" in mine.detail


def test_a_group_of_a_sender_that_began_with_the_reform_names_the_reform() -> None:
    engine = Office().engine
    engine.define_group("UBND các huyện, thành phố", "children(sender) & tier(district)")
    province = Unit(number=0, code="H60", name="UBND tỉnh mới", tier=2, kind="people-committee")
    ending = ("H22.31.20", "H22.31.21", "H22.32.20", "H22.31", "H22.32", "H22")
    events = (
        Opening(province),
        Changing("H22.1", parent="H60"),
        *(Closing(code, ("H60",)) for code in ending),
    )
    merged = Reorganisation(REFORM_US, "Nghị quyết 202/2025/QH15", events)
    engine.change_directory(merged)
    with pytest.raises(RecipientError) as caught:
        engine.resolve('group("UBND các huyện, thành phố")', at_us=REFORM_US + 1, sender="H60")
    assert caught.value.code == "group.emptied"
    assert caught.value.facts["since"] == "2025-07-01"
    assert caught.value.facts["title"] == "Nghị quyết 202/2025/QH15"


def test_a_group_emptied_by_a_correction_names_the_correction() -> None:
    engine = Office().engine
    engine.define_group("các sở", "kind(department)")
    health = engine.unit("H22.1").number
    engine.change_directory(Correction("Đính chính", (), (Fix(health, kind="office"),)))
    with pytest.raises(RecipientError) as caught:
        engine.resolve('group("các sở")')
    assert (caught.value.code, caught.value.facts["title"]) == ("group.emptied", "Đính chính")


def test_a_selector_is_answered_as_known_then_for_a_sender_and_in_pages() -> None:
    office = Office()
    engine = office.engine
    known = engine.now_us()
    office.clock.advance(5)
    engine.change_directory(REFORM)
    old = engine.resolve("tier(commune)", at_us=REFORM_US, known_at_us=known)
    assert (old.size, engine.resolve("tier(commune)", at_us=REFORM_US).size) == (3, 1)
    assert old.known_at != ""
    mine = engine.resolve("children(sender)", sender="H22.31", limit=1)
    assert (mine.sender, mine.size, mine.next_page) == ("H22.31", 2, 1)
    rest = engine.resolve("children(sender)", sender="H22.31", limit=1, page=1)
    assert (rest.units[0].code, rest.next_page) == ("H22.31.21", 0)
    then = engine.resolve("tier(district) @ 2025-06-30", at_us=REFORM_US)
    assert (then.size, then.directory_at) == (2, "2025-06-30T00:00:00+07:00")
    with pytest.raises(NotFoundError):
        engine.resolve("all", sender="H99")


def test_why_a_unit_receives_or_not_is_told_for_closed_and_unknown_ones_too() -> None:
    engine = Office().engine
    engine.change_directory(REFORM)

    def reason(code: str, selector: str = "all - H22.40") -> str:
        answer = engine.resolve(selector, at_us=REFORM_US, explain=code, roll_up=True)
        assert answer.explanation is not None
        assert answer.roll_up[0].words.startswith("Whole country")
        return answer.explanation.reason

    assert reason("H22") == "everybody"
    assert reason("H22.40") == "excluded"
    assert reason("H22.31") == "merged"
    assert reason("#2") == "merged"
    assert reason("H99") == "unknown"


def test_what_a_person_should_look_at_is_listed() -> None:
    engine = Office().engine
    assert engine.check_directory() == []
    engine.import_units(
        [Unit(20, "28.22.H17", "Cơ quan mã lạ", 2, COMMITTEE, parent=PROVINCE, valid_from=NOW_US)]
    )
    engine.close_unit("H22.31.21", NOW_US)
    engine.define_group("xã Má Lé", "H22.31.21")
    engine.define_group("của đơn vị gửi", "children(sender)")
    found = {one.code: one for one in engine.check_directory()}
    assert set(found) == {"code-doubtful", "successor-unknown", "group-wrong"}
    assert found["code-doubtful"].unit == "28.22.H17"
    assert found["successor-unknown"].unit == "H22.31.21"
    sizes = {one.name: one.size for one in engine.groups()}
    assert sizes == {"xã Má Lé": 0, "của đơn vị gửi": -1}


@pytest.mark.parametrize(
    ("selector", "code", "position"),
    [
        ("tier(commun)", "selector.unknown_tier", 0),
        ("all - kind(departmnt)", "selector.unknown_kind", 6),
        ("tag(sở)", "selector.unknown_tag", 0),
        ("descendants(gso:2)", "recipient.unknown", 12),
        ('H22 | group("các sở")', "group.unknown", 6),
        ("children(sender) & tier(x)", "selector.unknown_tier", 19),
        ("H22.31.21 | (all - h99)", "recipient.unknown", 19),
    ],
)
def test_a_group_that_can_never_work_is_refused_with_the_place(
    selector: str, code: str, position: int
) -> None:
    engine = Office().engine
    engine.close_unit("H22.31.21", NOW_US)
    before = engine.directory_changes()
    with pytest.raises(InputError) as caught:
        engine.define_group("nhóm", selector)
    facts = (caught.value.code, caught.value.path, caught.value.facts["position"])
    assert facts == (code, "selector", position)
    assert engine.directory_changes() == before


def test_a_group_that_means_nobody_now_may_be_defined() -> None:
    engine = Office().engine
    engine.close_unit("H22.31.21", NOW_US)
    engine.change_directory(msgspec.structs.replace(REFORM, events=REFORM.events[:1]))
    for selector in ("H22.31.21", "H22.40", "tier(central)", "children(sender) - H22.40"):
        assert engine.define_group(selector, selector).records == 1
    with pytest.raises(InputError):
        engine.define_group("mới", "H22.40 | H99", since_us=REFORM_US)


def test_before_the_first_unit_only_tiers_can_be_judged() -> None:
    engine = Engine.over(MemoryStore(MemoryDisk()), clock=ManualClock(NOW_US))
    assert engine.define_group("các sở", "kind(department) | children(sender)").records == 1
    with pytest.raises(InputError):
        engine.define_group("các xã", "tier(commun)")


def test_the_definitions_of_a_group_are_kept() -> None:
    engine = Office().engine
    engine.define_group("các  sở", "kind(department)")
    engine.define_group("các sở", "H22.1", since_us=REFORM_US, title="QĐ 7")
    engine.define_group("các sở", "", since_us=REFORM_US + 1)
    found = engine.group_versions("các sở")
    assert [one.selector for one in found] == ["kind(department)", "H22.1", ""]
    assert [one.name for one in engine.groups(at_us=REFORM_US)] == ["các sở"]
    assert engine.groups(at_us=REFORM_US + 1) == []
    with pytest.raises(NotFoundError):
        engine.group_versions("khác")
