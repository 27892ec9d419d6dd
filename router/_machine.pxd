# cython: language_level=3
"""Operations, plans and the workspace of the machine that runs selector programs."""

from libc.stdint cimport uint8_t, uint32_t

from router._tables cimport Run, Status, Tables


cdef enum OpCode:
    CODE_UNIT = 1
    CODE_ALL = 2
    CODE_CHILDREN = 3
    CODE_DESCENDANTS = 4
    CODE_TIER = 5
    CODE_KIND = 6
    CODE_UNION = 7
    CODE_DIFFERENCE = 8
    CODE_INTERSECTION = 9
    CODE_NONE = 10
    CODE_SET = 11
    CODE_PARENT = 12
    CODE_SIBLINGS = 13
    CODE_SUBTREE = 14
    CODE_CLASS = 15    # tier and kind at once


cdef struct Op:
    uint32_t code
    uint32_t value


cdef struct Constant:  # a set that a program brings along; the program keeps it alive
    const Run *runs
    size_t count


cdef struct Plan:  # one checked program
    const Op *ops
    size_t count
    size_t stack_max
    const Constant *sets


cdef struct Entry:  # one set on the stack of a running program
    const Run *view  # runs that live in the tables, or NULL: in the arena at `offset`
    size_t offset    # the arena's fill when the set was pushed; what follows is above it
    size_t count


cdef struct Workspace:
    Run *arena
    size_t capacity
    size_t used
    Entry *stack
    size_t stack_capacity
    uint8_t *marks   # one byte a unit, all zero between uses; made when first needed


cdef Status run_plans(const Tables *t, const Plan *plans, size_t count, Run **pool,
                      size_t *lengths) noexcept nogil


cdef inline bint relates(uint32_t code) noexcept nogil:
    """Say whether an operation replaces the set on top by its relatives."""
    return code in (CODE_CHILDREN, CODE_DESCENDANTS, CODE_PARENT, CODE_SIBLINGS, CODE_SUBTREE)
