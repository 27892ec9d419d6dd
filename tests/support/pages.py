"""A small HTTP host that serves what a test puts there, and can hang, die and come back."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Page:
    """What one path answers; with `hangs` it answers nothing until the host ends."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False


class Host:
    """The host; a context manager.  `asked` lists (method, path, body) in order."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[tuple[str, str, bytes]] = []
        self.port = 0
        self._ended = threading.Event()
        self._server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Host:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.name}{path}"

    def start(self) -> None:
        """Listen, on the same port as before."""
        host = self
        self._ended.clear()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host._answer(self)

            def do_POST(self) -> None:
                host._answer(self)

            def log_message(self, *_: Any) -> None:
                return

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Listen no more; connections are refused."""
        self._ended.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        self.asked.append((request.command, request.path, body))
        page = self.pages.get(request.path, Page(status=404))
        if page.hangs:
            self._ended.wait()
            return
        request.send_response(page.status)
        headers = {"content-type": "application/pkix-crl", "content-length": str(len(page.body))}
        for name, value in {**headers, **page.headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(page.body)
