"""A small town with an engine, and a daemon process over its data directory."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from router.client.signing import Signer, make_envelope
from router.engine import Engine
from router.model.documents import Document
from router.model.instants import VIETNAM_TIME
from router.model.units import Unit
from vanban_bench.workloads.test_pki import TestPki

UNITS = (
    Unit(1, "H22", "UBND tỉnh Hà Giang", 2, "people-committee"),
    Unit(2, "H22.31", "UBND huyện Đồng Văn", 3, "people-committee", parent=1),
    Unit(3, "H22.31.20", "UBND xã Lũng Cú", 4, "people-committee", parent=2),
    Unit(4, "H22.31.21", "UBND xã Má Lé", 4, "people-committee", parent=2),
    Unit(5, "H22.32", "UBND huyện Mèo Vạc", 3, "people-committee", parent=1),
)
START_S_MAX = 60.0
PATIENT = {"VANBAN__SIGNATURES__COLD_WAIT_MS": "60000"}
"""On a busy machine a certificate's path takes long, and its document would wait for it."""


@dataclass
class Town:
    """What a test needs to act for the units: signers, tokens, ever new numbers."""

    signers: dict[str, Signer]
    tokens: dict[str, str]
    operator: str
    issued: int = field(default=4)

    def envelope(self, sender: str, recipients: str, *, key: str | None = None) -> bytes:
        """Return the JSON of a new signed envelope."""
        self.issued += 1
        now = datetime.now(VIETNAM_TIME).replace(microsecond=0)
        number = f"{self.issued:02}"
        document = Document(
            format=1,
            sender=sender,
            document_id=f"{sender},{now:%Y/%m/%d},{number}/QĐ-UBND",
            number=number,
            notation="QĐ-UBND",
            document_type="Quyết định",
            subject="Về việc kiện toàn ban chỉ đạo",
            issued_at=now,
            recipients=recipients,
        )
        return msgspec.json.encode(
            make_envelope(document, [self.signers[sender]], idempotency_key=key)
        )


def found(engine: Engine) -> Town:
    """Fill an empty engine: units, trust, certificates, tokens."""
    pki = TestPki.load()
    engine.import_units(UNITS)
    engine.trust_issuer(pki.ca_der)
    signers = {}
    tokens = {}
    for unit in UNITS:
        signer = pki.issue(unit.number, unit.code, unit.name)
        engine.bind(unit.code, signer.certificate_der, 0)
        signers[unit.code] = signer
        tokens[unit.code] = engine.create_token(unit.code, f"Văn thư {unit.code}")
    return Town(signers, tokens, engine.create_token(None, "Quản trị", operator=True))


def found_at(data: Path) -> Town:
    """Fill a new data directory and close it."""
    with Engine.open(data) as engine:
        return found(engine)


@dataclass
class Daemon:
    """A running daemon process of ours."""

    process: subprocess.Popen[bytes]
    base_url: str
    log: Path

    def stop(self, number: int = signal.SIGTERM, timeout_s: float = 30) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def log_text(self) -> str:
        """Return what it wrote to standard error."""
        return self.log.read_text(encoding="utf-8")


@contextlib.contextmanager
def daemon(data: Path, **settings: str) -> Iterator[Daemon]:
    """Run `python -m router serve` on a free port until the block ends.

    `settings` are named as in the environment: ``HTTP__STOP_S="2"``.
    """
    ready = data.with_name(data.name + ".ready")
    log = data.with_name(data.name + ".log")
    ready.unlink(missing_ok=True)
    environment = {
        **PATIENT,
        **os.environ,
        **{f"VANBAN__{name}": text for name, text in settings.items()},
    }
    command = [sys.executable, "-P", "-m", "router", "serve", "--data", str(data), "--port", "0"]
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*command, "--ready-file", str(ready)], stderr=stderr, env=environment
        )
    try:
        yield Daemon(process, _wait_ready(process, ready, log), log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _wait_ready(process: subprocess.Popen[bytes], ready: Path, log: Path) -> str:
    end = time.monotonic() + START_S_MAX
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError("the daemon did not start: " + log.read_text(encoding="utf-8"))
        time.sleep(0.02)
    return ready.read_text(encoding="ascii").strip()
