"""The durable queue: one log of records, the state they lead to, and its stores.

`queue.py` is the room's door.  `records.py` says what is written, `state.py` what each
record changes, `tables.py` how the state is laid out, `inbox.py` how a unit's inbox is
computed, `group.py` how callers share a flush.  `lmdb_store.py` and `memory_store.py`
implement the durability port of `router.ports`; `check.py` holds a store against the log.
"""

from router.queue.lmdb_store import LmdbStore
from router.queue.memory_store import MemoryDisk, MemoryStore
from router.queue.queue import Queue
from router.queue.records import (
    Acceptance,
    Accepted,
    Conflict,
    DeliveryRow,
    Event,
    Leased,
    Repeated,
    RoomRecord,
    Settlement,
    StoredAudience,
    StoredDocument,
)

__all__ = [
    "Acceptance",
    "Accepted",
    "Conflict",
    "DeliveryRow",
    "Event",
    "Leased",
    "LmdbStore",
    "MemoryDisk",
    "MemoryStore",
    "Queue",
    "Repeated",
    "RoomRecord",
    "Settlement",
    "StoredAudience",
    "StoredDocument",
]
