"""A delivery that nobody takes dies, its sender is told, an operator queues it again.

Through the installed command, on a closed directory and against a daemon.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.commands import serving
from support.house import House, made

from router import limits
from router.engine import Engine
from router.model.answers import Receipt
from router.ports import ManualClock, SystemClock

COMMUNE, OTHER = "H22.31.20", "H22.31.21"


def die(data: Path, *units: str) -> tuple[Receipt, str]:
    """Submit letter 1 and let its deliveries to some units die; return one of their ids.

    The clock runs ahead of the command's, by some seconds.
    """
    clock = ManualClock(SystemClock().now_us())
    with Engine.open(data, clock=clock) as engine:
        letter = (data / "sample/letter-1.json").read_bytes()
        (receipt,) = engine.submit([letter])
        assert isinstance(receipt, Receipt), receipt
        for _ in range(limits.DELIVERY_ATTEMPTS_MAX):
            for unit in units:
                (one,) = engine.lease(unit, lease_s=1)
            clock.advance(1)
        for unit in units:
            assert engine.lease(unit) == []
    return receipt, one.delivery


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house in which one delivery of letter 1 has died."""
    house = made(tmp_path_factory.mktemp("house"))
    receipt, house.delivery = die(house.home / "data", COMMUNE)
    house.key = receipt.key
    return house


def test_the_story_of_a_dead_delivery(house: House) -> None:
    with serving(house.home, "--data", "data") as (_, house.url):
        board = house.run("track", house.key, "--json", unit="H22").json()
        assert board["states"]["dead"] == 1

        told = house.run("outbox", "--json", unit="H22").json()
        (event,) = told["events"]
        assert (event["kind"], event["address"]) == ("dead", COMMUNE)
        assert event["delivery"] == house.delivery
        assert event["at"].endswith("+07:00")
        shown = house.run("outbox", unit="H22")
        assert "+07:00" in shown.out
        assert house.delivery in shown.out
        assert f"--after {told['cursor']}" in shown.out
        after = house.run("outbox", "--after", told["cursor"], "--json", unit="H22").json()
        assert after["events"] == []
        assert after["cursor"] == told["cursor"]
        empty = house.run("outbox", "--after", told["cursor"], unit="H22")
        assert empty.status == 0
        assert "Nothing is told" in empty.out

        answer = house.run(
            "queue", "redrive", house.key, COMMUNE, OTHER, "H99", "--data", "data",
            "--reason", "Đã sửa máy", "--json", VANBAN__CLIENT__ACTOR="Nam",
        )  # fmt: skip
        assert answer.status == 1, "not all that was named is dead"
        said = answer.json()
        assert [one.get("state", "") for one in said] == ["queued", "queued", ""]
        assert [one.get("code", "") for one in said] == [
            "", "delivery.not_dead", "unit.not_found",
        ]  # fmt: skip
        history = house.run("queue", "show", house.delivery, "--data", "data", "--json").json()
        last = history["delivery"]["history"][-1]
        assert (last["state"], last["actor"], last["reason"]) == ("queued", "Nam", "Đã sửa máy")
        (again,) = house.run("inbox", "--json", unit=COMMUNE).json()
        assert (again["delivery"], again["attempt"]) == (house.delivery, 1)
        nothing = house.run("queue", "redrive", house.key, "--data", "data")
        assert nothing.status == 0
        assert "Nothing of it is dead" in nothing.out


def test_all_that_is_dead_is_queued_again_without_a_daemon(tmp_path: Path) -> None:
    house = made(tmp_path)
    receipt, _ = die(tmp_path / "data", COMMUNE, OTHER)
    name = f"H22|{receipt.document_id}"
    answer = house.run("queue", "redrive", name, "--data", "data")
    assert answer.status == 0, answer
    assert "2 deliveries queued again" in answer.out
    answer = house.run("queue", "redrive", "0" * 32, "--data", "data")
    assert answer.status == 1
    assert "document.not_found" in answer.err
    assert not answer.out


def test_tracking_is_narrowed_below_a_unit_and_to_a_state(house: House) -> None:
    with serving(house.home, "--data", "data") as (_, house.url):
        whole = house.run("track", house.key, "--limit", "1", "--json", unit="H22").json()
        board = house.run("track", house.key, "--below", "H22.31", "--json", unit="H22").json()
        assert 0 < board["recipients"] < whole["recipients"]
        assert all(one["address"].startswith("H22.31.") for one in board["deliveries"])
        answer = house.run("track", house.key, "--below", "H22.31", "--state", "queued", "--limit",
                           "1", unit="H22")  # fmt: skip
        assert answer.status == 0, answer
        assert f"1–1 of {board['states']['queued']}" in answer.out
        for given, code in (
            (["--below", "nobody"], "unit.not_found"), (["--state", "lost"], "field.invalid"),
        ):  # fmt: skip
            answer = house.run("track", house.key, *given, unit="H22")
            assert answer.status == 1
            assert code in answer.err


@pytest.mark.parametrize("given", [["--limit", "0"], ["--after", "x"]])
def test_an_outbox_that_can_not_be_asked_is_said(house: House, given: list[str]) -> None:
    with serving(house.home, "--data", "data") as (_, house.url):
        answer = house.run("outbox", *given, unit="H22")
    assert answer.status in {1, 2}
    assert answer.err
    assert not answer.out


def test_a_unit_that_was_told_nothing_has_an_empty_outbox_as_json(house: House) -> None:
    with serving(house.home, "--data", "data") as (_, house.url):
        answer = house.run("outbox", "--json", unit=COMMUNE)
    assert json.loads(answer.out) == {"events": [], "cursor": "", "more": False}
