"""The operator's commands on a directory without a segment log, which an embedding program made."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commands import serving, vanban
from support.daemon import Town, found

from router.client import Client
from router.engine import Engine
from router.ports import SystemClock
from router.queue import GroupStore
from router.queue.datadir import GROUP_KIND, read_format

COMMUNE = "H22.31.20"


@pytest.fixture
def town(tmp_path: Path) -> Town:
    store = GroupStore.open(tmp_path / "data", clock_us=SystemClock().now_us())
    with Engine.over(store) as engine:
        town = found(engine)
        engine.submit([town.envelope("H22", COMMUNE), town.envelope("H22", "all")])
        (one, _) = engine.lease(COMMUNE)
        engine.acknowledge(COMMUNE, [one.delivery])
    return town


def kind_at(path: Path) -> str:
    known = read_format(path)
    assert known is not None
    return known.store


def test_it_is_served_checked_backed_up_and_restored(tmp_path: Path, town: Town) -> None:
    assert vanban("check", "data", cwd=tmp_path).status == 0
    with serving(tmp_path, "--data", "data") as (_, url):
        with Client(url, town.tokens["H22"]) as client:
            client.submit(town.envelope("H22", COMMUNE))
        answer = vanban("backup", "data", str(tmp_path / "backup"), "--json", cwd=tmp_path)
        assert answer.status == 0, answer
        said = answer.json()
        assert said["documents"] == 3
        assert said["at"].endswith("+07:00")
    answer = vanban("check", "backup", "--json", cwd=tmp_path)
    assert (answer.status, answer.json()["wrong"]) == (0, [])
    answer = vanban("serve", "--data", "backup", cwd=tmp_path)
    assert answer.status == 2
    assert "store.backup" in answer.err
    answer = vanban("restore", "backup", "again", cwd=tmp_path)
    assert answer.status == 0, answer
    assert kind_at(tmp_path / "again") == kind_at(tmp_path / "data") == GROUP_KIND
    stats = vanban("queue", "stats", "--data", "again", "--json", cwd=tmp_path).json()
    assert stats["counters"]["documents"] == 3
    assert stats["counters"]["delivered"] == 1
    assert [one["sequence"] for one in stats["restorations"]] == [said["sequence"]]
    assert vanban("check", "again", cwd=tmp_path).status == 0


def test_damage_is_named_with_its_place(tmp_path: Path, town: Town) -> None:
    del town
    file = tmp_path / "data" / "store" / "data.mdb"
    data = bytearray(file.read_bytes())
    data[8192:] = b"\xff" * (len(data) - 8192)
    file.write_bytes(data)
    answer = vanban("check", "data", cwd=tmp_path)
    assert answer.status == 1
    assert "store/data.mdb" in answer.out
