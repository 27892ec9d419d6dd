"""A document waits while nobody can say whether its signer was revoked, and goes on by itself.

The daemon is a process of its own; lists come from a host that is down at first, answers from
`openssl ocsp`.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.daemon import UNITS, Town, daemon
from support.http import ask
from support.pages import Host, Page
from support.pki import pki
from support.revocation import HOUR, NOW, root
from support.shared import wait_until

from router.client import Client
from router.client.signing import Signer
from router.engine import Engine
from router.errors import SignatureRefusedError
from router.signatures.certificates import Certificate

TOP = root("Town CA")
GOOD, REVOKED = 0x2001, 0x2002
SENDERS = {"H22.31": GOOD, "H22.32": REVOKED}


def settled(data: Path, leaves: Mapping[str, Certificate]) -> Town:
    """Fill a new data directory: units, the authority with revocation required, signers."""
    with Engine.open(data) as engine:
        engine.import_units(UNITS)
        engine.trust_authority(TOP.certificate.der)
        for code, leaf in leaves.items():
            engine.bind(code, leaf.der, 0)
        signers = {
            code: Signer(pki().key("ec", SENDERS[code]), leaf.der) for code, leaf in leaves.items()
        }
        tokens = {code: engine.create_token(code, "Văn thư") for code in ("H22", *leaves)}
        return Town(signers, tokens, engine.create_token(None, "Quản trị", operator=True))


def readiness(base_url: str) -> str:
    """Return what the daemon says about revocation data; it is ready all the time."""
    health = ask(base_url, "GET", "/readyz")
    assert health.status == 200
    return str(health.json().get("revocation", ""))


@contextmanager
def people(base_url: str, town: Town) -> Iterator[tuple[Client, Client, Client]]:
    """Connect the good sender, the one that was revoked, and the recipient."""
    with (
        Client(base_url, town.tokens["H22.31"]) as good,
        Client(base_url, town.tokens["H22.32"]) as revoked,
        Client(base_url, town.tokens["H22"]) as recipient,
    ):
        yield good, revoked, recipient


def kinds(sender: Client) -> list[tuple[str, str]]:
    return [(one.kind, one.code) for one in sender.outbox().events]


def check_what_waits_is_decided(
    town: Town, base_url: str, kind: str, begin: Callable[[], None]
) -> None:
    """Send from both while data of that kind is missing; `begin` lets it be had."""
    with people(base_url, town) as (good, revoked, recipient):
        assert readiness(base_url) == "missing"
        receipt = good.submit(town.envelope("H22.31", "H22"))
        other = revoked.submit(town.envelope("H22.32", "H22"))
        assert (receipt.waiting, other.waiting) == (1, 1)
        assert recipient.lease() == []
        wait_until(lambda: what_is_missing(good, receipt.key) == [kind])
        begin()
        wait_until(lambda: kinds(good) == [("verdict_valid", "")])
        wait_until(lambda: kinds(revoked) == [("verdict_invalid", "certificate.revoked")])
        wait_until(lambda: readiness(base_url) == "")
        (delivery,) = recipient.lease()
        assert delivery.key == receipt.key
        assert [one.state for one in recipient.acknowledge([delivery.delivery])] == ["delivered"]
        assert good.verdict(receipt.key).status == "valid"
        with pytest.raises(SignatureRefusedError) as refused:
            revoked.submit(town.envelope("H22.32", "H22"))
        assert refused.value.code == "certificate.revoked"
        assert good.submit(town.envelope("H22.31", "H22")).waiting == 0
        assert len(recipient.lease()) == 1


def what_is_missing(sender: Client, key: str) -> list[str]:
    return sorted({one.kind for one in sender.verdict(key).missing})


def test_documents_wait_for_a_list_whose_host_is_down(tmp_path: Path) -> None:
    data = tmp_path / "data"
    host = Host()
    host.pages["/top.crl"] = Page(TOP.crl([REVOKED]))
    with host:
        at = host.url("/top.crl")  # from here on its port is known
    leaves = {code: TOP.leaf(serial, lists=[at]) for code, serial in SENDERS.items()}
    town = settled(data, leaves)
    try:
        with daemon(data, REVOCATION__ALLOWED_HOSTS=host.name) as running:
            check_what_waits_is_decided(town, running.base_url, "crl", host.start)
            page = ask(running.base_url, "GET", "/metrics").body.decode()
            assert 'vanban_revocation{what="authorities_fresh"} 1.0' in page
            assert running.stop() == 0
    finally:
        host.stop()
    with daemon(data) as alone:  # what was fetched outlives it, and needs no host
        assert readiness(alone.base_url) == ""
        with people(alone.base_url, town) as (good, _, _):
            assert good.submit(town.envelope("H22.31", "H22")).waiting == 0


def written(folder: Path) -> None:
    """Write the authority as `openssl ocsp` reads it: one good certificate, one revoked."""
    folder.mkdir()
    certificate = TOP.certificate.parsed.public_bytes(Encoding.PEM)
    (folder / "ca.pem").write_bytes(certificate)
    key = TOP.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "ca.key").write_bytes(key)
    ends, since = short(NOW + 100 * HOUR), short(NOW - 48 * HOUR)
    lines = (
        f"V\t{ends}\t\t{GOOD:X}\tunknown\t/CN=good",
        f"R\t{ends}\t{since},superseded\t{REVOKED:X}\tunknown\t/CN=revoked",
    )
    (folder / "index.txt").write_text("\n".join(lines) + "\n")


def short(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%y%m%d%H%M%S}Z"


class Responder:
    """`openssl ocsp` on a port that is known before it runs."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("openssl")
        assert program, "openssl belongs to Debian's standard system"
        self._program, self._folder = program, folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("", 0))
            self._port = free.getsockname()[1]
        self.name = f"localhost:{self._port}"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ca.pem",
             "-rkey", "ca.key", "-port", str(self._port), "-ndays", "1"],
            cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def test_documents_wait_for_a_responder_by_openssl_that_is_down(tmp_path: Path) -> None:
    written(tmp_path / "ca")
    responder = Responder(tmp_path / "ca")
    at = [f"http://{responder.name}/"]
    leaves = {code: TOP.leaf(serial, responders=at) for code, serial in SENDERS.items()}
    town = settled(tmp_path / "data", leaves)
    try:
        with daemon(tmp_path / "data", REVOCATION__ALLOWED_HOSTS=responder.name) as running:
            check_what_waits_is_decided(town, running.base_url, "ocsp", responder.start)
    finally:
        responder.stop()
