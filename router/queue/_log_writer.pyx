# cython: language_level=3
"""The writer of the log: frames, groups, and one segment after the other.

After a failed write or flush nobody knows what the disk holds: the writer is dead until the
log is opened again, and what was not answered may be there or not.
"""

from libc.errno cimport EEXIST, ENOENT, ENOMEM
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove, memset
cimport cython

from router.queue._bytes cimport ABSENT, FAILED, FOUND, Slice, Spot
from router.queue._disk cimport Disk
from router.queue._segments cimport (
    BROKEN, FENCED, FINE, FRAME_BYTES, HEADER_BYTES, NAME_BYTES, REFUSED, SHUT, Header,
    Segment, Segments, frame_bytes, name_of, seal_frame, seed_of, write_header,
)

from router.limits import LOG_BUFFER_BYTES_MAX, RECORD_BYTES_MAX

__all__ = ["LogWriter"]

cdef extern from "pthread.h" nogil:
    int pthread_mutex_init(pthread_mutex_t *mutex, void *attributes)
    int pthread_mutex_destroy(pthread_mutex_t *mutex)
    int pthread_mutex_lock(pthread_mutex_t *mutex)
    int pthread_mutex_unlock(pthread_mutex_t *mutex)

cdef enum:
    PACE_BYTES = 262144        # zeros written at once while a segment is made ahead
    UNPACED_BYTES = 4194304    # at most, when the writer has to make its next segment itself
    BUFFER_BYTES = 65536       # to begin with
    PAGE_BYTES = 4096          # of the page cache

cdef size_t RECORD_MAX = RECORD_BYTES_MAX
cdef size_t BUFFER_MAX = LOG_BUFFER_BYTES_MAX


cdef const char *AHEAD = b"ahead.new"
cdef const char *OPENING = b"opening.new"


@cython.no_gc  # in no cycle; its files are closed through the disk, which must be whole
cdef class LogWriter:
    """Writes the segments of one opening; `SegmentLog` is the log as a whole.

    One thread at a time adds, writes and flushes (the store's lock sees to it); another
    prepares the next segment meanwhile.
    """

    def __cinit__(self, Disk disk not None, Segments segments not None):
        self.disk = disk
        self.segments = segments
        self.file = -1
        pthread_mutex_init(&self.making, NULL)
        self.capacity = BUFFER_BYTES
        self.buffer = <uint8_t *>malloc(self.capacity)
        if self.buffer == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.file >= 0:
            self.disk.close(self.file)
        free(self.buffer)
        pthread_mutex_destroy(&self.making)

    cdef int make(
        self, const char *name, Header *header, uint64_t size, uint64_t step
    ) noexcept nogil:
        """Make a file of zeros, flushed, not yet named: the file or -errno.

        Its header is written when it has a number.  `step` is how much is written at once:
        the writer's flushes come in between.  One flush at the end: each would make the
        file system commit its journal.
        """
        cdef uint8_t page[HEADER_BYTES]
        cdef uint64_t at = 0
        cdef int64_t status = 0
        cdef int file = self.disk.open(name, True)
        if file == -EEXIST:
            status = self.disk.remove(name)
            file = self.disk.open(name, True) if status >= 0 else <int>status
        if file < 0:
            return file
        header.epoch = self.epoch
        header.salt = self.disk.salt()
        if header.segment:
            write_header(page, header)
            status = self.disk.write(file, page, HEADER_BYTES, 0)
        while status >= 0 and at < size:
            at = at + step if at + step < size else size
            status = self.disk.extend(file, at)
        if status >= 0:
            status = self.disk.flush(file)
        if status < 0:
            self.disk.close(file)
            self.disk.remove(name)
            return <int>status
        return file

    cdef int settle(self, const char *name, uint32_t number) noexcept nogil:
        """Give a made segment its name, durably."""
        cdef char new_name[NAME_BYTES]
        cdef int status
        name_of(number, new_name)
        status = self.disk.rename(name, new_name)
        return self.disk.flush_names() if status >= 0 else status

    cdef int go_to(self, const Header *header, int file, uint64_t first) noexcept nogil:
        """Write to this segment from now on."""
        cdef Segment segment
        if self.file >= 0:
            self.disk.close(self.file)
        self.file = file
        self.number = header.segment
        self.seed = seed_of(header)
        self.end = HEADER_BYTES
        self.kept = 0
        self.room = self.disk.size(file)
        segment.number = self.number
        segment.seed = self.seed
        segment.opening = header.first != 0
        segment.epoch = self.epoch
        segment.first = first
        segment.flushed = header.flushed
        segment.bytes = self.room
        return self.segments.append(&segment)

    cdef int roll(self) noexcept nogil:
        """Go to the next segment: the one made ahead, else a short one made now."""
        cdef char name[NAME_BYTES]
        cdef Header header
        cdef uint64_t size
        cdef int file
        cdef bint made = True
        if self.flush() == FAILED:
            return FAILED
        pthread_mutex_lock(&self.making)
        header = self.ready
        self.ready.segment = 0
        if header.segment == 0:
            self.numbers += 1
            header.segment = self.numbers
            made = False
        size = self.next_bytes
        self.next_bytes = 2 * size if 2 * size < self.bytes_max else self.bytes_max
        pthread_mutex_unlock(&self.making)
        if made:
            name_of(header.segment, name)
            file = self.disk.open(name, False)
        else:
            size = size if size < UNPACED_BYTES else UNPACED_BYTES
            header.first = header.flushed = 0
            file = self.make(OPENING, &header, size, size)
            if file >= 0:
                size = self.settle(OPENING, header.segment)
                if <int64_t>size < 0:
                    self.disk.close(file)
                    file = <int>size
        if file < 0:
            return self.blame(BROKEN, -file)
        if self.go_to(&header, file, self.last + 1) == FAILED:
            return self.blame(BROKEN, ENOMEM)
        return 0

    cdef bint wanting(self) noexcept nogil:
        """True when a quarter of the segment is used and no other is ready or being made.

        Only looks, so it may be a little old: `prepare` looks again.
        """
        if self.trouble.kind or self.shut or 4 * (self.end + self.filled) < self.room:
            return False
        return self.ready.segment == 0 and not self.busy

    cdef int prepare(self) noexcept nogil:
        """Make the next segment ahead, in small steps: FOUND; ABSENT (not wanted); -errno.

        A failure here kills nothing: the writer will try for itself.
        """
        cdef Header header
        cdef uint64_t size
        cdef int file
        cdef int status = ABSENT
        pthread_mutex_lock(&self.making)
        if self.wanting():
            self.busy = True
            status = FOUND
        size = self.next_bytes
        pthread_mutex_unlock(&self.making)
        if status == ABSENT:
            return ABSENT
        memset(&header, 0, sizeof(Header))
        file = self.make(AHEAD, &header, size, PACE_BYTES)
        pthread_mutex_lock(&self.making)
        status = self.number_ahead(file, &header) if file >= 0 else file
        if status == FOUND:
            self.ready = header
            self.ready_bytes = size
        self.busy = False
        pthread_mutex_unlock(&self.making)
        return status

    cdef int number_ahead(self, int file, Header *header) noexcept nogil:
        """Give a segment made ahead its number and name, durably: FOUND, ABSENT or -errno.

        Only now, with `making` held: segments are in the order of their sequences, and the
        writer may have made others for itself meanwhile.
        """
        cdef uint8_t page[HEADER_BYTES]
        cdef int64_t status = 0
        if self.shut:
            self.disk.close(file)
            self.disk.remove(AHEAD)
            return ABSENT
        self.numbers += 1
        header.segment = self.numbers
        write_header(page, header)
        status = self.disk.write(file, page, HEADER_BYTES, 0)
        if status >= 0:
            status = self.disk.flush(file)
        self.disk.close(file)
        if status >= 0:
            status = self.settle(AHEAD, header.segment)
        return FOUND if status >= 0 else <int>status

    cdef int blame(self, int kind, int error) noexcept nogil:
        """Remember why the log is dead."""
        if self.trouble.kind == FINE:
            self.trouble.kind = kind
            self.trouble.error = error
            self.trouble.segment = self.number
            self.trouble.offset = self.end
            self.trouble.sequence = self.last
        return FAILED

    cdef int sound(self) noexcept nogil:
        """0 while this is the owner and nothing has failed."""
        if self.trouble.kind:
            return FAILED
        if self.shut:
            return self.blame(SHUT, 0)
        if self.disk.claimed() != self.epoch:
            return self.blame(FENCED, 0)
        return 0

    cdef int frame(
        self, const Slice *parts, int count, size_t length, uint64_t sequence, uint64_t mark
    ) noexcept nogil:
        """Put one record at the end of the buffer, which may be written down for it."""
        cdef size_t need = frame_bytes(length), capacity = self.capacity
        cdef uint8_t *at
        cdef int i
        if self.filled + need > BUFFER_MAX and self.spill() == FAILED:
            return FAILED
        while self.kept + self.filled + need + PAGE_BYTES > capacity:
            capacity *= 2
        if capacity != self.capacity:
            at = <uint8_t *>realloc(self.buffer, capacity)
            if at == NULL:
                return self.blame(BROKEN, ENOMEM)
            self.buffer = at
            self.capacity = capacity
        at = self.buffer + self.kept + self.filled + FRAME_BYTES
        for i in range(count):
            memcpy(at, parts[i].data, parts[i].size)
            at += parts[i].size
        seal_frame(
            self.buffer + self.kept + self.filled, <uint32_t>length, sequence, mark, self.seed
        )
        self.filled += need
        return 0

    cdef int add(
        self, const Slice *parts, int count, uint64_t *sequence, Spot *spot
    ) noexcept nogil:
        """Frame one record, the parts joined: 0; REFUSED (its size); FAILED.

        What it is given as sequence and spot holds; it is durable after `flush`.
        """
        cdef size_t length = 0, need
        cdef int i
        if self.trouble.kind or self.shut:
            return self.sound()
        for i in range(count):
            length += parts[i].size
        if length == 0 or length > RECORD_MAX:
            return REFUSED
        need = frame_bytes(length)
        if self.end + self.filled + need > self.room and self.end + self.filled > HEADER_BYTES:
            if self.roll() == FAILED:
                return FAILED
        if self.frame(parts, count, length, self.last + 1, self.flushed) == FAILED:
            return FAILED
        self.last += 1
        self.added_bytes += need
        sequence[0] = self.last
        spot.segment = self.number
        spot.offset = <uint32_t>(self.end + self.filled - need)
        spot.size = <uint32_t>length
        return 0

    cdef int spill(self) noexcept nogil:
        """Write the buffer down, in whole pages: what is written of the last one stays in the
        buffer and is written again.  So no page is ever read to be completed."""
        cdef size_t size = self.kept + self.filled
        cdef uint64_t start = self.end - self.kept
        cdef uint64_t whole = (size + PAGE_BYTES - 1) // PAGE_BYTES * PAGE_BYTES
        cdef int64_t status
        if self.sound() == FAILED:
            return FAILED
        if self.filled == 0:
            return 0
        if start + whole > self.room:
            whole = max(self.room - start, size)
        memset(self.buffer + size, 0, whole - size)
        status = self.disk.write(self.file, self.buffer, whole, start)
        if status < 0:
            return self.blame(BROKEN, <int>-status)
        self.end += self.filled
        self.filled = 0
        self.kept = self.end % PAGE_BYTES
        memmove(self.buffer, self.buffer + size - self.kept, self.kept)
        self.dirty = True
        self.written = self.last
        return 0

    cdef int write(self) noexcept nogil:
        """Write what was added, without flushing it: it survives us, not the machine."""
        return self.spill()

    cdef void drop(self) noexcept nogil:
        """Forget what was added and not written: its group came to nothing.  Then only `close`."""
        self.filled = 0

    cdef int flush(self) noexcept nogil:
        """Make all that was added durable, with one flush."""
        cdef int status
        if self.spill() == FAILED:
            return FAILED
        if self.dirty:
            status = self.disk.flush(self.file)
            if status < 0:
                return self.blame(BROKEN, -status)
            if self.sound() == FAILED:  # another may have read the log before this flush
                return FAILED
            self.dirty = False
        self.flushed = self.last
        return 0

    cdef int cut_below(self, uint64_t before) noexcept nogil:
        """Remove the segments that hold nothing from `before` on: 0 or -errno.

        The state must hold, durably, all that is cut: `before` is at most one more than
        the checkpoint's sequence.
        """
        cdef char name[NAME_BYTES]
        cdef uint32_t number
        cdef int status
        while True:
            number = self.segments.oldest_below(before)
            if number == 0:
                return 0
            self.segments.forget(number)
            name_of(number, name)
            status = self.disk.remove(name)
            if status < 0 and status != -ENOENT:
                return status

    cpdef void close(self):
        """Flush, give back the unused end of the segment, and stop; idempotent.

        What can't be flushed any more shows in `fault`; it was never answered.
        """
        cdef char name[NAME_BYTES]
        if self.shut:
            return
        if self.flush() == 0 and self.disk.truncate(self.file, self.end) >= 0:
            self.disk.flush(self.file)
        pthread_mutex_lock(&self.making)
        self.shut = True
        if self.ready.segment and self.trouble.kind == FINE:
            name_of(self.ready.segment, name)
            self.disk.remove(name)
            self.ready.segment = 0
        pthread_mutex_unlock(&self.making)
        if self.file >= 0:
            self.disk.close(self.file)
        self.file = -1
        self.segments.close_all()
