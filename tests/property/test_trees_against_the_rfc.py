"""Trees, roots and proofs are those of RFC 6962, and only true proofs are taken.

The oracle is the RFC's recursion, written down beside the tests.
"""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.tree_oracle import leads_to, path_of, root_of

from router.errors import SignatureRefusedError
from router.model.documents import SignatureEntry
from router.signatures.encoding import encode_url
from router.signatures.trees import (
    Tree,
    TreeMemory,
    inclusion_proof,
    leaf_hash,
    proof_length,
    tree_root,
    verify_inclusion,
)

CHANGES = ("size", "index", "cut", "add", "swap", "node")
ENTRY = SignatureEntry("merkle", "e30", "AAAA", Tree([leaf_hash(b"0"), leaf_hash(b"1")]).place(0))
documents = st.lists(st.binary(max_size=80), min_size=1, max_size=70)


@given(documents, st.data())
def test_roots_and_proofs_are_those_of_the_rfc(batch: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(batch) - 1))
    leaves = [leaf_hash(one) for one in batch]
    assert tree_root(leaves) == root_of(batch)
    proof = inclusion_proof(leaves, index)
    assert list(proof) == path_of(index, batch)
    assert len(proof) == proof_length(index, len(batch))
    verify_inclusion(leaves[index], index, len(batch), proof, root_of(batch))


@given(st.integers(1, 70), st.data())
def test_what_the_rfc_refuses_is_refused_and_nothing_else(size: int, data: st.DataObject) -> None:
    """A true proof, changed in one or two ways or not at all."""
    batch = [b"%d" % place for place in range(size)]
    index = data.draw(st.integers(0, size - 1))
    proof = list(path_of(index, batch))
    root, document = root_of(batch), batch[index]
    for change in data.draw(st.lists(st.sampled_from(CHANGES), max_size=2)):
        if change == "size":
            size = data.draw(st.integers(1, 70))
        elif change == "index":
            index = data.draw(st.integers(0, 70))
        elif change == "cut" and proof:
            del proof[data.draw(st.integers(0, len(proof) - 1))]
        elif change == "add":
            proof.insert(data.draw(st.integers(0, len(proof))), leaf_hash(b"0"))
        elif change == "swap" and len(proof) > 1:
            proof[0], proof[-1] = proof[-1], proof[0]
        elif change == "node" and proof:
            proof[-1] = leaf_hash(proof[-1])
    wanted = leads_to(document, index, size, proof, root)
    with nullcontext() if wanted else pytest.raises(SignatureRefusedError, match=r"tree\."):
        verify_inclusion(leaf_hash(document), index, size, proof, root)


@given(st.text(max_size=300) | st.binary(max_size=700).map(encode_url), st.binary(max_size=99))
def test_any_place_is_refused_by_a_code(text: str, payload: bytes) -> None:
    """No crash and nothing remembered, whatever stands there."""
    memory = TreeMemory()
    memory.check(ENTRY, b"0", lambda _signature, _message: None)
    before = memory.nbytes
    with pytest.raises(SignatureRefusedError, match=r"tree\."):
        memory.check(replace(ENTRY, tree=text), payload, lambda _signature, _message: refuse())
    assert (len(memory), memory.nbytes) == (1, before)


def refuse() -> None:
    raise SignatureRefusedError("signature.invalid")


@pytest.mark.parametrize("size", [1, 2, 3, 1_024, 1_023])
def test_a_tree_gives_each_place_its_proof(size: int) -> None:
    leaves = [leaf_hash(b"%d" % place) for place in range(size)]
    tree = Tree(leaves)
    for index, leaf in enumerate(leaves):
        verify_inclusion(leaf, index, size, tree.proof(index), tree.root)
