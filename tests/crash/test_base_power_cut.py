"""The base in LMDB on a real disk: after a power cut it holds one whole checkpoint.

Each checkpoint alters keys all over two tables, so a mixture of two would be seen.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support.powercut import Entry, What, cuts, instants, read_record, unordered
from support.preload import environment

LIFE = textwrap.dedent(
    """
    import ctypes, os, random, signal, sys
    from router.queue._lmdb import LmdbBase
    from router.queue._overlay import Overlay

    path, first, end = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    scale = int(sys.argv[5])
    shim = ctypes.CDLL(None)
    base = LmdbBase.open(path, ["exact", "ordered"])
    for version in range(first, first + int(sys.argv[4])):
        overlay = Overlay([False, True])
        chance = random.Random(version)
        overlay.set(0, b"version", b"%d" % version)
        for key in range(200):
            value = b"%d " % version * scale
            overlay.set(0, b"key %d" % key, value * chance.randint(1, 40))
            overlay.set(1, b"lane" + (version * 1000 + key).to_bytes(8, "big"), value)
            if version:
                overlay.delete(1, b"lane" + ((version - 1) * 1000 + key).to_bytes(8, "big"))
        base.apply(overlay)
        shim.shim_mark(b"%d" % version, len(b"%d" % version))
    if end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    base.close()
    """
)
JUDGE = textwrap.dedent(
    """
    import random, sys
    from router.errors import VanbanError
    from router.queue._lmdb import LmdbBase
    from router.queue._overlay import Overlay

    scale = int(sys.argv[1])

    def problem(path, answered):
        try:
            base = LmdbBase.open(path, ["exact", "ordered"])
            found = dict(base.items(0)), dict(base.items(1))
            overlay = Overlay([False, True])
            overlay.set(0, b"goes on", b"yes")
            base.apply(overlay)
            base.close()
        except VanbanError as error:
            return str(error)
        version = int(found[0].get(b"version", b"-1"))
        if version < answered:
            return f"version {version} after {answered} was answered"
        if version < 0:
            return f"{len(found[0])} keys" if any(found) else ""
        chance = random.Random(version)
        value = b"%d " % version * scale
        exact = {b"key %d" % key: value * chance.randint(1, 40) for key in range(200)}
        exact[b"version"] = b"%d" % version
        ordered = {
            b"lane" + (version * 1000 + key).to_bytes(8, "big"): value for key in range(200)
        }
        return "" if found == (exact, ordered) else f"version {version} is a mixture"

    for line in sys.stdin:
        path, answered = line.split()
        print(problem(path, int(answered)), flush=True)
    """
)
ENDS = ("close", "kill", "close")
CHECKPOINTS = 6
SMALL = 1
LARGE = 150
"""How often each value is repeated; large checkpoints are committed step by step."""


def recorded(shim: Path, folder: Path, lies: str = "", scale: int = SMALL) -> list[Entry]:
    disk = folder / "disk"
    disk.mkdir(parents=True)
    settings = environment(shim, disk, record=folder / "record", lies=lies)
    for life, end in enumerate(ENDS):
        words = [disk, str(life * CHECKPOINTS), end, str(CHECKPOINTS), str(scale)]
        played = subprocess.run(
            [sys.executable, "-P", "-c", LIFE, *words], env=settings, check=False
        )
        assert played.returncode == (-9 if end == "kill" else 0)
    return read_record(folder / "record")


def problem(path: Path, marks: list[bytes], scale: int) -> str:
    """Judge in a process of its own: a damaged file may kill it."""
    answered = marks[-1].decode() if marks else "-1"
    judged = subprocess.run(
        [sys.executable, "-P", "-c", JUDGE, str(scale)],
        input=f"{path} {answered}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    return judged.stdout.strip() if judged.returncode == 0 else judged.stderr or "it was killed"


def broken(
    entries: list[Entry], folder: Path, count: int, seed: int, scale: int = SMALL
) -> list[tuple[str, str]]:
    wrong = []
    for cut in cuts(entries, folder, instants(entries, count, seed), seed):
        if found := problem(cut.path, cut.marks, scale):
            wrong.append((str(cut), found))
        shutil.rmtree(cut.path)
    return wrong


@pytest.mark.parametrize(
    "count", [30, pytest.param(500, marks=[pytest.mark.system, pytest.mark.timeout(600)])]
)
@pytest.mark.parametrize("scale", [SMALL, LARGE])
def test_a_power_cut_leaves_one_whole_checkpoint(shim, tmp_path, count, scale):
    entries = recorded(shim, tmp_path / "run", scale=scale)
    assert sum(entry.what is What.MARKED for entry in entries) == CHECKPOINTS * len(ENDS)
    if scale == SMALL:  # a large one is not in order, and says so in its note
        assert unordered(entries) == []
    assert broken(entries, tmp_path, count, 1, scale) == []


def test_a_large_commit_without_its_note_would_be_a_mixture(shim, tmp_path):
    entries = recorded(shim, tmp_path / "run", scale=LARGE)
    wrong = []
    for cut in cuts(entries, tmp_path, instants(entries, 40, 2), 2):
        (cut.path / "commit.note").unlink(missing_ok=True)
        wrong.append(problem(cut.path, cut.marks, LARGE))
        shutil.rmtree(cut.path)
    assert any(wrong)


@pytest.mark.parametrize("lies", ["fdatasync,fsync", "dsync"])
def test_a_flush_left_out_is_found(shim, tmp_path, lies):
    entries = recorded(shim, tmp_path / "run", lies)
    assert broken(entries, tmp_path, 20, 1) != []
