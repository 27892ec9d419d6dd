"""What is proven from an envelope's raw bytes is what is proven after reading it, never more.

The story: a reader that knows one spelling takes a shortcut; an envelope that it misreads would
be delivered with a verdict about other bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pki import AT_US, pki, trust_of

from router.client.signing import make_envelopes
from router.limits import PAYLOAD_BYTES_MAX
from router.model.documents import Envelope
from router.signatures import Verifier

SIGNER = pki().issue(1, "H22", "UBND tỉnh", kind="ec", index=0)
PAYLOADS = [b'{"number":"%d"}' % number * (number % 7 + 1) for number in range(21)]
ENVELOPES = list(make_envelopes(PAYLOADS, [SIGNER]))
RAWS = [msgspec.json.encode(one) for one in ENVELOPES]
TRUST = trust_of()
decode = msgspec.json.Decoder(Envelope).decode


def warm() -> Verifier:
    """A verifier that has seen the signer; the tree is remembered after the second batch."""
    verifier = Verifier(1)
    for _ in range(2):
        verdicts = verifier.verify_envelopes(RAWS, TRUST, None, AT_US)
        assert {one.status for one in verdicts} == {"valid"}
    return verifier


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    made = warm()
    yield made
    made.close()


def fast_and_slow(verifier: Verifier, raw: bytes) -> None:
    """The warm verdict over raw bytes equals the one of a verifier that remembers nothing."""
    (fast,) = verifier.verify_envelopes([raw], TRUST, None, AT_US)
    fresh = Verifier(1)
    try:
        (slow,) = fresh.verify_envelopes([raw], TRUST, None, AT_US)
    finally:
        fresh.close()
    assert (fast.status, fast.code, fast.path) == (slow.status, slow.code, slow.path)
    assert [one.tree for one in fast.signatures] == [one.tree for one in slow.signatures]
    (found,) = verifier._caches.trees.find_raw([raw])
    if found is not None:
        assert fast.status == "valid"
        envelope = decode(raw)
        assert envelope.payload == PAYLOADS[found[1]]
        assert len(envelope.signatures) == 1


def test_our_own_spelling_is_read_fast(verifier: Verifier) -> None:
    for index, raw in enumerate(RAWS):
        (found,) = verifier._caches.trees.find_raw([raw])
        assert found is not None
        assert found[1] == index
        fast_and_slow(verifier, raw)


@given(st.sampled_from(RAWS), st.data())
def test_a_changed_byte_is_judged_as_the_long_way_judges_it(
    verifier: Verifier, raw: bytes, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(raw) - 1))
    letter = data.draw(st.sampled_from(b'"A/=_-+\\ {}\x00\xc6z:,') | st.integers(0, 255))
    kind = data.draw(st.sampled_from(["set", "cut", "add", "end"]))
    changed = bytearray(raw)
    if kind == "set":
        changed[place] = letter
    elif kind == "cut":
        del changed[place]
    elif kind == "add":
        changed.insert(place, letter)
    else:
        del changed[place:]
    fast_and_slow(verifier, bytes(changed))


@given(st.sampled_from(ENVELOPES), st.sampled_from(ENVELOPES), st.sampled_from(["payload", "tree"]))
def test_parts_of_two_envelopes_make_none(
    verifier: Verifier, one: Envelope, other: Envelope, part: str
) -> None:
    if part == "payload":
        mixed = msgspec.structs.replace(one, payload=other.payload)
    else:
        entry = msgspec.structs.replace(one.signatures[0], tree=other.signatures[0].tree)
        mixed = msgspec.structs.replace(one, signatures=(entry,))
    fast_and_slow(verifier, msgspec.json.encode(mixed))


def test_other_spellings_are_read_the_long_way(verifier: Verifier) -> None:
    raw = RAWS[3]
    spellings = [
        raw + b" ",
        b" " + raw,
        raw.replace(b'"version":1,', b'"version": 1,'),
        raw[:-1] + b',"contents":[]}',
        raw[:-1] + b',"idempotency_key":"a"}',
        raw.replace(b'"form":"merkle"', b'"form":"merkl\\u0065"'),
        msgspec.json.encode(dict(reversed(msgspec.json.decode(raw).items()))),
    ]
    for text in spellings:
        assert verifier._caches.trees.find_raw([text]) == [None]
        (verdict,) = verifier.verify_envelopes([text], TRUST, None, AT_US)
        assert verdict.status == "valid", text[:80]
    repeated = raw.replace(b'"version":1,', b'"version":1,"version":1,')
    assert verifier._caches.trees.find_raw([repeated]) == [None]
    fast_and_slow(verifier, repeated)


def test_payloads_of_every_length_are_hashed_in_the_right_steps() -> None:
    sizes = [0, 1, 2, 3, *range(2_040, 2_054), 4_091, 4_092, 4_093, *range(8_188, 8_196), 98_303,
             98_304, 98_305, 98_306, PAYLOAD_BYTES_MAX - 1, PAYLOAD_BYTES_MAX]  # fmt: skip
    payloads = [bytes([number % 251]) * number for number in sizes]
    envelopes = list(make_envelopes(payloads, [SIGNER]))
    raws = [msgspec.json.encode(one) for one in envelopes]
    verifier = warm()
    for _ in range(2):
        verdicts = verifier.verify_envelopes(raws, TRUST, None, AT_US)
        assert {one.status for one in verdicts} == {"valid"}
        verdicts = verifier.verify_batch(envelopes, TRUST, None, AT_US)
        assert {one.status for one in verdicts} == {"valid"}
    assert all(verifier._caches.trees.find_raw(raws[1:]))
    for raw, payload in zip(raws, payloads, strict=True):
        longer = msgspec.structs.replace(decode(raw), payload=payload + b"x")
        (verdict,) = verifier.verify_envelopes([msgspec.json.encode(longer)], TRUST, None, AT_US)
        assert verdict.status == "invalid"
    verifier.close()
