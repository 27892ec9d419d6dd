# cython: language_level=3
"""Postings: the topics under which inboxes find an audience, each with what it stands for.

A topic is (ancestor's stable number or 0 for the whole country, tier, kind).  Topics only find
candidates; a posting says, besides, which runs of the audience lie under its topic and the rank
of each run's first member, so that membership and rank are known from the posting alone.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t

from router._audience cimport Audience
from router._core cimport Hierarchy
from router._tables cimport NOBODY, Tables, common_ancestor, find_block

__all__ = ["EVERYBODY", "postings"]

cdef enum:
    TOPIC_BYTES = 7
    RUN_BYTES = 12
    RUNS_MAX = 4          # more runs under one topic: the audience itself is asked
    LETTERS_MAX = 3       # runs up to this length are written to each member by name
    COUNTRY_TOPICS_MAX = 6  # more classes of the whole country: one topic stands for all

EVERYBODY = (0, 255, 65535)
"""The topic that every unit subscribes to: broadcasts over many classes of units."""


cdef inline void big32(uint8_t *at, uint32_t value) noexcept:
    at[0] = value >> 24
    at[1] = (value >> 16) & 0xFF
    at[2] = (value >> 8) & 0xFF
    at[3] = value & 0xFF


cdef bytes topic_of(uint32_t number, uint32_t tier, uint32_t kind):
    cdef uint8_t[TOPIC_BYTES] topic
    big32(topic, number)
    topic[4] = tier & 0xFF
    topic[5] = (kind >> 8) & 0xFF
    topic[6] = kind & 0xFF
    return PyBytes_FromStringAndSize(<char *>topic, TOPIC_BYTES)


cdef bytes run_of(uint32_t start, uint32_t stop, uint32_t rank):
    cdef uint8_t[RUN_BYTES] run
    big32(run, start)
    big32(run + 4, stop)
    big32(run + 8, rank)
    return PyBytes_FromStringAndSize(<char *>run, RUN_BYTES)


cdef int note(dict found, bytes topic, uint32_t start, uint32_t stop, uint32_t rank) except -1:
    cdef bytes run = run_of(start, stop, rank)
    held = found.get(topic)
    if held is None:
        found[topic] = [run]
    else:
        (<list>held).append(run)
    return 0


def postings(Hierarchy hierarchy not None, Audience audience not None):
    """Return the postings of an audience as records have them, in order of their topics.

    For each: a byte 7, the topic (number u32, tier u8, kind u16), a byte that says how many
    runs follow (0: too many, ask the audience), and (start, stop, rank of the start) of each,
    u32, most significant byte first.  Raises ValueError for an audience of another snapshot.
    """
    cdef dict found = {}
    cdef const Tables *t = &hierarchy.tables
    cdef size_t i
    cdef uint32_t start, stop, piece, block, ancestor, number, rank = 0
    hierarchy.check(audience)
    for i in range(audience.count):
        start, stop = audience.data[i].start, audience.data[i].stop
        block = find_block(t, start)
        while start < stop:
            piece = stop if stop < t.blocks[block].stop else t.blocks[block].stop
            if piece - start <= LETTERS_MAX:
                while start < piece:
                    note(found, topic_of(
                        t.number[start], t.blocks[block].tier, t.blocks[block].kind
                    ), start, start + 1, rank)
                    start += 1
                    rank += 1
            else:
                ancestor = common_ancestor(t, start, piece - 1)
                number = 0 if ancestor == NOBODY else t.number[ancestor]
                note(found, topic_of(
                    number, t.blocks[block].tier, t.blocks[block].kind
                ), start, piece, rank)
                rank += piece - start
                start = piece
            block += 1
    return packed(found)


cdef bytes packed(dict found):
    """Join the postings; one topic stands for all when too many span the country."""
    cdef list parts = []
    cdef list country = [topic for topic in found if topic[:4] == b"\0\0\0\0"]
    if len(country) > COUNTRY_TOPICS_MAX:
        for topic in country:
            del found[topic]
        found[topic_of(0, 255, 65535)] = [b""] * (RUNS_MAX + 1)
    for topic in sorted(found):
        runs = found[topic]
        parts.append(b"\x07" + topic)
        if len(runs) > RUNS_MAX:
            parts.append(b"\0")
        else:
            parts.append(bytes((len(runs),)))
            parts += runs
    return b"".join(parts)
