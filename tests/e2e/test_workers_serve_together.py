"""`vanban serve --workers`: several processes answer for one data directory, as one daemon would.

Real processes and real HTTP; workers and owner are killed with SIGKILL.  The failures guarded
against: a port that nobody answers on, processes left behind, a receipt that was given and is
forgotten, a sleeper that is woken only by its own worker, numbers that depend on who answers.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.daemon import Daemon, Town, daemon, found_at
from support.http import ask
from support.shared import wait_until

from router.client import Client
from router.engine import Engine
from router.errors import VanbanError
from router.model.answers import Delivery
from router.server import BackgroundServer

COMMUNE = "H22.31.20"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Town]:
    data = tmp_path_factory.mktemp("workers") / "data"
    return data, found_at(data)


def workers_of(running: Daemon) -> list[int]:
    """Return the process ids of a daemon's workers, in the order of their start."""
    number = running.process.pid
    names = Path(f"/proc/{number}/task/{number}/children").read_text().split()
    return [int(name) for name in names if b"worker" in Path(f"/proc/{name}/cmdline").read_bytes()]


@contextlib.contextmanager
def stopped(worker: int) -> Iterator[None]:
    """Let a worker do nothing within the block, so that another serves."""
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def metric(running: Daemon, line: str) -> float:
    page = ask(running.base_url, "GET", "/metrics").body.decode()
    (found,) = re.findall(rf"^{re.escape(line)} (\S+)$", page, re.MULTILINE) or ["0"]
    return float(found)


def served_by(running: Daemon, count: int) -> list[int]:
    """Return which workers answered so many requests that may change something, in order.

    The line is written after the answer has gone: it is waited for, and one of another worker
    may come first.
    """
    wait_until(lambda: len(_requests(running)) >= count)
    return sorted(one["worker"] for one in _requests(running))


def _requests(running: Daemon) -> list[dict[str, Any]]:
    lines = [
        json.loads(one) for one in running.log_text().splitlines() if one[:1] + one[-1:] == "{}"
    ]
    return [one for one in lines if one.get("event") == "request"]


def test_each_worker_serves_what_the_other_stored(prepared: tuple[Path, Town]) -> None:
    data, town = prepared
    with daemon(data, HTTP__WORKERS="2") as running:
        one, other = workers_of(running)
        with stopped(other), Client(running.base_url, town.tokens["H22"]) as client:
            receipt = client.submit(town.envelope("H22", COMMUNE))
            assert metric(running, "vanban_accepted_total") == 1
        with stopped(one), Client(running.base_url, town.tokens[COMMUNE]) as client:
            (delivery,) = client.lease()
            assert delivery.key == receipt.key
            client.acknowledge([delivery.delivery])
            assert metric(running, "vanban_accepted_total") == 1, "the owner's, whoever answers"
        assert served_by(running, 3) == [1, 2, 2]
        requests = 'vanban_http_requests_total{endpoint="/v1/documents",status="201"}'
        for still in (one, other):
            with stopped(still):
                assert metric(running, requests) == 1
        assert ask(running.base_url, "GET", "/readyz").json()["status"] == "ready"
        assert running.stop() == 0, running.log_text()
    assert not lives(one)
    assert not lives(other)
    with Engine.open(data) as engine:
        assert engine.check() == []


def test_a_sleeper_in_one_worker_wakes_for_what_another_takes(
    prepared: tuple[Path, Town],
) -> None:
    data, town = prepared
    got: list[Delivery] = []
    with (
        daemon(data, HTTP__WORKERS="2") as running,
        Client(running.base_url, town.tokens["H22"]) as sender,
        Client(running.base_url, town.tokens[COMMUNE]) as reader,
    ):
        one, other = workers_of(running)
        with stopped(other):
            sender.whoami()  # its connection stays with the first worker
        with stopped(one):
            asleep = threading.Thread(target=lambda: got.extend(reader.lease(wait_s=60)))
            asleep.start()
            wait_until(lambda: metric(running, "vanban_http_long_polls") == 1)
        sender.submit(town.envelope("H22", COMMUNE))
        asleep.join(50)
        assert len(got) == 1
        assert served_by(running, 2) == [1, 2]
        (answer,) = reader.give_back([got[0].delivery])
        assert answer.state == "queued"
        assert running.stop() == 0


def test_a_killed_worker_is_replaced_and_the_others_serve_on(
    prepared: tuple[Path, Town],
) -> None:
    data, town = prepared
    requests = 'vanban_http_requests_total{endpoint="/v1/documents",status="201"}'
    with daemon(data, HTTP__WORKERS="2") as running:
        receipts = []
        for round_ in range(3):
            victim = workers_of(running)[round_ % 2]
            with Client(running.base_url, town.tokens["H22"]) as client:
                receipts.append(client.submit(town.envelope("H22", COMMUNE)))
            os.kill(victim, signal.SIGKILL)
            with Client(running.base_url, town.tokens["H22"]) as client:
                receipts.append(client.submit(town.envelope("H22", COMMUNE)))
            wait_until(lambda: metric(running, "vanban_http_workers") == 2)
            wait_until(lambda: len(workers_of(running)) == 2)
            assert victim not in workers_of(running)
            assert metric(running, "vanban_http_worker_restarts_total") == round_ + 1
            assert metric(running, requests) == len(receipts), "no counter goes back"
        with Client(running.base_url, town.tokens["H22"]) as client:
            for one in receipts:
                assert client.track(one.key).recipients == 1
        assert running.stop() == 0, running.log_text()


def test_when_the_owner_is_killed_the_workers_leave_the_port_and_nothing_is_forgotten(
    prepared: tuple[Path, Town],
) -> None:
    data, town = prepared
    sent: dict[bytes, str] = {}
    unsure: list[bytes] = []
    with daemon(data, HTTP__WORKERS="2") as running:
        started = threading.Event()

        def send() -> None:
            with Client(running.base_url, town.tokens["H22"]) as client:
                while True:
                    envelope = town.envelope("H22", COMMUNE)
                    try:
                        sent[envelope] = client.submit(envelope).key
                    except VanbanError:
                        unsure.append(envelope)
                        return
                    if len(sent) >= 20:
                        started.set()

        sender = threading.Thread(target=send)
        sender.start()
        assert started.wait(60)
        workers = workers_of(running)
        assert running.stop(signal.SIGKILL) == -signal.SIGKILL
        wait_until(lambda: not any(map(lives, workers)))
        sender.join(60)
        assert not sender.is_alive(), "a client hangs"
        address = urlsplit(running.base_url)
        socket.create_server((address.hostname or "", address.port or 0)).close()
    with daemon(data, HTTP__WORKERS="2") as again:
        with Client(again.base_url, town.tokens["H22"]) as client:
            for envelope, key in sent.items():
                receipt = client.submit(envelope)
                assert (receipt.key, receipt.repeated) == (key, True)
            for envelope in unsure:
                client.submit(envelope)
        assert again.stop() == 0
    with Engine.open(data) as engine:
        assert engine.check() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_answers_the_sleepers_of_all_workers_and_leaves_nobody_behind(
    prepared: tuple[Path, Town], number: signal.Signals
) -> None:
    data, town = prepared
    with daemon(data, HTTP__WORKERS="2") as running:
        workers = workers_of(running)
        got: list[list[Delivery]] = []
        polls = []
        for place, worker in enumerate(workers):
            with stopped(worker):
                client = Client(running.base_url, town.tokens["H22.32"])
                polls.append(
                    threading.Thread(target=lambda one=client: got.append(one.lease(wait_s=60)))
                )
                polls[-1].start()
                wait_until(lambda n=place: metric(running, "vanban_http_long_polls") > n)
        assert running.stop(number) == 0, running.log_text()
        for poll in polls:
            poll.join(30)
        assert got == [[], []]
        assert not any(map(lives, workers))


def test_a_worker_without_its_owner_says_that_it_is_not_ready(tmp_path: Path) -> None:
    owner = Engine.open(tmp_path / "data", share=True)
    with Engine.connect(tmp_path / "data") as engine, BackgroundServer(engine) as server:
        assert ask(server.base_url, "GET", "/readyz").status == 200
        owner.close()
        answer = ask(server.base_url, "GET", "/readyz")
        assert answer.status == 503
        assert answer.problem()["code"].startswith("owner.")
        page = ask(server.base_url, "GET", "/metrics")
        assert page.status == 200
        assert "vanban_healthy 0.0" in page.body.decode().splitlines()
