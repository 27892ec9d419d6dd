# cython: language_level=3
"""The store as its callers have it: opened, kept, checkpointed, shut.

Made by the three durability ports (`log_store.py`, `group_store.py`, `memory_store.py`), which
hand in a base and, all but one, a log.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free
from posix.time cimport timespec

from router.queue._base cimport Base
from router.queue._bytes cimport FAILED, FOUND, Spot, load64
from router.queue._handing cimport Handing
from router.queue._layout cimport IDS, META
from router.queue._log cimport SegmentLog, Visitor
from router.queue._moves cimport Counters
from router.queue._pipeline cimport (
    OVERTAKEN, Ticket, pthread_cond_broadcast, pthread_cond_timedwait, pthread_cond_wait,
    pthread_mutex_lock, pthread_mutex_unlock, seconds_on,
)
from router.queue._state cimport State

from router.errors import StorageError

__all__ = ["Store", "place_of"]


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


cdef class Store(Handing):
    """One data directory's store.  Thread-safe.

    `place` is what `place_of(base)` says; `log` is None where records are kept in a table.
    """

    def __init__(self, Base base not None, SegmentLog log, place, *, uint64_t epoch=0):
        cdef Replay replay
        cdef int done
        self.state = State(base)
        self.log = log
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

    def years_with_ids(self):
        """Return the calendar years that document ids are known of, ascending."""
        return [year for year in range(65536) if self.state.any_names(IDS, year)]

    # What was read before is looked at again.

    def append_joinings(self, list records not None):
        """Store joinings that hand dead deliveries out anew, all in one group; say whether.

        False, and nothing is stored, when one of the deliveries is not dead any more: whoever
        read that it is has to read again.  Each stands in one of the records only.  Flushed on
        return.  Raises StorageError, ClosedError, and OverloadedError as `take`.
        """
        cdef Ticket *ticket
        self.check()
        ticket = self.ticket_of(records, False)
        try:
            ticket.anew = True
            self.admit(ticket)
            with nogil:
                self.run(ticket)
            self.raise_outcome(ticket.outcome)
            return ticket.outcome != OVERTAKEN
        finally:
            free(ticket)

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

    def copy_base(self, path, tell=None):
        """Write the state as of the last checkpoint as `path`/data.mdb; readers and writers go on.

        No checkpoint is written meanwhile, so the file stands still, and no reading has to keep
        its pages; what changes stays in memory.  When that fills up, and where there is no log
        (each group changes the file there), LMDB copies it in one long reading instead.
        `tell` is called now and then with the bytes copied.  Raises StorageError, ClosedError.
        """
        self.check()
        if self.log is not None:
            self.begin_checkpoint()
            try:
                if self.state.base.copy_still_to(path, tell, self.has_room):
                    return
            finally:
                self.end_checkpoint()
        self.state.base.copy_to(path)

    def has_room(self):
        """Say whether changes take less than half of the memory they may."""
        return self.state.bytes() < self.overlay_bytes_max // 2

    def begin_checkpoint(self):
        """Freeze the state as of now, flushed, for `end_checkpoint` to write.

        Waits for a checkpoint that another thread has begun.  Raises StorageError.
        """
        cdef int begun
        self.check()
        with nogil:
            self.enter()
            while self.state.freezing and not (self.broken or self.closed):
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
            pthread_mutex_lock(&self.lock)
            self.writing = not self.closed  # from here on `shut` waits: the base stays open
            pthread_mutex_unlock(&self.lock)
            written = self.write_checkpoint() if self.writing else FAILED
            self.enter()
            self.writing = False
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
                    until = seconds_on(flush_s)
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
                if self.log.wanting() and self.log.prepare() == FOUND:
                    continue
                pthread_mutex_lock(&self.lock)
                if not self.stopping:
                    until = seconds_on(every_s)
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
        """Close log and base; with a last checkpoint when `clean`.  Idempotent; stop first.

        Waits for a checkpoint that another thread is writing.  Whoever is still in line is
        answered that nothing of it may be counted on; `completed` tells who queued and left.
        """
        if self.closed:
            return
        try:
            if clean and not self.broken:
                self.checkpoint()
        except StorageError:
            pass  # what was answered is in the log: the next opening reads it from there
        with nogil:
            pthread_mutex_lock(&self.lock)
            while self.writing:
                pthread_cond_wait(&self.thawed, &self.lock)
        try:  # whoever waits for the lock finds everything shut, and touches none of it
            self.closed = True
            if self.log is not None:
                if self.broken:
                    self.log.drop()  # else a record that can't be applied is found for ever
                self.log.close()
            self.state.base.close()
            with nogil:
                self.answer_all()
                pthread_cond_broadcast(&self.thawed)
            self.signal_file = -1  # its number may be another file's soon
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
