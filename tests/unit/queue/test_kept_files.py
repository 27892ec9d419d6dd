"""Kept files are written whole, bounded, and believed only when they are whole.

The failure guarded against: a torn or foreign file in the directory is handed on, or stops a
start; or what can be fetched again fills the disk.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from router.queue.kept_files import KeptFiles


def files(directory: Path, *, bytes_max: int = 10_000, files_max: int = 8) -> KeptFiles:
    return KeptFiles(directory, bytes_max=bytes_max, files_max=files_max, file_bytes_max=2_000)


def read(kept: KeptFiles) -> dict[str, bytes]:
    return {f"{name}.{kind}": content for name, kind, content in kept.read_all()}


def test_what_is_put_is_read_again_and_replaced_by_name(tmp_path: Path) -> None:
    kept = files(tmp_path / "kept")
    assert read(kept) == {}
    assert kept.put("aa", "crl", b"first")
    assert kept.put("aa", "crl", b"second")
    assert kept.put("bb", "ocsp", b"")
    again = files(tmp_path / "kept")
    assert read(again) == {"aa.crl": b"second", "bb.ocsp": b""}
    again.drop("aa", "crl")
    assert read(files(tmp_path / "kept")) == {"bb.ocsp": b""}


@pytest.mark.parametrize("damage", ["cut", "changed", "longer", "empty", "foreign"])
def test_a_damaged_file_is_said_and_not_used(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    kept = files(tmp_path)
    kept.put("aa", "crl", b"content" * 9)
    kept.put("bb", "crl", b"good")
    place = tmp_path / "aa.crl"
    data = place.read_bytes()
    place.write_bytes(
        {
            "cut": data[:-1],
            "changed": data[:-1] + b"x",
            "longer": data + b"x",
            "empty": b"",
            "foreign": b"\x30\x03\x02\x01\x01",
        }[damage]
    )
    with caplog.at_level(logging.WARNING, logger="router.queue"):
        assert read(files(tmp_path)) == {"bb.crl": b"good"}
    assert "aa.crl is damaged" in caplog.text
    assert place.exists()


def test_what_is_not_ours_is_left_alone_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = files(tmp_path)
    kept.put("aa", "crl", b"good")
    (tmp_path / "README").write_text("mine")
    (tmp_path / "cc.crl").symlink_to(tmp_path / "aa.crl")
    (tmp_path / "dd.crl").mkdir()
    os.mkfifo(tmp_path / "ee.crl")
    with caplog.at_level(logging.WARNING, logger="router.queue"):
        assert read(files(tmp_path)) == {"aa.crl": b"good"}
    assert {path.name for path in tmp_path.iterdir()} == {
        "aa.crl", "README", "cc.crl", "dd.crl", "ee.crl",
    }  # fmt: skip
    assert "README" in caplog.text


def test_an_interrupted_writing_leaves_the_former_file_and_no_draft(tmp_path: Path) -> None:
    kept = files(tmp_path)
    kept.put("aa", "crl", b"former")
    (tmp_path / "aa.crl.new").write_bytes(b"half")
    assert read(files(tmp_path)) == {"aa.crl": b"former"}
    assert not (tmp_path / "aa.crl.new").exists()


def test_the_oldest_make_room(tmp_path: Path) -> None:
    kept = files(tmp_path, files_max=3)
    for name in ("aa", "bb", "cc", "dd"):
        kept.put(name, "crl", name.encode())
    assert set(read(files(tmp_path))) == {"bb.crl", "cc.crl", "dd.crl"}
    small = files(tmp_path / "small", bytes_max=300)
    for name in ("aa", "bb", "cc"):
        small.put(name, "crl", b"x" * 100)
    assert set(read(files(tmp_path / "small"))) == {"cc.crl"} | {"bb.crl"}
    assert small.held_bytes <= 300


def test_a_file_over_its_bound_is_not_kept(tmp_path: Path) -> None:
    assert not files(tmp_path).put("aa", "crl", b"x" * 2_001)
    assert read(files(tmp_path)) == {}


def test_a_name_that_could_leave_the_directory_is_a_fault(tmp_path: Path) -> None:
    for name in ("..", "a/b", "AA", ""):
        with pytest.raises(ValueError, match="hexadecimal"):
            files(tmp_path).put(name, "crl", b"")


def test_a_place_that_cannot_be_written_costs_nobody_an_exception(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where the directory should be")
    assert not files(tmp_path / "kept").put("aa", "crl", b"x")
    assert read(files(tmp_path / "kept")) == {}
