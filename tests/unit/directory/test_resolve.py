"""A batch of selectors is resolved item by item: each its own answer, snapshot and error.

The snapshot of these tests is the small country of docs/selectors.md, before and after the
reform of 1 July 2025.
"""

from __future__ import annotations

from typing import Any, cast

import pytest
from support.sample_country import (
    AFTER,
    BEFORE,
    FIRST_OF_JULY_2025,
    NUMBERS,
    UNITS,
    SampleLookup,
)

from router import selectors
from router._core import Audience
from router.directory import Resolution, ResolveItem
from router.directory.resolve import resolve_batch
from router.directory.snapshot import Snapshot
from router.errors import VanbanError

JUNE, JULY = FIRST_OF_JULY_2025 - 1, FIRST_OF_JULY_2025
SENDER = NUMBERS["H22"]


class Compiled(SampleLookup):
    """The sample country as a snapshot, which counts what it is asked."""

    def __init__(self, at_us: int) -> None:
        super().__init__(at_us)
        self.identity = (1, 0 if at_us < JULY else JULY)
        self.asked: list[str] = []

    def holds(self, at_us: int) -> bool:
        return (at_us >= JULY) == self.reformed

    def group_of(self, name: str) -> Any:
        self.asked.append(name)
        return super().group_of(name)


class Listing(Compiled):
    """A snapshot that answers lists of plain codes from their text."""

    def list_audiences(self, texts: list[str]) -> list[Audience | None]:
        self.lists = texts
        plain = [all(code in NUMBERS for code in text.split(" | ")) for text in texts]
        return [
            Audience.from_positions(self.position_of(code) for code in text.split(" | "))
            if simple
            else None
            for text, simple in zip(texts, plain, strict=True)
        ]


def resolve(*items: ResolveItem, kind: type[Compiled] = Compiled) -> list[Any]:
    before, after = kind(JUNE), kind(JULY)

    def snapshot_at(at_us: int) -> Snapshot:
        return cast("Snapshot", after if at_us >= JULY else before)

    return resolve_batch(items, snapshot_at)


def codes(answer: Any) -> set[str]:
    assert isinstance(answer, Resolution), answer
    numbers = answer.snapshot.hierarchy.numbers(answer.audience)
    return {UNITS[number - 1][0] for number in numbers}


def test_an_instant_chooses_the_snapshot_of_the_answer():
    text = "tier(district) @ 2025-06-30"
    answer, plain = resolve(ResolveItem(text, JULY), ResolveItem("H22", JULY))
    assert codes(answer) == {"H22.31", "H22.32"}
    assert answer.snapshot.identity == (1, 0)
    assert plain.snapshot.identity == (1, JULY)
    assert isinstance(answer.node, selectors.AtNode)
    (gone,) = resolve(ResolveItem("tier(district) @ 2025-07-01", JULY))
    assert gone.code == "audience.empty"


def test_an_instant_after_the_issue_time_is_refused():
    (answer,) = resolve(ResolveItem("all @ 2025-07-01", JUNE, path="$.recipients"))
    assert isinstance(answer, VanbanError)
    assert (answer.code, answer.path) == ("selector.future", "$.recipients")
    assert answer.facts["at"] == "2025-07-01T00:00:00+07:00"
    assert isinstance(resolve(ResolveItem("all @ 2025-07-01", JULY))[0], Resolution)


def test_the_sender_is_a_stable_number_in_whatever_snapshot():
    text = "children(sender) & (tier(district) | tier(commune))"
    before, after = resolve(*(ResolveItem(text, at, sender=SENDER) for at in (JUNE, JULY)))
    assert codes(before) == {"H22.31", "H22.32"}
    assert len(codes(after)) == 6


@pytest.mark.parametrize("sender", [None, 999, NUMBERS["H22.31"]])
def test_a_selector_of_the_sender_needs_one_that_is_open(sender):
    (answer,) = resolve(ResolveItem("all - sender", JULY, sender=sender))
    assert (answer.code, answer.facts["position"]) == ("selector.no_sender", 6)


def test_equal_selectors_are_evaluated_once_unless_they_speak_of_different_senders():
    ministries, own = 'group("các Bộ, cơ quan ngang Bộ")', "subtree(sender)"
    senders = [SENDER, NUMBERS["H23"], None]
    answers = resolve(*(ResolveItem(ministries, JUNE, sender=sender) for sender in senders))
    assert [codes(answer) for answer in answers] == [{"G09", "G15"}] * 3
    assert answers[0].snapshot.asked == ["các Bộ, cơ quan ngang Bộ"]
    assert answers[0].audience is answers[2].audience
    first, second, third, none = resolve(
        *(ResolveItem(own, JUNE, sender=sender) for sender in (*senders[:2], SENDER, None))
    )
    assert len(codes(first)) == 11
    assert codes(second) == {"H23"}
    assert first.audience is third.audience
    assert none.code == "selector.no_sender"


def test_an_error_of_a_group_has_the_path_and_the_rest_of_the_batch_is_answered():
    gone = 'H23 | group("UBND các huyện, thành phố")'
    bad, good, skipped = resolve(
        ResolveItem(gone, JULY, path="$.payload.recipients", sender=SENDER),
        ResolveItem("H23", JULY),
        ResolveItem(gone, JULY, skip=True, sender=SENDER),
    )
    assert (bad.code, bad.path, bad.facts["position"]) == (
        "group.empty",
        "$.payload.recipients",
        6,
    )
    assert codes(good) == codes(skipped) == {"H23"}
    assert skipped.skipped == ('group("UBND các huyện, thành phố")',)


def test_plain_lists_are_answered_by_the_snapshot_and_the_rest_is_compiled():
    texts = ["H22 | H23", "children(H22)", "H23", "H99", "H22 @ 2025-06-30"]
    answers = resolve(*(ResolveItem(text, JULY) for text in texts), kind=Listing)
    assert answers[0].snapshot.lists == texts
    assert codes(answers[0]) == {"H22", "H23"}
    assert answers[0].node == selectors.parse("H22 | H23")
    assert len(codes(answers[1])) == 8
    assert codes(answers[2]) == {"H23"}
    assert answers[3].code == "recipient.unknown"
    assert codes(answers[4]) == {"H22"}


def test_the_two_samples_differ_as_the_page_says():
    assert (BEFORE.hierarchy.size, AFTER.hierarchy.size) == (15, 13)
