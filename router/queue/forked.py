"""What a process lets go of when it was forked from the owner of a data directory.

A fork copies open files: the child would go on holding the directory after its parent has
died, and nobody could own it.  It copies locks as they are, held by threads that the child
does not have, and files with the parent's places in them.  So the child gives the directory's
lock up and finds every store closed; the parent goes on as if nothing had been.
"""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from router.queue._store import Store

_locks: Final[set[int]] = set()  # open files that hold a directory; the GIL guards it
_stores: Final[weakref.WeakSet[Store]] = weakref.WeakSet()


def hold(lock: int) -> int:
    """Note that an open file holds a directory for this process; return it."""
    _locks.add(lock)
    return lock


def let_go(lock: int) -> None:
    """Close a file that `hold` was told of; nothing in a child, which has closed it."""
    if lock in _locks:
        _locks.discard(lock)
        os.close(lock)


def note(store: Store) -> None:
    """Note that a store is this process's own."""
    _stores.add(store)


def _leave_to_the_parent() -> None:
    for lock in list(_locks):
        let_go(lock)
    for store in list(_stores):
        store.disown()


os.register_at_fork(after_in_child=_leave_to_the_parent)
