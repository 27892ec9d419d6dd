"""The door refuses what a shipped vector says it refuses, and lets the others pass."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.vectors import FILES, read

from router.engine.intake import read_envelope
from router.errors import InputError
from router.model.instants import instant_of


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_door_answers_what_is_written_beside_the_vector(file: Path) -> None:
    vector = read(file)
    at_us = instant_of(vector.at)
    if vector.stage != "door":
        assert read_envelope(vector.sent(), at_us).document.format == 1
        return
    with pytest.raises(InputError) as refusal:
        read_envelope(vector.sent(), at_us)
    assert (refusal.value.code, refusal.value.path) == (vector.code, vector.path)
