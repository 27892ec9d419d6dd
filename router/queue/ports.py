"""The durability ports under one name."""

from __future__ import annotations

from router.queue.group_store import GroupStore
from router.queue.log_store import LogStore
from router.queue.memory_store import MemoryStore

AnyStore = LogStore | GroupStore | MemoryStore
"""A store of any port: what the queue and the engine stand on."""
