"""`vanban hold`: what waits for an approver, and answering it, against a running daemon."""

from __future__ import annotations

from typing import Any

import rich_click as click

from router import limits
from router.cli.output import moment, print_json, print_line, print_table
from router.cli.remote import connect, connection
from router.cli.words import column, count, word
from router.model.policies import HoldShown

_STATES = ("held", "released", "denied", "expired", "withdrawn", "all")


@click.group(epilog="Example: vanban hold list --token-file H22.token")
def hold() -> None:
    """Parts of documents that wait for an approver: list, show, approve, deny."""


@hold.command("list", epilog="Example: vanban hold list --token-file H22.token")
@click.option("--document", default="", help="Only this document's parts (its key).")
@click.option("--state", default="held", show_default=True, type=click.Choice(_STATES),
              help="Others than “held” need --document.")  # fmt: skip
@click.option("--limit", default=50, show_default=True,
              type=click.IntRange(1, limits.HOLDS_PAGE_MAX), help="Lines to show.")  # fmt: skip
@click.option("--page", default=0, show_default=True, type=click.IntRange(0))
@connection
def list_holds(
    document: str, state: str, limit: int, page: int, as_json: bool, **where: Any
) -> None:
    """List what waits, the oldest first: what you may approve, and what you sent."""
    wanted = "" if state == "all" else state
    with connect(**where) as client:
        answer = client.holds(document=document, state=wanted, limit=limit, page=page)
    if as_json:
        print_json(answer)
        return
    if not answer.holds:
        print_line(word("No part of a document is held here."))
        return
    rows = [
        (one.hold, one.document_id, one.sender, one.recipients, moment(one.expires_at),
         word(one.state), _missing(one))
        for one in answer.holds
    ]  # fmt: skip
    columns = ("hold", "~document", "sender", "#recipients", "expires", "state", "~waits for")
    title = count(len(rows), "held part", "held parts")
    print_table(title, [column(name) for name in columns], rows)
    if answer.next_page:
        print_line(f"{word('next')}: --page {answer.next_page}")


def _missing(one: HoldShown) -> str:
    if one.state != "held":
        return ""
    waits = (", ".join(each.units) or each.approvers for each in one.approvals if not each.at)
    return "; ".join(waits)


@hold.command("show", epilog="Example: vanban hold show 0191b…/1 --token-file H22.token")
@click.argument("name", metavar="HOLD")
@connection
def show(name: str, as_json: bool, **where: Any) -> None:
    """Show one held part: who waits, who may approve, what was answered."""
    with connect(**where) as client:
        answer = client.hold(name)
    _print(answer, as_json)


@hold.command("approve", epilog="Example: vanban hold approve 0191b…/1 --token-file H22.token")
@click.argument("names", metavar="HOLD...", nargs=-1, required=True)
@click.option("--reason", default="", help="Why; told to the sender.")
@click.option("--unit", help="The approver in whose name an operator acts.")
@connection
def approve(
    names: tuple[str, ...], reason: str, unit: str | None, as_json: bool, **where: Any
) -> None:
    """Give every approval that the unit may give; the last one releases the part."""
    with connect(**where) as client:
        answers = [client.approve(name, reason=reason, unit=unit) for name in names]
    _print_answers(answers, as_json)


@hold.command(
    "deny", epilog='Example: vanban hold deny 0191b…/1 --reason "sai thẩm quyền"'
)  # fmt: skip
@click.argument("names", metavar="HOLD...", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why; told to the sender.")
@click.option("--unit", help="The approver in whose name an operator acts.")
@connection
def deny(
    names: tuple[str, ...], reason: str, unit: str | None, as_json: bool, **where: Any
) -> None:
    """Exclude the recipients of held parts for good."""
    with connect(**where) as client:
        answers = [client.deny(name, reason, unit=unit) for name in names]
    _print_answers(answers, as_json)


def _print_answers(answers: list[HoldShown], as_json: bool) -> None:
    if as_json:
        print_json(answers)
        return
    for one in answers:
        said = f" {word('(before already)')}" if one.repeated else ""
        waits = f": {word('waits for')} {_missing(one)}" if one.state == "held" else ""
        print_line(f"{one.hold}: ", (word(one.state), "green"), f"{said}{waits}")


def _print(one: HoldShown, as_json: bool) -> None:
    if as_json:
        print_json(one)
        return
    print_line((one.document_id, "bold"), f" ({word('hold')} {one.hold})")
    print_line(f"{word('sender')} {one.sender}: {one.subject}")
    print_line(f"{word(one.state)}, {word('expires')} {moment(one.expires_at)}")
    if one.reason:
        print_line(f"{word('reason')}: {one.reason}")
    more = "" if len(one.units) == one.recipients else " …"
    recipients = count(one.recipients, "recipient", "recipients")
    print_line(f"{recipients}: {', '.join(one.units)}{more}")
    rows = [
        (each.rule, ", ".join(each.units) or each.approvers, each.approved_by, each.actor,
         moment(each.at))
        for each in one.approvals
    ]  # fmt: skip
    columns = ("rule", "~approvers", "approved by", "~actor", "at")
    print_table(word("Approvals"), [column(name) for name in columns], rows)
