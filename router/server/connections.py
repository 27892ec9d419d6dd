"""Connections: uvicorn's HTTP protocol with the bounds it leaves open.

The headers of a request must be complete within a time and a size (a client that sends one
byte a minute would else hold a connection for ever), and connections have a number.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from router import limits


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 with bounds on connections, header bytes and header time."""

    headers_s: float = float(limits.BODY_READ_S_MAX)
    _deadline: asyncio.TimerHandle | None = None
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
        """Stop the time."""
        self._unexpect_headers()
        super().connection_lost(exc)

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
