"""A worker that can't live is not started for ever, and all workers share the daemon's bounds."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from router import limits
from router.engine import Engine
from router.errors import ClosedError, SettingsError, VanbanError
from router.server import serve, workers
from router.server.workers import Worker, Workers, share_of
from router.settings import HttpSettings, Settings


def test_the_daemon_ends_when_a_worker_can_not_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_MODULE", "router.no_such_module")
    monkeypatch.setattr(limits, "WORKER_RESTARTS_MAX", 2)
    monkeypatch.setattr(limits, "WORKER_PAUSE_S_MIN", 0.001)
    started: list[int] = []
    start = Workers._start

    def counted(self: Workers, worker: Worker) -> None:
        started.append(worker.number)
        start(self, worker)

    monkeypatch.setattr(Workers, "_start", counted)
    said: list[bool] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        daemon = Workers(Settings(http=HttpSettings(workers=1)), listener)
        with pytest.raises(VanbanError) as caught:
            daemon.run(lambda: said.append(True))
    assert caught.value.code == "server.workers"
    assert len(started) == 1 + 2
    assert not said, "it was never ready"


def test_workers_are_refused_over_an_engine_that_is_not_shared(tmp_path: Path) -> None:
    engine = Engine.open(tmp_path / "data")
    with pytest.raises(SettingsError) as caught:
        serve(engine, Settings(data=str(tmp_path / "data"), http=HttpSettings(workers=1)))
    assert caught.value.path == "http.workers"
    with pytest.raises(ClosedError):
        engine.tick()


def test_pauses_grow_and_old_ends_are_forgotten() -> None:
    worker = Worker(1)
    pauses = []
    for _ in range(limits.WORKER_RESTARTS_MAX):
        assert worker.ended(1_000.0)
        pauses.append(worker.start_at - 1_000.0)
    assert pauses == sorted(pauses)
    assert pauses[0] == pytest.approx(limits.WORKER_PAUSE_S_MIN)
    assert pauses[-1] == pytest.approx(limits.WORKER_PAUSE_S_MAX)
    assert not worker.ended(1_000.0)
    later = 1_001.0 + limits.WORKER_RESTARTS_S
    assert worker.ended(later)
    assert worker.start_at - later == pytest.approx(limits.WORKER_PAUSE_S_MIN)


@pytest.mark.parametrize("count", [1, 3, 64])
def test_the_bounds_of_all_workers_together_are_those_of_the_settings(count: int) -> None:
    http = HttpSettings(workers=count)
    share = share_of(http)
    for name in ("requests_waiting_max", "body_bytes_waiting_max", "long_polls_max"):
        whole, part = getattr(http, name), getattr(share, name)
        assert part >= 1
        assert whole - count < part * count < whole + count
    few = HttpSettings(workers=count, body_bytes_waiting_max=limits.BODY_BYTES_WAITING_MIN)
    assert share_of(few).body_bytes_waiting_max == limits.BODY_BYTES_WAITING_MIN
