"""Raw HTTP for tests that must send what no client library would."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Answer:
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def problem(self) -> dict[str, Any]:
        """Return the problem details, checking their shape (RFC 9457)."""
        assert self.headers["content-type"] == "application/problem+json"
        problem = self.json()
        assert problem["status"] == self.status
        assert problem["type"].endswith(problem["code"])
        assert problem["detail"]
        assert problem["remedy"]
        return problem


def ask(
    base_url: str,
    method: str,
    path: str,
    body: bytes | str | None = None,
    token: str | None = None,
    kind: str | None = None,
    **headers: str,
) -> Answer:
    """Send one request on its own connection."""
    head = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        head["Authorization"] = f"Bearer {token}"
    if kind is not None:
        head["Content-Type"] = kind
    connection = HTTPConnection(urlsplit(base_url).netloc, timeout=60)
    try:
        connection.request(method, path, body, head)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())
    finally:
        connection.close()


@contextlib.contextmanager
def dial(base_url: str) -> Iterator[socket.socket]:
    """Open a bare connection."""
    place = urlsplit(base_url)
    with socket.create_connection((place.hostname, place.port), timeout=60) as connection:
        yield connection


def read_all(connection: socket.socket) -> bytes:
    """Return everything until the other side closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)
