# cython: language_level=3
"""The order of one hierarchy's units, for `_tables`."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from router._tables cimport Node, Status


cdef struct Group:  # the units of one tier and kind while they are counted
    uint32_t name   # tier and kind: what units are numbered by before preorder
    uint32_t count


cdef struct Scratch:
    # Columns by index of the sorted nodes: small arrays, because they are read at random.
    uint32_t *memory
    uint32_t *parent    # index, or NOBODY
    uint16_t *group     # index into `groups`
    uint32_t *size      # of the subtree
    uint8_t *depth      # from 1; DEPTH_MAX is below 255
    uint32_t *level_order  # the indexes by (depth, index)
    uint32_t *next_place   # where in preorder the next child goes
    uint32_t *order        # index by preorder
    Group *groups
    uint32_t group_count


cdef Status order_nodes(Scratch *s, Node *nodes, uint32_t count, uint32_t depth_max,
                        uint32_t *culprit) noexcept nogil
cdef void free_scratch(Scratch *s) noexcept nogil
