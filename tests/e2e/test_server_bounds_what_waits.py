"""A flood is answered 503 with Retry-After instead of filling the memory."""

from __future__ import annotations

import contextlib
import select

from support.daemon import UNITS, found
from support.http import ask, dial

from router import limits
from router.engine import Engine
from router.server import BackgroundServer
from router.settings import HttpSettings, Settings

JSON = "application/json"


@contextlib.contextmanager
def house(path, **http):
    with Engine.open(path) as engine:
        town = found(engine)
        settings = Settings(http=HttpSettings(port=0, **http))
        with BackgroundServer(engine, settings) as server:
            yield town, server.base_url


def begin(connection, token, size, body=b""):
    """Send the head of a submission and a part of its body."""
    head = (
        f"POST /v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: {JSON}\r\nContent-Length: {size}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)


def wait_for(base_url, line):
    while line not in ask(base_url, "GET", "/metrics").body.decode():
        pass


def assert_busy(answer):
    assert answer.status == 503
    assert answer.problem()["code"] == "server.busy"
    assert int(answer.headers["retry-after"]) > 0


def test_more_requests_than_the_bound_are_sent_away(tmp_path):
    with house(tmp_path / "store", requests_waiting_max=2) as (town, base_url):
        token = town.tokens["H22"]
        with dial(base_url) as first, dial(base_url) as second:
            begin(first, token, 10)
            begin(second, token, 10)
            wait_for(base_url, "vanban_http_requests_waiting 2.0")
            assert_busy(ask(base_url, "GET", "/v1/whoami", token=token))
        wait_for(base_url, "vanban_http_requests_waiting 0.0")
        assert ask(base_url, "GET", "/v1/whoami", token=token).status == 200


def test_more_bytes_than_the_bound_are_sent_away(tmp_path):
    with house(tmp_path / "store", body_bytes_waiting_max=10_000) as (town, base_url):
        token = town.tokens["H22"]
        with dial(base_url) as first:
            begin(first, token, 9_000, b" " * 8_000)
            wait_for(base_url, "vanban_http_body_bytes_waiting 8000.0")
            answer = ask(base_url, "POST", "/v1/documents", b" " * 4_000, token, JSON)
            assert_busy(answer)
        wait_for(base_url, "vanban_http_body_bytes_waiting 0.0")
        answer = ask(base_url, "POST", "/v1/documents", b" " * 4_000, token, JSON)
        assert answer.problem()["code"] == "json.malformed"


def test_more_long_polls_than_the_bound_are_sent_away(tmp_path):
    with house(tmp_path / "store", long_polls_max=0) as (town, base_url):
        token = town.tokens["H22"]
        assert_busy(ask(base_url, "POST", "/v1/inbox/lease", b'{"wait_s":5}', token, JSON))
        assert ask(base_url, "POST", "/v1/inbox/lease", b"{}", token, JSON).status == 200


def test_a_closed_engine_is_answered_503(tmp_path):
    with Engine.open(tmp_path / "store") as engine:
        town = found(engine)
        with BackgroundServer(engine) as server:
            engine.close()
            answer = ask(server.base_url, "GET", "/v1/whoami", token=town.tokens["H22"])
            assert answer.status == 503
            assert answer.problem()["code"] == "engine.closed"
            assert ask(server.base_url, "GET", "/readyz").status == 503
            assert ask(server.base_url, "GET", "/healthz").status == 200
            assert ask(server.base_url, "GET", "/metrics").status == 200


class BrokenEngine(Engine):
    """An engine with a fault of ours in it, whose words hold what nobody may read."""

    def unit(self, code):
        raise RuntimeError("noi dung mat")

    def submit_many(self, items):
        raise RuntimeError("noi dung mat")

    def lease(self, *arguments, **options):
        raise RuntimeError("noi dung mat")


def test_a_fault_is_answered_with_a_reference_and_logged_without_content(tmp_path, caplog):
    with BrokenEngine.open(tmp_path / "store") as engine:
        engine.import_units(UNITS)
        token = engine.create_token("H22", "Văn thư")
        with BackgroundServer(engine) as server:
            for method, path, body in (
                ("GET", "/v1/units/H22", None),
                ("POST", "/v1/documents", b"{}"),
                ("POST", "/v1/inbox/lease", b"{}"),
            ):
                answer = ask(server.base_url, method, path, body, token, JSON)
                assert answer.status == 500
                problem = answer.problem()
                assert problem["code"] == "server.fault"
                assert problem["facts"]["reference"] in caplog.text
                assert b"noi dung mat" not in answer.body
            assert ask(server.base_url, "GET", "/healthz").status == 200
    assert "RuntimeError" in caplog.text
    assert "noi dung mat" not in caplog.text


def sleep_on(connection, token):
    """Send a lease that waits."""
    body = b'{"wait_s":60}'
    head = (
        f"POST /v1/inbox/lease HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: {JSON}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)


def test_sleeping_polls_keep_nobody_awake_out(tmp_path):
    with (
        house(tmp_path / "store", requests_waiting_max=2) as (town, base_url),
        contextlib.ExitStack() as open_ones,
    ):
        sleepers = [open_ones.enter_context(dial(base_url)) for _ in range(5)]
        for count, sleeper in enumerate(sleepers, 1):
            sleep_on(sleeper, town.tokens["H22.31.20"])
            wait_for(base_url, f"vanban_http_long_polls {count}.0")
        page = ask(base_url, "GET", "/metrics").body.decode()
        assert "vanban_http_requests_waiting 0.0" in page
        assert "vanban_http_body_bytes_waiting 0.0" in page
        envelope = town.envelope("H22", "H22.31.20")
        token = town.tokens["H22"]
        assert ask(base_url, "POST", "/v1/documents", envelope, token, JSON).status == 201
        ready, _, _ = select.select(sleepers, [], [], 60)
        assert b'"deliveries":[{' in ready[0].recv(65_536)
        ready[0].close()
        wait_for(base_url, "vanban_http_long_polls 4.0")
        wait_for(base_url, "vanban_http_requests_waiting 0.0")


def test_one_unit_cannot_take_the_long_polls_of_all(tmp_path):
    with (
        house(tmp_path / "store") as (town, base_url),
        contextlib.ExitStack() as open_ones,
    ):
        token = town.tokens["H22.31.20"]
        for _ in range(limits.LONG_POLLS_PER_UNIT_MAX):
            sleep_on(open_ones.enter_context(dial(base_url)), token)
        wait_for(base_url, f"vanban_http_long_polls {limits.LONG_POLLS_PER_UNIT_MAX}.0")
        assert_busy(ask(base_url, "POST", "/v1/inbox/lease", b'{"wait_s":5}', token, JSON))
        other = town.tokens["H22.31.21"]
        answer = ask(base_url, "POST", "/v1/inbox/lease", b'{"wait_s":1}', other, JSON)
        assert answer.status == 200
