# cython: language_level=3
"""Sorted arrays that never change once made: the tables of a base in memory.

A version is one state of all tables.  The next one shares with it the tables that did not change,
and the entries that did not change of those that did; owners are counted, on any thread.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp

from router.queue._bytes cimport Slice
from router.queue._overlay cimport TABLES_MAX, Overlay


cdef enum:  # how making a version failed
    NO_MEMORY = 1
    NOT_SORTED = 2


ctypedef struct Entry:  # key and value stand right behind it
    int owners
    uint32_t key_size
    size_t value_size


ctypedef struct Sheet:  # one table, in order of keys; never changed once made
    int owners
    size_t count
    Entry **entries


ctypedef struct Version:  # one state of all tables; never changed once made
    int owners
    int count
    Sheet *sheets[TABLES_MAX]


ctypedef struct Position:
    Sheet *sheet
    size_t at


cdef inline Slice key_of(Entry *entry) noexcept nogil:
    return Slice(<const uint8_t *>(entry + 1), entry.key_size)


cdef inline Slice value_of(Entry *entry) noexcept nogil:
    return Slice(<const uint8_t *>(entry + 1) + entry.key_size, entry.value_size)


cdef inline int compare(Slice one, const uint8_t *key, size_t size) noexcept nogil:
    cdef size_t common = one.size if one.size < size else size
    cdef int order = memcmp(one.data, key, common) if common else 0
    if order:
        return order
    return (one.size > size) - (one.size < size)


# The first entry whose key is not below this one.
cdef size_t place_of(Sheet *sheet, const uint8_t *key, size_t size) noexcept nogil
# What stands at a position: FOUND or ABSENT.
cdef int show(Position *position, Slice *key, Slice *value) noexcept nogil
# A state of `count` empty tables, or NULL.
cdef Version *new_version(int count) noexcept nogil
cdef void own_version(Version *version) noexcept nogil
cdef void release_version(Version *version) noexcept nogil
# Fill a new state from the old one and the changes: 0 or how it failed.
cdef int merge_tables(Version *into, Version *old, Overlay changes) noexcept nogil
