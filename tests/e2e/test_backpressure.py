"""A daemon whose disk fails or does not keep up refuses for a while, and nobody is cut off.

Clients are told 503 or 429 with Retry-After; the store is opened again by itself; memory stays
within its bounds whatever is sent.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import subprocess
import threading
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from support.daemon import daemon, found_at
from support.faulty import Action, Calls, Faults
from support.http import Answer, ask
from support.preload import built, environment
from support.waiting import until

from router.client import Client
from router.client.signing import make_envelope
from router.errors import OverloadedError, StorageError, TooManyOpenError
from router.model.documents import Attachment, Document, Envelope

JSON = "application/json"
COMMUNE, OTHER = "H22.31.20", "H22.31.21"
MIB = 1_048_576


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    return built(tmp_path_factory.mktemp("shim"))


@contextlib.contextmanager
def hurt(shim, tmp_path, monkeypatch, **settings):
    """Yield a town, its daemon, and what makes its file calls fail."""
    data = tmp_path / "disk" / "data"
    data.parent.mkdir()
    town = found_at(data)
    with Faults(tmp_path / "control") as faults, monkeypatch.context() as patched:
        for name, text in environment(shim, data.parent, control=faults.path).items():
            patched.setenv(name, text)
        with daemon(data, **settings) as running:
            yield town, running, faults


class Line:
    """One connection that is kept for all requests."""

    def __init__(self, base_url, token):
        self.connection = HTTPConnection(urlsplit(base_url).netloc, timeout=60)
        self.connection.connect()
        self._socket = self.connection.sock
        self._token = token

    def submit(self, raw):
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": JSON}
        self.connection.request("POST", "/v1/documents", raw, headers)
        response = self.connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, names, response.read())
        assert self.connection.sock is self._socket, "the daemon closed the connection"
        return answer


def metric(base_url, line):
    found = re.search(
        rf"^{re.escape(line)} (\S+)$", ask(base_url, "GET", "/metrics").body.decode(), re.MULTILINE
    )
    return None if found is None else float(found[1])


@pytest.mark.parametrize(
    ("error", "code"), [(errno.EIO, "store.failed"), (errno.ENOSPC, "store.full")]
)
def test_a_failed_flush_is_told_and_mended_without_losing_a_connection(
    shim, tmp_path, monkeypatch, error, code
):
    with hurt(shim, tmp_path, monkeypatch) as (town, running, faults):
        line = Line(running.base_url, town.tokens["H22"])
        assert line.submit(town.envelope("H22", COMMUNE)).status == 201
        raw = town.envelope("H22", COMMUNE)
        faults.arm(Calls.FLUSH, error=error)  # until it is disarmed: opening fails, too
        answer = line.submit(raw)
        assert answer.status == 503
        assert answer.problem()["code"] == code
        assert int(answer.headers["retry-after"]) > 0

        ready = ask(running.base_url, "GET", "/readyz")
        assert ready.status == 503
        assert ready.problem()["code"] == code
        assert int(ready.headers["retry-after"]) > 0
        assert ask(running.base_url, "GET", "/healthz").status == 200
        assert metric(running.base_url, "vanban_healthy") == 0
        assert metric(running.base_url, f'vanban_fault{{code="{code}"}}') == 1
        with Client(running.base_url, town.tokens[COMMUNE]) as client, pytest.raises(StorageError):
            client.lease(1)

        faults.disarm()
        until(lambda: ask(running.base_url, "GET", "/readyz").status == 200)
        assert line.submit(raw).status in {200, 201}
        assert metric(running.base_url, "vanban_healthy") == 1
        assert metric(running.base_url, 'vanban_pressure{what="reopened"}') == 1
        assert metric(running.base_url, f'vanban_fault{{code="{code}"}}') is None
        with Client(running.base_url, town.tokens[COMMUNE]) as client:
            assert len(client.lease(10)) == 2
        until(lambda: "the store was opened again" in running.log_text())
        assert running.stop() == 0


def test_without_reopening_it_refuses_until_it_is_restarted(shim, tmp_path, monkeypatch):
    with hurt(shim, tmp_path, monkeypatch, STORE__REOPEN="false") as (town, running, faults):
        faults.arm(Calls.FLUSH, times=1)
        line = Line(running.base_url, town.tokens["H22"])
        for _ in range(2):
            assert line.submit(town.envelope("H22", COMMUNE)).status == 503
        assert ask(running.base_url, "GET", "/readyz").status == 503


def test_who_has_too_much_open_is_told_429(tmp_path):
    town = found_at(tmp_path / "data")
    with daemon(
        tmp_path / "data", STORE__IN_FLIGHT_PER_SENDER_MAX="3", STORE__PENDING_PER_RECIPIENT_MAX="2"
    ) as running:
        line = Line(running.base_url, town.tokens["H22"])
        for _ in range(2):
            assert line.submit(town.envelope("H22", COMMUNE)).status == 201
        answer = line.submit(town.envelope("H22", COMMUNE))
        assert (answer.status, answer.problem()["code"]) == (429, "recipient.too_many_pending")
        assert answer.problem()["facts"]["unit"] == COMMUNE
        assert int(answer.headers["retry-after"]) > 0
        assert line.submit(town.envelope("H22", OTHER)).status == 201
        answer = line.submit(town.envelope("H22", OTHER))
        assert (answer.status, answer.problem()["code"]) == (429, "sender.too_many_in_flight")
        with (
            Client(running.base_url, town.tokens["H22"]) as client,
            pytest.raises(TooManyOpenError),
        ):
            client.submit(town.envelope("H22", OTHER))
        with Client(running.base_url, town.tokens[COMMUNE]) as client:
            client.acknowledge([one.delivery for one in client.lease(10)])
        assert line.submit(town.envelope("H22", COMMUNE)).status == 201


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("STORE__RESERVE_BYTES", str(1 << 49), "store.reserve_bytes"),
        ("STORE__OVERLAY_BYTES_MAX", "1", "store.overlay_bytes_max"),
        ("HTTP__BODY_BYTES_WAITING_MAX", "1", "http.body_bytes_waiting_max"),
    ],
)
def test_a_daemon_does_not_start_on_bounds_that_make_no_sense(tmp_path, name, value, path):
    found_at(tmp_path / "data")
    with pytest.raises(AssertionError, match=path), daemon(tmp_path / "data", **{name: value}):
        pass


def peak_bytes(process):
    """Return the most memory a process ever had."""
    text = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.slow
def test_a_flood_of_large_documents_over_slow_flushes_stays_within_its_memory(
    shim, tmp_path, monkeypatch
):
    """24 senders push 800 KB each, again and again, while a flush takes 40 ms.

    Who is not refused waits in its own socket: the daemon holds what its bound says."""
    bound = 4 * MIB
    with hurt(shim, tmp_path, monkeypatch, HTTP__BODY_BYTES_WAITING_MAX=str(bound)) as (
        town, running, faults,
    ):  # fmt: skip
        line = Line(running.base_url, town.tokens["H22"])
        assert line.submit(town.envelope("H22", COMMUNE)).status == 201
        before = peak_bytes(running.process)
        faults.arm(Calls.FLUSH, error=40, action=Action.SLOW)
        statuses = flood(running, town, [large_document(town, n) for n in range(120)], senders=24)
        grown = peak_bytes(running.process) - before
        faults.disarm()
        assert set(statuses) <= {201, 503}
        assert statuses.count(201), "everything was refused"
        assert grown < 32 * MIB, f"{grown / MIB:.0f} MiB for 96 MiB sent"
        assert line.submit(town.envelope("H22", COMMUNE)).status == 201


def large_document(town, number):
    """Return a new document that carries 600,000 bytes: 800 KB on the way."""
    content = os.urandom(600_000)
    raw = msgspec.json.decode(town.envelope("H22", COMMUNE), type=Envelope)
    document = msgspec.json.decode(raw.payload, type=Document)
    attachment = Attachment(
        f"{number}.bin", "application/octet-stream", len(content), sha256(content).hexdigest()
    )
    document = msgspec.structs.replace(document, attachments=(attachment,))
    return msgspec.json.encode(make_envelope(document, [town.signers["H22"]], [content]))


def flood(running, town, documents, senders):
    """Send documents from many connections at once; return all statuses."""
    statuses = []

    def send():
        while documents:
            raw = documents.pop()
            try:
                answer = ask(
                    running.base_url, "POST", "/v1/documents", raw, town.tokens["H22"], JSON
                )
            except (TimeoutError, ConnectionError):  # refused before all of it was sent
                statuses.append(503)
                continue
            statuses.append(answer.status)
            if answer.status == 503:
                assert answer.problem()["code"] == "server.busy"
                assert int(answer.headers["retry-after"]) > 0

    threads = [threading.Thread(target=send) for _ in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MiB in memory, mounted for the test."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system takes root")
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a file system can't be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.system
def test_a_disk_nearly_full_takes_acknowledgements_and_no_documents(small_disk):
    data = small_disk / "data"
    town = found_at(data)
    with daemon(data, STORE__RESERVE_BYTES=str(MIB)) as running:
        line = Line(running.base_url, town.tokens["H22"])
        assert line.submit(town.envelope("H22", COMMUNE)).status == 201
        space = os.statvfs(small_disk)
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(space.f_bavail * space.f_frsize - 700_000))
        until(lambda: line.submit(town.envelope("H22", COMMUNE)).status == 503)
        answer = line.submit(town.envelope("H22", COMMUNE))
        assert answer.problem()["code"] == "store.nearly_full"
        assert answer.headers["retry-after"] == "30"
        with Client(running.base_url, town.tokens["H22"]) as client, pytest.raises(OverloadedError):
            client.submit(town.envelope("H22", COMMUNE))
        ready = ask(running.base_url, "GET", "/readyz")
        assert (ready.status, ready.json()["refusing"]) == (200, "store.nearly_full")
        assert metric(running.base_url, 'vanban_pressure{what="refusing"}') == 1
        assert metric(running.base_url, 'vanban_pressure{what="disk_free_bytes"}') < MIB
        with Client(running.base_url, town.tokens[COMMUNE]) as client:
            taken = [one.delivery for one in client.lease(100)]
            assert taken
            assert {one.state for one in client.acknowledge(taken)} == {"delivered"}
        ballast.unlink()
        until(lambda: line.submit(town.envelope("H22", COMMUNE)).status == 201)
        assert ask(running.base_url, "GET", "/readyz").json() == {"status": "ready"}
        assert running.stop() == 0


@pytest.mark.system
def test_a_disk_that_is_full_heals_by_itself_once_there_is_room(small_disk):
    data = small_disk / "data"
    town = found_at(data)
    with daemon(data, STORE__RESERVE_BYTES="0") as running:
        line = Line(running.base_url, town.tokens["H22"])
        ballast = small_disk / "ballast"
        space = os.statvfs(small_disk)
        ballast.write_bytes(bytes(space.f_bavail * space.f_frsize - 4_096))
        receipts, refused = [], None
        while refused is None and len(receipts) < 20_000:
            answer = line.submit(town.envelope("H22", COMMUNE))
            if answer.status == 201:
                receipts.append(answer.json()["key"])
            else:
                refused = answer
        assert refused is not None
        assert refused.status == 503
        assert refused.problem()["code"] == "store.full"
        assert ask(running.base_url, "GET", "/readyz").problem()["code"] == "store.full"
        ballast.unlink()
        until(lambda: ask(running.base_url, "GET", "/readyz").status == 200)
        assert line.submit(town.envelope("H22", COMMUNE)).status == 201
        with Client(running.base_url, town.tokens[COMMUNE]) as client:
            keys = set()
            while batch := client.lease(1_000):
                keys |= {one.key for one in batch}
                client.acknowledge([one.delivery for one in batch])
        assert set(receipts) <= keys, "what was answered is there"
        assert running.stop() == 0
