# cython: language_level=3
"""The contract of `_decide_rules.pyx`: one document, decided."""

from router._decide_conditions cimport Answer, Asked, Instant
from router._decide_tables cimport Policy, Workspace
from router._tables cimport Status


cdef enum:
    PARTS_MAX = 5       # more held parts than that are joined: stricter, never looser
    APPROVALS_MAX = 16  # more are cut outside
    CUTS_MAX = 64       # parts before they are joined; more are cut outside


cdef Status decide_one(const Policy *p, Workspace *w, const Instant *now, Asked *d,
                       Answer *out) noexcept nogil
