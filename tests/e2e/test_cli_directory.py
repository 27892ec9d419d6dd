"""The directory at the command line: dated lists previewed, confirmed, shown and compared."""

from __future__ import annotations

import csv
import io
import json
import re

import msgspec
import pytest
from support.commands import serving, vanban
from support.house import House, made
from support.lists import NOVEMBER, SEPTEMBER
from support.office import UNITS
from support.sources import ROOT

PAGE = (ROOT / "docs" / "directory.md").read_text("utf-8")
DOCUMENTED = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
FIRST = """\
gso_code,tier,kind,name,parent_gso_code
02,2,tỉnh,Tỉnh Hà Giang,
024,3,thành phố thuộc tỉnh,Thành phố Hà Giang,02
026,3,huyện,Huyện Đồng Văn,02
00688,4,phường,Phường Quang Trung,024
00690,4,xã,Xã Ngọc Đường,024
00712,4,xã,Xã Lũng Cú,026
"""
SECOND = """\
gso_code,tier,kind,name,parent_gso_code
02,2,tỉnh,Tỉnh Hà Giang,
026,3,huyện,Huyện Đồng Văn,02
024,3,thành phố thuộc tỉnh,Thành phố Hà Giang,02
00712,4,xã,Xã Lũng Cú,026
00688,4,phường,Phường Ngọc Đường,024
"""


def run(house: House, *arguments: str, stdin: bytes = b"", **settings: str):
    return vanban(*arguments, cwd=house.home, stdin=stdin, **settings)


@pytest.fixture
def empty(tmp_path) -> House:
    """A data directory without a unit, and two dated lists beside it."""
    assert vanban("init", cwd=tmp_path).status == 0
    (tmp_path / "first.csv").write_text(FIRST, encoding="utf-8")
    (tmp_path / "second.csv").write_text(SECOND, encoding="utf-8")
    return House(tmp_path)


@pytest.fixture
def dated(empty) -> House:
    """The same with both lists taken in."""
    first = run(empty, "directory", "import", "first.csv", "--at", "2024-09-01", "--yes")
    assert first.status == 0, first
    second = run(
        empty, "directory", "import", "second.csv", "--at", "2024-11-01", "--complete", "--yes"
    )
    assert second.status == 0, second
    return empty


@pytest.fixture
def office(tmp_path) -> House:
    """The small province of the documented examples."""
    assert vanban("init", cwd=tmp_path).status == 0
    (tmp_path / "units.json").write_bytes(msgspec.json.encode(UNITS))
    assert vanban("directory", "import", "units.json", cwd=tmp_path).status == 0
    return House(tmp_path)


def listed(text: str) -> dict[str, str]:
    """Code -> name of an exported list."""
    return {row["code"]: row["name"] for row in csv.DictReader(io.StringIO(text.lstrip("\ufeff")))}


# -- lists -----------------------------------------------------------------------------


def test_nothing_of_a_list_is_applied_before_it_is_confirmed(empty):
    answer = run(empty, "directory", "import", "first.csv", "--at", "2024-09-01")
    assert answer.status == 0
    assert "6 rows read" in answer.out
    assert "Nothing is applied yet." in answer.out
    assert run(empty, "directory", "show", "--json").json()["units"] == 0
    (again,) = re.findall(r"Apply it with: vanban (.*)", answer.out)
    applied = run(empty, *again.split())
    assert (applied.status, "Applied: 6 facts" in applied.out) == (0, True)
    assert run(empty, "directory", "show", "--json").json()["open"] == 6


def test_a_preview_is_refused_when_the_directory_or_the_list_changed_since(empty):
    how = ("directory", "import", "first.csv", "--at", "2024-09-01")
    seen = run(empty, *how, "--json").json()
    assert seen["applied"] is None
    (empty.home / "first.csv").write_text(FIRST.replace("Lũng Cú", "Lũng Cú 2"), encoding="utf-8")
    changed = run(empty, *how, "--confirm", seen["confirm"])
    assert (changed.status, "import.changed" in changed.err) == (1, True)
    (empty.home / "first.csv").write_text(FIRST, encoding="utf-8")
    run(empty, "group", "define", "tất cả", "all")
    stale = run(empty, *how, "--confirm", seen["confirm"])
    assert (stale.status, "import.changed" in stale.err) == (1, True)
    assert run(empty, "directory", "show", "--json").json()["units"] == 0


def test_two_dated_lists_give_each_its_date_and_name_what_is_to_be_done(dated):
    for day, text in (("2024-09-01", FIRST), ("2024-10-31", FIRST), ("2024-11-01", SECOND)):
        exported = listed(run(dated, "directory", "export", "--at", day).out)
        rows = csv.DictReader(io.StringIO(text))
        assert exported == {f"GSO:{row['gso_code']}": row["name"] for row in rows}, day
    before = run(dated, "directory", "show", "--at", "2024-10-31", "--json").json()
    after = run(dated, "directory", "show", "--at", "2024-11-01", "--json").json()
    assert (before["open"], after["open"], after["unknown_successors"]) == (6, 5, 1)
    told = run(dated, "directory", "diff", "2024-10-31", "01/11/2024")
    assert "Phường Quang Trung (GSO:00688) is renamed Phường Ngọc Đường" in told.out
    assert "Xã Ngọc Đường (GSO:00690) closes on 2024-11-01, successor unknown" in told.out
    checked = run(dated, "directory", "check")
    assert (checked.status, "GSO:00690" in checked.out) == (1, True)


def test_impact_of_a_list_points_to_the_import(empty):
    answer = run(empty, "directory", "impact", "first.csv")
    assert (answer.status, "import LIST --impact" in answer.err) == (1, True)


def test_a_preview_says_what_it_would_do_to_groups(empty):
    run(empty, "directory", "import", "first.csv", "--at", "2024-09-01", "--yes")
    run(empty, "group", "define", "xã Ngọc Đường", "gso:00690")
    how = ("directory", "import", "second.csv", "--at", "2024-11-01", "--complete", "--impact")
    assert "xã Ngọc Đường" in run(empty, *how).out
    assert run(empty, *how, "--json").json()["impact"] is not None
    assert run(empty, "directory", "show", "--json").json()["unknown_successors"] == 0


def test_the_same_list_again_changes_nothing_whatever_the_order_of_its_rows(dated):
    head, *rows = SECOND.splitlines()
    turned = "\r\n".join([head, *reversed(rows)])
    (dated.home / "second.csv").write_bytes(b"\xef\xbb\xbf" + turned.encode())
    answer = run(
        dated, "directory", "import", "second.csv", "--at", "2024-11-01", "--complete", "--yes"
    )
    assert (answer.status, "Nothing changes." in answer.out) == (0, True)
    assert "Applied" not in answer.out
    run(dated, "directory", "export", "--at", "2024-11-01", "--out", "export.csv")
    as_data = run(dated, "directory", "export", "--at", "2024-11-01", "--json")
    assert as_data.json()[0]["code"] == "GSO:02"
    (dated.home / "export.json").write_text(as_data.out, encoding="utf-8")
    assert run(dated, "directory", "import", "export.json").status == 0
    again = run(
        dated, "directory", "import", "export.csv", "--at", "2024-11-01", "--complete", "--yes"
    )
    assert "Nothing changes." in again.out


def test_the_successor_that_was_unknown_is_named_by_the_file_that_was_written(empty):
    run(empty, "directory", "import", "first.csv", "--at", "2024-09-01", "--yes")
    how = ("directory", "import", "second.csv", "--at", "2024-11-01", "--complete",
           "--successors", "todo.json")  # fmt: skip
    seen = run(empty, *how)
    assert "todo.json is written when the change is applied." in seen.out
    assert "--successors todo.json --confirm" in seen.out
    assert not (empty.home / "todo.json").exists()
    answer = run(empty, *how, "--yes")
    assert "then: vanban directory import todo.json" in answer.out
    unfilled = run(empty, "directory", "import", "todo.json")
    assert "nothing changes" in unfilled.out
    todo = json.loads((empty.home / "todo.json").read_text("utf-8"))
    (fix,) = todo["fixes"]
    assert "Phường Ngọc Đường" in fix["_perhaps"][0]
    fix["successors"] = ["gso:99999"]
    (empty.home / "todo.json").write_text(json.dumps(todo))
    assert (
        "(todo.json: fixes[0].successors[0])" in run(empty, "directory", "import", "todo.json").err
    )
    fix["successors"] = ["gso:00688"]
    (empty.home / "todo.json").write_text(json.dumps(todo))
    assert run(empty, "directory", "import", "todo.json").status == 0
    shown = run(empty, "directory", "show", "00690", "--at", "2024-11-01", "--json").json()
    assert [heir["code"] for heir in shown["successors"]] == ["GSO:00688"]
    assert shown["state"] == "closed"
    heir = run(empty, "directory", "show", "00688", "--at", "2024-11-01", "--json").json()
    assert [unit["code"] for unit in heir["predecessors"]] == ["GSO:00690"]
    assert run(empty, "directory", "check").status == 0
    now = run(empty, "directory", "history").out
    assert "correction" in now


def test_every_mistake_of_a_list_is_told_by_row_and_column(empty):
    (empty.home / "bad.csv").write_text(
        "gso_code,tier,kind,name,parent_gso_code\n02,9,tỉnh,Tỉnh Hà Giang,\n024,3,huyện,,02\n",
        encoding="utf-8",
    )
    answer = run(empty, "directory", "import", "bad.csv", "--yes")
    assert answer.status == 1
    assert "row 2, column tier" in answer.err
    assert "row 3, column name" in answer.err
    told = run(empty, "directory", "import", "bad.csv", "--yes", "--json")
    assert [one["row"] for one in told.json()["problems"]] == [2, 3]
    in_vietnamese = run(empty, "directory", "import", "bad.csv", "--yes", VANBAN_LANG="vi")
    assert "dòng 2, cột tier" in in_vietnamese.err
    assert run(empty, "directory", "show", "--json").json()["units"] == 0


def test_who_stops_reading_the_preview_does_not_stop_the_import(empty):
    """`vanban directory import … --yes | head -1` applies all the same."""
    import subprocess

    from support.commands import VANBAN, environment

    command = f"{VANBAN} directory import {SEPTEMBER} --at 2024-09-01 --yes --all | head -1"
    subprocess.run(["bash", "-c", command], cwd=empty.home, env=environment(), check=True,
                   capture_output=True, timeout=60)  # fmt: skip
    assert run(empty, "directory", "show", "--json").json()["units"] == 11_304


def test_the_countrys_two_lists_are_taken_in_and_the_later_date_is_the_later_list(empty):
    for file, day in ((SEPTEMBER, "2024-09-01"), (NOVEMBER, "2024-11-01")):
        how = ("--at", day, "--complete", "--yes")
        answer = run(empty, "directory", "import", str(file), *how)
        assert answer.status == 0, answer
    for file, day, missing in ((SEPTEMBER, "2024-09-01", 5), (NOVEMBER, "2024-11-01", 0)):
        exported = listed(run(empty, "directory", "export", "--at", day).out)
        rows = csv.DictReader(io.StringIO(file.read_text("utf-8")))
        wanted = {f"GSO:{row['gso_code']}": row["name"] for row in rows}
        later = {code: name for code, name in exported.items() if code not in wanted}
        assert len(later) == missing, "the island districts that the first list leaves out"
        assert {code: exported[code] for code in wanted} == wanted
    communes = run(empty, "resolve", "tier(commune)", "--data", "vanban-data", "--codes")
    assert len(communes.out.split()) == 10_472, "more than one page"
    tree = run(empty, "resolve", "descendants(gso:02)", "--data", "vanban-data", "--tree")
    assert "Tỉnh Hà Giang: 11/11 districts, 193/193 communes" in tree.out


# -- changes as data -------------------------------------------------------------------


def test_the_documented_reorganisation_and_correction_do_what_the_page_says(office):
    reorganisation, correction = DOCUMENTED
    (office.home / "reform.json").write_text(json.dumps(reorganisation), encoding="utf-8")
    (office.home / "fixes.json").write_text(json.dumps(correction), encoding="utf-8")
    assert run(office, "directory", "import", "reform.json").status == 0

    def shown(code: str, day: str = "2025-07-01"):
        return run(office, "directory", "show", code, "--at", day, "--json").json()

    assert [heir["code"] for heir in shown("H22.31.20")["successors"]] == ["H22.40"]
    split = shown("H22.32.20")
    assert [heir["code"] for heir in split["successors"]] == ["H22.41", "H22.40"]
    assert split["answers"]["code"] == "H22.41"
    assert shown("H22.31")["state"] == "closed"
    assert shown("H22.32")["unit"]["name"] == "UBND khu vực Mèo Vạc"
    assert shown("H22.32", "2025-06-30")["unit"]["name"] == "UBND huyện Mèo Vạc"
    assert shown("H22.1")["parent"]["code"] == "H22.32"
    assert run(office, "directory", "import", "fixes.json").status == 0
    then = run(office, "directory", "show", "#6", "--at", "2024-03-01", "--json").json()
    assert then["unit"]["name"] == "UBND xã Pả Vi (cũ)"
    said = run(office, "directory", "history", "H22.32.20").out
    assert "Nghị quyết số 01/NQ-HĐND (minh họa)" in said
    assert "Đính chính danh mục (minh họa)" in said


def test_a_mistake_in_a_file_of_changes_is_placed_and_nothing_is_applied(office):
    reorganisation = DOCUMENTED[0]
    wrong = {
        "type": "reorganisation", "title": "", "at": "2025-08-01",
        "events": [{"type": "close", "unit": "H99"}],
    }  # fmt: skip
    (office.home / "two.json").write_text(json.dumps([reorganisation, wrong]), encoding="utf-8")
    answer = run(office, "directory", "import", "two.json")
    assert (answer.status, "[1].events[0].unit" in answer.err) == (1, True)
    assert run(office, "directory", "show", "H22.31", "--json").json()["state"] == "open"
    for text, said in (
        ('{"type": "reform"}', "$.type"),
        ('[{"typ": 1}]', "typ"),
        ('{"type": "reorganisation", "title": "", "at": "2025-13-01", "events": []}', "$.at"),
        ('{"title": "x"}', "reorganisation, correction or group"),
        ("[" * 5_000, "two.json"),
        ("{", "two.json"),
        ("7", "two.json"),
    ):
        (office.home / "two.json").write_text(text, encoding="utf-8")
        answer = run(office, "directory", "import", "two.json")
        assert answer.status == 1
        assert "directory.invalid" in answer.err
        assert said in answer.err, text


# -- groups and recipients -------------------------------------------------------------


def test_a_group_that_a_reform_emptied_is_refused_with_the_day_and_the_act(office):
    assert run(office, "group", "define", "các  huyện", "tier(district)").status == 0
    listed = run(office, "group", "list", "--json").json()
    assert [(one["name"], one["size"]) for one in listed] == [("các huyện", 2)]
    events = [
        {"type": "change", "unit": code, "parent": "H22"}
        for code in ("H22.31.20", "H22.31.21", "H22.32.20")
    ]
    events += [
        {"type": "close", "unit": code, "successors": ["H22"]} for code in ("H22.31", "H22.32")
    ]
    reform = {"type": "reorganisation", "title": "Luật 72/2025/QH15", "at": "2025-07-01"}
    (office.home / "r.json").write_text(json.dumps(reform | {"events": events}), encoding="utf-8")
    assert run(office, "directory", "import", "r.json").status == 0
    asked = ("resolve", 'group("các huyện")', "--data", "vanban-data")
    answer = run(office, *asked, "--at", "2025-08-01")
    assert (answer.status, "group.emptied" in answer.err) == (1, True)
    assert "no member since 2025-07-01, by: Luật 72/2025/QH15" in answer.err
    direct = run(office, "resolve", "tier(district)", "--data", "vanban-data", "--at", "2025-07-01")
    assert "audience.emptied" in direct.err
    assert run(office, *asked, "--at", "2025-06-30", "--count").out == "2\n"
    checked = run(office, "directory", "check", "--at", "2025-07-01", "--json")
    assert [one["code"] for one in checked.json()["findings"]] == ["group-empty"]
    ended = run(office, "group", "end", "các huyện", "--since", "2025-07-01")
    assert ended.status == 0
    assert run(office, "directory", "check", "--at", "2025-07-01").status == 0
    shown = run(office, "group", "show", "các huyện", "--at", "2025-06-30", "--json").json()
    assert [one["selector"] for one in shown["definitions"]] == ["tier(district)", ""]
    assert run(office, "group", "show", "nhóm lạ").status == 1


def test_resolving_explains_one_unit_counts_and_lists_without_a_daemon(office):
    def asked(*arguments: str, **settings: str) -> str:
        answer = run(office, "resolve", *arguments, "--data", "vanban-data", **settings)
        assert answer.status == 0, answer
        return answer.out

    communes = "descendants(H22) & tier(commune)"
    assert asked(communes, "--codes").split() == ["H22.31.20", "H22.31.21", "H22.32.20"]
    assert asked(communes, "--count") == "3\n"
    assert "3/3 communes" in asked(communes, "--tree")
    assert "3/3 đơn vị cấp xã" in asked(communes, "--tree", VANBAN_LANG="vi")
    without = f"({communes}) - children(H22.31)"
    told = asked(without, "--explain", "H22.31.20")
    assert "is not among them: excluded by this part" in told
    assert "is among them" in asked(without, "--explain", "H22.32.20")
    assert asked("siblings(sender)", "--from", "H22.31.20", "--codes").split() == ["H22.31.21"]
    answer = json.loads(asked(without, "--explain", "H22.31.20", "--json"))
    assert answer["explanation"]["reason"] == "excluded"
    assert answer["roll_up"][0]["tiers"] == {"commune": [1, 3]}
    unknown = run(office, "resolve", "all", "--known-at", "2020-01-01", "--data", "vanban-data")
    assert (unknown.status, "audience" in unknown.err) == (1, True)


def test_the_daemon_answers_the_same_and_takes_the_tokens_unit_for_the_sender(tmp_path):
    house = made(tmp_path)
    local = vanban("resolve", "children(H22)", "--codes", "--data", "data", cwd=tmp_path)
    with serving(house.home, "--data", "data") as (_, house.url):
        remote = house.run("resolve", "children(sender)", "--codes", unit="H22")
        assert (remote.status, remote.out) == (0, local.out)
        other = house.run("resolve", "parent(sender)", "--from", "H22.31", "--codes", unit="H22")
        assert other.out == "H22\n"
        tree = house.run("resolve", "descendants(H22)", "--tree", unit="H22")
        assert "143/143 districts, 193/193 communes" in tree.out
        why = house.run("resolve", "children(H22)", "--explain", "H22.31.20", unit="H22")
        assert "is not among them" in why.out
        beside = vanban("resolve", "children(H22)", "--codes", "--data", "data", cwd=tmp_path)
        assert beside.out == local.out


# -- showing ---------------------------------------------------------------------------


def test_the_directory_is_shown_as_it_was_known_before_a_change(dated):
    long_ago = run(dated, "directory", "show", "--known-at", "2024-11-02", "--json").json()
    assert (long_ago["units"], long_ago["open"]) == (0, 0)
    nobody = run(dated, "directory", "show", "00688", "--known-at", "2024-11-02")
    assert (nobody.status, "unit.not_found" in nobody.err) == (1, True)
    shown = run(dated, "directory", "show", "00688", "--at", "2024-09-15")
    assert "Phường Quang Trung" in shown.out
    early = run(dated, "directory", "show", "00688", "--at", "2020-01-01", "--json").json()
    assert early["state"] == "not-yet-open"
    in_vietnamese = run(dated, "directory", "show", "00690", VANBAN_LANG="vi")
    assert "chưa rõ" in in_vietnamese.out
    history = run(dated, "directory", "history", "00688", "--json").json()
    assert [one["said"] for one in history][-1] == ["name"]
    changes = run(dated, "directory", "history", "--json").json()
    assert [one["title"] for one in changes][-1] == "second.csv"
