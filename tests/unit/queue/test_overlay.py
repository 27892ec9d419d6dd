"""The overlay: tombstones, groups, growth, and what happens when memory ends."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from router.queue._overlay import Overlay

EXACT, ORDERED = 0, 1


def number(value: int) -> bytes:
    return value.to_bytes(8, "big")


@pytest.fixture
def overlay() -> Overlay:
    return Overlay([False, True])


def test_a_key_never_put_is_absent_and_a_removed_one_is_gone(overlay: Overlay) -> None:
    with pytest.raises(KeyError):
        overlay.get(EXACT, b"key")
    overlay.set(EXACT, b"key", b"value")
    assert overlay.get(EXACT, b"key") == b"value"
    overlay.delete(EXACT, b"key")
    assert overlay.get(EXACT, b"key") is None
    assert overlay.walk(EXACT) == [(b"key", None)]


def test_a_tombstone_is_left_for_a_key_that_was_not_here(overlay: Overlay) -> None:
    overlay.delete(EXACT, b"below")
    overlay.delete(ORDERED, b"p" + number(3))
    assert overlay.get(EXACT, b"below") is None
    assert overlay.group(ORDERED, b"p") == [(3, None)]
    assert overlay.items == 2


def test_a_removed_key_can_be_put_again(overlay: Overlay) -> None:
    for table, key in ((EXACT, b"key"), (ORDERED, b"p" + number(1))):
        overlay.set(table, key, b"first")
        overlay.delete(table, key)
        overlay.set(table, key, b"the second, longer")
        assert overlay.get(table, key) == b"the second, longer"
    assert overlay.items == 2


def test_what_is_new_here_and_removed_again_is_nobodys_business_below(overlay: Overlay) -> None:
    """Readers see it gone; whoever writes the changes down never meets it."""
    for table, stem in ((EXACT, b"p"), (ORDERED, b"p"), (ORDERED, b"q")):
        for place in range(4):
            overlay.set(table, stem + number(place), b"new", new=True)
        overlay.set(table, stem + number(9), b"old")
        for place in (0, 2, 3, 9):
            overlay.delete(table, stem + number(place))
        overlay.set(table, stem + number(2), b"again")
        assert overlay.get(table, stem + number(0)) is None
    left = [(1, b"new"), (2, b"again"), (9, None)]
    assert sorted(overlay.walk(EXACT)) == [(b"p" + number(n), value) for n, value in left]
    assert overlay.walk(ORDERED) == [
        (stem + number(n), value) for stem in (b"p", b"q") for n, value in left
    ]
    assert overlay.group(ORDERED, b"q") == [
        (0, None), (1, b"new"), (2, b"again"), (3, None), (9, None),
    ]  # fmt: skip
    assert overlay.walk(ORDERED, b"p" + number(3)) == overlay.walk(ORDERED)[2:]


def test_what_is_called_new_over_a_tombstone_is_still_removed_below(overlay: Overlay) -> None:
    for table in (EXACT, ORDERED):
        key = b"p" + number(1)
        overlay.delete(table, key)
        overlay.set(table, key, b"v", new=True)
        assert overlay.walk(table) == [(key, b"v")]
        overlay.delete(table, key)
        assert overlay.walk(table) == [(key, None)]


def test_a_group_that_is_all_new_and_removed_is_passed_by(overlay: Overlay) -> None:
    for stem in (b"a", b"b", b"c"):
        overlay.set(ORDERED, stem + number(1), b"", new=True)
        overlay.delete(ORDERED, stem + number(1))
        assert overlay.walk(ORDERED) == []
    overlay.set(ORDERED, b"b" + number(7), b"left")
    assert overlay.walk(ORDERED) == [(b"b" + number(7), b"left")]


def test_tables_do_not_share_keys(overlay: Overlay) -> None:
    overlay.set(EXACT, b"p" + number(1), b"exact")
    with pytest.raises(KeyError):
        overlay.get(ORDERED, b"p" + number(1))


def test_the_empty_key_and_the_longest_one_are_keys(overlay: Overlay) -> None:
    for key in (b"", b"k" * 64):
        overlay.set(EXACT, key, key)
    for key in (number(7), b"k" * 56 + number(7)):
        overlay.set(ORDERED, key, key)
        assert overlay.get(ORDERED, key) == key
    assert overlay.walk(EXACT) == [(b"", b""), (b"k" * 64, b"k" * 64)]
    assert overlay.group(ORDERED, b"") == [(7, number(7))]


@pytest.mark.parametrize(
    ("table", "key"),
    [(EXACT, b"k" * 65), (ORDERED, b"k" * 65), (ORDERED, b"short"), (2, b"key"), (-1, b"key")],
)
def test_a_key_that_cannot_be_held_is_refused(overlay: Overlay, table: int, key: bytes) -> None:
    with pytest.raises(ValueError, match=r"table|key"):
        overlay.set(table, key, b"")
    with pytest.raises(ValueError, match=r"table|key"):
        overlay.get(table, key)
    assert overlay.items == 0


@pytest.mark.parametrize("tables", [0, 33])
def test_no_tables_and_too_many_are_refused(tables: int) -> None:
    with pytest.raises(ValueError, match="1 to 32"):
        Overlay([False] * tables)


def test_a_shorter_value_is_written_in_place_and_a_longer_one_fits_again(
    overlay: Overlay,
) -> None:
    for table, key in ((EXACT, b"key"), (ORDERED, b"p" + number(1))):
        overlay.set(table, key, b"v" * 100)
    held = overlay.bytes
    for turn in range(10_000):
        value = b"x" * (turn % 101)
        for table, key in ((EXACT, b"key"), (ORDERED, b"p" + number(1))):
            overlay.set(table, key, value)
            assert overlay.get(table, key) == value
    assert overlay.bytes == held


def test_suffixes_in_any_order_come_out_sorted(overlay: Overlay) -> None:
    suffixes = [*range(1000), 2**64 - 1, 2**63, *range(10**12, 10**12 + 900, 3)]
    random.Random(4).shuffle(suffixes)
    for suffix in suffixes:
        overlay.set(ORDERED, b"p" + number(suffix), b"%d" % suffix)
    listed = [(suffix, b"%d" % suffix) for suffix in sorted(suffixes)]
    assert overlay.group(ORDERED, b"p") == listed
    for start in (0, 1, 999, 1000, 10**12 + 1, 2**63 + 1, 2**64 - 1):
        assert overlay.group(ORDERED, b"p", start) == [one for one in listed if one[0] >= start]
    assert overlay.group(ORDERED, b"q") == []


def test_keys_of_nested_prefixes_are_walked_in_the_order_of_whole_keys(
    overlay: Overlay,
) -> None:
    keys = [b"a" + number(1), b"a" + number(2**40), b"a\0\0" + number(5), number(0x61 << 56)]
    for key in keys:
        overlay.set(ORDERED, key, key)
    assert overlay.walk(ORDERED) == [(key, key) for key in sorted(keys)]
    late = b"a" + number(2)  # no new prefix, yet in the midst of others
    overlay.set(ORDERED, late, late)
    assert overlay.walk(ORDERED) == [(key, key) for key in sorted([*keys, late])]


def test_a_put_after_a_walk_is_in_the_next_one(overlay: Overlay) -> None:
    for key in (b"b", b"a", b"c"):
        overlay.set(EXACT, key, b"")
        overlay.set(ORDERED, key + number(1), b"")
        overlay.set(ORDERED, b"a" + number(ord(key)), b"")
        assert [one for one, _ in overlay.walk(EXACT)][-1] >= key
        assert key + number(1) in dict(overlay.walk(ORDERED))
    assert len(overlay.walk(ORDERED)) == overlay.items - 3


def test_large_values_are_kept_whole_and_cost_what_they_hold(overlay: Overlay) -> None:
    values = {b"%d" % i: bytes([i]) * (40_000 * i) for i in range(1, 26)}
    for key, value in values.items():
        overlay.set(EXACT, key, value)
        overlay.set(EXACT, b"small" + key, b"s" * 1000)
    assert all(overlay.get(EXACT, key) == value for key, value in values.items())
    whole = sum(map(len, values.values()))
    assert whole < overlay.bytes < whole * 1.2


def test_clearing_drops_everything_and_keeps_one_chunk(overlay: Overlay) -> None:
    for i in range(20_000):
        overlay.set(EXACT, number(i), b"v" * 30)
        overlay.set(ORDERED, b"p" + number(i), b"v" * 30)
    overlay.walk(EXACT)
    overlay.clear()
    assert overlay.items == 0
    assert overlay.bytes == 65536
    assert overlay.walk(EXACT) == overlay.walk(ORDERED) == []
    overlay.set(ORDERED, b"p" + number(1), b"again")
    assert overlay.walk(ORDERED) == [(b"p" + number(1), b"again")]


def test_a_million_bytes_are_counted_about_right(overlay: Overlay) -> None:
    for i in range(10_000):
        overlay.set(EXACT, b"k" * 16 + number(i), b"v" * 24)
    assert 10_000 * 64 < overlay.bytes < 10_000 * 160


OUT_OF_MEMORY = """
import resource
from router.queue._overlay import Overlay
overlay = Overlay([False, True])
with open("/proc/self/statm") as file:
    pages = int(file.read().split()[0])
hard = resource.getrlimit(resource.RLIMIT_AS)[1]
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 48 * 2**20, hard))
full = {0: 0, 1: 0}
tried = {0: 0, 1: 0}
while min(full.values()) < 20 and max(tried.values()) < 2_000_000:
    for table in (0, 1):
        key = (b"" if table == 0 else b"prefix") + tried[table].to_bytes(8, "big")
        try:
            overlay.set(table, key, b"%d" % tried[table] * 9)
            tried[table] += 1
        except MemoryError:
            full[table] += 1
assert min(full.values()) >= 20, (full, tried)
assert overlay.items == sum(tried.values())
for table in (0, 1):
    for i in range(0, tried[table], 97):
        key = (b"" if table == 0 else b"prefix") + i.to_bytes(8, "big")
        assert overlay.get(table, key) == b"%d" % i * 9
    last = (b"" if table == 0 else b"prefix") + tried[table].to_bytes(8, "big")
    try:
        overlay.get(table, last)
    except KeyError:
        pass
    else:
        raise AssertionError(table)
overlay.clear()
overlay.set(0, b"key", b"value")
assert overlay.walk(0) == [(b"key", b"value")]
print("intact")
"""


def test_when_memory_ends_puts_fail_and_everything_before_stays() -> None:
    ended = subprocess.run(
        [sys.executable, "-P", "-c", OUT_OF_MEMORY], capture_output=True, text=True, check=False
    )
    assert (ended.stdout, ended.stderr) == ("intact\n", "")
