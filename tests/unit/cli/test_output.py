"""What others wrote is shown as it is: never markup, never cut, never a terminal's command."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from support.commands import BARE_TIME

from router.cli import output

ID = "AaIFO5TNRVvpLnTH2g37UgAAAP8"


@pytest.fixture
def terminal(monkeypatch):
    """Return a function that makes the output a terminal of some width, and its text."""

    def make(width):
        file = io.StringIO()
        console = Console(file=file, width=width, force_terminal=True, no_color=True)
        monkeypatch.setattr(output, "console", console)
        return file

    return make


@pytest.mark.parametrize(
    ("instant", "said"),
    [
        ("2026-11-23T19:54:43.123456+07:00", "2026-11-23 19:54:43 +07:00"),
        ("2026-11-23T19:54:43+07:00", "2026-11-23 19:54:43 +07:00"),
        ("2026-11-23T00:00:00+07:00", "2026-11-23"),
        ("2026-11-23T00:00:00.000001+07:00", "2026-11-23 00:00:00 +07:00"),
        ("", ""),
    ],
)
def test_a_time_is_never_printed_without_its_zone(instant, said):
    assert output.moment(instant) == said
    assert not BARE_TIME.search(said)


def test_a_time_without_its_zone_is_noticed():
    for bare in ("at 2026-11-23 19:54:43", "at 2026-11-23 19:54, then", "2026-11-23 19:54:43 +0"):
        assert BARE_TIME.search(bare), bare


@pytest.mark.parametrize("width", [60, 100])
def test_ids_are_whole_and_words_give_way(width, terminal):
    file = terminal(width)
    output.print_table("t", ("delivery", "~subject"), [(ID, "Về việc ban hành " * 12)])
    assert ID in file.getvalue()
    assert "…" not in file.getvalue()


def test_where_nothing_fits_ids_are_folded_and_not_cut(terminal):
    file = terminal(20)
    output.print_table("", ("delivery",), [(ID,)])
    shown = "".join(line.strip() for line in file.getvalue().splitlines()[3:])
    assert ID in shown


def test_markup_and_control_characters_do_nothing(terminal):
    file = terminal(100)
    hostile = "[/] [red]a\x1b[31m\x07\u202eb"
    output.print_table(hostile, ("~a",), [(hostile,)])
    output.print_line(hostile)
    assert file.getvalue().count("[/] [red]a\ufffd[31m\ufffd\ufffdb") == 3


def test_a_file_that_cannot_be_written_is_trouble_without_a_traceback(capsys):
    def command():
        raise PermissionError(13, "Permission denied", "/x")

    with pytest.raises(SystemExit) as ended:
        output.speaks(command)()
    assert ended.value.code == output.EXIT_TROUBLE
    told = capsys.readouterr().err
    assert "file.unusable (/x)" in told
    assert "Permission denied" in told
    assert "→" in told
