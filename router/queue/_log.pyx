# cython: language_level=3
"""The segment log: records framed into groups, one flush a group.

One thread at a time adds, writes and flushes (the store's lock sees to it); any number of
threads read, and another prepares the next segment, without waiting for the writer's
flush.  After a failed write or flush nobody knows what the disk holds: the log is dead
until it is opened again, and what was not answered may be there or not.
"""

from libc.errno cimport EIO, ENOENT, ENOMEM
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
cimport cython

from router.queue._bytes cimport ABSENT, FAILED, FOUND, Slice, Spot
from router.queue._disk cimport Disk
from router.queue._log_reads cimport Wanted, read_frames, read_record
from router.queue._log_writer cimport AHEAD, OPENING, LogWriter
from router.queue._recovery cimport Recovery, SegmentReader
from router.queue._segments cimport (
    BROKEN, DAMAGED, FENCED, FINE, HEADER_BYTES, NAME_BYTES, REFUSED, SHUT, Fault, Frame,
    Header, Segment, Segments, Stretch, frame_bytes, name_of,
)

from router.errors import ClosedError, StorageError, TooLargeError
from router.limits import LOG_SEGMENT_BYTES_MAX, LOG_SEGMENT_BYTES_MIN, RECORD_BYTES_MAX
from router.queue._recovery import corrupt, disk_error

__all__ = ["SegmentLog", "Visitor"]

cdef uint64_t OFFSET_MAX = 2_147_483_648  # a record's place in its segment is a u32
cdef uint64_t SEGMENT_MIN = LOG_SEGMENT_BYTES_MIN


cdef class Visitor:
    """Is shown the kept records, one after the other."""

    def __reduce__(self):
        raise TypeError("a visitor is not pickled")

    cdef int record(
        self, uint64_t sequence, const uint8_t *data, size_t size, Spot spot
    ) noexcept nogil:
        return 0


cdef class _Collector(Visitor):  # for tests and dumps
    cdef list found

    cdef int record(
        self, uint64_t sequence, const uint8_t *data, size_t size, Spot spot
    ) noexcept nogil:
        with gil:
            self.found.append(
                (sequence, (<const char *>data)[:size], (spot.segment, spot.offset, spot.size))
            )
        return 0


@cython.final
@cython.no_gc  # in no cycle; its files are closed through the disk, which must be whole
cdef class SegmentLog(LogWriter):
    """The log of one data directory, opened by its one owner.  Made by `open`.

    `last` is the highest sequence given, `flushed` the highest known to be durable,
    `epoch` the number of this opening, `added_bytes` what was added since.
    """

    def __cinit__(self, Disk disk not None, Segments segments not None):
        self.reader = SegmentReader(disk)

    def __dealloc__(self):
        free(self.stretches)

    @staticmethod
    def open(
        Disk disk not None, *, uint64_t checkpoint_sequence=0, checkpoint_spot=(0, 0, 0),
        uint64_t epoch_min=0, uint64_t claimed=0,
        uint64_t segment_bytes_max=LOG_SEGMENT_BYTES_MAX, uint32_t number_min=0,
    ):
        """Open the log of a directory: fence former owners, find what is kept, begin a segment.

        `checkpoint_sequence` is the last sequence that the state holds; `checkpoint_spot`
        is where its record lies (nowhere: a log that begins after it).  The epoch is higher
        than any before and than `epoch_min`, the segment's number than `number_min`; `claimed`
        is one that the caller has claimed for this opening already.  Raises StorageError
        `store.corrupt` (with the place), `store.foreign`, `store.format`, `store.full`,
        `store.failed`.
        """
        cdef Segments segments = Segments(disk)
        cdef SegmentLog log = SegmentLog(disk, segments)
        cdef uint64_t epoch = claimed
        if epoch <= epoch_min or epoch != disk.claimed():
            epoch = max(disk.claimed(), epoch_min) + 1
        log._claim(epoch)
        recovery = Recovery(segments, checkpoint_sequence)
        number, highest = recovery.load()
        if highest >= epoch:
            epoch = highest + 1
            log._claim(epoch)
        recovery.walk(checkpoint_spot)
        log.numbers = max(number, number_min)
        log.bytes_max = min(max(segment_bytes_max, 2 * HEADER_BYTES), OFFSET_MAX)
        log._begin(recovery)
        return log

    def _claim(self, uint64_t epoch):
        cdef int status = self.disk.claim(epoch)
        if status < 0:
            raise disk_error(-status, "EPOCH")
        self.epoch = epoch

    def _begin(self, Recovery found):
        """Write the first segment of this opening: the kept tail, durable before its name."""
        cdef uint64_t tail = max(found.mark, found.checkpoint) + 1
        cdef uint64_t size = min(max(SEGMENT_MIN, HEADER_BYTES), self.bytes_max)
        cdef Header header
        cdef int file
        self.last = self.flushed = self.written = found.expected - 1
        self._remove(AHEAD)
        self._remove(OPENING)
        self.numbers = header.segment = self.numbers + 1
        header.first = min(tail, found.expected)
        header.flushed = self.last
        file = self.make(OPENING, &header, size, size)
        self._raise_if(file)
        self.next_bytes = min(2 * size, self.bytes_max)
        self._take_stretches(found)
        if self.go_to(&header, file, header.first) == FAILED:
            raise MemoryError
        self._raise_if(self._copy_tail(tail, header.segment))
        self._raise_if(self.spill())
        self._raise_if(self.disk.flush(self.file))
        self._raise_if(self.settle(OPENING, header.segment))
        self.dirty = False
        self.room = self.disk.size(self.file)
        self._tidy(found)

    def _take_stretches(self, Recovery found):
        self.stretches = found.stretches
        self.stretch_count = found.count
        found.stretches = NULL
        found.count = 0

    def _remove(self, const char *name):
        cdef int status = self.disk.remove(name)
        if status < 0 and status != -ENOENT:
            self._raise_if(status)

    def _raise_if(self, int status):
        """Raise for an -errno, or for the fault that a FAILED stands for."""
        fault = self.fault()
        if status < 0:
            raise disk_error(-status, "log") if fault is None else fault

    cdef int _copy_tail(self, uint64_t first, uint32_t number) except? -5:
        """Frame the records from `first` on anew; they will be found in this segment."""
        cdef SegmentReader reader
        cdef Segment segment
        cdef Stretch *stretch
        cdef Frame frame
        cdef const uint8_t *data
        cdef uint64_t offset
        cdef size_t i, kept = 0
        cdef int status
        cdef Slice part
        if first > self.last:
            return 0
        reader = self.reader
        for i in range(self.stretch_count):
            stretch = &self.stretches[i]
            if stretch.stop <= first:
                kept = i + 1
                continue
            if self.segments.find(stretch.segment, &segment) != FOUND:
                return -ENOENT
            if reader.open(&segment) == FAILED:
                return -reader.error
            offset = stretch.offset
            for sequence in range(stretch.first, stretch.stop):
                status = reader.frame(offset, &frame, &data)
                if status == FAILED:
                    return -reader.error
                if status != FOUND:
                    raise corrupt(segment.number, offset, sequence, "it changed while it was read")
                offset += frame_bytes(frame.length)
                if sequence >= first:
                    part.data = data
                    part.size = frame.length
                    if self.frame(&part, 1, frame.length, sequence, self.last) == FAILED:
                        return FAILED
            if stretch.first < first:
                stretch.stop = first
                kept = i + 1
        # There is room for one more: either a stretch was dropped, or the last one was cut.
        return self._add_stretch(kept, number, first)

    cdef int _add_stretch(self, size_t kept, uint32_t number, uint64_t first) noexcept:
        cdef Stretch *larger = <Stretch *>realloc(self.stretches, (kept + 1) * sizeof(Stretch))
        if larger == NULL:
            return -ENOMEM
        self.stretches = larger
        larger[kept].segment = number
        larger[kept].offset = HEADER_BYTES
        larger[kept].first = first
        larger[kept].stop = self.last + 1
        self.stretch_count = kept + 1
        return 0

    def _tidy(self, Recovery found):
        """Give back what earlier openings left unused; nothing of it counts any more."""
        cdef char name[NAME_BYTES]
        cdef size_t i
        cdef int file
        for i in range(self.segments.count, 0, -1):
            if self.segments.items[i - 1].first == 0 and self.segments.items[i - 1].flushed == 0:
                name_of(self.segments.items[i - 1].number, name)
                self.segments.forget(self.segments.items[i - 1].number)
                self.disk.remove(name)
            elif self.segments.items[i - 1].number == found.end_segment:
                name_of(found.end_segment, name)
                file = self.disk.open(name, False)
                if file >= 0:
                    if self.disk.truncate(file, found.end_offset) >= 0:
                        self.segments.items[i - 1].bytes = found.end_offset
                    self.disk.close(file)

    cdef int read(
        self, Spot start, uint64_t sequence, uint8_t **into, size_t *size
    ) noexcept nogil:
        """Read a record from where it lies, or from a place before it in its segment.

        FOUND (a copy, to be freed), ABSENT (cut, or not yet written), FAILED (`read_fault`).
        """
        cdef int status
        if self.shut:
            return self.segments.blame(SHUT, 0, 0, 0, sequence)
        if sequence > self.written:
            return ABSENT
        status = read_record(self.segments, start, sequence, into, size)
        if status == ABSENT and self.shut:  # closed meanwhile: nothing is missing
            return self.segments.blame(SHUT, 0, 0, 0, sequence)
        return status

    cdef int read_many(self, Wanted *wanted, size_t count, uint8_t *into) noexcept nogil:
        """Read records with the heads of their frames, as `_log_reads.read_frames` does.

        FOUND, ABSENT (one was cut, or is not yet written), FAILED (`read_fault`).
        """
        cdef int status
        cdef size_t i
        if self.shut:
            return self.segments.blame(SHUT, 0, 0, 0, wanted[0].sequence)
        for i in range(count):
            if wanted[i].sequence > self.written:
                return ABSENT
        status = read_frames(self.segments, wanted, count, into)
        if status == ABSENT and self.shut:  # closed meanwhile: nothing is missing
            return self.segments.blame(SHUT, 0, 0, 0, wanted[0].sequence)
        return status

    cdef int replay(self, Visitor visitor) noexcept nogil:
        """Show every kept record above the checkpoint, in order, with its present spot."""
        cdef Segment segment
        cdef Stretch *stretch
        cdef Frame frame
        cdef Spot spot
        cdef const uint8_t *data
        cdef uint64_t sequence, offset
        cdef size_t i
        cdef int status = 0
        for i in range(self.stretch_count):
            stretch = &self.stretches[i]
            if self.segments.find(stretch.segment, &segment) != FOUND:
                return self.blame(BROKEN, ENOENT)
            if self.reader.open(&segment) == FAILED:
                return self.blame(BROKEN, self.reader.error)
            offset = stretch.offset
            sequence = stretch.first
            while sequence < stretch.stop and status == 0:
                status = self.reader.frame(offset, &frame, &data)
                if status != FOUND or frame.sequence != sequence:
                    if status == FAILED:
                        self.blame(BROKEN, self.reader.error)
                    else:
                        self.blame(DAMAGED, 0)
                    self.trouble.segment = segment.number
                    self.trouble.offset = offset
                    self.trouble.sequence = sequence
                    status = FAILED
                    break
                spot.segment = segment.number
                spot.offset = <uint32_t>offset
                spot.size = frame.length
                status = visitor.record(sequence, data, frame.length, spot)
                offset += frame_bytes(frame.length)
                sequence += 1
            if status:
                break
        self.reader.close()
        return status

    cpdef object fault(self):
        """Return the StorageError (or ClosedError) that stopped the log, or None."""
        return _error_of(&self.trouble)

    cpdef object read_fault(self):
        """Return why the last failed reading failed, or None; writing goes on."""
        return _error_of(&self.segments.fault)

    cpdef uint64_t bytes_since(self, uint64_t sequence):
        """Return about how many bytes a replay from after `sequence` would read."""
        return self.segments.bytes_above(sequence, self.last, self.end + self.filled)

    @property
    def bytes_kept(self):
        """What all segments take on the disk, the one made ahead too."""
        return self.segments.bytes_all() + (self.ready_bytes if self.ready.segment else 0)

    # The Python face, for tests, dumps and tools: one record at a time.

    def append(self, bytes record not None):
        """Add a record; return (sequence, (segment, offset, size)).  Durable after `commit`."""
        cdef Slice part
        cdef uint64_t sequence
        cdef Spot spot
        cdef int status
        part.data = record
        part.size = len(record)
        with nogil:
            status = self.add(&part, 1, &sequence, &spot)
        if status == REFUSED:
            raise TooLargeError("record.too_large", bytes=len(record), limit=RECORD_BYTES_MAX)
        self._raise_if(status)
        return sequence, (spot.segment, spot.offset, spot.size)

    def commit(self):
        """Flush what was added.  Raises StorageError."""
        cdef int status
        with nogil:
            status = self.flush()
        self._raise_if(status)

    def put_down(self):
        """Write what was added, unflushed.  Raises StorageError."""
        cdef int status
        with nogil:
            status = self.write()
        self._raise_if(status)

    def fetch(self, spot, uint64_t sequence):
        """Return a record, or None when it has been cut.  Raises StorageError."""
        cdef Spot start
        cdef uint8_t *found = NULL
        cdef size_t size = 0
        cdef int status
        start.segment, start.offset, start.size = spot
        with nogil:
            status = self.read(start, sequence, &found, &size)
        if status == FAILED:
            raise self.read_fault() or disk_error(EIO, "log")  # another thread's came between
        if status == ABSENT:
            return None
        try:
            return (<const char *>found)[:size]
        finally:
            free(found)

    def records(self):
        """Return what a replay shows: (sequence, record, spot) of each.  Raises StorageError."""
        cdef _Collector collector = _Collector()
        cdef int status
        collector.found = []
        with nogil:
            status = self.replay(collector)
        self._raise_if(status)
        return collector.found

    def make_ready(self):
        """Make the next segment ahead if one is wanted; return whether.  Raises StorageError."""
        cdef int status
        with nogil:
            status = self.prepare()
        if status < 0:
            raise disk_error(-status, "log")
        return status == FOUND

    def cut(self, uint64_t before):
        """Remove the segments all of whose records are below `before`.  Raises StorageError."""
        cdef int status
        with nogil:
            status = self.cut_below(before)
        if status < 0:
            raise disk_error(-status, "log")


cdef object _error_of(const Fault *fault):
    name = f"{fault.segment:08}.seg"
    if fault.kind == FINE:
        return None
    if fault.kind == SHUT:
        return ClosedError("engine.closed")
    if fault.kind == FENCED:
        return StorageError(
            "store.locked", path=name, reason="another owner has opened this directory"
        )
    if fault.kind == DAMAGED:
        return corrupt(
            fault.segment, fault.offset, fault.sequence, "its checksum does not match"
        )
    return disk_error(fault.error, name)
