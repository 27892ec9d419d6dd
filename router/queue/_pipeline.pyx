# cython: language_level=3
"""The one way into the state: groups of callers, one flush for all of them.

A caller lines up with a ticket, then takes the lock.  Who gets it first leads: every ticket in
line is judged, written to the log and applied; one flush follows; then all are answered.  The
lock is held from the first judgement to the flush, so nothing unflushed is ever read, and no
thread waits for a timer.  Nothing here needs the interpreter's lock.

A failed write, flush or reading breaks the pipeline: it refuses everything from then on.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset
from posix.time cimport CLOCK_MONOTONIC, timespec

from router.queue._bytes cimport FAILED, FOUND, Slice, Spot, store32, store64
from router.queue._crc cimport crc32c
from router.queue._entries cimport apply_entry, apply_feed, apply_join, apply_room, overtaken
from router.queue._intake cimport (
    NEW, NO_RECORD, TOGETHER, Answer, apply_acceptance, fetch_records, is_acceptance, judge,
)
from router.queue._layout cimport (
    ACC_FIXED, ACC_KEY, KIND_ACCEPTANCE, KIND_CHANGES, KIND_ENTRY, KIND_FEED, KIND_JOIN, KIND_ROOM,
    META, RECORDS, SPOTS,
)
from router.queue._changes cimport changes_bytes_max, read_changes, write_changes
from router.queue._moves cimport COUNTER_BYTES, MOVES_MAX, Changes, Counters, Move, apply_changes
from router.queue._settle cimport Wish, find_documents, grant

from router.limits import (
    CHECKPOINT_OVERLAY_BYTES_LEAST, GROUP_BYTES_MAX, LINE_BYTES_MAX, OVERLAY_WAIT_S,
    RECORD_BYTES_MAX,
)

__all__ = ["Pipeline"]

cdef enum:
    SPOT_EVERY = 16     # of records that are no documents, every so many have a spot
    SPOT_BYTES = 12
    BASE_SHARE = 16     # of the base may be in the overlay before a checkpoint
    RECORD_HEAD = 12    # of a record kept in a table: epoch, checksum

cdef size_t GROUP_MAX = GROUP_BYTES_MAX
cdef size_t CHECKPOINT_LEAST = CHECKPOINT_OVERLAY_BYTES_LEAST
cdef size_t RECORD_MAX = RECORD_BYTES_MAX
cdef const char *META_COUNTERS = b"counters"
cdef const char *META_PLACE = b"place"

cdef extern from "<unistd.h>" nogil:
    ssize_t write(int file, const void *data, size_t count)


cdef class Pipeline:
    """Log, state and the line of callers of one store."""

    def __cinit__(self, *arguments, **named):
        memset(&self.counters, 0, sizeof(Counters))
        memset(&self.last_spot, 0, sizeof(Spot))
        self.signal_file = -1
        self.overlay_bytes_max = <size_t>512 << 20
        self.overlay_wait_s = OVERLAY_WAIT_S
        self.line_bytes_max = LINE_BYTES_MAX
        self.checkpoint_overlay_bytes = <size_t>128 << 20
        self.checkpoint_log_bytes = <uint64_t>512 << 20
        self.replay_moves = <Move *>malloc(MOVES_MAX * sizeof(Move))
        if self.replay_moves == NULL:
            raise MemoryError
        self.make_locks()

    def __dealloc__(self):
        free(self.replay_moves)
        pthread_mutex_destroy(&self.lock)
        pthread_mutex_destroy(&self.arriving)
        pthread_cond_destroy(&self.arrived)
        pthread_cond_destroy(&self.thawed)
        pthread_cond_destroy(&self.wanted)

    cdef void make_locks(self) noexcept nogil:
        """Make locks and conditions, free; waits are counted by a clock that nobody sets."""
        cdef pthread_condattr_t steady
        pthread_condattr_init(&steady)
        pthread_condattr_setclock(&steady, CLOCK_MONOTONIC)
        pthread_mutex_init(&self.lock, NULL)
        pthread_mutex_init(&self.arriving, NULL)
        pthread_cond_init(&self.arrived, NULL)
        pthread_cond_init(&self.thawed, &steady)
        pthread_cond_init(&self.wanted, &steady)
        pthread_condattr_destroy(&steady)

    def disown(self):
        """Refuse everything from now on: this process was forked, and the store is its parent's.

        Whatever thread held a lock at the fork is not here to give it back: all are made anew.
        """
        self.stopping = self.closed = True
        self.signal_file = -1
        self.make_locks()

    # Callers.

    cdef void enter(self) noexcept nogil:
        """Take the lock and begin a reading."""
        pthread_mutex_lock(&self.lock)
        self.state.begin()

    cdef void leave(self) noexcept nogil:
        """End the reading; note whether it failed; release the lock."""
        self.state.end()
        if self.state.failed:
            self.give_up()
        pthread_mutex_unlock(&self.lock)

    cdef void give_up(self) noexcept nogil:
        """Refuse everything from now on.  What fails because all is closed is no failure."""
        if not self.closed:
            self.broken = True

    cdef void queue_up(self, Ticket *ticket) noexcept nogil:
        """Put a ticket at the end of the line."""
        ticket.behind = NULL
        ticket.outcome = IN_LINE
        pthread_mutex_lock(&self.arriving)
        if ticket.queued and self.closed:  # nobody comes to serve it any more
            ticket.outcome = BROKEN
            self.note_completed(ticket)
            pthread_mutex_unlock(&self.arriving)
            return
        if self.first == NULL:
            self.first = ticket
        else:
            self.newest.behind = ticket
        self.newest = ticket
        self.in_line += 1
        self.line_bytes += ticket.bytes
        if ticket.queued:
            pthread_cond_signal(&self.arrived)
        pthread_mutex_unlock(&self.arriving)

    cdef void note_completed(self, Ticket *ticket) noexcept nogil:
        """Keep a queued ticket's answer until it is fetched.  Under `arriving`."""
        ticket.behind = NULL
        if self.completed_first == NULL:
            self.completed_first = ticket
        else:
            self.completed_newest.behind = ticket
        self.completed_newest = ticket

    cdef void run(self, Ticket *ticket) noexcept nogil:
        """Have a ticket served; on return it is answered, and what it changed is durable."""
        ticket.queued = False
        self.queue_up(ticket)
        pthread_mutex_lock(&self.lock)
        while ticket.outcome == IN_LINE:
            self.lead()
        pthread_mutex_unlock(&self.lock)

    cdef Ticket *take_line(self) noexcept nogil:
        """Take the line's front, as much as one group may hold."""
        cdef Ticket *line
        cdef Ticket *end
        cdef size_t bytes
        pthread_mutex_lock(&self.arriving)
        line = self.first
        if line != NULL:
            end = line
            bytes = line.bytes
            self.in_line -= 1
            self.line_bytes -= end.bytes
            while end.behind != NULL and bytes + end.behind.bytes <= GROUP_MAX:
                end = end.behind
                bytes += end.bytes
                self.in_line -= 1
                self.line_bytes -= end.bytes
            self.first = end.behind
            end.behind = NULL
        pthread_mutex_unlock(&self.arriving)
        return line

    cdef void lead(self) noexcept nogil:
        """Serve the line's front as one group.  The lock is held, and held again after."""
        cdef Ticket *line
        cdef Ticket *ticket
        self.wait_for_room()
        line = self.take_line()
        if line == NULL:
            return
        self.state.begin()
        if self.state.failed:  # nothing may be judged, let alone written
            self.give_up()
        ticket = line
        while ticket != NULL:
            self.serve(ticket)
            ticket = ticket.behind
        if self.conclude() == FAILED:
            self.give_up()
        self.state.end()
        self.finish(line)
        if self.checkpoint_due() or (self.log is not None and self.log.wanting()):
            pthread_cond_broadcast(&self.wanted)

    cdef void wait_for_room(self) noexcept nogil:
        """Let a checkpoint that is on its way end before memory grows past its bound.

        Who waited in vain for `overlay_wait_s` waits no more, and neither does anybody after:
        documents are refused until it has ended.
        """
        cdef timespec until
        if not self.state.freezing or self.state.bytes() <= self.overlay_bytes_max:
            return
        self.state.base.hurry = True
        until = seconds_on(self.overlay_wait_s)
        while self.state.freezing and not (self.broken or self.closed or self.crowded):
            if pthread_cond_timedwait(&self.thawed, &self.lock, &until):
                self.crowded = self.state.freezing

    cdef void answer_all(self) noexcept nogil:
        """Answer all who are in line, and those who queued and left.  The lock is held."""
        cdef bint left = True
        while left:
            self.lead()
            pthread_mutex_lock(&self.arriving)
            left = self.first != NULL
            pthread_mutex_unlock(&self.arriving)

    cdef bint swamped(self) noexcept nogil:
        """Say whether not even what recipients want may take more memory."""
        return self.crowded and self.state.bytes() > (
            self.overlay_bytes_max + self.overlay_bytes_max // 4
        )

    cdef void finish(self, Ticket *line) noexcept nogil:
        """Answer a group."""
        cdef Ticket *ticket = line
        cdef Ticket *behind
        cdef uint64_t one = 1
        cdef bint signalled = False
        while ticket != NULL:
            behind = ticket.behind
            if (self.broken or self.closed) and ticket.outcome < BUSY:
                ticket.outcome = BROKEN
            elif ticket.outcome == IN_LINE:
                ticket.outcome = DONE
            if ticket.queued:
                pthread_mutex_lock(&self.arriving)
                self.note_completed(ticket)
                pthread_mutex_unlock(&self.arriving)
                signalled = True
            ticket = behind
        if signalled and self.signal_file >= 0:
            write(self.signal_file, &one, 8)

    # Serving.

    cdef void serve(self, Ticket *ticket) noexcept nogil:
        """Judge and apply one ticket."""
        if self.broken or self.closed:
            ticket.outcome = BROKEN
        elif self.crowded and (ticket.documents or self.swamped()):
            ticket.outcome = CROWDED
        elif ticket.wishes != NULL:
            self.serve_wishes(ticket)
        elif self.refusing and ticket.documents:
            ticket.outcome = BUSY
        elif ticket.anew and overtaken(self.state, ticket.records, ticket.count):
            ticket.outcome = OVERTAKEN
        else:
            self.serve_records(ticket)

    cdef void serve_records(self, Ticket *ticket) noexcept nogil:
        """Append records: documents that are new, and what comes without a judgement."""
        cdef size_t i
        cdef const Slice *record
        cdef Answer *answer
        for i in range(ticket.count):
            if i % TOGETHER == 0:
                fetch_records(self.state, ticket.records, i, ticket.count)
            record = &ticket.records[i]
            answer = &ticket.answers[i]
            answer.kind, answer.sequence, answer.twin = NEW, 0, 0
            if record.size and record.data[0] == KIND_ACCEPTANCE:
                if not is_acceptance(record.data, record.size):
                    answer.kind = NO_RECORD
                    continue
                judge(
                    self.state, record.data, self.in_flight_max, self.pending_max, answer
                )
                if self.state.failed:  # whether it is new is not known
                    self.give_up()
                    return
                if answer.kind != NEW:
                    continue
            if self.append(record, 1, &answer.sequence) == FAILED:
                self.give_up()
                return
            if record.data[0] == KIND_ACCEPTANCE:
                if apply_acceptance(
                    self.state, &self.counters, record.data, record.size, answer.sequence,
                    &answer.twin,
                ) == FAILED:
                    self.give_up()
                    return
            elif self.apply(record.data, record.size, answer.sequence) == FAILED:
                self.give_up()
                return

    cdef void serve_wishes(self, Ticket *ticket) noexcept nogil:
        """Do what a recipient wants of its deliveries, all in one record."""
        cdef size_t i
        cdef Wish *wish
        cdef Changes *changes = ticket.changes
        changes.count = 0
        find_documents(self.state, ticket.wishes, ticket.wish_count)
        for i in range(ticket.wish_count):
            wish = &ticket.wishes[i]
            if grant(
                self.state, ticket.positions, changes.address, changes.at, wish,
                &changes.moves[changes.count],
            ):
                changes.count += 1
        if ticket.positions.unknown_count or not changes.count:
            return
        if self.append_changes(changes) == FAILED:
            self.give_up()

    cdef int append_changes(self, Changes *changes) noexcept nogil:
        """Write a record of changes and apply it."""
        cdef uint8_t *into = self.state.room(changes_bytes_max(changes))
        cdef Slice record
        cdef uint64_t sequence
        if into == NULL:
            return FAILED
        record.data = into
        record.size = write_changes(changes, into)
        if record.size > RECORD_MAX or self.append(&record, 1, &sequence) == FAILED:
            return FAILED
        return apply_changes(self.state, &self.counters, changes, sequence)

    cdef int append(self, const Slice *parts, int count, uint64_t *sequence) noexcept nogil:
        """Write one record to the log: not flushed, not applied."""
        cdef Spot spot
        cdef uint8_t[8] key
        cdef uint8_t[RECORD_HEAD + 8] head
        self.dirty = True
        if self.log is not None:
            if self.log.add(parts, count, sequence, &spot) == FAILED:
                return FAILED
            self.last = sequence[0]
            self.last_spot = spot
            self.stored_bytes += spot.size
            self.keep_spot(parts[0].data, sequence[0], spot)
            return FOUND
        self.last += 1
        sequence[0] = self.last
        self.stored_bytes += parts[0].size
        store64(key, self.last)
        store64(head, self.epoch)
        store64(head + RECORD_HEAD, self.last)
        store32(head + 8, crc32c(
            crc32c(crc32c(0, head, 8), key, 8), parts[0].data, parts[0].size
        ))
        self.state.put_joined(
            RECORDS, key, 8, head, RECORD_HEAD, parts[0].data, parts[0].size
        )
        return FAILED if self.state.failed else FOUND

    cdef void keep_spot(self, const uint8_t *record, uint64_t sequence, Spot spot) noexcept nogil:
        """Remember where a record lies: of documents always, of others now and then."""
        cdef uint8_t[8] key
        cdef uint8_t[SPOT_BYTES] value
        if record[0] == KIND_CHANGES and sequence % SPOT_EVERY:
            return
        store64(key, sequence)
        store32(value, spot.segment)
        store32(value + 4, spot.offset)
        store32(value + 8, spot.size)
        self.state.put(SPOTS, key, 8, value, SPOT_BYTES)
        if record[0] == KIND_ACCEPTANCE and spot.size >= ACC_FIXED:  # else it is none, told later
            self.state.warm.keep_spot(sequence, record + ACC_KEY, spot)

    cdef int apply(self, const uint8_t *record, size_t size, uint64_t sequence) noexcept nogil:
        """Change the state as a record says, whatever its kind: FOUND or FAILED."""
        cdef Changes changes
        cdef uint64_t twin
        if size < 2:
            return FAILED
        if record[0] == KIND_ACCEPTANCE:
            return apply_acceptance(self.state, &self.counters, record, size, sequence, &twin)
        if record[0] == KIND_CHANGES:
            if read_changes(record, size, &changes, self.replay_moves, MOVES_MAX) == FAILED:
                return FAILED
            return apply_changes(self.state, &self.counters, &changes, sequence)
        if record[0] == KIND_ROOM:
            return apply_room(self.state, &self.counters, record, size, sequence)
        if record[0] == KIND_JOIN:
            return apply_join(self.state, &self.counters, record, size, sequence)
        if record[0] == KIND_ENTRY:
            return apply_entry(self.state, &self.counters, record, size, sequence)
        if record[0] == KIND_FEED:
            return apply_feed(self.state, record, size, sequence)
        return FAILED

    cdef int conclude(self) noexcept nogil:
        """Make all that was applied durable."""
        if self.broken or self.state.failed:
            return FAILED
        if not self.dirty:
            return FOUND
        self.flushes += 1
        if self.log is not None:
            if self.log.flush() == FAILED:
                return FAILED
            self.state.base.beside += 1
            self.state.base.hurry = self.state.freezing and (
                self.state.bytes() > self.overlay_bytes_max // 4 * 3
            )
        elif self.freeze() == FAILED or self.thaw(self.write_checkpoint()) == FAILED:
            return FAILED
        self.dirty = False
        self.durable = self.last
        return FOUND

    # Checkpoints.

    cdef bint checkpoint_due(self) noexcept nogil:
        """Say whether so much changed that a checkpoint should begin."""
        if self.log is None or self.state.freezing or self.broken:
            return False
        return (
            self.state.bytes() > self.overlay_bytes_due()
            or self.stored_bytes - self.checkpoint_bytes > self.checkpoint_log_bytes
        )

    cdef size_t overlay_bytes_due(self) noexcept nogil:
        """How much the overlay may hold before a checkpoint.

        Small ones keep nobody waiting; into a large base many changes go together, since
        each rewrites the pages that it touches.
        """
        cdef size_t due = self.state.base.size // BASE_SHARE
        return min(max(due, CHECKPOINT_LEAST), self.checkpoint_overlay_bytes)

    cdef void keep_meta(self) noexcept nogil:
        """Write down what belongs to the state and is kept in memory."""
        cdef uint8_t[28] place
        cdef uint8_t[COUNTER_BYTES] counters
        cdef const int64_t *values = <const int64_t *>&self.counters
        cdef size_t i
        for i in range(COUNTER_BYTES // 8):
            store64(counters + 8 * i, <uint64_t>values[i])
        store64(place, self.last)
        store32(place + 8, self.last_spot.segment)
        store32(place + 12, self.last_spot.offset)
        store32(place + 16, self.last_spot.size)
        store64(place + 20, self.epoch)
        self.state.put(
            META, <const uint8_t *>META_COUNTERS, 8, counters, COUNTER_BYTES
        )
        self.state.put(META, <const uint8_t *>META_PLACE, 5, place, 28)
        self.state.keep_pending()

    cdef int freeze(self) noexcept nogil:
        """Begin a checkpoint of all that is flushed: FAILED when one is under way."""
        if self.state.freezing:
            return FAILED
        self.keep_meta()
        self.checkpoint_bytes = self.stored_bytes
        self.frozen_last = self.last
        return FAILED if self.state.failed else self.state.freeze()

    cdef int write_checkpoint(self) noexcept nogil:
        """Write what is frozen into the base, unless another owner has opened the directory:
        the base is theirs then, and what is frozen here is in the log that they replay."""
        if self.log is not None and self.log.sound() == FAILED:
            return FAILED
        if self.state.write_frozen() == FAILED:
            if self.log is not None:
                self.log.sound()  # it was claimed meanwhile: that is the reason to be told
            return FAILED
        return FOUND

    cdef int thaw(self, int written) noexcept nogil:
        """End a checkpoint: the base has it, or the pipeline is broken."""
        if written == FAILED:
            self.give_up()
            pthread_cond_broadcast(&self.thawed)
            return FAILED
        self.state.thaw()
        self.crowded = False
        self.checkpoints += 1
        self.checkpointed = self.frozen_last
        pthread_cond_broadcast(&self.thawed)
        return FOUND
