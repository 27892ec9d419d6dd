"""How commands print: tables for people, JSON for programs, errors in two languages."""

from __future__ import annotations

import contextlib
import functools
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NoReturn, ParamSpec, TypeVar

import msgspec
import rich_click as click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from router.errors import InputError, NotFoundError, VanbanError
from router.messages import say

EXIT_REFUSED: Final = 1
"""A document or request was refused."""
EXIT_TROUBLE: Final = 2
"""The command could not be carried out (server away, directory locked)."""
_UNSHOWN: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Unicode categories that move the cursor, colour or reorder what follows, or show nothing."""
_MIDNIGHT: Final = "T00:00:00+07:00"
_WIDE: Final = 10_000
_WORDS_MIN: Final = 12

_P = ParamSpec("_P")
_R = TypeVar("_R")

console = Console(highlight=False)
warnings = Console(stderr=True, highlight=False)


def language() -> str:
    """Return "vi" or "en": VANBAN_LANG, else the locale."""
    chosen = os.environ.get("VANBAN_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG", "")
    return "vi" if chosen.lower().startswith("vi") else "en"


def print_json(value: object) -> None:
    """Print one value as JSON on standard output, in UTF-8 whatever the terminal."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def plain(value: object) -> str:
    """Return text fit for a terminal: what others wrote may hold control characters."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(one) in _UNSHOWN else one
        for one in str(value)
    )


def moment(instant: str) -> str:
    """Return a printed instant (RFC 3339 at +07:00) as people read it, never without its zone.

    To the second, such as "2025-07-01 08:00:00 +07:00"; a midnight is its date alone, as it
    is typed ("" stays "").
    """
    if not instant or instant.endswith(_MIDNIGHT):
        return instant[:10]
    return f"{instant[:19].replace('T', ' ')} {instant[-6:]}"


def print_line(*parts: str | tuple[str, str], indent: int = 0) -> None:
    """Print texts, or (text, style) pairs, as one line; nothing in them is markup.

    Only a terminal folds it, between words.
    """
    console.print(_line(*parts, indent=indent), soft_wrap=not console.is_terminal)


def warn_line(*parts: str | tuple[str, str]) -> None:
    """Print one line on standard error, as `print_line` does."""
    warnings.print(_line(*parts), soft_wrap=not warnings.is_terminal)


def _line(*parts: str | tuple[str, str], indent: int = 0) -> Text:
    pairs = ((part, "") if isinstance(part, str) else part for part in parts)
    return Text.assemble(" " * indent, *((plain(text), style) for text, style in pairs))


@contextlib.contextmanager
def working(words: str) -> Iterator[None]:
    """Say on a terminal what takes a while, until it is done."""
    if not warnings.is_terminal:
        yield
        return
    with warnings.status(Text(plain(words))):
        yield


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table with an empty line above.

    A column named "#…" holds numbers, "~…" words that may run over several lines; all
    others (ids, codes, states) are never cut, and folded only where nothing else fits.
    Output that goes to no terminal is as wide as it needs.
    """
    cells = [[plain(cell) for cell in row] for row in rows]
    target = console if console.is_terminal else Console(file=console.file, width=_WIDE)
    fixed = [place for place, column in enumerate(columns) if not column.startswith("~")]
    widths = [max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)]
    room = target.width - _WORDS_MIN * (len(columns) - len(fixed)) - 3 * len(columns)
    fits = sum(widths[place] for place in fixed) <= room
    table = Table(title=Text(plain(title), "table.title"), title_justify="left", show_edge=False)
    for place, column in enumerate(columns):
        table.add_column(
            Text(column.lstrip("#~"), "table.header"),
            justify="right" if column.startswith("#") else "left",
            no_wrap=fits and place in fixed,
            overflow="fold",
        )
    for row in cells:
        table.add_row(*map(Text, row))
    target.print()
    target.print(table)


def _name_of(error: OSError) -> str:
    return "" if error.filename is None else os.fsdecode(error.filename)


def fail(error: VanbanError, status: int | None = None) -> NoReturn:
    """Print an error with its code, place and remedy, and end the command."""
    what, remedy = say(error, language())
    place = f" ({error.path})" if error.path else ""
    warn_line((error.code, "bold red"), f"{place}: {what}")
    warn_line(f"→ {remedy}")
    if status is None:
        status = EXIT_TROUBLE if error.status >= 500 else EXIT_REFUSED
    raise SystemExit(status)


def speaks(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turn our errors, and files that can't be read or written, into printed ones."""

    @functools.wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except VanbanError as error:
            fail(error)
        except BrokenPipeError:
            raise  # click ends quietly
        except FileNotFoundError as error:
            fail(NotFoundError("file.not_found", path=_name_of(error)), EXIT_TROUBLE)
        except OSError as error:
            reason = error.strerror or str(error)
            fail(InputError("file.unusable", path=_name_of(error), reason=reason), EXIT_TROUBLE)

    return run


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")(
        command
    )
