"""A batch is split into lines only up to the bound on its documents.

The failure guarded against: 32 MiB of line breaks becoming 300 MiB of empty lines before
anybody counts them.
"""

from __future__ import annotations

import tracemalloc

import pytest

from router import limits
from router.errors import TooLargeError
from router.server.hot import lines_of

MOST = limits.BATCH_DOCUMENTS_MAX


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b"{}", [b"{}"]),
        (b"{}\n", [b"{}"]),
        (b"{}\n  \r\n", [b"{}", b"  \r"]),
        (b"a\nb\n ", [b"a", b"b"]),
        (b"a\n\nb", [b"a", b"", b"b"]),
        (b"", []),
        (b"a\n" * MOST, [b"a"] * MOST),
        (b"a\n" * MOST + b" ", [b"a"] * MOST),
        (b"\n".join([b"a"] * MOST), [b"a"] * MOST),
    ],
)
def test_each_line_is_one_document_and_a_blank_one_may_end_them(body, lines):
    assert lines_of(body) == lines


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (b"a\n" * MOST + b"a", MOST + 1),
        (b"a\n" * MOST + b"a\n", MOST + 1),
        (b"a\n" * MOST + b"\n", MOST + 1),
        (b"\n" * (MOST * 3), MOST * 3),
        (b"a\n" * (MOST * 3), MOST * 3),
    ],
)
def test_one_line_more_than_the_bound_is_refused_with_its_count(body, size):
    with pytest.raises(TooLargeError) as refusal:
        lines_of(body)
    assert refusal.value.code == "batch.too_large"
    assert refusal.value.facts == {"size": size, "limit": MOST}


def test_a_body_of_line_breaks_costs_no_more_than_its_bytes():
    body = b"\n" * limits.BATCH_BYTES_MAX
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            lines_of(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * len(body)
