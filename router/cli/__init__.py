"""The `vanban` command: parses, calls, prints; decides nothing."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; needs the extra `http` (click, rich)."""
    try:
        from router.cli.app import vanban
    except ModuleNotFoundError as error:
        missing = error.name or "a package"
        sys.exit(
            f"vanban: {missing} is not installed; install vanban-router[http].\n"
            f"vanban: thiếu {missing}; hãy cài vanban-router[http]."
        )
    vanban()
