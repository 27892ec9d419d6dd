"""The layout of the state: tables, keys, values.  `_layout.pxd` has the same for the core.

Keys begin with a sequence, a year, a snapshot or an address, so that what is written together
lies together.  Names chosen by senders (document ids, idempotency keys, numbers) stand in keys
only as the first 16 bytes of a SHA-256, under their calendar year, so that a whole year can go
at once.  Integers are big-endian: byte order is number order.

An entry's number is the sequence of its record times eight, plus its part of that record.

| table        | key                              | value |
|---|---|---|
| meta         | a name                           | counters, checkpoint, years |
| documents    | sequence                         | key, sender, instant, twin |
| keys         | key                              | sequence |
| ids          | year, digest(sender, act, id)    | sequence, content digest |
| idempotency  | year, digest(sender, key)        | sequence, content digest |
| numbers      | year, digest(number, sender)     | sequence of the first |
| audiences    | audience (its first entry)       | snapshot, size, SHA-256, runs |
| audience_ids | snapshot, digest(members)        | audience |
| entries      | document, entry                  | audience, cause, standing, counts |
| topics       | lane, topic, entry               | document, expiry, its runs there |
| cells        | entry, block of 64 ranks         | 64 cells: state, hand-outs, record, instant |
| open         | address, lane, entry             | lease's end, document, rank |
| cursors      | address, lane                    | topics' digest, handed out to, touched to |
| due          | hour, instant and entry          | entry, document |
| feed         | sender, sequence                 | what the sender is told |
| rooms        | room, sequence                   | (empty) |
| senders      | sender                           | entries that are not over |
| pending      | address                          | open deliveries written to it by name |
| pending      | audience                         | ranks written to by name, among others |
| spots        | sequence                         | where the record lies in the log |
| records      | sequence                         | the record, where there is no segment log |
"""

from __future__ import annotations

from typing import Final

TABLES: Final = (
    "meta", "documents", "keys", "ids", "idempotency", "numbers", "audiences", "audience_ids",
    "entries", "topics", "cells", "open", "cursors", "due", "feed", "rooms", "senders",
    "pending", "spots", "records",
)  # fmt: skip
"""The tables by number."""

_ORDERED_NAMES: Final = frozenset((
    "documents", "entries", "topics", "cells", "open", "due", "feed", "rooms", "spots", "records",
))  # fmt: skip
ORDERED: Final = tuple(name in _ORDERED_NAMES for name in TABLES)
"""Which tables are read in the order of the last eight bytes of their keys."""

OF_THE_LOG: Final = frozenset(("spots", "records"))
"""Tables that say where records lie: not part of the state, so not of its dump."""

COUNTERS: Final = (
    "documents", "entries", "recipients", "rooms", "leased", "delivered", "refused", "expired",
    "dead", "withdrawn", "excluded", "attempts", "in_flight",
)  # fmt: skip
"""Recipients are the members of all entries together; leased counts what is in that state,
also when the lease has run out; attempts are all hand-outs; in flight are entries that have
members which are not final."""
