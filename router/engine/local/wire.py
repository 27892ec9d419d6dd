"""What travels between an owner and its clients: frames of MessagePack.

A frame is its length (4 bytes, big-endian) and an array: ``[id, method, arguments]`` asks,
``[id, 0, answer]`` and ``[id, 1, refusal]`` answer.  The first request of a connection is
`hello`.  A refusal with id 0 concerns the connection, which ends after it.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from struct import Struct
from typing import Any, Final

import msgspec
from msgspec import Raw

from router import errors
from router.errors import (
    MalformedError,
    OwnerError,
    PolicyError,
    PolicyProblem,
    SheetError,
    SheetProblem,
    VanbanError,
)

WIRE: Final = 1
"""The version of these frames; the package's version must be equal, too."""
PRODUCT: Final = "vanban-router"
HELLO: Final = "hello"
LISTEN: Final = "listen"
SEAT: Final = "seat."
"""Before the name of a method of `Seat`; its arguments name the principal as SEATED."""
SEATED: Final = "seated"
LENGTH: Final = Struct(">I")
ANSWER: Final = 0
REFUSAL: Final = 1
_INTEGERS: Final = (-(1 << 63), (1 << 64) - 1)


class Hello(msgspec.Struct, frozen=True, array_like=True):
    """Who speaks: what product and version, and which epoch of the data directory.

    `epoch` is the owner's own, or the highest one that a client has seen (0: none).
    """

    product: str
    wire: int
    version: str
    epoch: int

    @classmethod
    def of(cls, epoch: int) -> Hello:
        """Return this process's hello."""
        return cls(PRODUCT, WIRE, package_version(), epoch)

    @property
    def spoken(self) -> str:
        """Return the version with its wire, as an error names it."""
        return f"{self.version} (wire {self.wire})"


@cache
def package_version() -> str:
    """Return the version of the installed package."""
    return version(PRODUCT)


def check_versions(owner: Hello, client: Hello) -> None:
    """Raise OwnerError `owner.version` unless both speak the same."""
    if (owner.product, owner.wire, owner.version) != (client.product, client.wire, client.version):
        raise OwnerError("owner.version", owner=owner.spoken, client=client.spoken)


class Refusal(msgspec.Struct, frozen=True, array_like=True):
    """An exception on its way: its class by name, and what it was made with."""

    kind: str
    code: str
    path: str
    facts: dict[str, Any]
    problems: tuple[SheetProblem, ...] = ()
    policy_problems: tuple[PolicyProblem, ...] = ()

    @classmethod
    def of(cls, error: VanbanError) -> Refusal:
        """Return an exception in the form that travels."""
        problems = error.problems if isinstance(error, SheetError) else ()
        facts = {name: _plain(value) for name, value in error.facts.items()}
        of_policy = error.problems if isinstance(error, PolicyError) else ()
        return cls(type(error).__name__, error.code, error.path, facts, problems, of_policy)

    def exception(self) -> VanbanError:
        """Return the exception again, of the very same class."""
        kind = getattr(errors, self.kind, None)
        if kind is SheetError:
            return SheetError(self.code, problems=self.problems, path=self.path)
        if kind is PolicyError:
            problems = self.policy_problems
            return PolicyError(self.code, problems=problems, path=self.path, **self.facts)
        if not (isinstance(kind, type) and issubclass(kind, VanbanError)):
            kind = VanbanError
        return kind(self.code, path=self.path, **self.facts)


def _plain(value: object) -> str | int:
    """Return a fact as it can travel: MessagePack's integers have 64 bits."""
    if isinstance(value, int) and _INTEGERS[0] <= value <= _INTEGERS[1]:
        return value
    return str(value)


class Request(msgspec.Struct, frozen=True, array_like=True):
    """A call: which one, and its arguments by name, still to be decoded by their types."""

    id: int
    method: str
    arguments: Raw


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What became of a call: `kind` is ANSWER or REFUSAL, `body` still to be decoded."""

    id: int
    kind: int
    body: Raw


def _as_container(value: object) -> object:
    """Encode what is like a list or a dict: callers may give any sequence."""
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if hasattr(value, "keys") and hasattr(value, "__getitem__"):
        return {key: value[key] for key in value.keys()}  # noqa: SIM118 - any mapping
    if hasattr(value, "__iter__"):
        return list(value)
    raise TypeError(f"{type(value).__name__} can't travel to another process")


_encoder: Final = msgspec.msgpack.Encoder(enc_hook=_as_container)
_requests: Final = msgspec.msgpack.Decoder(Request)
_answers: Final = msgspec.msgpack.Decoder(Answer)
refusals: Final = msgspec.msgpack.Decoder(Refusal)
hellos: Final = msgspec.msgpack.Decoder(Hello)


def frame(value: object) -> bytearray:
    """Return a value as a whole frame.

    Raises MalformedError `request.invalid` for a value that can't travel.
    """
    made = bytearray(LENGTH.size)
    try:
        _encoder.encode_into(value, made, LENGTH.size)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise MalformedError("request.invalid", reason=str(error)) from None
    LENGTH.pack_into(made, 0, (len(made) - LENGTH.size) & 0xFFFFFFFF)
    return made


def read_request(data: bytes | memoryview) -> Request:
    """Read a frame that asks.  Raises MalformedError `request.invalid`."""
    try:
        return _requests.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedError("request.invalid", reason=str(error)) from None


def read_answer(data: bytes | bytearray) -> Answer:
    """Read a frame that answers.  Raises OwnerError `owner.protocol`."""
    try:
        return _answers.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise OwnerError("owner.protocol", reason=str(error)) from None


def read_hello(body: Raw) -> Hello:
    """Read a hello.  Raises MalformedError `request.invalid`."""
    try:
        return hellos.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedError("request.invalid", reason=str(error)) from None


def read_refusal(body: Raw) -> VanbanError:
    """Read a refusal as its exception.  Raises OwnerError `owner.protocol`."""
    try:
        return refusals.decode(body).exception()
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise OwnerError("owner.protocol", reason=str(error)) from None
