"""PostgreSQL with its usual durability, filled by COPY."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from vanban_bench.peers.base import DuplicateError, bytes_below, optional
from vanban_bench.peers.servers import Server, program
from vanban_bench.workloads.queue_documents import Group, Reader

_FOLDERS: Final = ("/usr/lib/postgresql/*/bin",)
_USERS: Final = ("postgres", "nobody")
# toast_tuple_target: a body of 2 KB stays in its row, neither compressed nor moved away.
_SCHEMA: Final = """
drop table if exists document, delivery;
create table document (
    sequence bigint primary key, key bytea not null, sender integer not null, id text not null,
    act text not null, content bytea not null, body bytea not null, unique (sender, id, act)
) with (toast_tuple_target = 8160);
create table delivery (
    address integer, sequence bigint, until bigint not null default 0,
    attempts integer not null default 0, primary key (address, sequence)
);
"""
_INSERT: Final = """
with one as (insert into document values (%b, %b, %b, %b, %b, %b, %b) returning sequence)
insert into delivery (address, sequence) select unnest(%b::int[]), sequence from one
"""
_LEASE: Final = """
with chosen as (
    select sequence from delivery where address = %b and until <= 1
    order by sequence limit %b for update skip locked
), leased as (
    update delivery set until = 2, attempts = attempts + 1 from chosen
    where address = %b and delivery.sequence = chosen.sequence returning delivery.sequence
)
select sequence, key, body from leased join document using (sequence) order by sequence
"""
_SETTLE: Final = "delete from delivery where address = %b and sequence = any(%b)"


class PostgresCopy:
    """A group is two COPYs in a transaction, a single document one INSERT.

    With `lease_flushed=False` the transaction of the lease runs under
    `synchronous_commit=off`, so only the acknowledgement is flushed.
    """

    def __init__(self, *, lease_flushed: bool = True) -> None:
        self.name = "postgres-copy" if lease_flushed else "postgres-copy-lease-unflushed"
        self.durability = "power loss; fsync=on, synchronous_commit=on: 1 flush a commit" + (
            "" if lease_flushed else "; the lease commits unflushed (synchronous_commit=off)"
        )
        self._lease_flushed = lease_flushed
        self._server: Server | None = None
        self._home = Path()
        self._connection: Any = None
        self._last = 0

    def start(self, home: Path) -> None:
        """Make a cluster in `home` and start it on a socket, never as root."""
        psycopg = optional("psycopg", "psycopg[binary]")
        make, command = program("initdb", *_FOLDERS), program("postgres", *_FOLDERS)
        self._home = data = home / "data"
        data.mkdir(mode=0o700)
        self._server = server = Server(as_other=_USERS)
        try:
            server.own(data)
            server.call(
                [make, "-D", str(data), "-A", "trust", "-U", "bench", "-E", "UTF8", "--no-sync"]
            )
            server.run(
                [command, "-D", str(data), "-k", str(server.sockets), "-c", "listen_addresses=",
                 "-c", "shared_buffers=1GB", "-c", "max_wal_size=4GB"],
                lambda: self._connects(psycopg),
            )  # fmt: skip
        except BaseException:
            self.stop()
            raise
        version = self._connection.execute("show server_version").fetchone()[0]
        self.durability += f"; PostgreSQL {version.split()[0]}"

    def stop(self) -> None:
        """End the server."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._server is not None:
            self._server.stop()
            self._server = None

    def open(self, path: Path) -> None:  # noqa: ARG002 - its files lie where it was started
        """Make empty tables."""
        self._connection.execute(_SCHEMA)
        self.rest()
        self._last = 0

    def close(self) -> None:
        """Drop the tables, so that the next side has the disk."""
        self._connection.execute("drop table document, delivery")
        self.rest()

    def accept(self, group: Group) -> None:
        """Insert the documents and a row for each recipient in one transaction."""
        unique = optional("psycopg", "psycopg[binary]").errors.UniqueViolation
        try:
            if len(group.papers) == 1:
                self._insert(group)
            else:
                self._copy(group)
        except unique as error:
            raise DuplicateError(str(error)) from error
        self._last += len(group.papers)

    def drain(self, reader: Reader, limit: int) -> list[bytes]:
        """Lease in one transaction, acknowledge in another."""
        db, address = self._connection, reader.address
        with db.transaction(), db.cursor(binary=True) as cursor:
            if not self._lease_flushed:
                cursor.execute("set local synchronous_commit = off")
            rows = cursor.execute(_LEASE, (address, limit, address)).fetchall()
        db.execute(_SETTLE, (address, [row[0] for row in rows]))
        return [bytes(row[1]) for row in rows]

    def rest(self) -> None:
        """Make a checkpoint."""
        self._connection.execute("checkpoint")

    def bytes_used(self) -> int:
        """Return the bytes of the cluster (0 when its files may not be read)."""
        return bytes_below(self._home)

    def _insert(self, group: Group) -> None:
        one = group.papers[0]
        self._connection.execute(
            _INSERT,
            (self._last + 1, one.key, one.sender, one.document_id, one.act, one.content,
             one.record, list(one.addresses)),
        )  # fmt: skip

    def _copy(self, group: Group) -> None:
        papers = list(enumerate(group.papers, self._last + 1))
        with self._connection.transaction(), self._connection.cursor() as cursor:
            with cursor.copy("copy document from stdin (format binary)") as copy:
                copy.set_types(["int8", "bytea", "int4", "text", "text", "bytea", "bytea"])
                for sequence, one in papers:
                    copy.write_row((
                        sequence, one.key, one.sender, one.document_id, one.act, one.content,
                        one.record,
                    ))  # fmt: skip
            with cursor.copy(
                "copy delivery (address, sequence) from stdin (format binary)"
            ) as copy:
                copy.set_types(["int4", "int8"])
                for sequence, one in papers:
                    for address in one.addresses:
                        copy.write_row((address, sequence))

    def _connects(self, psycopg: Any) -> bool:
        assert self._server is not None
        try:
            self._connection = psycopg.connect(
                host=str(self._server.sockets), user="bench", dbname="postgres", autocommit=True,
                prepare_threshold=1,
            )  # fmt: skip
        except psycopg.OperationalError:
            return False
        return True
