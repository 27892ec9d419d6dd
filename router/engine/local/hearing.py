"""Arrivals in a client: a thread that hears from the owner and calls the listeners.

The owner tells what arrived as it can; where something may have been missed (a slow listener,
another owner, a very large broadcast) one arrival comes that reaches everybody.  A listener
that wakes sleepers is then right in every case, sometimes once too often.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import msgspec

from router.engine.arrivals import NO_SNAPSHOT, Arrival, Listener
from router.engine.local import wire
from router.engine.local.calls import SentArrival
from router.engine.local.channel import Channel, Connection
from router.errors import OwnerError, VanbanError

_log = logging.getLogger("router.engine")
_arrivals: Final = msgspec.msgpack.Decoder(list[SentArrival])
_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
"""Between attempts to reach the next owner; the last one again and again."""
_FAR: Final = 10 * 366 * 86_400.0
ANYBODY: Final = SentArrival(0, b"", 0, 0)

Asked = Callable[[Sequence[SentArrival], Collection[int]], set[int]]


class HeardArrival(Arrival):
    """An arrival that another process told of; its questions go to the owner."""

    def __init__(self, sent: SentArrival, asked: Asked) -> None:
        self._sent = sent
        self._asked = asked

    def reaches(self, unit: int) -> bool:
        """See `Arrival.reaches`.  Raises OwnerError."""
        return unit in self.reached((unit,), {})

    @property
    def audience(self) -> tuple[int, bytes]:
        """See `Arrival.audience`; (0, b"") where it may be anybody."""
        return self._sent.snapshot, self._sent.runs

    def reached(self, asked: Collection[int], positions: Any) -> set[int]:  # noqa: ARG002
        """See `Arrival.reached`; one question, whatever the number of units."""
        return self.reached_by_any((self,), asked)

    @classmethod
    def reached_by_any(cls, arrivals: Sequence[Arrival], asked: Collection[int]) -> set[int]:
        """See `Arrival.reached_by_any`; one question at most, whatever their number."""
        heard = [one for one in arrivals if isinstance(one, HeardArrival)]
        sent = [one._sent for one in heard]
        if ANYBODY in sent:
            return set(asked)
        named = {int.from_bytes(one.runs, "big") for one in sent if one.snapshot == NO_SNAPSHOT}
        found = named.intersection(asked)
        others = [one for one in sent if one.snapshot != NO_SNAPSHOT]
        if others and len(found) < len(asked):
            found |= heard[0]._asked(others, asked)
        return found


class Hearing:
    """The listeners of one client and the thread that calls them."""

    def __init__(self, channel: Channel, asked: Asked) -> None:
        """Begin to hear; raises what connecting raises."""
        self._channel = channel
        self._asked = asked
        self._listeners: list[Listener] = []
        self._closing = threading.Event()
        self._connection: Connection | None = self._subscribed()
        self._thread = threading.Thread(target=self._body, name="vanban-hearing", daemon=True)
        self._thread.start()

    def add(self, listener: Listener) -> None:
        """Call one more from now on."""
        self._listeners.append(listener)

    def close(self) -> None:
        """End; no listener is called after it returns (but by a listener that closes)."""
        self._closing.set()
        connection = self._connection
        if connection is not None:
            connection.hang_up()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _subscribed(self) -> Connection:
        connection = self._channel.connect()
        try:
            self._channel.ask_on(connection, wire.LISTEN, {})
        except BaseException:
            connection.close()
            raise
        return connection

    def _body(self) -> None:
        failures = 0
        while not self._closing.is_set():
            connection = self._connection
            if connection is None:
                self._closing.wait(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
                failures += 1
                if self._reconnected():
                    failures = 0
                    self._tell([ANYBODY])
                continue
            try:
                answer = wire.read_answer(connection.receive(_FAR))
                self._tell(_arrivals.decode(answer.body))
            except (OSError, EOFError, ValueError, VanbanError):
                connection.close()
                self._connection = None
        if self._connection is not None:
            self._connection.close()

    def _reconnected(self) -> bool:
        try:
            self._connection = self._subscribed()
        except OwnerError:
            return False
        except VanbanError as error:
            if not self._closing.is_set():
                _log.warning("no arrivals are heard: %s", error)
            return False
        return True

    def _tell(self, sent: Sequence[SentArrival]) -> None:
        arrivals = [HeardArrival(one, self._asked) for one in sent]
        for listener in tuple(self._listeners):
            if self._closing.is_set():
                return
            try:
                listener(arrivals)
            except Exception:
                _log.exception("a listener failed")
