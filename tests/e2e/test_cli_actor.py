"""An operator's act on a data directory names the person who acted, in the log."""

from pathlib import Path

from support.commands import vanban

from router.queue import LogStore, Queue


def test_the_record_of_an_act_names_the_actor(tmp_path: Path) -> None:
    made = vanban("init", "--data", "data", cwd=tmp_path, VANBAN__CLIENT__ACTOR="Lò Thị Mai")
    assert made.status == 0, made
    queue = Queue(LogStore.open(tmp_path / "data", clock_us=0))
    actors = [record.actor for _, record in queue.room_records("token")]
    queue.close()
    assert actors == ["Lò Thị Mai"]
