# cython: language_level=3
"""A disk in memory that can lose what was not flushed, fail and lie."""

from libc.stdint cimport uint64_t

from router.queue._disk cimport Disk


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
