"""A signed text that names a member twice can be read in two ways, so it must be caught."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router._json import find_duplicate_member


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{}", None),
        ('{"a":1,"b":2}', None),
        ('{"a":1,"a":2}', (7, "a")),
        ('{"a":{"a":1},"b":[{"a":1},{"a":2}]}', None),
        ('[{"x":1},{"x":1,"x":2}]', (16, "x")),
        ('{"a":1,"\\u0061":2}', (7, "a")),
        ('{"é":1,"\\u00e9":2}', (8, "é")),
        ('{"\\ud83d\\ude00":1,"😀":2}', (18, "😀")),
        ('{"a\\"b":1,"a\\u0022b":2}', (10, 'a"b')),
        ('{"a":"b","b":"a","c":["a","a"]}', None),
        ('{"":1,"":2}', (6, "")),
        ('{"a\\\\":1,"a":2}', None),
        ('{"o":{"z":1,"z":2},"o":3}', (12, "z")),
        ('{"a":1,"o":{"z":1},"a":{"z":1,"z":2}}', (19, "a")),
        (' { "a" : [ ] , "a" : { } } ', (15, "a")),
        ('{"a/b":1,"a\\/b":2}', (9, "a/b")),
        ('"a"', None),
        ("", None),
    ],
)
def test_the_first_repeat_is_named_with_its_place(text, found):
    assert find_duplicate_member(text.encode()) == found


def test_depth_is_bounded_without_recursion():
    assert find_duplicate_member(b"[" * 32 + b"]" * 32) is None
    for data in (b"[" * 33, b'{"a":' * 33, b"[" * 1_000_000):
        with pytest.raises(ValueError, match="too deep"):
            find_duplicate_member(data)
    assert find_duplicate_member(b"[[]]", 2) is None
    with pytest.raises(ValueError, match="at most 1024"):
        find_duplicate_member(b"", 1025)
    with pytest.raises(TypeError):
        find_duplicate_member("{}")  # type: ignore[arg-type]


def test_many_names_of_equal_beginnings_are_sorted_not_compared_pairwise():
    names = [f"{'x' * 40}{i}" for i in range(15_000)]
    text = json.dumps(dict.fromkeys(names, 0))
    assert find_duplicate_member(text.encode()) is None
    repeated = text[:-1] + f', "{names[0]}": 1}}'
    assert find_duplicate_member(repeated.encode()) == (len(text) - 1 + 2, names[0])


values = st.recursive(
    st.none() | st.integers(0, 3) | st.text('ab"\\{}[]:,é😀\n', max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(st.tuples(st.text('ab\\"é😀', max_size=2), inner), max_size=4).map(tuple)
    ),
    max_leaves=12,
)


def write(value, escape):
    if isinstance(value, tuple):
        members = (
            f"{json.dumps(k, ensure_ascii=escape)}: {write(v, not escape)}" for k, v in value
        )
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(write(item, not escape) for item in value) + "]"
    return json.dumps(value, ensure_ascii=escape)


@given(values, st.booleans())
def test_it_agrees_with_a_parser_that_shows_every_pair(value, escape):
    repeated = []

    def look(pairs):
        names = [name for name, _ in pairs]
        repeated.extend(name for name in names if names.count(name) > 1)

    text = write(value, escape)
    json.loads(text, object_pairs_hook=look)
    found = find_duplicate_member(text.encode())
    if not repeated:
        assert found is None
    else:
        assert found is not None
        assert found[1] in repeated
        assert text.encode()[found[0] : found[0] + 1] == b'"'


@given(st.binary(max_size=80) | st.text('{}[]",:\\u0aé', max_size=60).map(str.encode))
def test_any_bytes_are_safe_to_scan(data):
    with contextlib.suppress(ValueError):
        find_duplicate_member(data)
