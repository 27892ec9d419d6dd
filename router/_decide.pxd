# cython: language_level=3
"""The door to the tables of a policy; nobody cimports more than the class."""

from libc.stdint cimport int64_t, uint32_t

from router._audience cimport Audience
from router._core cimport Hierarchy
from router._decide_conditions cimport Asked
from router._decide_tables cimport Policy, Workspace
from router._decide_told cimport Teller


cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object value, int *overflow) except? -1


cdef extern from *:
    """
    #include <structmember.h>
    /* Where the object lies that a descriptor of a class reads, from the start of an
       instance; -1 when it is no plain member. */
    static Py_ssize_t vanban_place_of(PyObject *descriptor) {
        PyMemberDef *member;
        if (!Py_IS_TYPE(descriptor, &PyMemberDescr_Type)) return -1;
        member = ((PyMemberDescrObject *)descriptor)->d_member;
        return member->type == T_OBJECT_EX ? member->offset : -1;
    }
    """
    Py_ssize_t place_of "vanban_place_of"(object descriptor)


cdef enum:
    FIELDS = 10


cdef inline int64_t number_of(object value) except? -1:
    """Return an int, the nearest of 64 bits if it has more; raise TypeError."""
    cdef int overflow = 0
    cdef int64_t found = PyLong_AsLongLongAndOverflow(value, &overflow)
    if overflow:
        return 0x7FFFFFFFFFFFFFFF if overflow > 0 else -0x7FFFFFFFFFFFFFFF
    return found


cdef inline uint32_t count_of(object value) except? 0xFFFFFFFF:
    """Return a count; more than 32 bits hold becomes the most but one."""
    cdef int64_t found = number_of(value)
    if found < 0:
        raise ValueError("a count is not below 0")
    return <uint32_t>found if found < 0xFFFFFFFE else 0xFFFFFFFE


cdef class Desk:
    cdef Workspace space
    cdef list held           # the audiences that its slots point into
    cdef bytes terms         # of the day below: documents of one batch share few days
    cdef int64_t day
    cdef uint32_t *pool      # symbols and signers of a call's documents
    cdef size_t pool_count
    cdef size_t pool_capacity

    cdef uint32_t push(self, uint32_t value) except? 0xFFFFFFFF


cdef class DecisionTables:
    cdef Policy policy
    cdef Hierarchy hierarchy
    cdef list kept           # the audiences that the sets point into
    cdef list desks          # free workspaces
    cdef object helper
    cdef Teller teller
    cdef object facts        # the class whose fields lie at `places`
    cdef Py_ssize_t[FIELDS] places
    cdef tuple acts
    cdef tuple urgencies
    cdef dict types
    cdef dict marks
    cdef dict media
    cdef uint32_t approval_count
    cdef size_t term_count
    cdef readonly object version

    cdef int read_fields(self, object kind) except -1
    cdef inline object field(self, object facts, int which)
    cdef int read_rows(self, bytes rows, bytes lists) except -1
    cdef int check_row(self, uint32_t place) except -1
    cdef int check_list(self, uint32_t place, uint32_t below) except -1
    cdef int read_sets(self, list sets) except -1
    cdef int read_tiers(self) except -1
    cdef int pack(self, Desk desk, object facts, Audience audience, Asked *out,
                  list alive) except -1
    cdef int pack_names(self, Desk desk, object facts, Asked *out) except -1
    cdef uint32_t pack_signers(self, Desk desk, tuple signers, uint32_t sender,
                               uint32_t position) except? 0xFFFFFFFF
    cdef int fetch_wanted(self, Desk desk) except -1
