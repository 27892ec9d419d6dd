"""The report on a change is told in both languages, with what matters in each line."""

from __future__ import annotations

import pytest

from router.messages.impact import lines_of_impact
from router.model.impact import (
    Impact,
    ImpactEnding,
    ImpactGroup,
    ImpactSelector,
    ImpactUnit,
)

HA_GIANG, TUYEN_QUANG = ImpactUnit("H22", "Hà Giang"), ImpactUnit("H60", "Tuyên Quang")
AT = "2025-07-01T00:00:00+07:00"
REPORT = Impact(
    "NQ 202", AT, 100, 97, begin=1, end=4,
    groups=(
        ImpactGroup("các tỉnh", 63, 34, True, left=29, leaves=(HA_GIANG,) * 29),
        ImpactGroup("các huyện", 696, 0, True, left=696, became_empty=True, error="group.empty"),
        ImpactGroup("một", 1, -1, True, error="recipient.closed"),
        ImpactGroup("mới", -1, 3, True, joined=3, error_before="recipient.not_yet_open"),
        ImpactGroup("yên", 5, 5, False),
    ),
    groups_total=5, groups_changed=4,
    selectors=(
        ImpactSelector("right", "17", "tier(district)", became_empty=True),
        ImpactSelector("group", "một", "H22", error="recipient.closed", closed=("H22",)),
    ),
    selectors_total=2,
    endings=(
        ImpactEnding(ImpactUnit("H22.9", "Không rõ"), queued=3),
        ImpactEnding(HA_GIANG, TUYEN_QUANG, 12, 2, more=True, tokens=1, certificates=2, rights=3),
    ),
    queued=15, leased=2, counted_all=False,
    without_successor=(ImpactUnit("H22.9", "Không rõ"),), without_successor_total=1,
)  # fmt: skip


def test_every_part_is_told_in_english() -> None:
    assert lines_of_impact(REPORT) == [
        "NQ 202, from 2025-07-01 00:00:00 +07:00: 1 units begin, 4 end; 100 open before, 97 after.",
        "Groups: 4 of 5 change.",
        "  “các tỉnh”: 63 → 34; leave: " + ", ".join(["H22 Hà Giang"] * 8) + ", … (29)",
        "  “các huyện”: 696 → 0; EMPTY from then on",
        "  “một”: 1 → ?; can't be used any more (recipient.closed)",
        "  “mới”: ? → 3; could not be used before (recipient.not_yet_open)",
        "Standing selectors to mend: 2.",
        "  right 17, tier(district); EMPTY from then on",
        "  group “một”, H22; can't be used any more (recipient.closed); names what ends: H22",
        "Not yet final at what ends: 15 queued, 2 leased.",
        "  (Counting stopped at its bound: there are more.)",
        "  H22.9 Không rõ → SUCCESSOR UNKNOWN: 3 queued, 0 leased",
        (
            "  H22 Hà Giang → H60 Tuyên Quang: 12 queued, 2 leased or more"
            "; 1 tokens, 2 certificates, 3 rights"
        ),
        "  … and 2 more",
        "Without a known successor: 1. Name one, or their deliveries stay there.",
    ]


def test_vietnamese_says_as_much() -> None:
    lines = lines_of_impact(REPORT, "vi")
    assert len(lines) == len(lines_of_impact(REPORT))
    assert "đơn vị kết thúc" in lines[0]
    assert "TRỐNG" in lines[3]
    assert "CHƯA RÕ ĐƠN VỊ KẾ THỪA" in lines[11]


@pytest.mark.parametrize("language", ["en", "vi"])
def test_lists_are_cut_and_the_rest_is_counted(language: str) -> None:
    lines = lines_of_impact(REPORT, language, lines_max=1)
    assert sum(line.startswith("  … ") for line in lines) == 3


def test_a_change_that_touches_nothing_says_so() -> None:
    assert lines_of_impact(Impact("", AT, 7, 7))[1:] == ["Nothing that stands is touched."]
