"""A token is checked before it goes into a header, and never shown by the refusal."""

from __future__ import annotations

import pytest

from router.client import AsyncClient, Client
from router.client.wire import headers_of
from router.errors import AuthenticationError

URL = "http://127.0.0.1:9"
GOOD = "vb1.3f0c.aA0_-z"
KEY = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize("text", [GOOD, f"{GOOD}\n", f"  {GOOD}\r\n"])
def test_blanks_and_line_ends_around_a_token_do_not_matter(text):
    assert headers_of(text, "", "en")["Authorization"] == f"Bearer {GOOD}"


def test_no_token_is_no_header():
    assert "Authorization" not in headers_of("", "", "en")


@pytest.mark.parametrize(
    "text",
    [KEY, f"{GOOD}\nsecond", f"{GOOD} second", "vb1.a.é", "vb1.a", "vb1..b", "vb2.a.b", "x" * 9,
     "vb1.a." + "b" * 1_000, "vb1.a.b\0", "vb1.\ud800.b"],
)  # fmt: skip
@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_what_is_no_token_is_refused_without_being_named(client, text):
    with pytest.raises(AuthenticationError) as caught:
        client(URL, text)
    assert caught.value.code == "token.malformed"
    assert caught.value.facts == {}
    assert text not in f"{caught.value!r} {caught.value}"
