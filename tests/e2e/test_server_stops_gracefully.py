"""SIGTERM in the middle of work: nothing acknowledged is lost, nobody hangs, exit code 0.

A real daemon process.  The failures guarded against: a long poll that keeps the process
alive for a minute, an engine that is not closed, a supervisor that sees a crash.
"""

from __future__ import annotations

import json
import signal
import threading

import pytest
from support.daemon import daemon, found_at
from support.http import ask, dial, read_all

from router.client import Client
from router.engine import Engine

JSON = "application/json"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    data = tmp_path_factory.mktemp("daemon") / "store"
    return data, found_at(data)


def wait_for(base_url, line):
    while line not in ask(base_url, "GET", "/metrics").body.decode():
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_long_polls_are_answered_empty_and_the_exit_code_is_0(prepared, number):
    data, town = prepared
    with daemon(data) as running:
        got = []
        client = Client(running.base_url, town.tokens["H22.31.20"])
        poll = threading.Thread(target=lambda: got.append(client.lease(wait_s=60)))
        poll.start()
        wait_for(running.base_url, "vanban_http_long_polls 1.0")
        assert running.stop(number) == 0
        poll.join(30)
        assert got == [[]]


def test_a_request_in_flight_is_finished(prepared):
    data, town = prepared
    raw = town.envelope("H22", "H22.31.20")
    with daemon(data) as running, dial(running.base_url) as connection:
        head = (
            f"POST /v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
            f"{town.tokens['H22']}\r\nContent-Type: {JSON}\r\nContent-Length: {len(raw)}\r\n\r\n"
        )
        connection.sendall(head.encode() + raw[:100])
        wait_for(running.base_url, "vanban_http_requests_waiting 1.0")
        running.process.send_signal(signal.SIGTERM)
        connection.sendall(raw[100:])
        answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 201 ")
        assert running.process.wait(30) == 0
    with Engine.open(data) as engine:
        key = json.loads(answer.partition(b"\r\n\r\n")[2])["key"]
        assert engine.track(key).recipients == 1


def test_a_request_that_never_ends_does_not_hold_the_stop(prepared):
    data, town = prepared
    with daemon(data, HTTP__STOP_S="1") as running, dial(running.base_url) as connection:
        token = town.tokens["H22"]
        head = f"POST /v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        connection.sendall(f"{head}Content-Type: {JSON}\r\nContent-Length: 10\r\n\r\n".encode())
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0


def test_what_was_answered_is_there_after_a_restart(prepared):
    data, town = prepared
    with daemon(data) as running, Client(running.base_url, town.tokens["H22"]) as client:
        key = client.submit(town.envelope("H22", "H22.31.21")).key
        assert running.stop() == 0
    with daemon(data) as again, Client(again.base_url, town.tokens["H22.31.21"]) as client:
        assert key in [one.key for one in client.lease()]
        assert again.stop() == 0


def test_the_log_has_a_line_for_each_change_and_no_secret(prepared):
    data, town = prepared
    token = town.tokens["H22"]
    with daemon(data) as running:
        with Client(running.base_url, token, actor="Nguyễn Văn A") as client:
            client.submit(town.envelope("H22", "H22.31.20"))
            client.resolve("all")
        ask(running.base_url, "POST", "/v1/documents", b"{noi dung", token, JSON)
        assert running.stop() == 0
        text = running.log_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    seen = [line for line in lines if line["event"] == "request"]
    assert [(line["unit"], line["status"], line["code"]) for line in seen] == [
        ("H22", 201, ""),
        ("H22", 400, "json.malformed"),
    ]
    assert seen[0]["actor"] == "Nguyễn Văn A"
    assert token.rpartition(".")[2] not in text
    assert "noi dung" not in text
    assert "kiện toàn" not in text
