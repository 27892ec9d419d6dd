"""`Engine.connect`: the engine of another process, with the whole interface of `Engine`.

Every public method of `Engine` and `Seat` is replaced by one of the same signature that asks
the owner.  What callers hand over as files or callbacks stays on this side.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

from router import limits
from router.engine.administration_directory import ListPreview
from router.engine.arrivals import Listener
from router.engine.deliveries import check_actor
from router.engine.engine import Engine
from router.engine.local import wire
from router.engine.local.calls import (
    ENGINE_CALLS,
    REACHED,
    SEAT_CALLS,
    SentArrival,
    SentDocument,
    call_named,
    heard,
)
from router.engine.local.channel import Channel, body_of
from router.engine.local.hearing import Hearing
from router.engine.local.wire import SEAT, SEATED
from router.engine.seat import Seat
from router.engine.submission import Submission
from router.errors import ClosedError, InputError, MalformedError, OwnerError
from router.model.answers import Outcome, Principal
from router.model.documents import Envelope
from router.model.impact import Impact
from router.model.reorganisations import Correction, DirectoryChange, GroupDefined, Reorganisation

_READ_BYTES: Final = 1 << 20


class ConnectedEngine(Engine):
    """An engine whose data directory another process of this machine owns.  Thread-safe.

    Every call may raise OwnerError beside what `Engine` says: `owner.absent` (nobody is
    there, nothing was done), `owner.gone` and `owner.silent` (of a write it is not known),
    `owner.fenced`, `owner.version`.  The call after it asks the owner of then.
    """

    def __init__(self, path: Path, *, actor: str | None, timeout_s: float | None) -> None:
        """`actor` stands for whoever a call does not name; see `Engine.connect`."""
        if actor is not None:
            check_actor(actor)
        self._actor = actor
        self._channel = Channel(path, timeout_s)
        self._hearing: Hearing | None = None
        self._starting = threading.Lock()  # guards _hearing
        self._channel.keep(self._channel.connect())

    def close(self) -> None:
        """End the connections; idempotent.  The owner and its engine go on."""
        self._channel.close()
        with self._starting:
            hearing = self._hearing
        if hearing is not None:
            hearing.close()

    def _ask(self, name: str, given: dict[str, Any]) -> Any:
        call = call_named(name)
        if unknown := given.keys() - call.names:
            raise TypeError(f"{name}() got unexpected arguments: {', '.join(sorted(unknown))}")
        if self._actor is not None and "actor" in call.names:
            given.setdefault("actor", self._actor)
        try:
            return body_of(self._channel.ask(name, given), call.answers)
        except MalformedError:
            for argument, value in given.items():
                if not _travels(value):
                    said = "no text in Unicode, no number of 64 bits, or no such thing at all"
                    raise InputError("field.invalid", path=f"$.{argument}", reason=said) from None
            raise

    # What has a form of its own on the way.

    def submit(
        self,
        batch: Sequence[bytes | Envelope],
        *,
        unit: str | int | None = None,
        actor: str = "",
        language: str = "en",
    ) -> list[Outcome]:
        """See `Engine.submit`; documents travel as they are."""
        actor = actor or self._actor or ""
        documents = [_document(one) for one in batch]
        given = {"batch": documents, "unit": unit, "actor": actor, "language": language}
        return [heard(one) for one in self._ask("submit", given)]

    def submit_many(self, items: Sequence[Submission]) -> list[Outcome]:
        """See `Engine.submit_many`."""
        mine = self._actor or ""
        sent = [
            SentDocument(_document(one.envelope), one.unit, one.actor or mine, one.language)
            for one in items
        ]
        return [heard(one) for one in self._ask("submit_many", {"items": sent})]

    def impact(self, changes: DirectoryChange | Sequence[DirectoryChange] | ListPreview) -> Impact:
        """See `Engine.impact`."""
        given: dict[str, Any] = {"changes": changes}
        if isinstance(changes, ListPreview):
            given = {"preview": changes}
        elif not isinstance(changes, Reorganisation | Correction | GroupDefined):
            given = {"changes": list(changes)}
        answer: Impact = self._ask("impact", given)
        return answer

    def preview_list(
        self,
        source: bytes | Path | BinaryIO,
        *,
        at_us: int,
        complete: bool = False,
        within: str = "",
        since_us: int | None = None,
        known_later: Collection[str] = (),
        opened: Collection[str] = (),
        title: str = "",
        sheet: str = "",
    ) -> ListPreview:
        """See `Engine.preview_list`; the file is read by this process."""
        given = {
            "source": _content(source),
            "at_us": at_us,
            "complete": complete,
            "within": within,
            "since_us": since_us,
            "known_later": list(known_later),
            "opened": list(opened),
            "title": title,
            "sheet": sheet,
        }
        answer: ListPreview = self._ask("preview_list", given)
        return answer

    def export_directory(
        self,
        write: Callable[[str], object],
        *,
        at_us: int | None = None,
        known_at_us: int | None = None,
        every: bool = False,
    ) -> int:
        """See `Engine.export_directory`; `write` is called by this process."""
        given = {"at_us": at_us, "known_at_us": known_at_us, "every": every}
        count, text = self._ask("export_directory", given)
        write(text)
        found: int = count
        return found

    def healthy(self) -> bool:
        """See `Engine.healthy`; False also while no owner can be asked."""
        try:
            return bool(self._ask("healthy", {}))
        except (OwnerError, ClosedError):
            return False

    def shared(self) -> bool:
        """See `Engine.shared`: this side owns nothing to share."""
        return False

    def seat(self, principal: Principal | None) -> Seat:
        """See `Engine.seat`; the rights are judged by the owner, at each call."""
        return ConnectedSeat(self._ask, principal)

    def listen(self, listener: Listener) -> None:
        """Call `listener` with what arrives, on a thread of this process.

        Unlike `Engine.listen` it comes a little after the flush; where something may have been
        missed (another owner, a slow listener) an arrival comes that reaches everybody.
        """
        with self._starting:
            if self._hearing is None:
                self._hearing = Hearing(self._channel, self._reached)
            self._hearing.add(listener)

    def _judge_waiting(self) -> int:
        return 0  # the owner's thread does it

    def _reached(self, sent: Sequence[SentArrival], units: Collection[int]) -> set[int]:
        return set(self._ask(REACHED, {"arrivals": list(sent), "units": list(units)}))


class ConnectedSeat(Seat):
    """A seat at another process's engine: the rights are judged there, at each call."""

    def __init__(
        self, ask: Callable[[str, dict[str, Any]], Any], principal: Principal | None
    ) -> None:
        self._ask = ask
        self._principal = principal

    def _ask_seated(self, name: str, given: dict[str, Any]) -> Any:
        return self._ask(SEAT + name, {**given, SEATED: self._principal})


def _travels(value: object) -> bool:
    try:
        wire.frame(value)
    except MalformedError:
        return False
    return True


def _document(one: object) -> object:
    """Return one document of a batch, None for what the door is to refuse as being none."""
    if isinstance(one, bytes) or (isinstance(one, Envelope) and _travels(one)):
        return one
    return None


def _content(source: bytes | Path | BinaryIO) -> bytes:
    """Read a list of units on this side, whose files the caller means.

    Raises InputError `sheet.format`.  What is longer than a request is refused on sending.
    """
    if isinstance(source, bytes):
        return source
    if isinstance(source, Path):
        try:
            with source.open("rb") as stream:
                return _content(stream)
        except OSError as error:
            raise InputError("sheet.format", reason=error.strerror or "unreadable") from error
    parts: list[bytes] = []
    left = limits.LOCAL_REQUEST_BYTES_MAX
    while left > 0 and (part := source.read(min(left, _READ_BYTES))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _asking(name: str, function: Callable[..., Any], ask: str) -> Callable[..., Any]:
    """Return a method of the same signature that asks the owner."""
    signature = inspect.signature(function)
    options = {one.name for one in signature.parameters.values() if one.kind is one.VAR_KEYWORD}

    @functools.wraps(function)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = dict(signature.bind(self, *args, **kwargs).arguments)
        del given["self"]
        for one in options & given.keys():
            given |= given.pop(one)
        return getattr(self, ask)(name, given)

    return method


def _complete() -> None:
    """Give both classes the methods they have not spelled out."""
    for kind, calls, ask in (
        (ConnectedEngine, ENGINE_CALLS, "_ask"),
        (ConnectedSeat, SEAT_CALLS, "_ask_seated"),
    ):
        for name in calls:
            if name not in vars(kind):
                setattr(kind, name, _asking(name, getattr(kind, name), ask))


_complete()
