"""The overlay answers as a dict per table would, sorted by whole keys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from router.queue._overlay import Overlay

TABLES = st.integers(0, 2)
ORDERED = (False, True, True)  # table 2 mixes prefixes of which one continues another

some_bytes = st.one_of(
    st.binary(max_size=64),
    st.lists(st.sampled_from((0, 1, 255)), max_size=12).map(bytes),
)
suffixes = st.one_of(st.integers(0, 20), st.integers(0, 2**64 - 1)).map(
    lambda number: number.to_bytes(8, "big")
)
lanes = st.sampled_from((b"\x01topic-00", b"\x01topic-01", b"\x02topic-00"))
nested = st.sampled_from((b"", b"\0", b"\0" * 8, b"\0" * 8 + b"\x01", b"\0" * 9, b"a" * 56))
values = st.one_of(st.binary(max_size=40), st.binary(min_size=200, max_size=300))


def keys_of(table: int) -> st.SearchStrategy[bytes]:
    if not ORDERED[table]:
        return some_bytes
    return st.builds(bytes.__add__, lanes if table == 1 else nested, suffixes)


class OverlayAndDicts(RuleBasedStateMachine):
    """What is done to the overlay is done to a dict per table; None is a tombstone."""

    @initialize()
    def begin(self) -> None:
        self.overlay = Overlay(ORDERED)
        self.dicts: list[dict[bytes, bytes | None]] = [{}, {}, {}]

    def key(self, data: st.DataObject, table: int) -> bytes:
        known = sorted(self.dicts[table])
        either = keys_of(table)
        return data.draw(st.one_of(st.sampled_from(known), either) if known else either)

    @rule(data=st.data(), table=TABLES, value=values)
    def put(self, data: st.DataObject, table: int, value: bytes) -> None:
        key = self.key(data, table)
        self.overlay.set(table, key, value)
        self.dicts[table][key] = value

    @rule(table=st.integers(1, 2), start=st.integers(0, 2**64 - 400), count=st.integers(1, 300))
    def append_many(self, table: int, start: int, count: int) -> None:
        prefix = b"\x01topic-00" if table == 1 else b"\0" * 8
        for number in range(start, start + count):
            key = prefix + number.to_bytes(8, "big")
            self.overlay.set(table, key, b"%d" % number)
            self.dicts[table][key] = b"%d" % number

    @rule(data=st.data(), table=TABLES)
    def remove(self, data: st.DataObject, table: int) -> None:
        key = self.key(data, table)
        self.overlay.delete(table, key)
        self.dicts[table][key] = None

    @rule(data=st.data(), table=TABLES, value=values)
    def alter(self, data: st.DataObject, table: int, value: bytes) -> None:
        key = self.key(data, table)
        old = self.dicts[table].get(key)
        fits = bool(old) and len(value) <= len(old or b"")
        assert self.overlay.alter(table, key, value) == fits
        if fits:
            self.dicts[table][key] = value + (old or b"")[len(value) :]

    @rule(data=st.data(), table=TABLES)
    def find(self, data: st.DataObject, table: int) -> None:
        key = self.key(data, table)
        try:
            found = self.overlay.get(table, key)
        except KeyError:
            assert key not in self.dicts[table]
        else:
            assert self.dicts[table][key] == found

    @rule(data=st.data(), table=st.integers(1, 2))
    def seek(self, data: st.DataObject, table: int) -> None:
        key = self.key(data, table)
        prefix, start = key[:-8], key[-8:]
        assert self.overlay.group(table, prefix, int.from_bytes(start, "big")) == [
            (int.from_bytes(other[-8:], "big"), value)
            for other, value in sorted(self.dicts[table].items())
            if other[:-8] == prefix and other[-8:] >= start
        ]

    @rule(table=TABLES, start=some_bytes)
    def walk(self, table: int, start: bytes) -> None:
        assert self.overlay.walk(table, start) == [
            (key, value) for key, value in sorted(self.dicts[table].items()) if key >= start
        ]

    @rule()
    def clear(self) -> None:
        self.overlay.clear()
        self.dicts = [{}, {}, {}]

    @invariant()
    def counts(self) -> None:
        assert self.overlay.items == sum(map(len, self.dicts))

    def teardown(self) -> None:
        for table, expected in enumerate(self.dicts):
            assert self.overlay.walk(table) == sorted(expected.items())


TestOverlayAndDicts = OverlayAndDicts.TestCase


@given(st.dictionaries(some_bytes, values, max_size=300), some_bytes)
def test_many_keys_at_once_are_walked_in_order(expected: dict[bytes, bytes], start: bytes) -> None:
    overlay = Overlay([False])
    for key, value in expected.items():
        overlay.set(0, key, value)
    assert overlay.walk(0, start) == sorted(
        (key, value) for key, value in expected.items() if key >= start
    )
