"""The note of a large commit: what it leads back to, and when it is left alone."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from router.queue._lmdb import LmdbBase
from router.queue._overlay import Overlay
from router.queue.commit_note import NOTE, undo_commit
from router.queue.environment import DATA

LARGE = 4_000
OWNER = textwrap.dedent(
    """
    import sys
    from router.queue._lmdb import LmdbBase
    base = LmdbBase.open(sys.argv[1], ["table"])
    print("open", flush=True)
    sys.stdin.readline()
    """
)


def changes(version: int) -> Overlay:
    overlay = Overlay([False])
    for key in range(LARGE):
        overlay.set(0, b"key %d" % key, b"%d " % version * 100)
    assert overlay.bytes > 1_048_576, "so large that it is committed step by step"
    return overlay


def versions(path: Path) -> set[bytes]:
    base = LmdbBase.open(path, ["table"])
    try:
        return {value.split()[0] for _, value in base.items(0)}
    finally:
        base.close()


@pytest.fixture
def caught(tmp_path: Path) -> Path:
    """An environment whose second commit is on its way: its pages and its note as then."""
    path = tmp_path / "store"
    base = LmdbBase.open(path, ["table"])
    base.apply(changes(1))
    noted = (path / NOTE).read_bytes()
    base.apply(changes(2))
    during = bytearray((path / NOTE).read_bytes())
    base.close()
    assert during[8:] != noted[8:], "each commit notes the one before it"
    assert not any(during[:8]), "a commit that is durable is on its way no more"
    during[:8] = b"VBCOMMIT"
    (path / NOTE).write_bytes(during)
    return path


def test_opening_goes_back_to_the_commit_before(caught: Path) -> None:
    assert versions(caught) == {b"1"}
    assert not any((caught / NOTE).read_bytes()[:8])


def test_after_going_back_large_commits_go_on(caught: Path) -> None:
    base = LmdbBase.open(caught, ["table"])
    base.apply(changes(3))
    base.apply(changes(4))
    base.close()
    assert versions(caught) == {b"4"}


def test_the_base_over_py_lmdb_goes_back_too(caught: Path) -> None:
    base = LmdbBase.open(caught, ["table"], fallback=True)
    found = {value.split()[0] for _, value in base.items(0)}
    base.close()
    assert found == {b"1"}


@pytest.mark.parametrize("place", [8, 12, 16, 200, -1])
def test_a_torn_note_is_none(caught: Path, place: int) -> None:
    torn = bytearray((caught / NOTE).read_bytes())
    torn[place] ^= 1
    (caught / NOTE).write_bytes(torn)
    assert versions(caught) == {b"2"}


def test_what_another_living_process_wrote_stays(caught: Path) -> None:
    note = (caught / NOTE).read_bytes()
    (caught / NOTE).unlink()
    with subprocess.Popen(
        [sys.executable, "-P", "-c", OWNER, str(caught)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as owner:  # fmt: skip
        assert owner.stdout is not None
        assert owner.stdin is not None
        assert owner.stdout.readline() == "open\n"
        before = (caught / DATA).read_bytes()
        (caught / NOTE).write_bytes(note)
        undo_commit(caught)
        assert (caught / DATA).read_bytes() == before
        owner.stdin.write("\n")
    assert versions(caught) == {b"2"}


def test_nothing_is_done_where_no_commit_was_on_its_way(tmp_path: Path) -> None:
    undo_commit(tmp_path)
    assert list(tmp_path.iterdir()) == []
