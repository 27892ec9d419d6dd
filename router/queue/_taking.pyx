# cython: language_level=3
"""Callers' wishes on their way into the pipeline: documents in, deliveries settled.

A call makes a ticket, has it served without the interpreter's lock, and turns what became of
it into Python.  Queued tickets are served by a writer thread; their answers are fetched later.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memset

from router.queue._bytes cimport Slice
from router.queue._changes cimport changes_bytes_max
from router.queue._intake cimport Answer
from router.queue._moves cimport MOVES_MAX, Changes, Move
from router.queue._pipeline cimport (
    BROKEN, BUSY, CROWDED, Ticket, pthread_cond_wait, pthread_mutex_lock, pthread_mutex_unlock,
)
from router.queue._readings cimport Places, Readings
from router.queue._settle cimport Wish

from router.errors import OverloadedError, TooLargeError
from router.limits import DISK_RETRY_S, RECORD_BYTES_MAX, RETRY_AFTER_S

__all__ = ["Taking"]

cdef size_t RECORD_MAX = RECORD_BYTES_MAX


cdef class Taking(Readings):
    """What callers want changed, of one store."""

    def __cinit__(self, *arguments, **named):
        self.waiting = {}

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

    def settle(
        self, uint32_t address, uint32_t unit, int64_t at, bytes actor not None, list wishes,
        Places places not None, tuple reasons=(), *, int64_t until=0,
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
            if until and until < at:
                changes.until = at  # a record has no span below zero
            changes.reason_count = <uint32_t>len(reasons)
            ticket.changes, ticket.wishes, ticket.wish_count = &changes, asked, count
            self.have_settled(&ticket, actor, written, places)
            if places.positions.unknown_count:
                return places.unknown()
            return tuple([
                (bool(asked[i].found), asked[i].now, bool(asked[i].repeated))
                for i in range(count)
            ])
        finally:
            free(asked)
            free(changes.moves)

    cdef int have_settled(
        self, Ticket *ticket, bytes actor, bytes reasons, Places places
    ) except -1:
        """Have the wishes of a ticket served, all in one record; raise when they are not."""
        cdef Changes *changes = ticket.changes
        changes.actor = <const uint8_t *>PyBytes_AS_STRING(actor)
        changes.actor_size = <uint32_t>PyBytes_GET_SIZE(actor)
        changes.reasons = <const uint8_t *>PyBytes_AS_STRING(reasons)
        changes.reasons_size = <uint32_t>PyBytes_GET_SIZE(reasons)
        one_record(changes, ticket.wish_count)
        ticket.positions = &places.positions
        ticket.bytes = 64 * ticket.wish_count
        with nogil:
            self.run(ticket)
        return self.raise_outcome(ticket.outcome)

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
            changes.reason_count = 1 if reason else 0
            ticket.changes, ticket.wishes, ticket.wish_count = &changes, asked, count
            self.have_settled(&ticket, actor, written, places)
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


cdef object refusal_of(int outcome):
    """Return the error of a ticket that was refused before anything was done, or None."""
    if outcome == BUSY:
        return OverloadedError("store.nearly_full", retry_after_s=DISK_RETRY_S)
    if outcome == CROWDED:
        return OverloadedError("store.checkpoint_behind", retry_after_s=RETRY_AFTER_S)
    return None


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
