"""`vanban resolve`: whom a selector means, against a daemon or on a data directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import rich_click as click

from router.cli.boards import step_words
from router.cli.dates import at_option, known_at_option
from router.cli.manage import open_existing
from router.cli.output import language, moment, print_json, print_line, print_table
from router.cli.remote import connect, connection
from router.cli.words import column, count, word
from router.limits import TRACKING_PAGE_MAX
from router.model.answers import Resolved, UnitExplained


class _Ask(Protocol):
    def __call__(self, *, limit: int, page: int = 0) -> Resolved: ...


@click.command(
    epilog='Example: vanban resolve "descendants(H22) & tier(commune)" --tree --data vanban-data'
)
@click.argument("selector")
@at_option("Date or time (default: now).")
@known_at_option
@click.option("--from", "sender", metavar="UNIT",
              help="The unit that “sender” means (default: the token's).")  # fmt: skip
@click.option("--explain", metavar="UNIT", help="Say why this unit is among them, or why not.")
@click.option("--codes", "form", flag_value="codes", help="Print every unit's code, one a line.")
@click.option("--tree", "form", flag_value="tree", help="Print the members by tier and province.")
@click.option("--count", "form", flag_value="count", help="Print how many there are.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, TRACKING_PAGE_MAX),
              help="Units to list.")  # fmt: skip
@click.option("--data", type=click.Path(file_okay=False),
              help="Ask this data directory (a daemon that runs on it is asked).")  # fmt: skip
@connection
def resolve(
    selector: str, at_us: int | None, known_at_us: int | None, sender: str | None,
    explain: str | None, form: str | None, limit: int, data: str | None, as_json: bool,
    **where: Any,
) -> None:  # fmt: skip
    """Show whom a selector means."""
    question: dict[str, Any] = {
        "at_us": at_us,
        "known_at_us": known_at_us,
        "sender": sender,
        "explain": explain,
        "roll_up": form == "tree" or (as_json and form is None),
    }
    with _asking(data, where) as ask:
        some = {"codes": TRACKING_PAGE_MAX, "tree": 0, "count": 0}.get(form or "", limit)
        pages = _pages(partial(ask, selector, **question), some, all_of_them=form == "codes")
        answer = next(pages)
        if as_json:
            units = tuple(unit for page in (answer, *pages) for unit in page.units)
            fields = {name: getattr(answer, name) for name in answer.__struct_fields__}
            print_json(Resolved(**fields | {"units": units, "next_page": 0}))
            return
        if form == "codes":
            for page in (answer, *pages):
                click.echo("\n".join(unit.code for unit in page.units))
            return
    if explain is not None and answer.explanation is not None:
        _print_why(answer.explanation)
    if form == "count":
        click.echo(str(answer.size))
    elif form == "tree":
        for line in answer.roll_up:
            print_line(line.words_vi if language() == "vi" else line.words)
    elif explain is None:
        _print_units(answer)


@contextmanager
def _asking(data: str | None, where: dict[str, Any]) -> Iterator[Any]:
    """Yield what answers: a data directory that is named, else a daemon."""
    if data is None:
        with connect(**where) as client:
            yield client.resolve
    else:
        with open_existing(data) as engine:
            yield engine.resolve


def _pages(ask: _Ask, limit: int, *, all_of_them: bool) -> Iterator[Resolved]:
    """Yield the first answer, and the others when all units are wanted."""
    answer = ask(limit=limit)
    yield answer
    first = answer.audience_sha256
    while all_of_them and answer.next_page:
        answer = ask(limit=limit, page=answer.next_page)
        if answer.audience_sha256 != first:
            raise click.ClickException(word("The directory changed meanwhile; ask again."))
        yield answer


def _print_units(answer: Resolved) -> None:
    counts = ", ".join(f"{word(tier)} {number}" for tier, number in answer.by_tier.items())
    rows = [(unit.code, unit.name, word(unit.tier), unit.kind) for unit in answer.units]
    first = word("the first {} shown").format(len(rows))
    less = f", {first}" if len(rows) < answer.size else ""
    then = f" @ {moment(answer.directory_at)}" if answer.directory_at else ""
    title = f"{count(answer.size, 'unit', 'units')} ({counts}){less}{then}"
    print_table(title, [column(name) for name in ("code", "~name", "tier", "kind")], rows)


def _print_why(told: UnitExplained) -> None:
    """Print the answer about one unit in a sentence, then its steps."""
    said = word("is among them") if told.selected else word("is not among them")
    words = told.words_vi if language() == "vi" else told.words
    name = f"{told.unit} {told.name}".strip()
    print_line((name, "bold"), " ", (said, "green" if told.selected else "red"), f": {words}")
    for step in told.steps:
        mark = "✓" if step.get("matched") else "·"
        print_line(f"{mark} {step_words(step)}", indent=2)
