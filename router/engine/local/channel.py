"""A client's connections to the owner of a data directory: one call at a time on each.

Threads that ask at once have a connection each, up to a bound.  A connection that is broken,
or whose call was given up, is never used again.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from router import limits
from router.engine.local import sockets, wire
from router.engine.local.wire import Answer, Hello
from router.errors import ClosedError, OwnerError, TooLargeError

if TYPE_CHECKING:
    from socket import socket

_IDLE_S: Final = limits.LOCAL_IDLE_S_MAX / 2
"""Given up before the owner does, so that a call hardly ever meets the owner's goodbye."""
_WAIT_S_MAX: Final = 2_000_000.0
"""poll(2) takes milliseconds in an int."""
_FOR_EVER_S: Final = 10 * 366 * 86_400.0


class Connection:
    """One connection after its hello; not thread-safe."""

    def __init__(self, made: socket, where: Path) -> None:
        self._socket = made
        self._where = where
        self._next = 1
        self.epoch = 0
        self.used_at = time.monotonic()

    def ask(self, method: str, arguments: object, deadline: float, seconds: float) -> Answer:
        """Send one request and return its answer.

        Raises OwnerError `owner.gone`, `owner.silent`, `owner.protocol` (the connection is of
        no use after them), NothingSentError, and MalformedError, TooLargeError for what was
        not even sent.
        """
        number, self._next = self._next, self._next + 1
        asked = wire.frame((number, method, arguments))
        if len(asked) - wire.LENGTH.size > limits.LOCAL_REQUEST_BYTES_MAX:
            raise TooLargeError("request.too_large", limit=limits.LOCAL_REQUEST_BYTES_MAX)
        try:
            sent = self._send(asked, deadline)
            answer = wire.read_answer(self.receive(deadline))
        except TimeoutError:
            raise OwnerError("owner.silent", path=str(self._where), seconds=int(seconds)) from None
        except OSError:
            raise OwnerError("owner.gone", path=str(self._where)) from None
        except EOFError:
            if not sent:
                raise NothingSentError from None
            raise OwnerError("owner.gone", path=str(self._where)) from None
        if answer.id not in (number, 0) or (answer.id == 0 and answer.kind != wire.REFUSAL):
            raise OwnerError("owner.protocol", reason="an answer to another question")
        self.used_at = time.monotonic()
        return answer

    def _send(self, data: bytearray, deadline: float) -> int:
        """Send; return how much went out before the other side would take no more."""
        view, sent = memoryview(data), 0
        try:
            while sent < len(data):
                self._wait_until(deadline)
                sent += self._socket.send(view[sent:])
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may have said why, which is read next
        return sent

    def receive(self, deadline: float) -> bytearray:
        """Return one frame.  Raises EOFError at its end, TimeoutError, OSError, OwnerError."""
        (size,) = wire.LENGTH.unpack(self._read(wire.LENGTH.size, deadline))
        if size > limits.LOCAL_ANSWER_BYTES_MAX:
            raise OwnerError("owner.protocol", reason=f"an answer of {size} bytes")
        return self._read(size, deadline)

    def _read(self, size: int, deadline: float) -> bytearray:
        data = bytearray(size)
        view, have = memoryview(data), 0
        while have < size:
            self._wait_until(deadline)
            try:
                count = self._socket.recv_into(view[have:])
            except ConnectionResetError:
                count = 0
            if count == 0:
                raise EOFError
            have += count
        return data

    def _wait_until(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(min(left, _WAIT_S_MAX))

    def usable(self) -> bool:
        """Say whether an idle connection may still be asked on."""
        return time.monotonic() - self.used_at < _IDLE_S and not sockets.ended(self._socket)

    def close(self) -> None:
        """Close it; idempotent."""
        self._socket.close()

    def hang_up(self) -> None:
        """End it from another thread, which wakes who reads from it."""
        sockets.hang_up(self._socket)


class NothingSentError(Exception):
    """The connection had ended before the request: asking on a new one is no repetition."""


class Channel:
    """All connections of one client; thread-safe."""

    def __init__(self, where: Path, timeout_s: float | None) -> None:
        self.where = where
        self.epoch = 0
        self._timeout_s = _FOR_EVER_S if timeout_s is None else timeout_s
        self._idle: list[Connection] = []
        self._lock = threading.Lock()  # guards _idle, epoch and closed
        self._places = threading.BoundedSemaphore(limits.LOCAL_SOCKETS_MAX)
        self._process = os.getpid()
        self.closed = False

    def ask(self, method: str, arguments: object) -> Answer:
        """Ask the owner, whoever it is by now, and return the answer.

        Raises the refusal of the connection or of the call as its exception; OwnerError.
        """
        self._alive()
        deadline = time.monotonic() + self._timeout_s
        if not self._places.acquire(timeout=min(self._timeout_s, threading.TIMEOUT_MAX)):
            raise OwnerError("owner.silent", path=str(self.where), seconds=int(self._timeout_s))
        try:
            answer = self._asked(method, arguments, deadline)
        finally:
            self._places.release()
        if answer.kind == wire.REFUSAL:
            raise wire.read_refusal(answer.body)
        return answer

    def _asked(self, method: str, arguments: object, deadline: float) -> Answer:
        while True:
            kept = self._kept()
            connection = kept or self.connect(deadline)
            done = False
            try:
                answer = connection.ask(method, arguments, deadline, self._timeout_s)
                done = answer.id != 0
                return answer
            except NothingSentError:
                if kept is None:
                    raise OwnerError("owner.gone", path=str(self.where)) from None
            finally:
                if done:
                    self.keep(connection)
                else:
                    connection.close()

    def _kept(self) -> Connection | None:
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if connection.usable():
                return connection
            connection.close()

    def keep(self, connection: Connection) -> None:
        """Take a connection that nobody uses now, for the next call."""
        with self._lock:
            if not self.closed and connection.epoch == self.epoch:
                self._idle.append(connection)
                return
        connection.close()

    def ask_on(self, connection: Connection, method: str, arguments: object) -> Answer:
        """Ask on a connection of the caller's own.  Raises what `ask` raises."""
        deadline = time.monotonic() + self._timeout_s
        try:
            answer = connection.ask(method, arguments, deadline, self._timeout_s)
        except NothingSentError:
            raise OwnerError("owner.gone", path=str(self.where)) from None
        if answer.kind == wire.REFUSAL:
            raise wire.read_refusal(answer.body)
        return answer

    def connect(self, deadline: float | None = None) -> Connection:
        """Return a new connection whose owner has said hello; it belongs to the caller.

        Raises OwnerError `owner.absent`, `owner.version`, `owner.fenced`, and what asking
        raises.
        """
        self._alive()
        until = time.monotonic() + self._timeout_s if deadline is None else deadline
        connection = Connection(sockets.connect(self.where, until), self.where)
        try:
            mine = Hello.of(self.epoch)
            try:
                answer = connection.ask(wire.HELLO, mine, until, self._timeout_s)
            except NothingSentError:
                raise OwnerError("owner.absent", path=str(self.where)) from None
            if answer.kind == wire.REFUSAL:
                raise wire.read_refusal(answer.body)
            owner = wire.read_hello(answer.body)
            self._meet(owner, mine)
            connection.epoch = owner.epoch
        except BaseException:
            connection.close()
            raise
        return connection

    def _meet(self, owner: Hello, mine: Hello) -> None:
        """Refuse an owner of another version, and one that is no longer the owner."""
        wire.check_versions(owner, mine)
        with self._lock:
            if owner.epoch < self.epoch:
                raise OwnerError(
                    "owner.fenced", path=str(self.where), epoch=owner.epoch, seen=self.epoch
                )
            newer = owner.epoch > self.epoch
            self.epoch = owner.epoch
            former, self._idle = (self._idle, []) if newer else ([], self._idle)
        for connection in former:
            connection.close()

    def _alive(self) -> None:
        if self.closed:
            raise ClosedError("engine.closed")
        if os.getpid() != self._process:
            raise ClosedError("engine.forked")

    def close(self) -> None:
        """Close all idle connections, and those in use after their call; idempotent."""
        with self._lock:
            self.closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


def body_of(answer: Answer, decoder: Any) -> Any:
    """Decode an answer.  Raises OwnerError `owner.protocol`."""
    try:
        return decoder.decode(answer.body)
    except ValueError as error:  # msgspec's errors are ValueErrors
        raise OwnerError("owner.protocol", reason=str(error)) from None
