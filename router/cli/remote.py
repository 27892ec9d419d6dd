"""Commands against a running daemon: submit, inbox, ack, refuse, track, outbox, explain, whoami."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click

from router import limits
from router.cli.boards import (
    print_alerts,
    print_deliveries,
    print_explanation,
    print_outbox,
    print_states,
)
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
from router.cli.words import NOTHING_WAITS, column, count, word
from router.client import Client
from router.errors import MalformedError, NotFoundError
from router.messages import problem_of, say
from router.model.answers import Delivery, DeliveryState, Outcome, Problem, Settled, Tracking
from router.model.documents import Document
from router.settings import load_settings

_KEY = re.compile("[0-9a-fA-F]{32}")
ENVELOPE_MARK = b'"payload"'
"""Stands in every signed envelope, and in no document."""
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
            click.option(
                "--config",
                type=click.Path(dir_okay=False),
                help="Settings, such as vanban.toml (read only when named here).",
            ),
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
            outcome = _submit(client, _read(name))
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


def _submit(client: Client, data: bytes) -> Outcome:
    """Send one envelope; what can't be one stays here: it may be a key, named by mistake."""
    if ENVELOPE_MARK not in data:
        return problem_of(MalformedError("envelope.foreign"), language())
    (outcome,) = client.submit_batch([data])
    return outcome


def _print_outcome(name: str, outcome: Outcome) -> None:
    if isinstance(outcome, Problem):
        place = f" ({outcome.path})" if outcome.path else ""
        print_line(
            f"{name}: ", (word("refused"), "red"), f" {outcome.code}{place}: {outcome.detail}"
        )
        print_line(f"→ {outcome.remedy}", indent=2)
        return
    said = word("repeated" if outcome.repeated else "accepted")
    print_line(f"{name}: ", (said, "green"), f" {outcome.document_id}")
    recipients = count(outcome.effective, "recipient", "recipients")
    told = ((outcome.held, "held"), (outcome.excluded, "excluded"))
    policy = "".join(f", {some:,} {word(what)}" for some, what in told if some)
    print_line(
        f"{word('key')} {outcome.key}, {recipients}{policy}, {word('lane')} {word(outcome.lane)}, "
        f"{word('at')} {moment(outcome.accepted_at)}",
        indent=2,
    )
    print_waiting(outcome.waiting, outcome.key)


def print_waiting(waiting: int, key: str) -> None:
    """Say how many recipients wait for the verdict, if any do, and where to read more."""
    if waiting:
        said = word("waiting for the check of the signature; see:")
        print_line((f"{waiting:,} {said} vanban verify {key}", "yellow"), indent=2)


@click.command(epilog="Example: vanban inbox --limit 20 --token-file H22.31.token")
@click.option("--limit", default=20, show_default=True,
              type=click.IntRange(1, limits.LEASE_DELIVERIES_MAX),
              help="How many at most.")  # fmt: skip
@click.option("--lease", "lease_s", default=limits.LEASE_S_DEFAULT, show_default=True,
              type=click.IntRange(1, limits.LEASE_S_MAX),
              help="Seconds they are reserved for you.")  # fmt: skip
@click.option("--wait", "wait_s", default=0, show_default=True,
              type=click.IntRange(0, limits.WAIT_S_MAX),
              help="Seconds to wait for one.")  # fmt: skip
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
        print_line(word(NOTHING_WAITS))
        return
    rows = []
    for one in deliveries:
        document = _documents.decode(one.payload)
        name = f"{document.sender}|{document.document_id}"
        rows.append((one.delivery, name, word(one.lane), document.subject))
    until = moment(deliveries[0].leased_until)
    title = f"{count(len(rows), 'delivery', 'deliveries')}, {word('yours until')} {until}"
    columns = ("delivery", "document", "lane", "~subject")
    print_table(title, [column(name) for name in columns], rows)
    if save is not None:
        documents = count(len(deliveries), "document", "documents")
        print_line(f"{documents} {word('written below')} {save}")


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
        _settled(client.acknowledge(list(deliveries)), DeliveryState.DELIVERED, as_json)


@click.command(
    epilog='Example: vanban refuse AZG... --reason "Sai nơi nhận" --token-file H22.31.token'
)
@click.argument("deliveries", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why (the sender reads it).")
@connection
def refuse(deliveries: tuple[str, ...], reason: str, as_json: bool, **where: Any) -> None:
    """Return deliveries to their sender, with a reason."""
    with connect(**where) as client:
        _settled(client.refuse(list(deliveries), reason), DeliveryState.REFUSED, as_json)


_BEFORE = {
    "delivered": "it was acknowledged before",
    "refused": "it was returned before",
    "expired": "it ran out before",
}


def _settled(answers: list[Settled], wanted: DeliveryState, as_json: bool) -> None:
    """Print what became of each delivery; exit 1 when one is not in the state wanted."""
    if as_json:
        print_json(answers)
    else:
        for one in answers:
            _print_settled(one, wanted)
    if any(one.code or one.state != wanted.value for one in answers):
        raise SystemExit(EXIT_REFUSED)


def _print_settled(one: Settled, wanted: DeliveryState) -> None:
    if one.code:
        what, remedy = say(NotFoundError(one.code), language())
        print_line(f"{one.delivery}: ", (one.code, "red"), f": {what}")
        print_line(f"→ {remedy}", indent=2)
    elif one.state != wanted.value:
        failed = "NOT returned" if wanted is DeliveryState.REFUSED else "NOT acknowledged"
        why = word(_BEFORE.get(one.state, one.state))
        print_line(f"{one.delivery}: ", (word(failed), "red"), f": {why}")
    else:
        before = f" {word('(before already)')}" if one.repeated else ""
        print_line(f"{one.delivery}: ", (word(one.state), "green"), before)


def names_document(text: str) -> bool:
    """Say whether a text is a document's whole key, or an id with its sender."""
    return "|" in text or _KEY.fullmatch(text) is not None


def _check_document(context: click.Context, option: click.Parameter, text: str) -> str:
    """Refuse what is neither a whole key nor a document's id with its sender."""
    del context, option
    if not names_document(text):
        raise click.BadParameter(
            "give the whole key (32 characters, 0-9 and a-f), or SENDER|DOCUMENT ID "
            'such as "H22|H22,2024/09/04,05/QĐ-UBND"'
        )
    return text


@click.command(
    epilog='Example: vanban track "H22|H22,2024/09/04,05/QĐ-UBND" --token-file H22.token'
)
@click.argument("document", callback=_check_document)
@click.option("--limit", default=50, show_default=True,
              type=click.IntRange(1, limits.TRACKING_PAGE_MAX),
              help="Deliveries to list.")  # fmt: skip
@click.option("--page", default=0, show_default=True, type=click.IntRange(0))
@click.option("--below", metavar="UNIT",
              help="Count and list only the units below this one (its code).")  # fmt: skip
@click.option("--state", help="List only deliveries in this state, e.g. queued.")
@connection
def track(
    document: str,
    limit: int,
    page: int,
    below: str | None,
    state: str | None,
    as_json: bool,
    **where: Any,
) -> None:
    """Show who has a document and who not yet (DOCUMENT: key, or SENDER|DOCUMENT ID)."""
    with connect(**where) as client:
        answer = client.track(document, below=below, state=state, limit=limit, page=page)
    if as_json:
        print_json(answer)
    else:
        print_tracking(answer, page * limit, state or "")


def print_tracking(answer: Tracking, before: int = 0, state: str = "") -> None:
    """Print the board of one document: counts by tier, then the deliveries listed.

    `before` counts the deliveries on the pages before this one; with a `state` only those in
    it are listed.
    """
    print_line((answer.subject, "bold"))
    accepted = f"{word('accepted')} {moment(answer.accepted_at)}"
    print_line(
        f"{answer.sender}|{answer.document_id}, {accepted}, {word('lane')} {word(answer.lane)}"
    )
    print_alerts(answer.alerts)
    print_states(answer)
    print_waiting(answer.states.get("waiting", 0), answer.key)
    if answer.deliveries:
        more = f"; {word('next')}: --page {answer.next_page}" if answer.next_page else ""
        last = before + len(answer.deliveries)
        every = answer.states.get(state, 0) if state else answer.recipients
        shown = f"{before + 1}–{last} {word('of')} {every}"
        print_deliveries(f"{word('Deliveries')} {shown}{more}", answer.deliveries)


@click.command(epilog="Example: vanban outbox --after 4711-1-0 --token-file H22.token")
@click.option("--after", default="", help="Go on after this event: what a page said at its end.")
@click.option("--limit", default=50, show_default=True,
              type=click.IntRange(1, limits.OUTBOX_PAGE_MAX), help="Events to show.")  # fmt: skip
@connection
def outbox(after: str, limit: int, as_json: bool, **where: Any) -> None:
    """Show what your unit is told about documents it has sent, oldest first.

    Recipients that were closed while documents were open there (redirected), deliveries that
    nobody took (dead).  Events stay; ask again with --after.
    """
    with connect(**where) as client:
        answer = client.outbox(after=after, limit=limit)
    if as_json:
        print_json(answer)
    else:
        print_outbox(answer)


@click.command(
    epilog='Example: vanban explain "H22|H22,2024/09/04,05/QĐ-UBND" H22.31 --token-file H22.token'
)
@click.argument("document", callback=_check_document)
@click.argument("unit")
@connection
def explain(document: str, unit: str, as_json: bool, **where: Any) -> None:
    """Say why UNIT receives DOCUMENT, or why not (DOCUMENT: key, or SENDER|DOCUMENT ID)."""
    with connect(**where) as client:
        answer = client.explain(document, unit)
        under = None
        if not as_json:
            with contextlib.suppress(NotFoundError):  # whose sender's documents aren't ours
                under = client.explain_policy_unit(document, unit)
    if as_json:
        print_json(answer)
        return
    print_explanation(answer, under)


@click.command(epilog="Example: vanban whoami --token-file H22.token")
@connection
def whoami(as_json: bool, **where: Any) -> None:
    """Show whom the token stands for."""
    with connect(**where) as client:
        answer = client.whoami()
    if as_json:
        print_json(answer)
    else:
        role = word("operator") if answer.operator else answer.code
        print_line(f"{answer.name} ({role})")
