"""Commands on a data directory, or on the daemon that holds it: init, token."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich_click as click

from router.cli.output import (
    json_option,
    print_json,
    print_line,
    print_table,
    speaks,
    warn_line,
)
from router.cli.words import count as counted
from router.cli.words import word
from router.engine import Engine
from router.engine.migrating import migration_needed
from router.engine.rights import wanted_of
from router.errors import OwnerError, StorageError
from router.model.answers import Principal
from router.model.instants import SECOND_US
from router.settings import load_settings

OPERATOR = "operator"
_CALL_S = 3_600
"""A check or the import of a whole country takes its time in the daemon, too."""


def acting() -> str:
    """Return who acts, for the record: VANBAN__CLIENT__ACTOR, else "operator"."""
    return load_settings(None, os.environ).client.actor or OPERATOR


def data_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--data` and `--json`, and our way of failing."""
    option = click.option(
        "--data",
        default="vanban-data",
        show_default=True,
        type=click.Path(file_okay=False),
        help="Data directory; a daemon that runs on it is asked.",
    )
    return option(json_option(speaks(command)))


def open_existing(data: str) -> Engine:
    """Open a data directory, or ask the running engine that owns and shares it.

    Raises StorageError `store.missing` instead of making one, `store.locked` when who owns it
    does not share it (another command).
    """
    if not Path(data).is_dir() or not any(Path(data).iterdir()):
        raise StorageError("store.missing", path=data)
    tell_migration(data)
    try:
        return Engine.open(data)
    except StorageError as locked:
        if locked.code != "store.locked":
            raise
        try:
            return Engine.connect(data, timeout_s=_CALL_S)
        except OwnerError as error:
            if error.code != "owner.absent":
                raise
        raise


def tell_migration(data: str) -> None:
    """Say on standard error that opening a directory will rewrite it in the present format."""
    if migration_needed(Path(data)):
        warn_line(word("This data directory is of an older format: it is rewritten now, and the "
                       "old files stay in store-format-1/."))  # fmt: skip


@click.command(epilog="Example: vanban init --data vanban-data --sample")
@click.option("--sample", is_flag=True,
              help="Fill it with sample units, test keys, tokens and letters.")  # fmt: skip
@data_option
def init(data: str, sample: bool, as_json: bool) -> None:
    """Make a data directory, with an operator's token.

    TEST ONLY: the keys that --sample writes are public.
    """
    home = Path(data)
    if home.is_dir() and (home / "FORMAT").exists():
        raise StorageError("store.exists", path=data)
    with Engine.open(home) as engine:
        written: dict[str, str] = {}
        token = engine.create_token(None, OPERATOR, operator=True, actor=acting())
        written["operator"] = str(_write_secret(home / "operator.token", token))
        if sample:
            from vanban_bench.workloads.installation import write_sample

            written |= {name: str(path) for name, path in write_sample(engine, home).items()}
    if as_json:
        print_json(written)
    else:
        print_table(f"Made {home}", ("what", "where"), written.items())
        print_line("")
        if sample:
            warn_line(("TEST ONLY", "bold red"), ": the sample's keys are public; "
                      "keep no real documents here.")  # fmt: skip
        print_line(f"Next: vanban serve --data {shlex.quote(str(home))}")


def _write_secret(path: Path, token: str) -> Path:
    """Write a token so that only its owner can read it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token + "\n")
    return path


@click.group(epilog='Example: vanban token create --unit H22 --name "văn thư" --data vanban-data')
def token() -> None:
    """Access tokens of units and operators."""


@token.command(
    "create", epilog="Example: vanban token create --unit H22.31 --name van-thu > h.token"
)
@click.option("--unit", help="Code of the unit it stands for.")
@click.option("--operator", is_flag=True, help="An operator's token instead.")
@click.option("--name", required=True, help="Who uses it (at most 64 characters).")
@click.option("--days", type=click.IntRange(1, 3_660), help="Days until it runs out.")
@click.option("--right", "rights", multiple=True,
              help="With --operator: only that, e.g. directory,read:subtree(H22).")  # fmt: skip
@data_option
def create(
    unit: str | None,
    operator: bool,
    name: str,
    days: int | None,
    rights: tuple[str, ...],
    data: str,
    as_json: bool,
) -> None:
    """Make a token; it is printed once and kept only as a hash."""
    if (unit is None) != operator:
        raise click.UsageError("name either --unit or --operator")
    with open_existing(data) as engine:
        expires = None if days is None else engine.now_us() + days * 86_400 * SECOND_US
        made = engine.create_token(
            unit,
            name,
            operator=operator,
            rights=[wanted_of(one) for one in rights],
            expires_at=expires,
            actor=acting(),
        )
    if as_json:
        print_json({"token": made})
    else:
        click.echo(made)


@token.command("list", epilog="Example: vanban token list --data vanban-data")
@data_option
def list_tokens(data: str, as_json: bool) -> None:
    """List the live tokens (never their secrets)."""
    with open_existing(data) as engine:
        tokens = engine.tokens()
    if as_json:
        print_json(tokens)
    else:
        rows = [(one.token, one.name, _stands_for(one)) for one in tokens]
        print_table(counted(len(rows), "token", "tokens"), ("id", "~name", "for"), rows)


def _stands_for(one: Principal) -> str:
    if one.operator:
        return "operator, only its rights" if one.limited else "operator"
    return one.code or f"#{one.unit}"


@token.command("revoke", epilog="Example: vanban token revoke 3f0c…")
@click.argument("token_id")
@data_option
def revoke(token_id: str, data: str, as_json: bool) -> None:
    """End a token at once."""
    with open_existing(data) as engine:
        engine.revoke_token(token_id, actor=acting())
    if as_json:
        print_json({"revoked": token_id})
    else:
        print_line(f"revoked {token_id}")
