# cython: language_level=3
"""The files of one directory, as the log sees them, and how POSIX gives them.

The log asks for nothing else, so that a disk in memory can stand in for a real one and
lose, tear, refuse and lie.  No call takes the GIL.
"""

from libc.errno cimport EINTR, EINVAL, EIO, ENOSYS, errno
from libc.stdint cimport int64_t, uint8_t, uint64_t
cimport cython

from router.queue._bytes cimport load64, store64

import os

from router.errors import StorageError

__all__ = ["Disk", "PosixDisk"]

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <errno.h>
    #include <fcntl.h>
    #include <stdio.h>
    #include <sys/mman.h>
    #include <sys/random.h>
    #include <sys/stat.h>
    #include <sys/types.h>
    #include <unistd.h>

    static int64_t vanban_size(int file) {
        struct stat found;
        return fstat(file, &found) ? -errno : (int64_t)found.st_size;
    }
    /* The flush that follows finds less to do; what this reports, that one may not. */
    static int vanban_push(int file, int64_t offset, int64_t count) {
    #ifdef SYNC_FILE_RANGE_WRITE
        if (sync_file_range(file, offset, count,
                SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER)
            && errno != ENOSYS && errno != ESPIPE && errno != EINVAL)
            return -errno;
    #else
        (void)file; (void)offset; (void)count;
    #endif
        return 0;
    }
    static char vanban_zeros[262144] __attribute__((aligned(4096)));  /* never written to */
    static int vanban_direct(int file, int wanted) {
    #ifdef O_DIRECT
        int flags = fcntl(file, F_GETFL);
        return flags >= 0
            && fcntl(file, F_SETFL, wanted ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
    #else
        (void)file; (void)wanted;
        return 0;
    #endif
    }
    static uint64_t vanban_load(const uint64_t *word) {
        return __atomic_load_n(word, __ATOMIC_SEQ_CST);
    }
    static void vanban_store(uint64_t *word, uint64_t value) {
        __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
    }
    """
    int O_RDWR
    int O_CREAT
    int O_EXCL
    int O_CLOEXEC
    int O_NOFOLLOW
    int PROT_READ
    int PROT_WRITE
    int MAP_SHARED
    void *MAP_FAILED
    int c_openat "openat"(int directory, const char *name, int flags, int mode) nogil
    int c_close "close"(int file) nogil
    int64_t vanban_size(int file) nogil
    char *vanban_zeros
    int vanban_direct(int file, int wanted) nogil
    int vanban_push(int file, int64_t offset, int64_t count) nogil
    ssize_t c_pread "pread"(int file, void *into, size_t count, int64_t offset) nogil
    ssize_t c_pwrite "pwrite"(int file, const void *data, size_t count, int64_t offset) nogil
    int c_fdatasync "fdatasync"(int file) nogil
    int c_fsync "fsync"(int file) nogil
    int c_ftruncate "ftruncate"(int file, int64_t size) nogil
    int c_renameat "renameat"(int old, const char *name, int new, const char *new_name) nogil
    int c_unlinkat "unlinkat"(int directory, const char *name, int flags) nogil
    void *c_mmap "mmap"(void *at, size_t size, int rights, int flags, int file, int64_t off) nogil
    int c_munmap "munmap"(void *at, size_t size) nogil
    ssize_t c_getrandom "getrandom"(void *into, size_t count, unsigned int flags) nogil
    uint64_t vanban_load(const uint64_t *word) nogil
    void vanban_store(uint64_t *word, uint64_t value) nogil

cdef enum:
    ZEROS_BYTES = 262144     # zeros written by one call
    DIRECT_BYTES = 4096      # what is written past the page cache are whole blocks of these
    WORD_BYTES = 8


cdef class Disk:
    """The files of one directory; `PosixDisk` and `SimulatedDisk` are the two kinds.

    A file is a small number while it is open.  What was written is only sure to be there
    after a crash when the file was flushed, and its name when the names were.
    """

    def __reduce__(self):
        raise TypeError("a disk holds open files: it is not pickled")

    cdef int open(self, const char *name, bint create) noexcept nogil:
        """Open for reading and writing; with `create`, make it new (-EEXIST: it is there)."""
        return -ENOSYS

    cdef int close(self, int file) noexcept nogil:
        return -ENOSYS

    cdef int64_t size(self, int file) noexcept nogil:
        return -ENOSYS

    cdef int64_t read(self, int file, void *into, size_t count, uint64_t offset) noexcept nogil:
        """Read all there is, up to `count` bytes; fewer only at the end of the file."""
        return -ENOSYS

    cdef int64_t write(
        self, int file, const void *data, size_t count, uint64_t offset
    ) noexcept nogil:
        """Write all of it, going on after short writes."""
        return -ENOSYS

    cdef int flush(self, int file) noexcept nogil:
        return -ENOSYS

    cdef int flush_names(self) noexcept nogil:
        return -ENOSYS

    cdef int reserve(self, int file, uint64_t size) noexcept nogil:
        """Make the file that long with zeros, and flush it; what is there stays."""
        return -ENOSYS

    cdef int extend(self, int file, uint64_t size) noexcept nogil:
        """Make the file that long with zeros and let them be written, without flushing it."""
        return -ENOSYS

    cdef int truncate(self, int file, uint64_t size) noexcept nogil:
        return -ENOSYS

    cdef int rename(self, const char *name, const char *new_name) noexcept nogil:
        return -ENOSYS

    cdef int remove(self, const char *name) noexcept nogil:
        return -ENOSYS

    cdef int claim(self, uint64_t epoch) noexcept nogil:
        """Write the number of an opening into EPOCH, where former owners look, and flush."""
        return -ENOSYS

    cdef uint64_t claimed(self) noexcept nogil:
        """Return the number that EPOCH holds now; 0 when there is none."""
        return 0

    cdef uint64_t salt(self) noexcept nogil:
        """Return a number that nobody can foretell (the simulator's can be replayed)."""
        return 0

    cpdef list names(self):
        """Return the names of the files that are there.  Raises StorageError."""
        raise NotImplementedError

    cpdef object free_bytes(self):
        """Return how many bytes there is room for.  Raises StorageError."""
        raise NotImplementedError

    def call(self, str call, *given):
        """Make one call of the C face, for tests and tools; return its number.

        `read` takes (file, count, offset) and returns the bytes; names and data are bytes.
        """
        cdef bytes data
        if call == "read":
            data = bytes(<Py_ssize_t>given[1])
            count = self.read(given[0], <char *>data, given[1], given[2])
            return data[:count] if count >= 0 else count
        if call == "write":
            data = given[1]
            return self.write(given[0], <const char *>data, len(data), given[2])
        if call in ("open", "rename", "remove"):
            data = given[0]
            if call == "open":
                return self.open(data, given[1])
            return self.rename(data, given[1]) if call == "rename" else self.remove(data)
        if call in ("reserve", "extend", "truncate"):
            file, size = given
            if call == "extend":
                return self.extend(file, size)
            return self.reserve(file, size) if call == "reserve" else self.truncate(file, size)
        if call in ("close", "size", "flush"):
            (file,) = given
            if call == "size":
                return self.size(file)
            return self.close(file) if call == "close" else self.flush(file)
        if call == "claim":
            return self.claim(given[0])
        if call == "flush_names":
            return self.flush_names()
        if call not in ("claimed", "salt"):
            raise ValueError(f"no such call: {call}")
        return self.claimed() if call == "claimed" else self.salt()


@cython.final
cdef class PosixDisk(Disk):
    """The files of a directory of this machine.

    Raises StorageError `store.failed` when the directory can't be opened.
    """

    def __cinit__(self):
        self.directory = -1
        self.epoch_word = NULL

    def __init__(self, path):
        self.path = os.fspath(path)
        try:
            self.directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._failed(error) from error

    def __dealloc__(self):
        if self.epoch_word != NULL:
            c_munmap(self.epoch_word, WORD_BYTES)
        if self.directory >= 0:
            c_close(self.directory)

    cdef int open(self, const char *name, bint create) noexcept nogil:
        cdef int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW, file
        if create:
            flags |= O_CREAT | O_EXCL
        while True:
            file = c_openat(self.directory, name, flags, 0o600)
            if file >= 0:
                return file
            if errno != EINTR:
                return -errno

    cdef int close(self, int file) noexcept nogil:
        return -errno if c_close(file) else 0

    cdef int64_t size(self, int file) noexcept nogil:
        return vanban_size(file)

    cdef int64_t read(self, int file, void *into, size_t count, uint64_t offset) noexcept nogil:
        cdef size_t done = 0
        cdef ssize_t part
        while done < count:
            part = c_pread(file, <uint8_t *>into + done, count - done, offset + done)
            if part == 0:
                break
            if part > 0:
                done += part
            elif errno != EINTR:
                return -errno
        return done

    cdef int64_t write(
        self, int file, const void *data, size_t count, uint64_t offset
    ) noexcept nogil:
        cdef size_t done = 0
        cdef ssize_t part
        while done < count:
            part = c_pwrite(file, <const uint8_t *>data + done, count - done, offset + done)
            if part > 0:
                done += part
            elif part == 0:
                return -EIO
            elif errno != EINTR:
                return -errno
        return done

    cdef int flush(self, int file) noexcept nogil:
        # Never repeated: after a failed flush the kernel may count the pages as clean.
        return -errno if c_fdatasync(file) else 0

    cdef int flush_names(self) noexcept nogil:
        return -errno if c_fsync(self.directory) else 0

    cdef int reserve(self, int file, uint64_t size) noexcept nogil:
        cdef int status = self.extend(file, size)
        return self.flush(file) if status >= 0 else status

    cdef int extend(self, int file, uint64_t size) noexcept nogil:
        """Past the page cache where it can be: zeros need no place there, and no copying."""
        cdef int64_t at = vanban_size(file)
        cdef int64_t start = at
        cdef int64_t count
        cdef int64_t written
        cdef bint direct
        if at < 0:
            return <int>at
        while <uint64_t>at < size:
            count = min(<int64_t>size - at, <int64_t>ZEROS_BYTES)
            direct = not (at | count) & (DIRECT_BYTES - 1) and vanban_direct(file, True)
            written = self.write(file, vanban_zeros, count, at)
            if direct:
                vanban_direct(file, False)
                if written == -EINVAL:
                    written = self.write(file, vanban_zeros, count, at)
            if written < 0:
                return <int>written
            at += count
        return vanban_push(file, start, at - start) if at > start else 0

    cdef int truncate(self, int file, uint64_t size) noexcept nogil:
        return -errno if c_ftruncate(file, size) else 0

    cdef int rename(self, const char *name, const char *new_name) noexcept nogil:
        return -errno if c_renameat(self.directory, name, self.directory, new_name) else 0

    cdef int remove(self, const char *name) noexcept nogil:
        return -errno if c_unlinkat(self.directory, name, 0) else 0

    cdef int map_epoch(self, bint create) noexcept nogil:
        """Map EPOCH, eight bytes long, so that looking at it takes no call."""
        cdef int file, status = 0
        cdef uint64_t zero = 0
        cdef void *word
        if self.epoch_word != NULL:
            return 0
        file = self.open(b"EPOCH", False)
        if file < 0 and create:
            file = self.open(b"EPOCH", True)
        if file < 0:
            return file
        if vanban_size(file) < WORD_BYTES:  # made, and then the machine stopped
            status = <int>self.write(file, &zero, WORD_BYTES, 0)
        if status >= 0:
            word = c_mmap(NULL, WORD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
            status = -errno if word == MAP_FAILED else 0
        c_close(file)
        if status >= 0:
            self.epoch_word = <uint64_t *>word
        return status

    cdef int claim(self, uint64_t epoch) noexcept nogil:
        cdef int file, status = self.map_epoch(True)
        cdef uint64_t word
        if status < 0:
            return status
        file = self.open(b"EPOCH", False)
        if file < 0:
            return file
        store64(<uint8_t *>&word, epoch)
        vanban_store(self.epoch_word, word)
        status = <int>self.write(file, &word, WORD_BYTES, 0)
        if status >= 0:
            status = -errno if c_fsync(file) else self.flush_names()
        c_close(file)
        return status

    cdef uint64_t claimed(self) noexcept nogil:
        cdef uint64_t word
        if self.epoch_word == NULL and self.map_epoch(False) < 0:
            return 0
        word = vanban_load(self.epoch_word)
        return load64(<const uint8_t *>&word)

    cdef uint64_t salt(self) noexcept nogil:
        cdef uint64_t number = 0
        c_getrandom(&number, sizeof(number), 0)
        return number

    cpdef list names(self):
        """Return the names of the files that are there.  Raises StorageError."""
        try:
            return sorted(os.listdir(self.directory))
        except OSError as error:
            raise self._failed(error) from error

    cpdef object free_bytes(self):
        """Return how many bytes there is room for.  Raises StorageError."""
        try:
            found = os.fstatvfs(self.directory)
        except OSError as error:
            raise self._failed(error) from error
        return found.f_bavail * found.f_frsize

    def _failed(self, error):
        return StorageError("store.failed", path=self.path, reason=error.strerror)
