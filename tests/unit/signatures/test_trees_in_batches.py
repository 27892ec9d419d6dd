"""A remembered tree saves hashing and signatures, and no question about the certificate.

The story: a root that was verified last week is remembered; today its signer's certificate has
ended, or nobody trusts its issuer any more, and its documents must not slip through.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest
from support.pki import AT_US, pki, trust_of

from router._trees import VerifiedTrees
from router.client.signing import Signer, make_envelope, make_envelopes
from router.limits import PAYLOAD_BYTES_MAX
from router.model.documents import Envelope
from router.model.instants import VIETNAM_TIME, instant_of
from router.signatures import TrustStore, Verdict, Verifier
from router.signatures.trees import Place, leaf_hash, write_place

LATER_US = instant_of(datetime(2026, 1, 1, tzinfo=VIETNAM_TIME))
PAYLOADS = [b'{"number":"%d"}' % number for number in range(50)]


def short_lived() -> Signer:
    """A signer whose certificate ends on 1 January 2025."""
    ends = instant_of(datetime(2025, 1, 1, tzinfo=VIETNAM_TIME))
    return pki().issue(1, "H22", "UBND tỉnh", kind="ec", index=0, valid_to=ends)


def judged(
    verifier: Verifier, envelopes: list[Envelope], trust: TrustStore, at_us: int = AT_US
) -> list[Verdict]:
    """The verdicts over documents; those over their envelopes' bytes must be the same."""
    found = verifier.verify_batch(envelopes, trust, None, at_us)
    raws = [msgspec.json.encode(one) for one in envelopes]
    assert verifier.verify_envelopes(raws, trust, None, at_us) == found
    return found


@pytest.fixture(params=[1, 2], ids=["one-thread", "two-threads"])
def verifier(request):
    made = Verifier(request.param)
    yield made
    made.close()


def test_a_tree_is_remembered_and_named_in_every_verdict(verifier: Verifier) -> None:
    envelopes = list(make_envelopes(PAYLOADS, [short_lived()]))
    trust = trust_of()
    judged(verifier, envelopes, trust)
    verdicts = judged(verifier, envelopes, trust)
    assert {one.status for one in verdicts} == {"valid"}
    trees = [one.signatures[0].tree for one in verdicts]
    assert [(tree.size, tree.index) for tree in trees if tree] == [(50, at) for at in range(50)]
    sizes = verifier.sizes()
    assert sizes.trees == 1
    assert sizes.bytes > 50 * 64


def test_a_remembered_tree_says_nothing_about_the_certificate(verifier: Verifier) -> None:
    envelopes = list(make_envelopes(PAYLOADS, [short_lived()]))
    trust = trust_of()
    for _ in range(2):
        assert {one.status for one in judged(verifier, envelopes, trust)} == {"valid"}
    assert verifier.sizes().trees == 1
    ended = judged(verifier, envelopes, trust, LATER_US)
    assert {one.code for one in ended} == {"certificate.expired"}
    nobody = judged(verifier, envelopes, trust_of(pki().other_ca_der))
    assert {one.code for one in nobody} == {"certificate.untrusted"}
    assert {one.status for one in judged(verifier, envelopes, trust)} == {"valid"}


def test_who_is_not_trusted_fills_no_memory(verifier: Verifier) -> None:
    stranger = pki().issue(3, "H22", "UBND tỉnh", kind="ec", index=1, trusted=False)
    verdicts = judged(verifier, list(make_envelopes(PAYLOADS, [stranger])), trust_of())
    assert {one.code for one in verdicts} == {"certificate.untrusted"}
    assert verifier.sizes().trees == 0


def test_one_bad_document_costs_the_others_of_its_tree_nothing(verifier: Verifier) -> None:
    envelopes = list(make_envelopes(PAYLOADS, [short_lived()]))
    alone = make_envelope(b'{"alone":true}', [short_lived()])
    trust = trust_of()
    for _ in range(2):
        mixed = [*envelopes[:20], alone, *envelopes[20:]]
        mixed[30] = msgspec.structs.replace(mixed[30], payload=b'{"number":"x"}')
        verdicts = judged(verifier, mixed, trust)
        codes = [one.code for one in verdicts]
        assert codes == ["tree.proof" if at == 30 else "" for at in range(51)]
        assert verdicts[20].signatures[0].tree is None


def test_a_payload_over_its_bound_is_refused_in_a_remembered_tree_too() -> None:
    largest, over = b"x" * PAYLOAD_BYTES_MAX, b"x" * (PAYLOAD_BYTES_MAX + 1)
    envelopes = make_envelopes([b"{}", largest, over], [short_lived()])
    raws = [msgspec.json.encode(one) for one in envelopes]
    made = Verifier(1)
    for _ in range(2):
        found = made.verify_envelopes(raws, trust_of(), None, AT_US)
        assert [one.code for one in found] == ["", "", "json.malformed"]
    made.close()


def test_what_is_no_text_reaches_no_memory() -> None:
    trees = VerifiedTrees(1 << 20, 8)
    root = leaf_hash(b"x")
    trees.add("header", "signature", 1, root, "")
    place = write_place(Place(1, 0, root, b""))
    assert trees.prove("header", "signature", place, b"x") is not None
    good = ("header", "signature", place, b"x")
    for at in range(len(good)):
        given = (*good[:at], None, *good[at + 1 :])
        with pytest.raises(TypeError):
            trees.prove(*given)  # type: ignore[arg-type]
