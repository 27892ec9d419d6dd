"""Which calls travel, and as what: derived from the annotations of `Engine` and `Seat`.

A method that is added there travels at once when msgspec can carry its types; a contract test
says which can't.  What has no form of its own (two kinds of structs in one place, files,
callbacks) stands below as a function whose annotations say what travels instead.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from types import FunctionType
from typing import Any, Final

import msgspec

from router.engine.administration_directory import ListPreview
from router.engine.arrivals import NO_SNAPSHOT, Arrival, reached_by
from router.engine.engine import Engine
from router.engine.local.wire import SEAT, SEATED
from router.engine.seat import Seat
from router.engine.submission import Submission
from router.errors import MalformedError
from router.model.answers import Outcome, Principal, Problem, Receipt
from router.model.documents import Envelope
from router.model.impact import Impact
from router.model.reorganisations import DirectoryChange
from router.queue import StoredAudience

HERE: Final = frozenset({"close", "listen", "seat", "shared"})
"""Public methods of `Engine` that are answered by the client itself, each in its way."""
REACHED: Final = "arrivals.reached"
"""The call behind `reached_by` in a client."""
Told = tuple[Receipt | None, Problem | None]
"""An Outcome as it travels: one of the two is there."""


class SentDocument(msgspec.Struct, frozen=True, array_like=True):
    """A Submission as it travels; its envelope is checked by the door, not on the way."""

    envelope: Any
    unit: int | None
    actor: str
    language: str


class SentArrival(msgspec.Struct, frozen=True, array_like=True):
    """An Arrival as it travels; no runs and size 0: anything may have arrived for anybody.

    Under NO_SNAPSHOT the runs are the number of the one unit it reaches (`Returned`).
    """

    snapshot: int
    runs: bytes
    size: int
    now_us: int


def told(outcome: Outcome) -> Told:
    """Return an outcome as it travels."""
    return (outcome, None) if isinstance(outcome, Receipt) else (None, outcome)


def heard(answer: Told) -> Outcome:
    """Return an outcome that travelled."""
    receipt, problem = answer
    outcome = problem if receipt is None else receipt
    if outcome is None:
        raise MalformedError("request.invalid", reason="an answer without outcome")
    return outcome


_ENVELOPE: Final = frozenset(Envelope.__struct_fields__)
_ENVELOPE_NEEDS: Final = frozenset({"version", "payload"})


def _envelope(sent: Any) -> Any:
    """Return what the door takes: bytes as they are, an Envelope's fields as an Envelope.

    Structs don't check their fields when made, and the door holds them to their bounds; so a
    wrong one is the problem of its document, as it is without a socket in between.
    """
    if isinstance(sent, dict) and sent.keys() >= _ENVELOPE_NEEDS and sent.keys() <= _ENVELOPE:
        return Envelope(**sent)
    return sent


# What stands in for methods whose own types have no form on the wire.


def submit(
    engine: Engine,
    batch: list[Any],
    *,
    unit: str | int | None = None,
    actor: str = "",
    language: str = "en",
) -> list[Told]:
    """See `Engine.submit`."""
    documents = [_envelope(one) for one in batch]
    return [
        told(one) for one in engine.submit(documents, unit=unit, actor=actor, language=language)
    ]


def submit_many(engine: Engine, items: list[SentDocument]) -> list[Told]:
    """See `Engine.submit_many`."""
    documents = [
        Submission(_envelope(one.envelope), one.unit, one.actor, one.language) for one in items
    ]
    return [told(one) for one in engine.submit_many(documents)]


def impact(
    engine: Engine,
    changes: DirectoryChange | Sequence[DirectoryChange] | None = None,
    preview: ListPreview | None = None,
) -> Impact:
    """See `Engine.impact`."""
    wanted = preview if changes is None else changes
    if wanted is None:
        raise MalformedError("request.invalid", reason="no change is named")
    return engine.impact(wanted)


def preview_list(
    engine: Engine,
    source: bytes,
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
    """See `Engine.preview_list`; the file is read by the client."""
    return engine.preview_list(
        source,
        at_us=at_us,
        complete=complete,
        within=within,
        since_us=since_us,
        known_later=known_later,
        opened=opened,
        title=title,
        sheet=sheet,
    )


def export_directory(
    engine: Engine,
    *,
    at_us: int | None = None,
    known_at_us: int | None = None,
    every: bool = False,
) -> tuple[int, str]:
    """See `Engine.export_directory`; the text is written by the client."""
    parts: list[str] = []
    count = engine.export_directory(parts.append, at_us=at_us, known_at_us=known_at_us, every=every)
    return count, "".join(parts)


def counters(engine: Engine) -> Any:
    """See `Engine.counters`."""
    return engine.counters()


def reached(engine: Engine, arrivals: list[SentArrival], units: list[int]) -> list[int]:
    """Return which units any of the arrivals reaches, for `reached_by` in a client."""
    there = [
        Arrival(engine._rooms, StoredAudience(one.snapshot, one.runs, b"", one.size), one.now_us)
        for one in arrivals
    ]
    return sorted(reached_by(there, units))


def sent_form(arrival: Arrival) -> SentArrival:
    """Return an arrival as it travels."""
    snapshot, runs = arrival.audience
    if snapshot == NO_SNAPSHOT:
        return SentArrival(snapshot, runs, 1, 0)
    return SentArrival(snapshot, runs, arrival._audience.size, arrival._now_us)


Stand = Callable[..., Any]
STAND_INS: Final[Mapping[str, Stand]] = {
    one.__name__: one
    for one in (submit, submit_many, impact, preview_list, export_directory, counters)
}
OWN: Final[Mapping[str, Stand]] = {REACHED: reached}


class Call:
    """One call as it travels: its arguments by name, and its answer."""

    def __init__(self, name: str, function: Stand, options: Stand | None = None) -> None:
        """`options` is whose parameters a `**` of the function stands for."""
        self.name = name
        fields, self.answer_type, self._needed = _travelling(function, options)
        if name.startswith(SEAT):
            fields[SEATED] = Principal | None
        self.names = frozenset(fields)
        struct = msgspec.defstruct(
            name.replace(".", "_"),
            [(field, kind, msgspec.UNSET) for field, kind in fields.items()],
            forbid_unknown_fields=True,
        )
        self._arguments: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(struct)
        self.answers: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(self.answer_type)

    def arguments(self, body: msgspec.Raw) -> dict[str, Any]:
        """Return the arguments that were given.  Raises MalformedError `request.invalid`."""
        try:
            found = self._arguments.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise MalformedError("request.invalid", path=self.name, reason=str(error)) from None
        all_of_them = ((name, getattr(found, name)) for name in self.names)
        given = {name: value for name, value in all_of_them if value is not msgspec.UNSET}
        if missing := self._needed - given.keys():
            reason = f"without {', '.join(sorted(missing))}"
            raise MalformedError("request.invalid", path=self.name, reason=reason)
        return given


def _travelling(
    function: Stand, options: Stand | None
) -> tuple[dict[str, Any], Any, frozenset[str]]:
    """Return the types of a function's parameters but the first, of its answer; what must be."""
    hints = _hints(function)
    fields: dict[str, Any] = {}
    needed: set[str] = set()
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            fields[parameter.name] = hints[parameter.name]
            if parameter.default is parameter.empty:
                needed.add(parameter.name)
        elif options is not None:
            more = _travelling(options, None)[0]
            fields |= {name: kind for name, kind in more.items() if name not in fields}
    return fields, hints["return"], frozenset(needed)


def _hints(function: Stand) -> dict[str, Any]:
    return typing.get_type_hints(function, localns={"Engine": object}, include_extras=True)


def public_methods(owner: type) -> dict[str, FunctionType]:
    """Return the public methods of a class and its bases, but static and class methods."""
    return {
        name: found
        for name in dir(owner)
        if not name.startswith("_")
        and isinstance(found := inspect.getattr_static(owner, name), FunctionType)
    }


ENGINE_CALLS: Final = {
    name: STAND_INS.get(name, function)
    for name, function in public_methods(Engine).items()
    if name not in HERE
}
SEAT_CALLS: Final = public_methods(Seat)


@cache
def call_named(name: str) -> Call:
    """Return a call by its name on the wire.  Raises MalformedError `request.invalid`."""
    if name in ENGINE_CALLS:
        return Call(name, ENGINE_CALLS[name])
    if name in OWN:
        return Call(name, OWN[name])
    method = name.removeprefix(SEAT)
    if name.startswith(SEAT) and method in SEAT_CALLS:
        return Call(name, SEAT_CALLS[method], public_methods(Engine).get(method))
    raise MalformedError("request.invalid", reason=f"there is no call “{name}”")


def perform(engine: Engine, name: str, body: msgspec.Raw) -> Any:
    """Make a call on the engine; return its answer in the form that travels.

    Raises what the call raises, and MalformedError `request.invalid`.
    """
    call = call_named(name)
    given = call.arguments(body)
    if name.startswith(SEAT):
        seat = engine.seat(given.pop(SEATED, None))
        return getattr(seat, name.removeprefix(SEAT))(**given)
    stand = STAND_INS.get(name) or OWN.get(name)
    if stand is not None:
        return stand(engine, **given)
    return getattr(engine, name)(**given)
