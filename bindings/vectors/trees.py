"""Vectors of documents that were signed together, as a tree: good ones and bad ones."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec
from making import PKI, Json, Vector, agency, document, envelope

from router.client.signing import Signer, encode_document, make_envelope, make_envelopes
from router.signatures.trees import leaf_hash, node_hash, read_place, write_place


def documents_of_a_tree() -> list[bytes]:
    """Return seven payloads: the third is the document of all other vectors."""
    numbers = ("03", "04", "05", "06", "07", "08", "09")
    return [
        encode_document(document(number=number, document_id=f"H22,2024/09/04,{number}/QĐ-UBND"))
        for number in numbers
    ]


def in_tree(index: int = 2, *signers: Signer) -> Json:
    """Return the envelope of one of seven documents that were signed together."""
    made = list(make_envelopes(documents_of_a_tree(), signers or (agency(),)))[index]
    return dict(msgspec.to_builtins(made))


def placed(text: str | None = None, **changes: Any) -> Json:
    """Return the third of the seven with another place in the tree, or parts of it changed."""
    made = in_tree()
    entry = made["signatures"][0]
    if text is None:
        place = msgspec.structs.replace(read_place(entry["tree"]), **changes)
        text = write_place(place)
    return made | {"signatures": [entry | {"tree": text}]}


def good_trees() -> Iterator[Vector]:
    """Yield documents of trees that must be accepted."""
    person = PKI.issue(2, "H22", "Chủ tịch UBND tỉnh", kind="rsa", index=1)
    yield Vector("tree", "One of seven documents that were signed together.", in_tree())
    yield Vector("tree-last", "The last of seven: its proof is shorter.", in_tree(6))
    alone = next(iter(make_envelopes([document()], [agency()])))
    yield Vector("tree-of-one", "A tree of one document has an empty proof.",
                 dict(msgspec.to_builtins(alone)))  # fmt: skip
    yield Vector("tree-of-rsa", "A tree signed with RS256.", in_tree(2, person))
    both = in_tree(2, person, agency())
    yield Vector("tree-person-and-agency", "Both signed the same tree.", both)
    mixed = in_tree()
    own = make_envelope(documents_of_a_tree()[2], [person])
    mixed["signatures"] = (*mixed["signatures"], msgspec.to_builtins(own.signatures[0]))
    yield Vector("tree-and-jws", "One signed the tree, the other this document alone.", mixed)


WHERE = "$.signatures[0].tree"


def bad_places() -> Iterator[Vector]:
    """Yield documents that do not stand where they say."""
    made = in_tree()
    entry = made["signatures"][0]
    place = read_place(entry["tree"])
    nodes = [place.proof[at : at + 32] for at in range(0, len(place.proof), 32)]
    payloads = documents_of_a_tree()
    where = WHERE
    yield from (
        Vector("tree-padded", "The place in base64url with padding.",
               placed(entry["tree"] + "=" * (-len(entry["tree"]) % 4 or 4)),
               "tree.malformed", where),
        Vector("tree-half-node", "The proof ends within a node.", placed(proof=place.proof[:-16]),
               "tree.malformed", where),
        Vector("tree-size-zero", "A tree of no documents.", placed(size=0), "tree.size", where),
        Vector("tree-size-too-large", "A tree of 2^20 + 1 documents.",
               placed(size=(1 << 20) + 1), "tree.size", where),
        Vector("tree-index-out-of-range", "The eighth of seven.", placed(index=7),
               "tree.index", where),
        Vector("tree-proof-truncated", "The last node is missing.",
               placed(proof=b"".join(nodes[:-1])), "tree.proof_short", where),
        Vector("tree-proof-extended", "One node too many.",
               placed(proof=b"".join((*nodes, nodes[0]))), "tree.proof_long", where),
        Vector("tree-proof-reordered", "The nodes from the root downwards.",
               placed(proof=b"".join(nodes[::-1])), "tree.proof", where),
        Vector("tree-proof-of-neighbour", "The proof of the fourth document.",
               placed(proof=read_place(in_tree(3)["signatures"][0]["tree"]).proof),
               "tree.proof", where),
        Vector("tree-index-of-neighbour", "The place of the fourth document.", placed(index=3),
               "tree.proof", where),
        Vector("tree-payload-changed", "The payload is that of the fourth document.",
               made | {"payload": base64.b64encode(payloads[3]).decode()}, "tree.proof", where),
        Vector("tree-leaf-for-node", "A leaf is passed off as the node above it.",
               placed(size=2, index=0, proof=leaf_hash(payloads[3])), "tree.proof", where),
    )  # fmt: skip


def bad_tree_signatures() -> Iterator[Vector]:
    """Yield trees that the signature beside them is not for, and mixed forms."""
    made = in_tree()
    entry = made["signatures"][0]
    payloads = documents_of_a_tree()
    signed = "$.signatures[0].signature"
    crit = "$.signatures[0].protected.crit"
    other = next(iter(make_envelopes(payloads[::-1], [agency()])))
    jws = envelope()["signatures"][0]

    def having(**changes: object) -> Json:
        return made | {"signatures": [entry | changes]}

    yield from (
        Vector("tree-missing", "The form merkle without a place.", having(tree=""),
               "tree.malformed", WHERE),
        Vector("tree-in-jws", "A place in a tree in the form jws.",
               envelope() | {"signatures": [jws | {"tree": entry["tree"]}]},
               "tree.malformed", WHERE),
        Vector("tree-root-changed", "A proof that leads to a root nobody signed.",
               placed(size=2, index=0, proof=leaf_hash(b"x"),
                      root=node_hash(leaf_hash(payloads[2]), leaf_hash(b"x"))),
               "tree.signature", signed),
        Vector("tree-of-others", "Place and proof are of another tree, the signature of this.",
               made | {"payload": base64.b64encode(payloads[6]).decode(),
                       "signatures": [entry | {"tree": other.signatures[0].tree}]},
               "tree.signature", signed),
        Vector("tree-other-size", "Another size, under which the proof is as long.",
               placed(size=8), "tree.signature", signed),
        Vector("tree-header-jws", "A document's own header and signature in the form merkle.",
               having(protected=jws["protected"], signature=jws["signature"]),
               "tree.header", crit),
        Vector("jws-header-tree", "A tree's header and signature in the form jws.",
               made | {"signatures": [
                   {"form": "jws", "protected": entry["protected"],
                    "signature": entry["signature"]}
               ]}, "tree.header", crit),
    )  # fmt: skip
