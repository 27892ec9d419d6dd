"""The durable queue: one log of records, the state they lead to, and its stores.

`queue.py` is the room's door.  `records.py` says what is written, `state.py` what each
record changes, `tables.py` how the state is laid out, `inbox.py` how a unit's inbox is
computed, `group.py` how callers share a flush.  `lmdb_store.py` and `memory_store.py`
implement the durability port of `router.ports`; `check.py` holds a store against the log.
"""
