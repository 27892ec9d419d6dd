"""What the tests of crashes share."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.preload import built


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that records and spoils file calls, compiled."""
    return built(tmp_path_factory.mktemp("shim"))
