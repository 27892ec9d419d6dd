# cython: language_level=3
"""Segment files: their format, and the table of those there are.

A segment `00000001.seg` is a page of header and then frames, each at a multiple of eight
bytes; all numbers are big-endian:

    header   magic (8), version u32, segment u32, epoch u64, salt u64, first sequence u64,
             flushed mark u64, CRC-32C of these u32, zeros up to 4 KiB
    frame    CRC-32C u32, length of the payload u32, sequence u64, flushed mark u64, payload

The checksum of a frame covers all after it and starts from (segment, epoch, salt), so a
frame that stands in another file, or is left over from an earlier use of the place, is
not believed; the salt keeps senders from writing frames into their documents.  A length of zero,
or the end of the file, ends a segment.  The flushed mark is the highest sequence known to
be durable when the frame was written.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memmove, memset
cimport cython

from router.queue._bytes cimport (
    ABSENT, FAILED, FOUND, GONE, load32, load64, store32, store64,
)
from router.queue._crc cimport crc32c
from router.queue._disk cimport Disk

from router.limits import RECORD_BYTES_MAX

__all__ = ["Segments"]

cdef extern from "pthread.h" nogil:
    int pthread_mutex_init(pthread_mutex_t *mutex, void *attributes)
    int pthread_mutex_destroy(pthread_mutex_t *mutex)
    int pthread_mutex_lock(pthread_mutex_t *mutex)
    int pthread_mutex_unlock(pthread_mutex_t *mutex)

cdef enum:
    VERSION = 1
    SUMMED_BYTES = 48       # of the header

cdef size_t RECORD_MAX = RECORD_BYTES_MAX
cdef const char *MAGIC = b"vanbanlg"


cdef size_t frame_bytes(size_t length) noexcept nogil:
    """Return what a payload of that length takes, with its head, up to the next frame."""
    return (FRAME_BYTES + length + 7) & ~(<size_t>7)


cdef void write_header(uint8_t *page, const Header *header) noexcept nogil:
    memset(page, 0, HEADER_BYTES)
    memcpy(page, MAGIC, 8)
    store32(page + 8, VERSION)
    store32(page + 12, header.segment)
    store64(page + 16, header.epoch)
    store64(page + 24, header.salt)
    store64(page + 32, header.first)
    store64(page + 40, header.flushed)
    store32(page + SUMMED_BYTES, crc32c(0, page, SUMMED_BYTES))


cdef int read_header(const uint8_t *page, Header *header) noexcept nogil:
    """Return FOUND; ABSENT (not of ours), FAILED (damaged), GONE (of a newer version)."""
    if memcmp(page, MAGIC, 8) != 0:
        return ABSENT
    if load32(page + SUMMED_BYTES) != crc32c(0, page, SUMMED_BYTES):
        return FAILED
    if load32(page + 8) != VERSION:
        return GONE
    header.segment = load32(page + 12)
    header.epoch = load64(page + 16)
    header.salt = load64(page + 24)
    header.first = load64(page + 32)
    header.flushed = load64(page + 40)
    return FOUND


cdef uint32_t seed_of(const Header *header) noexcept nogil:
    """Return the sum that the checksums of this segment's frames start from."""
    cdef uint8_t place[20]
    store32(place, header.segment)
    store64(place + 4, header.epoch)
    store64(place + 12, header.salt)
    return crc32c(0, place, sizeof(place))


cdef void seal_frame(
    uint8_t *at, uint32_t length, uint64_t sequence, uint64_t flushed, uint32_t seed
) noexcept nogil:
    """Write the head of a frame whose payload is in place, and zeros up to the next."""
    cdef size_t end = FRAME_BYTES + <size_t>length
    store32(at + 4, length)
    store64(at + 8, sequence)
    store64(at + 16, flushed)
    store32(at, crc32c(seed, at + 4, end - 4))
    memset(at + end, 0, frame_bytes(length) - end)


cdef bint read_frame(const uint8_t *at, size_t room, uint32_t seed, Frame *frame) noexcept nogil:
    """Return True when a whole frame of this segment stands here."""
    if room < FRAME_BYTES:
        return False
    frame.length = load32(at + 4)
    if frame.length == 0 or frame.length > RECORD_MAX or frame.length > room - FRAME_BYTES:
        return False
    frame.sequence = load64(at + 8)
    frame.flushed = load64(at + 16)
    return load32(at) == crc32c(seed, at + 4, FRAME_BYTES - 4 + <size_t>frame.length)


cdef void name_of(uint32_t segment, char *name) noexcept nogil:
    """Write eight digits, “.seg” and a zero."""
    cdef int i
    for i in range(7, -1, -1):
        name[i] = 48 + segment % 10
        segment //= 10
    memcpy(name + 8, b".seg", 5)


@cython.final
@cython.no_gc  # in no cycle; its files are closed through the disk, which must be whole
cdef class Segments:
    """The segments there are, and those of them that are open for reading.

    One writer appends and cuts; any number of threads read.  A reader holds the mutex
    only to look things up: never while it waits for the disk.
    """

    def __cinit__(self, Disk disk not None):
        self.disk = disk
        pthread_mutex_init(&self.mutex, NULL)

    def __dealloc__(self):
        if self.disk is not None:
            self.close_all()
        free(self.items)
        pthread_mutex_destroy(&self.mutex)

    cdef int append(self, const Segment *segment) noexcept nogil:
        cdef Segment *larger
        cdef int status = 0
        pthread_mutex_lock(&self.mutex)
        if self.count == self.capacity:
            larger = <Segment *>realloc(
                self.items, (self.capacity * 2 + 16) * sizeof(Segment)
            )
            if larger == NULL:
                status = FAILED
            else:
                self.items = larger
                self.capacity = self.capacity * 2 + 16
        if status == 0:
            self.items[self.count] = segment[0]
            self.count += 1
        pthread_mutex_unlock(&self.mutex)
        return status

    cdef void set_first(self, uint32_t number, uint64_t first, uint64_t size) noexcept nogil:
        """Say which sequence a segment begins with, and how long its file is."""
        cdef size_t i
        pthread_mutex_lock(&self.mutex)
        for i in range(self.count):
            if self.items[i].number == number:
                self.items[i].first = first
                self.items[i].bytes = size
        pthread_mutex_unlock(&self.mutex)

    cdef int find(self, uint32_t number, Segment *segment) noexcept nogil:
        """FOUND; ABSENT when it has been cut; FAILED when it should be there."""
        cdef size_t low = 0, high, middle
        cdef int status = FAILED
        pthread_mutex_lock(&self.mutex)
        high = self.count
        if high == 0 or number < self.items[0].number:
            status = ABSENT
        while low < high:
            middle = (low + high) // 2
            if self.items[middle].number < number:
                low = middle + 1
            else:
                high = middle
        if low < self.count and self.items[low].number == number:
            segment[0] = self.items[low]
            status = FOUND
        pthread_mutex_unlock(&self.mutex)
        return status

    cdef int find_sequence(self, uint64_t sequence, Segment *segment) noexcept nogil:
        """Find the segment that holds a sequence: the last that begins at or before it."""
        cdef size_t i
        cdef int status = ABSENT
        pthread_mutex_lock(&self.mutex)
        for i in range(self.count, 0, -1):
            if 0 < self.items[i - 1].first <= sequence:
                segment[0] = self.items[i - 1]
                status = FOUND
                break
        pthread_mutex_unlock(&self.mutex)
        return status

    cdef int place_for(self) noexcept nogil:
        """Return a free place for an open file, or -1.  Under the mutex."""
        cdef int i, oldest = -1
        for i in range(FILES_MAX):
            if self.files[i].segment == 0:
                return i
            if self.files[i].users == 0 and (
                oldest < 0 or self.files[i].used < self.files[oldest].used
            ):
                oldest = i
        if oldest >= 0:
            self.disk.close(self.files[oldest].file)
            self.files[oldest].segment = 0
        return oldest

    cdef int hold(self, uint32_t number) noexcept nogil:
        """Return the place of a file that is open, with one user more, or -1.  Under the mutex."""
        cdef int i
        for i in range(FILES_MAX):
            if self.files[i].segment == number and not self.files[i].doomed:
                self.files[i].users += 1
                self.clock += 1
                self.files[i].used = self.clock
                return i
        return -1

    cdef int acquire(self, uint32_t number, OpenFile *held) noexcept nogil:
        """Get a segment's file to read from; 0 or -errno.  Ended by `let_go`."""
        cdef char name[NAME_BYTES]
        cdef int i, file
        pthread_mutex_lock(&self.mutex)
        i = self.hold(number)
        if i >= 0:
            held[0] = self.files[i]
        pthread_mutex_unlock(&self.mutex)
        if i >= 0:
            return 0
        name_of(number, name)
        file = self.disk.open(name, False)
        if file < 0:
            return file
        pthread_mutex_lock(&self.mutex)
        i = self.hold(number)  # another reader may have been quicker
        if i >= 0:
            self.disk.close(file)
        else:
            i = self.place_for()
            if i >= 0:
                self.clock += 1
                self.files[i].segment = number
                self.files[i].file = file
                self.files[i].users = 1
                self.files[i].doomed = False
                self.files[i].used = self.clock
        if i >= 0:
            held[0] = self.files[i]
        else:  # every place is in use: this file is its reader's alone
            held.segment = 0
            held.file = file
        pthread_mutex_unlock(&self.mutex)
        return 0

    cdef void let_go(self, OpenFile *held) noexcept nogil:
        cdef int i
        if held.segment == 0:
            self.disk.close(held.file)
            return
        pthread_mutex_lock(&self.mutex)
        for i in range(FILES_MAX):
            if self.files[i].segment == held.segment and self.files[i].file == held.file:
                self.files[i].users -= 1
                if self.files[i].doomed and self.files[i].users == 0:
                    self.disk.close(self.files[i].file)
                    self.files[i].segment = 0
                break
        pthread_mutex_unlock(&self.mutex)

    cdef void doom(self, int i) noexcept nogil:
        """Close an open file now, or with its last user.  Under the mutex."""
        if self.files[i].users == 0:
            self.disk.close(self.files[i].file)
            self.files[i].segment = 0
        else:
            self.files[i].doomed = True

    cdef void forget(self, uint32_t number) noexcept nogil:
        """Take a segment out of the table; who is reading it may finish."""
        cdef size_t i
        cdef int k
        pthread_mutex_lock(&self.mutex)
        for i in range(self.count):
            if self.items[i].number == number:
                memmove(
                    self.items + i, self.items + i + 1, (self.count - i - 1) * sizeof(Segment)
                )
                self.count -= 1
                break
        for k in range(FILES_MAX):
            if self.files[k].segment == number and not self.files[k].doomed:
                self.doom(k)
        pthread_mutex_unlock(&self.mutex)

    cdef uint32_t oldest_below(self, uint64_t before) noexcept nogil:
        """Return the oldest segment if all it holds is below `before`, else 0."""
        cdef size_t i
        cdef uint32_t number = 0
        pthread_mutex_lock(&self.mutex)
        for i in range(1, self.count):  # what follows tells where the oldest ends
            if self.items[i].first:
                if self.items[i].first <= before:
                    number = self.items[0].number
                break
        pthread_mutex_unlock(&self.mutex)
        return number

    cdef uint64_t bytes_above(self, uint64_t sequence, uint64_t last, uint64_t end) noexcept nogil:
        """Estimate the bytes of all records above one; `end` is where the last segment ends."""
        cdef uint64_t total = 0, stop = last + 1, bytes = end, first
        cdef size_t i
        pthread_mutex_lock(&self.mutex)
        for i in range(self.count, 0, -1):
            first = self.items[i - 1].first
            if i < self.count:
                bytes = self.items[i - 1].bytes
            if first == 0 or first >= stop:
                continue
            if bytes < HEADER_BYTES:
                bytes = HEADER_BYTES
            if first <= sequence + 1:  # as if its records were all of one size
                if stop > sequence + 1:
                    total += (bytes - HEADER_BYTES) * (stop - sequence - 1) // (stop - first)
                break
            total += bytes - HEADER_BYTES
            stop = first
        pthread_mutex_unlock(&self.mutex)
        return total

    cdef uint64_t bytes_all(self) noexcept nogil:
        cdef uint64_t total = 0
        cdef size_t i
        pthread_mutex_lock(&self.mutex)
        for i in range(self.count):
            total += self.items[i].bytes
        pthread_mutex_unlock(&self.mutex)
        return total

    cdef void close_all(self) noexcept nogil:
        cdef int i
        pthread_mutex_lock(&self.mutex)
        self.count = 0
        for i in range(FILES_MAX):
            if self.files[i].segment and not self.files[i].doomed:
                self.doom(i)
        pthread_mutex_unlock(&self.mutex)

    cdef int blame(
        self, int kind, int error, uint32_t segment, uint64_t offset, uint64_t sequence
    ) noexcept nogil:
        """Remember why a reading failed."""
        pthread_mutex_lock(&self.mutex)
        self.fault.kind = kind
        self.fault.error = error
        self.fault.segment = segment
        self.fault.offset = offset
        self.fault.sequence = sequence
        pthread_mutex_unlock(&self.mutex)
        return FAILED
