"""A data directory is ours, whole, of our format and owned once, or it is left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.stores import AT, acceptance, audience_of, box_of

from router.errors import ClosedError, StorageError
from router.queue.group_store import GroupStore
from router.queue.log_store import LogStore
from router.queue.queue import Queue
from router.queue.records import RoomRecord, encode_room

ROOM = encode_room(RoomRecord("directory", b"still mine", AT, 1, "x"))


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "deep" / "data"


def refusal(path: Path, **options: int) -> StorageError:
    with pytest.raises(StorageError) as caught:
        LogStore.open(path, clock_us=AT, **options)
    return caught.value


def filled(path: Path, documents: int = 5) -> list[bytes]:
    queue = Queue(LogStore.open(path, clock_us=AT))
    items = [acceptance(n, [5], envelope=b"<envelope %06d>" % n * 50) for n in range(documents)]
    queue.accept(items)
    queue.close()
    return [item.key for item in items]


def everything(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


def test_a_new_directory_says_what_it_is(path):
    LogStore.open(path, clock_us=AT).close()
    content = json.loads((path / "FORMAT").read_text())
    assert content == {
        "product": "vanban-router", "format": 2, "store": "log-and-lmdb-0.9", "created_at": AT,
    }  # fmt: skip
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_second_owner_in_this_process_is_refused(path):
    store = LogStore.open(path, clock_us=AT)
    assert refusal(path).code == "store.locked"
    assert store.append_raw([ROOM]) == [1]
    store.close()
    LogStore.open(path, clock_us=AT).close()


def test_a_second_owner_in_another_process_is_refused(path):
    store = LogStore.open(path, clock_us=AT)
    program = (
        "import sys; from pathlib import Path\n"
        "from router.queue.log_store import LogStore\n"
        "from router.errors import StorageError\n"
        "try: LogStore.open(Path(sys.argv[1]), clock_us=1)\n"
        "except StorageError as error: print(error.code)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-P", "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "store.locked"
    store.close()


def test_a_child_of_a_fork_may_not_close_it(path):
    store = LogStore.open(path, clock_us=AT)
    child = os.fork()
    if not child:
        try:
            store.close()
        except ClosedError:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert store.append_raw([ROOM]) == [1]
    store.close()


def test_a_newer_format_is_refused_and_left_alone(path):
    filled(path)
    content = json.loads((path / "FORMAT").read_text())
    content["format"] = 3
    content["news"] = True
    (path / "FORMAT").write_text(json.dumps(content))
    before = everything(path)
    error = refusal(path)
    assert error.code == "store.format"
    assert str(error.facts["found"]).startswith("3 ")
    assert str(error.facts["known"]).startswith("2 ")
    assert everything(path) == before


def test_another_kind_of_store_is_refused(path):
    filled(path)
    content = json.loads((path / "FORMAT").read_text())
    content["store"] = "another"
    (path / "FORMAT").write_text(json.dumps(content))
    assert refusal(path).code == "store.format"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"product": 1}', "\0" * 100])
def test_an_unreadable_format_is_refused(path, content):
    filled(path)
    (path / "FORMAT").write_text(content)
    error = refusal(path)
    assert error.code == "store.corrupt"
    assert "FORMAT" in str(error.facts["reason"])


def test_a_foreign_directory_is_refused_and_left_alone(tmp_path):
    (tmp_path / "letters.txt").write_text("mine")
    assert refusal(tmp_path).code == "store.foreign"
    assert everything(tmp_path) == {"letters.txt": b"mine"}
    (tmp_path / "FORMAT").write_text('{"product": "another", "format": 1}')
    assert refusal(tmp_path).code == "store.foreign"


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "file").write_text("x")
    assert refusal(tmp_path / "file").code == "store.foreign"


def test_an_interrupted_creation_is_taken_over(path):
    LogStore.open(path, clock_us=AT).close()
    (path / "FORMAT").rename(path / "FORMAT.new")
    LogStore.open(path, clock_us=AT).close()
    assert (path / "FORMAT").exists()


def test_data_without_its_format_file_is_not_taken_over(path):
    filled(path)
    (path / "FORMAT").unlink()
    error = refusal(path)
    assert error.code == "store.foreign"
    assert "FORMAT" in str(error.facts["reason"])


def test_a_format_file_without_its_data_is_not_started_empty(path):
    filled(path)
    (path / "store" / "data.mdb").unlink()
    error = refusal(path)
    assert error.code == "store.corrupt"
    assert "data.mdb" in str(error.facts["reason"])


def test_a_store_file_that_is_no_store_is_refused(path):
    filled(path)
    (path / "store" / "data.mdb").write_bytes(b"not a store at all" * 1_000)
    assert refusal(path).code == "store.corrupt"


def flip_in_log(path, text):
    """Change one bit in the record that holds a text."""
    (place,) = [file for file in (path / "log").iterdir() if text in file.read_bytes()]
    data = bytearray(place.read_bytes())
    data[data.index(text) + 4] ^= 8
    place.write_bytes(data)


def test_a_record_that_went_bad_is_noticed_when_it_is_read_and_by_a_check(path):
    keys = filled(path)
    flip_in_log(path, b"<envelope 000001>")
    queue = Queue(LogStore.open(path, clock_us=AT))
    assert queue.document(keys[0]) is not None
    with pytest.raises(StorageError) as caught:
        queue.document(keys[1])
    assert (caught.value.code, caught.value.path) == ("store.corrupt", "log[2]")
    (finding,) = queue.check()
    assert finding.startswith("log[2]: ")
    assert ".seg, offset " in finding
    assert "checksum does not match" in finding
    assert queue.document(keys[2]) is not None, "the others are served"
    queue.close()


@pytest.mark.parametrize("kind", ["log", "group"])
def test_another_port_does_not_open_a_directory(tmp_path, kind):
    box_of(kind, tmp_path / "data").open().close()
    other = "group" if kind == "log" else "log"
    with pytest.raises(StorageError) as caught:
        box_of(other, tmp_path / "data").open()
    assert caught.value.code == "store.format"
    box_of(kind, tmp_path / "data").open().close()


@pytest.mark.parametrize("opened", [LogStore.open, GroupStore.open])
def test_a_full_store_keeps_what_it_has(path, opened):
    queue = Queue(opened(path, clock_us=AT, map_bytes=1_048_576))
    stored = 0
    try:
        while stored < 1_000:
            queue.accept(
                [
                    acceptance(
                        stored,
                        range(0, 40_000, 5),
                        broadcast=True,
                        audience=audience_of(range(stored, 40_000 + stored, 5)),
                    )
                ]
            )
            stored += 1
            queue.store.checkpoint()
    except StorageError as error:
        assert error.code == "store.full"  # noqa: PT017 - the count so far is needed, too
    assert 0 < stored < 1_000
    with pytest.raises(StorageError):
        queue.accept([acceptance(9_999, [5])])
    assert not queue.healthy()
    queue.close()
    queue = Queue(opened(path, clock_us=AT))
    assert queue.counts()["documents"] >= stored - 1
    assert queue.check() == []
    queue.accept([acceptance(99_999, [5])])
    queue.close()


def test_a_directory_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").write_text("x")
    assert refusal(tmp_path / "file" / "below").code in {"store.failed", "store.foreign"}
