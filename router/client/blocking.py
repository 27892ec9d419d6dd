"""The synchronous client, on the standard library's HTTP alone."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from urllib.parse import urlsplit

from router.client import wire
from router.client.blocking_policy import PolicyCalls
from router.client.blocking_verdicts import VerdictCalls
from router.errors import ClosedError, InputError, OverloadedError
from router.model.answers import (
    Delivery,
    Explanation,
    Outbox,
    Outcome,
    Principal,
    Receipt,
    Resolved,
    Settled,
    Tracking,
)
from router.model.documents import Envelope
from router.model.policies import Holds, HoldShown
from router.model.requests import ResolveRequest
from router.model.units import Unit


class Client(PolicyCalls, VerdictCalls):
    """Speaks to one daemon with one token over one kept connection; a context manager.

    Errors of the daemon come back as the classes of `router.errors` with their codes.  A
    broken connection is tried again (three attempts in all): every call is safe to repeat,
    since a document has its identity, and a settled delivery stays as it is.  Raises
    OverloadedError `server.unreachable` when that does not help.  Calls from several
    threads wait for each other; give each thread its own client for speed.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        actor: str = "",
        language: str = "en",
        timeout_s: float = wire.TIMEOUT_S,
    ) -> None:
        address = urlsplit(base_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            reason = "the address must look like http://127.0.0.1:8080"
            raise InputError("request.invalid", path="base_url", reason=reason)
        self._secure = address.scheme == "https"
        self._host = address.hostname
        self._port = address.port
        headers = wire.headers_of(token, actor, language)
        self._headers = {name: value.encode("utf-8") for name, value in headers.items()}
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None  # guarded by _lock
        self._closed = False

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; idempotent."""
        with self._lock:
            self._closed = True
            self._drop()

    def submit(self, envelope: bytes | Envelope) -> Receipt:
        """Submit one document; return its receipt.  Raises its refusal."""
        return wire.read_outcome(*self._ask(wire.submit(envelope)))

    def submit_batch(self, envelopes: Sequence[bytes | Envelope]) -> list[Outcome]:
        """Submit many; return a Receipt or Problem for each, in order."""
        return wire.read_outcomes(*self._ask(wire.submit_batch(envelopes)), len(envelopes))

    def lease(
        self, limit: int = 100, *, lease_s: int | None = None, wait_s: float = 0
    ) -> list[Delivery]:
        """Take up to `limit` deliveries for `lease_s` seconds, waiting for the first."""
        return wire.read_lease(*self._ask(wire.lease(limit, lease_s, wait_s)))

    def extend(self, deliveries: Sequence[str], lease_s: int | None = None) -> list[Settled]:
        """Keep these deliveries (their ids) for `lease_s` seconds from now."""
        return wire.read_settled(*self._ask(wire.extend(deliveries, lease_s)))

    def give_back(self, deliveries: Sequence[str]) -> list[Settled]:
        """Put these deliveries (their ids) back into the inbox, in their old places."""
        return wire.read_settled(*self._ask(wire.give_back(deliveries)))

    def acknowledge(self, deliveries: Sequence[str]) -> list[Settled]:
        """Say that these deliveries (their ids) are taken over."""
        return wire.read_settled(*self._ask(wire.acknowledge(deliveries)))

    def refuse(self, deliveries: Sequence[str], reason: str) -> list[Settled]:
        """Return these deliveries (their ids) with a reason."""
        return wire.read_settled(*self._ask(wire.refuse(deliveries, reason)))

    def outbox(self, *, after: str = "", limit: int = 100) -> Outbox:
        """Return what the own unit is told about what it has sent, after a cursor."""
        return wire.read(*self._ask(wire.outbox(after, limit)), wire.outboxes)

    def track(
        self,
        document: str,
        *,
        below: str | None = None,
        state: str | None = None,
        limit: int = 100,
        page: int = 0,
    ) -> Tracking:
        """Say who has a document (its key, or ``<sender>|<document id>``) and who not.

        `below` narrows counts and page to the units below one, `state` the page to one state.
        """
        request = wire.track(document, limit, page, below, state)
        return wire.read(*self._ask(request), wire.trackings)

    def holds(
        self, *, document: str = "", state: str = "held", limit: int = 100, page: int = 0
    ) -> Holds:
        """List held parts that the own unit may approve or has sent, the oldest first.

        With a `document` (its key) `state` may be any state, or "" for all.
        """
        request = wire.holds(document, state, limit, page)
        return wire.read(*self._ask(request), wire.hold_pages)

    def hold(self, hold: str) -> HoldShown:
        """Return one held part by its id (``<document key>/<part>``)."""
        return wire.read(*self._ask(wire.hold(hold)), wire.held)

    def approve(self, hold: str, *, reason: str = "", unit: str | None = None) -> HoldShown:
        """Approve a held part; an operator names the `unit` in whose name it acts."""
        return wire.read(*self._ask(wire.approve(hold, reason, unit)), wire.held)

    def deny(self, hold: str, reason: str, *, unit: str | None = None) -> HoldShown:
        """Deny a held part for good; its sender is told the reason."""
        return wire.read(*self._ask(wire.deny(hold, reason, unit)), wire.held)

    def explain(self, document: str, unit: str) -> Explanation:
        """Say why a unit receives a document, or why not."""
        return wire.read(*self._ask(wire.explain(document, unit)), wire.explanations)

    def resolve(
        self,
        selector: str,
        *,
        at_us: int | None = None,
        known_at_us: int | None = None,
        sender: str | None = None,
        explain: str | None = None,
        roll_up: bool = False,
        limit: int = 100,
        page: int = 0,
    ) -> Resolved:
        """Say whom a selector selects; a page of `limit` units is listed.

        `known_at_us` asks as the directory was known then; `sender` is the unit that
        `sender` in the selector means (the token's); `explain` asks of one unit why it is
        selected or not; `roll_up` asks for the members by tier and province.
        """
        question = ResolveRequest(
            selector, at_us, limit, known_at_us, sender, explain, roll_up, page
        )
        return wire.read(*self._ask(wire.resolve(question)), wire.resolutions)

    def unit(self, code: str) -> Unit:
        """Return one unit by its code in either form."""
        return wire.read(*self._ask(wire.unit(code)), wire.units)

    def whoami(self) -> Principal:
        """Return whom the token stands for."""
        return wire.read(*self._ask(wire.WHOAMI), wire.principals)

    def _ask(self, request: wire.Request) -> tuple[int, bytes]:
        pause_s = wire.PAUSE_S
        for attempt in range(wire.ATTEMPTS):
            if attempt:
                time.sleep(pause_s)
                pause_s *= 2
            with self._lock:
                if self._closed:
                    raise ClosedError("engine.closed")
                try:
                    return self._exchange(request)
                except (OSError, http.client.HTTPException) as error:
                    self._drop()
                    reason = type(error).__name__
        raise OverloadedError("server.unreachable", reason=reason)

    def _exchange(self, request: wire.Request) -> tuple[int, bytes]:
        connection = self._connect(self._timeout_s + request.wait_s)
        headers = {**self._headers, "Content-Type": request.kind.encode()}
        connection.request(request.method, request.path, request.body or None, headers)
        response = connection.getresponse()
        body = response.read()
        if response.will_close:
            self._drop()
        return response.status, body

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        connection = self._connection
        if connection is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            connection = self._connection = kind(self._host, self._port, timeout=timeout_s)
        connection.timeout = timeout_s
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
