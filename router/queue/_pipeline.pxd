# cython: language_level=3
"""The one way into the state: groups of callers, one flush for all of them."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from router.queue._bytes cimport Slice, Spot
from router.queue._intake cimport Answer
from router.queue._log cimport SegmentLog, Visitor
from router.queue._moves cimport Changes, Counters, Move
from router.queue._settle cimport Wish
from router.queue._state cimport State
from router.queue._walk cimport Positions


cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_cond_t:
        pass
    ctypedef struct pthread_condattr_t:
        pass
    int pthread_mutex_init(pthread_mutex_t *mutex, void *attributes)
    int pthread_mutex_lock(pthread_mutex_t *mutex)
    int pthread_mutex_unlock(pthread_mutex_t *mutex)
    int pthread_mutex_destroy(pthread_mutex_t *mutex)
    int pthread_condattr_init(pthread_condattr_t *attributes)
    int pthread_condattr_setclock(pthread_condattr_t *attributes, int clock)
    int pthread_condattr_destroy(pthread_condattr_t *attributes)
    int pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes)
    int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
    int pthread_cond_timedwait(
        pthread_cond_t *condition, pthread_mutex_t *mutex, const timespec *until
    )
    int pthread_cond_signal(pthread_cond_t *condition)
    int pthread_cond_broadcast(pthread_cond_t *condition)
    int pthread_cond_destroy(pthread_cond_t *condition)


cdef enum:  # what became of a ticket
    IN_LINE = 0
    DONE = 1
    BROKEN = 2     # nothing of it may be counted on
    BUSY = 3       # refused before anything was done: the disk is nearly full
    CROWDED = 4    # likewise: memory waits for a checkpoint that does not come to its end
    OVERTAKEN = 5  # likewise: what is to be handed out anew is not dead any more


ctypedef struct Ticket:  # one caller's wishes in a group
    Ticket *behind
    int outcome
    bint documents     # refused while the disk is nearly full
    bint anew          # joinings: refused, all of them, unless what they take over is dead
    bint queued        # nobody waits: its answer is fetched later
    uint64_t number    # of a queued one
    # Records: acceptances are judged, others are taken as they are.
    const Slice *records
    Answer *answers    # one each
    size_t count
    size_t bytes
    # Or what a recipient wants of its deliveries.
    Changes *changes
    Wish *wishes
    Positions *positions
    size_t wish_count


cdef inline timespec seconds_on(double seconds) noexcept nogil:
    """The instant so many seconds from now, on a clock that nobody sets."""
    cdef timespec until
    clock_gettime(CLOCK_MONOTONIC, &until)
    until.tv_sec += <long>seconds
    until.tv_nsec += <long>((seconds - <long>seconds) * 1e9)
    until.tv_sec += until.tv_nsec // 1000000000
    until.tv_nsec %= 1000000000
    return until


cdef class Pipeline:
    cdef State state
    cdef SegmentLog log          # None: records are kept in a table
    cdef Counters counters
    cdef Spot last_spot
    cdef readonly uint64_t last          # highest sequence given
    cdef readonly uint64_t durable       # highest sequence on the disk
    cdef readonly uint64_t checkpointed  # highest sequence in the base
    cdef readonly uint64_t epoch
    cdef readonly uint64_t stored_bytes  # of all records since the start
    cdef uint64_t checkpoint_bytes
    cdef uint64_t frozen_last
    cdef readonly uint64_t written_bytes  # by checkpoints
    cdef readonly size_t flushes
    cdef readonly size_t checkpoints
    cdef public size_t overlay_bytes_max
    cdef public double overlay_wait_s    # how long writers wait for room before they are refused
    cdef public size_t line_bytes_max    # of all tickets in line together
    cdef public size_t checkpoint_overlay_bytes
    cdef public uint64_t checkpoint_log_bytes
    cdef public uint64_t in_flight_max   # of one sender; 0: no bound
    cdef public uint32_t pending_max     # written to one address by name and open; 0: no bound
    cdef public uint32_t leases_max      # of one address; 0: no bound
    cdef public bint refusing            # the disk is nearly full: documents are refused
    cdef bint crowded                    # writers waited that long: the next are not let wait
    cdef bint dirty                      # something is applied, not flushed
    cdef bint broken
    cdef bint closed
    cdef bint stopping
    cdef bint writing                    # a checkpoint is being written, beside the lock
    cdef pthread_mutex_t lock            # guards everything above
    cdef pthread_mutex_t arriving        # guards the line of tickets
    cdef pthread_cond_t arrived          # under `arriving`: somebody queued
    cdef pthread_cond_t thawed           # under `lock`: a checkpoint ended
    cdef pthread_cond_t wanted           # under `lock`: a checkpoint or a segment is wanted
    cdef Ticket *first
    cdef Ticket *newest
    cdef Ticket *completed_first
    cdef Ticket *completed_newest
    cdef size_t in_line
    cdef size_t line_bytes
    cdef int signal_file
    cdef Move *replay_moves

    cdef void make_locks(self) noexcept nogil
    cdef void enter(self) noexcept nogil
    cdef void leave(self) noexcept nogil
    cdef void give_up(self) noexcept nogil
    cdef void run(self, Ticket *ticket) noexcept nogil
    cdef void lead(self) noexcept nogil
    cdef void queue_up(self, Ticket *ticket) noexcept nogil
    cdef void note_completed(self, Ticket *ticket) noexcept nogil
    cdef Ticket *take_line(self) noexcept nogil
    cdef void serve(self, Ticket *ticket) noexcept nogil
    cdef void serve_records(self, Ticket *ticket) noexcept nogil
    cdef void serve_wishes(self, Ticket *ticket) noexcept nogil
    cdef int append(self, const Slice *parts, int count, uint64_t *sequence) noexcept nogil
    cdef int append_changes(self, Changes *changes) noexcept nogil
    cdef int apply(self, const uint8_t *record, size_t size, uint64_t sequence) noexcept nogil
    cdef void keep_spot(self, const uint8_t *record, uint64_t sequence, Spot spot) noexcept nogil
    cdef int conclude(self) noexcept nogil
    cdef void finish(self, Ticket *line) noexcept nogil
    cdef int freeze(self) noexcept nogil
    cdef int thaw(self, int written) noexcept nogil
    cdef size_t overlay_bytes_due(self) noexcept nogil
    cdef void keep_meta(self) noexcept nogil
    cdef bint checkpoint_due(self) noexcept nogil
    cdef void wait_for_room(self) noexcept nogil
    cdef void answer_all(self) noexcept nogil
    cdef bint swamped(self) noexcept nogil
    cdef int write_checkpoint(self) noexcept nogil
