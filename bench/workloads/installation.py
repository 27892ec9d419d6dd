"""A sample installation to try things on: units, test keys, tokens, letters ready to submit.

TEST ONLY: the keys are public.  `write_sample` fills a new data directory and writes beside
it what a newcomer needs: tokens, keys and certificates of four units, signed envelopes.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from router.client.signing import Signer, make_envelope
from router.engine import Engine
from router.model.documents import DOCUMENT_FORMAT, Document, Urgency
from router.model.instants import datetime_of
from router.model.units import Unit
from vanban_bench.workloads.sample_directory import ha_giang_directory
from vanban_bench.workloads.test_pki import TestPki

ACTOR: Final = "sample"
_LETTERS: Final = (
    ("H22", "1", "01", "QĐ-UBND", "Quyết định", "Về việc ban hành Quy chế tiếp nhận văn bản",
     "descendants(H22) & tier(commune) & kind(people-committee)", Urgency.NORMAL),
    ("H22", "2", "02", "CĐ-UBND", "Công điện", "Về việc ứng phó mưa lũ trên địa bàn tỉnh",
     "(children(H22) & tier(district)) | (children(H22) & kind(department))", Urgency.FLASH),
    ("H22.31", "3", "01", "BC-UBND", "Báo cáo", "Tình hình kinh tế - xã hội tháng này",
     "H22", Urgency.URGENT),
)  # fmt: skip


def sample_units(units: list[Unit]) -> list[Unit]:
    """Return the four units that get keys and tokens: province, department, district, commune."""
    by_code = {unit.code: unit for unit in units}
    return [by_code[code] for code in ("H22", "H22.01", "H22.31", "H22.31.20")]


def write_sample(engine: Engine, home: Path) -> dict[str, Path]:
    """Fill an empty engine and write the files; return what was written where."""
    units = ha_giang_directory()
    engine.import_units(units, actor=ACTOR)
    pki = TestPki.load()
    engine.trust_issuer(pki.ca_der, actor=ACTOR)
    folder = home / "sample"
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, Path] = {}
    signers: dict[str, Signer] = {}
    for index, unit in enumerate(sample_units(units)):
        signer = pki.issue(unit.number, unit.code, unit.name, kind="ec", index=index)
        signers[unit.code] = signer
        engine.bind(unit.number, signer.certificate_der, 0, actor=ACTOR)
        token = engine.create_token(unit.code, f"văn thư {unit.code}", actor=ACTOR)
        written[f"token of {unit.code}"] = _write(folder / f"{unit.code}.token", token.encode())
        _write(folder / f"{unit.code}.cert.der", signer.certificate_der)
        key = pki.key("ec", index).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        written[f"key of {unit.code}"] = _write(folder / f"{unit.code}.key.pem", key)
    now = datetime_of(engine.now_us()).replace(microsecond=0)
    for code, place, number, notation, kind, subject, selector, urgency in _LETTERS:
        document = Document(
            format=DOCUMENT_FORMAT,
            sender=code,
            document_id=f"{code},{now:%Y/%m/%d},{number}/{notation}",
            number=number,
            notation=notation,
            document_type=kind,
            subject=subject,
            issued_at=_minute(now),
            recipients=selector,
            urgency=urgency,
        )
        envelope = make_envelope(document, [signers[code]])
        path = folder / f"letter-{place}.json"
        written[f"letter {place} (from {code})"] = _write(path, msgspec.json.encode(envelope))
    return written


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0)


def _write(path: Path, data: bytes) -> Path:
    """Write a file that only its owner can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    return path
