# cython: language_level=3
"""Deliveries on their way out: leases with their documents, and inboxes looked at."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from router.queue._bytes cimport FAILED, FOUND, Slice, Spot, store32
from router.queue._layout cimport CURSORS, LEASED
from router.queue._leased cimport Leased, leased_of
from router.queue._log_reads cimport Wanted
from router.queue._moves cimport LANES, MOVES_MAX, Changes, Move
from router.queue._pipeline cimport CROWDED
from router.queue._readings cimport Places
from router.queue._segments cimport FRAME_BYTES, frame_bytes
from router.queue._taking cimport Taking, refusal_of
from router.queue._walk cimport Ask, Walk, walk, walk_done

from router.errors import StorageError, TooLargeError, TooManyOpenError
from router.limits import RECORD_BYTES_MAX, RETRY_AFTER_S

__all__ = ["Handing"]

cdef enum:
    MORE_MOVES = 1024    # deliveries found over that one lease's record may name
    HANDED_MAX = MOVES_MAX - MORE_MOVES  # in one record, which a replay must be able to read
    LOOKED_MAX = 1 << 20
    TURNS = 8
    PASSED_WORTH = 512   # candidates passed by: worth a record even when nothing is handed out

cdef size_t RECORD_MAX = RECORD_BYTES_MAX


cdef class Handing(Taking):
    """What recipients are handed, of one store."""

    def lease(
        self, uint32_t address, topics, uint64_t digest, Places places not None, uint32_t limit,
        int64_t until, int64_t at, uint32_t unit, bytes actor not None, *, uint64_t bytes_max,
        uint32_t attempts_max, uint8_t lanes=15, bint look=False,
    ):
        """Hand out what waits for an address; flushed with the next group.

        `topics` are sorted, `digest` differs when they differ.  Returns a list of snapshots
        that must be in `places` first, or a tuple (handed out, further lanes).  `look` changes
        nothing and lists what is leased as well, as (document, entry, rank, lane, hand-outs so
        far, state).  Raises TooManyOpenError `unit.too_many_leased` when `leases_max` leases
        run already, TooLargeError `batch.too_large` for a `limit` beyond what one record
        holds, OverloadedError `store.checkpoint_behind`.
        """
        cdef Ask ask
        cdef Walk found
        cdef Changes changes
        cdef bytes joined = b"".join([bytes((len(topic),)) + topic for topic in topics])
        cdef size_t room = <size_t>limit + MORE_MOVES
        bounded(limit, LOOKED_MAX if look else HANDED_MAX)
        self.check()
        if self.swamped() and not look:
            raise refusal_of(CROWDED)
        memset(&ask, 0, sizeof(Ask))
        memset(&found, 0, sizeof(Walk))
        memset(&changes, 0, sizeof(Changes))
        ask.address, ask.at, ask.limit, ask.attempts_max = address, at, limit, attempts_max
        ask.digest, ask.lanes, ask.leased_too = digest, lanes, look
        ask.leases_max = 0 if look else self.leases_max
        ask.topics = <const uint8_t *>PyBytes_AS_STRING(joined)
        ask.topics_size, ask.topics_count = PyBytes_GET_SIZE(joined), len(topics)
        changes.address, changes.unit, changes.at = address, unit, at
        changes.until = max(until, at)  # a record has no span below zero
        changes.actor, changes.actor_size = (
            <const uint8_t *>PyBytes_AS_STRING(actor), <uint32_t>PyBytes_GET_SIZE(actor)
        )
        found.ask, found.positions = &ask, &places.positions
        found.room, found.bytes_left = <uint32_t>room, bytes_max
        found.moves = <Move *>malloc(room * sizeof(Move))
        found.spots = NULL if look else <Spot *>calloc(room, sizeof(Spot))
        try:
            if found.moves == NULL or (found.spots == NULL and not look):
                raise MemoryError
            with nogil:
                self.hand_out(&found, &changes, look)
            self.check()
            if found.unsure:
                return places.unknown()
            if not found.ready and ask.leases_max and found.running >= ask.leases_max:
                raise TooManyOpenError(
                    "unit.too_many_leased", limit=self.leases_max, retry_after_s=RETRY_AFTER_S
                )
            if look:
                return handed_out(&found), bool(found.full)
            return self.with_bodies(&found), bool(found.full)
        finally:
            free(found.moves)
            free(found.spots)

    cdef list with_bodies(self, Walk *found):
        """Return what a walk hands out, with its documents.

        All are read into one piece of memory, which nobody else knows before they are in it.
        """
        cdef Wanted *wanted = <Wanted *>calloc(found.count + 1, sizeof(Wanted))
        cdef size_t count = 0, room = 0
        cdef uint32_t i
        cdef int read = FOUND
        cdef bytes kept
        cdef uint8_t *into
        try:
            if wanted == NULL:
                raise MemoryError
            for i in range(found.count):
                if found.moves[i].state != LEASED:
                    continue
                wanted[count].spot, wanted[count].move = found.spots[i], i
                wanted[count].sequence = found.moves[i].document
                wanted[count].at = room
                count += 1
                if self.log is not None and found.spots[i].size <= RECORD_MAX:
                    room += frame_bytes(found.spots[i].size)
            kept = PyBytes_FromStringAndSize(NULL, room)
            into = <uint8_t *>PyBytes_AS_STRING(kept)
            if self.log is not None:
                with nogil:
                    read = self.log.read_many(wanted, count, into)
            if read != FOUND:
                raise self.log.read_fault() or StorageError(
                    "store.corrupt", reason="the record of a document is missing"
                )
            return [self.handed(&wanted[i], found, kept) for i in range(count)]
        finally:
            free(wanted)

    cdef Leased handed(self, const Wanted *wanted, const Walk *found, bytes kept):
        """Return one delivery of those that `kept` holds, or that lie elsewhere."""
        cdef const Move *move = &found.moves[wanted.move]
        cdef size_t start = wanted.at + FRAME_BYTES, size = wanted.spot.size
        if self.log is None or wanted.moved:
            kept = self.record(move.document)
            if kept is None:
                raise StorageError("store.corrupt", reason="the record of a document is missing")
            start, size = 0, PyBytes_GET_SIZE(kept)
        return leased_of(kept, start, size, move.document, move.lane, move.attempts + 1)

    def inbox_keys(
        self, uint32_t address, topics, uint64_t digest, Places places not None, uint32_t limit,
        int64_t at,
    ):
        """Return the keys of what is open for an address in a tuple, or, in a list, the
        snapshots that must be in `places` first."""
        cdef Ask ask
        cdef Walk found
        cdef Changes changes
        cdef bytes joined = b"".join([bytes((len(topic),)) + topic for topic in topics])
        cdef uint8_t *keys = NULL
        cdef uint32_t i
        bounded(limit, LOOKED_MAX)
        self.check()
        memset(&ask, 0, sizeof(Ask))
        memset(&found, 0, sizeof(Walk))
        memset(&changes, 0, sizeof(Changes))
        ask.address, ask.at, ask.limit, ask.attempts_max = address, at, limit, 0xFF
        ask.digest, ask.lanes, ask.leased_too = digest, 15, True
        ask.topics = <const uint8_t *>PyBytes_AS_STRING(joined)
        ask.topics_size, ask.topics_count = PyBytes_GET_SIZE(joined), len(topics)
        changes.address = address
        found.ask, found.positions, found.room = &ask, &places.positions, limit
        found.moves = <Move *>malloc((limit + 1) * sizeof(Move))
        keys = <uint8_t *>malloc(16 * <size_t>limit + 1)
        try:
            if found.moves == NULL or keys == NULL:
                raise MemoryError
            found.keys = keys
            with nogil:
                self.enter()
                self.look_in(&found, &changes)
                self.leave()
            self.check()
            if found.unsure:
                return places.unknown()
            return tuple([
                PyBytes_FromStringAndSize(<char *>keys + 16 * i, 16) for i in range(found.count)
            ])
        finally:
            free(found.moves)
            free(keys)

    cdef uint64_t look_in(self, Walk *found, Changes *changes) noexcept nogil:
        """Walk an inbox; return how many entries of others were passed by."""
        cdef uint8_t[5] key
        cdef Slice turn
        cdef uint64_t passed = 0
        cdef int i
        store32(key, changes.address)
        key[4] = 0xFF
        if self.state.get(CURSORS, key, 5, &turn) == FOUND and turn.size == 1:
            found.turn = turn.data[0] % TURNS
        walk(self.state, &self.counters, found)
        for i in range(LANES):
            changes.cursors[i] = found.lanes[i].cursor
            passed += found.lanes[i].passed
        walk_done(self.state, found)
        return passed

    cdef void hand_out(self, Walk *found, Changes *changes, bint look) noexcept nogil:
        """Walk the inbox, then write down and apply what was handed out."""
        cdef uint64_t passed
        self.enter()
        passed = self.look_in(found, changes)
        if not look and not found.unsure and not self.state.failed and (
            found.count or passed >= PASSED_WORTH
        ):
            changes.moves, changes.count = found.moves, found.count
            changes.digest = found.ask.digest
            changes.turn = found.turn + 1 if found.turned else 0
            if self.append_changes(changes) == FAILED or (
                self.log is not None and self.log.write() == FAILED
            ):
                self.give_up()
        self.leave()


cdef int bounded(uint32_t limit, uint32_t most) except -1:
    """Raise when more is asked for at once than there is room for."""
    if limit > most:
        raise TooLargeError("batch.too_large", size=limit, limit=most)
    return 0


cdef list handed_out(Walk *found):
    """Return what a look at an inbox found, without what it found to be over."""
    cdef list handed = []
    cdef uint32_t i
    cdef Move *move
    for i in range(found.count):
        move = &found.moves[i]
        if move.state > LEASED:
            continue
        handed.append((
            move.document, move.entry, move.rank, move.lane, move.attempts, move.state
        ))
    return handed
