# cython: language_level=3
"""Writing into LMDB: changes into a transaction, and zeros ahead of the data."""

from libc.stdint cimport uint64_t

from router.queue._base cimport Base
from router.queue._overlay cimport Overlay


cdef enum:
    NOT_SORTED = -1  # beside LMDB's numbers and errno: the changes are not in order

# Puts all changes of a sorted overlay into a transaction: 0 or what failed.  `dbi` are the
# handles of its first `count` tables.
cdef int apply_changes(
    void *txn, const unsigned int *dbi, int count, Overlay changes
) noexcept nogil
# Keeps a file ahead of the bytes in use; what cannot be is no failure.  A step is at least what
# the last commit took (`grown`), so that steady growth stays on zeros, and begins when half of
# the way is used up.  `length` is the file's, kept up to date here; `base` says when to rest.
cdef int keep_ahead(
    int file, uint64_t *length, uint64_t used, uint64_t grown, Base base
) noexcept nogil
# How long a file is; 0 when it does not say.
cdef uint64_t length_of(int file) noexcept nogil
# LMDB calls a write that came out short EIO; find out, at the end of the file, whether the disk is
# full instead.
cdef int true_reason(int file, int failed) noexcept nogil
