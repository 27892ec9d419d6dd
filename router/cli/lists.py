"""`vanban directory import`: lists of units with a preview, and changes as JSON."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import rich_click as click

from router.cli.dates import INSTANT, day_text, shown, today_us
from router.cli.manage import acting, data_option, open_existing
from router.cli.output import (
    EXIT_REFUSED,
    language,
    print_json,
    print_line,
    warn_line,
    working,
)
from router.cli.words import STAY_WHERE_THEY_ARE, count, word
from router.engine import Engine, ListPreview
from router.engine.change_files import read_changes, successors_to_name
from router.errors import InputError, SheetError, VanbanError
from router.messages import say, say_problem
from router.messages.impact import lines_of_impact
from router.model.administration import DirectoryChanged
from router.model.impact import Impact
from router.model.units import Unit

_FILE_BYTES_MAX = 1 << 30
IMPACT_LINES = 20


@click.command(epilog="Example: vanban directory import units.csv --at 2024-11-01 --complete --yes")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--at", "at_us", type=INSTANT, help="The date of the list (default: today).")
@click.option("--complete", is_flag=True,
              help="The list is whole: units it could hold and does not are closed.")  # fmt: skip
@click.option("--within", default="", metavar="SELECTOR",
              help="What the list could hold, e.g. “descendants(H22)” (default: all).")  # fmt: skip
@click.option("--since", "since_us", type=INSTANT,
              help="Units that appear were there since this date.")  # fmt: skip
@click.option("--known-later", multiple=True, metavar="CODE",
              help="This unit was there before, though no list said so.")  # fmt: skip
@click.option("--opened", multiple=True, metavar="CODE",
              help="This unit opens at the date of the list.")  # fmt: skip
@click.option("--title", help="The act it rests on (default: the file's name).")
@click.option("--sheet", default="", help="Sheet of a workbook (default: the first).")
@click.option("--all", "every", is_flag=True, help="Print every line of the preview.")
@click.option("--impact", "weighed", is_flag=True,
              help="Say what it would do to groups, rights and deliveries, too.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Apply it without asking.")
@click.option("--confirm", metavar="DIGEST", help="Apply the preview that had this digest.")
@click.option("--successors", "todo", type=click.Path(dir_okay=False),
              help="Write a correction to fill in here, for closed units whose successor "
                   "is unknown.")  # fmt: skip
@data_option
def import_file(
    file: str, every: bool, weighed: bool, yes: bool, confirm: str | None, todo: str | None,
    data: str, as_json: bool, **how: Any,
) -> None:  # fmt: skip
    """Import a list of units (.csv, .xlsx, .xls, .ods), or changes as data (.json).

    A list is shown in plain words first; nothing is applied before --yes, --confirm or a
    person's “y”.  JSON is applied at once: a list of units, one change
    ({"type": "reorganisation", …}) or a list of changes.
    """
    if yes and confirm is not None:
        raise click.UsageError("give either --yes or --confirm")
    path, shown_before = Path(file), False
    with open_existing(data) as engine:
        if path.suffix.lower() == ".json":
            _import_json(engine, path, how["title"], as_json)
            return
        preview = _preview(engine, path, how, as_json)
        impact = engine.impact(preview) if weighed else None
        decided = yes or confirm is not None
        if not (decided or as_json or preview.empty) and sys.stdin.isatty():
            _print_preview(preview, path.name, every, impact)
            decided = click.confirm(word("Apply it?"))
            shown_before = True
        applied = None
        if decided:  # before anything is printed: who reads may go away (… | head)
            applied = engine.apply_preview(preview, confirm=confirm, actor=acting())
        waiting = [] if applied is None else _to_name(engine, preview)
    if todo is not None and waiting:
        Path(todo).write_bytes(successors_to_name(waiting, how["title"] or path.name))
    if as_json:
        print_json(preview.summary(language()) | {"applied": applied, "impact": impact})
        return
    if not shown_before:
        _print_preview(preview, path.name, every, impact)
    if preview.empty:
        return
    if applied is None:
        print_line("")
        print_line((word("Nothing is applied yet."), "bold"))
        if todo is not None and preview.difference.unknown_successors:
            print_line(word("{} is written when the change is applied.").format(todo))
        print_line(f"→ {word('Apply it with')}: {_again(file, how, data, preview, todo)}")
        return
    _print_applied(applied)
    _print_todo(waiting, todo, data)


def _preview(engine: Engine, path: Path, how: dict[str, Any], as_json: bool) -> ListPreview:
    """Read the list; print every mistake of it and end the command when there are any."""
    settings = dict(how)
    settings["at_us"] = today_us() if how["at_us"] is None else how["at_us"]
    settings["title"] = how["title"] or path.name
    for name in ("known_later", "opened"):
        settings[name] = tuple(map(_code, how[name]))
    try:
        with working(word("Reading {}").format(path.name)):
            return engine.preview_list(path, **settings)
    except SheetError as error:
        _fail_sheet(path.name, error, as_json)


def _code(text: str) -> str:
    """Return a code; two, three or five digits are a GSO code."""
    return f"GSO:{text}" if text.isascii() and text.isdigit() else text


def _fail_sheet(name: str, error: SheetError, as_json: bool) -> NoReturn:
    if as_json:
        problems = [problem._asdict() for problem in error.problems]
        print_json({"code": error.code, "problems": problems})
    what, remedy = say(error, language())
    warn_line((error.code, "bold red"), f" ({name}): {what}")
    for problem in error.problems:
        said, mend = say_problem(problem, language())
        places = (f"{word('row')} {problem.row}" if problem.row else "",
                  f"{word('column')} {problem.column}" if problem.column else "")  # fmt: skip
        place = ", ".join(filter(None, places))
        warn_line(f"  {place}: {said} {mend}" if place else f"  {said} {mend}")
    warn_line(f"→ {remedy}")
    raise SystemExit(EXIT_REFUSED)


def _print_preview(preview: ListPreview, name: str, every: bool, impact: Impact | None) -> None:
    whole = word("a complete list") if preview.complete else word("a partial list")
    print_line((name, "bold"), f", {word('as of')} {shown(preview.at_us)}, {whole}")
    lines = preview.lines(language(), lines_max=None) if every else preview.lines(language())
    for line in lines:
        print_line(line)
    if impact is not None:
        print_line("")
        for line in lines_of_impact(impact, language(), lines_max=None if every else IMPACT_LINES):
            print_line(line)


def _again(
    file: str, how: dict[str, Any], data: str, preview: ListPreview, todo: str | None
) -> str:
    """Return the command line that applies what was shown."""
    words = ["vanban", "directory", "import", file, "--at", day_text(preview.at_us)]
    words += ["--complete"] if preview.complete else []
    for option in ("within", "title", "sheet"):
        words += [f"--{option}", how[option]] if how[option] else []
    if how["since_us"] is not None:
        words += ["--since", day_text(how["since_us"])]
    for option in ("known_later", "opened"):
        for code in how[option]:
            words += [f"--{option.replace('_', '-')}", code]
    words += ["--successors", todo] if todo is not None else []
    words += ["--data", data] if data != "vanban-data" else []
    return shlex.join([*words, "--confirm", preview.confirm])


def _print_applied(applied: DirectoryChanged) -> None:
    print_line("")
    facts = count(applied.facts, "fact", "facts")
    print_line((word("Applied"), "green"), f": {facts}, "
               f"{word('sequence of the directory')} {applied.sequence}")  # fmt: skip


def _to_name(engine: Engine, preview: ListPreview) -> list[tuple[Unit, list[Unit]]]:
    """Return the units closed without a successor, each with who may succeed it."""
    likely = {one.number: one.candidates for one in preview.difference.suggestions}
    return [
        (
            unit,
            [
                engine.show_unit(code, at_us=preview.at_us).unit
                for code, _ in likely.get(unit.number, ())
            ],
        )
        for unit in preview.difference.unknown_successors
    ]


def _print_todo(todo: list[tuple[Unit, list[Unit]]], file: str | None, data: str) -> None:
    """Say what a person has to do about units whose successor nobody knows."""
    if not todo:
        return
    print_line("")
    closed = count(len(todo), "unit", "units")
    print_line(
        (word("{} closed, successor unknown.").format(closed), "yellow"),
        f" {word(STAY_WHERE_THEY_ARE)}",
    )
    where = "" if data == "vanban-data" else f" --data {shlex.quote(data)}"
    if file is not None:
        print_line(
            f"→ {word('Fill in “successors” in')} {file}, "
            f"{word('then')}: vanban directory import {shlex.quote(file)}{where}"
        )
        return
    unit, heirs = next((pair for pair in todo if pair[1]), todo[0])
    fix = {"number": unit.number, "successors": [heirs[0].code if heirs else "…"]}
    correction = {"type": "correction", "title": "…", "fixes": [fix]}
    print_line(f"→ {word('Write successors.json, e.g.')}")
    print_line(msgspec.json.encode(correction).decode(), indent=2)
    print_line(f"  {word('then')}: vanban directory import successors.json{where}")
    print_line(f"  {word('all that is to be named')}: vanban directory check{where}")


# Changes as data.


def _import_json(engine: Engine, path: Path, title: str | None, as_json: bool) -> None:
    if path.stat().st_size > _FILE_BYTES_MAX:
        reason = f"over {_FILE_BYTES_MAX} bytes"
        raise InputError("directory.invalid", path=path.name, reason=reason)
    try:
        changes = read_changes(path.read_bytes(), lambda code: engine.show_unit(code).unit.number)
    except VanbanError as error:
        error.path = f"{path}: {error.path}"
        raise
    units = [one for one in changes if isinstance(one, Unit)]
    if units:
        done = engine.import_units(units, title=title or "", actor=acting())
        if as_json:
            print_json({"units": done})
        else:
            print_line(f"{count(done, 'unit', 'units')} {word('imported')}")
        return
    acts = [one for one in changes if not isinstance(one, Unit)]
    # One change alone: the path of a mistake then begins in it, not with its place.
    applied = engine.change_directory(acts[0] if len(acts) == 1 else acts, actor=acting())
    if as_json:
        print_json(applied)
    elif applied.records:
        _print_applied(applied)
    else:
        print_line(word("All of it is known already: nothing changes."))
