"""What the files of a base must survive, and what is refused and left as it was.

A damaged or foreign file that is opened all the same, or a failed write of which half stays,
costs documents that were acknowledged: the log before the checkpoint is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import lmdb
import pytest
from support.bases import (
    Opener,
    changes,
    files_at_most,
    fill,
    open_fallback,
    open_native,
    refused,
)

from router.errors import ClosedError, StorageError
from router.queue.environment import damage

on_disk = pytest.mark.parametrize("open_base", [open_native, open_fallback])


@on_disk
class TestOnDisk:
    """What an environment's files must survive, and what is refused."""

    def test_what_was_written_is_there_when_opened_again_either_way(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        model = fill(open_base, tmp_path / "store")
        for other in (open_native, open_fallback):
            base = other(tmp_path / "store")
            assert dict(base.items(0)) == model
            base.apply(changes({b"more": b"x"}))
            model[b"more"] = b"x"
            base.close()
        assert (tmp_path / "store/data.mdb").stat().st_mode & 0o777 == 0o600

    def test_one_environment_is_opened_once_a_process(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        base = open_base(tmp_path / "store")
        (tmp_path / "other name").symlink_to(tmp_path / "store")
        for other in (open_native, open_fallback):
            for path in (tmp_path / "store", tmp_path / "other name"):
                with pytest.raises(StorageError) as caught:
                    other(path)
                assert caught.value.code == "store.locked"
        base.apply(changes({b"key": b"value"}))
        base.close()
        open_base(tmp_path / "other name").close()

    def test_a_full_map_fails_the_write_and_every_later_one(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        base = open_base(tmp_path / "store", 1 << 20)
        base.apply(changes({b"key": b"value"}))
        large = {bytes([n]): bytes(60_000) for n in range(40)}
        for given in (large, {b"key": b"other"}):
            with pytest.raises(StorageError) as caught:
                base.apply(changes(given))
            assert caught.value.code == "store.full"
        assert dict(base.items(0)) == {b"key": b"value"}
        base.close()
        base = open_base(tmp_path / "store")
        assert dict(base.items(0)) == {b"key": b"value"}
        base.apply(changes(large))
        assert len(list(base.items(0))) == 41
        base.close()

    def test_a_full_disk_fails_the_write_and_nothing_of_it_stays(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        base = open_base(tmp_path / "store")
        base.apply(changes({b"key": b"value"}))
        with files_at_most(3 << 20):
            for given in ({bytes([n]): bytes(60_000) for n in range(99)}, {b"key": b"other"}):
                with pytest.raises(StorageError) as caught:
                    base.apply(changes(given))
                assert caught.value.code == "store.full"
        base.close()
        base = open_base(tmp_path / "store")
        assert dict(base.items(0)) == {b"key": b"value"}
        base.close()

    def test_a_full_disk_at_the_first_opening_leaves_nothing(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        with files_at_most(5_000):
            assert refused(open_base, tmp_path / "store") == "store.full"
        assert list((tmp_path / "store").iterdir()) == []
        open_base(tmp_path / "store").close()

    def test_a_place_that_takes_no_files_is_refused(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_bytes(b"")
        for path in (tmp_path / "none/store", tmp_path / "file", Path("/proc/self/store")):
            assert refused(open_base, path) == "store.failed"

    @pytest.mark.parametrize("content", [b"", b"x" * 100, b"x" * 20_000, bytes(8_192)])
    def test_what_is_no_lmdb_file_is_refused_and_not_touched(
        self, open_base: Opener, tmp_path: Path, content: bytes
    ) -> None:
        data = tmp_path / "data.mdb"
        data.write_bytes(content)
        assert refused(open_base, tmp_path) == "store.corrupt"
        assert data.read_bytes() == content

    def test_what_is_no_file_is_foreign(self, open_base: Opener, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "data.mdb")
        assert refused(open_base, tmp_path) == "store.foreign"

    def test_an_environment_of_another_program_is_foreign_and_not_touched(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        with (
            lmdb.open(str(tmp_path), max_dbs=4, lib_version=0) as env,
            env.begin(write=True) as txn,
        ):
            txn.put(b"key", b"value", db=env.open_db(b"theirs", txn=txn))
        before = (tmp_path / "data.mdb").read_bytes()
        assert refused(open_base, tmp_path) == "store.foreign"
        assert (tmp_path / "data.mdb").read_bytes() == before

    def test_a_file_of_lmdb_1_0_is_refused(self, open_base: Opener, tmp_path: Path) -> None:
        with lmdb.open(str(tmp_path), lib_version=1) as env, env.begin(write=True) as txn:
            txn.put(b"key", b"value")
        before = (tmp_path / "data.mdb").read_bytes()
        assert refused(open_base, tmp_path) == "store.corrupt"
        assert (tmp_path / "data.mdb").read_bytes() == before

    def test_a_file_cut_short_is_refused_wherever_it_is_cut(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        fill(open_base, tmp_path / "store", 300)
        data = tmp_path / "store/data.mdb"
        used = open_base(tmp_path / "store")
        needed = used.info()["used_bytes"]
        used.close()
        whole = data.read_bytes()
        for size in (1, 4_095, 4_096, 8_191, 8_192, 12_288, needed // 2, needed - 1):
            data.write_bytes(whole[:size])
            assert refused(open_base, tmp_path / "store") == "store.corrupt", size
            assert data.stat().st_size == size
        data.write_bytes(whole[:needed])
        open_base(tmp_path / "store").close()

    def test_a_file_that_ends_before_pages_given_up_is_mended(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        model = fill(open_base, tmp_path / "store", 3_000)
        gone = tuple(sorted(model))[10:]
        base = open_base(tmp_path / "store")
        for part in (gone[::2], gone[1::2]):
            base.apply(changes(gone=part))
            base.apply(changes({b"few": b"x"}))
        kept = dict(base.items(0))
        needed = base.info()["used_bytes"]
        base.close()
        data = tmp_path / "store/data.mdb"
        whole = data.read_bytes()
        mended = 0
        for size in range(needed - 4_096, 8_192, -32_768):
            data.write_bytes(whole[:size])
            with suppress(StorageError):  # where a page in use is cut off
                base = open_base(tmp_path / "store")
                assert dict(base.items(0)) == kept
                assert data.stat().st_size >= needed
                base.close()
                mended += 1
        assert mended > 0

    def test_what_an_interrupted_creation_left_is_dropped(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        (tmp_path / "making").mkdir()
        (tmp_path / "making/data.mdb").write_bytes(b"torn")
        open_base(tmp_path).close()
        left = {path.name for path in tmp_path.iterdir()}
        assert left - {"commit.note"} == {"data.mdb", "lock.mdb"}

    def test_a_copy_holds_everything_while_others_write(
        self, open_base: Opener, tmp_path: Path
    ) -> None:
        model = fill(open_base, tmp_path / "store")
        base = open_base(tmp_path / "store")
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                base.apply(changes(ordered={bytes(16): os.urandom(9)}))

        writer = threading.Thread(target=write)
        writer.start()
        base.copy_to(tmp_path / "copy")
        stop.set()
        writer.join()
        with pytest.raises(StorageError) as caught:
            base.copy_to(tmp_path / "copy")
        assert caught.value.code == "store.exists"
        with files_at_most(10_000), pytest.raises(StorageError) as caught:
            base.copy_to(tmp_path / "no room")
        assert caught.value.code == "store.full"
        assert list((tmp_path / "no room").iterdir()) == []
        assert base.fault() is None
        base.close()
        with pytest.raises(ClosedError):
            base.copy_to(tmp_path / "late")
        copy = open_base(tmp_path / "copy")
        assert dict(copy.items(0)) == model
        copy.close()


READ_ALL = """
import sys
from router.errors import StorageError
from router.queue._lmdb import LmdbBase
try:
    base = LmdbBase.open(sys.argv[1], ["exact", "ordered"])
    print(len(list(base.items(0))))
except StorageError as error:
    print(error.code)
"""


class TestLmdbBase:
    """What only the compiled one does."""

    def test_a_page_that_was_lost_is_found_and_never_read_as_fewer_rows(
        self, tmp_path: Path
    ) -> None:
        store = tmp_path / "store"
        rows = len(fill(open_native, store, 600))
        assert damage(store) == []
        data = store / "data.mdb"
        whole = data.read_bytes()
        ends = set()
        for page in range(2, 14):
            data.write_bytes(whole[: page * 4_096] + bytes(4_096) + whole[page * 4_096 + 4_096 :])
            done = subprocess.run(
                [sys.executable, "-P", "-c", READ_ALL, str(store)],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode == -signal.SIGABRT:
                assert "stored data is damaged" in done.stderr
                ends.add("ended")
            else:
                assert done.returncode == 0
                ends.add(done.stdout.strip())
            if done.stdout.strip() != str(rows):
                assert damage(store) != []
        assert ends <= {"ended", "store.corrupt", str(rows)}
        assert len(ends) > 1, "a page in use was among them"

    def test_the_file_stays_ahead_of_the_data_by_a_bounded_way(self, tmp_path: Path) -> None:
        base = open_native(tmp_path / "store")
        small = base.info()["file_bytes"]
        assert small < 1 << 20, "a store without data takes no room ahead"
        for turn in range(30):
            rows = {bytes([turn, n]) * 4: os.urandom(3_000) for n in range(100)}
            base.apply(changes(rows))
            info = base.info()
            assert info["used_bytes"] < info["file_bytes"] <= 2 * info["used_bytes"] + (1 << 20)
        base.close()

    def test_pages_given_up_are_counted_and_used_again(self, tmp_path: Path) -> None:
        base = open_native(tmp_path / "store")
        rows = {n.to_bytes(9, "big"): bytes(500) for n in range(2_000)}
        base.apply(changes(rows))
        base.apply(changes(gone=tuple(rows)))
        given_up = base.info()
        assert given_up["free_pages"] > 100
        base.apply(changes({b"\0": b"x"}))  # what the last write gave up is free from here on
        base.apply(changes(rows))
        again = base.info()
        assert again["free_pages"] < given_up["free_pages"]
        assert again["used_bytes"] < 1.3 * given_up["used_bytes"]
        assert again["readers"] <= 2
        base.close()

    def test_a_child_process_cannot_use_nor_hurt_its_parents_base(self, tmp_path: Path) -> None:
        base = open_native(tmp_path / "store")
        base.apply(changes({b"key": b"value"}))
        child = os.fork()
        if child == 0:
            refusals = 0
            for use in (lambda: base.value(0, b"key"), lambda: base.apply(changes({b"a": b"b"}))):
                try:
                    use()
                except StorageError:
                    refusals += 1
            base.close()
            os._exit(5 + refusals)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        base.apply(changes({b"more": b"value"}))
        assert dict(base.items(0)) == {b"key": b"value", b"more": b"value"}
        base.close()
