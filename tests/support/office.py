"""A province's IT office in small: an engine over any store, signers, a clock moved by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from support.pki import pki

from router.client.signing import Signer, make_envelope
from router.engine import Engine
from router.errors import VanbanError
from router.limits import COLD_WAIT_MS_MAX
from router.model.answers import Delivery, Outcome, Problem, Receipt
from router.model.documents import Document, Envelope
from router.model.instants import VIETNAM_TIME, datetime_of, instant_of
from router.model.units import Unit
from router.ports import ManualClock, Store
from router.queue import MemoryDisk, MemoryStore
from router.settings import Settings, SignatureSettings

NOW = datetime(2024, 9, 4, 10, 0, tzinfo=VIETNAM_TIME)
NOW_US = instant_of(NOW)
OPENED_US = instant_of(datetime(2004, 1, 1, tzinfo=VIETNAM_TIME))

PROVINCE, DONG_VAN, LUNG_CU, MA_LE, MEO_VAC, PA_VI, HEALTH = range(1, 8)
COMMITTEE = "people-committee"
UNITS = (
    Unit(PROVINCE, "H22", "UBND tỉnh Hà Giang", 2, COMMITTEE, aliases=("000.00.00.H22",)),
    Unit(DONG_VAN, "H22.31", "UBND huyện Đồng Văn", 3, COMMITTEE, parent=PROVINCE),
    Unit(LUNG_CU, "H22.31.20", "UBND xã Lũng Cú", 4, COMMITTEE, parent=DONG_VAN),
    Unit(MA_LE, "H22.31.21", "UBND xã Má Lé", 4, COMMITTEE, parent=DONG_VAN),
    Unit(MEO_VAC, "H22.32", "UBND huyện Mèo Vạc", 3, COMMITTEE, parent=PROVINCE),
    Unit(PA_VI, "H22.32.20", "UBND xã Pả Vi", 4, COMMITTEE, parent=MEO_VAC),
    Unit(HEALTH, "H22.1", "Sở Y tế", 2, "department", parent=PROVINCE),
)
CODES = {unit.number: unit.code for unit in UNITS}
PATIENT = Settings(signatures=SignatureSettings(turn_wait_ms=COLD_WAIT_MS_MAX))
"""A tick decides what can be decided, on a busy machine too."""
SECRET_SUBJECT = "Trich-yeu-khong-duoc-luu-7f3a"


class Office:
    """An engine filled with `UNITS`, a bound signer for each, and ever new document numbers."""

    def __init__(self, open_store: Callable[[], Store] | Path | None = None) -> None:
        """Found an office: in memory, in a directory, or over the stores a function opens."""
        self.clock = ManualClock(NOW_US)
        self.disk = MemoryDisk()
        self._store = open_store
        self.engine = self._open()
        self.issued = 4
        self.engine.import_units(
            [msgspec.structs.replace(unit, valid_from=OPENED_US) for unit in UNITS], actor="sổ"
        )
        self.engine.trust_issuer(pki().ca_der, actor="sổ")
        self.signers = {unit.code: pki().issue(unit.number, unit.code, unit.name) for unit in UNITS}
        self.engine.bind_many(
            [(code, signer.certificate_der, 0, None) for code, signer in self.signers.items()],
            actor="sổ",
        )

    def _open(self) -> Engine:
        if isinstance(self._store, Path):
            return Engine.open(self._store, settings=PATIENT, clock=self.clock)
        store = self._store() if self._store is not None else MemoryStore(self.disk)
        return Engine.over(store, settings=PATIENT, clock=self.clock)

    def reopen(self) -> Engine:
        """Close the engine and open it again over the same data."""
        self.engine.close()
        self.engine = self._open()
        return self.engine

    def document(self, sender: str = "H22", recipients: str = "all", **changes: Any) -> Document:
        """Return a new document, issued now; `changes` replace fields."""
        self.issued += 1
        number = f"{self.issued:02}"
        now = datetime_of(self.clock.now_us())
        fields: dict[str, Any] = {
            "format": 1,
            "sender": sender,
            "document_id": f"{sender},{now:%Y/%m/%d},{number}/QĐ-UBND",
            "number": number,
            "notation": "QĐ-UBND",
            "document_type": "Quyết định",
            "subject": SECRET_SUBJECT,
            "issued_at": now,
            "recipients": recipients,
        }
        return Document(**(fields | changes))

    def envelope(
        self,
        document: Document | bytes | None = None,
        *,
        signers: Iterable[Signer] | None = None,
        contents: Iterable[bytes] = (),
        key: str | None = None,
        **changes: Any,
    ) -> bytes:
        """Return the JSON of an envelope, signed by the sender unless told otherwise."""
        if document is None:
            document = self.document(**changes)
        if signers is None:
            sender = document.sender if isinstance(document, Document) else "H22"
            signers = [self.signers[sender]]
        return msgspec.json.encode(make_envelope(document, signers, contents, key))

    def submit(self, *envelopes: bytes | Envelope, **options: Any) -> list[Outcome]:
        """Submit one batch."""
        return self.engine.submit(envelopes, **options)

    def send(self, sender: str = "H22", recipients: str = "all", **changes: Any) -> Receipt:
        """Submit one good document; return its receipt."""
        envelope = self.envelope(sender=sender, recipients=recipients, **changes)
        return received(self.submit(envelope)[0])

    def stored(self) -> dict[str, int]:
        """Return the counters of the stored state."""
        stored = self.engine.counters()["stored"]
        assert isinstance(stored, dict)
        return {name: int(count) for name, count in stored.items()}

    def lease(self, unit: str, limit: int = 100, **options: Any) -> list[Delivery]:
        """Lease for a unit."""
        return self.engine.lease(unit, limit, **options)

    def close_commune(self, code: str, successors: Sequence[str], *, after_s: float = 60) -> None:
        """Close a unit a while from now and go past that instant."""
        at_us = self.clock.now_us() + int(after_s * 1_000_000)
        self.engine.close_unit(code, at_us, successors, actor="sổ")
        self.clock.advance(after_s + 1)


def received(outcome: Outcome) -> Receipt:
    """Return the outcome, which must be a receipt."""
    assert isinstance(outcome, Receipt), outcome
    return outcome


def refused(outcome: Outcome) -> Problem:
    """Return the outcome, which must be a refusal with words in it."""
    assert isinstance(outcome, Problem), outcome
    assert outcome.detail
    assert outcome.remedy
    return outcome


def place_of(outcome: Outcome) -> tuple[str, str]:
    """Return code and path of a refusal."""
    problem = refused(outcome)
    return problem.code, problem.path


def error_of(action: Callable[[], object]) -> tuple[str, str]:
    """Return code and path of the error an action raises."""
    try:
        action()
    except VanbanError as error:
        return error.code, error.path
    raise AssertionError("nothing was raised")


def at(**delta: float) -> datetime:
    """Return a moment some time from `NOW`."""
    return NOW + timedelta(**delta)


def bytes_on_disk(directory: Path) -> bytes:
    """Return all bytes of a data directory's files."""
    return b"".join(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())
