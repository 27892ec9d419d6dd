"""What does not speak as a client should costs the owner little, and no other client anything."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.shared import wait_until

from router import limits
from router.engine import Engine
from router.engine.local import wire
from router.engine.local.calls import ENGINE_CALLS, OWN, SEAT_CALLS, call_named
from router.engine.local.owner import Bounds, Sharing
from router.engine.local.wire import Answer, Hello, Refusal
from router.errors import MalformedError

BOUNDS = Bounds(connections=32, calls=2, bytes_waiting=1 << 20, frame_s=0.3, idle_s=5)


@pytest.fixture
def sharing(tmp_path: Path) -> Iterator[Sharing]:
    with Engine.open(tmp_path / "data") as engine:
        made = Sharing(engine, tmp_path / "data", 1, BOUNDS)
        yield made
        made.stop()


@contextlib.contextmanager
def raw(sharing: Sharing, *, greet: bool = True) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.settimeout(30)
        made.connect(str(sharing._directory / "engine.sock"))
        if greet:
            made.sendall(wire.frame((1, "hello", Hello.of(0))))
            assert answer(made).kind == wire.ANSWER
        yield made


def answer(connection: socket.socket) -> Answer:
    head = connection.recv(4, socket.MSG_WAITALL)
    if len(head) < 4:
        raise EOFError
    (size,) = struct.unpack(">I", head)
    return msgspec.msgpack.decode(connection.recv(size, socket.MSG_WAITALL), type=Answer)


def refusal(connection: socket.socket) -> Refusal:
    got = answer(connection)
    assert got.kind == wire.REFUSAL
    return msgspec.msgpack.decode(got.body, type=Refusal)


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def others_are_served(sharing: Sharing) -> bool:
    with Engine.connect(sharing._directory) as client:
        return client.healthy()


def test_a_huge_length_is_refused_before_any_memory_is_given(sharing: Sharing) -> None:
    for greet, limit in (
        (False, limits.LOCAL_HELLO_BYTES_MAX), (True, limits.LOCAL_REQUEST_BYTES_MAX),
    ):  # fmt: skip
        with raw(sharing, greet=greet) as connection:
            connection.sendall(b"\xff\xff\xff\xff" + b"x" * 100)
            got = refusal(connection)
            assert (got.kind, got.code) == ("TooLargeError", "request.too_large")
            assert got.facts == {"limit": limit}
            assert ended(connection)
    wait_until(lambda: sharing._budget.held == 0)
    assert others_are_served(sharing)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"garbage",
        b"\x93\x01\xa2no\xa0",
        b"\x93\x01\xa6no-one\x80",
        b"\x93\x01\xa5hello",
        msgspec.msgpack.encode((1, "resolve", {})),
        msgspec.msgpack.encode((1, "submit", {})),
        msgspec.msgpack.encode((1, "seat.track", {"seated": None})),
        msgspec.msgpack.encode((1, "resolve", {"selector": 5})),
        msgspec.msgpack.encode((1, "resolve", {"selector": "all", "more": 1})),
        msgspec.msgpack.encode((1, "resolve", [1, 2])),
        msgspec.msgpack.encode((1, "_alive", {})),
        msgspec.msgpack.encode((1, "close", {})),
        msgspec.msgpack.encode((1, "open", {"path": "/"})),
        msgspec.msgpack.encode((1, "seat._ask", {})),
        msgspec.msgpack.encode((1, "seat.track", {"seated": "root", "document": "x"})),
        msgspec.msgpack.encode((1, "hello", {})),
        msgspec.msgpack.encode((1, "submit", {"batch": [{"version": []}], "unit": {}})),
        b"\x93\x01\xa7resolve" + b"\x81\xa8selector" + b"\x91" * 100_000 + b"\xc0",
        b"\x93\x01\xa6submit" + b"\x81\xa5batch" + b"\x91" * 100_000 + b"\xc0",
        b"\x91" * 500_000,
        b"\xdd\xff\xff\xff\xff",
        b"\x93\x01\xa6submit\x81\xa5batch\xdd\xff\xff\xff\xff",
    ],
    ids=lambda body: body[:24].hex(),
)
def test_garbage_is_refused_by_name(sharing: Sharing, body: bytes) -> None:
    with raw(sharing) as connection:
        connection.sendall(framed(body))
        got = refusal(connection)
        assert (got.kind, got.code) == ("MalformedError", "request.invalid")
    assert others_are_served(sharing)


def test_who_does_not_begin_with_hello_is_sent_away(sharing: Sharing) -> None:
    with raw(sharing, greet=False) as connection:
        connection.sendall(framed(msgspec.msgpack.encode((1, "now_us", {}))))
        assert refusal(connection).code == "request.invalid"
        assert ended(connection)
    with raw(sharing, greet=False) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert refusal(connection).code == "request.too_large"
        assert ended(connection)


def test_slow_senders_and_the_silent_are_ended_and_take_no_turn(sharing: Sharing) -> None:
    began = time.monotonic()
    with (
        raw(sharing, greet=False) as silent,
        raw(sharing) as slow,
        raw(sharing) as third,
        raw(sharing) as fourth,
    ):
        for each in (slow, third, fourth):  # more than there are threads
            each.sendall(b"\x00\x00\x10\x00")
        assert others_are_served(sharing)
        for each in (silent, slow, third, fourth):
            assert ended(each)
    assert time.monotonic() - began >= BOUNDS.frame_s
    wait_until(lambda: sharing._budget.held == 0)


def test_all_requests_together_are_bounded(sharing: Sharing) -> None:
    size = BOUNDS.bytes_waiting // 2
    told = []
    with raw(sharing) as one, raw(sharing) as two, raw(sharing) as three:
        for each in (one, two, three):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                each.sendall(struct.pack(">I", size * 2) + b"x" * (size - 100))
            assert sharing._budget.held <= BOUNDS.bytes_waiting
        for each in (one, two, three):
            with contextlib.suppress(EOFError):  # cut off for being slow
                told.append(refusal(each).code)
    assert set(told) == {"server.busy"}
    wait_until(lambda: sharing._budget.held == 0)
    assert others_are_served(sharing)


def test_requests_sent_ahead_are_answered_in_order(sharing: Sharing) -> None:
    with raw(sharing) as connection:
        asked = b"".join(
            framed(msgspec.msgpack.encode((number, "now_us", {}))) for number in range(2, 200)
        )
        connection.sendall(asked)
        assert [answer(connection).id for _ in range(2, 200)] == list(range(2, 200))


def test_a_frame_may_come_byte_by_byte(sharing: Sharing) -> None:
    with raw(sharing) as connection:
        for byte in framed(msgspec.msgpack.encode((2, "now_us", {}))):
            connection.sendall(bytes([byte]))
        assert answer(connection).kind == wire.ANSWER


def test_who_does_not_read_is_ended(sharing: Sharing) -> None:
    with raw(sharing) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        asked = framed(msgspec.msgpack.encode((2, "counters", {})))
        connection.setblocking(False)
        with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            while True:
                connection.send(asked)
        wait_until(lambda: not sharing._links)
    assert others_are_served(sharing)


def test_a_listener_that_does_not_read_is_ended_and_nobody_waits_for_it(sharing: Sharing) -> None:
    with raw(sharing) as connection:
        connection.sendall(framed(msgspec.msgpack.encode((2, "listen", {}))))
        assert answer(connection).kind == wire.ANSWER
        teller = sharing._teller
        (link,) = teller._links
        news = wire.frame((0, wire.ANSWER, [b"x" * 60_000]))
        while link in teller._links:
            teller._tell(link, news)
        wait_until(lambda: not sharing._links)


def test_a_listener_has_nothing_more_to_say(sharing: Sharing) -> None:
    with raw(sharing) as connection:
        connection.sendall(framed(msgspec.msgpack.encode((2, "listen", {}))))
        assert answer(connection).kind == wire.ANSWER
        connection.sendall(framed(msgspec.msgpack.encode((3, "now_us", {}))))
        assert ended(connection)
        wait_until(lambda: not sharing._teller._links)


def test_an_answer_beyond_the_bound_is_refused_and_the_connection_goes_on(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
) -> None:
    with raw(sharing) as connection:
        monkeypatch.setattr(limits, "LOCAL_ANSWER_BYTES_MAX", 10)
        connection.sendall(framed(msgspec.msgpack.encode((2, "counters", {}))))
        assert refusal(connection).code == "answer.too_large"
        monkeypatch.undo()
        connection.sendall(framed(msgspec.msgpack.encode((3, "counters", {}))))
        assert answer(connection).kind == wire.ANSWER


NAMES = [*ENGINE_CALLS, *OWN, *(wire.SEAT + name for name in SEAT_CALLS)]
PLAIN = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.floats()
VALUES = st.recursive(
    PLAIN | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.sampled_from(NAMES), st.data())
def test_arguments_of_any_shape_are_taken_or_refused_by_name(
    name: str, data: st.DataObject
) -> None:
    call = call_named(name)
    given_names = st.sampled_from(sorted(call.names) or ["x"]) | st.text(max_size=4)
    sent = data.draw(st.dictionaries(given_names, VALUES, max_size=4) | VALUES)
    body = msgspec.Raw(msgspec.msgpack.encode(sent))
    try:
        taken = call.arguments(body)
    except MalformedError:
        return
    assert set(taken) <= call.names


@given(st.binary(max_size=64))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    try:
        request = wire.read_request(body)
    except MalformedError:
        return
    assert isinstance(request.method, str)
