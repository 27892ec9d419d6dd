"""NATS JetStream with every message flushed before its answer."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from vanban_bench.peers.base import DuplicateError, bytes_below, optional
from vanban_bench.peers.servers import Server, program
from vanban_bench.workloads.queue_documents import Group, Reader

_KEY_BYTES: Final = 16
_WINDOW_S: Final = 3_600
_STREAM: Final = "QUEUE"
_FETCH_S: Final = 0.5


class NatsAlways:
    """One stream, a subject for each recipient; all of a group's messages are in flight at once.

    The name of a document is its message id, which the server refuses within an hour.  There is
    no group commit: each message is flushed alone.  An acknowledgement is answered by the
    server, but not flushed one by one.
    """

    name = "nats-always"
    durability = "power loss; sync_interval=always: 1 flush a message; acknowledgements unflushed"

    def __init__(self) -> None:
        self._server: Server | None = None
        self._home = Path()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Any = None
        self._stream: Any = None
        self._readers: dict[int, Any] = {}

    def start(self, home: Path) -> None:
        """Start nats-server on a free port of this machine only, its data in `home`."""
        nats = optional("nats", "nats-py")
        command = program("nats-server", str(Path(sys.executable).parent))
        self._home = home
        self._server = server = Server()
        ports = server.sockets / "ports"
        ports.mkdir()
        config = home / "nats.conf"
        config.write_text(
            f'host: "127.0.0.1"\nport: -1\nports_file_dir: "{ports}"\n'
            f'jetstream {{ store_dir: "{home}/js", sync_interval: always, max_file_store: 40G }}\n'
        )
        self._loop = asyncio.new_event_loop()
        try:
            server.run([command, "-c", str(config)], lambda: any(ports.iterdir()))
            listed = json.loads(next(ports.iterdir()).read_text())
            self._client = self._do(nats.connect(listed["nats"][0]))
        except BaseException:
            self.stop()
            raise
        self._stream = self._client.jetstream(publish_async_max_pending=4_096, timeout=60)
        self.durability = f"{NatsAlways.durability}; {self._client.connected_server_version}"

    def stop(self) -> None:
        """End the server."""
        if self._client is not None:
            self._do(self._client.close())
            self._client = None
        if self._loop is not None:
            self._loop.close()
            self._loop = None
        if self._server is not None:
            self._server.stop()
            self._server = None

    def open(self, path: Path) -> None:  # noqa: ARG002 - its files lie where it was started
        """Make an empty stream."""
        self._remove()
        self._do(self._stream.add_stream(
            name=_STREAM, subjects=["q.*"], duplicate_window=_WINDOW_S, retention="workqueue",
        ))  # fmt: skip
        self._readers = {}

    def close(self) -> None:
        """Remove the stream."""
        self._remove()

    def accept(self, group: Group) -> None:
        """Publish all, wait for all answers."""

        async def publish() -> list[Any]:
            waiting = [
                await self._stream.publish_async(
                    f"q.{address}", one.key + one.record,
                    headers={"Nats-Msg-Id": f"{one.sender}:{one.document_id}:{one.act}:{address}"},
                )
                for one in group.papers
                for address in one.addresses
            ]  # fmt: skip
            return await asyncio.gather(*waiting)

        if any(answer.duplicate for answer in self._do(publish())):
            raise DuplicateError("a message of that name is there")

    def drain(self, reader: Reader, limit: int) -> list[bytes]:
        """Fetch, then acknowledge each and wait for the server's answers."""

        async def take() -> list[bytes]:
            subscription = self._readers.get(reader.address)
            if subscription is None:
                subscription = self._readers[reader.address] = await self._stream.pull_subscribe(
                    f"q.{reader.address}", durable=f"r{reader.address}"
                )
            found: list[Any] = []
            with suppress(TimeoutError):
                found = await subscription.fetch(limit, timeout=_FETCH_S)
            await asyncio.gather(*[message.ack_sync(timeout=60) for message in found])
            return [message.data[:_KEY_BYTES] for message in found]

        keys: list[bytes] = self._do(take())
        return keys

    def rest(self) -> None:
        """Nothing was put off."""

    def bytes_used(self) -> int:
        """Return the bytes of its files."""
        return bytes_below(self._home)

    def _remove(self) -> None:
        with suppress(optional("nats.js.errors", "nats-py").NotFoundError):
            self._do(self._stream.delete_stream(_STREAM))

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        assert self._loop is not None
        return self._loop.run_until_complete(work)
