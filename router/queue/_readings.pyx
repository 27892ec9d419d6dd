# cython: language_level=3
"""What can be read of a store.  Every reading sees every answered write.

A reading holds the lock for its own length only; what could be long is read in pages.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from router.queue._bytes cimport ABSENT, FAILED, FOUND, Slice, Spot, load32, load64, store64
from router.queue._crc cimport crc32c
from router.queue._intake cimport Answer, look_up
from router.queue._layout cimport (
    CELL_BYTES, CELLS, CELLS_A_BLOCK, LEASED, QUEUED, RECORDS, SPOTS, STATES, TABLES as TABLE_COUNT,
)
from router.queue._moves cimport Counters
from router.queue._pipeline cimport Pipeline
from router.queue._settle cimport Standing, document_of, look
from router.queue._state cimport Stream
from router.queue._walk cimport Positions

from router.errors import ClosedError, StorageError
from router.queue.tables import COUNTERS, OF_THE_LOG, ORDERED, TABLES

__all__ = ["Places", "Readings"]

cdef enum:
    SPOT_EVERY = 16
    RECORD_HEAD = 12
    KEY_MAX = 64


cdef uint64_t SEQUENCE_MASK = 0xFFFFFFFFFFFF


cdef class Places:
    """Where one address stands in each snapshot, as far as it was looked up.

    `places` maps the numbers of snapshots to positions, -1 for nowhere.
    """

    def __cinit__(self, places):
        cdef size_t i = 0
        cdef list numbers = sorted(places)
        self.snapshots = PyBytes_FromStringAndSize(NULL, 8 * len(numbers) + 8)
        self.places = PyBytes_FromStringAndSize(NULL, 4 * len(numbers) + 4)
        for number in numbers:
            (<uint64_t *>PyBytes_AS_STRING(self.snapshots))[i] = number
            (<int32_t *>PyBytes_AS_STRING(self.places))[i] = places[number]
            i += 1
        memset(&self.positions, 0, sizeof(Positions))
        self.positions.snapshots = <const uint64_t *>PyBytes_AS_STRING(self.snapshots)
        self.positions.places = <const int32_t *>PyBytes_AS_STRING(self.places)
        self.positions.count = len(numbers)

    cdef list unknown(self):
        """Return the snapshots that were asked for and are not known; forget the asking."""
        cdef size_t i
        cdef list found = [self.positions.unknown[i] for i in range(self.positions.unknown_count)]
        self.positions.unknown_count = 0
        return found


cdef class Readings(Pipeline):
    """The readings of one store."""

    cdef object failure(self):
        """Return the error that says why nothing works any more."""
        if self.closed and not self.broken:
            return ClosedError("engine.closed")
        if self.store_fault is None:
            self.store_fault = self.state.base.fault()
        if self.store_fault is None and self.log is not None:
            self.store_fault = self.log.fault()
        if self.store_fault is None:
            self.store_fault = StorageError(
                "store.failed", reason="a reading or a change of the state failed"
            )
        error = self.store_fault
        return StorageError(error.code, path=error.path, **error.facts)

    cdef int check(self) except -1:
        """Raise when the store can't be used."""
        if self.broken or self.closed:
            raise self.failure()
        return 0

    def healthy(self):
        """Return False once a write, flush or reading has failed, or after `close`."""
        return not self.broken and not self.closed

    def fault(self):
        """Return the StorageError that everything is refused with, or None while all is well."""
        return self.failure() if self.broken else None

    def pending(self, uint32_t address):
        """Return how many open deliveries were written to an address by name."""
        cdef uint32_t count
        with nogil:
            self.enter()
            count = self.state.pending.get(address)
            self.leave()
        return count

    def counts(self):
        """Return the counters by name; see `tables.COUNTERS`."""
        cdef Counters counters
        cdef const int64_t *values = <const int64_t *>&counters
        self.check()
        with nogil:
            self.enter()
            counters = self.counters
            self.leave()
        self.check()
        return {name: values[i] for i, name in enumerate(COUNTERS)}

    def sizes(self):
        """Return sizes of what is in memory and on the disk, in bytes and pieces."""
        return {
            "overlay_bytes": self.state.bytes(), "in_line": self.in_line,
            "line_bytes": self.line_bytes, "crowded": self.crowded,
            "last": self.last, "durable": self.durable, "checkpointed": self.checkpointed,
            "stored_bytes": self.stored_bytes, "checkpoint_bytes": self.written_bytes,
            "log_bytes": self.stored_bytes if self.log is None else self.log.added_bytes,
            "flushes": self.flushes, "checkpoints": self.checkpoints, "epoch": self.epoch,
        }

    def base_info(self):
        """Return sizes of the base: bytes of its map, file and used part; free pages; readers."""
        self.check()
        return self.state.base.info()

    def log_bytes(self):
        """Return what the log's segments take on the disk; 0 where there is no log."""
        return 0 if self.log is None else self.log.bytes_kept

    # Documents.

    def find(self, bytes id_name not None, bytes key_name, bytes content not None, tuple years):
        """Return (kind, sequence) for a name's 16-byte digest: see `_intake.Answer`."""
        cdef uint32_t[4] wanted
        cdef Answer answer
        cdef int i, count = len(years)
        cdef const uint8_t *key = NULL
        cdef const uint8_t *name = <const uint8_t *>PyBytes_AS_STRING(id_name)
        cdef const uint8_t *digest = <const uint8_t *>PyBytes_AS_STRING(content)
        if len(id_name) < 16 or len(content) < 16 or count > 4:
            raise ValueError("digests have 16 bytes, years are at most four")
        if key_name is not None:
            key = <const uint8_t *>PyBytes_AS_STRING(key_name)
        for i in range(count):
            wanted[i] = years[i]
        self.check()
        with nogil:
            self.enter()
            look_up(self.state, name, key, digest, wanted, count, &answer)
            self.leave()
        self.check()
        return answer.kind, answer.sequence

    def sequence_of(self, bytes key not None):
        """Return the sequence of the document of a key, or None."""
        cdef uint64_t document = 0
        cdef bint found = False
        cdef const uint8_t *raw = <const uint8_t *>PyBytes_AS_STRING(key)
        self.check()
        if PyBytes_GET_SIZE(key) == 16:
            with nogil:
                self.enter()
                found = document_of(self.state, raw, &document)
                self.leave()
        self.check()
        return document if found else None

    # Rows, for those who know their layout (`reading.py`).

    def row(self, int table, bytes key not None):
        """Return the value of a key, or None."""
        cdef Slice value
        cdef uint8_t *kept = NULL
        cdef size_t size = 0
        cdef bint found = False
        cdef const uint8_t *raw = <const uint8_t *>PyBytes_AS_STRING(key)
        cdef size_t key_size = PyBytes_GET_SIZE(key)
        self.check()
        if not 0 <= table < TABLE_COUNT or not 0 < key_size <= KEY_MAX:
            raise ValueError("no such table, or a key of another size")
        with nogil:
            self.enter()
            if self.state.get(table, raw, key_size, &value) == FOUND:
                found = True
                size = value.size
                kept = <uint8_t *>malloc(size + 1)
                if kept != NULL:
                    memcpy(kept, value.data, size)
            self.leave()
        try:
            self.check()
            if not found:
                return None
            if kept == NULL:
                raise MemoryError  # never "not there"
            return PyBytes_FromStringAndSize(<char *>kept, size)
        finally:
            free(kept)

    def page(self, int table, bytes prefix not None, uint64_t start, size_t limit):
        """Return at most `limit` pairs (last eight bytes of the key as a number, value) of a
        prefix, ascending from `start`.  For ordered tables only."""
        cdef Stream stream
        cdef uint8_t *kept = NULL
        cdef uint8_t *more
        cdef size_t used = 0, room = 0, need, at = 0
        cdef size_t count = 0
        cdef bint cut_off = False
        cdef const uint8_t *raw = <const uint8_t *>PyBytes_AS_STRING(prefix)
        cdef size_t size = PyBytes_GET_SIZE(prefix)
        self.check()
        if not 0 <= table < TABLE_COUNT or size > KEY_MAX - 8 or not ORDERED[table]:
            raise ValueError("no such ordered table, or a prefix too long")
        with nogil:
            self.enter()
            self.state.open(&stream, table, raw, size, start)
            while stream.left and count < limit:
                need = used + 16 + stream.value.size
                if need > room:
                    more = <uint8_t *>realloc(kept, 2 * need)
                    if more == NULL:
                        cut_off = True
                        break
                    kept, room = more, 2 * need
                store64(kept + used, stream.suffix)
                store64(kept + used + 8, stream.value.size)
                memcpy(kept + used + 16, stream.value.data, stream.value.size)
                used = need
                count += 1
                self.state.advance(&stream)
            self.state.close(&stream)
            self.leave()
        found = []
        try:
            self.check()
            if cut_off:
                raise MemoryError  # never a shorter page, which would say that nothing follows
            while at < used:
                need = load64(kept + at + 8)
                found.append((
                    load64(kept + at), PyBytes_FromStringAndSize(<char *>kept + at + 16, need)
                ))
                at += 16 + need
        finally:
            free(kept)
        return found

    def due_from(self):
        """Return the first hour since 1970 that may have work due, or None."""
        return None if self.state.due_hour == 0xFFFFFFFF else self.state.due_hour

    def due_done(self, uint32_t hour):
        """Say that no work is due any more in the hours before."""
        if hour > self.state.due_hour:
            self.state.due_hour = hour

    # Records.

    def record(self, uint64_t sequence):
        """Return the log record of a sequence, or None.  Raises StorageError when it is damaged."""
        cdef Spot spot
        cdef uint8_t[8] key
        cdef uint8_t *into = NULL
        cdef size_t size = 0
        cdef int found = FAILED
        self.check()
        if sequence == 0 or sequence > self.last:
            return None
        if self.log is None:
            store64(key, sequence)
            return self.unwrapped(sequence, self.row(RECORDS, key[:8]))
        with nogil:
            self.enter()
            found = self.locate(sequence, &spot)
            self.leave()
            if found == FOUND:
                found = self.log.read(spot, sequence, &into, &size)
        if found != FOUND:
            free(into)
            if found == FAILED:
                raise self.log.fault() or self.log.read_fault() or StorageError(
                    "store.corrupt", path=f"log[{sequence}]",
                    reason=f"log record {sequence} can't be read",
                )
            return None
        try:
            return PyBytes_FromStringAndSize(<char *>into, size)
        finally:
            free(into)

    cdef object unwrapped(self, uint64_t sequence, bytes stored):
        """Return a record kept in a table after holding its checksum against it."""
        cdef uint8_t[8] key
        cdef const uint8_t *raw
        cdef uint32_t found
        if stored is None:
            return None
        raw = <const uint8_t *>PyBytes_AS_STRING(stored)
        store64(key, sequence)
        if len(stored) >= RECORD_HEAD:
            found = crc32c(crc32c(crc32c(0, raw, 8), key, 8), raw + RECORD_HEAD,
                           PyBytes_GET_SIZE(stored) - RECORD_HEAD)
            if found == load32(raw + 8):
                return stored[RECORD_HEAD:]
        raise StorageError(
            "store.corrupt", path=f"log[{sequence}]",
            reason=f"log record {sequence}: its checksum does not match",
        )

    cdef int locate(self, uint64_t sequence, Spot *spot) noexcept nogil:
        """Find where a record lies, or one shortly before it: FOUND or ABSENT."""
        cdef uint8_t[8] key
        cdef Slice value
        cdef int i
        for i in range(2 * SPOT_EVERY):
            if sequence <= <uint64_t>i:
                break
            store64(key, sequence - i)
            if self.state.get(SPOTS, key, 8, &value) == FOUND and value.size == 12:
                spot.segment = load32(value.data)
                spot.offset = load32(value.data + 4)
                spot.size = load32(value.data + 8)
                return FOUND
        return ABSENT

    # Counting.

    def count_states(self, uint64_t entry, bounds not None, int64_t at):
        """Count an entry's members by the state in their cells, in slices of their ranks.

        `bounds` ascend; slice k holds the ranks from bounds[k] to bounds[k + 1].  Returns a
        list of ten counts (by state's number) for each slice; members without a cell are
        counted nowhere, leases that ran out by `at` as queued.
        """
        cdef Stream stream
        cdef size_t slices = len(bounds) - 1, i, k = 0, cells
        cdef uint64_t rank
        cdef uint32_t *counts
        cdef uint64_t *limits
        cdef uint8_t[8] key
        cdef const uint8_t *cell
        self.check()
        counts = <uint32_t *>calloc(slices * STATES + 1, sizeof(uint32_t))
        limits = <uint64_t *>malloc((slices + 1) * sizeof(uint64_t))
        if counts == NULL or limits == NULL:
            free(counts)
            free(limits)
            raise MemoryError
        for i in range(slices + 1):
            limits[i] = bounds[i]
        store64(key, entry)
        with nogil:
            self.enter()
            self.state.open(&stream, CELLS, key, 8, limits[0] // CELLS_A_BLOCK)
            while stream.left and k < slices:
                cells = stream.value.size // CELL_BYTES
                for i in range(cells):
                    rank = stream.suffix * CELLS_A_BLOCK + i
                    while k < slices and rank >= limits[k + 1]:
                        k += 1
                    if k >= slices:
                        break
                    cell = stream.value.data + i * CELL_BYTES
                    if rank >= limits[k] and load64(cell) & SEQUENCE_MASK and cell[0] < STATES:
                        if cell[0] == LEASED and <int64_t>load64(cell + 8) <= at:
                            counts[k * STATES + QUEUED] += 1
                        else:
                            counts[k * STATES + cell[0]] += 1
                self.state.advance(&stream)
            self.state.close(&stream)
            self.leave()
        try:
            self.check()
            return [[counts[k * STATES + i] for i in range(STATES)] for k in range(slices)]
        finally:
            free(counts)
            free(limits)

    def standing(self, uint32_t address, uint64_t document, Places places not None, int64_t at):
        """Return where a delivery stands, the snapshots that must be known first, or None.

        (entry, rank, lane, state, stored state, since, until, attempts, record that changed
        it, its own record, hidden), a list of snapshots, or None for no such delivery.
        """
        cdef Standing found
        self.check()
        with nogil:
            self.enter()
            look(self.state, &places.positions, address, document, at, &found)
            self.leave()
        self.check()
        if found.unsure:
            return places.unknown()
        if not found.found:
            return None
        return (
            found.entry, found.rank, found.lane, found.state, found.stored, found.since,
            found.until, found.attempts, found.changed, found.before, bool(found.hidden),
        )

    def dump(self):
        """Yield (table, key, value) of the whole state in order, without the log's own tables.

        For an idle store: takes a checkpoint first, and reads the base.
        """
        self.checkpoint()
        for number, table in enumerate(TABLES):
            if table not in OF_THE_LOG:
                for key, value in self.state.base.items(number):
                    yield table, key, value
