"""Before a change is made: what it would do to groups, standing selectors, open deliveries."""

from __future__ import annotations

import threading

import msgspec
import pytest
from support.office import DONG_VAN, LUNG_CU, NOW_US, Office, error_of

from router.messages.impact import lines_of_impact
from router.model.impact import Impact, ImpactUnit
from router.model.instants import SECOND_US
from router.model.reorganisations import (
    Changing,
    Closing,
    Correction,
    Fix,
    GroupDefined,
    Merging,
    Reorganisation,
)

LATER = NOW_US + 3_600 * SECOND_US
LUNG_CU_NAME = ImpactUnit("H22.31.20", "UBND xã Lũng Cú")
MA_LE_NAME = ImpactUnit("H22.31.21", "UBND xã Má Lé")


def reform(*events: object) -> Reorganisation:
    return Reorganisation(LATER, "NQ 1685", events)  # type: ignore[arg-type]


def test_nothing_is_changed_and_the_report_is_of_the_changes_instant() -> None:
    office = Office()
    before = office.stored(), office.engine.directory_changes()
    impact = office.engine.impact(reform(Merging(("H22.31.20",), "H22.31.21")))
    assert (office.stored(), office.engine.directory_changes()) == before
    assert (impact.title, impact.at[:16]) == ("NQ 1685", "2024-09-04T11:00")
    assert (impact.units_before, impact.units_after, impact.begin, impact.end) == (7, 6, 0, 1)
    assert msgspec.json.decode(msgspec.json.encode(impact), type=Impact) == impact


def test_groups_are_compared_member_by_member() -> None:
    office = Office()
    for name, selector in (
        ("các xã", "tier(commune)"),
        ("các xã Đồng Văn", "children(H22.31)"),
        ("các huyện", "tier(district)"),
        ("một xã", "H22.31.20"),
        ("dưới một xã", "subtree(H22.31.20)"),
        ("các xã trừ", 'group("các xã") - H22.31.21 - H22.32.20'),
        ("cấp dưới", "children(sender)"),
    ):
        office.engine.define_group(name, selector)
    impact = office.engine.impact(
        reform(Merging(("H22.31.20",), "H22.31.21"), Changing("H22.32.20", parent="H22.31"))
    )
    found = {group.name: group for group in impact.groups}
    communes = found["các xã"]
    assert (communes.before, communes.after, communes.left) == (3, 2, 1)
    assert communes.leaves == (LUNG_CU_NAME,)
    assert not communes.became_empty
    below = found["các xã Đồng Văn"]
    assert (below.before, below.after, below.joined, below.left) == (2, 2, 1, 1)
    assert below.joins == (ImpactUnit("H22.32.20", "UBND xã Pả Vi"),)
    assert not found["các huyện"].changed
    assert (found["một xã"].error, found["một xã"].after) == ("recipient.closed", -1)
    assert found["dưới một xã"].error == "recipient.closed"
    emptied = found["các xã trừ"]
    assert (emptied.before, emptied.after, emptied.became_empty) == (1, 0, True)
    relative = found["cấp dưới"]
    assert (relative.before, relative.error, relative.changed) == (-1, "selector.no_sender", True)
    assert (impact.groups_total, impact.groups_changed) == (7, 6)
    assert all(group.changed for group in impact.groups[:6]), "what changes comes first"


def test_a_group_that_depends_on_the_sender_is_counted_by_senders() -> None:
    office = Office()
    office.engine.define_group("UBND các xã", "children(sender) & tier(commune)")
    merging = Merging(("H22.31.20",), "H22.31.21")
    (group,) = office.engine.impact(reform(merging)).groups
    assert (group.senders_before, group.senders_after) == (2, 2)
    assert not group.became_empty
    moves = [Changing(code, parent="H22") for code in ("H22.31.20", "H22.31.21", "H22.32.20")]
    (group,) = office.engine.impact(reform(*moves)).groups
    assert (group.senders_before, group.senders_after) == (2, 1)
    assert group.changed
    (group,) = office.engine.impact(reform(*(Changing(move.unit, tier=3) for move in moves))).groups
    assert (group.senders_before, group.senders_after) == (2, 0)
    assert group.became_empty
    assert any("2 → 0" in line for line in lines_of_impact(
        office.engine.impact(reform(*(Changing(move.unit, tier=3) for move in moves)))
    ))  # fmt: skip


def test_standing_selectors_that_fail_empty_or_name_the_closing_are_listed() -> None:
    office = Office()

    def granted(selector: str, unit: str = "H22.1", until: int | None = None) -> str:
        right = office.engine.grant_right(unit, "read", selector, reason="x", until=until)
        return str(right.id)

    fails = granted("children(H22.31) - H22.31.20")
    empties = granted("tier(commune) & children(H22.32)")
    names = granted("H22.31.20 | H22.32")
    granted("tier(commune)")
    granted("H22.31.20", until=NOW_US + SECOND_US)
    office.clock.advance(2)
    office.engine.define_group("hai xã", "H22.31.20 | H22.31.21")
    impact = office.engine.impact(reform(Merging(("H22.31.20", "H22.32.20"), "H22.31.21")))
    found = {(one.what, one.name): one for one in impact.selectors}
    assert found.keys() == {
        ("right", fails), ("right", empties), ("right", names), ("group", "hai xã"),
    }  # fmt: skip
    assert found["right", fails].error == "recipient.closed"
    assert found["right", empties].became_empty
    assert (found["right", names].error, found["right", names].closed) == ("", ("H22.31.20",))
    assert found["group", "hai xã"].error == "recipient.closed"
    assert impact.selectors_total == 4


def test_open_deliveries_of_what_ends_are_counted_with_who_gets_them() -> None:
    office = Office()
    for _ in range(5):
        office.send("H22", recipients="H22.31.20")
    office.send("H22", recipients="tier(commune)")
    office.send("H22", recipients="H22.31.21")
    first, *_ = office.lease("H22.31.20", 3)
    office.engine.acknowledge("H22.31.20", [first.delivery])
    for name in ("a", "b"):
        office.engine.create_token("H22.31.20", name)
    office.engine.grant_right("H22.31.20", "read", "H22", reason="x")
    impact = office.engine.impact(
        reform(Merging(("H22.31.20",), "H22.31.21"), Closing("H22.32.20"))
    )
    alone, merged = impact.endings
    assert (alone.unit.code, alone.to, alone.queued) == ("H22.32.20", None, 1)
    assert (merged.unit, merged.to) == (LUNG_CU_NAME, MA_LE_NAME)
    assert (merged.queued, merged.leased) == (3, 2)
    assert (merged.tokens, merged.certificates, merged.rights) == (2, 1, 1)
    assert (impact.queued, impact.leased, impact.counted_all) == (4, 2, True)
    assert (impact.tokens, impact.certificates, impact.rights) == (2, 2, 1)
    assert [unit.code for unit in impact.without_successor] == ["H22.32.20"]
    assert impact.without_successor_total == 1


def test_what_waits_at_units_closed_before_goes_on_with_their_holder() -> None:
    office = Office()
    office.send("H22", recipients="H22.31.20")
    office.close_commune("H22.31.20", ["H22.31.21"])
    office.send("H22", recipients="H22.31.21")
    impact = office.engine.impact(reform(Merging(("H22.31.21",), "H22.32.20")))
    (ending,) = impact.endings
    assert (ending.queued, ending.to) == (2, ImpactUnit("H22.32.20", "UBND xã Pả Vi"))


def test_counting_stops_at_its_bound_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office()
    for _ in range(4):
        office.send("H22", recipients="H22.31.20")
    monkeypatch.setattr("router.limits.IMPACT_ENTRIES_PER_UNIT_MAX", 3)
    (ending,) = office.engine.impact(reform(Closing("H22.31.20"))).endings
    assert (ending.queued, ending.more) == (3, True)
    assert not office.engine.impact(reform(Closing("H22.31.20"))).counted_all


def test_lists_are_bounded_and_counts_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office()
    office.engine.define_group("các xã", "tier(commune)")
    office.engine.define_group("các huyện", "tier(district)")
    monkeypatch.setattr("router.limits.IMPACT_LISTED_MAX", 1)
    closing = (Closing("H22.31.20"), Closing("H22.31.21"))
    impact = office.engine.impact(reform(*closing))
    assert (len(impact.groups), impact.groups_total) == (1, 2)
    assert (len(impact.groups[0].leaves), impact.groups[0].left) == (1, 2)
    assert (len(impact.endings), impact.end) == (1, 2)
    assert (len(impact.without_successor), impact.without_successor_total) == (1, 2)


def test_every_kind_of_change_has_its_report() -> None:
    office = Office()
    office.engine.define_group("các xã", "tier(commune)")
    fix = Correction("sửa", fixes=(Fix(LUNG_CU, withdrawn=True),))
    impact = office.engine.impact(fix)
    assert (impact.end, impact.groups[0].after) == (1, 2)
    group = office.engine.impact(GroupDefined("các xã", "children(H22.31)"))
    assert (group.end, group.groups[0].left) == (0, 1)
    ended = office.engine.impact(GroupDefined("các xã", ""))
    assert ended.groups[0].error == "group.unknown" or ended.groups[0].after == -1
    several = office.engine.impact(
        [reform(Changing(LUNG_CU, name="A")), reform(Closing("H22.31.20"))]
    )
    assert (several.end, several.endings[0].unit.code) == (1, "H22.31.20")


def test_a_wrong_change_is_refused_as_it_would_be() -> None:
    office = Office()
    place = error_of(lambda: office.engine.impact(reform(Closing(DONG_VAN))))
    assert place == error_of(lambda: office.engine.change_directory(reform(Closing(DONG_VAN))))
    assert place[0] == "directory.invalid"


def test_nobody_waits_for_a_report() -> None:
    office = Office()
    done = threading.Event()

    def look() -> None:
        office.engine.impact(reform(Closing("H22.31.20")))
        done.set()

    with office.engine._rooms.lock:  # as a change holds it over its flush
        threading.Thread(target=look, daemon=True).start()
        assert done.wait(20)


def test_the_preview_of_a_list_has_its_report_until_the_directory_changes() -> None:
    office = Office()
    text = "code,name,tier,kind,parent\nH22.31.20,UBND phường,commune,people-committee,H22.32\n"
    office.engine.define_group("các xã", "children(H22.31)")
    preview = office.engine.preview_list(text.encode(), at_us=LATER, title="NQ 7")
    (group,) = office.engine.impact(preview).groups
    assert (group.before, group.after) == (2, 1)
    office.engine.change_directory(reform(Changing("H22.31.21", name="Khác")))
    assert error_of(lambda: office.engine.impact(preview)) == ("import.changed", "confirm")
