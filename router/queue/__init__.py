"""The durable queue: one log of records, the state they lead to, and its stores.

`queue.py` is the room's door.  `records.py` says what is written, `tables.py` how the state is
laid out, `transport.py` which moves a delivery may make.  The compiled state machine is the
`_*.pyx` beside them: overlay over base (`_state`), documents in (`_intake`), inboxes
(`_walk`), deliveries out (`_settle`, `_moves`), groups of callers (`_pipeline`, `_store`), the
segment log (`_log`).  `log_store.py`, `group_store.py` and `memory_store.py` are the three
durability ports over it.
"""

from router.queue import after, records
from router.queue._leased import Leased
from router.queue._store import Store
from router.queue.group_store import GroupStore
from router.queue.inboxes import Inbox, OpenCount, Waiting
from router.queue.log_store import LogStore
from router.queue.memory_store import MemoryDisk, MemoryStore
from router.queue.opening import open_store
from router.queue.ports import AnyStore
from router.queue.queue import Queue
from router.queue.reading import RELEASED, EntryRow
from router.queue.records import (
    Acceptance,
    Accepted,
    Conflict,
    DeliveryRow,
    Event,
    Overfull,
    Part,
    Repeated,
    RoomRecord,
    Settlement,
    StoredAudience,
    StoredDocument,
)
from router.queue.transport import FINAL, NAMES, State

__all__ = [
    "FINAL",
    "NAMES",
    "RELEASED",
    "Acceptance",
    "Accepted",
    "AnyStore",
    "Conflict",
    "DeliveryRow",
    "EntryRow",
    "Event",
    "GroupStore",
    "Inbox",
    "Leased",
    "LogStore",
    "MemoryDisk",
    "MemoryStore",
    "OpenCount",
    "Overfull",
    "Part",
    "Queue",
    "Repeated",
    "RoomRecord",
    "Settlement",
    "State",
    "Store",
    "StoredAudience",
    "StoredDocument",
    "Waiting",
    "after",
    "open_store",
    "records",
]
