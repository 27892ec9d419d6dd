"""Crashes at every kind of instant, on the memory port.

A `FaultyStore` stands between the engine and one opening of a memory disk.  A crash ends
the "process": nothing of this opening works afterwards, and only what had been flushed is
found at the next opening.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from random import Random

from router.errors import StorageError
from router.ports import Log, Store, Transaction, View


class CrashError(BaseException):
    """The simulated process died.  No handler of ordinary errors may catch it."""


class Fault(Enum):
    """What goes wrong, and when."""

    MIDDLE = "in the middle of a group"
    BEFORE = "before the flush"
    AFTER = "after the flush, before the answer"
    FAILED = "the flush fails"


@dataclass
class FaultPlan:
    """The next fault, if any: at the n-th group from now (1 is the next)."""

    fault: Fault | None = None
    groups_left: int = 0
    writes_left: int = 0
    struck: int = 0

    def arm(self, random: Random) -> None:
        """Plan one fault for one of the next groups."""
        self.fault = random.choice(list(Fault))
        self.groups_left = random.choice([1, 1, 1, 2, 3])
        self.writes_left = random.randint(0, 12)

    def disarm(self) -> None:
        """Forget the plan."""
        self.fault = None

    def due(self) -> Fault | None:
        """Count one group; return the fault that strikes it."""
        if self.fault is None:
            return None
        self.groups_left -= 1
        if self.groups_left > 0:
            return None
        fault, self.fault = self.fault, None
        self.struck += 1
        return fault


class FaultyStore:
    """One opening of a store that dies as planned; implements `ports.Store`."""

    def __init__(self, inner: Store, plan: FaultPlan) -> None:
        self._inner = inner
        self._plan = plan
        self.dead = False

    @property
    def epoch(self) -> int:
        """The number of this opening."""
        return self._inner.epoch

    @property
    def idle_flush_s(self) -> float | None:
        """Nothing may happen by the clock: the store within says None."""
        return self._inner.idle_flush_s

    @property
    def log(self) -> Log:
        """The log of the store within."""
        self._alive()
        return self._inner.log

    def _alive(self) -> None:
        if self.dead:
            raise CrashError("this process is dead")

    def _die(self, fault: Fault) -> None:
        self.dead = True
        if fault is Fault.FAILED:
            raise StorageError("store.failed", reason=fault.value)
        raise CrashError(fault.value)

    @contextmanager
    def group(self) -> Iterator[Transaction]:
        """Open the write group; the planned fault strikes within or at its end."""
        self._alive()
        fault = self._plan.due()
        with self._inner.group() as transaction:
            if fault is Fault.MIDDLE:
                yield _DyingTransaction(transaction, self, self._plan.writes_left)
            else:
                yield transaction
            if fault is not None and fault is not Fault.AFTER:
                self._die(fault)
        if fault is Fault.AFTER:
            self._die(fault)

    @contextmanager
    def view(self) -> Iterator[View]:
        """Open a reading."""
        self._alive()
        with self._inner.view() as view:
            yield view

    def healthy(self) -> bool:
        """Say whether the process lives and its store is well."""
        return not self.dead and self._inner.healthy()

    def close(self) -> None:
        """Release the store within (a dead process's store is simply let go)."""
        self._inner.close()


class _DyingTransaction:
    """A group whose process dies after a number of writes."""

    def __init__(self, inner: Transaction, store: FaultyStore, writes_left: int) -> None:
        self._inner = inner
        self._store = store
        self._writes_left = writes_left

    @property
    def durable(self) -> int:
        return self._inner.durable

    def _count(self) -> None:
        self._writes_left -= 1
        if self._writes_left < 0:
            self._store._die(Fault.MIDDLE)

    def get(self, table: str, key: bytes) -> bytes | None:
        return self._inner.get(table, key)

    def scan(self, table: str, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        return self._inner.scan(table, start, stop)

    def record(self, sequence: int) -> bytes | None:
        return self._inner.record(sequence)

    def append(self, record: bytes) -> int:
        self._count()
        return self._inner.append(record)

    def put(self, table: str, key: bytes, value: bytes) -> None:
        self._count()
        self._inner.put(table, key, value)

    def delete(self, table: str, key: bytes) -> None:
        self._count()
        self._inner.delete(table, key)
