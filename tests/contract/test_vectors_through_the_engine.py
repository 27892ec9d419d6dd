"""A whole engine answers each shipped vector as is written beside it."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import pytest
from support.pki import pki
from support.vectors import FILES, Vector, read

from router.engine import Engine
from router.model.answers import Outcome, Problem, Receipt
from router.model.instants import instant_of
from router.model.units import Unit
from router.ports import ManualClock
from router.queue import MemoryDisk, MemoryStore
from router.signatures.encoding import decode_url


def certificates_in(vector: Vector) -> dict[str, bytes]:
    """Return the signers' certificates by their SHA-256."""
    found = {}
    for entry in json.loads(vector.sent())["signatures"]:
        der = base64.b64decode(json.loads(decode_url(entry["protected"]))["x5c"][0])
        found[hashlib.sha256(der).hexdigest()] = der
    return found


def answer_to(vector: Vector) -> Outcome:
    """Submit the vector to a new engine, prepared as the README of the vectors says."""
    clock = ManualClock(instant_of(vector.at))
    with Engine.over(MemoryStore(MemoryDisk()), clock=clock) as engine:
        engine.import_units(
            [
                Unit(number=1, code="H22", name="UBND tỉnh", tier=2, kind="people-committee"),
                Unit(number=2, code="H22.1", name="Sở", tier=2, kind="department", parent=1),
            ],
            actor="test",
        )
        engine.trust_issuer(pki().ca_der, actor="test")
        if vector.stage != "signature" or vector.outcome == "accepted":
            certificates = certificates_in(vector)
            for sha256, code in vector.bindings.items():
                engine.bind(code, certificates[sha256], 0, actor="test")
        return engine.submit([vector.sent()])[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_engine_answers_what_is_written_beside_the_vector(file: Path) -> None:
    vector = read(file)
    answer = answer_to(vector)
    if vector.outcome == "accepted":
        assert isinstance(answer, Receipt)
        assert (answer.sender, answer.effective) == ("H22", 1)
    else:
        assert isinstance(answer, Problem)
        assert (answer.code, answer.path) == (vector.code, vector.path)
        assert answer.detail
        assert answer.remedy
