"""HTTP on uvloop: the only room with an event loop.

Bytes to model and back, authentication, bounds, waiting; it decides nothing about
documents.  `serve` runs the daemon, `BackgroundServer` the same on a thread.
"""

from router.server.app import Service
from router.server.daemon import BackgroundServer, serve

__all__ = ["BackgroundServer", "Service", "serve"]
