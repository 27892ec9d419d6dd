"""The shipped vectors of envelopes, as the tests read them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec

FOLDER = Path(__file__).parents[2] / "bindings" / "vectors"
FILES = sorted(FOLDER.glob("*/*.json"))


class Vector(msgspec.Struct, forbid_unknown_fields=True):
    """One file."""

    name: str
    about: str
    stage: str
    at: datetime
    outcome: str
    code: str
    path: str
    bindings: dict[str, str]
    envelope: msgspec.Raw = msgspec.Raw()
    envelope_text: str | None = None

    def sent(self) -> bytes:
        """Return the bytes of the envelope."""
        if self.envelope_text is None:
            return bytes(self.envelope)
        return self.envelope_text.encode()


def read(file: Path) -> Vector:
    """Return one vector."""
    return msgspec.json.decode(file.read_bytes(), type=Vector)
