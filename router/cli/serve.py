"""`vanban serve`: the daemon."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import rich_click as click

from router import limits
from router.cli.output import speaks
from router.settings import load_settings


@click.command(epilog="Example: vanban serve --data vanban-data --port 8080 --workers 4")
@click.option("--data", type=click.Path(file_okay=False), help="Data directory (see vanban init).")
@click.option("--config", type=click.Path(dir_okay=False),
              help="Settings, such as vanban.toml (read only when named here).")  # fmt: skip
@click.option("--host", help="Address to listen on [127.0.0.1].")
@click.option("--port", type=int, help="Port to listen on, 0 for any free one [8080].")
@click.option("--workers", type=click.IntRange(0, limits.WORKERS_MAX),
              help="Processes that serve beside the one that owns the data [0: that one serves].",
              )  # fmt: skip
@click.option("--ready-file", type=click.Path(dir_okay=False),
              help="Write the base URL here once requests are taken.")  # fmt: skip
@speaks
def serve(
    data: str | None,
    config: str | None,
    host: str | None,
    port: int | None,
    workers: int | None,
    ready_file: str | None,
) -> None:
    """Run the daemon on a data directory until SIGTERM or Ctrl-C."""
    from router.cli.manage import tell_migration
    from router.engine import Engine
    from router.errors import SettingsError, StorageError
    from router.server import serve as run

    environment = dict(os.environ)
    for name, value in (
        ("DATA", data), ("HTTP__HOST", host), ("HTTP__PORT", port), ("HTTP__WORKERS", workers),
    ):  # fmt: skip
        if value is not None:
            environment[f"VANBAN__{name}"] = str(value)
    settings = load_settings(config, environment).of_daemon()
    if not (Path(settings.data) / "FORMAT").exists():
        raise StorageError("store.missing", path=settings.data)
    tell_migration(settings.data)
    engine = Engine.open(settings.data, settings=settings, share=True)
    if ready_file is not None:
        Path(ready_file).unlink(missing_ok=True)  # of a run that was killed

    def ready(base_url: str) -> None:
        click.echo(f"vanban: listening on {base_url}, data in {settings.data}", err=True)
        if ready_file is not None:
            partial = Path(ready_file + ".partial")
            partial.write_text(base_url, encoding="ascii")
            partial.replace(ready_file)

    try:
        run(engine, settings, ready=ready)
    except SettingsError as error:
        if str(error.facts.get("reason")).startswith(os.strerror(errno.EADDRINUSE)):
            taken = f"port {settings.http.port} is taken by another program; give --port NUMBER"
            raise SettingsError(error.code, path=error.path, reason=taken) from None
        raise
    finally:
        if ready_file is not None:
            Path(ready_file).unlink(missing_ok=True)
