"""What is not a good request gets problem details, a stable code, and leaves no trace.

Raw HTTP on purpose: the shipped clients would not send most of this.
"""

from __future__ import annotations

import json

import pytest
from support.daemon import found
from support.http import ask, dial, read_all

from router import limits
from router.engine import Engine
from router.server import BackgroundServer
from router.settings import HttpSettings, Settings

JSON = "application/json"
NDJSON = "application/x-ndjson"
POSTS = (
    "/v1/documents",
    "/v1/documents/batch",
    "/v1/inbox/lease",
    "/v1/inbox/acknowledge",
    "/v1/inbox/refuse",
    "/v1/resolve",
)
GETS = ("/v1/documents/00/tracking", "/v1/documents/00/explain?unit=H22", "/v1/units/H22")


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    settings = Settings(http=HttpSettings(port=0, body_read_s=1.0))
    with Engine.open(tmp_path_factory.mktemp("data") / "store") as engine:
        town = found(engine)
        with BackgroundServer(engine, settings) as server:
            yield town, server.base_url, engine


@pytest.fixture
def base_url(house):
    return house[1]


@pytest.fixture
def token(house):
    return house[0].tokens["H22"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    ("value", "code"),
    [(None, "token.missing"), ("Basic eDp5", "token.missing"), ("Bearer vb1.x.y", "token.invalid")],
)
def test_without_a_good_token_nothing_is_done(base_url, path, value, code):
    headers = {"Authorization": value} if value else {}
    answer = ask(base_url, "POST", path, b"{}", kind=JSON, **headers)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.problem()["code"] == code


@pytest.mark.parametrize("path", [*GETS, "/v1/whoami"])
def test_looking_needs_a_token_too(base_url, path):
    assert ask(base_url, "GET", path).problem()["code"] == "token.missing"


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("kind", [None, "text/plain", "application/json; charset=utf-16"])
def test_another_content_type_is_not_taken(base_url, token, path, kind):
    answer = ask(base_url, "POST", path, b"{}", token, kind)
    assert answer.status == 415
    assert answer.problem()["code"] == "request.content_type"


@pytest.mark.parametrize("path", POSTS)
def test_another_method_is_answered_with_the_right_one(base_url, token, path):
    answer = ask(base_url, "PUT", path, b"{}", token, JSON)
    assert answer.status == 405
    assert "POST" in answer.headers["allow"]
    assert answer.problem()["code"] == "request.method"


@pytest.mark.parametrize("path", ["/", "/v2/documents", "/schema", "/docs", "/v1", "/%00", "//x"])
def test_an_unknown_address_is_404(base_url, path):
    assert ask(base_url, "GET", path).problem()["code"] == "request.not_found"


def test_an_unknown_address_under_v1_is_404(base_url, token):
    assert ask(base_url, "GET", "/v1/nothing", token=token).status == 404


@pytest.mark.parametrize("kind", [None, "text/plain", JSON])
@pytest.mark.parametrize("body", [None, b"{}"])
def test_what_is_not_there_is_404_whatever_is_posted_to_it(base_url, token, kind, body):
    for path in ("/v1/nothing", "/v1/documents/x", "/v1/inbox"):
        answer = ask(base_url, "POST", path, body, token, kind)
        assert (answer.status, answer.problem()["code"]) == (404, "request.not_found")


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/openapi.json", "/v1/units/H22"])
def test_posting_to_what_is_only_read_is_405(base_url, token, path):
    answer = ask(base_url, "POST", path, None, token)
    assert answer.status == 405
    assert {"GET", "HEAD"} <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/openapi.json", "/v1/whoami", "/v1/units/H22", "/v1/units/X9"]
)
def test_head_is_answered_as_get_without_a_body(base_url, token, path):
    got = ask(base_url, "GET", path, token=token)
    head = ask(base_url, "HEAD", path, token=token)
    assert (head.status, head.body) == (got.status, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert head.headers["content-length"] == str(len(got.body))


@pytest.mark.parametrize("path", POSTS[2:])
@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"no"])
def test_malformed_json_is_said_to_be_so(base_url, token, path, body):
    answer = ask(base_url, "POST", path, body, token, JSON)
    assert answer.status == 400
    assert answer.problem()["code"] == "json.malformed"


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"a":1}x', b"null"])
def test_hostile_json_is_a_problem_and_no_fault(base_url, token, path, body):
    kind = NDJSON if path.endswith("batch") else JSON
    answer = ask(base_url, "POST", path, body, token, kind)
    if kind == JSON:
        assert answer.status in (400, 422)
        answer.problem()
    else:
        assert answer.json()["status"] in (400, 422)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe"])
def test_a_malformed_envelope_is_said_to_be_so(base_url, token, body):
    answer = ask(base_url, "POST", "/v1/documents", body, token, JSON)
    assert answer.status == 400
    assert answer.problem()["code"] == "json.malformed"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/inbox/lease", {"limit": 0}),
        ("/v1/inbox/lease", {"limit": 1_000_000}),
        ("/v1/inbox/lease", {"lease_s": -1}),
        ("/v1/inbox/lease", {"wait_s": 1e9}),
        ("/v1/inbox/lease", {"unit": "H22.31"}),
        ("/v1/inbox/lease", []),
        ("/v1/inbox/acknowledge", {}),
        ("/v1/inbox/acknowledge", {"deliveries": []}),
        ("/v1/inbox/acknowledge", {"deliveries": "x"}),
        ("/v1/inbox/refuse", {"deliveries": ["x"]}),
        ("/v1/inbox/refuse", {"deliveries": ["x"], "reason": "x" * 1_001}),
        ("/v1/resolve", {}),
        ("/v1/resolve", {"selector": "all", "extra": 1}),
        ("/v1/resolve", {"selector": "all", "at_us": 1 << 62}),
    ],
)
def test_wrong_fields_are_named(base_url, token, path, body):
    answer = ask(base_url, "POST", path, json.dumps(body), token, JSON)
    assert answer.status == 422
    assert answer.problem()["code"] == "request.invalid"


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "limit=999999999", "page=-1"])
def test_wrong_queries_are_refused(base_url, token, query):
    answer = ask(base_url, "GET", f"/v1/documents/00/tracking?{query}", token=token)
    assert answer.status == 422
    answer.problem()


def test_values_sent_are_not_repeated_in_the_answer(base_url, token):
    body = b'{"deliveries": ["x"], "reason": "ok", "b\xc3\xad m\xe1\xba\xadt": "noi dung mat"}'
    answer = ask(base_url, "POST", "/v1/inbox/refuse", body, token, JSON)
    assert b"noi dung mat" not in answer.body


@pytest.mark.parametrize("path", POSTS)
def test_an_oversize_body_is_refused_before_it_is_read(base_url, token, path):
    with dial(base_url) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        kind = NDJSON if path.endswith("batch") else JSON
        size = limits.REQUEST_BODY_BYTES_MAX + 1
        connection.sendall(f"{head}Content-Type: {kind}\r\nContent-Length: {size}\r\n\r\n".encode())
        assert_refused(read_all(connection), 413, "request.too_large")


def test_an_oversize_chunked_body_is_refused_while_it_is_read(base_url, token):
    with dial(base_url) as connection:
        head = (
            f"POST /v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.sendall(head.encode())
        chunk = b"%x\r\n%s\r\n" % (65_536, b" " * 65_536)
        for _ in range(limits.ENVELOPE_BYTES_MAX // 65_536 + 1):
            connection.sendall(chunk)
        assert_refused(read_all(connection), 413, "request.too_large")


def assert_refused(answer, status, code):
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"connection: close" in head.lower()
    assert json.loads(body)["code"] == code


def test_a_batch_of_too_many_documents_is_refused(base_url, token):
    body = b"{}\n" * (limits.BATCH_DOCUMENTS_MAX + 1)
    answer = ask(base_url, "POST", "/v1/documents/batch", body, token, NDJSON)
    assert answer.status == 413
    assert answer.problem()["code"] == "batch.too_large"


def test_a_client_that_sends_its_body_too_slowly_is_cut_off(base_url, token):
    with dial(base_url) as connection:
        head = f"POST /v1/documents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
        connection.sendall(f"{head}Content-Type: {JSON}\r\nContent-Length: 100\r\n\r\n{{".encode())
        assert_refused(read_all(connection), 408, "request.timeout")


def test_a_client_that_never_ends_its_headers_is_cut_off(base_url):
    with dial(base_url) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert read_all(connection) == b""


def test_endless_headers_are_cut_off(base_url):
    with dial(base_url) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ")
        try:
            for _ in range(64):
                connection.sendall(b"x" * 65_536)
        except (ConnectionResetError, BrokenPipeError):
            return
        assert read_all(connection) == b""


@pytest.mark.parametrize("actor", ["x" * 65, "a\x07b", " "])
def test_a_bad_actor_is_refused(base_url, token, actor):
    answer = ask(base_url, "POST", "/v1/inbox/lease", b"{}", token, JSON, Vanban_Actor=actor)
    assert answer.status in (400, 422)


def test_problems_speak_the_language_asked_for(base_url):
    said = ask(base_url, "GET", "/nothing", Accept_Language="vi-VN,vi;q=0.9")
    assert said.headers["content-language"] == "vi"
    assert said.problem()["detail"] == "Không có gì tại địa chỉ này."
    deep = ask(base_url, "GET", "/v1/whoami", Accept_Language="vi")
    assert deep.problem()["detail"] == "Cần có mã truy cập."


def test_no_refused_request_left_a_trace(house):
    _, base_url, engine = house
    assert engine.counters()["accepted"] == 0
    assert ask(base_url, "GET", "/readyz").json() == {"status": "ready"}


def test_pages_that_need_no_token(base_url):
    assert ask(base_url, "GET", "/healthz").json() == {"status": "ok"}
    assert ask(base_url, "GET", "/openapi.json").json()["openapi"].startswith("3.1")
    metrics = ask(base_url, "GET", "/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert b"vanban_accepted" in metrics.body
