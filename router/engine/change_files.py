"""Changes of the directory in files: units, reorganisations, corrections, groups as JSON.

Written for people: an instant may be a date (00:00 of it in +07:00) or a time with its
zone, beside the microseconds that the structs hold; a fix may name units by code; and what
stands under a name that begins with "_" is a note.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from router.errors import InputError, VanbanError
from router.model.reorganisations import DirectoryChange
from router.model.units import Unit
from router.selectors import instant_of_text

_INSTANTS: Final = frozenset(
    {"at", "since", "until", "valid_from", "valid_to", "opened_at", "closed_at"}
)
_DEPTH_MAX: Final = 16

NumberOf = Callable[[str], int]


def successors_to_name(todo: list[tuple[Unit, list[Unit]]], title: str) -> bytes:
    """Return a correction to fill in: closed units, each with who may succeed it.

    The proposals are notes; a fix whose `successors` stay empty is passed over.
    """
    fixes = [
        {
            "number": unit.number,
            "_unit": f"{unit.code} {unit.name}",
            "_perhaps": [f"{heir.number}: {heir.code} {heir.name}" for heir in heirs],
            "successors": [],
        }
        for unit, heirs in todo
    ]
    correction = {"type": "correction", "title": title, "fixes": fixes}
    return msgspec.json.format(msgspec.json.encode(correction), indent=2) + b"\n"


def read_changes(data: bytes, number_of: NumberOf) -> list[Unit] | list[DirectoryChange]:
    """Return the units to add, or the changes to apply, that a JSON file holds.

    A list of units; or one change (`{"type": "reorganisation", …}`, "correction", "group"),
    or a list of changes.  `number_of` gives the stable number of the unit that a code names
    in a fix.  Raises what it raises, with the place (`fixes[3].successors[0]`), and
    InputError `directory.invalid` with the path of the mistake (`$[2].events[0].unit`).
    """
    try:
        document = msgspec.json.decode(data)
        single = isinstance(document, dict)
        items = [document] if single else document
        if not isinstance(items, list):
            raise msgspec.ValidationError("a list or an object is expected")
        _read_words(document, "$", 0)
        for place, item in enumerate(items):
            _read_fixes(item, number_of, "" if single else f"[{place}].")
        if any(isinstance(item, dict) and "type" in item for item in items):
            if single:
                return [msgspec.convert(document, DirectoryChange)]
            return msgspec.convert(items, list[DirectoryChange])
        if single:
            raise msgspec.ValidationError(
                "one change names its “type”: reorganisation, correction or group"
            )
        return msgspec.convert(items, list[Unit])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        path, reason = _placed(str(error) or "nested too deep")
        raise InputError("directory.invalid", path=path, reason=reason) from None


def _placed(said: str) -> tuple[str, str]:
    """Split what the decoder says into the place and the reason."""
    reason, mark, place = said.rpartition(" - at `")
    return (place.rstrip("`"), reason) if mark else ("$", said)


def _read_words(value: Any, path: str, depth: int) -> None:
    """Turn instants written as text into microseconds, in place."""
    if depth > _DEPTH_MAX:
        raise msgspec.ValidationError(f"nested too deep - at `{path}`")
    if isinstance(value, list):
        for place, item in enumerate(value):
            if isinstance(item, dict | list):
                _read_words(item, f"{path}[{place}]", depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            if isinstance(item, dict | list):
                _read_words(item, f"{path}.{name}", depth + 1)
            elif name in _INSTANTS and isinstance(item, str):
                try:
                    value[name] = instant_of_text(item)
                except ValueError as error:
                    raise msgspec.ValidationError(f"{error} - at `{path}.{name}`") from None


def _read_fixes(change: Any, number_of: NumberOf, path: str) -> None:
    """Turn codes in fixes into stable numbers and take the notes out, in place."""
    fixes = change.get("fixes") if isinstance(change, dict) else None
    if not isinstance(fixes, list):
        return
    kept = []
    for index, fix in enumerate(fixes):
        place = f"{path}fixes[{index}]"
        if not isinstance(fix, dict):
            kept.append(fix)  # told as what it is not
            continue
        noted = any(name.startswith("_") for name in fix)
        said = {name: item for name, item in fix.items() if not name.startswith("_")}
        if noted and not said.get("successors", True):
            continue  # not filled in
        for name in ("number", "parent"):
            if isinstance(said.get(name), str):
                said[name] = _number_at(said[name], number_of, f"{place}.{name}")
        if isinstance(said.get("successors"), list):
            said["successors"] = [
                _number_at(heir, number_of, f"{place}.successors[{nth}]")
                if isinstance(heir, str)
                else heir
                for nth, heir in enumerate(said["successors"])
            ]
        kept.append(said)
    change["fixes"] = kept


def _number_at(code: str, number_of: NumberOf, path: str) -> int:
    try:
        return number_of(code)
    except VanbanError as error:
        error.path = path
        raise
