"""Processes that share an engine: the owner dies, another takes over, the clients go on.

The failures guarded against: a call that hangs, an answer taken for another's, a document lost
or doubled by a repetition, and a former owner that is believed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.daemon import UNITS, found_at
from support.shared import owner, wait_until

from router.engine import Arrival, Engine, reached_by
from router.engine.local import channel, sockets, wire
from router.engine.local import owner as sharing
from router.engine.local.owner import Bounds, Sharing
from router.engine.local.wire import Hello
from router.errors import (
    ClosedError,
    ForbiddenError,
    InputError,
    OverloadedError,
    OwnerError,
    StorageError,
    VanbanError,
)
from router.model.answers import Receipt

COMMUNE = "H22.31.20"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def shared(data: Path) -> Iterator[Engine]:
    with Engine.open(data, share=True) as engine:
        engine.import_units(UNITS)
        yield engine


def code_of(action: Callable[[], object]) -> str:
    with pytest.raises(VanbanError) as caught:
        action()
    return caught.value.code


def sent(engine: Engine, envelope: bytes) -> Receipt:
    (outcome,) = engine.submit([envelope])
    assert isinstance(outcome, Receipt), outcome
    return outcome


# Owners come and go.


def test_clients_go_on_with_the_next_owner_after_a_kill(data: Path) -> None:
    town = found_at(data)
    envelope = town.envelope("H22", COMMUNE)
    with owner(data) as first:
        one, other = Engine.connect(data), Engine.connect(data)
        receipt = sent(one, envelope)
        assert other.waiting(COMMUNE)
        first.kill()
        assert code_of(lambda: one.submit([envelope])) in ("owner.gone", "owner.absent")
        assert code_of(one.now_us) == "owner.absent"
        assert not one.healthy()
    assert (data / "engine.sock").exists(), "a killed owner leaves its socket behind"
    assert code_of(lambda: Engine.connect(data)) == "owner.absent"
    with owner(data):
        again = sent(one, envelope)
        assert (again.repeated, again.key) == (True, receipt.key)
        (delivery,) = other.lease(COMMUNE)
        (done,) = other.acknowledge(COMMUNE, [delivery.delivery])
        assert done.state == "delivered"
        one.close()
        other.close()


def test_a_storm_over_several_killed_owners_loses_and_doubles_nothing(data: Path) -> None:
    """Clients repeat what was not answered, as docs/connect.md tells them to."""
    town = found_at(data)
    letters = [[town.envelope("H22", COMMUNE) for _ in range(40)] for _ in range(2)]
    kept: list[dict[int, set[str]]] = [{}, {}]
    met: set[str] = set()
    done = threading.Semaphore(0)

    def storm(client: Engine, mine: list[bytes], found: dict[int, set[str]]) -> None:
        for place, letter in enumerate(mine):
            while True:
                try:
                    key = sent(client, letter).key
                except OwnerError as error:
                    met.add(error.code)
                    time.sleep(0.01)
                    continue
                found.setdefault(place, set()).add(key)
                break
            done.release()

    with contextlib.ExitStack() as stack:
        first = stack.enter_context(owner(data))
        clients = [stack.enter_context(Engine.connect(data)) for _ in letters]
        threads = [
            threading.Thread(target=storm, args=each, daemon=True)
            for each in zip(clients, letters, kept, strict=True)
        ]
        for thread in threads:
            thread.start()
        for _ in range(3):
            for _ in range(15):
                assert done.acquire(timeout=60)
            first.kill()
            first = stack.enter_context(owner(data))
        for thread in threads:
            thread.join(60)
        keys = [key for found in kept for each in found.values() for key in each]
        assert len(keys) == len(set(keys)) == 80
        leased: list[str] = []
        while more := clients[0].lease(COMMUNE, 100):
            leased += [each.key for each in more]
            clients[0].acknowledge(COMMUNE, [each.delivery for each in more])
        assert sorted(leased) == sorted(keys)
        assert clients[1].check() == []
    assert met <= {"owner.gone", "owner.absent"}
    assert met


def test_a_call_in_flight_says_that_the_owner_is_gone(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found_at(data)
    sent_all = threading.Event()
    receive = channel.Connection.receive

    def receiving(self: channel.Connection, deadline: float) -> bytearray:
        sent_all.set()
        return receive(self, deadline)

    with owner(data) as running, Engine.connect(data) as client:
        client.now_us()
        running.pause()
        monkeypatch.setattr(channel.Connection, "receive", receiving)
        failed: list[str] = []
        thread = threading.Thread(target=lambda: failed.append(code_of(client.check)))
        thread.start()
        assert sent_all.wait(30)
        running.kill()
        thread.join(30)
        assert failed == ["owner.gone"]


def test_an_owner_that_does_not_answer_is_given_up_and_asked_anew(data: Path) -> None:
    found_at(data)
    with owner(data) as running, Engine.connect(data, timeout_s=0.3) as client:
        running.pause()
        assert code_of(client.now_us) == "owner.silent"
        running.resume()
        wait_until(client.healthy)
        assert client.check() == []


def test_an_owner_that_ends_in_peace_takes_its_socket_along(data: Path) -> None:
    found_at(data)
    with owner(data) as running, Engine.connect(data) as client:
        assert stat.S_IMODE((data / "engine.sock").stat().st_mode) == 0o600
        assert running.stop() == 0
        assert not (data / "engine.sock").exists()
        assert code_of(client.now_us) == "owner.absent"


def test_two_clients_and_many_threads_at_once_lose_and_double_nothing(data: Path) -> None:
    town = found_at(data)
    letters = [[town.envelope("H22", COMMUNE) for _ in range(20)] for _ in range(6)]
    receipts: list[str] = []
    with owner(data), Engine.connect(data) as one, Engine.connect(data) as other:

        def send(client: Engine, mine: list[bytes]) -> None:
            for start in range(0, len(mine), 5):
                outcomes = client.submit(mine[start : start + 5])
                receipts.extend(each.key for each in outcomes if isinstance(each, Receipt))

        clients = (one, other, one, other, one, other)
        threads = [
            threading.Thread(target=send, args=each) for each in zip(clients, letters, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(set(receipts)) == len(receipts) == 120
        leased = [each.key for client in (one, other) for each in client.lease(COMMUNE, 60)]
        assert sorted(leased) == sorted(receipts)


def test_more_threads_than_connections_wait_for_their_turn(
    shared: Engine, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel.limits, "LOCAL_SOCKETS_MAX", 2)
    with Engine.connect(data) as client:
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda: answers.append(client.now_us())) for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(answers) == 12
        assert len(client._channel._idle) <= 2  # type: ignore[attr-defined]


def test_listeners_go_on_with_the_next_owner_and_hear_that_something_was_missed(
    data: Path,
) -> None:
    town = found_at(data)
    heard: list[Arrival] = []
    numbers = tuple(unit.number for unit in UNITS)
    with owner(data) as first:
        client = Engine.connect(data)
        client.listen(heard.extend)
        first.kill()
    with owner(data), client:
        wait_until(lambda: heard)
        assert reached_by(heard, numbers) == set(numbers), "anybody may have been missed"
        heard.clear()
        sent(client, town.envelope("H22", COMMUNE))
        wait_until(lambda: heard)
        assert reached_by(heard, numbers) == {3}


def test_a_flood_of_audiences_is_told_as_anybody(
    shared: Engine, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from router.engine.local import telling

    monkeypatch.setattr(telling.limits, "LOCAL_ARRIVALS_BYTES_MAX", 1)
    teller = telling.Teller(shared)
    heard = telling.SentArrival(1, b"\0" * 8, 1, 1)
    with teller._news:
        teller._keep(heard)
        teller._keep(telling.SentArrival(2, b"\0" * 8, 1, 1))
    assert list(teller._untold.values()) == [telling.SentArrival(0, b"", 0, 0)]


def test_an_owner_that_closes_finishes_what_is_under_way(
    shared: Engine, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow() -> list[str]:
        began.set()
        assert go_on.wait(30)
        return ["found"]

    monkeypatch.setattr(shared, "check", slow)
    with Engine.connect(data) as client:
        answers: list[list[str]] = []
        asking = threading.Thread(target=lambda: answers.append(client.check()))
        asking.start()
        assert began.wait(30)
        closing = threading.Thread(target=shared.close)
        closing.start()
        wait_until(lambda: not (data / "engine.sock").exists())
        assert shared.healthy()
        go_on.set()
        asking.join(30)
        closing.join(30)
        assert answers == [["found"]]
        assert code_of(client.now_us) == "owner.absent"


# Who is believed.


def test_a_former_owner_is_refused(shared: Engine, data: Path) -> None:
    with Engine.connect(data) as client:
        seen = client._channel.epoch  # type: ignore[attr-defined]
        assert seen == shared._epoch
        client._channel.epoch = seen + 1  # type: ignore[attr-defined]
        client._channel._idle.clear()  # type: ignore[attr-defined]
        with pytest.raises(OwnerError) as caught:
            client.now_us()
        assert caught.value.code == "owner.fenced"
        assert caught.value.facts == {"epoch": seen, "seen": seen + 1}


def test_the_epoch_grows_with_each_owner(data: Path) -> None:
    epochs = []
    for _ in range(3):
        with Engine.open(data, share=True), Engine.connect(data) as client:
            epochs.append(client._channel.epoch)  # type: ignore[attr-defined]
    assert epochs == sorted(set(epochs))


@pytest.mark.parametrize("field", ["version", "wire", "product"])
def test_another_version_is_refused_by_name(
    shared: Engine, data: Path, field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Hello.of(0)
    other = {"version": "0.0.9", "wire": 99, "product": "x"}[field]
    monkeypatch.setattr(
        channel, "Hello", type("_", (), {"of": lambda _: _changed(made, field, other)})
    )
    with pytest.raises(OwnerError) as caught:
        Engine.connect(data)
    assert caught.value.code == "owner.version"
    assert wire.package_version() in str(caught.value.facts["owner"])
    if field == "version":
        assert "0.0.9" in str(caught.value.facts["client"])


def _changed(hello: Hello, field: str, value: object) -> Hello:
    import msgspec

    return msgspec.structs.replace(hello, **{field: value})


def test_other_users_are_refused_on_both_sides(
    shared: Engine, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing.sockets, "peer", lambda _: 12_345)
    with pytest.raises(ForbiddenError) as caught:
        Engine.connect(data)
    assert (caught.value.code, caught.value.facts) == ("owner.peer", {"user": 12_345})
    real = sockets._CREDENTIALS

    def only_the_owner(connection: socket.socket) -> int:
        told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, real.size)
        named = threading.current_thread().name == "vanban-share"
        return 12_345 if named else int(real.unpack(told)[1])

    monkeypatch.setattr(sharing.sockets, "peer", only_the_owner)
    assert code_of(lambda: Engine.connect(data)) == "owner.peer"


def test_the_user_of_the_other_side_is_read_from_the_kernel(shared: Engine, data: Path) -> None:
    connection = sockets.connect(data, float("inf"))
    assert sockets.peer(connection) == os.geteuid()
    connection.close()


def test_a_forked_process_is_refused_and_the_parent_goes_on(shared: Engine, data: Path) -> None:
    client = Engine.connect(data)
    fork = multiprocessing.get_context("fork")
    answers = fork.SimpleQueue()

    def child() -> None:
        codes = [code_of(each) for each in (shared.tokens, client.now_us)]
        shared.close()
        with Engine.connect(data) as own:
            answers.put([*codes, own.healthy(), shared.healthy()])

    process = fork.Process(target=child)
    process.start()
    process.join(60)
    assert answers.get() == ["engine.forked", "engine.forked", True, False]
    assert client.healthy()
    assert shared.healthy()
    client.close()


# The socket.


def test_a_long_path_works(tmp_path: Path) -> None:
    data = tmp_path / ("dài" * 40) / ("x" * 120) / "data"
    with Engine.open(data, share=True), Engine.connect(data) as client:
        assert len(os.fsencode(data)) > 250
        assert client.healthy()
    assert not (data / "engine.sock").exists()


def test_a_relative_path_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Engine.open("data", share=True), Engine.connect("data") as client:
        assert client.healthy()


def test_a_stale_socket_is_replaced_and_a_foreign_file_is_not(data: Path) -> None:
    Engine.open(data).close()
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(data / "engine.sock"))
    left.close()
    assert code_of(lambda: Engine.connect(data)) == "owner.absent"
    with Engine.open(data, share=True), Engine.connect(data) as client:
        assert client.healthy()
    (data / "engine.sock").write_text("mine")
    assert code_of(lambda: Engine.open(data, share=True)) == "owner.socket"
    assert (data / "engine.sock").read_text() == "mine"
    Engine.open(data).close()  # it was not left locked


def test_an_owner_that_does_not_share_is_absent(data: Path) -> None:
    with Engine.open(data):
        assert code_of(lambda: Engine.connect(data)) == "owner.absent"
    for name in ("none", "x" * 5_000, "\0"):
        assert code_of(lambda name=name: Engine.connect(data / name)) == "store.missing"


def test_the_socket_of_another_owner_is_left_where_it_is(shared: Engine, data: Path) -> None:
    (data / "engine.sock").unlink()
    other = sockets.listen(data)
    shared.close()
    assert (data / "engine.sock").exists()
    other.close()


# What clients are told.


def test_a_closed_client_says_so_and_the_owner_goes_on(shared: Engine, data: Path) -> None:
    client = Engine.connect(data)
    client.listen(lambda _: None)
    client.close()
    client.close()
    with pytest.raises(ClosedError):
        client.now_us()
    assert not client.healthy()
    assert shared.healthy()


def test_the_actor_of_the_connection_stands_for_whoever_a_call_does_not_name(
    shared: Engine, data: Path
) -> None:
    with Engine.connect(data, actor="Cổng") as client:
        right = client.grant_right("H22", "read", "all", reason="x")
        assert right.actor == "Cổng"
        assert client.grant_right("H22", "read", "all", reason="x", actor="Lan").actor == "Lan"
    with pytest.raises(InputError):
        Engine.connect(data, actor="x" * 65)


def test_a_fault_of_the_owner_is_told_by_reference_and_costs_nobody_else(
    shared: Engine, data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> list[object]:
        raise KeyError("secret text")

    monkeypatch.setattr(shared, "tokens", broken)
    with Engine.connect(data) as client, pytest.raises(VanbanError) as caught:
        client.tokens()
    assert caught.value.code == "server.fault"
    assert str(caught.value.facts["reference"]) in caplog.text
    assert "secret" not in str(caught.value)


def test_beyond_the_bound_of_connections_a_client_is_told_to_come_later(data: Path) -> None:
    with Engine.open(data) as engine:
        sharing = Sharing(engine, data, 1, Bounds(connections=1))
        with Engine.connect(data) as client:
            client.now_us()
            with pytest.raises(OverloadedError) as caught:
                Engine.connect(data)
            assert caught.value.code == "server.busy"
        sharing.stop()


def test_an_idle_connection_is_ended_and_the_next_call_makes_another(data: Path) -> None:
    with Engine.open(data) as engine:
        sharing = Sharing(engine, data, 1, Bounds(idle_s=0.1))
        with Engine.connect(data) as client:
            client.now_us()
            wait_until(lambda: not sharing._links)
            assert client.healthy()
        sharing.stop()


def test_a_storage_error_of_the_owner_stays_one(
    shared: Engine, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failed() -> list[str]:
        raise StorageError("store.failed", path="/x", reason="Input/output error")

    monkeypatch.setattr(shared, "check", failed)
    with Engine.connect(data) as client, pytest.raises(StorageError) as caught:
        client.check()
    assert (type(caught.value), caught.value.code) == (StorageError, "store.failed")
