# cython: language_level=3
"""A disk in memory that can lose what was not flushed, fail and lie."""

from libc.stdint cimport int64_t, uint64_t

from router.queue._disk cimport Disk


cdef class _File:
    cdef bytearray now
    cdef bytearray flushed
    cdef list changes      # (offset, bytes) or (size, None), since the last flush
    cdef int settle(self) except -1


cdef class SimulatedDisk(Disk):
    cdef dict _files       # name -> _File, as the process sees it
    cdef dict _kept        # name -> _File, as a crash would leave it
    cdef list _renamings   # what was done to names since they were last flushed
    cdef dict _open        # handle -> _File
    cdef int _handles
    cdef uint64_t _salts
    cdef list _plans       # [call, calls to go, outcome]
    cdef readonly dict counters
    cdef public object room_bytes   # how many bytes there is room for; None: without end
    cdef str planned(self, str call)
    cdef int refusal(self, str outcome)
    cdef int _open_file(self, str name, bint create) except? -1
    cdef int64_t _write(self, int file, bytes data, uint64_t offset) except? -1
    cdef int _reserve(self, int file, uint64_t size) except? -1
    cdef bint _change(self, _File file, uint64_t offset, bytes data) except -1
    cdef int _rename(self, str name, object new_name) except? -1
