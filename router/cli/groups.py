"""`vanban group`: named groups of recipients, dated."""

from __future__ import annotations

import rich_click as click

from router.cli.dates import INSTANT, at_option, known_at_option, shown, today_us
from router.cli.manage import acting, data_option, open_existing
from router.cli.output import language, moment, print_json, print_line, print_table
from router.cli.words import column, count, word
from router.errors import NotFoundError, VanbanError
from router.messages import say
from router.model.administration import DirectoryChanged, GroupShown
from router.selectors import normal_name

_AT = "Date or time (default: now)."


@click.group(epilog="Example: vanban group list --data vanban-data")
def group() -> None:
    """Named groups of recipients, such as “các sở, ban, ngành”."""


@group.command("list", epilog="Example: vanban group list --at 2025-06-30")
@at_option(_AT)
@known_at_option
@data_option
def list_groups(at_us: int | None, known_at_us: int | None, data: str, as_json: bool) -> None:
    """List the groups defined at a date, and how many units each means."""
    with open_existing(data) as engine:
        found = engine.groups(at_us=at_us, known_at_us=known_at_us)
    if as_json:
        print_json(found)
        return
    rows = [
        (one.name, _size(one), moment(one.since), moment(one.until), one.selector) for one in found
    ]
    names = ("~name", "~units", "since", "until", "~selector")
    title = count(len(rows), "group", "groups")
    print_table(title, [column(name) for name in names], rows)


def _size(one: GroupShown) -> str:
    if one.problem:
        return one.words_vi if language() == "vi" else one.words
    return word("depends on the sender") if one.size < 0 else f"{one.size:,}"


@group.command("show", epilog='Example: vanban group show "các sở, ban, ngành"')
@click.argument("name")
@at_option(_AT)
@known_at_option
@data_option
def show(name: str, at_us: int | None, known_at_us: int | None, data: str, as_json: bool) -> None:
    """Show a group: its members by tier and province, and every definition it had."""
    name = normal_name(name)
    with open_existing(data) as engine:
        versions = engine.group_versions(name)
        groups = engine.groups(at_us=at_us, known_at_us=known_at_us)
        now = next((one for one in groups if one.name == name), None)
        members = []
        if now is not None and now.size > 0:
            answer = engine.resolve(
                f'group("{name}")', at_us=at_us, known_at_us=known_at_us, roll_up=True, limit=0
            )
            members = list(answer.roll_up)
    if as_json:
        print_json({"group": now, "roll_up": members, "definitions": versions})
        return
    print_line((name, "bold"))
    if now is None:
        print_line(word("It is not defined at this date."))
    else:
        print_line(f"{now.selector} — {_size(now)}")
    for line in members:
        print_line(line.words_vi if language() == "vi" else line.words, indent=2)
    rows = [
        (moment(one.known_at), moment(one.since), moment(one.until),
         one.selector or word("(ended)"), one.title)
        for one in versions
    ]  # fmt: skip
    names = ("known at", "since", "until", "~selector", "~title")
    print_table(word("Definitions"), [column(name) for name in names], rows)


@group.command(
    "define",
    epilog='Example: vanban group define "các sở" "kind(department)" --since 2025-07-01',
)
@click.argument("name")
@click.argument("selector")
@click.option("--since", "since_us", type=INSTANT,
              help="From 00:00 of this day (default: a new group from the beginning, "
                   "another definition from today).")  # fmt: skip
@click.option("--until", "until_us", type=INSTANT,
              help="Until 00:00 of this day (default: until another definition).")  # fmt: skip
@click.option("--title", default="", help="The act it rests on.")
@data_option
def define(
    name: str, selector: str, since_us: int | None, until_us: int | None, title: str,
    data: str, as_json: bool,
) -> None:  # fmt: skip
    """Say which units a named group means from a date on."""
    with open_existing(data) as engine:
        if since_us is None:
            since_us = today_us() if _known(engine.group_versions, name) else 0
        written = engine.define_group(
            name, selector, since_us=since_us, until_us=until_us, title=title, actor=acting()
        )
        wrong = ""
        try:
            at_us = max(since_us, engine.now_us()) if until_us is None else since_us
            answer = engine.resolve(f'group("{normal_name(name)}")', at_us=at_us, limit=0)
            size = count(answer.size, "unit", "units")
        except VanbanError as error:
            size = word("depends on the sender") if error.code == "selector.no_sender" else ""
            wrong = f"{word('defined, but it fails now')}: {say(error, language())[0]}"
    if as_json:
        print_json(written)
        return
    since = word("from the beginning") if not since_us else f"{word('since')} {shown(since_us)}"
    if not written.records:
        print_line(word("All of it is known already: nothing changes."))
        return
    print_line((normal_name(name), "bold"), f" = {selector}, {since}: {size or wrong}")


def _known(versions: object, name: str) -> bool:
    """Say whether a group of that name was ever defined."""
    assert callable(versions)
    try:
        return bool(versions(name))
    except NotFoundError:
        return False


@group.command("end", epilog='Example: vanban group end "các huyện" --since 2025-07-01')
@click.argument("name")
@click.option("--since", "since_us", type=INSTANT,
              help="From 00:00 of this day (default: today).")  # fmt: skip
@click.option("--title", default="", help="The act it rests on.")
@data_option
def end(name: str, since_us: int | None, title: str, data: str, as_json: bool) -> None:
    """End a group: from that date on nobody can be addressed by it."""
    since = today_us() if since_us is None else since_us
    with open_existing(data) as engine:
        engine.group_versions(name)
        written: DirectoryChanged = engine.define_group(
            name, "", since_us=since, title=title, actor=acting()
        )
    if as_json:
        print_json(written)
    else:
        print_line(f"{normal_name(name)}: {word('ended')}, {word('since')} {shown(since)}")
