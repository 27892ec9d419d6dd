"""The door for embedders: `router.Engine` and the names it answers with.

Every name is loaded when it is first asked for, so `import router` loads no event loop, no
server and no cryptography, and opens nothing.  What is not listed here is reached through
its own module, such as `router.model.documents`.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from router.engine import Engine
    from router.errors import VanbanError
    from router.model.answers import Delivery, Explanation, Problem, Receipt, Tracking
    from router.model.documents import Document, Envelope
    from router.model.units import Unit
    from router.settings import Settings

    __version__: str

__all__ = [
    "Delivery",
    "Document",
    "Engine",
    "Envelope",
    "Explanation",
    "Problem",
    "Receipt",
    "Settings",
    "Tracking",
    "Unit",
    "VanbanError",
    "__version__",
]

_DISTRIBUTION: Final = "vanban-router"
_ROOMS: Final[dict[str, str]] = {
    "Delivery": "router.model.answers",
    "Document": "router.model.documents",
    "Engine": "router.engine",
    "Envelope": "router.model.documents",
    "Explanation": "router.model.answers",
    "Problem": "router.model.answers",
    "Receipt": "router.model.answers",
    "Settings": "router.settings",
    "Tracking": "router.model.answers",
    "Unit": "router.model.units",
    "VanbanError": "router.errors",
}


def __getattr__(name: str) -> object:
    """Load one of the door's names from its room.  Raises AttributeError for others."""
    if name == "__version__":
        from importlib.metadata import version

        value: object = version(_DISTRIBUTION)
    elif name in _ROOMS:
        value = getattr(_room(_ROOMS[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _room(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("router._"):
            raise
        raise ImportError(
            "these are the sources of router, which are not compiled; "
            "start Python with -P, or from another folder, to reach the installed package",
            name=error.name,
        ) from None


def __dir__() -> list[str]:
    """List the door's names, loaded or not."""
    return sorted({*globals(), *__all__})
