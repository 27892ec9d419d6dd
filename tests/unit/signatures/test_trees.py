"""Each wrong place in a tree is refused by its own code, warm and cold alike.

The story: a memory of verified nodes that takes a shortcut may take more than the proof it
stands for; and what one tree's signature says must never count for another document.
"""

from __future__ import annotations

import hashlib
import threading

import pytest
from support.pki import pki

from router.errors import SignatureRefusedError
from router.model.documents import SignatureEntry
from router.signatures.algorithms import ALGORITHMS, sign_raw, verify_raw
from router.signatures.encoding import encode_url
from router.signatures.jws import signing_input
from router.signatures.trees import (
    Place,
    Tree,
    TreeMemory,
    leaf_hash,
    node_hash,
    proof_length,
    read_place,
    root_statement,
    split_nodes,
    verify_inclusion,
    write_place,
)

KEY = pki().key("ec", 0)
ES256 = ALGORITHMS["ES256"]
PROTECTED = encode_url(b'{"any":"header"}')


def batch(size: int, salt: bytes = b"") -> list[bytes]:
    return [b'{"number":"%d"}' % place + salt for place in range(size)]


def signed(documents: list[bytes]) -> list[SignatureEntry]:
    """Entries of a tree over the documents, in their order."""
    tree = Tree(map(leaf_hash, documents))
    message = signing_input(PROTECTED, root_statement(tree.size, tree.root))
    signature = encode_url(sign_raw(ES256, KEY, message))
    return [
        SignatureEntry("merkle", PROTECTED, signature, tree.place(index))
        for index in range(tree.size)
    ]


class Key:
    """Verifies by the test key and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, signature: bytes, message: bytes) -> None:
        self.asked += 1
        verify_raw(ES256, KEY.public_key(), signature, message)


def moved(entry: SignatureEntry, **changes: object) -> SignatureEntry:
    """The entry with parts of its place changed."""
    place = read_place(entry.tree)
    fields = {name: getattr(place, name) for name in place.__struct_fields__} | changes
    return SignatureEntry("merkle", entry.protected, entry.signature, write_place(Place(**fields)))


def code_of(memory: TreeMemory, entry: SignatureEntry, payload: bytes, key: Key) -> str:
    try:
        memory.check(entry, payload, key)
    except SignatureRefusedError as error:
        return error.code
    return ""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 1_025])
def test_a_whole_batch_costs_one_signature(size: int) -> None:
    documents = batch(size)
    memory, key = TreeMemory(), Key()
    for _ in range(2):
        for index, (entry, document) in enumerate(zip(signed(documents), documents, strict=True)):
            proof = memory.check(entry, document, key)
            assert (proof.size, proof.index) == (size, index)
            assert bytes.fromhex(proof.root) == Tree(map(leaf_hash, documents)).root
    assert key.asked == 1
    assert len(memory) == 1


SIZE, AT = 13, 5
DOCUMENTS = batch(SIZE)
ENTRIES = signed(DOCUMENTS)
OTHERS = signed(batch(SIZE, b" "))
NODES = split_nodes(read_place(ENTRIES[AT].tree).proof)
ABOVE = node_hash(leaf_hash(DOCUMENTS[4]), leaf_hash(DOCUMENTS[5]))
INNER = leaf_hash(DOCUMENTS[4]) + leaf_hash(DOCUMENTS[5])

WRONG = {
    "another document": (ENTRIES[AT], DOCUMENTS[6], "tree.proof"),
    "one byte more": (ENTRIES[AT], DOCUMENTS[AT] + b" ", "tree.proof"),
    "another place": (moved(ENTRIES[AT], index=6), DOCUMENTS[AT], "tree.proof"),
    "the neighbour's proof": (
        moved(ENTRIES[AT], proof=read_place(ENTRIES[4].tree).proof), DOCUMENTS[AT], "tree.proof",
    ),
    "a proof of another tree": (
        moved(ENTRIES[AT], proof=read_place(OTHERS[AT].tree).proof), DOCUMENTS[AT], "tree.proof",
    ),
    "a place of another tree": (
        moved(ENTRIES[AT], root=read_place(OTHERS[AT].tree).root), DOCUMENTS[AT], "tree.proof",
    ),
    "another tree's root and proof, this one's signature": (
        SignatureEntry("merkle", PROTECTED, ENTRIES[AT].signature, OTHERS[AT].tree),
        batch(SIZE, b" ")[AT], "tree.signature",
    ),
    "another size of the same shape": (
        moved(ENTRIES[AT], size=14), DOCUMENTS[AT], "tree.signature",
    ),
    "another size of another shape": (
        moved(ENTRIES[AT], size=17), DOCUMENTS[AT], "tree.proof_short",
    ),
    "a smaller size": (moved(ENTRIES[AT], size=8), DOCUMENTS[AT], "tree.proof_long"),
    "no documents": (moved(ENTRIES[AT], size=0), DOCUMENTS[AT], "tree.size"),
    "too many documents": (moved(ENTRIES[AT], size=(1 << 20) + 1), DOCUMENTS[AT], "tree.size"),
    "index out of range": (moved(ENTRIES[AT], index=13), DOCUMENTS[AT], "tree.index"),
    "a truncated proof": (
        moved(ENTRIES[AT], proof=b"".join(NODES[:-1])), DOCUMENTS[AT], "tree.proof_short",
    ),
    "an empty proof": (moved(ENTRIES[AT], proof=b""), DOCUMENTS[AT], "tree.proof_short"),
    "an extended proof": (
        moved(ENTRIES[AT], proof=b"".join((*NODES, NODES[0]))), DOCUMENTS[AT], "tree.proof_long",
    ),
    "a reordered proof": (
        moved(ENTRIES[AT], proof=b"".join(reversed(NODES))), DOCUMENTS[AT], "tree.proof",
    ),
    "a wrong node at the top": (
        moved(ENTRIES[AT], proof=b"".join((*NODES[:-1], bytes(32)))), DOCUMENTS[AT], "tree.proof",
    ),
    "a node taken for a leaf": (
        moved(ENTRIES[AT], size=7, index=2, proof=b"".join(NODES[1:])), INNER, "tree.proof",
    ),
    "a leaf taken for a node": (
        moved(ENTRIES[AT], size=2, index=1, proof=leaf_hash(DOCUMENTS[4])), DOCUMENTS[AT],
        "tree.proof",
    ),
    "the root taken for a document": (
        moved(ENTRIES[AT], size=1, index=0, proof=b""), read_place(ENTRIES[AT].tree).root,
        "tree.proof",
    ),
    "padding": (
        SignatureEntry("merkle", PROTECTED, ENTRIES[AT].signature, ENTRIES[AT].tree + "="),
        DOCUMENTS[AT], "tree.malformed",
    ),
    "half a node": (
        moved(ENTRIES[AT], proof=b"".join(NODES)[:-16]), DOCUMENTS[AT], "tree.malformed",
    ),
    "no place": (
        SignatureEntry("merkle", PROTECTED, ENTRIES[AT].signature), DOCUMENTS[AT],
        "tree.malformed",
    ),
    "letters of other alphabets": (
        SignatureEntry("merkle", PROTECTED, ENTRIES[AT].signature, "Ư" + ENTRIES[AT].tree[1:]),
        DOCUMENTS[AT], "tree.malformed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@pytest.mark.parametrize("case", WRONG)
def test_each_wrong_place_has_its_code(case: str, warm: bool) -> None:
    entry, payload, code = WRONG[case]
    memory, key = TreeMemory(), Key()
    if warm:
        for good, document in zip(ENTRIES, DOCUMENTS, strict=True):
            memory.check(good, document, key)
    before = (memory.nbytes, len(memory))
    assert code_of(memory, entry, payload, key) == code
    assert (memory.nbytes, len(memory)) == before
    assert code_of(memory, ENTRIES[AT], DOCUMENTS[AT], key) == ""


def test_half_a_node_is_no_place() -> None:
    with pytest.raises(SignatureRefusedError, match="whole nodes"):
        read_place(encode_url(bytes(40 + 16)))


def test_a_signature_of_another_key_is_not_taken() -> None:
    memory = TreeMemory()

    def verify(signature: bytes, message: bytes) -> None:
        verify_raw(ES256, pki().key("ec", 1).public_key(), signature, message)

    with pytest.raises(SignatureRefusedError) as caught:
        memory.check(ENTRIES[0], DOCUMENTS[0], verify)
    assert (caught.value.code, caught.value.path) == ("tree.signature", "signature")
    assert len(memory) == 0


def test_a_remembered_signature_counts_for_its_own_header_only() -> None:
    memory, key = TreeMemory(), Key()
    memory.check(ENTRIES[0], DOCUMENTS[0], key)
    other = SignatureEntry("merkle", encode_url(b"{}"), ENTRIES[0].signature, ENTRIES[0].tree)
    assert code_of(memory, other, DOCUMENTS[0], key) == "tree.signature"
    assert key.asked == 2


def test_a_statement_is_no_document_and_a_document_no_statement() -> None:
    """The tag differs from any JSON; signed as a document it is refused as a tree, and back."""
    root = read_place(ENTRIES[0].tree).root
    statement = root_statement(SIZE, root)
    assert not statement.lstrip().startswith(b"{")
    for payload in (statement, statement.partition(b"\n")[2], root):
        alone = Tree([leaf_hash(payload)]).place(0)
        entry = SignatureEntry("merkle", PROTECTED, ENTRIES[0].signature, alone)
        assert code_of(TreeMemory(), entry, payload, Key()) == "tree.signature"
    document = encode_url(sign_raw(ES256, KEY, signing_input(PROTECTED, DOCUMENTS[0])))
    entry = SignatureEntry("merkle", PROTECTED, document, ENTRIES[0].tree)
    assert code_of(TreeMemory(), entry, DOCUMENTS[0], Key()) == "tree.signature"


def test_memory_is_bounded_and_the_least_recently_used_tree_leaves() -> None:
    first, second, third = (signed(batch(64, salt)) for salt in (b"1", b"2", b"3"))
    probe = TreeMemory()
    for entry, document in zip(first, batch(64, b"1"), strict=True):
        probe.check(entry, document, Key())
    memory, key = TreeMemory(bytes_max=2 * probe.nbytes + 100), Key()
    for salt, entries in ((b"1", first), (b"2", second), (b"1", first), (b"3", third)):
        for entry, document in zip(entries, batch(64, salt), strict=True):
            memory.check(entry, document, key)
        assert memory.nbytes <= 2 * probe.nbytes + 100
    assert (len(memory), key.asked) == (2, 3)
    memory.check(first[0], batch(64, b"1")[0], key)
    assert key.asked == 3
    memory.check(second[0], batch(64, b"2")[0], key)
    assert key.asked == 4


def test_the_number_of_trees_is_bounded_too() -> None:
    memory, key = TreeMemory(trees_max=3), Key()
    for place in range(8):
        documents = batch(1, b"%d" % place)
        memory.check(signed(documents)[0], documents[0], key)
    assert len(memory) == 3


def test_a_tree_larger_than_the_memory_is_still_verified() -> None:
    memory, key = TreeMemory(bytes_max=1_000), Key()
    for entry, document in zip(ENTRIES, DOCUMENTS, strict=True):
        memory.check(entry, document, key)
        assert memory.nbytes <= 1_000


def test_a_proof_of_the_largest_tree_verifies_and_takes_little_memory() -> None:
    """2^20 documents: 20 nodes, without the other million being there."""
    size, index, payload = 1 << 20, 700_001, b"one of a million"
    nodes = [hashlib.sha256(b"%d" % level).digest() for level in range(20)]
    found, place = leaf_hash(payload), index
    for node in nodes:
        found = node_hash(node, found) if place & 1 else node_hash(found, node)
        place >>= 1
    verify_inclusion(leaf_hash(payload), index, size, nodes, found)
    signature = sign_raw(ES256, KEY, signing_input(PROTECTED, root_statement(size, found)))
    text = write_place(Place(size, index, found, b"".join(nodes)))
    entry = SignatureEntry("merkle", PROTECTED, encode_url(signature), text)
    memory, key = TreeMemory(), Key()
    for _ in range(3):
        memory.check(entry, payload, key)
    assert key.asked == 1
    assert memory.nbytes < 200_000
    for level in range(20):
        changed = b"".join([*nodes[:level], bytes(32), *nodes[level + 1 :]])
        assert code_of(memory, moved(entry, proof=changed), payload, key) == "tree.proof"
    assert proof_length(size - 1, size) == 20


def test_threads_share_one_memory() -> None:
    documents = batch(700)
    entries = signed(documents)
    memory = TreeMemory(bytes_max=60_000)  # trees come and go meanwhile
    others = [(signed(batch(40, b"%d" % salt)), batch(40, b"%d" % salt)) for salt in range(6)]
    failures: list[BaseException] = []

    def work(step: int) -> None:
        try:
            for place in range(0, 700, step):
                memory.check(entries[place], documents[place], Key())
                some, texts = others[place % 6]
                memory.check(some[place % 40], texts[place % 40], Key())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(step,)) for step in (1, 2, 3, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert memory.nbytes <= 60_000
