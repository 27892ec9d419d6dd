"""`vanban right`: who may do more; and what a change of the directory would do."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from router.cli.dates import INSTANT, shown
from router.cli.manage import acting, data_option, open_existing
from router.cli.output import language, print_json, print_line, print_table
from router.cli.words import column, count, word
from router.engine.change_files import read_changes
from router.errors import InputError
from router.messages.impact import lines_of_impact
from router.model.reorganisations import DirectoryChange
from router.model.rights import Right
from router.model.units import Unit

_FILE_BYTES_MAX = 1 << 30
_LINES_MAX = 40
_LISTS = frozenset({".csv", ".tsv", ".xlsx", ".xlsb", ".xls", ".ods"})


@click.group(epilog="Example: vanban right list --data vanban-data")
def right() -> None:
    """Rights of units and tokens, beside what everybody may (docs/rights.md)."""


@right.command(
    "grant", epilog='Example: vanban right grant H22.32.20 read H22.31.20 --reason "NQ 1685"'
)
@click.argument("holder")
@click.argument("actions")
@click.argument("selector")
@click.option("--token", is_flag=True, help="HOLDER is the id of a token, not a unit's code.")
@click.option("--since", "since_us", type=INSTANT, help="From this date or time (default: now).")
@click.option("--until", "until_us", type=INSTANT, help="Up to this date or time.")
@click.option("--reason", required=True, help="Why, for the record.")
@data_option
def grant(
    holder: str,
    actions: str,
    selector: str,
    token: bool,
    since_us: int | None,
    until_us: int | None,
    reason: str,
    data: str,
    as_json: bool,
) -> None:
    """Let a unit do ACTIONS for the SELECTOR's units.

    ACTIONS: read,resolve,directory,group,token,trust,policy.
    """
    with open_existing(data) as engine:
        made = engine.grant_right(
            holder, actions, selector,
            token=token, since=since_us, until=until_us, reason=reason, actor=acting(),
        )  # fmt: skip
    if as_json:
        print_json(made)
    else:
        print_line(f"{word('right')} {made.id}: {_holder(made)} {', '.join(made.actions)}"
                   f" {made.selector}")  # fmt: skip


@right.command("list", epilog="Example: vanban right list --data vanban-data")
@data_option
def list_rights(data: str, as_json: bool) -> None:
    """List the rights that were not revoked, those of past and future times too."""
    with open_existing(data) as engine:
        rights = engine.rights()
    if as_json:
        print_json(rights)
        return
    rows = [
        (
            one.id,
            _holder(one),
            ",".join(one.actions),
            one.selector,
            shown(one.since),
            "" if one.until is None else shown(one.until),
            one.reason,
            one.actor,
        )
        for one in rights
    ]
    names = (
        "right", "holder", "actions", "~selector", "since", "until", "~reason", "~granted by",
    )  # fmt: skip
    print_table(count(len(rows), "right", "rights"), [column(name) for name in names], rows)


def _holder(one: Right) -> str:
    return f"{word('token')} {one.token}" if one.token else one.code or f"#{one.unit}"


@right.command("revoke", epilog="Example: vanban right revoke 4711 --reason “hết nhiệm vụ”")
@click.argument("number", type=click.IntRange(min=1))
@click.option("--reason", default="", help="Why, for the record.")
@data_option
def revoke(number: int, reason: str, data: str, as_json: bool) -> None:
    """End a right at once."""
    with open_existing(data) as engine:
        engine.revoke_right(number, reason=reason, actor=acting())
    if as_json:
        print_json({"revoked": number})
    else:
        print_line(f"{word('revoked')} {number}")


@click.command("impact", epilog="Example: vanban directory impact merger.json --data vanban-data")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@data_option
def impact(file: str, data: str, as_json: bool) -> None:
    """Say what the changes in a JSON file would do to groups, rights and deliveries.

    Nothing is changed.
    """
    path = Path(file)
    if path.suffix.lower() in _LISTS:
        reason = "it reads JSON; for a list: vanban directory import LIST --impact"
        raise InputError("directory.invalid", path=path.name, reason=reason)
    if path.stat().st_size > _FILE_BYTES_MAX:
        reason = f"over {_FILE_BYTES_MAX} bytes"
        raise InputError("directory.invalid", path=path.name, reason=reason)
    with open_existing(data) as engine:
        read = read_changes(path.read_bytes(), lambda code: engine.show_unit(code).unit.number)
        acts: list[DirectoryChange] = [one for one in read if not isinstance(one, Unit)]
        if not acts:
            reason = "the file holds no change (reorganisation, correction, group)"
            raise InputError("directory.invalid", path=path.name, reason=reason)
        found = engine.impact(acts[0] if len(acts) == 1 else acts)
    if as_json:
        print_json(found)
        return
    for line in lines_of_impact(found, language(), lines_max=_LINES_MAX):
        print_line(line)
