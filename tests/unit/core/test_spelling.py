"""One text for each byte string, and ECDSA's numbers as OpenSSL wants them."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from router._spelling import decode_url, ecdsa_der


def spelled(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@given(st.binary(max_size=200))
def test_what_was_spelled_is_read(data: bytes) -> None:
    assert decode_url(spelled(data)) == data


@given(
    st.text(max_size=12)
    | st.text("ABgh_-09=+/ \n", max_size=12)
    | st.binary(max_size=9).map(lambda data: base64.b64encode(data).decode())
)
def test_only_the_one_spelling_is_read(text: str) -> None:
    try:
        data = decode_url(text)
    except ValueError:
        data = None
    if data is not None:
        assert spelled(data) == text


@pytest.mark.parametrize(
    "text", ["A", "AB", "AAB", "AA==", "AA=", "A+AA", "A/AA", "AAA\n", "é", "AAAé", "AAA\udc80"]
)
def test_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="canonical"):
        decode_url(text)


@pytest.mark.parametrize("size", [1, 32, 48, 60])
@given(data=st.data())
def test_r_and_s_become_der(size: int, data: st.DataObject) -> None:
    numbers = st.integers(0, (1 << 8 * size) - 1)
    first, second = data.draw(numbers), data.draw(numbers)
    raw = first.to_bytes(size, "big") + second.to_bytes(size, "big")
    assert ecdsa_der(raw, size) == encode_dss_signature(first, second)


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_numbers_not_in_full_length_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match="full length"):
        ecdsa_der(bytes(length), 32)


@pytest.mark.parametrize("size", [0, -1, 61, 1 << 40])
def test_a_size_that_no_curve_has_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 60"):
        ecdsa_der(b"", size)
