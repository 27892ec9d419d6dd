"""Connections: uvicorn's HTTP protocol with the bounds it leaves open.

The headers of a request must be complete within a time and a size (a client that sends one
byte a minute would else hold a connection for ever), an answer must be taken at a least
speed (a client that does not read would else hold its bytes in memory), and connections
have a number.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from router import limits


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 with bounds on connections, header bytes, header time and reading speed."""

    headers_s: float = float(limits.BODY_READ_S_MAX)
    write_s: float = float(limits.WRITE_S_MAX)
    _deadline: asyncio.TimerHandle | None = None
    _write_deadline: asyncio.TimerHandle | None = None
    _unwritten = 0
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time for the first request's headers."""
        super().connection_made(transport)
        if len(self.connections) > limits.CONNECTIONS_MAX:
            transport.abort()
            return
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Count the bytes of headers that are not complete yet."""
        if self._between_requests():
            self._expect_headers()
        if self._deadline is not None:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._deadline is not None and self._header_bytes > limits.HEADER_BYTES_MAX:
            self._give_up()

    def on_headers_complete(self) -> None:
        """Stop the time: the body has its own."""
        self._unexpect_headers()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the times."""
        self._unexpect_headers()
        self._unexpect_reading()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the time for reading: more is written than the client has taken."""
        super().pause_writing()
        if self._write_deadline is None:
            self._expect_reading()

    def resume_writing(self) -> None:
        """Stop the time for reading: next to nothing is left."""
        self._unexpect_reading()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, also when the end of its last answer was never taken."""
        if self._write_deadline is None and self.transport.get_write_buffer_size() > 0:
            self.transport.abort()
            return
        super().timeout_keep_alive_handler()

    def _expect_reading(self) -> None:
        self._unwritten = self.transport.get_write_buffer_size()
        self._write_deadline = self.loop.call_later(self.write_s, self._check_reading)

    def _check_reading(self) -> None:
        """Go on when enough was taken since the last look, else drop the connection."""
        self._write_deadline = None
        taken = self._unwritten - self.transport.get_write_buffer_size()
        if taken >= limits.WRITE_BYTES_MIN:
            self._expect_reading()
        else:
            self.transport.abort()

    def _unexpect_reading(self) -> None:
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    def _between_requests(self) -> bool:
        return self._deadline is None and (self.cycle is None or self.cycle.response_complete)

    def _expect_headers(self) -> None:
        self._header_bytes = 0
        self._deadline = self.loop.call_later(self.headers_s, self._give_up)

    def _unexpect_headers(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._unexpect_headers()
        if self.transport is not None:
            self.transport.close()


def bounded_protocol(headers_s: float) -> type[BoundedProtocol]:
    """Return the protocol class with that time for headers, in seconds."""
    return type("BoundedProtocol", (BoundedProtocol,), {"headers_s": headers_s})
