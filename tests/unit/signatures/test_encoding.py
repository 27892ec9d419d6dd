"""Two texts for one byte string would let a header change without its signature noticing."""

import pytest

from router.signatures.encoding import (
    decode_standard,
    decode_url,
    encode_standard,
    encode_url,
)

DATA = [b"", b"\x00", b"\xfb\xef", b"\xff\xff\xff", bytes(range(256))]


@pytest.mark.parametrize("data", DATA)
def test_what_is_encoded_decodes_to_the_same_bytes(data: bytes) -> None:
    assert decode_url(encode_url(data)) == data
    assert decode_standard(encode_standard(data)) == data


@pytest.mark.parametrize(
    "text",
    ["QQ==", "Q", "QR", "QUI\n", " QUI", "QU I", "-_+A", "/+AA", "QUJD=", "ΑΒΓΔ", "Q\udc80"],
)
def test_any_other_spelling_of_base64url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        decode_url(text)


@pytest.mark.parametrize("text", ["QQ", "QR==", "QUI=\n", " QUI=", "-_AA", "====", "Q===", "ÂBCD"])
def test_any_other_spelling_of_base64_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        decode_standard(text)
