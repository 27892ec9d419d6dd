"""The operator's commands on a queue and its files, on a closed directory and beside a daemon."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from support import format1
from support.commands import serving, vanban
from support.house import KEY, made

from router.engine import Engine
from router.ports import ManualClock

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A house with a daemon, two letters in it, one delivery taken and one held."""
    house = made(tmp_path_factory.mktemp("house"))
    with serving(house.home, "--data", "data") as (_, house.url):
        for letter in (1, 2):
            answer = house.run("submit", f"data/sample/letter-{letter}.json", unit="H22")
            assert answer.status == 0, answer
            house.key = KEY.search(answer.out)[1]
        answer = house.run("inbox", "--json", unit="H22.31")
        [delivery] = answer.json()
        house.delivery = delivery["delivery"]
        assert house.run("ack", house.delivery, unit="H22.31").status == 0
        assert house.run("inbox", "--limit", "1", unit="H22.31.20").status == 0
        yield house


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """A house of one's own without a daemon."""
    return made(tmp_path_factory.mktemp("quiet"))


# -- vanban queue -----------------------------------------------------------------------


def test_stats_count_sizes_and_tell_what_waits_longest(house):
    answer = house.run("queue", "stats", "--data", "data", "--json")
    said = answer.json()
    assert said["counters"]["documents"] == 2
    assert said["counters"]["delivered"] == 1
    assert said["counters"]["leased"] == 1
    assert said["log_bytes"] > 0
    assert said["file_bytes"] >= said["used_bytes"] > 0
    assert re.fullmatch("[0-9a-f]{32}", said["oldest"]["key"])
    assert said["at"].endswith("+07:00")
    answer = house.run("queue", "stats", "--data", "data")
    assert "█" in answer.out
    assert "+07:00" in answer.out
    assert said["oldest"]["key"] in answer.out


def test_documents_are_listed_by_state_sender_and_age_in_pages(house):
    pages, after = [], ""
    while True:
        answer = house.run(
            "queue", "list", "--data", "data", "--limit", "1", "--after", after, "--json"
        )
        page = answer.json()
        pages += page.get("documents", [])
        after = page.get("next_after", "")
        if not after:
            break
    assert len(pages) == 2
    assert pages[1]["key"] == house.key
    assert pages[1]["states"]["delivered"] == 1
    for given, count in (
        (["--state", "delivered"], 1), (["--state", "refused"], 0), (["--unit", "H22"], 2),
        (["--unit", "H22.31"], 0), (["--older", "60"], 0), (["--state", "open"], 2),
    ):  # fmt: skip
        answer = house.run("queue", "list", "--data", "data", "--json", *given)
        assert len(answer.json().get("documents", [])) == count, given
    table = house.run("queue", "list", "--data", "data").out
    assert house.key in table


def test_deliveries_are_listed_by_state_and_address(house):
    answer = house.run("queue", "list", "--deliveries", "--state", "delivered", "--data", "data",
                       "--json")  # fmt: skip
    [one] = answer.json()["deliveries"]
    assert (one["delivery"], one["address"]) == (house.delivery, "H22.31")
    answer = house.run("queue", "list", "--deliveries", "--unit", "H22.31.20", "--data", "data",
                       "--json")  # fmt: skip
    assert [one["state"] for one in answer.json()["deliveries"]] == ["leased"]
    seen, after = [], ""
    while True:
        answer = house.run("queue", "list", "--deliveries", "--limit", "70", "--data", "data",
                           "--after", after, "--json")  # fmt: skip
        page = answer.json()
        seen += [one["delivery"] for one in page.get("deliveries", [])]
        after = page.get("next_after", "")
        if not after:
            break
    counted = house.run("queue", "stats", "--data", "data", "--json").json()["counters"]
    assert len(seen) == len(set(seen)) == counted["recipients"] - counted["delivered"]


def test_a_document_and_a_delivery_are_shown_with_history(house):
    said = house.run("queue", "show", house.key, "--data", "data", "--json").json()
    assert said["document"]["key"] == house.key
    name = f"H22|{said['document']['document_id']}"
    assert house.run("queue", "show", name, "--data", "data").status == 0
    said = house.run("queue", "show", house.delivery, "--data", "data", "--json").json()
    assert [one["state"] for one in said["delivery"]["history"]] == [
        "queued",
        "leased",
        "delivered",
    ]
    table = house.run("queue", "show", house.delivery, "--data", "data").out
    assert "delivered" in table
    assert house.key in table


@pytest.mark.parametrize("name", ["0" * 32, "A" * 27, "H22|none", "x", ""])
def test_what_is_not_there_is_not_found(house, name):
    answer = house.run("queue", "show", name, "--data", "data")
    assert answer.status == 1
    assert "not_found" in answer.err


def test_the_shape_adds_up_by_unit_parent_and_tier(house):
    stats = house.run("queue", "stats", "--data", "data", "--json").json()["counters"]
    still = stats["recipients"] - stats["delivered"]
    for by in ("unit", "parent", "tier"):
        answer = house.run("queue", "shape", "--by", by, "--data", "data", "--limit", "1000",
                           "--json")  # fmt: skip
        said = answer.json()
        assert said["minutes"] == [5, 10, 20, 40, 80, 160, 320, 640, 1280]
        assert said["total"]["open"] == still
        assert sum(row["open"] for row in said["rows"]) == still
        assert all(sum(row["ages"]) == row["open"] for row in said["rows"])
        assert said["destinations"] == len(said["rows"])
    within = house.run("queue", "shape", "--within", "H22.31", "--data", "data", "--json").json()
    assert 0 < within["total"]["open"] < still
    assert all(row["code"].startswith("H22.31") for row in within["rows"])
    table = house.run("queue", "shape", "--by", "tier", "--data", "data").out
    assert "1280+" in table
    assert "█" in table


def test_old_deliveries_stand_in_later_columns(tmp_path):
    said = format1.directory(tmp_path / "data")
    clock = ManualClock(said["now"])
    engine = Engine.open(tmp_path / "data", clock=clock)
    first = engine.queue_shape(by="tier").total.ages
    clock.advance(1_280 * 60)
    later = engine.queue_shape(by="tier").total.ages
    clock.advance(30 * 86_400)
    last = engine.queue_shape(by="tier").total.ages
    engine.close()
    assert first.index(max(first)) < later.index(max(later))
    assert last[-1] == sum(last) == sum(first)


@pytest.mark.parametrize(
    "given",
    [
        ["list", "--state", "lost"],
        ["list", "--after", "x"],
        ["list", "--limit", "0"],
        ["list", "--unit", "nobody"],
        ["shape", "--within", "nobody"],
        ["shape", "--by", "colour"],
    ],
)
def test_what_can_not_be_asked_is_said(house, given):
    answer = house.run("queue", *given, "--data", "data")
    assert answer.status in {1, 2}
    assert answer.err
    assert not answer.out


# -- backup, restore, check -------------------------------------------------------------


def test_a_backup_beside_a_daemon_is_restored_and_opens(house, tmp_path):
    answer = house.run("backup", "data", str(tmp_path / "backup"), "--json")
    assert answer.status == 0, answer
    said = answer.json()
    assert said["documents"] == 2
    assert said["sequence"] > 0
    assert vanban("check", "backup", cwd=tmp_path).status == 0
    answer = vanban("restore", "backup", "again", cwd=tmp_path)
    assert answer.status == 0, answer
    stats = vanban("queue", "stats", "--data", "again", "--json", cwd=tmp_path).json()
    assert stats["counters"]["documents"] == 2
    assert stats["sequence"] > said["sequence"] + (1 << 32)
    [restoration] = stats["restorations"]
    assert restoration["sequence"] == said["sequence"]
    assert restoration["actor"] == "operator"
    answer = vanban("check", "again", "--json", cwd=tmp_path)
    assert answer.status == 0, answer
    assert answer.json()["wrong"] == []
    answer = vanban("queue", "stats", "--data", "again", cwd=tmp_path)
    assert "restored" in answer.out


def test_a_backup_and_a_restoration_write_over_nothing(house, tmp_path):
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup" / "mine").write_text("mine")
    answer = house.run("backup", "data", str(tmp_path / "backup"))
    assert answer.status == 2
    assert "store.exists" in answer.err
    answer = house.run("restore", "data", str(tmp_path / "again"))
    assert answer.status == 2
    assert "store.no_backup" in answer.err
    assert [entry.name for entry in tmp_path.iterdir()] == ["backup"]


def test_nothing_is_served_from_a_backup(quiet):
    assert vanban("backup", "data", "backup", cwd=quiet.home).status == 0
    answer = vanban("serve", "--data", "backup", cwd=quiet.home)
    assert answer.status == 2
    assert "store.backup" in answer.err
    assert "vanban restore" in answer.err
    answer = vanban("serve", "--data", "backup", cwd=quiet.home, VANBAN_LANG="vi")
    assert "bản sao lưu" in answer.err


def test_a_check_names_the_place_of_damage(quiet, tmp_path):
    shutil.copytree(quiet.home / "data", tmp_path / "data")
    answer = vanban("check", "data", cwd=tmp_path)
    assert answer.status == 0, answer
    assert "All well" in answer.out
    segment = tmp_path / "data" / "log" / "00000001.seg"
    data = bytearray(segment.read_bytes())
    data[5_000] ^= 1
    segment.write_bytes(data)
    answer = vanban("check", "--data", "data", cwd=tmp_path)
    assert answer.status == 1
    assert "00000001.seg" in answer.out
    answer = vanban("check", "data", "--json", cwd=tmp_path)
    assert answer.status == 1
    assert any("00000001.seg" in line for line in answer.json()["wrong"])


def test_a_check_beside_a_daemon_asks_it(house):
    answer = house.run("check", "data", "--json")
    assert answer.status == 0, answer
    assert answer.json()["stored"]["documents"] == 2


@pytest.mark.parametrize("place", ["nothing", "empty", "foreign", "file"])
def test_a_check_of_what_is_no_data_directory(tmp_path, place):
    target = tmp_path / place
    if place == "file":
        target.write_text("x")
    elif place != "nothing":
        target.mkdir()
    if place == "foreign":
        (target / "letters.txt").write_text("mine")
    answer = vanban("check", place, cwd=tmp_path)
    assert answer.status == 2, answer
    assert answer.err
    if place == "foreign":
        assert [entry.name for entry in target.iterdir()] == ["letters.txt"]


# -- formats ----------------------------------------------------------------------------


def test_a_directory_of_the_version_before_is_migrated_and_it_is_said(tmp_path):
    said = format1.directory(tmp_path / "data")
    answer = vanban("check", "data", cwd=tmp_path)
    assert answer.status == 2
    assert "store.format_old" in answer.err
    assert json.loads((tmp_path / "data" / "FORMAT").read_text())["format"] == 1
    answer = vanban("queue", "stats", "--data", "data", "--json", cwd=tmp_path)
    assert answer.status == 0, answer
    assert "store-format-1" in answer.err
    assert answer.json()["counters"]["documents"] == said["counts"]["documents"]
    answer = vanban("queue", "stats", "--data", "data", cwd=tmp_path)
    assert not answer.err
    assert vanban("check", "data", cwd=tmp_path).status == 0


def test_a_newer_directory_is_refused_with_what_is_known(quiet, tmp_path):
    shutil.copytree(quiet.home / "data", tmp_path / "data")
    place = tmp_path / "data" / "FORMAT"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"format": 7}))
    for command in (["check", "data"], ["queue", "stats", "--data", "data"],
                    ["serve", "--data", "data"], ["backup", "data", "backup"]):  # fmt: skip
        answer = vanban(*command, cwd=tmp_path)
        assert answer.status == 2, answer
        assert "store.format" in answer.err
        assert "7 (" in answer.err
        assert "2 (" in answer.err


def commands_of_the_page() -> list[list[list[str]]]:
    """The blocks of commands on the operators' page, each as words."""
    page = DOCS / "operations.md"
    blocks = re.findall(r"^```sh\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [[shlex.split(line) for line in block.splitlines()] for block in blocks]


@pytest.mark.parametrize("commands", commands_of_the_page(), ids=lambda block: block[0][1])
def test_the_pages_commands_run_in_their_order(commands, tmp_path):
    assert len(commands) > 5
    if commands[0][1] == "policy":
        shutil.copy(DOCS / "examples/policy/province.toml", tmp_path / "policy.toml")
        assert vanban("init", "--data", "vanban-data", "--sample", cwd=tmp_path).status == 0
    for command in commands:
        assert command[0] == "vanban"
        answer = vanban(*command[1:], cwd=tmp_path)
        assert answer.status == 0, (command, answer)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STORE__RESERVE_BYTES", "-1"),
        ("STORE__RESERVE_BYTES", str(1 << 49)),
        ("STORE__OVERLAY_BYTES_MAX", "0"),
        ("STORE__OVERLAY_BYTES_MAX", str(1 << 60)),
        ("STORE__IN_FLIGHT_PER_SENDER_MAX", "0"),
        ("STORE__PENDING_PER_RECIPIENT_MAX", "99999999999"),
        ("HTTP__BODY_BYTES_WAITING_MAX", "1" + "0" * 30),
        ("INBOX__LEASES_MAX", "many"),
    ],
)
def test_an_absurd_limit_is_refused_by_name_before_anything_is_touched(quiet, name, value):
    before = sorted(file.name for file in (quiet.home / "data" / "log").iterdir())
    answer = vanban("serve", "--data", "data", cwd=quiet.home, **{f"VANBAN__{name}": value})
    assert answer.status in {1, 2}
    assert f"settings.invalid ({name.lower().replace('__', '.')})" in answer.err
    assert sorted(file.name for file in (quiet.home / "data" / "log").iterdir()) == before
