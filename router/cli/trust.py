"""`vanban trust`: whom signatures are believed from, and who speaks for which unit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import rich_click as click

from router.cli.dates import INSTANT, at_option
from router.cli.manage import acting, data_option, open_existing
from router.cli.output import (
    EXIT_REFUSED,
    language,
    moment,
    print_json,
    print_line,
    print_table,
    warn_line,
)
from router.cli.revocation import crl
from router.cli.words import column, count, word
from router.errors import InputError
from router.limits import BINDINGS_PAGE_MAX, TRUST_BUNDLE_BYTES_MAX
from router.model.trust import AuthorityShown, BindingShown, CertificateChecked, TrustFinding

_PREFIX = 12
"""Characters of a SHA-256 that tables show: enough to name a certificate by."""
_COMPARE = "Compare a root's SHA-256 with what the CA publishes: nothing else vouches for it."
_WAITS_FOR_LISTS = (
    "Documents below it wait until a list of revoked certificates has come: vanban trust crl list"
)
_EVERY = ("all of them",)
_COLOURS = {"error": "bold red", "warning": "yellow", "note": "dim"}
_file = click.Path(exists=True, dir_okay=False)


@click.group(epilog="Example: vanban trust check --data vanban-data")
def trust() -> None:
    """Trusted CAs (roots and intermediates), and which certificate speaks for which unit."""


trust.add_command(crl)


@trust.command("add", epilog="Example: vanban trust add ca-g2.pem --from 2018-06-01")
@click.argument("certificates", metavar="FILE", type=_file)
@click.option("--role", type=click.Choice(["root", "intermediate"]),
              help="Default: self-signed ones are roots, others intermediates.")  # fmt: skip
@click.option("--purpose", "purposes", multiple=True,
              type=click.Choice(["documents", "time-stamps"]),
              help="What it is trusted for; may be repeated. Default: everything.")  # fmt: skip
@click.option("--from", "since", type=INSTANT, help="Trusted from this day on.")
@click.option("--to", "until", type=INSTANT, help="Trusted up to this day.")
@click.option("--revocation", default="required", show_default=True,
              type=click.Choice(["required", "not-checked"]),
              help="Whether what it issued must be shown not to be revoked.")  # fmt: skip
@data_option
def add(
    certificates: str,
    role: str | None,
    purposes: tuple[str, ...],
    since: int | None,
    until: int | None,
    revocation: str,
    data: str,
    as_json: bool,
) -> None:
    """Trust the CA certificates of a file (PEM, one or many, or DER): all of them or none.

    Adding one again replaces what was said about it. Look before with: vanban trust check FILE
    """
    ders = read_certificates(certificates)
    with open_existing(data) as engine:
        added = engine.trust_authorities(
            ders,
            role=role,
            purposes=[one.replace("-", "_") for one in purposes],
            trusted_from=since,
            trusted_to=until,
            revocation=revocation.replace("-", "_"),
            actor=acting(),
        )
    if as_json:
        print_json({"added": added})
        return
    for one in added:
        print_line((word("trusted"), "green"), f" {word(one.role)} {one.sha256} {one.subject}")
        if not one.generation:
            warn_line(f"{one.sha256[:_PREFIX]} {word('leads to no root')}: {one.issuer}")
    if any(one.role == "root" for one in added):
        print_line(f"→ {word(_COMPARE)}")
    if any(one.revocation == "required" for one in added):
        print_line(f"→ {word(_WAITS_FOR_LISTS)}")


@trust.command("remove", epilog="Example: vanban trust remove 3f0c9a --from 2026-01-01")
@click.argument("authority", metavar="SHA256")
@click.option("--from", "since", type=INSTANT, help="Trusted no longer from then on; default: now.")
@data_option
def remove(authority: str, since: int | None, data: str, as_json: bool) -> None:
    """End the trust in a CA; documents that were received before keep their verdicts."""
    with open_existing(data) as engine:
        sha256 = engine.distrust(authority, since=since, actor=acting())
    if as_json:
        print_json({"removed": sha256})
    else:
        print_line(f"{word('no longer trusted')} {sha256}")


@trust.command("list", epilog="Example: vanban trust list --data vanban-data")
@at_option("As they stand then (default: now).")
@data_option
def list_authorities(at_us: int | None, data: str, as_json: bool) -> None:
    """List the trusted CAs, those whose time has not come or is over too."""
    with open_existing(data) as engine:
        found = engine.authorities(at_us=at_us)
    if as_json:
        print_json({"authorities": found})
        return
    if not found:
        print_line(word("Nobody is trusted yet: vanban trust add"))
        return
    rows = [
        (one.sha256[:_PREFIX], word(one.role), word(one.state), one.generation or "–",
         one.subject, _during(one), _purposes(one), _revocation(one), one.bound)
        for one in found
    ]  # fmt: skip
    names = ("sha256", "role", "state", "generation", "~name", "trusted", "~purposes",
             "revocation", "#bound")  # fmt: skip
    print_table(
        count(len(rows), "authority", "authorities"), [column(name) for name in names], rows
    )


@trust.command("show", epilog="Example: vanban trust show 3f0c9a --data vanban-data")
@click.argument("authority", metavar="SHA256")
@at_option("As it stands then (default: now).")
@data_option
def show(authority: str, at_us: int | None, data: str, as_json: bool) -> None:
    """Show one trusted CA by the first characters of its SHA-256."""
    with open_existing(data) as engine:
        one = engine.authority(authority, at_us=at_us)
    if as_json:
        print_json(one)
        return
    print_line((one.subject, "bold"))
    facts = {
        "sha256": one.sha256,
        "role": f"{word(one.role)}, {word(one.state)}",
        "generation": one.generation or word("leads to no root"),
        "trusted": _during(one),
        "purposes": ", ".join(word(name.replace("_", " ")) for name in one.purposes)
        or word("all of them"),
        "revocation": _revocation(one),
        "issuer": one.issuer,
        "signed by": ", ".join(sha256[:_PREFIX] for sha256 in one.issued_by) or "–",
        "serial": one.serial,
        "key": f"{one.key}, {one.hash}" if one.hash else one.key,
        "valid": f"{moment(one.valid_from)} – {moment(one.valid_to)}",
        "speak for units": count(one.bound, "bound certificate", "bound certificates"),
        "recorded": f"{moment(one.recorded_at)} ({one.actor})",
    }
    for name, said in facts.items():
        print_line(f"{word(name)}: {said}", indent=2)


def _purposes(one: AuthorityShown) -> str:
    return ", ".join(word(name.replace("_", " ")) for name in one.purposes or _EVERY)


def _revocation(one: AuthorityShown) -> str:
    return word(one.revocation.replace("_", " "))


def _during(one: AuthorityShown) -> str:
    """Return from when until when an authority is trusted, for people."""
    since = max(one.trusted_from, one.valid_from)  # texts of one zone sort as their instants do
    until = min(one.trusted_to or one.valid_to, one.valid_to)
    return f"{moment(since)[:10]} – {moment(until)[:10]}"


@trust.command("check", epilog="Example: vanban trust check ca-g2.pem --data vanban-data")
@click.argument("certificates", metavar="[FILE]", type=_file, required=False)
@at_option("As things stand then (default: now).")
@data_option
def check(certificates: str | None, at_us: int | None, data: str, as_json: bool) -> None:
    """List what a person should look at; with FILE say what would happen with it.

    Exit status 1 for errors and warnings. Nothing is changed.
    """
    ders = read_certificates(certificates) if certificates is not None else ()
    with open_existing(data) as engine:
        if certificates is None:
            found = engine.check_trust(at_us=at_us)
        else:
            checked = engine.check_certificates(ders, at_us=at_us)
            found = [finding for one in checked for finding in one.findings]
    if as_json:
        print_json({"findings": found} if certificates is None else {"certificates": checked})
    elif certificates is None:
        _print_findings(found)
    else:
        for one in checked:
            _print_checked(one)
    if any(one.severity != "note" for one in found):
        raise SystemExit(EXIT_REFUSED)


def _print_findings(found: Sequence[TrustFinding]) -> None:
    if not found:
        print_line((word("Nothing to be done."), "green"))
    for one in found:
        _print_finding(one, 0)


def _print_finding(one: TrustFinding, indent: int) -> None:
    vi = language() == "vi"
    about = f" {one.sha256[:_PREFIX]} {one.subject}" if one.sha256 else ""
    print_line((word(one.severity), _COLOURS[one.severity]), f" {one.code}{about}", indent=indent)
    print_line(one.words_vi if vi else one.words, indent=indent + 2)
    print_line(f"→ {one.remedy_vi if vi else one.remedy}", indent=indent + 2)


def _print_checked(one: CertificateChecked) -> None:
    print_line((one.subject, "bold"), f" {one.sha256[:_PREFIX]}")
    if one.kind == "authority" and one.role == "root" and not one.known:
        print_line(f"SHA-256: {one.sha256}", indent=2)
        print_line(f"→ {word(_COMPARE)}", indent=2)
    until = f"{moment(one.valid_from)} – {moment(one.valid_to)}"
    print_line(f"{one.key}, {one.hash or '–'}; {word('valid')} {until}", indent=2)
    if any(finding.severity == "error" for finding in one.findings):
        print_line((word("would not be accepted"), "bold red"), indent=2)
    elif one.kind == "authority":
        said = word("is trusted here already as") if one.known else word("would be trusted as")
        print_line(f"{said} {word(one.role)} {one.generation}", indent=2)
    else:
        path = " → ".join(sha256[:_PREFIX] for sha256 in one.path)
        print_line(f"{word('leads to a root')}: {path} ({one.generation})", indent=2)
    if one.kind == "signer":
        units = ", ".join(one.units) or word("nobody")
        print_line(f"{word('speaks for')}: {units}", indent=2)
    for finding in one.findings:
        _print_finding(finding, 2)


@trust.command("bind", epilog="Example: vanban trust bind H22.31 cert.pem --from 2024-01-01")
@click.argument("unit")
@click.argument("certificate", metavar="FILE", type=_file)
@click.option("--from", "since", required=True, type=INSTANT, help="00:00 of this day.")
@click.option("--to", "until", type=INSTANT,
              help="00:00 of this day; without it, as long as it is valid.")  # fmt: skip
@data_option
def bind(
    unit: str, certificate: str, since: int, until: int | None, data: str, as_json: bool
) -> None:
    """Say that a certificate speaks for a unit from a date on.

    What counts is when a document was issued. Binding again with --to ends it.
    """
    der = read_certificate_file(certificate)
    with open_existing(data) as engine:
        engine.bind(unit, der, since, until, actor=acting())
    if as_json:
        print_json({"unit": unit, "bound": True})
    else:
        print_line(f"{word('bound to')} {unit}")


@trust.command("bindings", epilog="Example: vanban trust bindings --expiring 2026-12-31")
@click.option("--unit", help="Only this unit's (a code, or a stable number as #4711).")
@click.option("--certificate", default="", help="Only of this certificate: its SHA-256 begins so.")
@click.option("--expiring", type=INSTANT,
              help="Only those in force whose certificate ends before then.")  # fmt: skip
@click.option("--limit", default=50, show_default=True,
              type=click.IntRange(1, BINDINGS_PAGE_MAX), help="Lines to show.")  # fmt: skip
@click.option("--page", default=0, show_default=True, type=click.IntRange(0))
@data_option
def bindings(
    unit: str | None,
    certificate: str,
    expiring: int | None,
    limit: int,
    page: int,
    data: str,
    as_json: bool,
) -> None:
    """List which certificate speaks for which unit, past and future ones too."""
    asked: str | int | None = unit
    if unit is not None and unit[:1] == "#" and unit[1:].isdecimal():
        asked = int(unit[1:])
    with open_existing(data) as engine:
        found = engine.bindings(
            unit=asked, certificate=certificate, expires_before=expiring, limit=limit, page=page
        )
    if as_json:
        print_json(found)
        return
    names = ("sha256", "unit", "number", "state", "from", "to", "expires", "~issuer")
    rows = [_binding_row(one) for one in found.bindings]
    title = count(found.total, "binding", "bindings")
    print_table(title, [column(name) for name in names], rows)
    if found.next_page:
        print_line(f"{word('next')}: --page {found.next_page}")


def _binding_row(one: BindingShown) -> tuple[str, ...]:
    return (
        one.certificate_sha256[:_PREFIX], one.code, f"#{one.unit}", word(one.state),
        moment(one.valid_from) or "–", moment(one.valid_to) or "–",
        moment(one.expires)[:10] or "–", one.issuer or "–",
    )  # fmt: skip


def read_certificates(name: str) -> tuple[bytes, ...]:
    """Return the certificates of a PEM or DER file in DER.  Raises what `read_bundle` raises."""
    from router.signatures.bundles import read_bundle

    with Path(name).open("rb") as file:
        return read_bundle(file.read(TRUST_BUNDLE_BYTES_MAX + 1), name)


def read_certificate_file(name: str) -> bytes:
    """Return a signer's certificate in DER, from a file that may hold its CAs' as well."""
    from router.signatures.certificates import is_ca, read_certificate

    found = read_certificates(name)
    signers = [der for der in found if not is_ca(read_certificate(der))]
    if len(signers) > 1:
        reason = f"the file holds {len(signers)} signers' certificates: give one of them"
        raise InputError("trust.invalid", path=name, reason=reason)
    return signers[0] if signers else found[0]
