"""SQLite in WAL mode: the library most people would take for this."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vanban_bench.peers.base import DuplicateError, bytes_below
from vanban_bench.workloads.queue_documents import Group, Reader

_SCHEMA: Final = """
pragma journal_mode = wal;
pragma synchronous = full;
pragma cache_size = -262144;
pragma wal_autocheckpoint = 16384;
create table document (
    sequence integer primary key, key blob not null, sender integer not null,
    id text not null, act text not null, content blob not null, body blob not null
);
create unique index document_by_name on document (sender, id, act);
create table delivery (
    address integer not null, sequence integer not null,
    until integer not null default 0, attempts integer not null default 0,
    primary key (address, sequence)
) without rowid;
"""
_WAITING: Final = """
select sequence, document.key, document.body from delivery join document using (sequence)
where address = ? and until <= ? order by sequence limit ?
"""
_NOW: Final = 1
_UNTIL: Final = 2


class SqliteFull:
    """The standard library's SQLite, `synchronous=FULL`: one flush of the WAL a commit.

    Its WAL is moved into the database every 64 MiB: a page that many groups change is then
    written there once, which gives 1.5 times the rate of SQLite's own 4 MiB.
    Deliveries lie clustered by recipient; an acknowledged one is deleted, which is the
    cheapest thing to do with it.  With `lease_flushed=False` the transaction of the lease
    runs under `synchronous=NORMAL`, so only the acknowledgement is flushed.
    """

    def __init__(self, *, lease_flushed: bool = True) -> None:
        self.name = "sqlite-full" if lease_flushed else "sqlite-full-lease-unflushed"
        self.durability = (
            f"power loss; SQLite {sqlite3.sqlite_version}, WAL, synchronous=FULL: 1 flush of "
            "the WAL a commit"
            + ("" if lease_flushed else "; the lease commits unflushed (synchronous=NORMAL)")
        )
        self._lease_flushed = lease_flushed
        self._path = Path()
        self._db: sqlite3.Connection | None = None
        self._last = 0

    def start(self, home: Path) -> None:
        """Nothing is needed."""

    def stop(self) -> None:
        """Nothing was started."""

    def open(self, path: Path) -> None:
        """Make an empty database."""
        path.mkdir(exist_ok=True)
        for file in path.glob("queue.db*"):
            file.unlink()
        self._path = path
        self._db = sqlite3.connect(path / "queue.db", isolation_level=None)
        self._db.executescript(_SCHEMA)
        self._last = 0

    def close(self) -> None:
        """Close the database."""
        self._opened.close()
        self._db = None

    def accept(self, group: Group) -> None:
        """Insert the documents and a row for each recipient in one transaction."""
        first = self._last + 1
        papers = list(zip(range(first, first + len(group.papers)), group.papers, strict=True))
        documents = [
            (sequence, one.key, one.sender, one.document_id, one.act, one.content, one.record)
            for sequence, one in papers
        ]
        deliveries = [(address, sequence) for sequence, one in papers for address in one.addresses]
        try:
            with self._transaction() as db:
                db.executemany("insert into document values (?, ?, ?, ?, ?, ?, ?)", documents)
                db.executemany("insert into delivery (address, sequence) values (?, ?)", deliveries)
        except sqlite3.IntegrityError as error:
            raise DuplicateError(str(error)) from error
        self._last += len(group.papers)

    def drain(self, reader: Reader, limit: int) -> list[bytes]:
        """Lease in one transaction, acknowledge in another."""
        if not self._lease_flushed:
            self._opened.execute("pragma synchronous = normal")
        with self._transaction() as db:
            rows = db.execute(_WAITING, (reader.address, _NOW, limit)).fetchall()
            taken = [(reader.address, row[0]) for row in rows]
            db.executemany(
                f"update delivery set until = {_UNTIL}, attempts = attempts + 1 "  # noqa: S608
                "where address = ? and sequence = ?",
                taken,
            )
        if not self._lease_flushed:
            self._opened.execute("pragma synchronous = full")
        with self._transaction() as db:
            db.executemany("delete from delivery where address = ? and sequence = ?", taken)
        return [row[1] for row in rows]

    def rest(self) -> None:
        """Move the WAL into the database."""
        self._opened.execute("pragma wal_checkpoint(truncate)").fetchall()

    def bytes_used(self) -> int:
        """Return the bytes of the database and its WAL."""
        return bytes_below(self._path)

    def stored(self) -> list[tuple[bytes, bytes]]:
        """Return (key, record) of all documents in order."""
        return self._opened.execute("select key, body from document order by sequence").fetchall()

    @property
    def _opened(self) -> sqlite3.Connection:
        assert self._db is not None, "the database is open"
        return self._db

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._opened
        db.execute("begin immediate")
        try:
            yield db
        except BaseException:
            db.execute("rollback")
            raise
        db.execute("commit")
