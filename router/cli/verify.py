"""`vanban verify`: what the signatures of files and stored documents are worth, in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from router import limits
from router.cli.boards import print_alerts
from router.cli.output import EXIT_REFUSED, language, moment, print_json, print_line, print_table
from router.cli.remote import ENVELOPE_MARK, connect, connection, names_document
from router.cli.words import column, count, word
from router.client import Client
from router.errors import MalformedError, NotFoundError
from router.messages import say
from router.messages.verdicts import lines_of, versions_of
from router.model.verdicts import AffectedPage, VerdictShown

_COLOURS = {"valid": "green", "indeterminate": "yellow"}
_VIETNAMESE = {
    "valid": "hợp lệ",
    "invalid": "không hợp lệ",
    "indeterminate": "chưa có kết quả",
    "unsigned": "không có chữ ký số",
    "unreadable": "không đọc được",
}


@click.command(epilog="Example: vanban verify letter.json 0191b… --token-file H22.token")
@click.argument("what", metavar="FILE|DOCUMENT...", nargs=-1)
@click.option("--affected", is_flag=True,
              help="List documents whose signers had been revoked, as is known since.")  # fmt: skip
@click.option("--after", default="", help="With --affected: go on from here.")
@click.option("--limit", default=50, show_default=True,
              type=click.IntRange(1, limits.AFFECTED_PAGE_MAX),
              help="With --affected: lines to show.")  # fmt: skip
@connection
def verify(
    what: tuple[str, ...], affected: bool, after: str, limit: int, as_json: bool, **where: Any
) -> None:
    """Say what signatures are worth: of envelopes in files, or of stored documents.

    A file is judged as of now and not stored.  A document, by its key or as CODE|ID, has the
    verdict that was reached when it came; --json has it whole, certificates included.
    Exit status 1 when one of them is not valid.
    """
    if affected == bool(what):
        raise click.UsageError(word("Name files or documents, or give --affected."))
    with connect(**where) as client:
        if affected:
            _print_affected(client.revocation_alerts(after=after, limit=limit), as_json)
            return
        found = [_verdict(client, name) for name in what]
    if as_json:
        print_json(found)
    else:
        for name, shown in zip(what, found, strict=True):
            _print(name, shown)
    if any(one.status != "valid" for one in found):
        raise SystemExit(EXIT_REFUSED)


def _verdict(client: Client, name: str) -> VerdictShown:
    """Ask about a file or a stored document; what can be neither stays here, as with `submit`."""
    if not Path(name).is_file():
        if not names_document(name):
            raise NotFoundError("document.or_file_not_found", path=name)
        return client.verdict(name)
    with click.open_file(name, "rb") as file:
        data = file.read(limits.ENVELOPE_BYTES_MAX + 1)
    if ENVELOPE_MARK not in data:
        return _foreign()
    return client.verify(data)


def _foreign() -> VerdictShown:
    """Return what is said of a file that nobody signed."""
    error = MalformedError("envelope.foreign")
    (words, remedy), (words_vi, remedy_vi) = say(error, "en"), say(error, "vi")
    return VerdictShown(
        "unreadable", words, words_vi, code=error.code, reason=words, reason_vi=words_vi,
        remedy=remedy, remedy_vi=remedy_vi,
    )  # fmt: skip


def _print(name: str, shown: VerdictShown) -> None:
    tongue = language()
    vietnamese = tongue == "vi"
    what = f"{shown.sender}|{shown.document_id}" if shown.document_id else name
    status = _VIETNAMESE[shown.status] if vietnamese else shown.status
    print_line(f"{what}: ", (status, _COLOURS.get(shown.status, "red")))
    print_line(shown.words_vi if vietnamese else shown.words, indent=2)
    if shown.code:
        place = f" ({shown.path})" if shown.path else ""
        print_line(f"{shown.code}{place}", indent=2)
        print_line(f"→ {shown.remedy_vi if vietnamese else shown.remedy}", indent=2)
    for number, one in enumerate(shown.signatures, start=1):
        first, *rest = lines_of(one, tongue)
        print_line(f"{word('signature')} {number}: {first}", indent=2)
        for line in rest:
            print_line(line, indent=4)
    if shown.signatures:
        print_line(versions_of(shown, tongue), indent=2)
    print_alerts(shown.alerts, indent=2)


def _print_affected(page: AffectedPage, as_json: bool) -> None:
    if as_json:
        print_json(page)
        return
    if not page.documents and not page.next_after:
        print_line(word("No document is concerned by a later revocation."))
        return
    rows = [
        (one.key, f"{one.sender}|{one.document_id}", moment(one.accepted_at), one.subject,
         moment(one.invalid_since), moment(one.revoked_at))
        for one in page.documents
    ]  # fmt: skip
    columns = ("key", "~document", "since", "~signed by", "not to be trusted since", "revoked")
    title = count(len(rows), "document", "documents")
    print_table(title, [column(name) for name in columns], rows)
    if page.next_after:
        print_line(f"{word('next')}: --after {page.next_after}")
