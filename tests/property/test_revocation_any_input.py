"""Whatever an address answers, it is taken in or refused by one of our codes; the index is exact.

The failure guarded against: one bit of a list turned over ends the fetching, or a serial is
answered with another one's entry.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.revocation import NOW_US, root, trusting

from router.errors import InputError
from router.messages import TABLE
from router.signatures import RevocationStore
from router.signatures.lists import REASONS, SERIAL_BYTES_MAX, Entries, der_of

CA = root()
TRUST = trusting(CA)
LEAF = CA.leaf(9)
SAMPLES = (CA.crl([7, 8], number=3), CA.response(LEAF), CA.response(LEAF, responder=CA.responder()))
NONE_STATED = -(1 << 63)
serials = st.one_of(
    st.integers(0, 300), st.integers(0, (1 << 160) - 1), st.integers(0, 30).map(lambda n: n << 64)
)


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_by_code(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        RevocationStore().add(der_of(data), TRUST, NOW_US)
    assert caught.value.code in TABLE


@settings(max_examples=300)
@given(st.sampled_from(SAMPLES), st.data())
def test_a_changed_list_or_response_is_never_believed(sample: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(sample) - 1))
    octet = data.draw(st.integers(0, 255).filter(lambda one: one != sample[place]))
    changed = sample[:place] + bytes([octet]) + sample[place + 1 :]
    store, refusal = RevocationStore(), ""
    try:
        store.add(changed, TRUST, NOW_US)
    except InputError as error:
        refusal = error.code
    if refusal:
        assert refusal in TABLE
        assert store.view.version == 0
    else:  # changed outside what is signed: in a certificate beside a response, say
        original = RevocationStore()
        original.add(sample, TRUST, NOW_US)
        for serial in (7, 8, 9, 10):
            found, meant = (
                one.view.status(CA.certificate, serial, NOW_US) for one in (store, original)
            )
            assert (found.kind, found.revoked_at) == (meant.kind, meant.revoked_at)


@given(
    st.lists(
        st.tuples(
            serials,
            st.integers(0, 4_000_000_000_000_000),
            st.one_of(st.just(NONE_STATED), st.integers(0, 4_000_000_000_000_000)),
            st.integers(0, len(REASONS) - 1),
        ),
        max_size=200,
    ),
    st.lists(serials, max_size=50),
)
def test_the_index_answers_as_a_dictionary_does(
    rows: list[tuple[int, int, int, int]], others: list[int]
) -> None:
    entries, known = Entries(rows), {}
    for serial, revoked_at, invalidity_at, reason in sorted(rows, key=lambda row: -row[1]):
        known[serial] = (revoked_at, invalidity_at, reason)
    assert len(entries) == len(rows)
    for serial in [*known, *others, -1, 1 << (8 * SERIAL_BYTES_MAX)]:
        found, meant = entries.find(serial), known.get(serial)
        assert (found is None) == (meant is None)
        if found is not None and meant is not None:
            assert found.revoked_at == meant[0]


def test_a_serial_that_is_none_is_refused() -> None:
    for serial in (-1, 1 << (8 * SERIAL_BYTES_MAX)):
        with pytest.raises(OverflowError):
            Entries([(serial, 0, NONE_STATED, 0)])


def test_a_list_of_entries_takes_little_memory() -> None:
    rows = [(serial << 150, NOW_US, NONE_STATED, 1) for serial in range(1, 1_000)]
    assert Entries(rows).memory_bytes / len(rows) == 17 + 20
