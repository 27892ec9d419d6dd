# cython: language_level=3
"""A large commit written down step by step, and undone when a power cut came in between.

LMDB's own synced commit gives the disk all its pages at once, and a flush of the log that comes
then waits for all of them.  So a large one is committed unsynced, and its pages are written in
steps with rests.  Until the last step the disk may hold the new meta page without the pages it
names; hence the note: before the commit, the meta page of the one before is written beside the
data and flushed.  LMDB never writes over a page of the last commit, so while the note stands that
one is whole, and `undo_commit` (`environment.py`) goes back to it when the environment is
opened again.  The log has all that was in the commit.
"""

from libc.errno cimport EINVAL, EIO, ENOSYS, ESPIPE, errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset
from posix.types cimport off_t
from posix.unistd cimport fdatasync, pread, pwrite

from router.queue._base cimport Base
from router.queue._bytes cimport store32
from router.queue._crc cimport crc32c

from router.limits import COMMIT_BURST_US, COMMIT_REST_US, COMMIT_STEP_BYTES

__all__ = []

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <fcntl.h>
    #include <stdint.h>
    #include <time.h>
    static int vanban_push_range(int file, int64_t offset, int64_t count) {
    #ifdef SYNC_FILE_RANGE_WRITE
        return sync_file_range(file, offset, count,
            SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    #else
        (void)file; (void)offset; (void)count;
        return 0;
    #endif
    }
    static int64_t vanban_now_us(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    }
    static void vanban_rest(long microseconds) {
        struct timespec rest = {microseconds / 1000000, microseconds % 1000000 * 1000};
        nanosleep(&rest, NULL);
    }
    """
    int vanban_push_range(int file, int64_t offset, int64_t count) nogil
    int64_t vanban_now_us() nogil
    void vanban_rest(long microseconds) nogil

cdef enum:  # the note: what `environment.py` reads
    NOTE_WORD = 8        # "VBCOMMIT" while a commit is on its way, zeros otherwise
    NOTE_HEAD = 16       # then version, size of a page
    NOTE_VERSION = 1
    PAGE_MAX = 65536

cdef uint64_t STEP = COMMIT_STEP_BYTES
cdef int64_t BURST_US = COMMIT_BURST_US
cdef long REST_US = COMMIT_REST_US


cdef int write_all(int file, const uint8_t *data, size_t count) noexcept nogil:
    """Write at the beginning of a file and flush it: 0 or errno."""
    cdef ssize_t written = pwrite(file, data, count, 0)
    if written != <ssize_t>count:
        return errno if written < 0 else EIO
    return errno if fdatasync(file) else 0


cdef int note_commit(int note, int data, size_t page, uint64_t last) noexcept nogil:
    cdef uint8_t[NOTE_HEAD + PAGE_MAX + 4] all
    cdef ssize_t found
    if page > PAGE_MAX:
        return EINVAL
    memcpy(all, b"VBCOMMIT", NOTE_WORD)
    store32(all + 8, NOTE_VERSION)
    store32(all + 12, <uint32_t>page)
    # LMDB's commits take turns at two meta pages.
    found = pread(data, all + NOTE_HEAD, page, <off_t>((last & 1) * page))
    if found != <ssize_t>page:
        return errno if found < 0 else EIO
    store32(all + NOTE_HEAD + page, crc32c(0, all, NOTE_HEAD + page))
    return write_all(note, all, NOTE_HEAD + page + 4)


cdef int push(int file, uint64_t start, uint64_t stop, Base base) noexcept nogil:
    cdef uint64_t at = start
    cdef uint64_t seen = base.beside
    cdef int64_t begun = vanban_now_us()
    while at < stop:
        # What it reports, a later flush may not: nothing may go unnoticed.
        if vanban_push_range(file, <int64_t>at, <int64_t>min(STEP, stop - at)):
            if errno != ENOSYS and errno != ESPIPE and errno != EINVAL:
                return errno
            return 0
        if vanban_now_us() - begun > BURST_US:
            if base.beside != seen and not base.hurry:
                vanban_rest(REST_US)
            seen = base.beside
            begun = vanban_now_us()
        at += STEP
    return 0


cdef int finish_commit(int note, int data, uint64_t length, Base base) noexcept nogil:
    cdef uint8_t[NOTE_WORD] nothing
    cdef int failed = push(data, 0, length, base)
    if failed:
        return failed
    if fdatasync(data):
        return errno
    memset(nothing, 0, NOTE_WORD)
    return write_all(note, nothing, NOTE_WORD)
