"""`vanban queue`: how the queue stands, what is in it, how long it waits; the dead queued again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import rich_click as click

from router.cli.boards import print_deliveries, print_states
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
from router.cli.words import column, count, word
from router.errors import NotFoundError
from router.limits import QUEUE_PAGE_MAX, REDRIVE_DELIVERIES_MAX
from router.messages import say
from router.model.answers import Settled, TrackedDelivery
from router.model.operations import Listed, QueueStats, Shape, ShapeRow, Shown

_BAR: Final = 16
_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_STATES: Final = ("leased", "delivered", "refused", "expired", "dead", "withdrawn", "excluded")


@click.group(epilog="Example: vanban queue stats --data vanban-data")
def queue() -> None:
    """How the queue stands: counters, lists, one delivery, ages; dead deliveries queued again."""


def bar(share: float, width: int = _BAR) -> str:
    """Return a share from 0 to 1 as a drawn bar; what is not nothing shows."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    if share > 0:
        eighths = max(eighths, 1)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).strip()


def size(number: int) -> str:
    """Return bytes as people read them."""
    if number < 1024:
        return f"{number} B"
    value = float(number)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1024 or unit == "TiB":
            break
    return f"{value:.1f} {unit}"


def duration(seconds: int) -> str:
    """Return seconds as people read them, two parts at most."""
    parts: list[str] = []
    for name, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if seconds >= length and len(parts) < 2:
            parts.append(f"{seconds // length} {word(name)}")
            seconds %= length
    return " ".join(parts) or f"0 {word('s')}"


@queue.command("stats", epilog="Example: vanban queue stats --data vanban-data")
@data_option
def stats(data: str, as_json: bool) -> None:
    """Show counters, sizes, how far LMDB is behind the log, and what waits longest."""
    with open_existing(data) as engine:
        answer = engine.queue_stats()
    if as_json:
        print_json(answer)
        return
    _print_deliveries_of(answer)
    counters = answer.counters
    rows = [
        (word("documents"), f"{counters['documents']:,}"),
        (word("deliveries"), f"{counters['recipients']:,}"),
        (word("hand-outs"), f"{counters['attempts']:,}"),
        (word("last record"), f"{answer.sequence:,} ({word('epoch')} {answer.epoch:,})"),
        (word("log"), size(answer.log_bytes)),
        (word("LMDB"), f"{size(answer.used_bytes)} {word('used of')} {size(answer.file_bytes)}"),
        (word("in memory only"), size(answer.overlay_bytes)),
        (word("not in LMDB yet"), _behind(answer)),
        (word("waits longest"), _oldest(answer)),
    ]
    if answer.refusing:
        free, reserve = size(answer.disk_free_bytes), size(answer.disk_reserve_bytes)
        said = (
            f"{word('no documents are taken')}: {free} {word('free')}, {word('reserve')} {reserve}"
        )
        rows.append((word("disk"), said))
    rows += [
        (word("restored"), f"{moment(one.restored_at)} {word('from')} {moment(one.made_at)}")
        for one in answer.restorations
    ]
    print_table(f"{word('The queue at')} {moment(answer.at)}",
                [column("what"), column("value")], rows)  # fmt: skip


def _print_deliveries_of(answer: QueueStats) -> None:
    """Draw how the deliveries stand, all of them together."""
    counters = answer.counters
    every = max(counters["recipients"], 1)
    known = {name: counters[name] for name in _STATES}
    known = {"queued": max(counters["recipients"] - sum(known.values()), 0), **known}
    rows = [
        (word(name), f"{number:,}", bar(number / every)) for name, number in known.items() if number
    ]
    title = count(counters["recipients"], "delivery", "deliveries")
    print_table(title, [column("state"), column("#count"), ""], rows)


def _behind(answer: QueueStats) -> str:
    if not answer.behind:
        return word("nothing")
    records = count(answer.behind, "record", "records")
    return f"{records}, {word('the oldest of')} {duration(answer.behind_s)}"


def _oldest(answer: QueueStats) -> str:
    if answer.oldest is None:
        return word("nothing") if answer.searched else word("not found yet: ask again")
    one = answer.oldest
    return f"{one.key}, {moment(one.accepted_at)} ({duration(one.age_s)})"


@queue.command("list", epilog="Example: vanban queue list --state dead --data vanban-data")
@click.option("--deliveries", is_flag=True, help="List deliveries, not documents.")
@click.option("--state", default="", help="Only those in this state, or with deliveries in it; "
              "“open” is queued or leased (default for deliveries).")  # fmt: skip
@click.option("--unit", help="Code of the sender of documents, of the address of deliveries.")
@click.option("--older", "older_m", default=0, type=click.IntRange(0),
              help="Only what was accepted at least so many minutes ago.")  # fmt: skip
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, QUEUE_PAGE_MAX),
              help="Lines to show.")  # fmt: skip
@click.option("--after", default="", help="Go on after a page: what it said at its end.")
@data_option
def list_queue(
    deliveries: bool,
    state: str,
    unit: str | None,
    older_m: int,
    limit: int,
    after: str,
    data: str,
    as_json: bool,
) -> None:
    """List documents or deliveries by state, unit and age, the oldest first."""
    with open_existing(data) as engine:
        answer = engine.queue_list(
            deliveries=deliveries, state=state, unit=unit, older_s=60 * older_m, limit=limit,
            after=after,
        )  # fmt: skip
    if as_json:
        print_json(answer)
        return
    if deliveries:
        _print_listed_deliveries(answer)
    else:
        _print_listed_documents(answer)
    if answer.next_after:
        print_line(f"{word('next')}: --after {answer.next_after}")


def _print_listed_documents(answer: Listed) -> None:
    rows = []
    for one in answer.documents:
        open_ones = one.states.get("queued", 0) + one.states.get("leased", 0)
        rows.append((
            one.key, f"{one.sender}|{one.document_id}", moment(one.accepted_at),
            word(one.lane), one.recipients, open_ones,
            bar(1 - open_ones / max(one.recipients, 1), 8),
        ))  # fmt: skip
    columns = ("key", "~document", "accepted", "lane", "#recipients", "#open", "done")
    title = count(len(rows), "document", "documents")
    print_table(title, [column(name) for name in columns], rows)


def _print_listed_deliveries(answer: Listed) -> None:
    rows = [
        (one.delivery, one.address, one.name, word(one.lane), word(one.state),
         moment(one.accepted_at), one.attempts)
        for one in answer.deliveries
    ]  # fmt: skip
    columns = ("delivery", "unit", "~name", "lane", "state", "accepted", "#attempts")
    title = count(len(rows), "delivery", "deliveries")
    print_table(title, [column(name) for name in columns], rows)


@queue.command(
    "show", epilog='Example: vanban queue show "H22|H22,2024/09/04,05/QĐ-UBND" --data vanban-data'
)
@click.argument("name")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, QUEUE_PAGE_MAX),
              help="Deliveries of a document to show.")  # fmt: skip
@click.option("--page", default=0, show_default=True, type=click.IntRange(0))
@data_option
def show(name: str, limit: int, page: int, data: str, as_json: bool) -> None:
    """Show a document (NAME: key, or SENDER|DOCUMENT ID) or one delivery with its history."""
    with open_existing(data) as engine:
        answer = engine.queue_show(name, limit=limit, page=page)
    if as_json:
        print_json(answer)
    elif answer.delivery is not None:
        _print_delivery(answer, answer.delivery)
    else:
        _print_document(answer, page * limit)


def _print_document(answer: Shown, before: int) -> None:
    document = answer.document
    assert document is not None, "a document or a delivery is shown"
    print_line(
        (f"{document.sender}|{document.document_id}", "bold"), f" ({word('key')} {answer.key})"
    )
    print_line(f"{word('accepted')} {moment(document.accepted_at)}, {word('lane')} "
               f"{word(document.lane)}")  # fmt: skip
    print_states(document)
    if document.deliveries:
        last = before + len(document.deliveries)
        more = f"; {word('next')}: --page {document.next_page}" if document.next_page else ""
        shown = f"{before + 1}–{last} {word('of')} {document.recipients}"
        print_deliveries(f"{word('Deliveries')} {shown}{more}", document.deliveries)


def _print_delivery(answer: Shown, one: TrackedDelivery) -> None:
    print_line((f"{one.address} {one.name}", "bold"), f" ({word('key')} {answer.key})")
    print_line(f"{word(one.state)} {word('since')} {moment(one.since)}, "
               f"{word('attempts')}: {one.attempts}")  # fmt: skip
    rows = [
        (moment(event.at), word(event.state), event.unit, event.actor, event.reason)
        for event in one.history
    ]
    columns = ("since", "state", "unit", "~actor", "~reason")
    print_table(word("History"), [column(name) for name in columns], rows)


@queue.command(
    "redrive",
    epilog='Example: vanban queue redrive 0191b… H22.31.20 --reason "Đã sửa" --data vanban-data',
)
@click.argument("document")
@click.argument("units", nargs=-1)
@click.option("--reason", default="", help="Why, for the record.")
@data_option
def redrive(document: str, units: tuple[str, ...], reason: str, data: str, as_json: bool) -> None:
    """Queue dead deliveries of DOCUMENT again, to UNITS (codes), or to all of them.

    DOCUMENT is its key, or SENDER|DOCUMENT ID.  They may be handed out as often as at first.
    Exit status 1 when one that is named is not dead.
    """
    answers: list[Settled] = []
    with open_existing(data) as engine:
        while True:
            page = engine.redrive(document, units, reason=reason, actor=acting())
            answers += page
            if units or len(page) < REDRIVE_DELIVERIES_MAX:
                break
    if as_json:
        print_json(answers)
    else:
        _print_redriven(answers)
    if any(one.code for one in answers):
        raise SystemExit(EXIT_REFUSED)


def _print_redriven(answers: Sequence[Settled]) -> None:
    if not answers:
        print_line(word("Nothing of it is dead."))
        return
    done = [one for one in answers if not one.code]
    print_line(count(len(done), "delivery queued again", "deliveries queued again"))
    for one in answers:
        if one.code:
            what, remedy = say(NotFoundError(one.code), language())
            print_line(f"{one.delivery}: ", (one.code, "red"), f": {what}")
            print_line(f"→ {remedy}", indent=2)


@queue.command("shape", epilog="Example: vanban queue shape --by parent --data vanban-data")
@click.option("--by", type=click.Choice(("unit", "parent", "tier")), default="unit",
              show_default=True, help="What a line stands for.")  # fmt: skip
@click.option("--within", help="Code of a unit: only it and those below it.")
@click.option("--limit", default=30, show_default=True, type=click.IntRange(1, QUEUE_PAGE_MAX),
              help="Lines to show, those with most first.")  # fmt: skip
@data_option
def shape(by: str, within: str | None, limit: int, data: str, as_json: bool) -> None:
    """Show how long open deliveries wait, by destination (columns: minutes, as in qshape)."""
    with working(word("Counting")), open_existing(data) as engine:
        answer = engine.queue_shape(by=by, within=within, limit=limit)
    if as_json:
        print_json(answer)
        return
    _print_shape(answer)


def _print_shape(answer: Shape) -> None:
    minutes = answer.minutes
    columns = [
        column("~" + answer.by), column("#open"), "",
        *(f"#{one}" for one in minutes), f"#{minutes[-1]}+",
    ]  # fmt: skip
    most = max((row.open for row in answer.rows), default=1)
    rows = [_shape_line(word("all"), answer.total, 0)]
    rows += [_shape_line(_named(row), row, most) for row in answer.rows]
    destinations = count(answer.destinations, "destination", "destinations")
    title = f"{destinations}, {word('minutes waited at')} {moment(answer.at)}"
    print_table(title, columns, rows)
    if not answer.complete:
        print_line(word("More is open than is counted at once: see --within."))


def _named(row: ShapeRow) -> str:
    return f"{row.code} {row.name}" if row.name else word(row.code)


def _shape_line(name: str, row: ShapeRow, most: int) -> Sequence[Any]:
    drawn = bar(row.open / most, 10) if most else ""
    return (name, f"{row.open:,}", drawn, *_ages(row.ages))


def _ages(ages: Iterable[int]) -> list[str]:
    return [f"{one:,}" if one else "·" for one in ages]
