"""Where a key of a TOML text stands: key path to line, for messages about a policy file.

`tomllib` tells values, not places.  This scanner reads only as much of TOML as tells where
keys begin: tables, arrays of tables, dotted and quoted keys, inline tables, arrays, and
strings of several lines, which are passed over.  It judges nothing: of a text that is no
TOML it tells what it can.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from router.policy.toml_texts import blank_end, text_end

Key = str | int
Path = tuple[Key, ...]
"""A key path: names of keys and places in arrays (from 0)."""

_DEPTH_MAX: Final = 32
"""Values nested deeper are no policy's: their lines are not told."""
_BLANKS: Final = re.compile(r"[ \t]*")
_LINE_END: Final = re.compile(r"[^\n]*\n?")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR: Final = re.compile(r"[^,\]}\r\n#]+")


def path_text(path: Sequence[Key]) -> str:
    """Return a key path as people write it: ``rules[3].documents.types``."""
    parts = []
    for key in path:
        if isinstance(key, int):
            parts.append(f"[{key}]")
        else:
            name = key if _BARE_KEY.fullmatch(key) else f'"{key}"'
            parts.append(f".{name}" if parts else name)
    return "".join(parts)


class LineMap:
    """The lines (from 1) of the keys of one TOML text."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Path, int] = {}
        scanner = _Scanner(text, self._lines)
        scanner.run()
        self.deepest = scanner.deepest
        """The first line at which values are nested too deep to be a policy's, 0 for none."""
        self.unclosed = scanner.unclosed
        """The line of a text in triple quotes that is never closed, 0 for none."""

    def line(self, path: Sequence[Key]) -> int:
        """Return the line of a key; of its nearest container when it stands nowhere.

        0 when nothing of the path does.
        """
        known = tuple(path)
        while known:
            found = self._lines.get(known)
            if found is not None:
                return found
            known = known[:-1]
        return 0

    def path_at(self, line: int) -> Path:
        """Return the last key that begins at or before a line, () for none."""
        known = ((at, len(path), path) for path, at in self._lines.items() if at <= line)
        return max(known, key=lambda one: one[:2], default=(0, 0, ()))[2]


class _Stop(Exception):  # noqa: N818 - no error: the scanner has come to what it can't read
    pass


class _Scanner:
    """One pass over a text; `place` only ever grows."""

    def __init__(self, text: str, lines: dict[Path, int]) -> None:
        self.text = text
        self.lines = lines
        self.place = 0
        self.arrays: dict[Path, int] = {}  # arrays of tables: how many there are so far
        self.table: Path = ()
        self.deepest = 0
        self.unclosed = 0
        self.starts = [found.end() for found in re.finditer("\n", text)]

    def run(self) -> None:
        while True:
            self.place = blank_end(self.text, self.place)
            if self.place >= len(self.text):
                return
            try:
                if self.text[self.place] == "[":
                    self.header()
                else:
                    self.pair(self.table, 0)
            except _Stop:
                self.skip(_LINE_END)

    def skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.place)
        if found is None:
            return ""
        self.place = found.end()
        return found.group()

    def quoted(self) -> str:
        end, is_closed = text_end(self.text, self.place)
        if not is_closed:
            return ""
        begun, self.place = self.place, end
        return self.text[begun:end]

    def take(self, sign: str) -> bool:
        self.skip(_BLANKS)
        if not self.text.startswith(sign, self.place):
            return False
        self.place += len(sign)
        return True

    def note(self, path: Path, at: int) -> None:
        """Remember the first line of a path and of what contains it."""
        line = bisect_right(self.starts, at) + 1
        while path and path not in self.lines:
            self.lines[path] = line
            path = path[:-1]

    def header(self) -> None:
        start = self.place
        many = self.take("[[")
        if not many:
            self.place += 1
        keys = self.keys()
        path: Path = ()
        for key in keys[:-1]:
            path = self.latest((*path, key))
        path = (*path, keys[-1])
        if many:
            self.arrays[path] = self.arrays.get(path, 0) + 1
        self.table = self.latest(path)
        self.note(self.table, start)
        if not self.take("]]" if many else "]"):
            raise _Stop

    def latest(self, path: Path) -> Path:
        """Return the last table of an array of tables; any other path as it is."""
        count = self.arrays.get(path)
        return path if count is None else (*path, count - 1)

    def keys(self) -> list[str]:
        found = [self.key()]
        while self.take("."):
            found.append(self.key())
        return found

    def key(self) -> str:
        self.skip(_BLANKS)
        bare = self.skip(_BARE_KEY)
        if bare:
            return bare
        quoted = self.quoted()
        try:
            value = tomllib.loads(f"k = {quoted}")["k"]
        except (ValueError, RecursionError):
            raise _Stop from None
        return str(value)

    def pair(self, table: Path, depth: int) -> None:
        start = self.place
        path = (*table, *self.keys())
        self.note(path, start)
        if not self.take("="):
            raise _Stop
        self.value(path, depth)

    def value(self, path: Path, depth: int) -> None:
        self.skip(_BLANKS)
        sign = self.text[self.place : self.place + 1]
        if depth > _DEPTH_MAX:
            self.deepest = self.deepest or bisect_right(self.starts, self.place) + 1
            raise _Stop
        if sign == "[":
            self.array(path, depth)
        elif sign == "{":
            self.inline(path, depth)
        elif not (self.quoted() if sign in {'"', "'"} else self.skip(_SCALAR)):
            if self.text.startswith(('"""', "'''"), self.place):
                self.unclosed = bisect_right(self.starts, self.place) + 1
                self.place = len(self.text)
            raise _Stop

    def array(self, path: Path, depth: int) -> None:
        self.place += 1
        index = 0
        while True:
            self.place = blank_end(self.text, self.place)
            if self.take("]"):
                return
            self.note((*path, index), self.place)
            self.value((*path, index), depth + 1)
            index += 1
            self.place = blank_end(self.text, self.place)
            if not self.take(",") and not self.text.startswith("]", self.place):
                raise _Stop

    def inline(self, path: Path, depth: int) -> None:
        self.place += 1
        while True:
            self.place = blank_end(self.text, self.place)
            if self.take("}"):
                return
            self.pair(path, depth + 1)
            self.place = blank_end(self.text, self.place)
            if not self.take(",") and not self.text.startswith("}", self.place):
                raise _Stop
