"""The front: one ASGI application that admits, authenticates and hands on each request.

Hot paths go to bare handlers; the rest goes to Litestar, with its small body already read
inside the bounds.  Whatever goes wrong is answered with problem details.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from litestar import Litestar
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import Receive as LitestarReceive
from litestar.types import Scope as LitestarScope
from litestar.types import Send as LitestarSend

from router import limits
from router.engine import Engine
from router.errors import MalformedError, NotFoundError, VanbanError
from router.server.batcher import Batcher
from router.server.holds import hold_handlers
from router.server.hot import HotEndpoints
from router.server.logs import AccessLog, describe_fault
from router.server.lookups import answer_error, handlers
from router.server.metrics import KIND, EngineCollector, MetricsPage
from router.server.openapi import API_VERSION, TITLE, build_document
from router.server.requests import (
    JSON,
    Call,
    ClientGoneError,
    Gate,
    Message,
    Receive,
    Scope,
    Send,
    actor_of,
    bearer_of,
)
from router.server.seats import CALL
from router.server.tallies import Tallies, Tally
from router.server.verdicts import verdict_handlers
from router.server.waiters import Waiters
from router.settings import Settings

logger = logging.getLogger(__name__)
Handler = Callable[[Call], Awaitable[None]]
_ALLOWED: Final = {"GET": ("GET", "HEAD"), "POST": ("POST",)}
_ANSWERS: Final = ("/approve", "/deny")
"""How routes with parts that vary end, where something is posted."""
_PREFIXES: Final = ("/v1/", "/healthz", "/readyz")


def litestar_app(engine: Engine) -> Litestar:
    """Return the Litestar part of the API (no documentation pages: they load from CDNs)."""
    return Litestar(
        route_handlers=[
            *handlers(engine),
            *hold_handlers(engine),
            *verdict_handlers(engine),
        ],
        exception_handlers={Exception: answer_error},
        openapi_config=OpenAPIConfig(
            title=TITLE,
            version=API_VERSION,
            render_plugins=[JsonRenderPlugin()],
            use_handler_docstrings=True,
        ),
        logging_config=None,
        debug=False,
        request_max_body_size=limits.CONTROL_BODY_BYTES_MAX,
    )


class Service:
    """The whole HTTP service over one engine, as an ASGI application.

    `access` writes one line for each request that may have changed something.  `tallies` are
    the counts of all processes that serve, `tally` those of this one.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        access: AccessLog | None = None,
        tallies: Tallies | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._access = access if settings.http.access_log else None
        http = settings.http
        self.gate = Gate(http.requests_waiting_max, http.body_bytes_waiting_max)
        self.waiters = Waiters(http.long_polls_max)
        self._collector = EngineCollector(
            engine.counters, engine.healthy, self.gate, self.waiters, tallies, tally
        )
        self._metrics = MetricsPage(self._collector)
        self._litestar = litestar_app(engine)
        self._posts = {route.path for route in self._litestar.routes if _takes_posts(route)}
        self._openapi = json.dumps(build_document(self._litestar), ensure_ascii=False).encode()
        hot = HotEndpoints(engine, settings, Batcher(engine.submit_many, log_fault), self.waiters)
        self._hot: dict[str, Handler] = {
            "/v1/documents": hot.submit,
            "/v1/documents/batch": hot.submit_batch,
            "/v1/inbox/lease": hot.lease,
            "/v1/inbox/acknowledge": hot.acknowledge,
            "/v1/inbox/refuse": hot.refuse,
            "/v1/inbox/extend": hot.extend,
            "/v1/inbox/give-back": hot.give_back,
        }
        self._pages: dict[str, Handler] = {"/metrics": self._page, "/openapi.json": self._page}
        engine.listen(self.waiters.arrived)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop this service runs on, before the first request."""
        self.waiters.bind(loop)
        self._collector.note_often(loop)

    def begin_stop(self) -> None:
        """Refuse what is new from now on and answer the long polls empty."""
        self.gate.stopping = True
        self.waiters.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        hot = self._hot.get(path)
        page = self._pages.get(path)
        known = hot is not None or page is not None or path in ("/healthz", "/readyz")
        count = partial(self._collector.count, path if known else "lookups")
        call = Call(scope, receive, send, self.gate, count)
        counted = False
        try:
            if hot is not None or path.startswith("/v1/"):
                self.gate.enter()
                counted = True
            if hot is not None:
                await self._serve(call, hot, "POST")
            elif page is not None:
                await self._serve(call, page, "GET")
            else:
                await self._look_up(call, path)
        except ClientGoneError:
            pass
        except VanbanError as error:
            if call.status == 0:
                await call.refuse(error)
        except Exception as error:
            await self._answer_fault(call, error)
        finally:
            if counted:
                self.gate.leave(call.held)
            self._end(call, count, path if hot is not None else "")

    async def _serve(self, call: Call, handler: Handler, method: str) -> None:
        given: str = call.scope["method"]
        allowed = _ALLOWED[method]
        if given not in allowed:
            raise MalformedError("request.method", method=given, allowed=", ".join(allowed))
        if method == "POST":
            self._authenticate(call)
        await handler(call)

    async def _page(self, call: Call) -> None:
        if call.scope["path"] == "/metrics":
            await call.answer(200, self._metrics.render(), KIND)
        else:
            await call.answer(200, self._openapi)

    def _authenticate(self, call: Call) -> None:
        call.principal = self._engine.authenticate(bearer_of(call.headers))
        call.actor = actor_of(call.headers, call.principal.name)

    async def _look_up(self, call: Call, path: str) -> None:
        """Hand the request to Litestar with its body read and the principal in the scope."""
        if not path.startswith(_PREFIXES):
            raise NotFoundError("request.not_found")
        scope = dict(call.scope)
        if scope["method"] == "HEAD":  # answered as GET; the server below drops the body
            scope["method"] = "GET"
        if path.startswith("/v1/"):
            self._authenticate(call)
            # The handlers unquote once themselves, so that an id may hold a slash as %2F.
            scope["path"] = scope["raw_path"].decode("ascii")
        route = path.rstrip("/")
        posts = route in self._posts or route.endswith(_ANSWERS)
        posted = scope["method"] == "POST" and posts
        if posted:  # else the router says 404 or 405, which matter more than the type
            call.require_type(JSON)
        body = await call.read(limits.CONTROL_BODY_BYTES_MAX, self._settings.http.body_read_s)
        if not body and posted:
            raise MalformedError("json.malformed", reason="the body is empty")
        scope[CALL] = call
        call.stopping = self.gate.stopping
        await self._litestar(*_as_litestar(scope, _replayed(body), call.counting_send))

    async def _answer_fault(self, call: Call, error: Exception) -> None:
        fault = log_fault(error)
        if call.status == 0:
            await call.refuse(fault)

    def _end(self, call: Call, count: Callable[[int], None], changing: str) -> None:
        """Count who was not answered; log the answer when it may have changed something."""
        if call.status == 0:
            count(0)
        if self._access is not None and changing:
            principal = call.principal
            self._access.info(
                "request",
                path=changing,
                status=call.status,
                unit=principal.code if principal is not None else "",
                token=principal.token if principal is not None else "",
                actor=call.actor,
                code=call.code,
            )


def log_fault(error: Exception) -> VanbanError:
    """Log an unforeseen exception under a reference; return the error that names it."""
    reference = secrets.token_hex(6)
    logger.error("fault %s: %s", reference, describe_fault(error))
    return VanbanError("server.fault", reference=reference)


def _takes_posts(route: object) -> bool:
    return "POST" in getattr(route, "methods", ())


def _replayed(body: bytes) -> Receive:
    """Return a receive that gives the body that was read already, then waits for ever."""
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _as_litestar(
    scope: Scope, receive: Receive, send: Send
) -> tuple[LitestarScope, LitestarReceive, LitestarSend]:
    """Name our plain ASGI types in Litestar's words."""
    return _cast(scope), _cast(receive), _cast(send)


def _cast(value: Any) -> Any:
    return value
