"""A daemon of several processes: the owner of the data directory, and workers that serve HTTP.

The owner opens the listening socket, starts the workers and hands it to them: one queue of
connections, of which each worker takes when it has time, and which none of them takes along
when it dies.  A worker asks the owner through `Engine.connect`.  One that ends is started
again, after pauses that grow; too often, and the daemon ends, for its service manager to see.
When the owner ends, in whatever way, the workers see the end of their control sockets and stop.
"""

from __future__ import annotations

import contextlib
import logging
import select
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from router import limits
from router.errors import VanbanError
from router.server.tallies import Tallies
from router.settings import HttpSettings, Settings

_log = logging.getLogger("router.server")
_MODULE: Final = "router.server.worker"
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_LAST_WORDS_S: Final = 5.0
"""A worker gets this much longer than the requests it lets finish."""


class Worker:
    """One place among the workers, and the process that fills it now (None: none yet)."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: subprocess.Popen[bytes] | None = None
        self.control: socket.socket | None = None
        self.serving = False
        self.start_at = 0.0
        self._ends: deque[float] = deque()

    def ended(self, now: float) -> bool:
        """Note an end; say whether another start is within the bound."""
        self._ends.append(now)
        while self._ends[0] < now - limits.WORKER_RESTARTS_S:
            self._ends.popleft()
        pause = limits.WORKER_PAUSE_S_MIN * 2 ** (len(self._ends) - 1)
        self.start_at = now + min(pause, limits.WORKER_PAUSE_S_MAX)
        return len(self._ends) <= limits.WORKER_RESTARTS_MAX


class Workers:
    """The workers of one daemon, from the main thread of the owner."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._workers = [Worker(one + 1) for one in range(settings.http.workers)]
        self._tallies = Tallies(len(self._workers))
        self._poll = select.poll()
        self._restarts = 0
        self._stopping = False
        self._forced = False

    def run(self, ready: Callable[[], object]) -> None:
        """Keep the workers running until SIGTERM or SIGINT, then let them finish and end.

        `ready` is called once all of them serve.  Raises VanbanError `server.workers` when
        one of them ends too often; then all have ended.
        """
        said = False
        with self._signals() as bell:
            self._poll.register(bell, select.POLLIN)
            try:
                while not self._stopping:
                    self._start_due()
                    self._attend(bell)
                    if not said and all(one.serving for one in self._workers):
                        said = True
                        ready()
            finally:
                self._end_all(bell)

    # One turn.

    def _start_due(self) -> None:
        now = time.monotonic()
        for one in self._workers:
            if one.process is None and one.start_at <= now:
                self._start(one)

    def _start(self, worker: Worker) -> None:
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            handles = (its.fileno(), self._listener.fileno(), self._tallies.handle)
            try:
                worker.process = subprocess.Popen(  # noqa: S603 - a module of ours
                    [sys.executable, "-P", "-m", _MODULE, str(handles[0])],
                    stdin=subprocess.DEVNULL,
                    pass_fds=handles,
                )
            except OSError as error:  # no memory, no room for a process: later, perhaps
                mine.close()
                self._lost(worker, error.strerror or "no process")
                return
        worker.control = mine
        self._poll.register(mine, select.POLLIN)
        with contextlib.suppress(OSError):  # it has ended already, which the poll tells
            mine.send(msgspec.msgpack.encode(self._brief(worker)))

    def _brief(self, worker: Worker) -> dict[str, object]:
        settings = self._settings
        return {
            "number": worker.number,
            "workers": len(self._workers),
            "data": str(Path(settings.data).absolute()),
            "listener": self._listener.fileno(),
            "tallies": self._tallies.handle,
            "http": share_of(settings.http),
            "inbox": settings.inbox,
            "log": settings.log,
        }

    def _attend(self, bell: socket.socket) -> None:
        """Wait for the next signal, word or end of a worker, or until one is to be started."""
        waiting = [one.start_at for one in self._workers if one.process is None]
        pause = None
        if waiting:
            pause = max(0.0, min(waiting) - time.monotonic()) * 1_000 + 1
        spoke = {handle for handle, _ in self._poll.poll(pause)}
        if bell.fileno() in spoke:
            bell.recv(64)  # the handler has done the rest
        for one in self._workers:
            if one.control is not None and one.control.fileno() in spoke:
                self._hear(one, one.control)
        self._note()

    def _hear(self, worker: Worker, control: socket.socket) -> None:
        with contextlib.suppress(ConnectionResetError):  # killed before it read its brief
            if control.recv(64):
                worker.serving = True
                return
        status = self._bury(worker)
        if not self._stopping:
            self._lost(worker, f"status {status}")

    def _lost(self, worker: Worker, why: str) -> None:
        """Plan another start of a worker.  Raises VanbanError `server.workers`."""
        self._restarts += 1
        _log.error("worker %d ended (%s); it is started again", worker.number, why)
        if not worker.ended(time.monotonic()):
            raise VanbanError(
                "server.workers", restarts=limits.WORKER_RESTARTS_MAX,
                seconds=limits.WORKER_RESTARTS_S,
            )  # fmt: skip

    def _bury(self, worker: Worker) -> int:
        """Give up what a worker held; return its exit status.  It ends, or has ended."""
        process, control = worker.process, worker.control
        if control is not None:
            self._poll.unregister(control)
            control.close()
        worker.process, worker.control, worker.serving = None, None, False
        if process is None:
            return 0
        try:
            status = process.wait(_LAST_WORDS_S)
        except subprocess.TimeoutExpired:  # without its control socket it is of no use
            process.kill()
            status = process.wait()
        self._tallies.buried(worker.number)
        return status

    def _note(self) -> None:
        self._tallies.note_workers(sum(one.serving for one in self._workers), self._restarts)

    # The end.

    def _end_all(self, bell: socket.socket) -> None:
        """Let all workers finish what is under way, and end those that do not."""
        self._stopping = True
        for one in self._workers:
            if one.process is not None:
                one.process.terminate()
        until = time.monotonic() + self._settings.http.stop_s + _LAST_WORDS_S
        while any(one.process is not None for one in self._workers):
            left = until - time.monotonic()
            if left <= 0 or self._forced:
                break
            for handle, _ in self._poll.poll(left * 1_000):
                if handle == bell.fileno():
                    bell.recv(64)
                for one in self._workers:
                    if one.control is not None and one.control.fileno() == handle:
                        self._hear(one, one.control)
        for one in self._workers:
            if one.process is not None:
                _log.error("worker %d does not end; it is killed", one.number)
                one.process.kill()
                self._bury(one)

    def _told(self, number: int, _: object) -> None:
        """Begin the stop; a second SIGINT ends without waiting."""
        self._forced = self._forced or (self._stopping and number == signal.SIGINT)
        self._stopping = True

    @contextlib.contextmanager
    def _signals(self) -> Iterator[socket.socket]:
        """Take SIGINT and SIGTERM for as long as the block lasts; yield what wakes a poll."""
        bell, clapper = socket.socketpair()
        with bell, clapper:
            clapper.setblocking(False)
            wakened = signal.set_wakeup_fd(clapper.fileno())
            before = {number: signal.signal(number, self._told) for number in _SIGNALS}
            try:
                yield bell
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
                signal.set_wakeup_fd(wakened)


def share_of(http: HttpSettings) -> HttpSettings:
    """Return the settings of one worker: the bounds are those of all of them together."""
    count = http.workers
    shared = {
        "requests_waiting_max": -(-http.requests_waiting_max // count),
        "body_bytes_waiting_max": max(
            http.body_bytes_waiting_max // count, limits.BODY_BYTES_WAITING_MIN
        ),
        "long_polls_max": -(-http.long_polls_max // count),
    }
    return msgspec.structs.replace(http, **shared)
