"""Who asks, for the handlers that Litestar calls: established before it saw the request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from litestar import Request
from litestar.datastructures import State

from router.errors import NotFoundError
from router.model.answers import Principal
from router.server.requests import Call

CALL: Final = "vanban.call"
"""Where the `Call` stands in the ASGI scope."""
AnyRequest = Request[Any, Any, State]


def call_of(request: AnyRequest) -> Call:
    """Return the call that the front put into the scope."""
    scope: Mapping[str, Any] = request.scope
    call: Call = scope[CALL]
    return call


def principal_of(request: AnyRequest) -> Principal:
    """Return who asks; the front let nobody in without a token."""
    principal = call_of(request).principal
    if principal is None:
        raise NotFoundError("request.not_found")
    return principal
