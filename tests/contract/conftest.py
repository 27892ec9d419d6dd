"""The office of the engine's contract: each way to an engine, each durability port below it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.office import Office
from support.shared import SharedOffice
from support.stores import KINDS, box_of


@pytest.fixture(params=[(way, port) for way in ("open", "connect") for port in KINDS], ids="-".join)
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    way, port = request.param
    box = box_of(port, tmp_path / "port")
    if way == "open":
        made = Office(tmp_path / "data" if port == "log" else box.open)
        yield made
        made.engine.close()
    else:
        shared = SharedOffice(tmp_path / "data", None if port == "log" else box.open)
        yield shared
        shared.close()
