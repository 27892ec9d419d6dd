"""Fetching revocation data: the daemon's background task, beside all requests and never in one.

The engine says what it wants; here it is fetched, by GET (lists) or POST (OCSP, RFC 6960,
appendix A), and handed in.  Who certifies could name any address, so only hosts that the
operator allows are asked, by http or https, without redirections, proxies, cookies or
compression, within bounds of size and time; what comes is judged by the engine.

Each host has its own task and its own pauses: one that hangs, fails or lies costs the others
nothing.  Pauses grow to `FETCH_PAUSE_S_MAX` and are drawn at random within a half, so that the
daemons of a country do not all come back in the same second.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections.abc import Iterable
from typing import Final, NamedTuple, Self
from urllib.parse import urlsplit

import aiohttp

from router import limits
from router.engine import Engine
from router.errors import ClosedError, InputError, VanbanError
from router.model.revocation import Wanted
from router.settings import RevocationSettings

_log: Final = logging.getLogger("router.server")
LOOK_S: Final = 1.0
"""How often the daemon looks for what should be fetched."""
_ACTOR: Final = "fetching"
_PORTS: Final = {"http": 80, "https": 443}
_REQUEST: Final = {
    "content-type": "application/ocsp-request",
    "accept": "application/ocsp-response",
}
_PLAIN: Final = {"accept-encoding": "identity"}
_READ_BYTES: Final = 65_536
_NEVER: Final = frozenset({"text/html", "text/plain", "application/json", "application/xml"})
"""Kinds of content that no list or response has: a page of a portal, an error."""


class FetchError(Exception):
    """An address gave nothing that could be used; `str` says why, without content of it."""


class Pause(NamedTuple):
    """When a host or an address may be asked again, and how often it failed in a row."""

    until: float
    failures: int


class Pauses:
    """Who is left alone until when; bounded by what is wanted at once."""

    def __init__(self, first_s: float, last_s: float) -> None:
        self._first_s = first_s
        self._last_s = last_s
        self._known: dict[str, Pause] = {}
        # Who asks at the same time as all others is a load; no secret rests on this.
        self._chance = random.SystemRandom()

    def over(self, name: str, now: float) -> bool:
        """Say whether a host or an address may be asked."""
        return self._known.get(name, Pause(0, 0)).until <= now

    def failed(self, name: str, now: float) -> float:
        """Note a failure; return the seconds of the pause: doubled each time, within bounds."""
        failures = self._known.get(name, Pause(0, 0)).failures + 1
        whole = min(self._last_s, self._first_s * 2 ** min(failures - 1, 30))
        pause = float(whole * self._chance.uniform(0.5, 1.0))
        if len(self._known) >= limits.REVOCATION_SEEN_MAX:
            self._known = {key: one for key, one in self._known.items() if one.until > now}
        self._known[name] = Pause(now + pause, failures)
        return pause

    def succeeded(self, name: str, until: float = 0) -> None:
        """Forget the failures; with `until` it is left alone for a while nevertheless."""
        self._known.pop(name, None)
        if until:
            self._known[name] = Pause(until, 0)


class Fetcher:
    """Fetches what an engine wants, on a thread with a loop of its own.  A context manager.

    `look_s` is how often it asks the engine, `first_s` and `last_s` bound the pauses after
    failures, `retry_s` is the pause of an address that has just been answered.  Does nothing,
    and says so once, when the settings allow no host.
    """

    def __init__(
        self,
        engine: Engine,
        settings: RevocationSettings,
        *,
        look_s: float = LOOK_S,
        first_s: float = limits.FETCH_PAUSE_S_MIN,
        last_s: float = limits.FETCH_PAUSE_S_MAX,
        retry_s: float = limits.REVOCATION_RETRY_S / 2,
    ) -> None:
        self._retry_s = retry_s
        self._engine = engine
        self._hosts = settings.hosts
        self._timeout = aiohttp.ClientTimeout(
            total=settings.timeout_s, sock_connect=min(settings.timeout_s, 10.0)
        )
        self._on = settings.fetch and bool(self._hosts)
        self._look_s = look_s
        self._pauses = Pauses(first_s, last_s)
        self._stopping = threading.Event()
        self._wake: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._body, name="vanban-fetching", daemon=True)
        self._told: set[str] = set()

    def __enter__(self) -> Self:
        """Start."""
        if self._on:
            self._thread.start()
        else:
            _log.info("revocation data is not fetched: revocation.allowed_hosts names no host")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; what is under way is given up."""
        self._stopping.set()
        loop, wake = self._loop, self._wake
        if loop is not None and wake is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(wake.set)
            except RuntimeError:  # it has ended meanwhile
                _log.debug("the loop of the fetching has ended already")
        if self._thread.is_alive():
            self._thread.join()

    def _body(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception:
            _log.exception("fetching revocation data has ended")

    async def _run(self) -> None:
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        tasks: dict[str, asyncio.Task[None]] = {}
        async with aiohttp.ClientSession(
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"user-agent": "vanban-router", **_PLAIN},
        ) as session:
            while not self._stopping.is_set():
                tasks = {host: task for host, task in tasks.items() if not task.done()}
                try:
                    for host, wants in self._by_host(self._engine.revocation_wanted()).items():
                        if host not in tasks and self._pauses.over(host, self._loop.time()):
                            tasks[host] = asyncio.create_task(self._serve(session, host, wants))
                except ClosedError:
                    break
                except VanbanError as error:  # the owner is away; the next look may find it
                    _log.debug("what to fetch is not known: %s", error)
                try:
                    await asyncio.wait_for(self._wake.wait(), self._look_s)
                except TimeoutError:
                    continue
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    def _by_host(self, wanted: Iterable[Wanted]) -> dict[str, list[tuple[Wanted, str]]]:
        """Sort what is wanted by the host of the first address that may be asked now."""
        now = asyncio.get_running_loop().time()
        found: dict[str, list[tuple[Wanted, str]]] = {}
        for one in wanted:
            allowed = [(url, host_of(url, self._hosts)) for url in one.urls]
            usable = [(url, host) for url, host in allowed if host]
            if not usable:
                self._tell_forbidden(one)
                continue
            for url, host in usable:
                if self._pauses.over(host, now) and self._pauses.over(_name(one, url), now):
                    found.setdefault(host, []).append((one, url))
                    break
        return found

    def _tell_forbidden(self, one: Wanted) -> None:
        """Say once for each authority that none of its addresses may be asked."""
        name = f"{one.kind} {one.issuer_sha256}"
        if name in self._told:
            return
        if len(self._told) >= limits.REVOCATION_LISTS_MAX:
            self._told.clear()
        self._told.add(name)
        host = urlsplit(one.urls[0]).netloc if one.urls else ""
        self._note(one, f"the host {host} is not among revocation.allowed_hosts")

    async def _serve(
        self, session: aiohttp.ClientSession, host: str, wants: list[tuple[Wanted, str]]
    ) -> None:
        """Fetch one after the other from one host, until it fails as a whole."""
        loop = asyncio.get_running_loop()
        for one, url in wants:
            try:
                content = await self._fetch(session, one, url)
                self._pauses.succeeded(host)
                # Judging a large list takes a while: beside the other hosts, not before them.
                await asyncio.to_thread(self._hand_in, one, url, content)
                # An answer that is good and not what was asked for leaves it wanted.
                self._pauses.succeeded(_name(one, url), loop.time() + self._retry_s)
            except FetchError as error:  # this address; the host has answered
                self._pauses.succeeded(host)
                self._failed(one, url, str(error))
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                pause = self._pauses.failed(host, loop.time())
                said = type(error).__name__
                _log.warning("%s: %s; asked again in %.0f s", host, said, pause)
                self._note(one, f"{host}: {said}")
                return
            except ClosedError:
                return
            except VanbanError as error:  # the owner, not the address
                _log.debug("what was fetched could not be handed in: %s", error)
                return
            except Exception:  # a fault of ours: told once a pause, and the others go on
                _log.exception("%s: a fault while fetching", host)
                self._failed(one, url, "a fault of the daemon; see its log")

    async def _fetch(self, session: aiohttp.ClientSession, one: Wanted, url: str) -> bytes:
        """Return what an address answers.  Raises FetchError, OSError, aiohttp's errors."""
        method, headers = ("POST", _REQUEST) if one.kind == "ocsp" else ("GET", {})
        bound = limits.OCSP_BYTES_MAX if one.kind == "ocsp" else limits.CRL_BYTES_MAX
        async with session.request(
            method, url, data=one.body or None, headers=headers, allow_redirects=False
        ) as answer:
            if answer.status != 200:
                raise FetchError(f"status {answer.status}")
            if answer.headers.get("content-encoding", "identity").lower() != "identity":
                raise FetchError("the answer is compressed")
            if answer.content_type.lower() in _NEVER:
                raise FetchError(f"an answer of the kind {answer.content_type}")
            if (answer.content_length or 0) > bound:
                raise FetchError(f"an answer over {bound} bytes")
            parts = bytearray()
            async for part in answer.content.iter_chunked(_READ_BYTES):
                parts += part
                if len(parts) > bound:
                    raise FetchError(f"an answer over {bound} bytes")
        return bytes(parts)

    def _hand_in(self, one: Wanted, url: str, content: bytes) -> None:
        """Give the engine what came.  Raises FetchError when it is not good."""
        try:
            added = self._engine.add_revocation(content, kind=one.kind, url=url, actor=_ACTOR)
        except InputError as error:
            raise FetchError(f"{error.code}") from None
        if added.issuer_sha256 != one.issuer_sha256:
            _log.debug("%s gave data of another authority", url)
        if added.new:
            _log.info("fetched %s of %s: %d entries", one.kind, added.issuer, added.entries)

    def _failed(self, one: Wanted, url: str, reason: str) -> None:
        pause = self._pauses.failed(_name(one, url), asyncio.get_running_loop().time())
        _log.warning("%s: %s; asked again in %.0f s", url, reason, pause)
        self._note(one, reason)

    def _note(self, one: Wanted, reason: str) -> None:
        try:
            self._engine.revocation_failed(one.issuer_sha256, reason)
        except VanbanError as error:
            _log.debug("a failure could not be told: %s", error)


def host_of(url: str, allowed: frozenset[str]) -> str:
    """Return the host of an address as the settings name it; "" when it may not be asked.

    Allowed is exactly ``host`` (on the usual port of the scheme) or ``host:port``.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    usual = _PORTS.get(parts.scheme)
    if usual is None or not host or parts.username is not None or parts.password is not None:
        return ""
    named = f"[{host}]" if ":" in host else host
    exact = f"{named}:{usual if port is None else port}"
    if exact in allowed:
        return exact
    return named if port in {None, usual} and named in allowed else ""


def _name(one: Wanted, url: str) -> str:
    """Return what pauses are kept under: an address, and the question of a responder."""
    return url if one.kind == "crl" else f"{url} {one.body.hex()}"
