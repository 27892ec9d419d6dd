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

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int8_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

__all__ = ["VerifiedTree", "VerifiedTrees"]

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    void *PyUnicode_DATA(object text)
    object PyObject_CallOneArg(object function, object argument)
    object PyObject_CallMethodNoArgs(object holder, object name)
    object PyObject_CallMethodOneArg(object holder, object name, object argument)

cdef enum:
    HASH = 32
    HEAD = 40            # size, index, root
    LEVELS_MAX = 20      # of 2^20 documents
    PLACE_MAX = 680      # HEAD + LEVELS_MAX * HASH
    STEP = 2046          # bytes of payload hashed at once without letting the GIL go
    LET_GO = 8192        # from here on it is worth it
    BAND_MAX = 10        # levels that share one block of memory

cdef object sha256 = hashlib.sha256
cdef object DIGEST = "digest"
cdef object UPDATE = "update"
cdef int8_t[256] SIXTETS


cdef void fill_sixtets() noexcept:
    """Fill the table of base64url (RFC 4648, section 5): -1 for what is no letter of it."""
    cdef int place
    cdef bytes letters = (
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )
    memset(SIXTETS, -1, 256)
    for place in range(64):
        SIXTETS[<uint8_t>letters[place]] = place


fill_sixtets()


cdef Py_ssize_t decode_url(const uint8_t *text, Py_ssize_t length, uint8_t *out) noexcept nogil:
    """Decode canonical base64url without padding; return the bytes written, or -1."""
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t written = 0
    cdef Py_ssize_t rest = length & 3
    cdef int a, b, c, d
    cdef int wrong = 0
    while at + 4 <= length:
        a = SIXTETS[text[at]]
        b = SIXTETS[text[at + 1]]
        c = SIXTETS[text[at + 2]]
        d = SIXTETS[text[at + 3]]
        wrong |= a | b | c | d
        out[written] = <uint8_t>((a << 2) | (b >> 4))
        out[written + 1] = <uint8_t>((b << 4) | (c >> 2))
        out[written + 2] = <uint8_t>((c << 6) | d)
        at += 4
        written += 3
    if rest == 1 or wrong < 0:
        return -1
    if rest:
        a = SIXTETS[text[at]]
        b = SIXTETS[text[at + 1]]
        c = SIXTETS[text[at + 2]] if rest == 3 else 0
        if (a | b | c) < 0 or (c & 3 if rest == 3 else b & 15):
            return -1
        out[written] = <uint8_t>((a << 2) | (b >> 4))
        written += 1
        if rest == 3:
            out[written] = <uint8_t>((b << 4) | (c >> 2))
            written += 1
    return written


cdef inline uint32_t big_endian(const uint8_t *data) noexcept nogil:
    """Read four bytes as a number."""
    return (
        (<uint32_t>data[0] << 24) | (<uint32_t>data[1] << 16)
        | (<uint32_t>data[2] << 8) | <uint32_t>data[3]
    )


cdef int hash_leaf(bytes payload, uint8_t *out) except -1:
    """Write SHA-256(0x00 || payload).

    hashlib lets the GIL go from 2,048 bytes on.  For one document that costs two threads more
    than the hash itself, so small payloads are handed over in steps below that.
    """
    cdef Py_ssize_t size = PyBytes_GET_SIZE(payload)
    cdef Py_ssize_t step = size if size > LET_GO else STEP
    cdef Py_ssize_t at = min(size, step)
    cdef Py_ssize_t end
    cdef const char *text = PyBytes_AS_STRING(payload)
    cdef bytes first = PyBytes_FromStringAndSize(NULL, at + 1)
    cdef char *data = PyBytes_AS_STRING(first)
    cdef object hasher
    data[0] = 0
    memcpy(data + 1, text, at)
    hasher = PyObject_CallOneArg(sha256, first)
    while at < size:
        end = min(size, at + step)
        PyObject_CallMethodOneArg(hasher, UPDATE, PyBytes_FromStringAndSize(text + at, end - at))
        at = end
    return write_digest(hasher, out)


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


ctypedef const uint8_t *Node


cdef struct Climb:
    # One proof on its way up.  By level: the node found, its sibling in the proof (NULL where
    # the last of an odd level has none), its place.
    uint8_t[21][32] found
    Node[20] sibling
    uint32_t[21] index


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
    cdef Py_ssize_t[20] first_block   # of each band

    def __cinit__(self, str protected, str signature, uint32_t size, bytes root, object told):
        cdef int band = 0
        cdef int level = 0
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
        while level < self.depth:
            self.first_block[band] = self.block_count
            level += self.width
            self.block_count += <Py_ssize_t>((size - 1) >> level) + 1
            band += 1
        self.nbytes = (
            400 + self.block_count * sizeof(void *)
            + PyBytes_GET_SIZE(root) + len(protected) + len(signature)
        )
        if self.block_count:
            self.blocks = <uint8_t **>calloc(self.block_count, sizeof(void *))
            if self.blocks == NULL:
                raise MemoryError

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
        return self.first_block[level // self.width] + (
            index >> (self.width - level % self.width)
        )

    cdef inline Py_ssize_t slot_of(self, int level, uint32_t index) noexcept nogil:
        """Return a node's place in its block: the levels lie one after the other."""
        cdef int rise = level % self.width
        cdef Py_ssize_t whole = <Py_ssize_t>2 << self.width
        return whole - (whole >> rise) + (index & ((<uint32_t>1 << (self.width - rise)) - 1))

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

    cdef int climb_up(self, Climb *climb, bytes payload) except -2:
        """Hash upwards until a known node; return its level, or -1 when nothing is proven."""
        cdef const uint8_t *node
        cdef const uint8_t *sibling
        cdef int level
        cdef int above
        hash_leaf(payload, climb.found[0])
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


cdef class VerifiedTrees:
    """The trees remembered, by their signature; bounded in bytes and in number."""

    cdef dict trees
    cdef readonly size_t nbytes
    cdef size_t bytes_max
    cdef Py_ssize_t trees_max
    cdef uint64_t tick

    def __cinit__(self, size_t bytes_max, Py_ssize_t trees_max):
        self.trees = {}
        self.bytes_max = bytes_max
        self.trees_max = trees_max

    def __reduce__(self):
        raise TypeError("what was verified is remembered by one process only")

    def __len__(self):
        return len(self.trees)

    def prove(self, str protected, str signature, str place, bytes payload):
        """Return (tree, index) when the payload stands there in a remembered tree, else None."""
        cdef VerifiedTree tree = self.trees.get(signature)
        cdef uint8_t[PLACE_MAX] decoded
        cdef Climb climb
        cdef Py_ssize_t length = PyUnicode_GET_LENGTH(place)
        cdef size_t before
        cdef int level
        if tree is None or tree.protected != protected:
            return None
        if not PyUnicode_IS_ASCII(place) or length * 3 // 4 > PLACE_MAX:
            return None
        length = decode_url(<const uint8_t *>PyUnicode_DATA(place), length, decoded)
        if not tree.lay_out(decoded, length, &climb):
            return None
        level = tree.climb_up(&climb, payload)
        if level < 0:
            return None
        self.tick += 1
        tree.used = self.tick
        if level and not tree.left:
            before = tree.nbytes
            try:
                tree.keep_below(&climb, level)
            finally:
                self.nbytes += tree.nbytes - before
            if self.nbytes > self.bytes_max:
                self.shrink()
        return tree, big_endian(decoded + 4)

    def add(self, str protected, str signature, uint32_t size, bytes root, object told):
        """Remember a tree: the caller has verified this signature over its root statement."""
        cdef VerifiedTree tree = VerifiedTree(protected, signature, size, root, told)
        cdef VerifiedTree known = self.trees.get(signature)
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
