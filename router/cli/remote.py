"""Commands against a running daemon: submit, inbox, ack, refuse, track, resolve, explain."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click

from router import limits
from router.cli.boards import print_deliveries, print_explanation, print_states
from router.cli.output import (
    EXIT_REFUSED,
    json_option,
    language,
    moment,
    print_json,
    print_line,
    print_table,
    speaks,
)
from router.client import Client
from router.model.answers import Delivery, Outcome, Problem, Settled, Tracking
from router.model.documents import Document
from router.model.instants import instant_of
from router.settings import load_settings

_documents = msgspec.json.Decoder(Document)


def connection(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where the daemon is and who asks."""
    for option in reversed(
        (
            click.option("--url", help="Address of the daemon [http://127.0.0.1:8080]."),
            click.option(
                "--token-file", type=click.Path(dir_okay=False), help="File with the token."
            ),
            click.option("--actor", help="Name of the person acting (at most 64 characters)."),
            click.option("--config", type=click.Path(dir_okay=False), help="vanban.toml."),
            json_option,
        )
    ):
        command = option(command)
    return speaks(command)


def connect(
    url: str | None, token_file: str | None, actor: str | None, config: str | None
) -> Client:
    """Return a client from options, environment and configuration, in this order."""
    environment = dict(os.environ)
    for name, value in (("URL", url), ("TOKEN_FILE", token_file), ("ACTOR", actor)):
        if value is not None:
            environment[f"VANBAN__CLIENT__{name}"] = value
    settings = load_settings(config, environment).client
    return Client(settings.url, settings.read_token(), actor=settings.actor, language=language())


@click.command(epilog="Example: vanban submit letter.json --token-file H22.token")
@click.argument("files", nargs=-1, required=True,
                type=click.Path(exists=True, allow_dash=True, dir_okay=False))  # fmt: skip
@connection
def submit(files: tuple[str, ...], as_json: bool, **where: Any) -> None:
    """Submit signed envelopes (JSON files, or - for standard input).

    Exit status 1 when one of them was refused.
    """
    outcomes = []
    with connect(**where) as client:
        for name in files:
            (outcome,) = client.submit_batch([_read(name)])
            outcomes.append(outcome)
            if not as_json:
                _print_outcome(name, outcome)
    if as_json:
        print_json(outcomes)
    if any(isinstance(outcome, Problem) for outcome in outcomes):
        raise SystemExit(EXIT_REFUSED)


def _read(name: str) -> bytes:
    """Return a file's bytes, or so many that the server will say it is too large."""
    with click.open_file(name, "rb") as file:
        data: bytes = file.read(limits.ENVELOPE_BYTES_MAX + 1)
        return data


def _print_outcome(name: str, outcome: Outcome) -> None:
    if isinstance(outcome, Problem):
        place = f" ({outcome.path})" if outcome.path else ""
        print_line(f"{name}: ", ("refused", "red"), f" {outcome.code}{place}: {outcome.detail}")
        print_line(f"→ {outcome.remedy}", indent=2)
        return
    word = "repeated" if outcome.repeated else "accepted"
    print_line(f"{name}: ", (word, "green"), f" {outcome.document_id}")
    print_line(
        f"key {outcome.key}, {outcome.effective} recipients, lane {outcome.lane}, "
        f"at {moment(outcome.accepted_at)}",
        indent=2,
    )


@click.command(epilog="Example: vanban inbox --limit 20 --token-file H22.31.token")
@click.option("--limit", default=20, show_default=True, help="How many at most.")
@click.option("--lease", "lease_s", default=limits.LEASE_S_DEFAULT, show_default=True,
              help="Seconds they are reserved for you.")  # fmt: skip
@click.option("--wait", "wait_s", default=0, show_default=True, help="Seconds to wait for one.")
@click.option("--save", type=click.Path(file_okay=False), help="Folder to write documents into.")
@connection
def inbox(
    limit: int, lease_s: int, wait_s: int, save: str | None, as_json: bool, **where: Any
) -> None:
    """Take deliveries from your unit's inbox under a lease; acknowledge them with `ack`."""
    with connect(**where) as client:
        deliveries = client.lease(limit, lease_s=lease_s, wait_s=wait_s)
    if save is not None:
        for delivery in deliveries:
            _save(Path(save), delivery)
    if as_json:
        print_json(deliveries)
        return
    if not deliveries:
        print_line("Nothing waits in this inbox.")
        return
    rows = []
    for one in deliveries:
        document = _documents.decode(one.payload)
        number = f"{document.number}/{document.notation}"
        rows.append((one.delivery, one.lane, one.sender, number, document.subject))
    until = moment(deliveries[0].leased_until)
    title = f"{len(rows)} deliveries, yours until {until}"
    print_table(title, ("delivery", "lane", "sender", "number", "~subject"), rows)


def _save(folder: Path, delivery: Delivery) -> None:
    """Write the signed bytes and inline attachments, under names the engine chose."""
    home = folder / delivery.key
    home.mkdir(parents=True, exist_ok=True)
    (home / "document.json").write_bytes(delivery.payload)
    for content in delivery.contents:
        (home / f"{content.sha256}.bin").write_bytes(content.content)


@click.command(epilog="Example: vanban ack AZG... --token-file H22.31.token")
@click.argument("deliveries", nargs=-1, required=True)
@connection
def ack(deliveries: tuple[str, ...], as_json: bool, **where: Any) -> None:
    """Acknowledge deliveries: your unit has them for good."""
    with connect(**where) as client:
        _settled(client.acknowledge(list(deliveries)), as_json)


@click.command(epilog='Example: vanban refuse AZG... --reason "Sai nơi nhận"')
@click.argument("deliveries", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why (the sender reads it).")
@connection
def refuse(deliveries: tuple[str, ...], reason: str, as_json: bool, **where: Any) -> None:
    """Return deliveries to their sender, with a reason."""
    with connect(**where) as client:
        _settled(client.refuse(list(deliveries), reason), as_json)


def _settled(answers: list[Settled], as_json: bool) -> None:
    if as_json:
        print_json(answers)
    else:
        for one in answers:
            word = (one.code, "red") if one.code else (one.state, "green")
            print_line(f"{one.delivery}: ", word, " (before already)" if one.repeated else "")
    if any(one.code for one in answers):
        raise SystemExit(EXIT_REFUSED)


@click.command(epilog='Example: vanban track "H22|H22,2024/09/04,05/QĐ-UBND"')
@click.argument("document")
@click.option("--limit", default=50, show_default=True, help="Deliveries to list.")
@click.option("--page", default=0, show_default=True)
@connection
def track(document: str, limit: int, page: int, as_json: bool, **where: Any) -> None:
    """Show who has a document and who not yet (DOCUMENT: key, or SENDER|DOCUMENT ID)."""
    with connect(**where) as client:
        answer = client.track(document, limit=limit, page=page)
    if as_json:
        print_json(answer)
    else:
        print_tracking(answer)


def print_tracking(answer: Tracking) -> None:
    """Print the board of one document: counts by tier, then the deliveries listed."""
    print_line((answer.subject, "bold"))
    print_line(f"{answer.document_id}, accepted {moment(answer.accepted_at)}, lane {answer.lane}")
    print_states(answer)
    if answer.deliveries:
        more = f"; go on with --page {answer.next_page}" if answer.next_page else ""
        print_deliveries(f"Deliveries {len(answer.deliveries)}{more}", answer.deliveries)


@click.command(epilog='Example: vanban resolve "descendants(H22) & tier(commune)"')
@click.argument("selector")
@click.option("--at", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"]),
              help="Date or time (default: now).")  # fmt: skip
@click.option("--limit", default=50, show_default=True, help="Units to list.")
@connection
def resolve(selector: str, at: Any, limit: int, as_json: bool, **where: Any) -> None:
    """Show whom a selector means."""
    from router.model.instants import VIETNAM_TIME

    at_us = None
    if at is not None:
        at_us = instant_of(at if at.tzinfo else at.replace(tzinfo=VIETNAM_TIME))
    with connect(**where) as client:
        answer = client.resolve(selector, at_us=at_us, limit=limit)
    if as_json:
        print_json(answer)
        return
    counts = ", ".join(f"{tier} {count}" for tier, count in answer.by_tier.items())
    rows = [(unit.code, unit.name, unit.tier, unit.kind) for unit in answer.units]
    less = f", the first {len(rows)} shown" if len(rows) < answer.size else ""
    title = f"{answer.size} units ({counts}){less}"
    print_table(title, ("code", "~name", "tier", "kind"), rows)


@click.command(epilog="Example: vanban explain 0191b… H22.31.20")
@click.argument("document")
@click.argument("unit")
@connection
def explain(document: str, unit: str, as_json: bool, **where: Any) -> None:
    """Say why UNIT receives DOCUMENT, or why not."""
    with connect(**where) as client:
        answer = client.explain(document, unit)
    if as_json:
        print_json(answer)
        return
    print_explanation(answer)


@click.command(epilog="Example: vanban whoami --token-file H22.token")
@connection
def whoami(as_json: bool, **where: Any) -> None:
    """Show whom the token stands for."""
    with connect(**where) as client:
        answer = client.whoami()
    if as_json:
        print_json(answer)
    else:
        role = "operator" if answer.operator else answer.code
        print_line(f"{answer.name} ({role})")
