"""`vanban directory`: units imported, shown, compared, exported, checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click

from router.cli.dates import INSTANT, at_option, known_at_option, shown
from router.cli.lists import import_file
from router.cli.manage import acting, data_option, open_existing
from router.cli.output import (
    EXIT_REFUSED,
    language,
    moment,
    print_json,
    print_line,
    print_table,
    working,
)
from router.cli.rights import impact
from router.cli.words import column, count, word
from router.model.administration import (
    ChangeShown,
    DirectorySummary,
    UnitName,
    UnitShown,
    VersionShown,
)
from router.model.instants import show_instant
from router.model.units import TIER_NAMES

_AT = "Date or time (default: now)."
_FINDINGS_SHOWN = 50


@click.group(epilog="Example: vanban directory show H22 --data vanban-data")
def directory() -> None:
    """Units and their reforms: import, show, compare, export, check."""


directory.add_command(import_file, "import")
directory.add_command(impact)


@directory.command(
    "close", epilog="Example: vanban directory close H22 --at 2025-07-01 --successor H60"
)
@click.argument("unit")
@click.option("--at", "at_us", required=True, type=INSTANT, help="00:00 of this day.")
@click.option(
    "--successor", "successors", multiple=True, help="Who answers for it (default first)."
)
@data_option
def close(unit: str, at_us: int, successors: tuple[str, ...], data: str, as_json: bool) -> None:
    """Close a unit on a date and name its successors."""
    with open_existing(data) as engine:
        engine.close_unit(unit, at_us, successors, actor=acting())
        closed = engine.unit(unit)
    if as_json:
        print_json(closed)
    else:
        print_line(f"{closed.code} {closed.name}: {word('closed from')} {shown(at_us)}")


@directory.command("show", epilog="Example: vanban directory show H22.31 --at 2025-06-30")
@click.argument("unit", required=False)
@at_option(_AT)
@known_at_option
@data_option
def show(
    unit: str | None, at_us: int | None, known_at_us: int | None, data: str, as_json: bool
) -> None:
    """Show one unit (any code, or "#" and its stable number), or the directory in numbers."""
    with open_existing(data) as engine:
        if unit is None:
            summary = engine.directory_summary(at_us=at_us, known_at_us=known_at_us)
            print_json(summary) if as_json else _print_summary(summary)
            return
        found = engine.show_unit(unit, at_us=at_us, known_at_us=known_at_us)
    if as_json:
        print_json(found)
    else:
        _print_unit(found)


def _print_summary(summary: DirectorySummary) -> None:
    rows: list[tuple[str, object]] = [
        (word("open units"), f"{summary.open:,}"),
        *((f"  {word(tier)}", f"{some:,}") for tier, some in summary.by_tier.items()),
        *((f"  {kind}", f"{some:,}") for kind, some in sorted(summary.by_kind.items())),
        (word("units ever"), f"{summary.units:,}"),
        (word("closed, successor unknown"), f"{summary.unknown_successors:,}"),
        (word("groups"), f"{summary.groups:,}"),
        (word("changes"), f"{summary.changes:,}"),
    ]
    if summary.last_change_at:
        last = f"{moment(summary.last_change_at)} {summary.last_change}"
        rows.append((word("last change"), last))
    title = f"{word('The directory at')} {moment(summary.at)}"
    if summary.known_at:
        title += f", {word('as known at')} {moment(summary.known_at)}"
    print_table(title, [column("what"), column("~count")], rows)


def _print_unit(found: UnitShown) -> None:
    unit = found.unit
    below = ", ".join(f"{some:,} {word(tier)}" for tier, some in found.below.items())
    contact = unit.contact
    rows = {
        "code": unit.code + (f" ({word('synthesised')})" if unit.code_synthesised else ""),
        "aliases": ", ".join(unit.aliases),
        "number": unit.number,
        "tier": word(TIER_NAMES.get(unit.tier, str(unit.tier))),
        "kind": unit.kind,
        "below": _named(found.parent),
        "directly below it": below,
        "tags": ", ".join(unit.tags),
        "state": word(found.state),
        "valid from": show_instant(unit.valid_from) if unit.valid_from else "",
        "valid to": "" if unit.valid_to is None else show_instant(unit.valid_to),
        "successors": "; ".join(map(_named, found.successors)),
        "answers for it": _named(found.answers),
        "predecessors": "; ".join(map(_named, found.predecessors)),
        "contact": "" if contact is None else ", ".join(
            filter(None, (contact.address, contact.telephone, contact.email, contact.website))
        ),
    }  # fmt: skip
    if found.state == "closed" and not found.successors:
        rows["successors"] = word("unknown: name one with a correction")
    shown_rows = [(column(name), value) for name, value in rows.items() if value != ""]
    title = f"{unit.name}, {word('at')} {moment(found.at)}"
    if found.known_at:
        title += f", {word('as known at')} {moment(found.known_at)}"
    print_table(title, [column("field"), column("~value")], shown_rows)


def _named(unit: UnitName | None) -> str:
    return "" if unit is None else f"{unit.code} {unit.name} (#{unit.number})"


@directory.command("history", epilog="Example: vanban directory history H22.31")
@click.argument("unit", required=False)
@data_option
def history(unit: str | None, data: str, as_json: bool) -> None:
    """Show what was learnt about one unit and when, or every change of the directory."""
    with open_existing(data) as engine:
        if unit is None:
            changes = engine.directory_changes()
            print_json(changes) if as_json else _print_changes(changes)
            return
        versions = engine.history(unit)
    if as_json:
        print_json(versions)
    else:
        _print_versions(versions)


def _print_changes(changes: Sequence[ChangeShown]) -> None:
    rows = [
        (one.sequence, moment(one.known_at), word(one.form), moment(one.at),
         one.facts, one.name or one.title)
        for one in changes
    ]  # fmt: skip
    names = ("#sequence", "known at", "form", "takes effect", "#facts", "~title")
    title = count(len(rows), "change of the directory", "changes of the directory")
    print_table(title, [column(name) for name in names], rows)


def _print_versions(versions: Sequence[VersionShown]) -> None:
    rows = [
        (
            moment(one.known_at), word(one.form), moment(one.since), moment(one.until),
            ", ".join(map(word, one.said)), f"{one.unit.code} {one.unit.name}", one.title,
        )
        for one in versions
    ]  # fmt: skip
    names = ("known at", "form", "since", "until", "~says", "~as it stood", "~title")
    last = versions[-1].unit
    title = f"{last.name} ({last.code}, #{last.number})"
    print_table(title, [column(name) for name in names], rows)


@directory.command("export", epilog="Example: vanban directory export --at 2025-06-30 --out u.csv")
@at_option(_AT)
@known_at_option
@click.option("--every", is_flag=True, help="All units there ever were, in their last state.")
@click.option("--out", type=click.Path(dir_okay=False), help="File (default: standard output).")
@data_option
def export(
    at_us: int | None, known_at_us: int | None, every: bool, out: str | None,
    data: str, as_json: bool,
) -> None:  # fmt: skip
    """Write the units open at a date, with their stable numbers, as CSV (or JSON).

    The list can be changed and imported again; as it is, importing it changes nothing.
    """
    with open_existing(data) as engine, working(word("Writing")):
        if as_json:
            units = engine.units(at_us=at_us, known_at_us=known_at_us, every=every)
            written = len(units)
            content = msgspec.json.format(msgspec.json.encode(units), indent=2) + b"\n"
        else:
            parts: list[str] = []
            written = engine.export_directory(
                parts.append, at_us=at_us, known_at_us=known_at_us, every=every
            )
            content = "".join(parts).encode()
    if out is None:
        click.echo(content, nl=False)
        return
    Path(out).write_bytes(content)
    if not as_json:
        print_line(f"{count(written, 'unit', 'units')} {word('written to')} {out}")


@directory.command("diff", epilog="Example: vanban directory diff 2025-06-30 2025-07-01")
@click.argument("one_us", metavar="DATE1", type=INSTANT)
@click.argument("other_us", metavar="DATE2", type=INSTANT)
@known_at_option
@click.option("--all", "every", is_flag=True, help="Print every line.")
@data_option
def diff(
    one_us: int, other_us: int, known_at_us: int | None, every: bool, data: str, as_json: bool
) -> None:
    """Say what is different between two dates."""
    with open_existing(data) as engine:
        found = engine.diff_directory(one_us, other_us, known_at_us=known_at_us)
        limit: dict[str, Any] = {"lines_max": None} if every else {}
        lines = engine.describe_diff(found, language(), **limit)
    if as_json:
        ends = {"from": show_instant(one_us), "to": show_instant(other_us)}
        print_json(ends | {"alterations": found})
        return
    print_line((f"{shown(one_us)} → {shown(other_us)}", "bold"))
    for line in lines:
        print_line(line)


@directory.command("check", epilog="Example: vanban directory check --data vanban-data")
@at_option(_AT)
@click.option("--all", "every", is_flag=True, help="Print every line.")
@data_option
def check(at_us: int | None, every: bool, data: str, as_json: bool) -> None:
    """List what a person should look at; exit status 1 when there is anything.

    Codes that look wrong, units without a parent, closed units whose successor is unknown,
    groups that are empty or fail.
    """
    with open_existing(data) as engine:
        found = engine.check_directory(at_us=at_us)
    if as_json:
        print_json({"findings": found})
    elif not found:
        print_line((word("Nothing to be done."), "green"))
    else:
        rows = [
            (one.code, one.unit, f"#{one.number}" if one.number else "", one.name,
             one.words_vi if language() == "vi" else one.words)
            for one in (found if every else found[:_FINDINGS_SHOWN])
        ]  # fmt: skip
        names = ("finding", "code", "number", "~name", "~what")
        title = count(len(found), "finding", "findings")
        if len(rows) < len(found):
            title += f", {word('the first {} lines; all with --all').format(len(rows))}"
        print_table(title, [column(name) for name in names], rows)
    if found:
        raise SystemExit(EXIT_REFUSED)
