"""`vanban backup`, `vanban restore`, `vanban check`: the data directory as files."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import rich_click as click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from router.cli.manage import acting, open_existing
from router.cli.output import (
    EXIT_REFUSED,
    json_option,
    moment,
    print_json,
    print_line,
    print_table,
    speaks,
    warnings,
    working,
)
from router.cli.queue import size
from router.cli.words import column, count, word
from router.engine.maintenance import check_directory
from router.engine.maintenance import restore as restore_directory
from router.errors import StorageError
from router.model.operations import Backup, Checked

_LOOK_S: Final = 0.2


@contextlib.contextmanager
def watched(words: str, target: Path, total: int) -> Iterator[None]:
    """Show on a terminal how a directory on its way to `target` grows, whoever writes it."""
    if not warnings.is_terminal:
        yield
        return
    making = target.with_name(target.name + ".partial")
    over = threading.Event()
    with Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True),
        console=warnings, transient=True,
    ) as progress:  # fmt: skip
        task = progress.add_task(words, total=total)

        def look() -> None:
            while not over.wait(_LOOK_S):
                progress.update(task, completed=min(_bytes_of(making), total))

        watcher = threading.Thread(target=look, name="vanban-progress", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def _bytes_of(path: Path) -> int:
    total = 0
    for file in path.rglob("*"):
        with contextlib.suppress(OSError):  # it may be gone by now
            total += file.stat().st_size
    return total


@click.command(epilog="Example: vanban backup vanban-data /backup/2025-07-01")
@click.argument("directory", type=click.Path(file_okay=False))
@click.argument("to", type=click.Path())
@json_option
@speaks
def backup(directory: str, to: str, as_json: bool) -> None:
    """Copy a data DIRECTORY as of one instant into the new directory TO, and verify the copy.

    A daemon that runs on it is asked, and goes on meanwhile.  Use the copy with “restore”.
    """
    target = Path(to).absolute()
    with open_existing(directory) as engine:
        sizes = engine.queue_stats()
        with watched(word("Copying"), target, sizes.used_bytes + sizes.log_bytes):
            made = engine.backup(str(target))
    if as_json:
        print_json(made)
    else:
        _print_backup(word("Backup made and verified"), made)


def _print_backup(title: str, made: Backup) -> None:
    rows = [
        (word("written to"), made.path),
        (word("as of"), moment(made.at)),
        (word("last record"), f"{made.sequence:,}"),
        (word("documents"), f"{made.documents:,}"),
        (word("size"), f"{size(made.bytes)} ({made.bytes:,} B)"),
    ]
    print_table(title, [column("what"), column("value")], rows)


@click.command(epilog="Example: vanban restore /backup/2025-07-01 vanban-data-2")
@click.argument("backup_directory", metavar="FROM", type=click.Path(file_okay=False))
@click.argument("to", type=click.Path())
@json_option
@speaks
def restore(backup_directory: str, to: str, as_json: bool) -> None:
    """Make the new data directory TO from the backup FROM; nothing is ever written over.

    Sequences given out since the backup are not given again; deliveries that were open then
    come again under their ids.  The restoration is noted in the log.
    """
    source, target = Path(backup_directory), Path(to).absolute()
    with watched(word("Copying"), target, _bytes_of(source)):
        made = restore_directory(source, target, acting())
    if as_json:
        print_json(made)
        return
    _print_backup(word("Restored and verified"), made)
    print_line(word("What was open then may have been handed out since: it comes again."))


@click.command(epilog="Example: vanban check vanban-data")
@click.argument("directory", required=False, type=click.Path(file_okay=False))
@click.option("--data", default="vanban-data", show_default=True,
              type=click.Path(file_okay=False), help="The same as DIRECTORY.")  # fmt: skip
@json_option
@speaks
def check(directory: str | None, data: str, as_json: bool) -> None:
    """Verify every file and every invariant of a data DIRECTORY or a backup.

    Exit 1 when something is wrong, 2 when it can't be looked at.  A daemon that runs on it is
    asked; it verifies its state only, so “All well” says nothing of the files then: stop it, or
    check a backup.
    """
    with working(word("Checking")):
        found = _checked(directory or data)
    if as_json:
        print_json(found)
    elif not found.wrong:
        rows = [(word(name), f"{number:,}") for name, number in found.stored.items()]
        print_table(word("All well"), [column("what"), column("#count")], rows)
    else:
        for line in found.wrong:
            print_line((line, "red"))
        print_line(count(len(found.wrong), "thing is wrong", "things are wrong"))
        remedy = "→ Restore the last backup; keep this directory for analysis."
        print_line(word(remedy))
    if found.wrong:
        raise SystemExit(EXIT_REFUSED)


def _checked(directory: str) -> Checked:
    """Check a directory, or let the engine that has it open check it."""
    try:
        return check_directory(Path(directory))
    except StorageError as error:
        if error.code != "store.locked":
            raise
    with open_existing(directory) as engine:
        wrong, stats = engine.check(), engine.queue_stats()
        return Checked(tuple(wrong), stats.counters, stats.sequence)
