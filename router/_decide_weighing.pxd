# cython: language_level=3
"""The contract of `_decide_weighing.pyx`: the algebra over few recipients."""

from router._decide_conditions cimport Case


cdef bint can_weigh(Case *c) noexcept nogil
cdef void weigh(Case *c) noexcept nogil
