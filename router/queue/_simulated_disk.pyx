# cython: language_level=3
"""A disk in memory that can lose what was not flushed, tear, refuse, fill up and lie.

What a program did and what a power cut would leave are kept apart: the bytes of each file
as they read now, as they were last flushed, and the changes in between; and the same for
names.  After `crash` the disk holds what the power cut left, and can be opened again.
Nothing here looks at a clock or at chance of its own, so a seed replays a run.
"""

cimport cython
from libc.errno cimport EBADF, EEXIST, EIO, ENOENT, ENOSPC
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from router.queue._disk cimport Disk

__all__ = ["SimulatedDisk"]

cdef enum:
    SECTOR_BYTES = 512   # written whole or not at all
    EPOCH_BYTES = 8

_CALLS = frozenset((
    "open", "close", "size", "read", "write", "flush", "flush_names", "reserve", "truncate",
    "rename", "remove",
))
_OUTCOMES = frozenset(("fail", "full", "short", "skip"))


cdef class _File:
    def __cinit__(self):
        self.now = bytearray()
        self.flushed = bytearray()
        self.changes = []

    cdef int settle(self) except -1:
        """All that was done is durable."""
        for offset, data in self.changes:
            apply(self.flushed, offset, data)
        self.changes = []
        return 0


cdef int apply(bytearray into, offset, data) except -1:
    """Do one change: write bytes at an offset, or (no bytes) make the file that long."""
    stop = offset if data is None else offset + len(data)
    if stop > len(into):
        into.extend(bytes(stop - len(into)))
    if data is None:
        del into[offset:]
    else:
        into[offset:stop] = data
    return 0


@cython.no_gc_clear  # logs close their files when they go, in whatever order
cdef class SimulatedDisk(Disk):
    """A directory in memory.

    `counters` says how often each call was made; `room_bytes` how many more bytes fit
    (None: no end).  `plan` makes a call to come go wrong, `crash` cuts the power.
    """

    def __init__(self):
        self._files = {}
        self._kept = {}
        self._renamings = []
        self._open = {}
        self._handles = 2
        self._plans = []
        self.counters = dict.fromkeys(sorted(_CALLS), 0)
        self.room_bytes = None

    def plan(self, str call, int at, str outcome):
        """Let the `at`-th call from now on (1: the next) go wrong.

        `fail`: it reports EIO and does nothing; `full`: ENOSPC and nothing; `short`: the
        first half is done, then ENOSPC; `skip`: it reports success and does nothing.
        """
        if call not in _CALLS or outcome not in _OUTCOMES or at < 1:
            raise ValueError(f"no such plan: {call} {at} {outcome}")
        self._plans.append([call, at, outcome])

    def crash(self, chance, str mode="any"):
        """Cut the power: of what was not flushed, only some sectors are left.

        `chance` is a random.Random.  `mode` says what may be left: `none` of it, `all`,
        a `prefix` of the changes of each file (the last one torn), a `subset` of their
        sectors, or `any` of these, as chance has it.  Open files are closed.
        """
        if mode == "any":
            mode = chance.choice(("none", "all", "prefix", "subset", "subset"))
        files = dict(self._kept)
        left = {"none": 0, "all": len(self._renamings)}.get(mode)
        if left is None:
            left = chance.randint(0, len(self._renamings))
        for old, new, file in self._renamings[:left]:
            if old is not None:
                files.pop(old, None)
            if new is not None:
                files[new] = file
        for name in sorted(files):
            files[name] = _survivor(files[name], chance, mode)
        self._files = files
        self._kept = dict(files)
        self._renamings = []
        self._open = {}
        self._plans = []

    def clone(self):
        """Return a disk in the same state (open files, plans and unflushed changes too)."""
        cdef SimulatedDisk twin = SimulatedDisk()
        copies = {}
        for file in (*self._files.values(), *self._kept.values(), *self._open.values(),
                     *(entry[2] for entry in self._renamings)):
            if file is not None and id(file) not in copies:
                copies[id(file)] = _copy_of(file)
        twin._files = {name: copies[id(file)] for name, file in self._files.items()}
        twin._kept = {name: copies[id(file)] for name, file in self._kept.items()}
        twin._open = {handle: copies[id(file)] for handle, file in self._open.items()}
        twin._renamings = [
            (old, new, None if file is None else copies[id(file)])
            for old, new, file in self._renamings
        ]
        twin._handles = self._handles
        twin._salts = self._salts
        twin._plans = [list(plan) for plan in self._plans]
        twin.counters = dict(self.counters)
        twin.room_bytes = self.room_bytes
        return twin

    def contents(self, str name):
        """Return the bytes of a file as they read now.  Raises KeyError."""
        return bytes((<_File>self._files[name]).now)

    def place(self, str name, bytes data):
        """Put a file there, durably, as if it had always been."""
        cdef _File file = _File()
        file.now += data
        file.flushed += data
        self._files[name] = self._kept[name] = file

    def discard(self, str name):
        """Take a file away, durably.  Raises KeyError."""
        del self._files[name]
        self._kept.pop(name, None)

    cpdef list names(self):
        """Return the names of the files that are there."""
        return sorted(self._files)

    cpdef object free_bytes(self):
        """Return how many bytes there is room for."""
        return 1 << 40 if self.room_bytes is None else self.room_bytes

    cdef str planned(self, str call):
        """Count a call; return how it shall go wrong, or None."""
        cdef str outcome = None
        self.counters[call] += 1
        for plan in self._plans:
            if plan[0] == call:
                plan[1] -= 1
                if plan[1] == 0:
                    outcome = plan[2]
        if outcome is not None:
            self._plans = [plan for plan in self._plans if plan[1] > 0]
        return outcome

    cdef int refusal(self, str outcome):
        return {"fail": -EIO, "full": -ENOSPC}.get(outcome, 0)

    cdef int open(self, const char *name, bint create) noexcept nogil:
        with gil:
            return self._open_file(name.decode(), create)

    cdef int close(self, int file) noexcept nogil:
        with gil:
            self.planned("close")
            return 0 if self._open.pop(file, None) is not None else -EBADF

    cdef int64_t size(self, int file) noexcept nogil:
        with gil:
            self.planned("size")
            if file not in self._open:
                return -EBADF
            return len((<_File>self._open[file]).now)

    cdef int64_t read(self, int file, void *into, size_t count, uint64_t offset) noexcept nogil:
        with gil:
            outcome = self.planned("read")
            if outcome is not None:
                return -EIO
            if file not in self._open:
                return -EBADF
            return _read(self._open[file], into, count, offset)

    cdef int64_t write(
        self, int file, const void *data, size_t count, uint64_t offset
    ) noexcept nogil:
        with gil:
            return self._write(file, (<const char *>data)[:count], offset)

    cdef int flush(self, int file) noexcept nogil:
        with gil:
            outcome = self.planned("flush")
            if file not in self._open:
                return -EBADF
            if outcome is None:
                (<_File>self._open[file]).settle()
            return self.refusal(outcome)

    cdef int flush_names(self) noexcept nogil:
        with gil:
            outcome = self.planned("flush_names")
            if outcome is None:
                self._kept = dict(self._files)
                self._renamings = []
            return self.refusal(outcome)

    cdef int reserve(self, int file, uint64_t size) noexcept nogil:
        with gil:
            return self._reserve(file, size)

    cdef int truncate(self, int file, uint64_t size) noexcept nogil:
        with gil:
            outcome = self.planned("truncate")
            if file not in self._open:
                return -EBADF
            if outcome is None:
                self._change(self._open[file], size, None)
            return self.refusal(outcome)

    cdef int rename(self, const char *name, const char *new_name) noexcept nogil:
        with gil:
            outcome = self.planned("rename")
            if outcome is not None:
                return self.refusal(outcome)
            return self._rename(name.decode(), new_name.decode())

    cdef int remove(self, const char *name) noexcept nogil:
        with gil:
            outcome = self.planned("remove")
            if outcome is not None:
                return self.refusal(outcome)
            return self._rename(name.decode(), None)

    cdef int claim(self, uint64_t epoch) noexcept nogil:
        with gil:
            self.place("EPOCH", int(epoch).to_bytes(EPOCH_BYTES, "big"))
            return 0

    cdef uint64_t claimed(self) noexcept nogil:
        with gil:
            file = self._files.get("EPOCH")
            if file is None:
                return 0
            return int.from_bytes((<_File>file).now, "big")

    cdef uint64_t salt(self) noexcept nogil:
        with gil:
            self._salts += 1
            return self._salts * <uint64_t>0x9E3779B97F4A7C15

    cdef int _open_file(self, str name, bint create) except? -1:
        outcome = self.planned("open")
        if outcome is not None:
            return self.refusal(outcome)
        if create:
            if name in self._files:
                return -EEXIST
            self._files[name] = _File()
            self._renamings.append((None, name, self._files[name]))
        elif name not in self._files:
            return -ENOENT
        self._handles += 1
        self._open[self._handles] = self._files[name]
        return self._handles

    cdef int64_t _write(self, int file, bytes data, uint64_t offset) except? -1:
        outcome = self.planned("write")
        if file not in self._open:
            return -EBADF
        if outcome == "short":
            self._change(self._open[file], offset, data[: len(data) // 2])
            return -ENOSPC
        if outcome == "skip":
            return len(data)
        if outcome is not None:
            return self.refusal(outcome)
        if not self._change(self._open[file], offset, data):
            return -ENOSPC
        return len(data)

    cdef int _reserve(self, int file, uint64_t size) except? -1:
        outcome = self.planned("reserve")
        if file not in self._open:
            return -EBADF
        if outcome is not None:
            return -ENOSPC if outcome == "short" else self.refusal(outcome)
        found = <_File>self._open[file]
        if len(found.now) < size and not self._change(found, size, None):
            return -ENOSPC
        found.settle()
        return 0

    cdef bint _change(self, _File file, uint64_t offset, bytes data) except -1:
        """Do a change; False when there is no room for it."""
        before = len(file.now)
        stop = offset if data is None else max(before, offset + len(data))
        if self.room_bytes is not None:
            if stop - before > self.room_bytes:
                return False
            self.room_bytes -= stop - before
        apply(file.now, offset, data)
        file.changes.append((offset, data))
        return True

    cdef int _rename(self, str name, object new_name) except? -1:
        file = self._files.pop(name, None)
        if file is None:
            return -ENOENT
        if new_name is not None:
            self._files[new_name] = file
        elif self.room_bytes is not None:
            self.room_bytes += len((<_File>file).now)
        self._renamings.append((name, new_name, file))
        return 0


cdef int64_t _read(_File file, void *into, size_t count, uint64_t offset) noexcept:
    cdef size_t size = len(file.now)
    if offset >= size:
        return 0
    if count > size - offset:
        count = size - offset
    memcpy(into, <const char *>file.now + offset, count)
    return count


cdef _File _copy_of(_File file):
    cdef _File copy = _File()
    copy.now += file.now
    copy.flushed += file.flushed
    copy.changes = list(file.changes)
    return copy


cdef _File _survivor(_File file, chance, str mode):
    """Return what a power cut leaves of a file."""
    cdef _File left = _File()
    left.flushed += file.flushed
    changes = file.changes
    torn = -1
    if mode == "none":
        changes = []
    elif mode == "prefix" and changes:
        torn = chance.randrange(len(changes))
        changes = changes[: torn + 1]
    for i, (offset, data) in enumerate(changes):
        if data is None:
            if mode != "subset" or chance.random() < 0.5:
                apply(left.flushed, offset, None)
        elif mode == "subset" or i == torn:
            _apply_torn(left.flushed, offset, data, chance, mode)
        else:
            apply(left.flushed, offset, data)
    left.now += left.flushed
    return left


def _apply_torn(bytearray into, offset, bytes data, chance, str mode):
    """Let some sectors of one write arrive: the first ones, or any."""
    starts = [offset, *range((offset // SECTOR_BYTES + 1) * SECTOR_BYTES, offset + len(data),
                             SECTOR_BYTES)]
    arrived = chance.randint(0, len(starts))
    for i, start in enumerate(starts):
        if i < arrived if mode == "prefix" else chance.random() < 0.5:
            stop = min(offset + len(data), (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
            apply(into, start, data[start - offset : stop - offset])
