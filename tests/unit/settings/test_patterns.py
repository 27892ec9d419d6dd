"""A line end after a value is no part of it."""

import msgspec
import pytest

from router.settings import LogSettings


@pytest.mark.parametrize("level", ["info\n", "infox", "\ninfo", ""])
def test_only_whole_words_are_levels(level: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"level": level}, LogSettings)
