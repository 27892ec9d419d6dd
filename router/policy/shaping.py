"""The shape of a policy file: unknown and missing keys, values that no such key may have.

msgspec says whether a value fits, and stops at the first that does not.  Where it does
stop, the value is taken apart along its type, so that every mistake is told with the values
that would do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from enum import Enum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from router.limits import REASON_CHARS_MAX
from router.policy.lines import Path
from router.policy.model import (
    AudienceConditions,
    DocumentConditions,
    Effect,
    PolicyFile,
    PolicyTest,
    Rule,
    When,
)
from router.policy.problems import Problems
from router.selectors import near_names

_DATES: Final = (datetime, date, time)
"""What TOML has itself: a date in quotes is no date."""
_NO_EMPTY: Final = (("directions",), ("documents", "acts"), ("documents", "urgencies"))
"""Lists that mean everything when left out: an empty one is a mistake, not everything."""
_OF_A_RULE: Final = (Rule, DocumentConditions, AudienceConditions, When, Effect)
_Kind = TypeVar("_Kind")


class Shaped(msgspec.Struct, frozen=True):
    """What of a file has the right shape: `policy` when all has, else the good rules and tests.

    Rules and tests come with their places in the file, from 0; so do the names of all of
    them, the bad ones too.
    """

    policy: PolicyFile | None
    rules: list[tuple[int, Rule]]
    tests: list[tuple[int, PolicyTest]]
    rule_names: list[tuple[int, str]]
    test_names: list[tuple[int, str]]


def shape(raw: dict[str, Any], found: Problems) -> Shaped:
    """Return a parsed TOML file as a policy; note what has not its shape."""
    rules, tests = _listed(raw, "rules"), _listed(raw, "tests")
    for index, rule in enumerate(rules):
        _refuse_empty(rule, ("rules", index), found)
    names = _names(rules), _names(tests)
    try:
        policy = _convert(raw, PolicyFile)
    except msgspec.ValidationError:
        _dig(raw, PolicyFile, (), "", found)
        return Shaped(None, list(_good(rules, Rule)), list(_good(tests, PolicyTest)), *names)
    return Shaped(policy, list(enumerate(policy.rules)), list(enumerate(policy.tests)), *names)


def _convert(raw: object, kind: type[_Kind]) -> _Kind:
    return msgspec.convert(raw, kind, builtin_types=_DATES, str_keys=True)


def _names(raw: list[Any]) -> list[tuple[int, str]]:
    return [(index, name) for index, one in enumerate(raw) if (name := _name(one))]


def _good(raw: list[Any], kind: type[_Kind]) -> Iterator[tuple[int, _Kind]]:
    for index, one in enumerate(raw):
        try:
            yield index, _convert(one, kind)
        except msgspec.ValidationError:
            continue


def _listed(raw: dict[str, Any], key: str) -> list[Any]:
    found = raw.get(key)
    return found if isinstance(found, list) else []


def _refuse_empty(rule: Any, path: Path, found: Problems) -> None:
    """Note the empty lists of a rule (as TOML gives it) that msgspec would let pass."""
    for keys in _NO_EMPTY:
        value = rule
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if value == []:
            expected = _expected(_kind_at(Rule, keys))
            found.add(
                "policy.invalid_value", (*path, *keys), rule=_name(rule), key=keys[-1],
                expected=expected,
            )  # fmt: skip


def _dig(raw: Any, kind: Any, path: Path, rule: str, found: Problems) -> None:
    """Note what does not fit about a value: as deep within it as can be told."""
    if found.full or _fits(raw, kind):
        return
    before = found.errors
    plain = _plain(kind)
    if _is_struct(plain) and isinstance(raw, dict):
        _dig_struct(raw, plain, path, _name(raw) if path and plain is Rule else rule, found)
    elif isinstance(raw, list) and get_origin(plain) is tuple:
        for index, one in enumerate(raw):
            _dig(one, get_args(plain)[0], (*path, index), rule, found)
    elif isinstance(raw, dict) and get_origin(plain) is dict:
        for key, one in raw.items():
            _dig(one, get_args(plain)[1], (*path, key), rule, found)
    if found.errors == before:
        key = next((str(one) for one in reversed(path) if isinstance(one, str)), "–")
        near = near_names(raw, _values(plain), 1) if isinstance(raw, str) else []
        found.add(
            "policy.invalid_value", path, rule=rule, suggestion="".join(near), key=key,
            expected=_expected(kind),
        )  # fmt: skip


def _dig_struct(
    raw: dict[str, Any], kind: type[msgspec.Struct], path: Path, rule: str, found: Problems
) -> None:
    fields = {one.encode_name: one for one in msgspec.structs.fields(kind)}
    for key in raw.keys() - fields.keys():
        near = near_names(key, fields, 1) or _elsewhere(kind).get(key, [])[:1]
        found.add(
            "policy.unknown_key", (*path, key), rule=rule, suggestion="".join(near), key=key,
            known=", ".join(fields),
        )  # fmt: skip
    for key, field in fields.items():
        if key in raw:
            _dig(raw[key], field.type, (*path, key), rule, found)
        elif field.required:
            found.add(
                "policy.missing_key", path, rule=rule, key=key, expected=_expected(field.type)
            )


def _fits(raw: Any, kind: Any) -> bool:
    try:
        _convert(raw, kind)
    except msgspec.ValidationError:
        return False
    return True


def _name(rule: Any) -> str:
    name = rule.get("name") if isinstance(rule, dict) else None
    return name[:REASON_CHARS_MAX] if isinstance(name, str) else ""


def _plain(kind: Any) -> Any:
    """Return a type without its bounds and without “or nothing”."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (Union, UnionType):
            kind = next(one for one in get_args(kind) if one is not type(None))
        else:
            return kind


def _bounds(kind: Any) -> Iterator[msgspec.Meta]:
    """Yield the bounds of a type, outer ones first."""
    while get_origin(kind) in (Union, UnionType, Annotated):
        if get_origin(kind) is Annotated:
            yield from (one for one in get_args(kind)[1:] if isinstance(one, msgspec.Meta))
            kind = get_args(kind)[0]
        else:
            kind = next(one for one in get_args(kind) if one is not type(None))


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _values(kind: Any) -> list[str]:
    """Return the words that a type allows, [] when they are not counted."""
    return [one.value for one in kind] if _is_enum(kind) else []


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _expected(kind: Any) -> str:
    """Return what would do, in signs that need no language: ``0 … 366``, ``{ min, max }``."""
    plain = _plain(kind)
    if _is_enum(plain):
        return ", ".join(f'"{value}"' for value in _values(plain))
    if get_origin(plain) is Literal:
        return "true"
    if _is_struct(plain):
        return "{ " + ", ".join(one.encode_name for one in msgspec.structs.fields(plain)) + " }"
    if get_origin(plain) is tuple:
        return f"[{_expected(get_args(plain)[0])}, …]{_range(kind)}"
    if get_origin(plain) is dict:
        return '{ "2028" = … }'
    if plain is date:
        return "2025-06-30"
    if plain is int:
        return _range(kind).strip(" ()") or "0, 1, …"
    pattern = next((one.pattern for one in _bounds(kind) if one.pattern), None) or ""
    shown = "08:00-12:00" if ":" in pattern else "a-z 0-9 _ . / -" if pattern else "…"
    return f'"{shown}"{_range(kind)}'


def _range(kind: Any) -> str:
    """Return the bounds of a number, of a text's characters or of a list's values."""
    for one in _bounds(kind):
        low = one.ge if one.ge is not None else one.min_length
        high = one.le if one.le is not None else one.max_length
        if low is not None or high is not None:
            return f" ({low or 0} … {high})" if high is not None else f" ({low} …)"
    return ""


def _kind_at(kind: Any, keys: Iterable[str]) -> Any:
    for key in keys:
        fields = msgspec.structs.fields(_plain(kind))
        kind = next(one.type for one in fields if one.encode_name == key)
    return kind


@cache
def _elsewhere(kind: type[msgspec.Struct]) -> dict[str, list[str]]:
    """Return where else a rule knows a key: "types" as ``documents.types``."""
    found: dict[str, list[str]] = {}
    waiting: list[tuple[str, Any]] = [("", Rule if kind in _OF_A_RULE else kind)]
    while waiting:
        path, inner = waiting.pop(0)
        for field in msgspec.structs.fields(inner):
            found.setdefault(field.encode_name, []).append(path + field.encode_name)
            plain = _plain(field.type)
            if _is_struct(plain):
                waiting.append((f"{path}{field.encode_name}.", plain))
    return found
