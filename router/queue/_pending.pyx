# cython: language_level=3
"""How many open deliveries were written to each address by name.

A table in memory, because acceptance adds to it for each recipient of a list; what changed is
written with the state at each checkpoint.  Broadcasts are not counted here: they are stored
once, whoever reads them.
"""

cimport cython
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from router.queue._bytes cimport FAILED
from router.queue._keys cimport prefetch

__all__ = ["Pending"]

cdef enum:
    BITS_AT_FIRST = 8

cdef uint64_t USED = <uint64_t>1 << 31
cdef uint64_t CHANGED = <uint64_t>1 << 30
cdef uint64_t COUNT = (<uint64_t>1 << 30) - 1


@cython.final
cdef class Pending:
    """Counts by address; under the store's lock."""

    def __cinit__(self):
        self.bits = BITS_AT_FIRST
        self.slots = <uint64_t *>calloc(1 << BITS_AT_FIRST, sizeof(uint64_t))
        if self.slots == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.slots)

    def __reduce__(self):
        raise TypeError("counts are not pickled")

    cdef uint64_t *find(self, uint32_t address) noexcept nogil:
        """Return the slot of an address, or the free one where it would be."""
        cdef uint32_t mask = (<uint32_t>1 << self.bits) - 1
        cdef uint32_t at = (address * <uint32_t>0x9E3779B1) >> (32 - self.bits)
        while self.slots[at] & USED and self.slots[at] >> 32 != address:
            at = (at + 1) & mask
        return &self.slots[at]

    cdef void fetch(self, uint32_t address) noexcept nogil:
        """Have the count of an address read from memory meanwhile."""
        prefetch(&self.slots[(address * <uint32_t>0x9E3779B1) >> (32 - self.bits)])

    cdef uint64_t *make(self, uint32_t address) noexcept nogil:
        """Return the slot of an address, made when it has none; NULL: no memory."""
        cdef uint64_t *slot = self.find(address)
        if slot[0] & USED:
            return slot
        if 2 * <uint64_t>self.used >= <uint64_t>1 << self.bits:
            if self.grow() == FAILED:
                return NULL
            slot = self.find(address)
        slot[0] = <uint64_t>address << 32 | USED
        self.used += 1
        return slot

    cdef int grow(self) noexcept nogil:
        cdef uint64_t *old = self.slots
        cdef size_t count = <size_t>1 << self.bits, i
        cdef uint64_t *larger = <uint64_t *>calloc(2 * count, sizeof(uint64_t))
        if larger == NULL:
            return FAILED
        self.slots = larger
        self.bits += 1
        for i in range(count):
            if old[i] & USED:
                self.find(<uint32_t>(old[i] >> 32))[0] = old[i]
        free(old)
        return 0

    cdef uint32_t get(self, uint32_t address) noexcept nogil:
        """Return the count of an address."""
        return <uint32_t>(self.find(address)[0] & COUNT)

    cdef int add(self, uint32_t address, int by) noexcept nogil:
        """Add 1 or -1; never below 0."""
        cdef uint64_t *slot = self.make(address)
        if slot == NULL:
            return FAILED
        if by > 0 or slot[0] & COUNT:
            slot[0] = (slot[0] + by) | CHANGED
        return 0

    cdef int set(self, uint32_t address, uint32_t count) noexcept nogil:
        """Put down what the state says at a start."""
        cdef uint64_t *slot = self.make(address)
        if slot == NULL:
            return FAILED
        slot[0] = <uint64_t>address << 32 | USED | (count & COUNT)
        return 0

    cdef bint next_changed(self, size_t *at, uint32_t *address, uint32_t *count) noexcept nogil:
        """Give the next count from slot `at` on that changed, as written from now on."""
        while at[0] < <size_t>1 << self.bits:
            at[0] += 1
            if self.slots[at[0] - 1] & CHANGED:
                self.slots[at[0] - 1] &= ~CHANGED
                address[0] = <uint32_t>(self.slots[at[0] - 1] >> 32)
                count[0] = <uint32_t>(self.slots[at[0] - 1] & COUNT)
                return True
        return False
