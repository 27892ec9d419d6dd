"""A client that does not read its answers holds neither their bytes nor a connection."""

from __future__ import annotations

import threading

import pytest
from support.http import ask, dial, read_all

from router import limits
from router.engine import Engine
from router.server import BackgroundServer
from router.server.connections import BoundedProtocol

REQUESTS = 1_000
ASK = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture
def lost(monkeypatch):
    """An event that is set when the server has lost a connection."""
    event = threading.Event()
    lose = BoundedProtocol.connection_lost

    def connection_lost(self, exc):
        lose(self, exc)
        event.set()

    monkeypatch.setattr(BoundedProtocol, "connection_lost", connection_lost)
    return event


@pytest.fixture
def base_url(tmp_path):
    with Engine.open(tmp_path / "store") as engine, BackgroundServer(engine) as server:
        yield server.base_url


def test_who_reads_nothing_is_dropped(base_url, lost, monkeypatch):
    size = len(ask(base_url, "GET", "/openapi.json").body)
    assert size * REQUESTS > 16 * limits.WRITE_BYTES_MIN  # more than the kernel's buffers take
    monkeypatch.setattr(BoundedProtocol, "write_s", 0.2)
    assert lost.wait(60)
    lost.clear()
    with dial(base_url) as connection:
        connection.sendall(ASK * REQUESTS)
        assert lost.wait(60)
        assert len(read_all(connection)) < size * REQUESTS
    assert ask(base_url, "GET", "/healthz").status == 200


def test_who_reads_is_not_dropped(base_url, monkeypatch):
    size = len(ask(base_url, "GET", "/openapi.json").body)
    monkeypatch.setattr(BoundedProtocol, "write_s", 5.0)
    with dial(base_url) as connection:
        connection.sendall(ASK * (REQUESTS - 1) + LAST)
        answers = read_all(connection)
    assert answers.count(b"HTTP/1.1 200") == REQUESTS
    assert len(answers) > size * REQUESTS
