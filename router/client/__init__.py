"""The Python client of the HTTP API; says the same as the embedded engine would.

`Client` is synchronous and needs nothing but the base install, `AsyncClient` uses aiohttp
(extra `http`) and is loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.client.blocking import Client

if TYPE_CHECKING:
    from router.client.concurrent import AsyncClient

__all__ = ["AsyncClient", "Client"]


def __getattr__(name: str) -> object:
    if name == "AsyncClient":
        from router.client.concurrent import AsyncClient

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
