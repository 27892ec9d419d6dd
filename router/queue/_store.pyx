# cython: language_level=3
"""The store as its callers have it: documents in, leases out, answers back.

Made by the three durability ports (`log_store.py`, `group_store.py`, `memory_store.py`), which
hand in a base and, all but one, a log.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from router.queue._base cimport Base
from router.queue._bytes cimport FAILED, FOUND, Slice, Spot, load32, load64, store32
from router.queue._intake cimport Answer
from router.queue._layout cimport (
    ACC_ENVELOPE, ACC_FACTS, ACC_FIXED, ACC_KEY, CURSORS, IDS,
    LEASED, META,
)
from router.queue._log cimport SegmentLog, Visitor
from router.queue._moves cimport LANES, MOVES_MAX, Changes, Counters, Move, changes_bytes_max
from router.queue._pipeline cimport (
    BROKEN, BUSY, CROWDED, Ticket, pthread_cond_broadcast, pthread_cond_timedwait,
    pthread_cond_wait, pthread_mutex_lock, pthread_mutex_unlock,
)
from router.queue._readings cimport Places, Readings
from router.queue._settle cimport Wish
from router.queue._state cimport State
from router.queue._walk cimport Ask, Walk, walk, walk_done

from router.errors import OverloadedError, StorageError, TooLargeError, TooManyOpenError
from router.limits import DISK_RETRY_S, RECORD_BYTES_MAX, RETRY_AFTER_S
from router.queue.records import Leased

__all__ = ["Store", "place_of", "taken_apart"]

cdef enum:
    MORE_MOVES = 1024    # deliveries found over that one lease's record may name
    TURNS = 8
    PASSED_WORTH = 512   # candidates passed by: worth a record even when nothing is handed out


cdef size_t RECORD_MAX = RECORD_BYTES_MAX


cdef class Replay(Visitor):
    """Applies what the log holds beyond the last checkpoint."""

    cdef int record(
        self, uint64_t sequence, const uint8_t *data, size_t size, Spot spot
    ) noexcept nogil:
        """Apply one record; FAILED when it is none, or out of order."""
        cdef int done
        if sequence != self.store.last + 1:
            return FAILED
        self.store.state.begin()
        self.store.keep_spot(data, sequence, spot)
        done = self.store.apply(data, size, sequence)
        self.store.state.end()
        self.store.last = sequence
        self.store.last_spot = spot
        self.store.stored_bytes += spot.size
        if done == FAILED or self.store.state.failed:
            return FAILED
        return 0


cdef class Store(Readings):
    """One data directory's store.  Thread-safe.

    `place` is what `place_of(base)` says; `log` is None where records are kept in a table.
    """

    def __init__(self, Base base not None, SegmentLog log, place, *, uint64_t epoch=0):
        cdef Replay replay
        cdef int done
        self.state = State(base)
        self.log = log
        self.waiting = {}
        self.epoch = epoch if log is None else log.epoch
        self.last = self.checkpointed = place[0]
        self.last_spot.segment, self.last_spot.offset, self.last_spot.size = place[1]
        self.load_counters()
        self.state.begin()
        if self.state.recall() == FAILED or self.state.recall_names() == FAILED:
            self.state.failed = True
        self.state.end()
        if log is not None:
            replay = Replay()
            replay.store = self
            with nogil:
                done = log.replay(replay)
            if done == FAILED:
                raise log.fault() or base.fault() or StorageError(
                    "store.corrupt", path=f"log[{self.last + 1}]",
                    reason=f"log record {self.last + 1} can't be applied",
                )
        self.durable = self.last
        self.checkpoint_bytes = 0

    def load_counters(self):
        """Read the counters as of the last checkpoint."""
        cdef int64_t *values = <int64_t *>&self.counters
        cdef size_t i
        stored = self.row(META, b"counters")
        if stored is not None and len(stored) == sizeof(Counters):
            for i in range(sizeof(Counters) // 8):
                values[i] = <int64_t>load64(<const uint8_t *>PyBytes_AS_STRING(stored) + 8 * i)

    # Taking in.

    cdef Ticket *ticket_of(self, list records, bint documents) except NULL:
        """Make a ticket for records; they must be kept alive until it is answered."""
        cdef size_t count = len(records), i
        cdef Ticket *ticket = <Ticket *>calloc(
            1, sizeof(Ticket) + count * (sizeof(Slice) + sizeof(Answer))
        )
        cdef Slice *slices
        if ticket == NULL:
            raise MemoryError
        slices = <Slice *>(ticket + 1)
        ticket.answers = <Answer *>(slices + count)
        ticket.records = slices
        ticket.count = count
        ticket.documents = documents
        for i in range(count):
            record = records[i]
            if type(record) is not bytes or not record:
                free(ticket)
                raise TypeError("a record is bytes, and not empty")
            if <size_t>PyBytes_GET_SIZE(record) > RECORD_MAX:
                free(ticket)
                raise TooLargeError("record.too_large", bytes=len(record), limit=RECORD_MAX)
            slices[i].data = <const uint8_t *>PyBytes_AS_STRING(record)
            slices[i].size = PyBytes_GET_SIZE(record)
            ticket.bytes += slices[i].size
        return ticket

    cdef int raise_outcome(self, int outcome) except -1:
        """Raise for a ticket that was not served."""
        if outcome == BROKEN:
            self.give_up()
            raise self.failure()
        refusal = refusal_of(outcome)
        if refusal is not None:
            raise refusal
        return 0

    cdef int admit(self, Ticket *ticket) except -1:
        """Raise when the line is too long for one more; whoever is alone in it is let in."""
        if self.line_bytes and self.line_bytes + ticket.bytes > self.line_bytes_max:
            raise OverloadedError("store.busy", retry_after_s=RETRY_AFTER_S)
        return 0

    def take(self, list records not None, *, bint documents=True):
        """Store records in one group; return (kind, sequence, twin) for each, in order.

        An acceptance record is judged (`_intake.Answer`); others are taken as they are.
        Flushed on return.  Raises StorageError, ClosedError, and OverloadedError
        `store.nearly_full` (the disk), `store.checkpoint_behind`, `store.busy` (memory).
        """
        cdef Ticket *ticket
        cdef size_t i
        if not records:
            return []
        self.check()
        ticket = self.ticket_of(records, documents)
        try:
            self.admit(ticket)
            with nogil:
                self.run(ticket)
            self.raise_outcome(ticket.outcome)
            return [
                (ticket.answers[i].kind, ticket.answers[i].sequence, ticket.answers[i].twin)
                for i in range(ticket.count)
            ]
        finally:
            free(ticket)

    def enqueue(self, list records not None):
        """Line records up and return the ticket's number at once; see `completed`.

        A writer (`write_until_closed`) must be running.  Raises StorageError, ClosedError,
        and OverloadedError `store.busy` while the line is full.
        """
        cdef Ticket *ticket
        self.check()
        records = list(records)
        ticket = self.ticket_of(records, True)
        try:
            self.admit(ticket)
        except OverloadedError:
            free(ticket)
            raise
        self.numbers += 1
        ticket.number = self.numbers
        ticket.queued = True
        self.waiting[ticket.number] = records
        with nogil:
            self.queue_up(ticket)
        return self.numbers

    def completed(self):
        """Return (number, answers) of queued tickets that were answered since the last call.

        The answers are as of `take`; None instead of them means that nothing of it may be
        counted on, an OverloadedError that nothing of it was done.
        """
        cdef Ticket *ticket
        cdef Ticket *behind
        cdef size_t i
        with nogil:
            pthread_mutex_lock(&self.arriving)
            ticket = self.completed_first
            self.completed_first = self.completed_newest = NULL
            pthread_mutex_unlock(&self.arriving)
        found = []
        while ticket != NULL:
            behind = ticket.behind
            answers = refusal_of(ticket.outcome)
            if ticket.outcome not in (BROKEN, BUSY, CROWDED):
                answers = [
                    (ticket.answers[i].kind, ticket.answers[i].sequence, ticket.answers[i].twin)
                    for i in range(ticket.count)
                ]
            found.append((ticket.number, answers))
            self.waiting.pop(ticket.number, None)
            free(ticket)
            ticket = behind
        return found

    def write_until_closed(self, int signal_file):
        """Serve queued tickets, signalling the file (an eventfd) for each group; for a thread."""
        self.signal_file = signal_file
        with nogil:
            while not self.stopping:
                pthread_mutex_lock(&self.arriving)
                while self.first == NULL and not self.stopping:
                    pthread_cond_wait(&self.arrived, &self.arriving)
                pthread_mutex_unlock(&self.arriving)
                pthread_mutex_lock(&self.lock)
                self.lead()
                pthread_mutex_unlock(&self.lock)

    # Handing out.

    def lease(
        self, uint32_t address, topics, uint64_t digest, Places places not None, uint32_t limit,
        int64_t until, int64_t at, uint32_t unit, bytes actor not None, *, uint64_t bytes_max,
        uint32_t attempts_max, uint8_t lanes=15, bint look=False,
    ):
        """Hand out what waits for an address; flushed with the next group.

        `topics` are sorted, `digest` differs when they differ.  Returns a list of snapshots
        that must be in `places` first, or a tuple (handed out, further lanes).  Each is
        (document, entry, rank, lane, hand-outs so far, state, spot).  `look` changes nothing
        and lists what is leased as well.  Raises TooManyOpenError `unit.too_many_leased` when
        `leases_max` leases run already, OverloadedError `store.checkpoint_behind`.
        """
        cdef Ask ask
        cdef Walk found
        cdef Changes changes
        cdef bytes joined = b"".join([bytes((len(topic),)) + topic for topic in topics])
        cdef size_t room = <size_t>limit + MORE_MOVES
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
        changes.address, changes.unit, changes.at, changes.until = address, unit, at, until
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
        """Return what a walk hands out: (key, document, lane, hand-out, envelope, facts,
        instant) of each."""
        cdef uint8_t **bodies = <uint8_t **>calloc(found.count + 1, sizeof(uint8_t *))
        cdef size_t *sizes = <size_t *>calloc(found.count + 1, sizeof(size_t))
        cdef list handed = []
        cdef uint32_t i
        cdef int read = FOUND
        cdef Move *move
        try:
            if bodies == NULL or sizes == NULL:
                raise MemoryError
            if self.log is not None:
                with nogil:
                    for i in range(found.count):
                        if found.moves[i].state == LEASED and read == FOUND:
                            read = self.log.read(
                                found.spots[i], found.moves[i].document, &bodies[i], &sizes[i]
                            )
                if read != FOUND:
                    raise self.log.read_fault() or StorageError(
                        "store.corrupt", reason="the record of a document is missing"
                    )
            for i in range(found.count):
                move = &found.moves[i]
                if move.state != LEASED:
                    continue
                if self.log is None:
                    key, envelope, facts, at = taken_apart(self.record(move.document))
                else:
                    key, envelope, facts, at = apart(bodies[i], sizes[i])
                handed.append(Leased(
                    key, move.document, move.lane, move.attempts + 1, envelope, facts, at
                ))
            return handed
        finally:
            for i in range(found.count):
                if bodies != NULL:
                    free(bodies[i])
            free(bodies)
            free(sizes)

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

    def settle(
        self, uint32_t address, uint32_t unit, int64_t at, bytes actor not None, list wishes,
        Places places not None, tuple reasons=(), *, int64_t until=0, bint durable=True,
    ):
        """Do what a recipient wants of its deliveries: one record, flushed on return.

        `wishes` are (key, state, 1 + place of its reason in `reasons` or 0): DELIVERED or
        REFUSED; LEASED to keep what is handed out until `until`; QUEUED to give it back.
        Returns a list of snapshots that must be in `places` first, or a tuple of
        (found, state after, final before) in order.
        """
        cdef Ticket ticket
        cdef Changes changes
        cdef size_t count = len(wishes), i
        cdef Wish *asked = <Wish *>calloc(count + 1, sizeof(Wish))
        cdef bytes written = written_reasons(reasons)
        memset(&ticket, 0, sizeof(Ticket))
        memset(&changes, 0, sizeof(Changes))
        changes.moves = <Move *>malloc((count + 1) * sizeof(Move))
        try:
            if asked == NULL or changes.moves == NULL:
                raise MemoryError
            self.check()
            for i in range(count):
                key, state, reason = wishes[i]
                if type(key) is not bytes or len(key) != 16:
                    raise ValueError("a key has 16 bytes")
                asked[i].key = <const uint8_t *>PyBytes_AS_STRING(key)
                asked[i].state, asked[i].reason = state, reason
            changes.address, changes.unit, changes.at = address, unit, at
            changes.until, changes.extends = until, until != 0
            changes.actor = <const uint8_t *>PyBytes_AS_STRING(actor)
            changes.actor_size = <uint32_t>PyBytes_GET_SIZE(actor)
            changes.reasons = <const uint8_t *>PyBytes_AS_STRING(written)
            changes.reasons_size = <uint32_t>PyBytes_GET_SIZE(written)
            changes.reason_count = <uint32_t>len(reasons)
            one_record(&changes, count)
            ticket.changes, ticket.wishes, ticket.wish_count = &changes, asked, count
            ticket.positions = &places.positions
            ticket.bytes = 64 * count
            with nogil:
                self.run(&ticket)
            self.raise_outcome(ticket.outcome)
            if places.positions.unknown_count:
                return places.unknown()
            return tuple([
                (bool(asked[i].found), asked[i].now, bool(asked[i].repeated))
                for i in range(count)
            ])
        finally:
            free(asked)
            free(changes.moves)

    def settle_alike(
        self, uint32_t address, uint32_t unit, int64_t at, bytes actor not None, list keys,
        uint8_t state, bytes reason not None, Places places not None,
    ):
        """Settle many deliveries the same way; each key once.

        As `settle`, but answers with one byte each: 0 not found, else 32 + the state after,
        and 16 more when it was final before.
        """
        cdef Ticket ticket
        cdef Changes changes
        cdef size_t count = len(keys), i
        cdef Wish *asked = <Wish *>calloc(count + 1, sizeof(Wish))
        cdef bytes written = written_reasons((reason,)) if reason else b""
        cdef bytes answers = PyBytes_FromStringAndSize(NULL, count)
        cdef uint8_t *answer = <uint8_t *>PyBytes_AS_STRING(answers)
        cdef object key
        memset(&ticket, 0, sizeof(Ticket))
        memset(&changes, 0, sizeof(Changes))
        changes.moves = <Move *>malloc((count + 1) * sizeof(Move))
        try:
            if asked == NULL or changes.moves == NULL:
                raise MemoryError
            self.check()
            for i in range(count):
                key = keys[i]
                if type(key) is not bytes or PyBytes_GET_SIZE(key) != 16:
                    raise ValueError("a key has 16 bytes")
                asked[i].key = <const uint8_t *>PyBytes_AS_STRING(key)
                asked[i].state, asked[i].reason = state, 1 if reason else 0
            changes.address, changes.unit, changes.at = address, unit, at
            changes.actor = <const uint8_t *>PyBytes_AS_STRING(actor)
            changes.actor_size = <uint32_t>PyBytes_GET_SIZE(actor)
            changes.reasons = <const uint8_t *>PyBytes_AS_STRING(written)
            changes.reasons_size = <uint32_t>PyBytes_GET_SIZE(written)
            changes.reason_count = 1 if reason else 0
            one_record(&changes, count)
            ticket.changes, ticket.wishes, ticket.wish_count = &changes, asked, count
            ticket.positions = &places.positions
            ticket.bytes = 64 * count
            with nogil:
                self.run(&ticket)
            self.raise_outcome(ticket.outcome)
            if places.positions.unknown_count:
                return places.unknown()
            for i in range(count):
                answer[i] = (
                    32 + asked[i].now + (16 if asked[i].repeated else 0) if asked[i].found else 0
                )
            return answers
        finally:
            free(asked)
            free(changes.moves)

    def append_raw(self, list records not None):
        """Store records of this store's own making in one group; return their sequences."""
        return [sequence for _, sequence, _ in self.take(records, documents=False)]

    def years_with_ids(self):
        """Return the calendar years that document ids are known of, ascending."""
        return [year for year in range(65536) if self.state.any_names(IDS, year)]

    # Durability.

    def begin_epoch(self):
        """Write the epoch of this opening down, flushed, where there is no log to do it."""
        cdef int done
        with nogil:
            self.enter()
            self.dirty = True
            done = self.conclude()
            self.leave()
        if done == FAILED:
            self.give_up()
        self.check()

    def flush(self):
        """Make everything durable that was handed out.  Raises StorageError."""
        if not self.dirty:
            return
        with nogil:
            self.enter()
            if self.conclude() == FAILED:
                self.give_up()
            self.leave()
        self.check()

    def checkpoint(self):
        """Write the state as of now into the base; readers and writers go on meanwhile.

        Raises StorageError; then the store must be opened anew.
        """
        self.begin_checkpoint()
        self.end_checkpoint()

    def begin_checkpoint(self):
        """Freeze the state as of now, flushed, for `end_checkpoint` to write.

        Waits for a checkpoint that another thread has begun.  Raises StorageError.
        """
        cdef int begun
        self.check()
        with nogil:
            self.enter()
            while self.state.freezing and not self.broken:
                self.state.end()
                pthread_cond_wait(&self.thawed, &self.lock)
                self.state.begin()
            begun = self.conclude()
            if begun == FOUND and self.log is not None:
                begun = self.freeze()
            self.leave()
            if begun == FAILED:
                self.give_up()
        self.check()

    def end_checkpoint(self):
        """Write what `begin_checkpoint` froze; nothing when it froze nothing.

        For the caller that began it.  Raises StorageError.
        """
        cdef int written
        if self.log is None or not self.state.freezing:
            return  # without a log a group is written by whoever leads it, under the lock
        before = bytes_written()
        with nogil:
            written = self.write_checkpoint()
            self.enter()
            self.thaw(written)
            self.leave()
        self.check()
        self.written_bytes += bytes_written() - before

    def tend(self, double flush_s, double checkpoint_s):
        """Keep house until the store is closed, for a thread of its own: flush what was handed
        out after `flush_s` seconds, take checkpoints when due or after `checkpoint_s`."""
        cdef timespec until
        cdef bint wanted
        cdef double idle = 0
        while not self.stopping and not self.broken:
            with nogil:
                pthread_mutex_lock(&self.lock)
                if not self.stopping and not self.checkpoint_due():
                    clock_gettime(CLOCK_REALTIME, &until)
                    until.tv_nsec += <long>(flush_s * 1e9)
                    until.tv_sec += until.tv_nsec // 1000000000
                    until.tv_nsec %= 1000000000
                    pthread_cond_timedwait(&self.wanted, &self.lock, &until)
                wanted = self.checkpoint_due()
                pthread_mutex_unlock(&self.lock)
            idle += flush_s
            if self.stopping or self.broken:
                return
            try:
                if wanted or (idle >= checkpoint_s and self.last > self.checkpointed):
                    idle = 0
                    self.checkpoint()
                else:
                    self.flush()
            except StorageError:
                return  # whoever calls next is told

    def make_segments(self, double every_s):
        """Make segments of the log ahead until the store is closed, for a thread of its own."""
        cdef timespec until
        if self.log is None:
            return
        with nogil:
            while not self.stopping and not self.broken:
                if self.log.wanting():
                    self.log.prepare()
                    continue
                pthread_mutex_lock(&self.lock)
                if not self.stopping:
                    clock_gettime(CLOCK_REALTIME, &until)
                    until.tv_nsec += <long>(every_s * 1e9)
                    until.tv_sec += until.tv_nsec // 1000000000
                    until.tv_nsec %= 1000000000
                    pthread_cond_timedwait(&self.wanted, &self.lock, &until)
                pthread_mutex_unlock(&self.lock)

    def stop(self):
        """Ask the threads to end."""
        self.stopping = True
        with nogil:
            pthread_mutex_lock(&self.arriving)
            pthread_cond_broadcast(&self.arrived)
            pthread_mutex_unlock(&self.arriving)
            pthread_mutex_lock(&self.lock)
            pthread_cond_broadcast(&self.wanted)
            pthread_cond_broadcast(&self.thawed)
            pthread_mutex_unlock(&self.lock)

    def shut(self, bint clean):
        """Close log and base; with a last checkpoint when `clean`.  Idempotent; stop first."""
        if self.closed:
            return
        try:
            if clean and not self.broken:
                self.checkpoint()
        except StorageError:
            pass  # what was answered is in the log: the next opening reads it from there
        with nogil:
            pthread_mutex_lock(&self.lock)
        try:  # whoever waits for the lock finds everything shut, and touches none of it
            self.closed = True
            if self.log is not None:
                if self.broken:
                    self.log.drop()  # else a record that can't be applied is found for ever
                self.log.close()
            self.state.base.close()
        finally:
            pthread_mutex_unlock(&self.lock)


def bytes_written():
    """Return what this thread ever handed to write calls; 0 where the system does not tell."""
    try:
        with open("/proc/thread-self/io", "rb") as file:
            return int(file.read().split(b"wchar: ")[1].split()[0])
    except (OSError, IndexError, ValueError):
        return 0


def place_of(Base base not None):
    """Return (sequence, spot, epoch) of a base's checkpoint; zeros for an empty one."""
    found = dict(base.items(META)).get(b"place")
    if found is None or len(found) != 28:
        return 0, (0, 0, 0), 0
    return (
        int.from_bytes(found[:8], "big"),
        tuple(int.from_bytes(found[i:i + 4], "big") for i in (8, 12, 16)),
        int.from_bytes(found[20:28], "big"),
    )


cdef object refusal_of(int outcome):
    """Return the error of a ticket that was refused before anything was done, or None."""
    if outcome == BUSY:
        return OverloadedError("store.nearly_full", retry_after_s=DISK_RETRY_S)
    if outcome == CROWDED:
        return OverloadedError("store.checkpoint_behind", retry_after_s=RETRY_AFTER_S)
    return None


cdef list handed_out(Walk *found):
    """Return what a walk hands out, without what it found to be over."""
    cdef list handed = []
    cdef uint32_t i
    cdef Move *move
    cdef Spot *spot
    for i in range(found.count):
        move = &found.moves[i]
        if move.state > LEASED:
            continue
        where = None
        if found.spots != NULL and found.spots[i].segment:
            spot = &found.spots[i]
            where = (spot.segment, spot.offset, spot.size)
        handed.append((
            move.document, move.entry, move.rank, move.lane, move.attempts, move.state, where
        ))
    return handed


cdef int one_record(Changes *changes, size_t count) except -1:
    """Raise when so many changes can't be one record."""
    changes.count = <uint32_t>count
    if count > MOVES_MAX or changes_bytes_max(changes) > RECORD_MAX:
        raise TooLargeError(
            "record.too_large", bytes=changes_bytes_max(changes), limit=RECORD_MAX
        )
    return 0


cdef bytes written_reasons(tuple reasons):
    """Return the reasons as records have them."""
    cdef list parts = []
    for reason in reasons:
        size = len(reason)
        head = bytearray()
        while size >= 0x80:
            head.append(size & 0x7F | 0x80)
            size >>= 7
        head.append(size)
        parts.append(bytes(head) + reason)
    return b"".join(parts)


cdef tuple apart(const uint8_t *record, size_t size):
    """Return (key, envelope, facts, instant) of an acceptance record."""
    cdef size_t at
    cdef size_t envelope, facts
    if size < ACC_FIXED:
        raise StorageError("store.corrupt", reason="a record is no document")
    envelope, facts = load32(record + ACC_ENVELOPE), load32(record + ACC_FACTS)
    if ACC_FIXED + envelope + facts > size:
        raise StorageError("store.corrupt", reason="a record is no document")
    at = size - envelope - facts
    return (
        PyBytes_FromStringAndSize(<const char *>record + ACC_KEY, 16),
        PyBytes_FromStringAndSize(<const char *>record + at, envelope),
        PyBytes_FromStringAndSize(<const char *>record + at + envelope, facts),
        <int64_t>load64(record + 8),
    )


def taken_apart(bytes record):
    """Return (key, envelope, facts, instant) of an acceptance record."""
    if record is None:
        raise StorageError("store.corrupt", reason="a log record is missing")
    return apart(<const uint8_t *>PyBytes_AS_STRING(record), PyBytes_GET_SIZE(record))
