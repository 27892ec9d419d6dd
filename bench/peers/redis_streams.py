"""Redis Streams with every write flushed before its answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from vanban_bench.peers.base import DuplicateError, bytes_below, optional
from vanban_bench.peers.servers import Server, program
from vanban_bench.workloads.queue_documents import Group, Reader

# One script call a group: Redis then flushes once for the group, not once in 16 KiB of it.
_ACCEPT: Final = """
local stride = 3
for i = 1, #ARGV, stride do
    local taken = redis.call('SET', 'n:' .. ARGV[i], '1', 'NX')
    if not taken then return redis.error_reply('DUPLICATE ' .. i) end
    for address in string.gmatch(ARGV[i + 1], '[^,]+') do
        redis.call('XADD', 'q:' .. address, '*', 'd', ARGV[i + 2])
    end
end
return #ARGV / stride
"""
_GROUP: Final = "readers"
_CONSUMER: Final = "bench"
_KEY_BYTES: Final = 16


class RedisAlways:
    """One stream a recipient, one key a document's name; all of it in memory.

    A group is one call of a script; a lease is XREADGROUP, an acknowledgement XACK and XDEL.
    Both are flushed: Redis has no way to leave one out.
    """

    name = "redis-always"
    durability = "power loss; appendonly, appendfsync=always: 1 flush a call"

    def __init__(self) -> None:
        self._server: Server | None = None
        self._home = Path()
        self._redis: Any = None
        self._accept: Any = None
        self._readers: set[int] = set()

    def start(self, home: Path) -> None:
        """Start redis-server on a socket, its data in `home`."""
        redis = optional("redis", "redis")
        command = program("redis-server")
        self._home = home
        self._server = server = Server()
        socket = server.sockets / "s"
        self._redis = redis.Redis(unix_socket_path=str(socket))
        server.run(
            [command, "--port", "0", "--unixsocket", str(socket), "--dir", str(home),
             "--appendonly", "yes", "--appendfsync", "always", "--save", ""],
            lambda: socket.exists() and self._answers(redis.exceptions.RedisError),
        )  # fmt: skip
        self.durability = f"{RedisAlways.durability}; {self._redis.info('server')['redis_version']}"

    def stop(self) -> None:
        """End the server."""
        if self._server is not None:
            self._redis.close()
            self._server.stop()
            self._server = None

    def open(self, path: Path) -> None:  # noqa: ARG002 - its files lie where it was started
        """Forget everything."""
        self._redis.flushall()
        self.rest()
        self._readers = set()
        self._accept = self._redis.register_script(_ACCEPT)

    def close(self) -> None:
        """Forget everything, so that the next side has the memory."""
        self._redis.flushall()

    def accept(self, group: Group) -> None:
        """Call the script for the group."""
        arguments: list[Any] = []
        for one in group.papers:
            arguments.append(f"{one.sender}:{one.document_id}:{one.act}")
            arguments.append(",".join(map(str, one.addresses)))
            arguments.append(one.key + one.record)
        try:
            self._accept(args=arguments)
        except optional("redis", "redis").exceptions.ResponseError as error:
            if "DUPLICATE" in str(error):
                raise DuplicateError(str(error)) from error
            raise

    def drain(self, reader: Reader, limit: int) -> list[bytes]:
        """Read as one of a group, then acknowledge and delete."""
        stream = f"q:{reader.address}"
        if reader.address not in self._readers:
            self._redis.xgroup_create(stream, _GROUP, id="0", mkstream=True)
            self._readers.add(reader.address)
        found = self._redis.xreadgroup(_GROUP, _CONSUMER, {stream: ">"}, count=limit)
        if not found:
            return []
        items = found[0][1]
        numbers = [number for number, _ in items]
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.xack(stream, _GROUP, *numbers)
        pipeline.xdel(stream, *numbers)
        pipeline.execute()
        return [fields[b"d"][:_KEY_BYTES] for _, fields in items]

    def rest(self) -> None:
        """Wait until no rewriting of its file is under way."""
        while self._redis.info("persistence")["aof_rewrite_in_progress"]:
            time.sleep(0.001)

    def bytes_used(self) -> int:
        """Return the bytes of its files."""
        return bytes_below(self._home)

    def _answers(self, error: type[Exception]) -> bool:
        try:
            return bool(self._redis.ping())
        except error:
            return False
