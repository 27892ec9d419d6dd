"""How a held part ended is said in the reader's language, in the words of the tables."""

from __future__ import annotations

import pytest

from router.errors import ConflictError
from router.messages import say


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("released", "đã duyệt"),
        ("denied", "bị từ chối duyệt"),
        ("expired", "hết hạn duyệt"),
        ("withdrawn", "đã thu hồi"),
    ],
)
def test_an_answer_that_comes_too_late_says_how_the_part_ended(state: str, words: str) -> None:
    error = ConflictError("hold.over", hold="H22/1", state=state)
    assert f"({words})" in say(error, "vi")[0]
    assert state not in say(error, "vi")[0]
    assert f"is {state} already" in say(error, "en")[0]
    assert error.facts["state"] == state  # what programs read stays
