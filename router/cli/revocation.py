"""`vanban trust crl`: revocation data brought by hand, and how fresh what is known is."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec
import rich_click as click

from router.cli.dates import shown
from router.cli.manage import acting, data_option, open_existing
from router.cli.output import print_json, print_line, print_table
from router.cli.words import column, count, word
from router.engine import Engine
from router.errors import InputError, SignatureRefusedError, TooLargeError
from router.limits import CRL_BYTES_MAX
from router.model.revocation import AuthorityRevocation, Freshness

_ALONE = (
    "No daemon runs here: it fetches, when it runs, from the hosts that its settings name "
    "(revocation.allowed_hosts)."
)
_PREFIX = 12
"""Characters of a SHA-256 that tables show."""
_COLOURS: dict[Freshness, str] = {
    "fresh": "green", "grace": "yellow", "expired": "bold red", "missing": "bold red",
    "not_checked": "dim",
}  # fmt: skip


@click.group(epilog="Example: vanban trust crl list --data vanban-data")
def crl() -> None:
    """Revocation data of the trusted CAs: lists (CRLs) and OCSP responses."""


@crl.command("add", epilog="Example: vanban trust crl add ca-g2.crl --data vanban-data")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@data_option
def add(file: str, data: str, as_json: bool) -> None:
    """Take in a CRL (DER or PEM) or an OCSP response (DER) that a trusted CA has signed.

    For sites without a way to the CA: the daemon fetches by itself from the hosts of
    revocation.allowed_hosts.
    """
    from router.signatures.lists import der_of

    with Path(file).open("rb") as opened:
        content = opened.read(2 * CRL_BYTES_MAX)
    if len(content) == 2 * CRL_BYTES_MAX:
        raise TooLargeError("revocation.too_large", size=len(content), limit=CRL_BYTES_MAX)
    looks = _looks_like(content)
    if looks:
        raise InputError("revocation.malformed", path=file, reason=looks)
    with open_existing(data) as engine:
        added = engine.add_revocation(der_of(content), actor=acting())
    if as_json:
        print_json(added)
        return
    if not added.new:
        print_line((word("(before already)"), "yellow"), f" {added.issuer}")
        return
    number = f", {word('number')} {added.number}" if added.number else ""
    print_line((word("taken in"), "green"), f" {added.issuer}{number}")
    print_line(
        f"{count(added.entries, 'entry', 'entries')}, {word('fresh until')} "
        f"{shown(added.fresh_until)}"
    )


def _looks_like(content: bytes) -> str:
    """Say what a file is that is certainly no revocation data, or ""."""
    from router.signatures.certificates import read_certificate

    start = content.lstrip()
    if not start:
        return "the file is empty"
    if start.startswith((b"{", b"[", b"\xef\xbb\xbf{")):
        return "it looks like JSON, such as a document or an envelope"
    if start.startswith(b"-----"):
        if b"PRIVATE KEY-----" in start:
            return "it looks like a private key"
        if b"-----BEGIN X509 CRL-----" in start:
            return ""
        certificate = b"-----BEGIN CERTIFICATE-----" in start
        return "it looks like " + ("a certificate" if certificate else "another kind of PEM file")
    with contextlib.suppress(SignatureRefusedError):
        read_certificate(content)
        return "it looks like a certificate"
    return ""


@crl.command("list", epilog="Example: vanban trust crl list --data vanban-data")
@data_option
def list_states(data: str, as_json: bool) -> None:
    """Show how fresh the revocation data of each trusted CA is, and how long it still serves.

    fresh: before its nextUpdate; grace: after it, and still used; expired: not used any more;
    missing: there never was any. Documents below the last two wait.
    """
    with open_existing(data) as engine:
        found = engine.revocation_states()
        alone = type(engine) is Engine
    if alone:  # what this process may fetch says nothing of the daemon's settings
        found = [
            one if one.failed_at else msgspec.structs.replace(one, failure="") for one in found
        ]
    if as_json:
        print_json(found)
        return
    names = ("sha256", "state", "number", "#entries", "#OCSP", "fresh until", "serves until", "~CA")
    rows = [_row(one) for one in found]
    print_table(count(len(rows), "authority", "authorities"), [column(one) for one in names], rows)
    for one in found:
        if one.failure:
            when = f" ({shown(one.failed_at)})" if one.failed_at else ""
            print_line((one.sha256[:_PREFIX], _COLOURS[one.state]), f" {one.failure}{when}")
    if alone and any(one.state not in {"fresh", "not_checked"} for one in found):
        print_line(word(_ALONE))


def _row(one: AuthorityRevocation) -> tuple[str, ...]:
    return (
        one.sha256[:_PREFIX], word(one.state), one.number or "–", str(one.entries),
        str(one.responses), shown(one.fresh_until) if one.fresh_until else "–",
        shown(one.serves_until) if one.serves_until else "–", one.subject,
    )  # fmt: skip
