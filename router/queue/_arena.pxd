# cython: language_level=3
"""Memory cut from chunks that are dropped as a whole."""

from libc.stdint cimport uint8_t
from libc.stdlib cimport free, malloc


cdef enum:
    CHUNK_FIRST = 65536
    CHUNK_LAST = 1048576
    CHUNK_HEAD = 64  # a cache line, so that cells of 64 bytes lie in one


ctypedef struct Chunk:
    Chunk *older
    size_t size


ctypedef struct Arena:
    Chunk *chunk     # the one being filled, then older ones
    uint8_t *free_from
    uint8_t *free_to
    size_t next_size
    size_t *held     # counts the bytes of all chunks


cdef inline void *take_anew(Arena *arena, size_t size) noexcept nogil:
    """Cut from a new chunk.  What is large gets its own, and the present one stays in use."""
    cdef bint alone = size > arena.next_size // 8
    cdef size_t whole = CHUNK_HEAD + size if alone else arena.next_size
    cdef Chunk *chunk = <Chunk *>malloc(whole)
    cdef uint8_t *cut
    if chunk == NULL:
        return NULL
    cut = <uint8_t *>chunk + CHUNK_HEAD
    chunk.size = whole
    arena.held[0] += whole
    if alone and arena.chunk != NULL:
        chunk.older = arena.chunk.older
        arena.chunk.older = chunk
        return cut
    chunk.older = arena.chunk
    arena.chunk = chunk
    arena.free_from = cut + size
    arena.free_to = <uint8_t *>chunk + whole
    if arena.next_size < CHUNK_LAST:
        arena.next_size *= 2
    return cut


cdef inline void *take(Arena *arena, size_t size) noexcept nogil:
    """Cut bytes, aligned to eight; NULL when there is no memory."""
    cdef uint8_t *cut = arena.free_from
    size = (size + 7) & ~<size_t>7
    if <size_t>(arena.free_to - cut) < size:
        return take_anew(arena, size)
    arena.free_from += size
    return cut


cdef inline void empty(Arena *arena) noexcept nogil:
    """Drop everything cut, and all chunks but the first."""
    cdef Chunk *older
    while arena.chunk != NULL and arena.chunk.older != NULL:
        older = arena.chunk.older
        arena.held[0] -= arena.chunk.size
        free(arena.chunk)
        arena.chunk = older
    arena.next_size = CHUNK_FIRST
    arena.free_from = NULL
    arena.free_to = NULL
    if arena.chunk != NULL:
        arena.free_from = <uint8_t *>arena.chunk + CHUNK_HEAD
        arena.free_to = <uint8_t *>arena.chunk + arena.chunk.size
