"""Runs the installed `vanban` command as a person would, and a daemon beside it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.daemon import PATIENT

VANBAN = Path(sys.executable).with_name("vanban")
START_S_MAX = 60.0
COMMAND_S_MAX = 120.0
BARE_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?(?!:?\d|\s+\+07:00)")
"""A time as people read it, without the zone (before which a title may fold)."""


def environment(**settings: str) -> dict[str, str]:
    """Return an environment without anybody's settings: English, 100 columns, no colours."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("VANBAN_")}
    path = f"{VANBAN.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    plain = {"PATH": path, "COLUMNS": "100", "VANBAN_LANG": "en", "TERM": "dumb", "NO_COLOR": "1"}
    return {**kept, **plain, **settings}


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


def vanban(*arguments: str | Path, cwd: Path, stdin: bytes = b"", **settings: str) -> Answer:
    """Run the command; a traceback, or a time without its zone, fails the test at once."""
    done = subprocess.run(
        [VANBAN, *map(str, arguments)],
        cwd=cwd,
        input=stdin,
        env=environment(**settings),
        capture_output=True,
        timeout=COMMAND_S_MAX,
        check=False,
    )
    answer = Answer(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert "Traceback" not in answer.out + answer.err, answer
    assert not BARE_TIME.search(answer.out + answer.err), answer
    return answer


@contextlib.contextmanager
def serving(cwd: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run `vanban serve` on a free port; yield the process and its base URL."""
    ready = cwd / "ready"
    ready.unlink(missing_ok=True)
    command = [VANBAN, "serve", "--port", "0", "--ready-file", str(ready), *arguments]
    log = cwd / "daemon.log"
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            command, cwd=cwd, env={**environment(), **PATIENT}, stderr=stderr
        )
    try:
        end = time.monotonic() + START_S_MAX
        while not ready.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.02)
        yield process, ready.read_text().strip()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
