"""Free memory is used once before something is measured."""

from vanban_bench.micro._queue_machine import touch_memory


def test_most_of_what_is_free_is_touched_and_given_back(tmp_path):
    info = tmp_path / "meminfo"
    info.write_text("MemTotal:  24105 kB\nMemFree:     4000 kB\nBuffers:  1 kB\n")
    assert touch_memory(info) == 3_000 * 1_024 // 4_096 * 4_096


def test_nothing_is_done_where_nothing_is_said(tmp_path):
    assert touch_memory(tmp_path / "none") == 0
    (tmp_path / "other").write_text("MemTotal: 5 kB\n")
    assert touch_memory(tmp_path / "other") == 0
