# cython: language_level=3
"""Writing into LMDB: changes into a transaction, and zeros ahead of the data (see the .pxd)."""

from libc.errno cimport EIO, errno
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcmp
from posix.stat cimport fstat, struct_stat
from posix.types cimport off_t
from posix.unistd cimport fdatasync, ftruncate, pwrite

from router.queue._base cimport Base
from router.queue._bytes cimport FAILED, FOUND
from router.queue._lmdb_calls cimport (
    LMDB_APPEND, LMDB_LAST, LMDB_NOT_FOUND, LMDB_SET, Blob, lmdb,
)
from router.queue._lmdb_commit cimport push
from router.queue._overlay cimport Overlay, Walk

from router.limits import MAP_AHEAD_BYTES_MAX, MAP_AHEAD_BYTES_MIN, MAP_AHEAD_FREE_SHARE

__all__ = []

cdef extern from "<sys/statvfs.h>" nogil:
    ctypedef struct statvfs_t "struct statvfs":
        unsigned long f_frsize
        unsigned long long f_bavail
    int fstatvfs(int file, statvfs_t *found)


cdef uint8_t ZEROS[1 << 18]  # never written to
cdef uint64_t FREE_SHARE = MAP_AHEAD_FREE_SHARE
cdef uint64_t AHEAD_MOST = MAP_AHEAD_BYTES_MAX
cdef uint64_t AHEAD_LEAST = MAP_AHEAD_BYTES_MIN
cdef const uint8_t *NOTHING = <const uint8_t *>b""


cdef int apply_changes(
    void *txn, const unsigned int *dbi, int count, Overlay changes
) noexcept nogil:
    cdef Walk walk
    cdef int table
    cdef int status
    cdef int failed = 0
    for table in range(count):
        status = changes.first(table, NOTHING, 0, &walk)
        if status == FOUND:
            failed = apply_table(txn, dbi[table], changes, &walk)
        elif status == FAILED:
            failed = NOT_SORTED
        if failed:
            return failed
    return 0


cdef int apply_table(void *txn, unsigned int dbi, Overlay changes, Walk *walk) noexcept nogil:
    """Put the changes of one table, from `walk` on, into the transaction: 0 or what failed."""
    cdef void *cursor = NULL
    cdef Blob key, value, last
    cdef int status = FOUND
    cdef unsigned int flags = 0  # LMDB_APPEND once the keys are beyond the table's last
    cdef int failed = lmdb.cursor_open(txn, dbi, &cursor)
    if failed:
        return failed
    failed = lmdb.cursor_get(cursor, &last, &value, LMDB_LAST)
    if failed == LMDB_NOT_FOUND:
        last.size = 0
        failed = 0
    while status == FOUND and not failed:
        key = Blob(walk.key.size, <void *>walk.key.data)
        if walk.gone:
            failed = remove(cursor, &key)
        else:
            if not flags and beyond(&key, &last):
                flags = LMDB_APPEND
            value = Blob(walk.value.size, <void *>walk.value.data)
            failed = lmdb.cursor_put(cursor, &key, &value, flags)
        status = changes.next(walk)
    lmdb.cursor_close(cursor)
    return failed


cdef int remove(void *cursor, Blob *key) noexcept nogil:
    cdef Blob value
    cdef int failed = lmdb.cursor_get(cursor, key, &value, LMDB_SET)
    if failed:
        return 0 if failed == LMDB_NOT_FOUND else failed
    return lmdb.cursor_del(cursor, 0)


cdef bint beyond(Blob *key, Blob *last) noexcept nogil:
    cdef size_t common = min(key.size, last.size)
    cdef int order = memcmp(key.data, last.data, common) if common else 0
    return order > 0 or (order == 0 and key.size > last.size)


cdef int keep_ahead(
    int file, uint64_t *length, uint64_t used, uint64_t grown, Base base
) noexcept nogil:
    cdef uint64_t ahead, step
    if length[0] < used:  # the commit went beyond the zeros, or gave pages up unwritten
        length[0] = length_of(file)
        if length[0] < used and ftruncate(file, <off_t>used) == 0:
            length[0] = used
    ahead = min(max(used >> 3, AHEAD_LEAST), AHEAD_MOST)
    if length[0] >= used + (ahead >> 1):
        return 0
    step = min(max(2 * grown, AHEAD_LEAST), used + ahead - length[0])
    if step <= free_bytes(file) // FREE_SHARE:
        return fill(file, length, step, base)
    return 0


cdef uint64_t length_of(int file) noexcept nogil:
    cdef struct_stat found
    return <uint64_t>found.st_size if fstat(file, &found) == 0 else 0


cdef uint64_t free_bytes(int file) noexcept nogil:
    cdef statvfs_t found
    if fstatvfs(file, &found):
        return 0
    return <uint64_t>found.f_bavail * found.f_frsize


cdef int fill(int file, uint64_t *length, uint64_t size, Base base) noexcept nogil:
    """Write zeros at the end and flush them: 0, or what the flush failed with.

    That they can't be written harms nobody; a failed flush says that the disk can't be trusted.
    """
    cdef uint64_t start = length[0]
    cdef uint64_t done = 0
    cdef ssize_t written
    cdef int failed
    while done < size:
        written = pwrite(file, ZEROS, min(sizeof(ZEROS), size - done), <off_t>(start + done))
        if written <= 0:
            break
        failed = push(file, start + done, start + done + <uint64_t>written, base)
        if failed:
            return failed
        done += <uint64_t>written
    length[0] += done
    return errno if fdatasync(file) else 0


cdef int true_reason(int file, int failed) noexcept nogil:
    cdef uint64_t length = length_of(file)
    cdef uint64_t done = 0
    cdef ssize_t written
    if failed != EIO or length == 0:
        return failed
    while done < sizeof(ZEROS):
        written = pwrite(file, ZEROS, sizeof(ZEROS) - done, <off_t>(length + done))
        if written <= 0:
            failed = errno if written < 0 else EIO
            break
        done += <uint64_t>written
    ftruncate(file, <off_t>length)
    return failed
