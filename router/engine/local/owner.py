"""The owner's side: threads that let other processes use an engine.

One thread accepts, and ends what keeps it waiting; a few, started as connections come, wait
together for the next request of any connection, make its call and answer.  None of them
waits for a client in the middle of a frame, so slow ones cost memory within a bound, no turn.
"""

from __future__ import annotations

import logging
import os
import secrets
import select
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from router import limits
from router.engine.local import sockets, wire
from router.engine.local.calls import perform
from router.engine.local.link import Budget, Link
from router.engine.local.telling import Teller
from router.errors import (
    ForbiddenError,
    MalformedError,
    OverloadedError,
    OwnerError,
    TooLargeError,
    VanbanError,
)

if TYPE_CHECKING:
    from socket import socket

    from router.engine.engine import Engine

_log = logging.getLogger("router.engine")
_ONE_SHOT: Final = select.EPOLLIN | select.EPOLLONESHOT
_SWEEP_S: Final = 1.0
_ACCEPT_PAUSE_S: Final = 0.1
_STOP_S: Final = 30.0


class Bounds(NamedTuple):
    """What the owner grants; see `router.limits`."""

    connections: int = limits.LOCAL_CONNECTIONS_MAX
    calls: int = limits.LOCAL_CALLS_MAX
    bytes_waiting: int = limits.LOCAL_REQUEST_BYTES_WAITING_MAX
    frame_s: float = limits.LOCAL_FRAME_S_MAX
    idle_s: float = limits.LOCAL_IDLE_S_MAX


class Sharing:
    """An engine shared with the other processes of its user, until `stop`.

    `epoch` is that of the opening.  Raises StorageError `owner.socket`.
    """

    def __init__(
        self, engine: Engine, directory: Path, epoch: int, bounds: Bounds | None = None
    ) -> None:
        self._engine = engine
        self._directory = directory
        self._epoch = epoch
        self._bounds = bounds or Bounds()
        self._budget = Budget(self._bounds.bytes_waiting)
        self._links: dict[int, Link] = {}
        self._teller = Teller(engine)
        self._workers: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._listener = sockets.listen(directory)
        self._made = sockets.identity(directory)
        self._epoll = select.epoll()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._bell, select.EPOLLIN)
        self._accepting = threading.Thread(
            target=self._accept_body, name="vanban-share", daemon=True
        )
        _SHARED.add(self)
        self._accepting.start()

    def renewed(self, epoch: int) -> None:
        """Tell clients from now on that the directory was opened again."""
        self._epoch = epoch

    def stop(self) -> None:
        """Take no new calls, finish those under way, end the connections.  Call it once.

        What takes longer than 30 seconds is left to meet a closed engine.
        """
        self._stopping.set()
        sockets.remove(self._directory, self._made)
        os.eventfd_write(self._bell, 1)
        until = time.monotonic() + _STOP_S
        for thread in (self._accepting, *self._workers):
            thread.join(max(0.0, until - time.monotonic()))
        self._teller.stop()
        for link in list(self._links.values()):
            link.hang_up()
            link.close()
        self._links.clear()
        self._close_handles()

    def abandon(self) -> None:
        """Close this process's copies of all handles: it was forked, the parent goes on.

        Else a client would wait for ever on a socket that only the child still holds open.
        """
        for link in list(self._links.values()):
            link.connection.close()
        self._close_handles()

    def _close_handles(self) -> None:
        self._listener.close()
        self._epoll.close()
        if self._bell >= 0:
            os.close(self._bell)
            self._bell = -1

    # The thread that accepts.

    def _accept_body(self) -> None:
        waiting = select.poll()
        waiting.register(self._listener, select.POLLIN)
        waiting.register(self._bell, select.POLLIN)
        self._listener.setblocking(False)
        while not self._stopping.is_set():
            waiting.poll(_SWEEP_S * 1_000 if self._links else None)
            try:
                while not self._stopping.is_set():
                    self._admit(self._listener.accept()[0])
            except BlockingIOError:
                pass
            except OSError:
                self._stopping.wait(_ACCEPT_PAUSE_S)  # out of handles, or stopping
            self._sweep()

    def _admit(self, connection: socket) -> None:
        """Let a connection in, or say why not and close it."""
        try:
            user = sockets.peer(connection)
            if user not in (0, os.geteuid()):
                raise ForbiddenError("owner.peer", user=user)
            if len(self._links) >= self._bounds.connections:
                raise OverloadedError("server.busy", retry_after_s=limits.RETRY_AFTER_S)
        except VanbanError as error:
            _say_goodbye(connection, error)
            return
        connection.setblocking(False)
        link = Link(connection, self._budget)
        self._links[link.fd] = link
        if len(self._workers) < min(len(self._links), self._bounds.calls):
            worker = threading.Thread(
                target=self._work_body, name=f"vanban-share-{len(self._workers) + 1}", daemon=True
            )
            self._workers.append(worker)
            worker.start()
        self._epoll.register(link.fd, _ONE_SHOT)

    def _sweep(self) -> None:
        now, bounds = time.monotonic(), self._bounds
        for link in list(self._links.values()):
            if link.overdue(now, bounds.frame_s, bounds.idle_s):
                link.hang_up()

    # The threads that work.

    def _work_body(self) -> None:
        while True:
            events = self._epoll.poll(maxevents=1)
            if self._stopping.is_set():
                return
            for fd, _ in events:
                link = self._links.get(fd)
                if link is not None:
                    self._serve(link)

    def _serve(self, link: Link) -> None:
        """Do what can be done on a link without waiting, then wait for its next event."""
        try:
            going = self._advance(link)
        except OSError:
            going = False
        except Exception:
            _log.exception("a connection of another process failed")
            going = False
        if not going:
            self._end(link)
            return
        wanted = _ONE_SHOT | (select.EPOLLOUT if link.answering or link.framed else 0)
        try:
            self._epoll.modify(link.fd, wanted)
        except (OSError, ValueError):
            self._end(link)  # closed by a stop meanwhile

    def _advance(self, link: Link) -> bool:
        """Send, receive, answer one request; False when the link is to end."""
        if link.answering and not link.send():
            return True
        if link.closing:
            return False
        if link.listening:
            return False  # it has nothing more to say: this is its end
        try:
            if not link.receive():
                return False
            if not link.framed:
                return True
            answer = self._answered(link, link.take())
        except (TooLargeError, OverloadedError) as error:
            answer = _refusal(0, error)
            link.closing = True
        link.done()
        link.answer(answer)
        with link.lock:  # the first arrival comes after the answer, and none is missed
            if link.listening:
                self._teller.add(link)
            sent = link.send()
        return not (sent and link.closing)

    def _end(self, link: Link) -> None:
        if self._links.get(link.fd) is link:
            del self._links[link.fd]
        self._teller.discard(link)
        link.close()

    def _answered(self, link: Link, data: bytes) -> bytearray:
        """Return the frame that answers a request; whatever it is, there is an answer."""
        number = 0
        try:
            request = wire.read_request(data)
            number = request.id
            if not link.greeted:
                return wire.frame((number, wire.ANSWER, self._greet(link, request)))
            if request.method == wire.LISTEN:
                self._teller.begin()
                link.listening = True
                return wire.frame((number, wire.ANSWER, None))
            answer = perform(self._engine, request.method, request.arguments)
            made = wire.frame((number, wire.ANSWER, answer))
            if len(made) > limits.LOCAL_ANSWER_BYTES_MAX:
                raise TooLargeError("answer.too_large", limit=limits.LOCAL_ANSWER_BYTES_MAX)
        except VanbanError as error:
            if number == 0 or not link.greeted:
                link.closing = True
            return _refusal(number, error)
        except Exception:
            reference = secrets.token_hex(6)
            _log.exception("a call of another process failed: %s", reference)
            return _refusal(number, VanbanError("server.fault", reference=reference))
        return made

    def _greet(self, link: Link, request: wire.Request) -> wire.Hello:
        """Make sure of a client, and say who answers."""
        if request.method != wire.HELLO:
            raise MalformedError("request.invalid", reason="a connection begins with hello")
        client = wire.read_hello(request.arguments)
        mine = wire.Hello.of(self._epoch)
        wire.check_versions(mine, client)
        if client.epoch > self._epoch:
            raise OwnerError("owner.fenced", epoch=self._epoch, seen=client.epoch)
        link.greeted = True
        return mine


def _refusal(number: int, error: VanbanError) -> bytearray:
    return wire.frame((number, wire.REFUSAL, wire.Refusal.of(error)))


def _say_goodbye(connection: socket, error: VanbanError) -> None:
    try:
        connection.setblocking(False)
        connection.send(_refusal(0, error))
    except OSError:
        pass  # it has gone already
    connection.close()


_SHARED: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def _abandon_all() -> None:
    for sharing in list(_SHARED):
        sharing.abandon()


os.register_at_fork(after_in_child=_abandon_all)
