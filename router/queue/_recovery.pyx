# cython: language_level=3
"""What a log holds when it is opened: which records are kept, and what is damage.

Records follow one another without a gap, from the checkpoint on.  Where a frame can't be
believed the log ends, if nothing says that more was durable: a power cut may keep the
second half of a group that was never flushed and lose the first.  What says so is the
checkpoint, the header of a later segment, or the flushed mark of any whole frame further on.
Then it is damage, and the log is not opened: an answered record would be lost.

The first segment of an opening holds the tail that this opening kept, and its header the
sequence it begins with: what older segments hold from there on is dead.
"""

from libc.errno cimport ENOMEM
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
cimport cython

from router.queue._bytes cimport ABSENT, FAILED, FOUND, GONE, load32, load64
from router.queue._disk cimport Disk
from router.queue._segments cimport (
    FRAME_BYTES, HEADER_BYTES, Frame, Header, Segment, Segments, Stretch, frame_bytes,
    name_of, read_frame, read_header, seed_of,
)

import os
import re

from router.errors import StorageError
from router.limits import RECORD_BYTES_MAX

__all__ = ["Recovery", "corrupt", "disk_error"]

cdef enum:
    WINDOW_BYTES = 2097152   # at least a largest frame
    STEP = 8

cdef size_t FRAME_MAX = RECORD_BYTES_MAX + FRAME_BYTES

_OURS = re.compile(r"[0-9]{8}\.seg")
_FULL = frozenset(("ENOSPC", "EDQUOT", "EFBIG"))


def disk_error(int error, str what):
    """Say in our words that a call to the disk failed with an errno."""
    if os.strerror(error) and _errno_name(error) in _FULL:
        return StorageError("store.full", path=what)
    return StorageError("store.failed", path=what, reason=f"{what}: {os.strerror(error)}")


def corrupt(segment, offset, sequence, str reason):
    """Name the place of a record that can't be believed."""
    place = f"{segment:08}.seg" if segment else "the log"
    if offset:
        place += f", offset {offset}"
    if not sequence:  # of the segment as a whole: no record is to blame
        path = f"log/{segment:08}.seg" if segment else "log"
        return StorageError("store.corrupt", path=path, reason=f"{place}: {reason}")
    return StorageError(
        "store.corrupt", path=f"log[{sequence}]", reason=f"{place}, record {sequence}: {reason}"
    )


def _errno_name(error):
    import errno

    return errno.errorcode.get(error, "")


@cython.no_gc  # in no cycle; its files are closed through the disk, which must be whole
cdef class SegmentReader:
    """Reads one segment from front to back, a window at a time."""

    def __cinit__(self, Disk disk not None):
        self.disk = disk
        self.file = -1
        self.capacity = WINDOW_BYTES

    def __dealloc__(self):
        if self.disk is not None:
            self.close()

    cdef int open(self, const Segment *segment) noexcept nogil:
        cdef char name[16]
        cdef int64_t size
        name_of(segment.number, name)
        if self.file >= 0:
            self.disk.close(self.file)
        if self.window == NULL:
            self.window = <uint8_t *>malloc(self.capacity)
        self.file = self.disk.open(name, False) if self.window != NULL else -ENOMEM
        size = self.disk.size(self.file) if self.file >= 0 else self.file
        if size < 0:
            self.error = <int>-size
            return FAILED
        self.size = size
        self.seed = segment.seed
        self.start = 0
        self.held = 0
        return 0

    cdef void close(self) noexcept nogil:
        """Give back file and window."""
        free(self.window)
        self.window = NULL
        if self.file >= 0:
            self.disk.close(self.file)
        self.file = -1

    cdef int look(self, uint64_t offset, size_t need, size_t *room) noexcept nogil:
        """Have the bytes from `offset` in the window: `need` of them, or up to the end."""
        cdef int64_t count
        if offset < self.start or offset + need > self.start + self.held:
            if offset >= self.size:
                room[0] = 0
                return 0
            count = self.disk.read(self.file, self.window, self.capacity, offset)
            if count < 0:
                self.error = <int>-count
                return FAILED
            self.start = offset
            self.held = count
        room[0] = self.start + self.held - offset
        return 0

    cdef int frame(self, uint64_t offset, Frame *frame, const uint8_t **data) noexcept nogil:
        """FOUND: whole; ABSENT: nothing stands here; GONE: can't be believed; FAILED."""
        cdef size_t room, length
        cdef const uint8_t *at
        if self.look(offset, FRAME_BYTES, &room) == FAILED:
            return FAILED
        if room < FRAME_BYTES:
            return ABSENT
        length = load32(self.window + (offset - self.start) + 4)
        if length == 0:
            return ABSENT
        if length > FRAME_MAX - FRAME_BYTES:
            return GONE
        if self.look(offset, FRAME_BYTES + length, &room) == FAILED:
            return FAILED
        at = self.window + (offset - self.start)
        if not read_frame(at, room, self.seed, frame):
            return GONE
        data[0] = at + FRAME_BYTES
        return FOUND

    cdef int mark_from(
        self, uint64_t offset, uint64_t expected, uint64_t *place
    ) noexcept nogil:
        """Look for a whole frame at or after `offset` that knows `expected` to be durable.

        Its mark is in plain sight, so hardly any place needs its checksum taken.
        """
        cdef Frame found
        cdef const uint8_t *data
        cdef const uint8_t *at
        cdef size_t room
        cdef uint64_t mark
        cdef int status
        while True:
            if self.look(offset, FRAME_BYTES, &room) == FAILED:
                return FAILED
            if room < FRAME_BYTES:
                return ABSENT
            while room >= FRAME_BYTES:
                at = self.window + (offset - self.start)
                mark = load64(at + 16)
                if mark >= expected and load32(at + 4) and load64(at + 8) > mark:
                    break
                offset += STEP
                room -= STEP
            if room < FRAME_BYTES:
                continue
            status = self.frame(offset, &found, &data)
            if status == FAILED or status == FOUND:
                place[0] = offset
                return status
            offset += STEP


@cython.final
@cython.no_gc  # in no cycle; its files are closed through the disk, which must be whole
cdef class Recovery:
    """One look at a log's files.  Fills the table of segments; changes nothing on the disk."""

    def __cinit__(self, Segments segments not None, uint64_t checkpoint):
        self.segments = segments
        self.disk = segments.disk
        self.reader = SegmentReader(self.disk)
        self.checkpoint = checkpoint
        self.mark = checkpoint

    def __dealloc__(self):
        free(self.stretches)

    def load(self):
        """Read all headers; return the highest (number, epoch).  Raises StorageError."""
        cdef Segment segment
        cdef uint32_t number = 0
        cdef uint64_t epoch = 0
        for name in self.disk.names():
            if not name.endswith(".seg"):
                continue
            if not _OURS.fullmatch(name):
                raise StorageError(
                    "store.foreign", path=name, reason=f"{name} is no segment of this log"
                )
            self._load_one(int(name[:8]), &segment)
            if segment.epoch < epoch:
                raise corrupt(segment.number, 0, segment.first, "it is older than those before it")
            number = segment.number
            epoch = segment.epoch
            if self.segments.append(&segment) == FAILED:
                raise MemoryError
        return number, epoch

    cdef int _load_one(self, uint32_t number, Segment *segment) except -1:
        cdef Header header
        cdef size_t room
        cdef int status
        segment.number = number
        segment.seed = 0
        if self.reader.open(segment) == FAILED or (
            self.reader.look(0, HEADER_BYTES, &room) == FAILED
        ):
            raise disk_error(self.reader.error, f"{number:08}.seg")
        if room < HEADER_BYTES:
            raise corrupt(number, 0, 0, "it is cut short")
        status = read_header(self.reader.window, &header)
        if status == GONE:
            raise StorageError("store.format", path=f"{number:08}.seg", found="2+", known=1)
        if status == ABSENT and any(self.reader.window[:64]):
            raise StorageError(
                "store.foreign", path=f"{number:08}.seg",
                reason=f"{number:08}.seg is no segment of this log",
            )
        if status != FOUND or header.segment != number:
            raise corrupt(number, 0, 0, "its header is damaged or another segment's")
        segment.seed = seed_of(&header)
        segment.opening = header.first != 0
        segment.epoch = header.epoch
        segment.first = header.first
        segment.flushed = header.flushed
        segment.bytes = self.reader.size
        return 0

    def _learn_firsts(self, size_t count, bint sure):
        """Learn where rolled segments begin; `sure` when all of them must be whole."""
        cdef Frame frame
        cdef const uint8_t *data
        cdef int status
        cdef size_t i
        for i in range(count):
            if self.segments.items[i].opening:
                continue
            if self.reader.open(&self.segments.items[i]) == FAILED:
                raise disk_error(self.reader.error, "log")
            status = self.reader.frame(HEADER_BYTES, &frame, &data)
            if status == FAILED:
                raise disk_error(self.reader.error, "log")
            if status == GONE and sure and not self._stands_again(i):
                raise corrupt(
                    self.segments.items[i].number, HEADER_BYTES, 0,
                    "its checksum does not match",
                )
            if status == FOUND:
                self.segments.items[i].first = frame.sequence

    cdef bint _stands_again(self, size_t index) except -1:
        """Say whether a later opening holds all that a rolled segment may have held.

        What a killed process had written there, unflushed, was copied into the segment of
        the next opening; a power cut may then tear the place where it had been.
        """
        cdef Segment *before
        cdef size_t i
        cdef uint64_t offset = HEADER_BYTES, following
        cdef Frame frame
        cdef const uint8_t *data
        for i in range(index, 0, -1):
            before = &self.segments.items[i - 1]
            if before.first:
                break
        else:
            return False
        following = before.first
        if self.reader.open(before) == FAILED:
            raise disk_error(self.reader.error, "log")
        while self.reader.frame(offset, &frame, &data) == FOUND and frame.sequence == following:
            following += 1
            offset += frame_bytes(frame.length)
        for i in range(index + 1, self.segments.count):
            if self.segments.items[i].opening:
                return self.segments.items[i].first <= following
        return False

    def _start(self, spot):
        """Return (index, offset) where the walk begins; sets what is expected there."""
        cdef size_t i
        self.expected = self.checkpoint + 1
        for i in range(self.segments.count):
            if self.segments.items[i].number == spot[0]:
                self._learn_firsts(i + 1, True)
                self.expected = self.checkpoint
                return i, spot[1]
        self._learn_firsts(self.segments.count, False)
        for i in range(self.segments.count, 0, -1):
            if 0 < self.segments.items[i - 1].first <= self.checkpoint + 1:
                self.expected = self.segments.items[i - 1].first
                return i - 1, HEADER_BYTES
        if self.segments.count or spot[0]:
            raise corrupt(spot[0], spot[1], self.checkpoint + 1, "its segment is missing")
        return 0, HEADER_BYTES

    def walk(self, spot):
        """Find what is kept.  Raises StorageError `store.corrupt` for damage, `store.failed`."""
        cdef Segment *segment
        cdef uint64_t offset, kept, end
        cdef size_t i, index, gap_index
        cdef int status
        index, offset = self._start(spot)
        gap_index = index
        for i in range(index, self.segments.count):
            segment = &self.segments.items[i]
            if i == index:
                self.epoch = segment.epoch
                if segment.flushed > self.mark:
                    self.mark = segment.flushed
            elif not self._joins(segment):
                continue
            if self.reader.open(segment) == FAILED:
                raise disk_error(self.reader.error, "log")
            if i == index and spot[0] == segment.number:
                self._check_spot(segment, offset)
            with nogil:
                status = self.walk_frames(segment, offset, &kept, &end)
            if status == FAILED:
                raise disk_error(self.reader.error, "log")
            if kept or segment.opening or i == index:
                gap_index = i
                self.end_segment = segment.number
                self.end_offset = end
            if not segment.opening and i > index:
                segment.first = self.expected - kept if kept else 0
            offset = HEADER_BYTES
        if self.segments.count:
            self._check_end(gap_index)

    cdef bint _joins(self, Segment *segment) except -1:
        """Take a further segment into the walk; False when it is a stray one."""
        if segment.opening:
            if segment.first > self.expected:
                raise corrupt(
                    self.end_segment, self.end_offset, self.expected,
                    "it is missing or its checksum does not match",
                )
            self.cut_off(segment.first)
            self.expected = segment.first
            self.epoch = segment.epoch
            if segment.flushed > self.mark:
                self.mark = segment.flushed
            return True
        if segment.epoch > self.epoch:
            raise corrupt(
                segment.number, 0, self.expected, "the segment its opening began with is missing"
            )
        if segment.epoch < self.epoch:  # made by a former owner, too late
            segment.first = 0
            return False
        return True

    def _check_end(self, size_t index):
        """Refuse when anything says that more was durable than what was found."""
        cdef uint64_t place = 0
        cdef size_t i
        cdef int status = ABSENT
        cdef uint64_t offset = self.end_offset
        for i in range(index, self.segments.count):
            if status != ABSENT or self.expected <= self.mark:
                break
            if self.segments.items[i].epoch != self.epoch:
                continue
            if self.reader.open(&self.segments.items[i]) == FAILED:
                raise disk_error(self.reader.error, "log")
            with nogil:
                status = self.reader.mark_from(offset, self.expected, &place)
            offset = HEADER_BYTES
        if status == FAILED:
            raise disk_error(self.reader.error, "log")
        if status == FOUND or self.expected <= self.mark:
            raise corrupt(
                self.end_segment, self.end_offset, self.expected,
                "it was stored and its checksum does not match",
            )

    cdef int _check_spot(self, Segment *segment, uint64_t offset) except -1:
        """The checkpoint's own record must stand where the checkpoint says."""
        cdef Frame frame
        cdef const uint8_t *data
        cdef int status = self.reader.frame(offset, &frame, &data)
        if status == FAILED:
            raise disk_error(self.reader.error, "log")
        if status != FOUND or frame.sequence != self.checkpoint:
            raise corrupt(
                segment.number, offset, self.checkpoint,
                "it was stored and its checksum does not match",
            )
        return 0

    cdef int walk_frames(
        self, const Segment *segment, uint64_t offset, uint64_t *kept, uint64_t *end
    ) noexcept nogil:
        """Keep frame after frame, as long as they are whole and in order."""
        cdef Frame frame
        cdef const uint8_t *data
        cdef int status
        kept[0] = 0
        while True:
            status = self.reader.frame(offset, &frame, &data)
            if status == FAILED:
                return FAILED
            if status != FOUND or frame.sequence != self.expected:
                end[0] = offset
                return 0
            if frame.flushed > self.mark:
                self.mark = frame.flushed
            if self.keep(segment.number, offset, frame.sequence) == FAILED:
                self.reader.error = ENOMEM
                return FAILED
            self.expected += 1
            kept[0] += 1
            offset += frame_bytes(frame.length)

    cdef int keep(self, uint32_t segment, uint64_t offset, uint64_t sequence) noexcept nogil:
        """Remember a record that a replay will show."""
        cdef Stretch *stretch
        cdef Stretch *larger
        if sequence <= self.checkpoint:
            return 0
        if self.count:
            stretch = &self.stretches[self.count - 1]
            if stretch.segment == segment and stretch.stop == sequence:
                stretch.stop += 1
                return 0
        if self.count == self.capacity:
            larger = <Stretch *>realloc(
                self.stretches, (self.capacity * 2 + 8) * sizeof(Stretch)
            )
            if larger == NULL:
                return FAILED
            self.stretches = larger
            self.capacity = self.capacity * 2 + 8
        stretch = &self.stretches[self.count]
        stretch.segment = segment
        stretch.offset = <uint32_t>offset
        stretch.first = sequence
        stretch.stop = sequence + 1
        self.count += 1
        return 0

    cdef void cut_off(self, uint64_t first) noexcept nogil:
        """Forget all kept records from a sequence on."""
        while self.count and self.stretches[self.count - 1].first >= first:
            self.count -= 1
        if self.count and self.stretches[self.count - 1].stop > first:
            self.stretches[self.count - 1].stop = first
