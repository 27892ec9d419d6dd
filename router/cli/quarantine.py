"""`vanban quarantine`: what the policy refused and kept as evidence; for operators."""

from __future__ import annotations

from pathlib import Path

import msgspec
import rich_click as click

from router.cli.manage import data_option, open_existing
from router.cli.output import moment, print_json, print_line, print_table
from router.cli.words import column, word
from router.limits import QUARANTINE_PAGE_MAX


@click.group(epilog="Example: vanban quarantine list --data vanban-data")
def quarantine() -> None:
    """Refusals that a policy had kept as evidence: list, show."""


@quarantine.command("list", epilog="Example: vanban quarantine list --data vanban-data")
@click.option("--after", default=0, type=click.IntRange(0),
              help="Go on after this id: what a page said at its end.")  # fmt: skip
@click.option("--limit", default=20, show_default=True,
              type=click.IntRange(1, QUARANTINE_PAGE_MAX), help="Lines to show.")  # fmt: skip
@data_option
def list_quarantined(after: int, limit: int, data: str, as_json: bool) -> None:
    """List what was refused with the effect `quarantine`, the oldest first."""
    with open_existing(data) as engine:
        page = engine.seat(None).quarantined(after=after, limit=limit)
    if as_json:
        print_json(page)
        return
    if not page.refusals:
        print_line(word("Nothing is kept after this."))
        return
    rows = [
        (one.id, moment(one.refused_at), one.sender, one.document_id, one.code, one.rule,
         one.policy_version)
        for one in page.refusals
    ]  # fmt: skip
    columns = ("#id", "refused at", "sender", "~document", "code", "~rule", "#version")
    print_table(word("Refusals kept as evidence"), [column(name) for name in columns], rows)
    if page.next_after:
        print_line(f"{word('next')}: --after {page.next_after}")


@quarantine.command("show", epilog="Example: vanban quarantine show 4711 --save envelope.json")
@click.argument("number", metavar="ID", type=click.IntRange(1))
@click.option("--save", type=click.Path(dir_okay=False), help="File for the envelope as it came.")
@data_option
def show(number: int, save: str | None, data: str, as_json: bool) -> None:
    """Show one refusal, or write its envelope, byte for byte, into a file."""
    with open_existing(data) as engine:
        one = engine.evidence(number)
    if save is not None:
        Path(save).write_bytes(one.envelope)
    if as_json:
        print_json(one)
        return
    print_line((one.document_id, "bold"), f" ({word('sender')} {one.sender})")
    by = f"{word('rule')} {one.rule or '–'}, {word('version')} {one.policy_version}"
    print_line(f"{word('refused at')} {moment(one.refused_at)}: {one.code}; {by}")
    if save is not None:
        print_line(f"{word('written to')} {save}")
    else:
        print_line(msgspec.json.format(one.envelope, indent=2).decode())
