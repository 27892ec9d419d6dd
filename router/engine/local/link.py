"""One connection at the owner's: frames in, frames out, never waiting for the other side.

At any time one thread at most works on a link: it is armed in the epoll for one event, and
armed again when that was dealt with.  Other threads may only hang up.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from router import limits
from router.engine.local import sockets, wire
from router.errors import OverloadedError, TooLargeError

if TYPE_CHECKING:
    from socket import socket

_RECEIVE_BYTES: Final = 262_144


class Budget:
    """Bytes of requests held by all links together."""

    def __init__(self, bytes_max: int) -> None:
        self._max = bytes_max
        self._lock = threading.Lock()
        self.held = 0

    def take(self, count: int) -> bool:
        """Take so many; False when there are not."""
        with self._lock:
            if self.held + count > self._max:
                return False
            self.held += count
            return True

    def give_back(self, count: int) -> None:
        """Give back what was taken."""
        with self._lock:
            self.held -= count


class Link:
    """A connection and how far its request or answer has come.

    `since` is when the present state began (None: it is worked on, or it listens), `waiting`
    whether that state is a wait for the other side in the middle of something.
    """

    def __init__(self, connection: socket, budget: Budget) -> None:
        self.connection = connection
        self.fd = connection.fileno()
        self.greeted = False
        self.listening = False
        self.closing = False
        self.lock = threading.Lock()  # a listening link is written to by another thread
        self._budget = budget
        self._taken = 0
        self._in = bytearray()
        self._out = memoryview(b"")
        self.since: float | None = time.monotonic()
        self.waiting = True

    def receive(self) -> bool:
        """Read what is there, up to a frame and a little more; False at the end.

        Raises TooLargeError `request.too_large` and OverloadedError `server.busy`; the link
        is of no use after them but to say so.
        """
        while not self.framed:
            try:
                part = self.connection.recv(_RECEIVE_BYTES)
            except BlockingIOError:
                return True
            if not part:
                return False
            if not self._budget.take(len(part)):
                raise OverloadedError("server.busy", retry_after_s=limits.RETRY_AFTER_S)
            self._taken += len(part)
            if not self._in:
                self._began()
            self._in += part
            self._check_length()
        return True

    def _began(self) -> None:
        if self.greeted:
            self.since, self.waiting = time.monotonic(), True

    def _check_length(self) -> None:
        limit = limits.LOCAL_REQUEST_BYTES_MAX if self.greeted else limits.LOCAL_HELLO_BYTES_MAX
        if self._length > limit:
            raise TooLargeError("request.too_large", limit=limit)

    @property
    def _length(self) -> int:
        if len(self._in) < wire.LENGTH.size:
            return -1
        length: int = wire.LENGTH.unpack_from(self._in)[0]
        return length

    @property
    def framed(self) -> bool:
        """Say whether a whole request is there."""
        return 0 <= self._length <= len(self._in) - wire.LENGTH.size

    def take(self) -> bytes:
        """Return the request that is there; its bytes count as held until `done`."""
        start, end = wire.LENGTH.size, wire.LENGTH.size + self._length
        request = bytes(memoryview(self._in)[start:end])
        self._in = self._in[end:]
        self.since = None
        return request

    def done(self) -> None:
        """Count the request that was taken as held no more."""
        self._budget.give_back(self._taken - len(self._in))
        self._taken = len(self._in)

    def answer(self, data: bytearray) -> None:
        """Put an answer on its way; nothing else may be."""
        self._out = memoryview(data)
        self.since, self.waiting = time.monotonic(), True

    def send(self) -> bool:
        """Send what the other side takes; say whether all is out.  Raises OSError."""
        try:
            while self._out:
                self._out = self._out[self.connection.send(self._out) :]
        except BlockingIOError:
            return False
        if not self.listening:
            self.since, self.waiting = time.monotonic(), bool(self._in) or not self.greeted
        else:
            self.since = None
        return True

    @property
    def answering(self) -> bool:
        """Say whether an answer is on its way."""
        return bool(self._out)

    @property
    def begun(self) -> bool:
        """Say whether something of another request is there already."""
        return bool(self._in)

    def overdue(self, now: float, frame_s: float, idle_s: float) -> bool:
        """Say whether the other side has kept us waiting for too long."""
        since = self.since
        return since is not None and now - since > (frame_s if self.waiting else idle_s)

    def hang_up(self) -> None:
        """End it from another thread: whoever works on it sees the end."""
        sockets.hang_up(self.connection)

    def close(self) -> None:
        """Close it; idempotent."""
        with self.lock:
            self.connection.close()
            self._out = memoryview(b"")
            self._in = bytearray()
            self._budget.give_back(self._taken)
            self._taken = 0
