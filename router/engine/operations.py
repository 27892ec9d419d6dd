"""The engine's calls for who runs it: how the queue stands, backups.

They are for operators and look at all documents.  Each reads in short pieces, so others wait
for none of them; copying the state for a backup is the one long reading.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from router.engine.facts import read_delivery_id
from router.engine.queue_lists import QueueLists
from router.engine.queue_shape import QueueShape
from router.engine.state import Rooms
from router.engine.tracking import Tracker
from router.errors import InputError, NotFoundError
from router.limits import OLDEST_LOOKED_MAX, QUEUE_PAGE_MAX
from router.model.answers import DELIVERY_ID_CHARS
from router.model.instants import SECOND_US, show_instant
from router.model.operations import (
    Backup,
    Listed,
    QueueStats,
    Restoration,
    Shape,
    Shown,
    Waited,
)
from router.ports import Clock
from router.queue import Queue
from router.queue.backup import back_up
from router.queue.listing import instant_of, oldest_open
from router.queue.restored import restorations

_log: Final = logging.getLogger("router.engine")


def _all(_unit: int) -> bool:
    """Let an operator see the documents of every unit."""
    return True


class OperationsFace:
    """What `Engine` answers about its queue and its files."""

    _rooms: Rooms
    _queue: Queue
    _tracker: Tracker
    _clock: Clock
    _oldest_from: tuple[int, int] = (0, 0)

    def _alive(self) -> None:
        raise NotImplementedError

    def queue_stats(self) -> QueueStats:
        """Return counters, sizes, how far LMDB is behind the log, the oldest open document."""
        self._alive()
        now_us = self._clock.now_us()
        store = self._queue.store
        counters = self._queue.counts()
        sizes, base = store.sizes(), store.base_info()
        oldest, searched = self._oldest_open(now_us, counters)
        behind = sizes["last"] - sizes["checkpointed"]
        since_us = instant_of(self._queue, sizes["checkpointed"] + 1) if behind else None
        return QueueStats(
            at=show_instant(now_us),
            counters=counters,
            epoch=sizes["epoch"],
            sequence=sizes["last"],
            behind=behind,
            behind_s=0 if since_us is None else max(now_us - since_us, 0) // SECOND_US,
            log_bytes=store.log_bytes(),
            overlay_bytes=sizes["overlay_bytes"],
            map_bytes=base.get("map_bytes", 0),
            file_bytes=base.get("file_bytes", 0),
            used_bytes=base.get("used_bytes", 0),
            checkpoints=sizes["checkpoints"],
            flushes=sizes["flushes"],
            oldest=oldest,
            searched=searched,
            refusing=bool(store.refusing),
            disk_free_bytes=store.space.free_bytes,
            disk_reserve_bytes=store.space.reserve_bytes,
            restorations=tuple(
                Restoration(
                    act.sequence, show_instant(act.made_at), show_instant(record.at), record.actor
                )
                for _, record, act in restorations(store)
            ),
        )

    def _oldest_open(self, now_us: int, counters: dict[str, int]) -> tuple[Waited | None, bool]:
        """Return the oldest document with open deliveries, and whether it was looked for enough.

        What is over stays so unless entries join it, so each call goes on where the last one
        ended, as long as no document has got further entries since.
        """
        further = counters["entries"] - counters["documents"]
        known, start = self._oldest_from
        found, reached = oldest_open(
            self._queue, start if known == further else 0, OLDEST_LOOKED_MAX, now_us
        )
        self._oldest_from = further, reached
        if found is None:
            return None, reached > self._queue.store.last
        age_s = max(now_us - found.at, 0) // SECOND_US
        return Waited(found.key.hex(), show_instant(found.at), age_s), True

    def queue_list(
        self,
        *,
        deliveries: bool = False,
        state: str = "",
        unit: str | int | None = None,
        older_s: int = 0,
        limit: int = 100,
        after: str = "",
    ) -> Listed:
        """List documents, or deliveries, in the order of acceptance.

        `state` narrows to documents with deliveries in that state, or to those deliveries;
        "open" means queued or leased, which is what is listed of deliveries unless told.
        `unit` is the sender of documents, the address of deliveries; `older_s` leaves out
        what was accepted less long ago.  `after` is `next_after` of the page before.  Raises
        InputError, NotFoundError.
        """
        self._alive()
        now_us = self._clock.now_us()
        if not 1 <= limit <= QUEUE_PAGE_MAX:
            raise InputError(
                "field.invalid", path="$.limit", reason=f"limit is 1 to {QUEUE_PAGE_MAX}"
            )
        number = None if unit is None else self._rooms.unit(unit, now_us).number
        lists = QueueLists(self._rooms, self._queue, now_us)
        before_us = now_us - older_s * SECOND_US
        if deliveries:
            return lists.deliveries(state or "open", number, before_us, limit, after)
        return lists.documents(state, number, before_us, limit, after)

    def queue_show(self, name: str, *, limit: int = 100, page: int = 0) -> Shown:
        """Return one document with a page of its deliveries, or one delivery with its history.

        `name` is a document's key (hex) or ``<sender code>|<document id>``, or a delivery's id.
        Raises NotFoundError.
        """
        self._alive()
        try:
            found = self._tracker.track(name, _all, limit, page)
        except NotFoundError as error:
            if error.code != "document.not_found" or "|" in name:
                raise
            try:
                delivery = self._tracker.delivery(name, _all)
            except NotFoundError:
                if len(name) == DELIVERY_ID_CHARS:
                    raise
                raise error from None  # by its form it is no delivery's id
            return Shown(delivery=delivery, key=read_delivery_id(name)[0].hex())
        return Shown(document=found, key=found.key)

    def queue_shape(self, *, by: str = "unit", within: str | int | None = None,
                    limit: int = 100) -> Shape:  # fmt: skip
        """Count open deliveries by destination and age (after Postfix's qshape).

        `by` is "unit", "parent" or "tier"; `within` narrows to one unit and those below it.
        Reads one inbox after the other, not the documents.  Raises InputError, NotFoundError.
        """
        self._alive()
        now_us = self._clock.now_us()
        if not 1 <= limit <= QUEUE_PAGE_MAX:
            raise InputError(
                "field.invalid", path="$.limit", reason=f"limit is 1 to {QUEUE_PAGE_MAX}"
            )
        top = None if within is None else self._rooms.unit(within, now_us).number
        return QueueShape(self._rooms, self._queue, now_us).shape(by, top, limit)

    def backup(self, path: str) -> Backup:
        """Copy the data directory as of one instant into a new directory, and verify the copy.

        The engine goes on meanwhile.  `path` is absolute (of this machine, as the process sees
        it that owns the data directory).  Raises StorageError `store.exists`, `store.full`,
        `store.no_log`, …; then nothing is left of the copy.
        """
        self._alive()
        target = Path(path)
        if not target.is_absolute() or "\0" in path:
            said = "the path of a backup begins with “/”, and holds no zero byte"
            raise InputError("field.invalid", path="$.path", reason=said)
        made = back_up(self._queue.store, target, self._clock.now_us())
        _log.info("backup of sequence %d made in %s: %d bytes", made.sequence, path, made.bytes)
        return Backup(
            str(target), made.sequence, made.epoch, show_instant(made.at), made.bytes,
            made.documents,
        )  # fmt: skip
