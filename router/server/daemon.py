"""Running the service: as the daemon of a process, or on a thread beside other code.

A stop (SIGTERM, SIGINT) refuses new work, answers long polls empty, lets requests in flight
finish within the time of the settings, closes the engine, and ends with exit code 0.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Final

import uvicorn
import uvloop

from router.engine import Engine
from router.engine.due import Ticker
from router.engine.judging import Judging
from router.engine.pressure import Mender
from router.errors import ClosedError, SettingsError
from router.server.app import Service
from router.server.connections import bounded_protocol
from router.server.fetching import Fetcher
from router.server.logs import AccessLog, configure_logging
from router.server.tallies import Tallies, Tally
from router.server.workers import Workers
from router.settings import Settings

BACKLOG: Final = 1_024
KEEP_ALIVE_S: Final = 60
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class DrainingServer(uvicorn.Server):
    """uvicorn, telling the service of a stop first and ending in peace after it.

    uvicorn itself does not tell a sleeping handler that it stops, and raises the signal
    again at the end, so that the process would not end with 0.
    """

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self.service = service
        self._loop: asyncio.AbstractEventLoop | None = None
        self.on_ready: Callable[[], object] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, then say so."""
        self._loop = asyncio.get_running_loop()
        self.service.start(self._loop)
        await super().startup(sockets)
        if self.on_ready is not None:
            self.on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Begin the stop; a second SIGINT ends without waiting."""
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.stop()

    def stop(self) -> None:
        """Begin the stop from any thread; harmless to repeat."""
        self.should_exit = True
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self.service.begin_stop)

    def leave(self) -> None:
        """Take no more connections from this very moment, and begin the stop.  On the loop."""
        for listening in self.servers:
            listening.close()
        self.stop()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM for as long as the server runs, and keep them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(
    engine: Engine, settings: Settings, *, ready: Callable[[str], object] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then close the engine.  Blocks; call on the main thread.

    With `http.workers` in the settings so many processes serve, and this one owns the data:
    the engine must share it, opened with `share` on the `data` of the settings.
    `ready` is called with the base URL once connections are taken.  Raises SettingsError
    when the address can't be listened on or workers can't ask the engine, VanbanError
    `server.workers` when a worker ends too often.
    """
    try:
        if settings.http.workers and not engine.shared():
            reason = "workers need an engine that was opened with share=True"
            raise SettingsError("settings.invalid", path="http.workers", reason=reason)
        access = configure_logging(settings.log.level)
        with _listen(settings.http.host, settings.http.port) as listener:
            address = base_url_of(listener)

            def told() -> None:
                if ready is not None:
                    ready(address)

            mending = Mender(engine) if settings.store.reopen else contextlib.nullcontext()
            fetching = Fetcher(engine, settings.revocation)
            with mending, Ticker(engine), Judging(engine), fetching:
                if settings.http.workers:
                    Workers(settings, listener).run(told)
                else:
                    server = server_of(engine, settings, access)
                    server.on_ready = told
                    run_server(server, listener)
    finally:
        engine.close()


class BackgroundServer:
    """The service on a thread of its own, for demonstrations, tests and embedding hosts.

    A context manager: inside, `base_url` is served (port 0 in the settings: any free port,
    which is the default here); at the end requests in flight are finished.  Meanwhile the
    engine ticks.  It stays open and belongs to the caller.
    """

    def __init__(
        self, engine: Engine, settings: Settings | None = None, *, access: AccessLog | None = None
    ) -> None:
        self._engine = engine
        self._settings = settings or Settings()
        port = self._settings.http.port if settings is not None else 0
        self._listener = _listen(self._settings.http.host, port)
        self.base_url = base_url_of(self._listener)
        self._server = server_of(engine, self._settings, access)
        self.service = self._server.service
        self._thread = threading.Thread(target=self._body, name="vanban-http", daemon=True)
        self._ready = threading.Event()
        self._server.on_ready = self._ready.set

    def __enter__(self) -> BackgroundServer:
        """Start and wait until connections are taken.  Raises ClosedError when it can't."""
        self._thread.start()
        self._ready.wait()
        if not self._server.started:
            raise ClosedError("engine.closed")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop gracefully."""
        self.stop()

    def stop(self) -> None:
        """Stop and wait for the thread; harmless to repeat."""
        self._server.stop()
        if self._thread.is_alive():
            self._thread.join()
        self._listener.close()

    def _body(self) -> None:
        try:
            fetching = Fetcher(self._engine, self._settings.revocation)
            with Ticker(self._engine), Judging(self._engine), fetching:
                run_server(self._server, self._listener)
        finally:
            self._ready.set()


def base_url_of(listener: socket.socket) -> str:
    """Return the http URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no such address"
        raise SettingsError("settings.invalid", path="http.port", reason=reason) from None


def server_of(
    engine: Engine,
    settings: Settings,
    access: AccessLog | None,
    tallies: Tallies | None = None,
    tally: Tally | None = None,
) -> DrainingServer:
    """Return a server over an engine; see `Service`."""
    service = Service(engine, settings, access, tallies, tally)
    config = uvicorn.Config(
        service,
        http=bounded_protocol(settings.http.body_read_s),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.http.stop_s,
    )
    return DrainingServer(config, service)


def run_server(server: DrainingServer, listener: socket.socket) -> None:
    """Serve on a listening socket until the stop.  Blocks."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(server.serve(sockets=[listener]))
