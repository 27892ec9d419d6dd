"""An answer must be taken at a least speed: slow readers go on, stalled ones are dropped."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from router import limits
from router.server.connections import BoundedProtocol


class Line:
    """A transport and a loop whose time is moved by hand."""

    def __init__(self, unwritten):
        self.unwritten = unwritten
        self.aborted = False
        self.closed = False
        self.timers = []

    def get_write_buffer_size(self):
        return self.unwritten

    def abort(self):
        self.aborted = True

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    def call_later(self, seconds, action):
        timer = SimpleNamespace(action=action, live=True)
        timer.cancel = lambda: setattr(timer, "live", False)
        self.timers.append(timer)
        return timer

    def time_goes_by(self):
        due, self.timers = self.timers, []
        for timer in due:
            if timer.live:
                timer.action()


@pytest.fixture
def line():
    return Line(10 * limits.WRITE_BYTES_MIN)


@pytest.fixture
def protocol(line):
    protocol = BoundedProtocol.__new__(BoundedProtocol)
    protocol.transport = line
    protocol.loop = line
    protocol.flow = SimpleNamespace(pause_writing=lambda: None, resume_writing=lambda: None)
    return protocol


def test_who_takes_enough_in_each_period_goes_on(line, protocol):
    protocol.pause_writing()
    for _ in range(9):
        line.unwritten -= limits.WRITE_BYTES_MIN
        line.time_goes_by()
        assert not line.aborted
    line.unwritten -= limits.WRITE_BYTES_MIN - 1
    line.time_goes_by()
    assert line.aborted


def test_who_took_all_is_watched_no_longer(line, protocol):
    protocol.pause_writing()
    line.unwritten = 0
    protocol.resume_writing()
    line.time_goes_by()
    assert not line.aborted


@pytest.mark.parametrize(("unwritten", "aborted"), [(0, False), (1, True)])
def test_an_idle_connection_ends_even_with_its_last_bytes_untaken(
    line, protocol, unwritten, aborted
):
    line.unwritten = unwritten
    protocol.timeout_keep_alive_handler()
    assert (line.aborted, line.closed) == (aborted, not aborted)
