"""What is read from an envelope's raw bytes at once is what a JSON decoder reads, or nothing.

The story: a reader that knows one spelling takes a shortcut; an envelope that it reads otherwise
than everybody else would be delivered with a verdict about other bytes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pki import AT_US, altered, pki, trust_of

from router._plain_envelopes import HEADER_TEXTS_BYTES_MAX, PlainEnvelopes
from router.client.signing import make_envelopes
from router.errors import SignatureRefusedError
from router.limits import (
    PAYLOAD_BYTES_MAX,
    SIGNATURE_HEADER_CHARS_MAX,
    VERIFY_CHUNK_DOCUMENTS,
)
from router.model.documents import Envelope, SignatureEntry
from router.signatures import Verifier
from router.signatures.encoding import decode_url
from router.signatures.hot import _read
from router.signatures.jws import signing_input
from vanban_bench.workloads.signed_batches import Authorities

SIGNERS = [
    pki().issue(1, "H22", "UBND tỉnh", kind="ec", index=0),
    pki().issue(1, "H23", "UBND tỉnh khác", kind="rsa", index=0),
]
STRANGER = Authorities(1, 0).signer(0, "EdDSA")
UNSIGNED = altered(lambda header: header.update(alg="none"))
PAYLOADS = [b'{"number":"%d"}' % number * (number % 7 + 1) for number in range(12)]
TRUST = trust_of()


def envelope_of(payload: bytes, number: int = 0) -> Envelope:
    entry = SIGNERS[number % 2].sign(payload)
    return Envelope(version=1, payload=payload, signatures=(entry,))


ENVELOPES = [envelope_of(payload, number) for number, payload in enumerate(PAYLOADS)]
RAWS = [msgspec.json.encode(one) for one in ENVELOPES]
IN_TREE = [msgspec.json.encode(one) for one in make_envelopes(PAYLOADS[:3], [SIGNERS[0]])]


@pytest.fixture(scope="module")
def verifier() -> Iterator[Verifier]:
    made = Verifier(1)
    verdicts = made.verify_envelopes(RAWS, TRUST, None, AT_US)
    assert {one.status for one in verdicts} == {"valid"}
    yield made
    made.close()


def agree(verifier: Verifier, raw: bytes) -> None:
    """Both ways say the same of the bytes, and what is read fast is what the decoder reads."""
    (fast,) = verifier.verify_envelopes([raw], TRUST, None, AT_US)
    envelope = _read(raw)
    (found,) = PlainEnvelopes().read([raw])
    if isinstance(envelope, SignatureRefusedError):
        assert found is None
        assert (fast.status, fast.code, fast.path) == ("invalid", envelope.code, envelope.path)
        return
    (slow,) = verifier.verify_batch([envelope], TRUST, None, AT_US)
    assert fast == slow
    if found is not None:
        protected, signature, message = found
        (entry,) = envelope.signatures
        assert entry == SignatureEntry("jws", protected, entry.signature)
        assert signature == decode_url(entry.signature)
        assert message == signing_input(protected, envelope.payload)
        assert envelope == Envelope(1, envelope.payload, (entry,))


def test_our_own_spelling_is_read_fast(verifier: Verifier) -> None:
    assert None not in PlainEnvelopes().read(RAWS)
    for raw in RAWS:
        agree(verifier, raw)


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
    agree(verifier, bytes(changed))


@pytest.mark.parametrize("letter", b'"\\=A-+_/ \n\x00\x80\xff')
def test_any_byte_at_any_place_is_read_as_the_decoder_reads_it(
    verifier: Verifier, letter: int
) -> None:
    raw = RAWS[0]
    for place in range(len(raw)):
        agree(verifier, raw[:place] + bytes([letter]) + raw[place + 1 :])


@given(
    st.sampled_from(["payload", "protected", "signature"]),
    st.text(st.sampled_from('AQgwB-_+/= \\"é'), max_size=9)
    | st.binary(max_size=6).map(lambda raw: raw.hex()),
)
def test_any_text_in_any_place_is_judged_as_the_long_way_judges_it(
    verifier: Verifier, part: str, text: str
) -> None:
    written = msgspec.json.decode(RAWS[0])
    (written if part == "payload" else written["signatures"][0])[part] = text
    agree(verifier, msgspec.json.encode(written))


def test_other_spellings_are_read_the_long_way(verifier: Verifier) -> None:
    raw, whole = RAWS[3], msgspec.json.decode(RAWS[3])
    entry = whole["signatures"][0]
    spellings = [
        raw + b" ",
        b" " + raw,
        raw.replace(b'"version":1,', b'"version": 1,'),
        raw[:-1] + b',"contents":[]}',
        raw[:-1] + b',"idempotency_key":"a"}',
        raw.replace(b'"form":"jws"', b'"form":"\\u006aws"'),
        raw.replace(b'"form":"jws"', b'"form":"jws","tree":""'),
        raw.replace(b'"payload":"e', b'"payload":"\\u0065'),
        msgspec.json.encode(dict(reversed(whole.items()))),
        msgspec.json.encode({**whole, "signatures": [dict(reversed(entry.items()))]}),
        msgspec.json.encode({**whole, "signatures": [entry, entry]}),
    ]
    for text in spellings:
        assert PlainEnvelopes().read([text]) == [None]
        (verdict,) = verifier.verify_envelopes([text], TRUST, None, AT_US)
        assert verdict.status == "valid", text[:80]
        agree(verifier, text)


def test_what_is_no_envelope_is_read_the_long_way(verifier: Verifier) -> None:
    raw = RAWS[3]
    for text in [
        b"",
        b"{}",
        raw[:-1],
        raw[:-1] + b',"unknown":1}',
        raw.replace(b'"version":1,', b'"version":1,"version":1,'),
        raw.replace(b'"version":1,', b'"version":2,'),
        raw.replace(b'"form":"jws"', b'"form":"jws","form":"jws"'),
        raw.replace(b'"form":"jws"', b'"form":"merkle"'),
        raw.replace(b'"signatures":[', b'"signatures":[{},'),
        *IN_TREE,
    ]:
        assert PlainEnvelopes().read([text]) == [None]
        agree(verifier, text)


def test_lengths_at_their_bounds_are_judged_alike(verifier: Verifier) -> None:
    entry = ENVELOPES[0].signatures[0]
    replace = msgspec.structs.replace
    for size in [0, 1, 2, 3, PAYLOAD_BYTES_MAX - 1, PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX + 1]:
        agree(verifier, msgspec.json.encode(envelope_of(bytes(size))))
    for chars in [2_044, 2_048, 2_049, 2_052]:
        long = replace(entry, signature="A" * chars)
        agree(verifier, msgspec.json.encode(replace(ENVELOPES[0], signatures=(long,))))
    for chars in [0, 1, SIGNATURE_HEADER_CHARS_MAX, SIGNATURE_HEADER_CHARS_MAX + 4]:
        long = replace(entry, protected="A" * chars)
        agree(verifier, msgspec.json.encode(replace(ENVELOPES[0], signatures=(long,))))


def test_a_run_has_the_verdicts_of_its_documents_in_their_order() -> None:
    stranger = Envelope(1, b"{}", (STRANGER.sign(b"{}"),))
    forged = msgspec.structs.replace(ENVELOPES[0], payload=b"{}")
    unsigned = msgspec.structs.replace(ENVELOPES[0], signatures=(UNSIGNED,))
    odd = [msgspec.json.encode(one) for one in (stranger, forged, unsigned)]
    kinds = [*RAWS, *IN_TREE, b"{", *odd]
    chance = random.Random(1)
    raws = [chance.choice(kinds) for _ in range(5 * VERIFY_CHUNK_DOCUMENTS + 3)]
    raws += [chance.choice(IN_TREE) for _ in range(3 * VERIFY_CHUNK_DOCUMENTS)]
    raws += [chance.choice(kinds) for _ in range(2 * VERIFY_CHUNK_DOCUMENTS)]
    with_threads, alone = Verifier(3), Verifier(1)
    try:
        singly = [alone.verify_envelopes([raw], TRUST, None, AT_US)[0] for raw in raws]
        for _ in range(2):
            assert with_threads.verify_envelopes(raws, TRUST, None, AT_US) == singly
    finally:
        with_threads.close()
        alone.close()


def test_what_is_kept_of_headers_is_bounded_and_counted() -> None:
    reader = PlainEnvelopes()
    entry = ENVELOPES[0].signatures[0]
    for length in (4_096, 4_100, SIGNATURE_HEADER_CHARS_MAX):
        for letter in "ABCDEFGH":
            protected = letter * 8 + "A" * (length - 8)
            one = msgspec.structs.replace(entry, protected=protected)
            raw = msgspec.json.encode(msgspec.structs.replace(ENVELOPES[0], signatures=(one,)))
            (found,) = reader.read([raw])
            assert found is not None
            assert found[0] == protected
            assert reader.nbytes == 4_096
    assert reader.read(RAWS) == PlainEnvelopes().read(RAWS)
    assert 4_096 < reader.nbytes < HEADER_TEXTS_BYTES_MAX


def test_headers_that_end_alike_are_not_taken_for_one_another() -> None:
    protected = ENVELOPES[0].signatures[0].protected
    other = "B" + protected[1:]
    written = []
    for header in (protected, other, protected):
        entry = msgspec.structs.replace(ENVELOPES[0].signatures[0], protected=header)
        one = msgspec.structs.replace(ENVELOPES[0], signatures=(entry,))
        written.append(msgspec.json.encode(one))
    found = PlainEnvelopes().read(written)
    assert [one and one[0] for one in found] == [protected, other, protected]
