# cython: language_level=3
"""A large commit written down step by step, and undone when a power cut came in between."""

from libc.stddef cimport size_t
from libc.stdint cimport uint64_t

from router.queue._base cimport Base


# Notes which commit of the data file is the last that is durable, before one follows that is not
# synced by itself: 0 or errno.  `page` is the size of a page, `last` that commit's number.
cdef int note_commit(int note, int data, size_t page, uint64_t last) noexcept nogil
# Makes all of the data file durable, in steps with rests in between for as long as others flush,
# then forgets what `note_commit` noted: 0 or errno.
cdef int finish_commit(int note, int data, uint64_t length, Base base) noexcept nogil
# Lets a stretch of a file be written, in steps with rests: 0 or errno.  It is not durable yet.
cdef int push(int file, uint64_t start, uint64_t stop, Base base) noexcept nogil
