# cython: language_level=3
"""Remembers trees of documents whose root was verified, and the nodes proven below it.

The hot path of `router.signatures.trees`: says "proven" or "ask the slow way", never why not;
all refusals are worded there.  Hashes come from hashlib; nothing here knows keys.

What enters: a tree when its root's signature was verified (`add`), a node when a proof that
holds it led to that root.  A proof's path and siblings enter together, so above a known node
all siblings up to the root are known, and the rest of a later proof is compared with them:
whether a proof is taken never depends on what happens to be remembered.

Trees leave whole, the least recently used first.  All state is guarded by the GIL; it is let
go only inside hashlib, so everything is looked up again after each hash.
"""

import hashlib

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

from router._envelope_texts cimport (
    PROTECTED, READ_COUNT, SIGNATURE, URL, Node, Read, Spelled, decode, read_in_tree, run_end,
)

__all__ = ["VerifiedTree", "VerifiedTrees"]

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    void *PyUnicode_DATA(object text)
    object PyUnicode_DecodeLatin1(const char *data, Py_ssize_t size, const char *errors)
    object PyObject_CallOneArg(object function, object argument)
    object PyObject_CallMethodNoArgs(object holder, object name)
    object PyObject_CallMethodOneArg(object holder, object name, object argument)

cdef enum:
    HASH = 32
    HEAD = 40            # size, index, root
    LEVELS_MAX = 20      # of 2^20 documents
    PLACE_MAX = 680      # HEAD + LEVELS_MAX * HASH
    STEP = 2047          # bytes hashed at once without letting the GIL go
    LET_GO = 8192        # from here on it is worth it
    PLACE_CHARS_MAX = 907   # PLACE_MAX in base64url
    BAND_MAX = 10        # levels that share one block of memory

cdef object sha256 = hashlib.sha256
cdef object DIGEST = "digest"
cdef object UPDATE = "update"
cdef inline uint32_t big_endian(const uint8_t *data) noexcept nogil:
    """Read four bytes as a number."""
    return (
        (<uint32_t>data[0] << 24) | (<uint32_t>data[1] << 16)
        | (<uint32_t>data[2] << 8) | <uint32_t>data[3]
    )


cdef int hash_leaf(const uint8_t *leaf, Py_ssize_t size, uint8_t *out) except -1:
    """Write the SHA-256 of a leaf: 0x00 and the payload.

    hashlib lets the GIL go from 2,048 bytes on.  For one small document that costs two threads
    more than the hash itself, so it is handed over in steps below that.
    """
    cdef Py_ssize_t step = size if size > LET_GO else STEP
    cdef Py_ssize_t at = min(size, step)
    cdef Py_ssize_t end
    cdef object hasher = PyObject_CallOneArg(
        sha256, PyBytes_FromStringAndSize(<const char *>leaf, at)
    )
    while at < size:
        end = min(size, at + step)
        PyObject_CallMethodOneArg(
            hasher, UPDATE, PyBytes_FromStringAndSize(<const char *>leaf + at, end - at)
        )
        at = end
    return write_digest(hasher, out)


cdef int hash_payload(bytes payload, uint8_t *out) except -1:
    """Write the leaf hash of a payload."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
    cdef uint8_t *leaf = <uint8_t *>malloc(size + 1)
    if leaf == NULL:
        raise MemoryError
    try:
        leaf[0] = 0
        memcpy(leaf + 1, PyBytes_AS_STRING(payload), size)
        hash_leaf(leaf, size + 1, out)
    finally:
        free(leaf)
    return 0


cdef int hash_node(const uint8_t *left, const uint8_t *right, uint8_t *out) except -1:
    """Write SHA-256(0x01 || left || right)."""
    cdef bytes whole = PyBytes_FromStringAndSize(NULL, 1 + 2 * HASH)
    cdef char *data = PyBytes_AS_STRING(whole)
    data[0] = 1
    memcpy(data + 1, left, HASH)
    memcpy(data + 1 + HASH, right, HASH)
    return write_digest(PyObject_CallOneArg(sha256, whole), out)


cdef inline int write_digest(object hasher, uint8_t *out) except -1:
    """Write the digest of a hash of hashlib."""
    cdef object digest = PyObject_CallMethodNoArgs(hasher, DIGEST)
    memcpy(out, PyBytes_AS_STRING(digest), HASH)
    return 0


cdef struct Climb:
    # One proof on its way up.  By level: the node found, its sibling in the proof (NULL where
    # the last of an odd level has none), its place.
    uint8_t[21][32] found
    Node[20] sibling
    uint32_t[21] index


cdef inline bint is_text(str text, const uint8_t *letters, Py_ssize_t length) noexcept:
    """Say whether a text is these letters; one that is not plain ASCII never is."""
    return (
        PyUnicode_IS_ASCII(text)
        and PyUnicode_GET_LENGTH(text) == length
        and memcmp(PyUnicode_DATA(text), letters, length) == 0
    )


@cython.final
cdef class VerifiedTree:
    """One tree whose root's signature was verified, and the nodes proven so far.

    `told` is whatever `add` was given with it.  Nodes lie in blocks of up to ten levels, made
    when the first of their nodes is proven.
    """

    cdef readonly str protected
    cdef readonly str signature
    cdef readonly uint32_t size
    cdef readonly bytes root
    cdef readonly object told
    cdef readonly size_t nbytes
    cdef uint8_t[32] apex        # the root again
    cdef uint64_t used           # the tick of the last proof
    cdef bint left               # forgotten: takes in nothing more
    cdef int depth               # levels below the root
    cdef int width               # levels of one band
    cdef Py_ssize_t block_count
    cdef uint8_t **blocks
    cdef Py_ssize_t[20] first_block   # by level: the first block of its band,
    cdef Py_ssize_t[20] first_slot    # where it begins in each block,
    cdef int[20] shift                # and how many of its places a block has, as a power of two

    cdef int fill(
        self, str protected, str signature, uint32_t size, bytes root, object told
    ) except -1:
        """Set up what `add` has made."""
        cdef int level, rise
        cdef Py_ssize_t first = 0
        if PyBytes_GET_SIZE(root) != HASH or not 1 <= size <= <uint32_t>1 << LEVELS_MAX:
            raise ValueError("no root of a tree")
        self.protected = protected
        self.signature = signature
        self.size = size
        self.root = root
        memcpy(self.apex, PyBytes_AS_STRING(root), HASH)
        self.told = told
        while (size - 1) >> self.depth:
            self.depth += 1
        self.width = min(self.depth, BAND_MAX) or 1
        for level in range(self.depth):
            rise = level % self.width
            if not rise:
                first = self.block_count
                self.block_count += <Py_ssize_t>((size - 1) >> (level + self.width)) + 1
            self.first_block[level] = first
            self.first_slot[level] = (<Py_ssize_t>2 << self.width) - (
                (<Py_ssize_t>2 << self.width) >> rise
            )
            self.shift[level] = self.width - rise
        self.nbytes = (
            400 + self.block_count * sizeof(void *)
            + PyBytes_GET_SIZE(root) + len(protected) + len(signature)
        )
        if self.block_count:
            self.blocks = <uint8_t **>calloc(self.block_count, sizeof(void *))
            if self.blocks == NULL:
                raise MemoryError
        return 0

    def __dealloc__(self):
        cdef Py_ssize_t place
        if self.blocks != NULL:
            for place in range(self.block_count):
                free(self.blocks[place])
            free(self.blocks)

    def __reduce__(self):
        raise TypeError("what was verified is remembered by one process only")

    cdef inline Py_ssize_t block_of(self, int level, uint32_t index) noexcept nogil:
        """Return which block holds a node."""
        return self.first_block[level] + (index >> self.shift[level])

    cdef inline Py_ssize_t slot_of(self, int level, uint32_t index) noexcept nogil:
        """Return a node's place in its block: the levels lie one after the other."""
        return self.first_slot[level] + (index & ((<uint32_t>1 << self.shift[level]) - 1))

    cdef inline size_t block_bytes(self) noexcept nogil:
        """Return the size of one block: a mark for each node, then the nodes."""
        return (<size_t>2 << self.width) * (1 + HASH)

    cdef const uint8_t *known(self, int level, uint32_t index) noexcept nogil:
        """Return the proven node at a place, or NULL."""
        cdef uint8_t *block = self.blocks[self.block_of(level, index)]
        cdef Py_ssize_t slot
        if block == NULL:
            return NULL
        slot = self.slot_of(level, index)
        if not block[slot]:
            return NULL
        return block + (<size_t>2 << self.width) + slot * HASH

    cdef int keep(self, int level, uint32_t index, const uint8_t *node) except -1:
        """Remember a proven node."""
        cdef Py_ssize_t place = self.block_of(level, index)
        cdef uint8_t *block = self.blocks[place]
        cdef Py_ssize_t slot = self.slot_of(level, index)
        if block == NULL:
            block = <uint8_t *>calloc(1, self.block_bytes())
            if block == NULL:
                raise MemoryError
            self.blocks[place] = block
            self.nbytes += self.block_bytes()
        memcpy(block + (<size_t>2 << self.width) + slot * HASH, node, HASH)
        block[slot] = 1
        return 0

    cdef bint is_signed(self, const Spelled *found) noexcept:
        """Say whether an envelope has this tree's header and signature, letter for letter."""
        return is_text(
            self.signature, found.text[SIGNATURE], found.length[SIGNATURE]
        ) and is_text(self.protected, found.text[PROTECTED], found.length[PROTECTED])

    cdef bint lay_out(self, const uint8_t *place, Py_ssize_t length, Climb *climb) noexcept nogil:
        """Say whether a decoded place is one of this tree, and lay its proof out by level."""
        cdef const uint8_t *node = place + HEAD
        cdef uint32_t last = self.size - 1
        cdef uint32_t index
        cdef int level
        if length < HEAD or big_endian(place) != self.size:
            return False
        index = big_endian(place + 4)
        if index > last or memcmp(place + 8, self.apex, HASH) != 0:
            return False
        for level in range(self.depth):
            climb.index[level] = index
            climb.sibling[level] = NULL
            if (index ^ 1) <= last:
                climb.sibling[level] = node
                node += HASH
            index >>= 1
            last >>= 1
        return node == place + length

    cdef int climb_up(self, Climb *climb) except -2:
        """Hash upwards from the leaf until a known node; return its level, or -1: not proven."""
        cdef const uint8_t *node
        cdef const uint8_t *sibling
        cdef int level
        cdef int above
        for level in range(self.depth):
            node = self.known(level, climb.index[level])
            if node != NULL:
                if memcmp(node, climb.found[level], HASH) != 0:
                    return -1
                for above in range(level, self.depth):
                    sibling = climb.sibling[above]
                    if sibling != NULL:
                        node = self.known(above, climb.index[above] ^ 1)
                        if node == NULL or memcmp(node, sibling, HASH) != 0:
                            return -1
                return level
            sibling = climb.sibling[level]
            if sibling == NULL:
                memcpy(climb.found[level + 1], climb.found[level], HASH)
            elif climb.index[level] & 1:
                hash_node(sibling, climb.found[level], climb.found[level + 1])
            else:
                hash_node(climb.found[level], sibling, climb.found[level + 1])
        if memcmp(climb.found[self.depth], self.apex, HASH) != 0:
            return -1
        return self.depth

    cdef int keep_below(self, const Climb *climb, int level) except -1:
        """Remember what was proven below a level, from the top, so that all above is known."""
        while level:
            level -= 1
            if climb.sibling[level] != NULL:
                self.keep(level, climb.index[level] ^ 1, climb.sibling[level])
            self.keep(level, climb.index[level], climb.found[level])
        return 0


@cython.final
cdef class VerifiedTrees:
    """The trees remembered, by their signature; bounded in bytes and in number."""

    cdef dict trees
    cdef VerifiedTree latest     # that `prove_raw` found, looked at first
    cdef readonly size_t nbytes
    cdef size_t bytes_max
    cdef Py_ssize_t trees_max
    cdef uint64_t tick

    def __init__(self, size_t bytes_max, Py_ssize_t trees_max):
        self.trees = {}
        self.bytes_max = bytes_max
        self.trees_max = trees_max

    def __reduce__(self):
        raise TypeError("what was verified is remembered by one process only")

    def __len__(self):
        return len(self.trees)

    def prove(
        self, str protected not None, str signature not None, str place not None,
        bytes payload not None,
    ):
        """Return (tree, index) when the payload stands there in a remembered tree, else None."""
        cdef VerifiedTree tree = self.trees.get(signature)
        cdef uint8_t[PLACE_MAX] decoded
        cdef Climb climb
        cdef Py_ssize_t length = PyUnicode_GET_LENGTH(place)
        if tree is None or tree.protected != protected:
            return None
        if not PyUnicode_IS_ASCII(place) or length > PLACE_CHARS_MAX:
            return None
        length = decode(URL, <const uint8_t *>PyUnicode_DATA(place), length, decoded)
        if not tree.lay_out(decoded, length, &climb):
            return None
        hash_payload(payload, climb.found[0])
        return self.settled(tree, &climb, big_endian(decoded + 4))

    def prove_raw(self, list raws not None):
        """Return the same of envelopes in JSON, spelled as our encoder does; None for others.

        They are read without the GIL, some at a time, so that other threads hash meanwhile; no
        object is made of a payload but what is hashed.
        """
        cdef list found = []
        cdef Py_ssize_t first = 0
        cdef Py_ssize_t end
        cdef Py_ssize_t total
        while first < len(raws):
            end = run_end(raws, first, &total)
            self.prove_some(raws, first, end, total, found)
            first = end
        return found

    cdef int prove_some(
        self, list raws, Py_ssize_t first, Py_ssize_t end, Py_ssize_t total, list found
    ) except -1:
        """Append the answers for a run of envelopes of `total` bytes."""
        cdef Read[READ_COUNT] read
        cdef Py_ssize_t count = end - first
        cdef Py_ssize_t place
        cdef bytes raw
        cdef uint8_t *leaves = <uint8_t *>malloc(total or 1)
        if leaves == NULL:
            raise MemoryError
        try:
            total = 0
            for place in range(count):
                raw = raws[first + place]
                read[place].raw = <const uint8_t *>PyBytes_AS_STRING(raw)
                read[place].size = PyBytes_GET_SIZE(raw)
                read[place].leaf = leaves + total
                total += read[place].size
            with nogil:
                for place in range(count):
                    read_in_tree(&read[place])
            for place in range(count):
                found.append(self.proven(&read[place]) if read[place].good else None)
        finally:
            free(leaves)
        return 0

    cdef object proven(self, Read *one):
        """Return (tree, index) for one envelope that was read, or None."""
        cdef VerifiedTree tree = self.latest
        cdef Climb climb
        if tree is None or tree.left or not tree.is_signed(&one.found):
            tree = self.trees.get(PyUnicode_DecodeLatin1(
                <const char *>one.found.text[SIGNATURE], one.found.length[SIGNATURE], NULL
            ))
            if tree is None or not tree.is_signed(&one.found):
                return None
            self.latest = tree
        if not tree.lay_out(one.place, one.place_length, &climb):
            return None
        hash_leaf(one.leaf, one.leaf_length, climb.found[0])
        return self.settled(tree, &climb, big_endian(one.place + 4))

    cdef object settled(self, VerifiedTree tree, Climb *climb, uint32_t index):
        """Return (tree, index) and remember what was proven, or None."""
        cdef int level = tree.climb_up(climb)
        cdef size_t before
        if level < 0:
            return None
        self.tick += 1
        tree.used = self.tick
        if level and not tree.left:
            before = tree.nbytes
            try:
                tree.keep_below(climb, level)
            finally:
                self.nbytes += tree.nbytes - before
            if self.nbytes > self.bytes_max:
                self.shrink()
        return tree, index

    def add(
        self, str protected not None, str signature not None, uint32_t size,
        bytes root not None, object told,
    ):
        """Remember a tree: the caller has verified this signature over its root statement."""
        cdef VerifiedTree tree = VerifiedTree.__new__(VerifiedTree)
        cdef VerifiedTree known = self.trees.get(signature)
        tree.fill(protected, signature, size, root, told)
        if known is not None:
            if known.protected == protected and known.size == size and known.root == root:
                return
            self.forget(known)
        self.trees[signature] = tree
        self.nbytes += tree.nbytes
        self.tick += 1
        tree.used = self.tick
        if self.nbytes > self.bytes_max or len(self.trees) > self.trees_max:
            self.shrink()

    cdef int forget(self, VerifiedTree tree) except -1:
        """Let a tree leave."""
        del self.trees[tree.signature]
        tree.left = True
        if self.latest is tree:
            self.latest = None
        self.nbytes -= tree.nbytes
        return 0

    cdef int shrink(self) except -1:
        """Let the least recently used trees leave until the bounds hold."""
        cdef VerifiedTree tree
        for tree in sorted(self.trees.values(), key=used_at):
            if self.nbytes <= self.bytes_max and len(self.trees) <= self.trees_max:
                break
            self.forget(tree)
        return 0


def used_at(VerifiedTree tree):
    """Return when a tree was last used, as a tick."""
    return tree.used
