"""`vanban policy`: policies checked, tried, weighed, activated, explained, taken back."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, Final

import rich_click as click

from router.cli.dates import INSTANT
from router.cli.manage import acting, data_option, open_existing
from router.cli.output import EXIT_REFUSED, print_json, print_line, working
from router.cli.policy_show import (
    print_checked,
    print_explained,
    print_impact,
    print_reach,
    print_rule,
    print_under,
    print_versions,
)
from router.cli.words import word
from router.engine import Engine
from router.errors import InputError
from router.limits import POLICY_BYTES_MAX, POLICY_REPLAYED_MAX, TRACKING_PAGE_MAX
from router.model.documents import Act, Urgency
from router.model.policies import PolicyChecked, Reach, TestDocument

_FILE: Final = click.Path(exists=True, dir_okay=False)
_OUTCOMES: Final = ("allow", "hold", "exclude")


@click.group(epilog="Example: vanban policy check policy.toml --data vanban-data")
def policy() -> None:
    """Who may send what to whom (docs/policy.md): check, activate, explain, roll back."""


def _read(file: str) -> bytes:
    """Return a policy file's bytes; one that is far too long is not read to its end."""
    with Path(file).open("rb") as stream:
        return stream.read(POLICY_BYTES_MAX + 1)


# Before it is in force.


@policy.command("check", epilog="Example: vanban policy check policy.toml --data vanban-data")
@click.argument("file", type=_FILE)
@data_option
def check(file: str, data: str, as_json: bool) -> None:
    """Say what is wrong or doubtful about a policy file, in today's directory.

    One line for each: file:line: key: what (suggestion).  Exit status 1 for mistakes, 0 when
    there are doubts only.
    """
    with open_existing(data) as engine:
        found = engine.check_policy_text(_read(file))
    _print_and_leave(found, file, as_json)


@policy.command("test", epilog="Example: vanban policy test policy.toml --data vanban-data")
@click.argument("file", type=_FILE)
@data_option
def test(file: str, data: str, as_json: bool) -> None:
    """Check a policy file and run the tests in it; exit status 1 when one fails."""
    with open_existing(data) as engine, working(word("Testing")):
        found = engine.test_policy_text(_read(file))
    _print_and_leave(found, file, as_json)


def _print_and_leave(found: PolicyChecked, file: str, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        print_checked(found, file)
    if not found.valid:
        raise SystemExit(EXIT_REFUSED)


@policy.command("impact", epilog="Example: vanban policy impact policy.toml --since 2025-06-01")
@click.argument("file", type=_FILE)
@click.option("--since", "since_us", type=INSTANT, default=0,
              help="Documents accepted from this date or time on (default: all).")  # fmt: skip
@click.option("--limit", default=10_000, show_default=True,
              type=click.IntRange(1, POLICY_REPLAYED_MAX), help="The last so many.")  # fmt: skip
@click.option("--pairs", is_flag=True,
              help="A plain document of each unit to all others, instead.")  # fmt: skip
@data_option
def impact(file: str, since_us: int, limit: int, pairs: bool, data: str, as_json: bool) -> None:
    """Say what a policy file would change against the policy in force; change nothing."""
    with open_existing(data) as engine, working(word("Comparing")):
        found = engine.policy_impact(_read(file), since_us=since_us, limit=limit, pairs=pairs)
    if as_json:
        print_json(found)
    else:
        print_impact(found)


@policy.command("activate", epilog='Example: vanban policy activate policy.toml --reason "QĐ 12"')
@click.argument("file", type=_FILE)
@click.option("--reason", required=True, help="Why, for the record.")
@click.option("--yes", is_flag=True, help="Activate it without asking.")
@data_option
def activate(file: str, reason: str, yes: bool, data: str, as_json: bool) -> None:
    """Put a policy file in force: checked, tested and shown with its impact first.

    Nothing is activated before --yes or a person's “y”.  Exit status 1 when it is wrong or a
    test of it fails; the running policy stays.
    """
    text = _read(file)
    with open_existing(data) as engine:
        with working(word("Testing")):
            checked = engine.test_policy_text(text)
        if not checked.valid:
            _print_and_leave(checked, file, as_json)
        decided = yes
        if not as_json:
            print_checked(checked, file)
            if not yes:
                with working(word("Comparing")):
                    weighed = engine.policy_impact(text)
                print_impact(weighed)
                decided = sys.stdin.isatty() and click.confirm(word("Activate it?"))
        if not decided:
            _print_not_yet(checked, file, reason, data, as_json)
            return
        made = engine.activate_policy(text, reason=reason, actor=acting())
    if as_json:
        print_json({"activated": made, "checked": checked})
    else:
        print_line((word("In force, version"), "bold"), f" {made.version}: {made.name}")


def _print_not_yet(
    checked: PolicyChecked, file: str, reason: str, data: str, as_json: bool
) -> None:
    if as_json:
        print_json({"activated": None, "checked": checked})
        return
    again = ["vanban", "policy", "activate", file, "--reason", reason, "--yes"]
    again += ["--data", data] if data != "vanban-data" else []
    print_line((word("Nothing is activated yet."), "bold"))
    print_line(f"→ {word('Activate it with')}: {shlex.join(again)}")


# Versions.


@policy.command("rollback", epilog='Example: vanban policy rollback --reason "sai phạm vi"')
@click.argument("version", type=click.IntRange(min=0), required=False)
@click.option("--reason", required=True, help="Why, for the record.")
@data_option
def rollback(version: int | None, reason: str, data: str, as_json: bool) -> None:
    """Put an earlier version in force again: the one before, or VERSION (0: the shipped one)."""
    with open_existing(data) as engine:
        made = engine.rollback_policy(version, reason=reason, actor=acting())
    if as_json:
        print_json(made)
        return
    print_line((word("In force, version"), "bold"), f" {made.version}: {made.name} ",
               word("(as in version {})").format(made.rolled_back_to))  # fmt: skip


@policy.command("versions", epilog="Example: vanban policy versions --data vanban-data")
@data_option
def versions(data: str, as_json: bool) -> None:
    """List every activation, oldest first."""
    with open_existing(data) as engine:
        found = engine.policy_versions()
    if as_json:
        print_json(found)
    else:
        print_versions(found)


@policy.command("show", epilog="Example: vanban policy show 4711 --data vanban-data > policy.toml")
@click.argument("version", type=click.IntRange(min=0), required=False)
@click.option("--floor", is_flag=True, help="The law's floor, which joins every policy, instead.")
@data_option
def show(version: int | None, floor: bool, data: str, as_json: bool) -> None:
    """Print the text of the policy in force, or of VERSION, as it was activated."""
    if floor:
        text = resources.files("router.policy").joinpath("floor.toml").read_bytes()
    else:
        with open_existing(data) as engine:
            text = engine.policy_text(version)
    if as_json:
        print_json({"text": text.decode()})
    elif text:
        click.echo(text, nl=False)
    else:
        print_line(word("The shipped policy: everybody may write to everybody, over the floor."))


# Why, and what if.


@policy.command("explain", epilog='Example: vanban policy explain "H22|05/QĐ" H22.31')
@click.argument("document", required=False)
@click.argument("unit", required=False)
@click.option("--rule", metavar="NAME", help="What this rule would catch today, instead.")
@click.option("--file", type=_FILE, help="The rule is one of this file, not yet in force.")
@data_option
def explain(
    document: str | None, unit: str | None, rule: str | None, file: str | None,
    data: str, as_json: bool,
) -> None:  # fmt: skip
    """Say why DOCUMENT (key, or SENDER|DOCUMENT ID) went to whom, or what became of UNIT."""
    if (document is None) == (rule is None) or (file is not None and rule is None):
        raise click.UsageError("name a document, or --rule (with --file, when it is not in force)")
    with open_existing(data) as engine:
        if rule is not None:
            answer: Any = engine.rule_reach(rule, None if file is None else _read(file))
            shown: Callable[[Any], None] = print_rule
        elif unit is not None:
            answer, shown = engine.explain_policy_unit(document or "", unit), print_under
        else:
            answer, shown = engine.explain_policy(document or ""), print_explained
    if as_json:
        print_json(answer)
    else:
        shown(answer)


def _described(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that describe a document, and those of a list."""
    for option in reversed(
        (
            click.option("--type", "kind", metavar="TYPE", help="Type, e.g. “Công văn”."),
            click.option("--urgency", type=click.Choice([one.value for one in Urgency])),
            click.option("--act", type=click.Choice([one.value for one in Act])),
            click.option("--mark", "marks", multiple=True, help="A circulation mark."),
            click.option("--size", "size_bytes", type=click.IntRange(0, 1 << 53),
                         help="Bytes, attachments included."),
            click.option("--signed-by", multiple=True, metavar="UNIT",
                         help="Who signs (default: the sender)."),
            click.option("--unsigned", is_flag=True, help="Nobody signs."),
            click.option("--outcome", type=click.Choice(_OUTCOMES), default="allow",
                         show_default=True, help="The units to list."),
            click.option("--limit", default=50, show_default=True,
                         type=click.IntRange(0, TRACKING_PAGE_MAX), help="Units to list."),
            click.option("--page", default=0, type=click.IntRange(0), help="Page of the list."),
        )
    ):  # fmt: skip
        command = option(command)
    return data_option(command)


def _document(how: dict[str, Any]) -> TestDocument | None:
    """Return the document that options describe, None where they say nothing."""
    fields: dict[str, Any] = {}
    if how["kind"]:
        fields["type"] = how["kind"]
    if how["urgency"]:
        fields["urgency"] = Urgency(how["urgency"])
    if how["act"]:
        fields["act"] = Act(how["act"])
    if how["marks"]:
        fields["marks"] = tuple(how["marks"])
    if how["size_bytes"] is not None:
        fields["size_bytes"] = how["size_bytes"]
    if how["signed_by"] or how["unsigned"]:
        fields["signed_by"] = tuple(how["signed_by"])
    if how["unsigned"] and how["signed_by"]:
        raise InputError("field.invalid", path="--unsigned", reason="somebody signs, or nobody")
    return TestDocument(**fields) if fields else None


def _reach(ask: Callable[[Engine], Callable[..., Reach]], unit: str, how: dict[str, Any]) -> None:
    document = _document(how)
    with open_existing(how["data"]) as engine:
        paging = {name: how[name] for name in ("outcome", "limit", "page")}
        found = ask(engine)(unit, document, **paging)
    if how["as_json"]:
        print_json(found)
    else:
        print_reach(found, how["outcome"])


@policy.command("who-may-receive", epilog="Example: vanban policy who-may-receive H22.31")
@click.argument("unit")
@_described
def who_may_receive(unit: str, **how: Any) -> None:
    """Say who may receive what UNIT sends: a plain document, or one as described."""
    _reach(lambda engine: engine.who_may_receive, unit, how)


@policy.command("who-may-send", epilog="Example: vanban policy who-may-send H22.31 --type Báo cáo")
@click.argument("unit")
@_described
def who_may_send(unit: str, **how: Any) -> None:
    """Say who may send to UNIT: a plain document, or one as described."""
    _reach(lambda engine: engine.who_may_send, unit, how)
