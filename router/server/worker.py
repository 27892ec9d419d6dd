"""A worker: a process that serves HTTP for a daemon and asks the daemon for everything else.

`python -m router.server.worker HANDLE` is started by `router.server.workers`.  The handle is
its end of a pair of sockets: the brief comes in by it, READY goes out by it, and its end is
the daemon's end, upon which the worker stops.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from typing import Final

import msgspec

from router.engine import Engine
from router.errors import VanbanError
from router.server.daemon import DrainingServer, run_server, server_of
from router.server.logs import configure_logging
from router.server.tallies import Tallies, Tally
from router.settings import HttpSettings, InboxSettings, LogSettings, Settings

READY: Final = b"ready"
BRIEF_BYTES_MAX: Final = 65_536
_FAILED: Final = 2
_log = logging.getLogger("router.server")


class Brief(msgspec.Struct, frozen=True):
    """What a worker is told: who it is, where the data is, and its share of the bounds.

    `listener` and `tallies` are handles it has inherited.
    """

    number: int
    workers: int
    data: str
    listener: int
    tallies: int
    http: HttpSettings
    inbox: InboxSettings
    log: LogSettings


def main() -> int:
    """Serve until told to stop or the daemon has ended; return the exit status."""
    control = socket.socket(fileno=int(sys.argv[1]))
    data = control.recv(BRIEF_BYTES_MAX)
    if not data:
        return 0  # the daemon has ended already
    brief = msgspec.msgpack.decode(data, type=Brief)
    settings = Settings(data=brief.data, http=brief.http, inbox=brief.inbox, log=brief.log)
    access = configure_logging(settings.log.level, worker=brief.number)
    tallies = Tallies(brief.workers, brief.tallies)
    try:
        with Engine.connect(brief.data) as engine:
            server = server_of(engine, settings, access, tallies, Tally(tallies, brief.number))
            server.on_ready = lambda: _attend(server, control)
            run_server(server, socket.socket(fileno=brief.listener))
    except VanbanError as error:
        _log.error("worker %d can't serve: %s (%s)", brief.number, error, error.code)
        return _FAILED
    return 0


def _attend(server: DrainingServer, control: socket.socket) -> None:
    """Say that requests are taken; stop when the daemon has ended, in whatever way."""

    def heard() -> None:
        asyncio.get_running_loop().remove_reader(control)
        _log.warning("the daemon has ended; so does this worker")
        server.leave()

    asyncio.get_running_loop().add_reader(control, heard)  # it never says anything more
    try:
        control.send(READY)
    except OSError:
        heard()


if __name__ == "__main__":
    sys.exit(main())
