"""Requests at the byte level: headers, bounded bodies, answers, problems.

Everything here works on bare ASGI.  A body is counted while it arrives, against its own
limit, the time it may take, and the bytes all waiting requests hold together (`Gate`).
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import msgspec

from router import limits
from router.errors import (
    AuthenticationError,
    InputError,
    MalformedError,
    OverloadedError,
    StorageError,
    TooLargeError,
    VanbanError,
)
from router.messages import problem_of
from router.model.answers import Principal, Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Value = TypeVar("Value")

JSON: Final = b"application/json"
NDJSON: Final = b"application/x-ndjson"
PROBLEM: Final = b"application/problem+json"

_STATUS_OF_CODE: Final[dict[str, int]] = {
    "request.content_type": 415,
    "request.method": 405,
    "request.timeout": 408,
}
"""Statuses that HTTP itself names, where the class of the error says another."""
_QUOTED: Final = re.compile(r"'[^']*'|\"[^\"]*\"")
_SAFE_HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_DRAIN_BYTES_MAX: Final = 262_144
_DRAIN_S_MAX: Final = 0.25
encode: Final = msgspec.json.Encoder().encode


class ClientGoneError(Exception):
    """The client closed the connection; nobody is left to answer."""


class Gate:
    """Bounds what is under way: requests and the body bytes they hold together."""

    def __init__(self, requests_max: int, bytes_max: int) -> None:
        self.requests = 0
        self.bytes = 0
        self.stopping = False
        self._requests_max = requests_max
        self._bytes_max = bytes_max

    def enter(self) -> None:
        """Count a request in.  Raises OverloadedError `server.busy` or `server.stopping`."""
        if self.stopping:
            raise OverloadedError("server.stopping", retry_after_s=limits.RETRY_AFTER_S)
        if self.requests >= self._requests_max:
            raise OverloadedError("server.busy", retry_after_s=limits.RETRY_AFTER_S)
        self.requests += 1

    def enter_again(self) -> None:
        """Count a request that left to sleep in again: it was admitted, so never refused."""
        self.requests += 1

    def hold(self, count: int) -> None:
        """Count body bytes in.  Raises OverloadedError `server.busy`."""
        if self.bytes + count > self._bytes_max:
            raise OverloadedError("server.busy", retry_after_s=limits.RETRY_AFTER_S)
        self.bytes += count

    def leave(self, count: int) -> None:
        """Count a request and the bytes it held out."""
        self.requests -= 1
        self.bytes -= count


class Call:
    """One request under way: its parsed headers and, once known, its principal.

    `count` is told the status of the answer, once, before the answer is sent.
    """

    __slots__ = (
        "_count",
        "_gate",
        "_receive",
        "_send",
        "actor",
        "body_read",
        "code",
        "headers",
        "held",
        "language",
        "principal",
        "scope",
        "status",
        "stopping",
    )

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, gate: Gate, count: Callable[[int], None]
    ) -> None:
        self.scope = scope
        self._count = count
        self._receive = receive
        self._send = send
        self._gate = gate
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.language = language_of(self.headers.get(b"accept-language", b""))
        self.principal: Principal | None = None
        self.actor = ""
        self.held = 0
        self.body_read = False
        self.status = 0
        self.code = ""
        self.stopping = False

    def require_type(self, expected: bytes) -> None:
        """Check the content type.  Raises MalformedError `request.content_type`."""
        given = self.headers.get(b"content-type", b"")
        kind, _, parameters = given.partition(b";")
        charset = parameters.replace(b" ", b"").lower()
        if kind.strip().lower() != expected or charset not in (b"", b"charset=utf-8"):
            shown = given.decode("latin-1")
            raise MalformedError("request.content_type", given=shown, expected=expected.decode())

    async def read(self, bytes_max: int, seconds: float) -> bytes:
        """Return the whole body, bounded while it is read.

        Raises TooLargeError, MalformedError `request.timeout`, OverloadedError, and
        ClientGoneError.
        """
        declared = self.headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > bytes_max:
            raise TooLargeError("request.too_large", limit=bytes_max)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(seconds):
                while not self.body_read:
                    part = await self._next_part()
                    size += len(part)
                    if size > bytes_max:
                        raise TooLargeError("request.too_large", limit=bytes_max)
                    self._gate.hold(len(part))
                    self.held += len(part)
                    parts.append(part)
        except TimeoutError:
            raise MalformedError("request.timeout", seconds=str(seconds)) from None
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _next_part(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        self.body_read = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Leave the gate for as long as the block sleeps.

        The body was read and decoded by then, so its bytes are given back for good.
        """
        self._gate.leave(self.held)
        self.held = 0
        try:
            yield
        finally:
            self._gate.enter_again()

    async def gone(self) -> None:
        """Return when the client has closed the connection."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _begin(self, status: int) -> None:
        """Note an answer before its first byte: who was answered is counted, whatever dies."""
        self.status = status
        self._count(status)

    async def counting_send(self, message: Message) -> None:
        """Send for the framework, noting the status."""
        if message["type"] == "http.response.start":
            self._begin(message["status"])
            message["headers"] = [*message["headers"], *_SAFE_HEADERS]
        await self._send(message)

    async def answer(
        self,
        status: int,
        body: bytes,
        kind: bytes = JSON,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        """Send one whole answer."""
        self._begin(status)
        head = [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            *_SAFE_HEADERS,
            *headers,
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": head})
        await self._send({"type": "http.response.body", "body": body})

    async def refuse(self, error: VanbanError) -> None:
        """Answer with problem details; ask to close when the body was not read to its end."""
        problem = problem_with_status(error, self.language)
        self.code = error.code
        headers: list[tuple[bytes, bytes]] = []
        if "allowed" in error.facts:
            headers.append((b"allow", str(error.facts["allowed"]).encode()))
        if (wait := retry_after_s(error)) is not None:
            headers.append((b"retry-after", str(wait).encode()))
        if isinstance(error, AuthenticationError):
            headers.append((b"www-authenticate", b'Bearer realm="vanban"'))
        if not await self._drained():
            headers.append((b"connection", b"close"))
        headers.append((b"content-language", self.language.encode()))
        await self.answer(problem.status, encode(problem), PROBLEM, tuple(headers))

    async def _drained(self) -> bool:
        """Read a short rest of the body, so that the refusal reaches a client still sending."""
        if self.body_read:
            return True
        left = _DRAIN_BYTES_MAX
        try:
            async with asyncio.timeout(_DRAIN_S_MAX):
                while not self.body_read and left > 0:
                    left -= len(await self._next_part())
        except (TimeoutError, ClientGoneError):
            return False
        return self.body_read


def retry_after_s(error: VanbanError | Problem) -> int | None:
    """Return when to come again, for errors that time may mend; None for all others.

    A failed store is opened again by the daemon: its clients may wait for that.
    """
    if isinstance(error, VanbanError):
        mends = isinstance(error, OverloadedError | StorageError)
    else:
        mends = error.status in (429, 503)
    if not mends:
        return None
    return int(error.facts.get("retry_after_s", limits.RETRY_AFTER_S))


def problem_with_status(error: VanbanError, language: str) -> Problem:
    """Return problem details, with the status HTTP names for this code where it has one."""
    problem = problem_of(error, language)
    status = _STATUS_OF_CODE.get(error.code)
    return problem if status is None else msgspec.structs.replace(problem, status=status)


def language_of(header: bytes) -> str:
    """Return "vi" or "en" from Accept-Language: the better liked one, English when unsure."""
    best, weight = "en", 0.0
    for item in header[:256].split(b","):
        tag, _, rest = item.partition(b";")
        name = tag.strip()[:2].lower()
        if name not in (b"vi", b"en"):
            continue
        try:
            liked = float(rest.strip().removeprefix(b"q=")) if rest else 1.0
        except ValueError:
            continue
        if liked > weight:
            best, weight = name.decode(), liked
    return best


def bearer_of(headers: dict[bytes, bytes]) -> str:
    """Return the bearer token.  Raises AuthenticationError `token.missing`/`token.invalid`."""
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"bearer" or not token.strip():
        raise AuthenticationError("token.missing")
    try:
        return token.strip().decode("ascii")
    except UnicodeDecodeError:
        raise AuthenticationError("token.invalid") from None


def actor_of(headers: dict[bytes, bytes], default: str) -> str:
    """Return the person named by `Vanban-Actor` (UTF-8), or the token's name.

    Raises InputError `actor.invalid` for more than 64 characters or control characters.
    """
    given = headers.get(b"vanban-actor")
    if given is None:
        return default[: limits.ACTOR_CHARS_MAX]
    try:
        actor = unicodedata.normalize("NFC", given.decode("utf-8").strip())
    except UnicodeDecodeError:
        raise InputError("actor.invalid", path="Vanban-Actor", reason="not UTF-8") from None
    if not actor or len(actor) > limits.ACTOR_CHARS_MAX:
        reason = f"1 to {limits.ACTOR_CHARS_MAX} characters are taken"
        raise InputError("actor.invalid", path="Vanban-Actor", reason=reason)
    if any(unicodedata.category(letter).startswith("C") for letter in actor):
        raise InputError("actor.invalid", path="Vanban-Actor", reason="control characters")
    return actor


def decode(decoder: msgspec.json.Decoder[Value], body: bytes) -> Value:
    """Decode a small JSON body; quoted values are cut out of the reasons (content).

    Raises MalformedError `json.malformed` and InputError `request.invalid`.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `")
        path = place.rstrip("`") or "$"
        raise InputError("request.invalid", path=path, reason=_QUOTED.sub("…", reason)) from None
    except RecursionError:
        raise MalformedError("json.too_deep") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedError("json.malformed", reason=_QUOTED.sub("…", str(error))) from None
