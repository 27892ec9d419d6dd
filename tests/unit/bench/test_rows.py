"""A benchmark row compares equal work, interleaved, and says which way is better."""

from __future__ import annotations

import gc
from typing import Any

import msgspec
import pytest

from vanban_bench import rows
from vanban_bench.rows import Case, DigestMismatchError, Row, check, measure, ratio_of


def case(**changes: Any) -> Case:
    given: dict[str, Any] = {
        "suite": "planted",
        "name": "sum",
        "unit": "us",
        "peer": "loop",
        "ours": lambda: 3,
        "theirs": lambda: 1 + 2,
        "digest": str,
    }
    return Case(**(given | changes))


def test_both_sides_are_timed_in_turn_after_one_check_each() -> None:
    calls: list[str] = []

    def ours() -> int:
        calls.append("A")
        return 3

    def theirs() -> int:
        calls.append("B")
        return 3

    row = measure(case(ours=ours, theirs=theirs, loops_ours=2), rounds=3)
    assert "".join(calls) == "AB" + "AAB" * 3
    assert row.rounds == 3


def test_different_answers_are_refused_before_anything_is_timed() -> None:
    calls: list[str] = []

    def theirs() -> int:
        calls.append("B")
        return 4

    with pytest.raises(DigestMismatchError, match="planted/sum"):
        measure(case(theirs=theirs), rounds=5)
    assert calls == ["B"]


def test_the_digest_is_over_the_canonical_form_and_equal_for_equal_answers() -> None:
    one = check(case(ours=lambda: {2, 1}, theirs=lambda: [1, 2], digest=lambda a: str(sorted(a))))
    other = check(case(ours=lambda: [2, 1], theirs=lambda: (1, 2), digest=lambda a: str(sorted(a))))
    assert one == other
    assert len(one) == 64


def test_a_ratio_above_one_means_better() -> None:
    assert ratio_of(1.0, 4.0, "lower") == 4.0
    assert ratio_of(4.0, 1.0, "lower") == 0.25
    assert ratio_of(4.0, 1.0, "higher") == 4.0
    assert ratio_of(0.0, 1.0, "lower") == float("inf")
    assert ratio_of(0.0, 0.0, "lower") == 1.0


def test_a_row_without_a_peer_has_no_ratio() -> None:
    row = measure(case(peer=None, theirs=None), rounds=1)
    assert row.ratio is None
    assert b"ratio" not in msgspec.json.encode(row)


def test_a_rate_is_calls_a_second() -> None:
    row = measure(case(unit="1/s", better="higher"), rounds=1)
    assert row.value > 0
    assert row.ratio is not None


def test_the_value_is_that_of_one_item(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_seconds", lambda call, loops: 8.0)
    row = measure(case(unit="s", items=4), rounds=1)
    assert (row.value, row.peer_value, row.ratio) == (2.0, 2.0, 1.0)
    assert measure(case(unit="1/s", better="higher", items=4), rounds=1).value == 0.5


@pytest.mark.parametrize(
    "changes",
    [
        {"unit": "furlong"},
        {"unit": "1/s"},
        {"better": "higher"},
        {"peer": None},
        {"theirs": None},
        {"loops_ours": 0},
        {"loops_theirs": 0},
        {"items": 0},
    ],
)
def test_a_case_that_does_not_go_together_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="sum"):
        case(**changes)


def test_no_round_is_no_measurement() -> None:
    with pytest.raises(ValueError, match="round"):
        measure(case(), rounds=0)


def test_the_collector_is_off_while_timing_and_on_again_after_a_failure() -> None:
    seen: list[bool] = []

    def ours() -> int:
        seen.append(gc.isenabled())
        if len(seen) == 2:
            raise RuntimeError("planted")
        return 3

    assert gc.isenabled()
    with pytest.raises(RuntimeError, match="planted"):
        measure(case(ours=ours), rounds=1)
    assert seen == [True, False]
    assert gc.isenabled()


def test_a_row_survives_json() -> None:
    row = measure(case(), rounds=1)
    assert msgspec.json.decode(msgspec.json.encode(row), type=Row) == row
