"""How commands print: tables for people, JSON for programs, errors in two languages."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NoReturn, ParamSpec, TypeVar

import msgspec
import rich_click as click
from rich.console import Console
from rich.table import Table

from router.errors import VanbanError
from router.messages import say

EXIT_REFUSED: Final = 1
"""A document or request was refused."""
EXIT_TROUBLE: Final = 2
"""The command could not be carried out (server away, directory locked)."""
LANGUAGES: Final = ("vi", "en")

_P = ParamSpec("_P")
_R = TypeVar("_R")

console = Console(highlight=False)
warnings = Console(stderr=True, highlight=False)


def language() -> str:
    """Return "vi" or "en": VANBAN_LANG, else the locale."""
    chosen = os.environ.get("VANBAN_LANG") or os.environ.get("LC_ALL") or os.environ.get("LANG", "")
    return "vi" if chosen.lower().startswith("vi") else "en"


def print_json(value: object) -> None:
    """Print one value as JSON on standard output."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; plain text when the output is no terminal."""
    table = Table(title=title, title_justify="left", show_edge=False)
    for column in columns:
        numeric = column.startswith("#")
        table.add_column(column.lstrip("#"), justify="right" if numeric else "left")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table)


def fail(error: VanbanError) -> NoReturn:
    """Print an error with its code, place and remedy, and end the command."""
    what, remedy = say(error, language())
    place = f" ({error.path})" if error.path else ""
    warnings.print(f"[bold red]{error.code}[/]{place}: {what}", soft_wrap=True)
    warnings.print(f"→ {remedy}", soft_wrap=True)
    raise SystemExit(EXIT_TROUBLE if error.status >= 500 else EXIT_REFUSED)


def speaks(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turn our errors into printed ones; nothing else is caught."""

    @functools.wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except VanbanError as error:
            fail(error)

    return run


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")(
        command
    )
