"""Plays the scripted load in processes of its own, and has directories judged in another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType

import msgspec
from support.load import Case, Promises, Script, write_script
from support.powercut import Entry, What, read_record
from support.preload import environment

TESTS = Path(__file__).resolve().parent.parent
ENDS = ("close", "kill", "close")
"""How each life ends; the last ends with the record."""


def play_life(
    script: Script, folder: Path, settings: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Play one life of a script and return how it went."""
    place = folder / f"script-{script.first}.json"
    place.write_bytes(msgspec.json.encode(script))
    return subprocess.run(
        [sys.executable, "-P", "-m", "support.load", "--play", str(place)],
        env={**settings, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def record_lives(
    library: Path, folder: Path, *, posts: int, seed: int, lies: str = "", port: str = "log"
) -> tuple[Script, list[Entry]]:
    """Play three lives on one directory below `folder`; return the script and the record.

    The directory is made within the record.  The second life ends with SIGKILL: the third
    sees what was written and not flushed, and builds on it.  Some posts are left unsent.
    """
    disk = folder / "disk"
    disk.mkdir(parents=True)
    whole = write_script(disk / "data", posts, seed, port)
    record = folder / "record"
    settings = environment(library, disk, record=record, lies=lies)
    share = posts // (len(ENDS) + 1)
    for life, end in enumerate(ENDS):
        script = msgspec.structs.replace(
            whole, first=life * share, last=(life + 1) * share, seed=seed + life, end=end
        )
        played = play_life(script, folder, settings)
        assert played.returncode == (-9 if end == "kill" else 0), played.stderr
    entries = read_record(record)
    refused = Promises(entry.data for entry in entries if entry.what is What.MARKED).refused
    assert refused == [], played.stderr
    return whole, entries


class Judge:
    """A process that opens directories with the real engine; made anew when one kills it.

    A damaged LMDB file can do that: it is mapped, and a page beyond its end is a SIGBUS.
    """

    def __init__(self, script: Script, folder: Path) -> None:
        self._place = folder / "script.json"
        self._place.write_bytes(msgspec.json.encode(script))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def problems(self, data: Path, marks: list[bytes]) -> list[str]:
        """Return every promise of `marks` that the directory breaks."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "support.load", "--judge", str(self._place)],
                env={**os.environ, "PYTHONPATH": str(TESTS)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        asking, answering = self._process.stdin, self._process.stdout
        assert asking is not None
        assert answering is not None
        asking.write(msgspec.json.encode(Case(str(data), marks)) + b"\n")
        asking.flush()
        answer = answering.readline()
        if answer:
            return msgspec.json.decode(answer, type=list[str])
        self._process.communicate()
        status = self._process.returncode
        self._process = None
        return [f"the process that opened it ended with {status}"]
