"""Tokens, actors and languages come from headers anyone can write.

The failure guarded against: a line break in an actor's name forging a log line, or an odd
header answered with a crash.
"""

from __future__ import annotations

import pytest

from router.errors import AuthenticationError, InputError
from router.server.requests import actor_of, bearer_of, language_of


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (b"", "en"),
        (b"vi", "vi"),
        (b"vi-VN,vi;q=0.9,en;q=0.8", "vi"),
        (b"en;q=0.5, vi;q=0.7", "vi"),
        (b"vi;q=0.2,en", "en"),
        (b"fr,de;q=0.5", "en"),
        (b"vi;q=high", "en"),
        (b"\xff\xfe;;;,,,", "en"),
    ],
)
def test_the_better_liked_language_is_taken(header, language):
    assert language_of(header) == language


def test_a_bearer_token_is_read():
    assert bearer_of({b"authorization": b"Bearer vb1.a.b"}) == "vb1.a.b"
    assert bearer_of({b"authorization": b"bearer  vb1.a.b "}) == "vb1.a.b"


@pytest.mark.parametrize("header", [b"", b"Bearer", b"Bearer ", b"Basic eDp5", b"vb1.a.b"])
def test_no_bearer_token_is_said_to_be_missing(header):
    with pytest.raises(AuthenticationError, match=r"token\.missing"):
        bearer_of({b"authorization": header})


def test_a_token_that_is_not_ascii_is_invalid():
    with pytest.raises(AuthenticationError, match=r"token\.invalid"):
        bearer_of({b"authorization": "Bearer mã".encode()})


def test_the_actor_defaults_to_the_name_of_the_token():
    assert actor_of({}, "Văn thư") == "Văn thư"


def test_an_actor_in_nfd_is_kept_in_nfc():
    assert actor_of({b"vanban-actor": "Nguyễn".encode()}, "") == "Nguyễn"


@pytest.mark.parametrize(
    "header",
    [b"", b" ", b"a\x07b", "a\u202eb".encode(), "a\u200bb".encode(), b"\xff", ("á" * 65).encode()],
)
def test_a_bad_actor_is_refused(header):
    with pytest.raises(InputError, match=r"actor\.invalid"):
        actor_of({b"vanban-actor": header}, "")
