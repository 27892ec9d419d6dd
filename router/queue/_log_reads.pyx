# cython: language_level=3
"""Reading single records of the log beside its writer, whoever else reads.

Whatever is read is verified before anybody sees it: the frame's checksum, its length and
its sequence.  A spot may be out of date, since an opening frames the last records anew;
then the segment that holds the sequence is looked through from its start.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memmove

from router.queue._bytes cimport ABSENT, FAILED, FOUND, GONE, Spot, load32, load64
from router.queue._segments cimport (
    BROKEN, DAMAGED, FINE, FRAME_BYTES, HEADER_BYTES, Frame, OpenFile, Segment, Segments,
    frame_bytes, read_frame,
)

from router.limits import RECORD_BYTES_MAX

__all__ = []

cdef enum:
    HOP_BYTES = 65536       # read at once while looking for a sequence
    NO_MEMORY = 12          # ENOMEM
    MISSING = 2             # ENOENT

cdef size_t RECORD_MAX = RECORD_BYTES_MAX


cdef int read_record(
    Segments segments, Spot start, uint64_t sequence, uint8_t **into, size_t *size
) noexcept nogil:
    """Read one record: FOUND (a copy, to be freed), ABSENT (cut), FAILED."""
    cdef Segment segment
    cdef int status
    if start.size:
        status = segment_of(segments, start, sequence, &segment)
        if status != FOUND:
            return status
        status = read_at(segments, &segment, start.offset, start.size, sequence, into, size)
        if status == FOUND:
            return FOUND
        if status == FAILED:
            return cut_or_failed(segments, segment.number)
    if segments.find_sequence(sequence, &segment) != FOUND:
        return ABSENT
    status = read_by_hopping(segments, &segment, start, sequence, into, size)
    return cut_or_failed(segments, segment.number) if status == FAILED else status


cdef int read_frames(
    Segments segments, Wanted *wanted, size_t count, uint8_t *into
) noexcept nogil:
    """Read records with the heads of their frames: FOUND, ABSENT (one is cut), FAILED.

    Stops at the first that can't be read.  The file is looked up once for all neighbours
    in one segment.
    """
    cdef Segment segment
    cdef OpenFile held
    cdef size_t i
    cdef int status = FOUND
    cdef bint open = False
    for i in range(count):
        wanted[i].moved = wanted[i].spot.size == 0
        if wanted[i].moved:
            continue
        if not open or segment.number != wanted[i].spot.segment:
            if open:
                segments.let_go(&held)
            status = reach(segments, &wanted[i], &segment, &held)
            open = status == FOUND
            if not open:
                return status
        status = read_into(
            segments, &held, &segment, wanted[i].spot.offset, wanted[i].spot.size,
            wanted[i].sequence, into + wanted[i].at,
        )
        wanted[i].moved = status == GONE
        if status == FAILED:
            status = cut_or_failed(segments, segment.number)
            break
    if open:
        segments.let_go(&held)
    return FOUND if status == GONE else status


cdef int reach(
    Segments segments, const Wanted *wanted, Segment *segment, OpenFile *held
) noexcept nogil:
    """Get the file of the segment where a record lies: FOUND, ABSENT (cut), FAILED."""
    cdef int status = segment_of(segments, wanted.spot, wanted.sequence, segment)
    if status == FOUND:
        status = segments.acquire(segment.number, held)
        if status < 0:
            segments.blame(
                BROKEN, -status, segment.number, wanted.spot.offset, wanted.sequence
            )
            return cut_or_failed(segments, segment.number)
        status = FOUND
    return status


cdef int segment_of(
    Segments segments, Spot spot, uint64_t sequence, Segment *segment
) noexcept nogil:
    """Find the segment of a spot: FOUND, ABSENT (cut), FAILED (it should be there)."""
    cdef int status = segments.find(spot.segment, segment)
    if status == FAILED:
        segments.blame(BROKEN, MISSING, spot.segment, spot.offset, sequence)
    return status


cdef int read_into(
    Segments segments, const OpenFile *held, const Segment *segment, uint64_t offset,
    size_t length, uint64_t sequence, uint8_t *into,
) noexcept nogil:
    """Read the one frame that stands there: FOUND, GONE (it is another's), FAILED."""
    cdef Frame frame
    cdef int64_t count
    if length > RECORD_MAX:  # there need not be room for it
        return segments.blame(DAMAGED, 0, segment.number, offset, sequence)
    count = segments.disk.read(held.file, into, FRAME_BYTES + length, offset)
    if count < 0:
        return segments.blame(BROKEN, <int>-count, segment.number, offset, sequence)
    if not read_frame(into, count, segment.seed, &frame) or frame.length != length:
        return segments.blame(DAMAGED, 0, segment.number, offset, sequence)
    return FOUND if frame.sequence == sequence else GONE


cdef int read_at(
    Segments segments, const Segment *segment, uint64_t offset, size_t length,
    uint64_t sequence, uint8_t **into, size_t *size,
) noexcept nogil:
    """Read the record of the one frame that stands there: FOUND, GONE, FAILED."""
    cdef OpenFile held
    cdef int status
    cdef uint8_t *bytes = <uint8_t *>malloc(FRAME_BYTES + length)
    if bytes == NULL:
        return segments.blame(BROKEN, NO_MEMORY, segment.number, offset, sequence)
    status = segments.acquire(segment.number, &held)
    if status < 0:
        free(bytes)
        return segments.blame(BROKEN, -status, segment.number, offset, sequence)
    status = read_into(segments, &held, segment, offset, length, sequence, bytes)
    segments.let_go(&held)
    if status != FOUND:
        free(bytes)
        return status
    memmove(bytes, bytes + FRAME_BYTES, length)
    into[0] = bytes
    size[0] = length
    return FOUND


cdef int hop(
    Segments segments, const Segment *segment, uint64_t *offset, uint64_t sequence, size_t *length
) noexcept nogil:
    """Go from frame to frame until that of a sequence: FOUND, ABSENT, FAILED.

    Only heads are looked at; the reading that follows verifies what was found.
    """
    cdef OpenFile held
    cdef int64_t count
    cdef size_t at
    cdef uint64_t found
    cdef int status = FAILED
    cdef uint8_t *bytes = <uint8_t *>malloc(HOP_BYTES)
    if bytes == NULL:
        return segments.blame(BROKEN, NO_MEMORY, segment.number, offset[0], sequence)
    count = segments.acquire(segment.number, &held)
    if count < 0:
        free(bytes)
        return segments.blame(BROKEN, <int>-count, segment.number, offset[0], sequence)
    while status == FAILED:
        count = segments.disk.read(held.file, bytes, HOP_BYTES, offset[0])
        if count < 0:
            break
        at = 0
        while at + FRAME_BYTES <= <size_t>count:
            length[0] = load32(bytes + at + 4)
            found = load64(bytes + at + 8)
            if length[0] == 0 or length[0] > RECORD_MAX or found > sequence:
                status = ABSENT
            elif found == sequence:
                status = FOUND
            if status != FAILED:
                break
            at += frame_bytes(length[0])
        offset[0] += at
        if count < FRAME_BYTES and status == FAILED:
            status = ABSENT
    segments.let_go(&held)
    free(bytes)
    if count < 0:
        return segments.blame(BROKEN, <int>-count, segment.number, offset[0], sequence)
    return status


cdef int cut_or_failed(Segments segments, uint32_t number) noexcept nogil:
    """Tell a segment that was cut while it was looked for from one that can't be read."""
    cdef Segment segment
    if segments.find(number, &segment) != ABSENT:
        return FAILED
    segments.blame(FINE, 0, 0, 0, 0)
    return ABSENT


cdef int read_by_hopping(
    Segments segments, const Segment *segment, Spot start, uint64_t sequence,
    uint8_t **into, size_t *size,
) noexcept nogil:
    cdef uint64_t offset = HEADER_BYTES
    cdef size_t length = 0
    cdef int status
    if segment.number == start.segment and start.offset > HEADER_BYTES:
        offset = start.offset
    status = hop(segments, segment, &offset, sequence, &length)
    if status == FOUND:
        status = read_at(segments, segment, offset, length, sequence, into, size)
    if status == FOUND or status == FAILED:
        return status
    return segments.blame(DAMAGED, 0, segment.number, offset, sequence)
