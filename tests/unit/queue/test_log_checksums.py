"""The checksum of the log is CRC-32C, whoever computes it."""

from __future__ import annotations

from random import Random

import pytest

from router.queue._crc import checksum, checksum_by_table


@pytest.mark.parametrize("compute", [checksum, checksum_by_table])
@pytest.mark.parametrize(
    ("data", "expected"),
    [  # RFC 3720 appendix B.4, its bytes read as numbers; and the check value of the algorithm
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_the_published_vectors_hold(compute: object, data: bytes, expected: int) -> None:
    assert callable(compute)
    assert compute(data) == expected


def test_processor_and_table_agree_at_every_length() -> None:
    data = Random(1).randbytes(5_000)
    for length in (*range(1_700), 4_096, 5_000):
        part = data[len(data) - length :]
        assert checksum(part) == checksum_by_table(part)


def test_a_sum_goes_on_from_the_bytes_before() -> None:
    data = Random(2).randbytes(3_000)
    for cut in (0, 1, 7, 8, 768, 1_000, 2_999, 3_000):
        assert checksum(data[cut:], checksum(data[:cut])) == checksum(data)
        assert checksum_by_table(data[cut:], checksum_by_table(data[:cut])) == checksum(data)
