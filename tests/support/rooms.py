"""The heights of the rooms, and the imports that a source asks for.

import-linter holds the contract for Python modules (pyproject.toml); the same table is held
here for compiled sources, which it can't read.
"""

from __future__ import annotations

import ast
import re

# Higher numbers may import lower ones; rooms of one height ignore each other.
HEIGHTS = {
    "router.__main__": 90,
    "router.cli": 80,
    "router.server": 70,
    "router.client": 70,
    "router.engine": 60,
    "router.directory": 50,
    "router.policy": 50,
    "router.signatures": 50,
    "router.queue": 50,
    "router.selectors": 40,
    "router._core": 30,
    "router._audience": 30,
    "router._json": 30,
    "router._bearers": 30,
    "router._decide": 30,
    "router._decide_conditions": 30,
    "router._decide_few": 30,
    "router._decide_index": 30,
    "router._decide_rules": 30,
    "router._decide_stances": 30,
    "router._decide_tables": 30,
    "router._decide_told": 30,
    "router._decide_weighing": 30,
    "router._envelope_texts": 30,
    "router._facts": 30,
    "router._machine": 30,
    "router._ordering": 30,
    "router._plain_envelopes": 30,
    "router._postings": 30,
    "router._register": 30,
    "router._rollup": 30,
    "router._spelling": 30,
    "router._tables": 30,
    "router._trees": 30,
    "router.messages": 21,
    "router.model": 20,
    "router.settings": 20,
    "router.ports": 20,
    "router.errors": 11,
    "router.limits": 10,
}
# Compiled siblings of one height may cimport each other.
SIBLINGS_THAT_KNOW_EACH_OTHER = {name for name, height in HEIGHTS.items() if height == 30}

_FROM = re.compile(r"^\s*from\s+([\w.]+)\s+c?import\s+(\([^)]*\)|[^#\n]*)", re.MULTILINE)
_IMPORT = re.compile(r"^[^\S\n]*c?import[^\S\n]+([\w., \t]+)", re.MULTILINE)


def room_of(module: str) -> str | None:
    """Return the room a dotted name stands in; "router" for the door, None for others."""
    parts = module.split(".")
    if parts[0] != "router":
        return None
    return ".".join(parts[:2])


def imports_of_cython(text: str, module: str) -> set[str]:
    """Return every module a Cython source imports or cimports, made absolute."""
    package = module.rpartition(".")[0]
    found: set[str] = set()
    for source, names in _FROM.findall(text):
        base = _absolute(source, package)
        found.add(base)
        if base == "router" or source.strip(".") == "":
            listed = names.strip("() \n").replace("\n", " ").split(",")
            found |= {f"{base}.{name.split()[0]}" for name in listed if name.strip()}
    for names in _IMPORT.findall(text):
        found |= {_absolute(name.split()[0], package) for name in names.split(",") if name.strip()}
    return found


def _absolute(name: str, package: str) -> str:
    if not name.startswith("."):
        return name
    ups = len(name) - len(name.lstrip("."))
    parts = package.split(".")[: len(package.split(".")) - (ups - 1)]
    return ".".join([*parts, name.lstrip(".")]).rstrip(".")


def offence(importer: str, imported: str) -> str | None:
    """Return what is wrong with one import, or None."""
    here, there = room_of(importer), room_of(imported)
    if here is None or there is None or here == there:
        return None
    if there not in HEIGHTS:
        return None if there == "router" else f"{importer} imports {imported}, of no known room"
    if here not in HEIGHTS:
        return f"{importer} is of no known room"
    if {here, there} <= SIBLINGS_THAT_KNOW_EACH_OTHER:
        return None
    if HEIGHTS[there] >= HEIGHTS[here]:
        return f"{importer} imports {imported}, which does not stand below it"
    return None


def cython_offences(text: str, module: str) -> list[str]:
    """Return what is wrong with the imports of one Cython source."""
    found = [offence(module, imported) for imported in sorted(imports_of_cython(text, module))]
    return [words for words in found if words is not None]


def imports_of_door(text: str) -> list[str]:
    """Return the names a Python source takes from the door `router` itself.

    Rooms take names from each other, never through the door: that would be an import
    upwards that no contract sees.  Submodules (`from router import limits`) are no names of
    the door.
    """
    rooms = {name.removeprefix("router.") for name in HEIGHTS}
    return [
        alias.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and node.module == "router" and node.level == 0
        for alias in node.names
        if alias.name not in rooms
    ]
