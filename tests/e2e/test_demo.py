"""The demo: the main job on real input ends as planned, and a planted fault turns it red."""

from __future__ import annotations

import json

import msgspec
import pytest
from support.commands import vanban

from router.engine import Engine
from router.engine.state import Rooms
from router.model.answers import Receipt
from vanban_bench.demo import run_demo
from vanban_bench.workloads.day import plan_day
from vanban_bench.workloads.sample_directory import ha_giang_directory

SMALL = 60
KEYS = {
    "documents", "accepted", "repeated", "refused", "deliveries", "acknowledged", "lost",
    "duplicated", "misrouted", "seconds",
}  # fmt: skip


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    home = tmp_path_factory.mktemp("demo")
    return vanban("demo", "--documents", "120", "--json", "--data", "day", cwd=home), home


def test_it_ends_with_0_and_the_planned_counts(printed):
    answer, _ = printed
    assert answer.status == 0, answer.err
    report = answer.json()
    assert set(report) >= KEYS
    plan = plan_day(ha_giang_directory(), 2024, 120)
    outcomes = plan.outcomes()
    assert report["documents"] == len(plan.documents) == sum(outcomes.values())
    assert report["accepted"] == outcomes.pop("accepted") == 120
    assert report["repeated"] == outcomes.pop("repeated")
    assert report["refused"] == outcomes
    assert report["deliveries"] == plan.deliveries()
    assert report["acknowledged"] + report["returned"] == report["deliveries"]
    assert report["returned"] == 1
    for count in ("lost", "duplicated", "misrouted", "altered"):
        assert report[count] == 0
    assert {"sign", "route", "lease", "acknowledge"} <= set(report["seconds"])
    assert report["faults"] == []


def test_every_kind_of_refusal_is_among_them(printed):
    report = printed[0].json()
    assert set(report["refused"]) == {
        "signature.invalid", "certificate.expired", "sender.mismatch", "recipient.unknown",
        "audience.empty", "document.secret", "document.conflict",
    }  # fmt: skip


def test_it_shows_a_board_and_says_why_and_why_not(printed):
    report = printed[0].json()
    board = report["board"]
    assert board["states"]["delivered"] > 0
    assert board["states"]["queued"] > 0
    assert board["states"]["refused"] == 1
    assert set(board["by_tier"]) == {"commune"}, "a broadcast to all communes is preferred"
    assert [one["receives"] for one in report["explanations"]] == [True, False]
    assert sum(report["deliveries_by_tier"].values()) == report["deliveries"]
    assert sum(report["deliveries_by_lane"].values()) == report["deliveries"]


def test_the_data_directory_it_keeps_is_sound(printed):
    answer, home = printed
    assert answer.status == 0
    checked = vanban("check", "--data", "day", "--json", cwd=home)
    assert (checked.status, checked.json()["wrong"]) == (0, [])


def test_the_tables_are_for_people(tmp_path):
    answer = vanban("demo", "--documents", str(SMALL), cwd=tmp_path)
    assert answer.status == 0
    for said in ("Every count as planned.", "refused document.secret", "Deliveries by tier",
                 "Who has it", "does not receive it", "Seconds by stage"):  # fmt: skip
        assert said in answer.out
    assert "…" not in answer.out
    assert list(tmp_path.iterdir()) == []


def test_the_same_seed_gives_the_same_day_and_another_seed_another(tmp_path):
    first, again, other = (
        run_demo(tmp_path / f"day-{place}", documents=20, seed=seed)
        for place, seed in enumerate((1, 1, 2))
    )
    assert first.as_planned
    assert again.as_planned
    assert other.as_planned
    assert first.deliveries_by_lane == again.deliveries_by_lane
    assert first.explanations[0].unit == again.explanations[0].unit
    assert first.deliveries != other.deliveries


# -- planted faults --------------------------------------------------------------------


def faults_of(tmp_path):
    report = run_demo(tmp_path / "day", documents=20)
    assert not report.as_planned
    return report


def test_a_lost_delivery_turns_it_red(tmp_path, monkeypatch):
    honest = Engine.lease
    lost = []

    def lease(self, *arguments, **options):
        deliveries = honest(self, *arguments, **options)
        if deliveries and not lost:
            lost.append(deliveries.pop())
        return deliveries

    monkeypatch.setattr(Engine, "lease", lease)
    report = faults_of(tmp_path)
    assert report.lost == 1
    assert "lost: planned 0, found 1" in report.faults


def lie_about_places(monkeypatch):
    """Let each unit stand where its neighbour stands, in every snapshot."""
    honest = Rooms.places

    def places(self, address):
        there = honest(self, address)
        return lambda numbers: {number: place + 1 for number, place in there(numbers).items()}

    monkeypatch.setattr(Rooms, "places", places)


def test_a_lie_about_membership_turns_it_red(tmp_path, monkeypatch):
    lie_about_places(monkeypatch)
    assert faults_of(tmp_path).misrouted > 0


def test_a_delivery_that_is_handed_out_again_turns_it_red(tmp_path, monkeypatch):
    honest = Engine.lease
    first = []

    def lease(self, *arguments, **options):
        deliveries = honest(self, *arguments, **options)
        if deliveries:
            first.append(deliveries[0])
        elif len(first) == 1:  # the same unit asks whether there is more
            deliveries = [first[0]]
            first.append(first[0])
        return deliveries

    monkeypatch.setattr(Engine, "lease", lease)
    assert faults_of(tmp_path).duplicated == 1


def test_altered_bytes_turn_it_red(tmp_path, monkeypatch):
    honest = Engine.lease

    def lease(self, *arguments, **options):
        return [
            msgspec.structs.replace(one, payload=one.payload + b" ")
            for one in honest(self, *arguments, **options)
        ]

    monkeypatch.setattr(Engine, "lease", lease)
    assert faults_of(tmp_path).altered > 0


def test_an_outcome_that_was_not_planned_turns_it_red(tmp_path, monkeypatch):
    honest = Engine.submit_many

    def submit_many(self, items):
        return [
            msgspec.structs.replace(one, repeated=True) if isinstance(one, Receipt) else one
            for one in honest(self, items)
        ]

    monkeypatch.setattr(Engine, "submit_many", submit_many)
    report = faults_of(tmp_path)
    assert any("planned accepted, found repeated" in fault for fault in report.faults)
    assert json.loads(msgspec.json.encode(report))["board"] is None


def test_a_red_demo_ends_the_command_with_1(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from router.cli.demo import demo

    lie_about_places(monkeypatch)
    monkeypatch.chdir(tmp_path)
    answer = CliRunner().invoke(demo, ["--documents", "20", "--json"])
    assert answer.exit_code == 1
    assert "not as planned" in answer.output
