"""A data directory is ours, whole, of our format and owned once, or it is left alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.stores import AT, LmdbBox, acceptance

from router.errors import StorageError
from router.queue.lmdb_store import LmdbStore
from router.queue.queue import Queue


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "deep" / "data"


def refusal(path: Path, **options: int) -> StorageError:
    with pytest.raises(StorageError) as caught:
        LmdbStore.open(path, clock_us=AT, **options)
    return caught.value


def filled(path: Path, documents: int = 5) -> list[bytes]:
    queue = Queue(LmdbStore.open(path, clock_us=AT))
    items = [acceptance(n, [5], envelope=b"<envelope %06d>" % n * 50) for n in range(documents)]
    queue.accept(items)
    queue.close()
    return [item.key for item in items]


def everything(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()
    }


def test_a_new_directory_says_what_it_is(path):
    LmdbStore.open(path, clock_us=AT).close()
    content = json.loads((path / "FORMAT").read_text())
    assert content == {
        "product": "vanban-router", "format": 1, "store": "lmdb-0.9-per-group", "created_at": AT,
    }  # fmt: skip
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_second_owner_in_this_process_is_refused(path):
    store = LmdbStore.open(path, clock_us=AT)
    assert refusal(path).code == "store.locked"
    with store.group() as group:
        group.append(b"still mine")
    store.close()
    LmdbStore.open(path, clock_us=AT).close()


def test_a_second_owner_in_another_process_is_refused(path):
    store = LmdbStore.open(path, clock_us=AT)
    program = (
        "import sys; from pathlib import Path\n"
        "from router.queue.lmdb_store import LmdbStore\n"
        "from router.errors import StorageError\n"
        "try: LmdbStore.open(Path(sys.argv[1]), clock_us=1)\n"
        "except StorageError as error: print(error.code)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "store.locked"
    store.close()


def test_a_child_of_a_fork_may_not_write(path):
    store = LmdbStore.open(path, clock_us=AT)
    child = os.fork()
    if not child:
        try:
            with store.group():
                pass
        except StorageError:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    with store.group() as group:
        group.append(b"the parent may")
    store.close()


def test_a_newer_format_is_refused_and_left_alone(path):
    filled(path)
    content = json.loads((path / "FORMAT").read_text())
    content["format"] = 2
    content["news"] = True
    (path / "FORMAT").write_text(json.dumps(content))
    before = everything(path)
    error = refusal(path)
    assert error.code == "store.format"
    assert str(error.facts["found"]).startswith("2 ")
    assert str(error.facts["known"]).startswith("1 ")
    assert everything(path) == before


def test_another_kind_of_store_is_refused(path):
    filled(path)
    content = json.loads((path / "FORMAT").read_text())
    content["store"] = "segments"
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
    LmdbStore.open(path, clock_us=AT).close()
    (path / "FORMAT").rename(path / "FORMAT.new")
    LmdbStore.open(path, clock_us=AT).close()
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


@pytest.mark.parametrize("bit", [0, 3, 7])
def test_a_flipped_bit_in_a_log_record_is_refused_with_its_place(path, bit):
    filled(path)
    data = bytearray((path / "store" / "data.mdb").read_bytes())
    places = [n for n in range(len(data)) if data.startswith(b"<envelope 000003>", n)]
    assert places
    for place in places:
        data[place + 4] ^= 1 << bit
    (path / "store" / "data.mdb").write_bytes(data)
    error = refusal(path)
    assert error.code == "store.corrupt"
    assert error.path == "log[4]"
    assert "log record 4" in str(error.facts["reason"])
    assert "checksum" in str(error.facts["reason"])
    assert refusal(path).code == "store.corrupt"


def test_a_bit_that_flips_while_open_is_noticed_when_read(path, monkeypatch):
    monkeypatch.setattr("router.queue.lmdb_store.LOG_VERIFY_BYTES_AT_OPEN", 1)
    keys = filled(path)
    data = (path / "store" / "data.mdb").read_bytes()
    (path / "store" / "data.mdb").write_bytes(
        data.replace(b"<envelope 000001>", b"<envelope 000009>")
    )
    queue = Queue(LmdbStore.open(path, clock_us=AT))
    assert queue.document(keys[0]) is not None
    with pytest.raises(StorageError) as caught:
        queue.document(keys[1])
    assert (caught.value.code, caught.value.path) == ("store.corrupt", "log[2]")
    assert any("log record 2" in problem for problem in queue.check())
    queue.close()


def test_a_missing_log_record_is_refused_with_its_place(path):
    filled(path)
    store = LmdbStore.open(path, clock_us=AT)
    with store._env.begin(write=True) as txn:
        assert txn.delete((3).to_bytes(8, "big"), db=store._tables["log"])
    store.close()
    error = refusal(path)
    assert (error.code, error.path) == ("store.corrupt", "log[3]")


def test_a_full_store_keeps_what_it_has(path):
    queue = Queue(LmdbStore.open(path, clock_us=AT, map_bytes=1_048_576))
    stored = 0
    try:
        while stored < 100:
            queue.accept([acceptance(stored, [5], envelope=b"x" * 50_000)])
            stored += 1
    except StorageError as error:
        assert error.code == "store.full"  # noqa: PT017 - the count so far is needed, too
    assert stored < 100
    assert stored
    with pytest.raises(StorageError):
        queue.accept([acceptance(999, [5])])
    assert not queue.healthy()
    queue.close()
    queue = Queue(LmdbBox(path).open())
    assert queue.counts()["documents"] == stored
    assert queue.check() == []
    queue.accept([acceptance(stored, [5], envelope=b"x" * 50_000)])
    queue.close()


def test_a_directory_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").write_text("x")
    assert refusal(tmp_path / "file" / "below").code in {"store.failed", "store.foreign"}
