"""The command tree.  A command's module is imported only when the command is run."""

from __future__ import annotations

import importlib
from typing import Any, Final

import rich_click as click

COMMANDS: Final[dict[str, str]] = {
    "demo": "demo",
    "init": "manage",
    "serve": "serve",
    "sign": "sign",
    "submit": "remote",
    "inbox": "remote",
    "ack": "remote",
    "refuse": "remote",
    "track": "remote",
    "outbox": "remote",
    "verify": "verify",
    "resolve": "resolving",
    "explain": "remote",
    "whoami": "remote",
    "directory": "directory",
    "group": "groups",
    "hold": "holds",
    "quarantine": "quarantine",
    "token": "manage",
    "right": "rights",
    "policy": "policy",
    "trust": "trust",
    "queue": "queue",
    "check": "backups",
    "backup": "backups",
    "restore": "backups",
    "bench": "bench",
}
"""Command -> the module of router.cli that holds it."""


class LazyGroup(click.RichGroup):
    """A group that imports a command's module when it is first asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List all commands without importing any."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> Any:
        """Import the module of the command and return it."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"router.cli.{COMMANDS[cmd_name]}")
        return getattr(module, cmd_name)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: vanban demo",
)
@click.version_option(package_name="vanban-router", prog_name="vanban")
def vanban() -> None:
    """Route signed official documents (văn bản) to the right units, durably.

    Start with: vanban demo
    """
