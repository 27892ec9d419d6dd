"""Trees of documents: one signature over the root of up to 2^20 of them (RFC 6962, section 2.1).

A leaf is SHA-256(0x00 || payload), a node SHA-256(0x01 || left || right), so that no node can
pass as a document nor a document as a node.  What is signed is not the root alone but a
*root statement*: a domain tag, the number of documents and the root, under a header that
names `tree` as critical (`router.signatures.jws`).  A statement is no document and a document
no statement, in the tag and in the header both.

An entry of form "merkle" carries, in base64url, the *place* of its document:

    size (4 bytes, big-endian) || index (4 bytes) || root (32 bytes) || proof (32 bytes a node)

The proof holds the siblings from the leaf upwards (RFC 9162, section 2.1.3); how many there are
follows from size and index, so no proof has two spellings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from router._trees import VerifiedTree, VerifiedTrees
from router.errors import SignatureRefusedError
from router.limits import TREE_DOCUMENTS_MAX, TREE_MEMORY_BYTES_MAX, TREES_REMEMBERED_MAX
from router.model.documents import SignatureEntry
from router.signatures.encoding import decode_url, encode_url
from router.signatures.jws import read_signature, signing_input
from router.signatures.verdicts import TreeProof

HASH_BYTES: Final = 32
STATEMENT_TAG: Final = b"vanban-router tree root v1\n"
"""What every root statement begins with; no JSON does."""
_HEAD_BYTES: Final = 8 + HASH_BYTES


class Place(msgspec.Struct, frozen=True):
    """A document's place in a tree, as its entry claims it: nothing of it is proven yet.

    `index` counts from 0; `proof` holds the nodes one after the other, from the leaf up.
    """

    size: int
    index: int
    root: bytes
    proof: bytes


def leaf_hash(payload: bytes) -> bytes:
    """Return the hash of a document's bytes as a leaf."""
    return hashlib.sha256(b"\x00" + payload).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the node over two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_statement(size: int, root: bytes) -> bytes:
    """Return the bytes that a sender signs for a tree: tag, size (8 bytes, big-endian), root."""
    return STATEMENT_TAG + size.to_bytes(8, "big") + root


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash over leaf hashes in their order (RFC 6962, section 2.1).

    Raises SignatureRefusedError `tree.size` for none, or more than `TREE_DOCUMENTS_MAX`.
    """
    return Tree(leaves).root


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the siblings from a leaf up to the root (RFC 6962, section 2.1.1).

    For many of one tree make a `Tree`.  Raises SignatureRefusedError `tree.size`, `tree.index`.
    """
    return Tree(leaves).proof(index)


def proof_length(index: int, size: int) -> int:
    """Return how many nodes the proof of a place has; 0 in a tree of one document.

    Raises SignatureRefusedError `tree.size` or `tree.index` when there is no such place.
    """
    check_place(index, size)
    length, last = 0, size - 1
    while last:
        length += (index ^ 1) <= last  # the last of an odd level has no sibling
        index >>= 1
        last >>= 1
    return length


def check_place(index: int, size: int) -> None:
    """See that there is such a place.

    Raises SignatureRefusedError `tree.size` (not 1 to `TREE_DOCUMENTS_MAX`) or `tree.index`.
    """
    if not 1 <= size <= TREE_DOCUMENTS_MAX:
        raise SignatureRefusedError("tree.size", path="tree", size=size, limit=TREE_DOCUMENTS_MAX)
    if not 0 <= index < size:
        raise SignatureRefusedError("tree.index", path="tree", index=index, size=size)


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """See that a leaf hash stands at a place of the tree (RFC 9162, section 2.1.3.2).

    Returns when it does.  Raises SignatureRefusedError: `tree.size`, `tree.index`,
    `tree.proof_short` or `tree.proof_long` (not as many nodes as the place asks for),
    `tree.proof` (they do not lead from this leaf to this root: another document, another tree,
    another order, a node taken for a leaf).
    """
    check_proof_length(len(proof), index, size)
    if any(len(node) != HASH_BYTES for node in (leaf, root, *proof)):
        raise SignatureRefusedError("tree.proof", path="tree")
    nodes = iter(proof)
    found, last = leaf, size - 1
    while last:
        if index & 1:
            found = node_hash(next(nodes), found)
        elif index < last:
            found = node_hash(found, next(nodes))
        index >>= 1
        last >>= 1
    if found != root:
        raise SignatureRefusedError("tree.proof", path="tree")


def check_proof_length(found: int, index: int, size: int) -> None:
    """See that a proof has as many nodes as its place asks for.

    Raises SignatureRefusedError `tree.size`, `tree.index`, `tree.proof_short`,
    `tree.proof_long`.
    """
    wanted = proof_length(index, size)
    if found < wanted:
        raise SignatureRefusedError("tree.proof_short", path="tree", found=found, wanted=wanted)
    if found > wanted:
        raise SignatureRefusedError("tree.proof_long", path="tree", found=found, wanted=wanted)


class Tree:
    """The whole tree over up to 2^20 leaf hashes, for who signs it.

    Holds every node once: 64 bytes a document, 64 MiB for 2^20.  Raises SignatureRefusedError
    `tree.size` for none or too many, ValueError for what is no hash.
    """

    def __init__(self, leaves: Iterable[bytes]) -> None:
        lowest = bytearray()
        for leaf in leaves:
            if len(leaf) != HASH_BYTES:
                raise ValueError("a leaf hash has 32 bytes")
            lowest += leaf
            if len(lowest) > TREE_DOCUMENTS_MAX * HASH_BYTES:
                break
        self.size: Final = len(lowest) // HASH_BYTES
        check_place(0, self.size)
        self._levels = [bytes(lowest)]
        while len(self._levels[-1]) > HASH_BYTES:
            self._levels.append(_level_above(self._levels[-1]))
        self.root: Final = self._levels[-1]

    def proof(self, index: int) -> tuple[bytes, ...]:
        """Return the siblings from a leaf upwards.

        Raises SignatureRefusedError `tree.index`.
        """
        check_place(index, self.size)
        found = []
        for level in self._levels[:-1]:
            start = (index ^ 1) * HASH_BYTES
            if start < len(level):
                found.append(level[start : start + HASH_BYTES])
            index >>= 1
        return tuple(found)

    def leaf(self, index: int) -> bytes:
        """Return the leaf hash at that place.  Raises SignatureRefusedError `tree.index`."""
        check_place(index, self.size)
        return self._levels[0][index * HASH_BYTES : (index + 1) * HASH_BYTES]

    def place(self, index: int) -> str:
        """Return the `tree` member of the entry of the document at that place.

        Raises SignatureRefusedError `tree.index`.
        """
        return write_place(Place(self.size, index, self.root, b"".join(self.proof(index))))


class TreeMemory:
    """The trees whose root's signature was verified, and their proven nodes; thread-safe.

    Nothing enters that was not verified.  What is remembered is that a key signed a root, and
    what lies below it: a fact of mathematics.  Whether that key's certificate is trusted, valid
    and not revoked is no part of it and has to be asked for each document.

    `bytes_max` bounds the memory, `trees_max` the trees; the least recently used leave first.
    """

    def __init__(
        self,
        bytes_max: int = TREE_MEMORY_BYTES_MAX,
        trees_max: int = TREES_REMEMBERED_MAX,
    ) -> None:
        self._trees = VerifiedTrees(bytes_max, trees_max)

    @property
    def nbytes(self) -> int:
        """The bytes all remembered trees take."""
        return self._trees.nbytes

    def __len__(self) -> int:
        """Return how many trees are remembered."""
        return len(self._trees)

    def find(self, entry: SignatureEntry, payload: bytes) -> tuple[VerifiedTree, int] | None:
        """Return tree and index of a document that is proven to stand in a remembered tree.

        None says nothing about it: `check` words what is wrong, or verifies the tree.
        """
        return self._trees.prove(entry.protected, entry.signature, entry.tree, payload)

    def find_raw(self, envelopes: Sequence[bytes]) -> list[tuple[VerifiedTree, int] | None]:
        """Return the same of each envelope's JSON bytes.

        Only the spelling of `make_envelopes` is read: compact, members in the order of the
        model, one signature, no attachments, no idempotency key.  All others are None.
        """
        return self._trees.prove_raw(list(envelopes))

    def check(
        self, entry: SignatureEntry, payload: bytes, verify: Callable[[bytes, bytes], None]
    ) -> TreeProof:
        """See that the document stands where its entry says, in a tree whose root is signed.

        `verify(signature, message)` checks a signature by the key of the entry's header, and
        raises; it is asked once a tree, about the root statement.  Raises SignatureRefusedError
        `tree.signature` and what `read_place` and `verify_inclusion` raise; the path is
        relative to the entry.
        """
        found = self.find(entry, payload)
        if found is None:
            return self._check_first(entry, payload, verify)
        tree, index = found
        return TreeProof(tree.told, tree.size, index)

    def _check_first(
        self, entry: SignatureEntry, payload: bytes, verify: Callable[[bytes, bytes], None]
    ) -> TreeProof:
        place = read_place(entry.tree)
        size, index, root = place.size, place.index, place.root
        signature = read_signature(entry.signature)
        verify_inclusion(leaf_hash(payload), index, size, split_nodes(place.proof), root)
        try:
            verify(signature, signing_input(entry.protected, root_statement(size, root)))
        except SignatureRefusedError as error:
            if error.code != "signature.invalid":
                raise
            raise SignatureRefusedError("tree.signature", path="signature") from None
        self._trees.add(entry.protected, entry.signature, size, root, root.hex())
        return TreeProof(root.hex(), size, index)


def write_place(place: Place) -> str:
    """Return the `tree` member that says this place (base64url without padding)."""
    head = place.size.to_bytes(4, "big") + place.index.to_bytes(4, "big")
    return encode_url(head + place.root + place.proof)


def read_place(text: str) -> Place:
    """Return what a `tree` member claims; size, index and length of the proof are checked.

    Raises SignatureRefusedError `tree.malformed`, `tree.size`, `tree.index`,
    `tree.proof_short`, `tree.proof_long`.
    """
    try:
        raw = decode_url(text)
    except ValueError as error:
        raise _malformed(str(error)) from None
    if len(raw) < _HEAD_BYTES or len(raw) % HASH_BYTES != _HEAD_BYTES % HASH_BYTES:
        raise _malformed("not size, index, root and whole nodes")
    size, index = int.from_bytes(raw[:4], "big"), int.from_bytes(raw[4:8], "big")
    proof = raw[_HEAD_BYTES:]
    check_proof_length(len(proof) // HASH_BYTES, index, size)
    return Place(size, index, raw[8:_HEAD_BYTES], proof)


def split_nodes(nodes: bytes) -> tuple[bytes, ...]:
    """Return the nodes of a proof one by one."""
    return tuple(nodes[at : at + HASH_BYTES] for at in range(0, len(nodes), HASH_BYTES))


def _level_above(level: bytes) -> bytes:
    """Return the level above: pairs are hashed, the odd last one goes up as it is."""
    pair = 2 * HASH_BYTES
    whole = len(level) - len(level) % pair
    sha256 = hashlib.sha256
    above = bytearray()
    for at in range(0, whole, pair):
        above += sha256(b"\x01" + level[at : at + pair]).digest()
    return bytes(above) + level[whole:]


def _malformed(reason: str) -> SignatureRefusedError:
    return SignatureRefusedError("tree.malformed", path="tree", reason=reason)
