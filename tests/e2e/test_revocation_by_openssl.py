"""What OpenSSL publishes is understood: its lists, and its responder over HTTP.

Lists and responses made by the library that also reads them prove little: here another
implementation of RFC 5280 and RFC 6960 makes them, from the data base of `openssl ca`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.revocation import HOUR, NOW, Ca, responder_extensions, root
from support.shared import wait_until

from router.engine import Engine
from router.model.instants import instant_of
from router.queue import MemoryDisk, MemoryStore
from router.server.fetching import Fetcher
from router.settings import RevocationSettings

TOP = root("OpenSSL CA")
GOOD, LOST, HELD, UNKNOWN = 0x1001, 0x1002, 0x1003, 0x1004
SINCE = NOW - 48 * HOUR
LOST_SINCE = NOW - 96 * HOUR
CONFIGURATION = """
[ca]
default_ca = d
[d]
database = index.txt
crlnumber = crlnumber
default_md = sha256
crl_extensions = e
[e]
issuerAltName = URI:http://ca.example/
"""


def short(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%y%m%d%H%M%S}Z"


def written(folder: Path, name: str, ca: Ca) -> None:
    """Write a certificate and its key as OpenSSL reads them."""
    certificate = ca.certificate.parsed.public_bytes(Encoding.PEM)
    (folder / f"{name}.pem").write_bytes(certificate)
    key = ca.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / f"{name}.key").write_bytes(key)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The data base of an authority: one good certificate, a lost key, a hold."""
    written(tmp_path, "ca", TOP)
    (tmp_path / "ca.cnf").write_text(CONFIGURATION)
    (tmp_path / "crlnumber").write_text("2A\n")
    ends = short(NOW + 100 * HOUR)
    lost = f"{short(SINCE)},keyTime,{LOST_SINCE.astimezone(UTC):%Y%m%d%H%M%S}Z"
    held = f"{short(SINCE)},certificateHold"
    lines = (
        f"V\t{ends}\t\t{GOOD:X}\tunknown\t/CN=good",
        f"R\t{ends}\t{lost}\t{LOST:X}\tunknown\t/CN=lost",
        f"R\t{ends}\t{held}\t{HELD:X}\tunknown\t/CN=held",
    )
    (tmp_path / "index.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def openssl(*arguments: str) -> list[str]:
    program = shutil.which("openssl")
    assert program, "openssl belongs to Debian's standard system"
    return [program, *arguments]


@contextmanager
def responder(folder: Path, signer: str) -> Iterator[str]:
    """Run `openssl ocsp` as a responder; yield its address."""
    command = openssl(
        "ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", f"{signer}.pem",
        "-rkey", f"{signer}.key", "-port", "0", "-ndays", "1",
    )  # fmt: skip
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = next(line for line in process.stdout if line.startswith("ACCEPT"))
            found = re.search(r":(\d+) ", said)
            assert found, said
            yield f"localhost:{found[1]}"
        finally:
            process.kill()


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine.over(MemoryStore(MemoryDisk())) as made:
        made.trust_authority(TOP.certificate.der)
        yield made


def test_a_list_by_openssl_is_read_entry_by_entry(engine: Engine, folder: Path) -> None:
    given = ("-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-crlhours", "5")
    made = subprocess.run(
        openssl("ca", *given, "-gencrl"), cwd=folder, check=True, capture_output=True
    )
    der = x509.load_pem_x509_crl(made.stdout).public_bytes(Encoding.DER)
    added = engine.add_revocation(der)
    assert (added.kind, added.entries, added.number) == ("crl", 2, str(0x2A))
    assert added.fresh_until - added.produced_at == 5 * 3_600_000_000
    view, at_us = engine._rooms.revocation.view, engine.now_us()
    lost = view.status(TOP.certificate, LOST, at_us)
    assert (lost.kind, lost.reason) == ("revoked", "key_compromise")
    assert (lost.revoked_at, lost.invalidity_at) == (instant_of(SINCE), instant_of(LOST_SINCE))
    held = view.status(TOP.certificate, HELD, at_us)
    assert (held.kind, held.reason) == ("revoked", "certificate_hold")
    assert view.status(TOP.certificate, GOOD, at_us).kind == "good"


@pytest.mark.parametrize("signer", ["ca", "responder"])
def test_a_responder_by_openssl_is_asked_and_believed(
    engine: Engine, folder: Path, signer: str
) -> None:
    written(folder, "responder", TOP.responder())
    with responder(folder, signer) as host:
        for serial in (GOOD, LOST, HELD, UNKNOWN):
            leaf = TOP.leaf(serial, responders=[f"http://{host}/"])
            engine._rooms.revocation.view.notice(leaf, TOP.certificate, engine.now_us())
        settings = RevocationSettings(allowed_hosts=(host,))
        with Fetcher(engine, settings, look_s=0.01, first_s=0.05, last_s=0.2, retry_s=0.1):
            wait_until(lambda: engine.revocation_states()[0].responses == 4)
    view, at_us = engine._rooms.revocation.view, engine.now_us()
    found = [view.status(TOP.certificate, one, at_us) for one in (GOOD, LOST, HELD, UNKNOWN)]
    assert [one.kind for one in found] == ["good", "revoked", "revoked", "unknown"]
    assert found[1].reason == "key_compromise"
    assert found[1].revoked_at == instant_of(SINCE)


def test_a_responder_by_openssl_without_the_right_is_not_believed(
    engine: Engine, folder: Path
) -> None:
    written(folder, "odd", TOP.responder(extensions=responder_extensions()[1:]))
    with responder(folder, "odd") as host:
        leaf = TOP.leaf(GOOD, responders=[f"http://{host}/"])
        engine._rooms.revocation.view.notice(leaf, TOP.certificate, engine.now_us())
        settings = RevocationSettings(allowed_hosts=(host,))
        with Fetcher(engine, settings, look_s=0.01, first_s=0.05, last_s=0.2, retry_s=0.1):
            wait_until(lambda: engine.revocation_states()[0].failure == "revocation.responder")
    assert engine.revocation_states()[0].responses == 0
