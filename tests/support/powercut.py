"""What a disk may hold after the power went: a recorded run replayed up to a cut.

The record (shim/) has every change a process made to the files below one folder, and when
each flush began and ended.  `Platter` keeps what is surely durable apart from what is not
yet: a write is durable once a flush of its file that began after it has ended well (or at
once, through a descriptor opened with O_DSYNC); a name once its folder was flushed, whatever
else a file system may promise.  At a cut some of the rest has survived as well, in any
order, torn between sectors of 512 bytes, which alone are never torn.

After a flush that failed, its writes are on the disk or not, for ever: the kernel counts
them as written, and a later flush does not bring them back.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum, IntFlag
from pathlib import Path
from random import Random
from typing import NamedTuple

SECTOR = 512
_ENTRY = struct.Struct("<IBBhQQQII")
_MAGIC = 0x31484356
_META_PAGES = 2 * 4096
_PUNCHES = 0x02 | 0x10
_KEEPS_SIZE = 0x01


class What(IntEnum):
    """The kinds of entry, as in shim/."""

    OPENED = 1
    WRITTEN = 2
    SIZED = 3
    RESERVED = 4
    RENAMED = 5
    REMOVED = 6
    LINKED = 7
    FLUSHING = 8
    FLUSHED = 9
    MARKED = 10
    MAPPED = 11


class Flag(IntFlag):
    """The flags of an entry."""

    NEW = 1
    EMPTIED = 2
    SYNCED = 4
    FOLDER = 8
    SNAPSHOT = 16


class Entry(NamedTuple):
    """One entry of a record; `index` is its place in it."""

    index: int
    what: What
    flags: Flag
    error: int
    inode: int
    offset: int
    number: int
    data: bytes
    second: bytes

    @property
    def path(self) -> str:
        """The path below the watched folder, for entries about names."""
        return self.data.decode()


def read_record(path: Path) -> list[Entry]:
    """Read a whole record.  An entry cut short at the end (kill -9) is left out."""
    raw = path.read_bytes()
    entries: list[Entry] = []
    place = 0
    while place + _ENTRY.size <= len(raw):
        magic, what, flags, error, inode, offset, number, size, more = _ENTRY.unpack_from(
            raw, place
        )
        assert magic == _MAGIC, f"no record at byte {place}"
        place += _ENTRY.size
        end = place + size + more
        if end > len(raw):
            break
        entries.append(
            Entry(
                len(entries), What(what), Flag(flags), error, inode, offset, number,
                raw[place : place + size], raw[place + size : end],
            )
        )  # fmt: skip
        place = end
    return entries


class Mode(Enum):
    """Which of the unflushed changes have survived a cut."""

    NOTHING = "nothing"
    EVERYTHING = "everything"
    PREFIX = "prefix"
    SUBSET = "subset"


class Fate:
    """Decides by chance what survives one cut."""

    def __init__(self, mode: Mode, chance: Random, last: int) -> None:
        self._mode = mode
        self._chance = chance
        self._limit = chance.randint(max(0, last - 40), last)
        self._share = chance.random()

    def keeps(self, index: int) -> float:
        """Return how much of a change has survived: 0, 1 or a chance for each sector."""
        if self._mode is Mode.NOTHING:
            return 0
        if self._mode is Mode.EVERYTHING:
            return 1
        if self._mode is Mode.PREFIX:
            if index == self._limit:
                return self._chance.random()
            return 1 if index < self._limit else 0
        if self._chance.random() < 1 / 3:
            return self._chance.random()
        return 1 if self._chance.random() < self._share else 0

    def whole(self, index: int) -> bool:
        """Say whether a change that can't be torn has survived."""
        return self._chance.random() < self.keeps(index)

    def sectors(self, entry: Entry) -> Iterator[tuple[int, bytes]]:
        """Yield (offset, bytes) of what has survived of a write."""
        kept = self.keeps(entry.index)
        if kept in (0, 1):
            if kept:
                yield entry.offset, entry.data
            return
        end = entry.offset + len(entry.data)
        place = entry.offset
        while place < end:
            stop = min(end, place // SECTOR * SECTOR + SECTOR)
            if self._chance.random() < kept:
                yield place, entry.data[place - entry.offset : stop - entry.offset]
            place = stop


@dataclass
class _File:
    """The bytes of one file or the kind of a folder, whatever its names."""

    folder: bool = False
    content: bytearray = field(default_factory=bytearray)
    pending: list[Entry] = field(default_factory=list)
    names: list[_NameChange] = field(default_factory=list)


class _NameChange(NamedTuple):
    """`gone` loses its name (or ""), `path` becomes a name of the file `serial` (or "")."""

    index: int
    gone: str
    path: str
    serial: int


class Platter:
    """The files below one folder: what is durable, and what is not yet."""

    def __init__(self) -> None:
        self._files: dict[int, _File] = {0: _File(folder=True)}
        self._names: dict[str, int] = {".": 0}
        self._now: dict[str, int] = {".": 0}
        self._inodes: dict[int, int] = {}
        self._begun: dict[int, int] = {}

    def take(self, entry: Entry, chance: Random) -> None:
        """Go on by one entry.  `chance` decides what a failed flush has left."""
        match entry.what:
            case What.OPENED:
                self._open(entry)
            case What.WRITTEN | What.SIZED | What.RESERVED:
                if (file := self._file(entry)) is not None:
                    file.pending.append(entry)
            case What.RENAMED | What.REMOVED | What.LINKED:
                self._name(entry)
            case What.FLUSHING:
                self._begun[entry.number] = entry.index
            case What.FLUSHED:
                self._flush(entry, chance)
            case _:
                pass

    def cut(self, target: Path, fate: Fate, current: Entry | None = None) -> None:
        """Write into the new folder `target` what is left when the power goes now.

        `current`: the entry that was about to be made; of a write some may be there already.
        """
        names = dict(self._names)
        changes = [change for file in self._files.values() for change in file.names]
        for change in sorted(changes):
            if fate.whole(change.index):
                _rename(names, change)
        target.mkdir()
        for path, serial in sorted(names.items()):
            file = self._files[serial]
            place = target / path
            if path == "." or not place.parent.is_dir():
                continue
            if file.folder:
                place.mkdir()
                continue
            content = bytearray(file.content)
            pending = file.pending
            if current is not None and self._inodes.get(current.inode) == serial:
                pending = [*pending, current]
            for entry in pending:
                if Flag.SYNCED in entry.flags and entry is not current:
                    _change(content, entry, entry.offset, entry.data)
                elif entry.what is What.WRITTEN:
                    for offset, data in fate.sectors(entry):
                        _change(content, entry, offset, data)
                elif entry.what in (What.SIZED, What.RESERVED) and fate.whole(entry.index):
                    _change(content, entry, entry.offset, b"")
            place.write_bytes(content)

    def _file(self, entry: Entry) -> _File | None:
        return self._files.get(self._inodes.get(entry.inode, -1))

    def _open(self, entry: Entry) -> None:
        serial = self._inodes.get(entry.inode, -1)
        if Flag.NEW in entry.flags:
            serial = max(self._files) + 1
            self._files[serial] = _File(folder=Flag.FOLDER in entry.flags)
            self._later(_NameChange(entry.index, "", entry.path, serial))
        elif serial < 0:
            assert entry.path in self._now, f"{entry.path} was there before the record began"
            serial = self._now[entry.path]
        self._inodes[entry.inode] = serial
        if Flag.EMPTIED in entry.flags:
            emptied = entry._replace(what=What.SIZED, offset=0, data=b"")
            self._files[serial].pending.append(emptied)

    def _name(self, entry: Entry) -> None:
        serial = self._inodes.get(entry.inode, -1)
        if entry.what is What.RENAMED:
            serial = self._now[entry.path]
            assert not self._files[serial].folder, "folders are not renamed"
            self._later(_NameChange(entry.index, entry.path, entry.second.decode(), serial))
        elif entry.what is What.REMOVED:
            self._later(_NameChange(entry.index, entry.path, "", self._now[entry.path]))
        else:
            self._later(_NameChange(entry.index, "", entry.path, serial))

    def _later(self, change: _NameChange) -> None:
        """Note a change of names, durable when the folder is flushed."""
        parent = str(Path(change.path or change.gone).parent)
        self._files[self._now[parent]].names.append(change)
        _rename(self._now, change)

    def _flush(self, entry: Entry, chance: Random) -> None:
        begun = self._begun.pop(entry.number)
        file = self._file(entry)
        if file is None:
            return
        for change in file.names:
            if change.index < begun and (not entry.error or chance.random() < 0.5):
                _rename(self._names, change)
        file.names = [change for change in file.names if change.index >= begun]
        for waiting in file.pending:
            sure = not entry.error or Flag.SYNCED in waiting.flags
            if waiting.index < begun and (sure or chance.random() < 0.5):
                _change(file.content, waiting, waiting.offset, waiting.data)
        file.pending = [waiting for waiting in file.pending if waiting.index >= begun]


def _rename(names: dict[str, int], change: _NameChange) -> None:
    if change.gone and names.get(change.gone) == change.serial:
        del names[change.gone]
    if change.path:
        names[change.path] = change.serial


def _change(content: bytearray, entry: Entry, offset: int, data: bytes) -> None:
    """Make one change to the bytes of a file."""
    if entry.what is What.WRITTEN:
        if offset > len(content):
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data
    elif entry.what is What.SIZED:
        del content[entry.offset :]
        content.extend(bytes(entry.offset - len(content)))
    else:
        end = entry.offset + entry.number
        if end > len(content) and not int(entry.flags) & _KEEPS_SIZE:
            content.extend(bytes(end - len(content)))
        if int(entry.error) & _PUNCHES:
            stop = min(end, len(content))
            content[entry.offset : stop] = bytes(max(0, stop - entry.offset))


class Cut(NamedTuple):
    """A folder as it may look after a cut, and what had been marked before it."""

    index: int
    mode: Mode
    path: Path
    marks: list[bytes]

    def __str__(self) -> str:
        return f"cut before entry {self.index}, {self.mode.value} of the unflushed survives"


def cuts(entries: list[Entry], folder: Path, instants: list[int], seed: int) -> Iterator[Cut]:
    """Yield the cuts of a recorded run before the given entries, which ascend.

    What survives is chosen by `seed`; the folders are made below `folder`.
    """
    chance = Random(seed)
    platter = Platter()
    marks: list[bytes] = []
    wanted = list(instants)
    made = 0
    end = Entry(len(entries), What.MARKED, Flag(0), 0, 0, 0, 0, b"", b"")
    for entry in (*entries, end):
        while wanted and wanted[0] == entry.index:
            wanted.pop(0)
            mode = list(Mode)[made % len(Mode)]
            fate = Fate(mode, chance, entry.index)
            path = folder / f"cut-{made:04}"
            made += 1
            platter.cut(path, fate, entry)
            yield Cut(entry.index, mode, path, list(marks))
        platter.take(entry, chance)
        if entry.what is What.MARKED:
            marks.append(entry.data)


def instants(entries: list[Entry], count: int, seed: int) -> list[int]:
    """Choose entries before which the power goes.

    Half of them follow a mark, when an answer has just been given; a quarter end a flush.
    """
    chance = Random(seed)
    marked = [one.index + 1 for one in entries[:-1] if one.what is What.MARKED]
    ended = [one.index for one in entries if one.what is What.FLUSHED]
    chosen = chance.choices(marked, k=count // 2) if marked else []
    chosen += chance.choices(ended, k=count // 4) if ended else []
    chosen += chance.choices(range(len(entries)), k=count - len(chosen))
    return sorted(chosen)


def roots_written(entries: Sequence[Entry]) -> int:
    """Return how often the root of an LMDB file was written: a commit each."""
    files = {
        entry.inode
        for entry in entries
        if entry.what is What.OPENED and Path(entry.path).name == "data.mdb"
    }
    return sum(
        entry.what is What.WRITTEN and entry.inode in files and entry.offset < _META_PAGES
        for entry in entries
    )


def unordered(entries: Iterable[Entry]) -> list[str]:
    """Return where LMDB's root was written while pages it may lead to were not flushed.

    The two first pages of `data.mdb` name the newest tree; one of them is written, through
    a descriptor with O_DSYNC, after the pages of that tree were flushed.
    """
    wrong = []
    files: dict[int, list[Entry]] = {}
    begun: dict[int, int] = {}
    for entry in entries:
        pending = files.get(entry.inode)
        if entry.what is What.OPENED and Path(entry.path).name == "data.mdb":
            if Flag.NEW in entry.flags or pending is None:
                files[entry.inode] = []
        elif entry.what is What.FLUSHING:
            begun[entry.number] = entry.index
        elif pending is None:
            continue
        elif entry.what is What.FLUSHED and not entry.error:
            start = begun[entry.number]
            files[entry.inode] = [one for one in pending if one.index >= start]
        elif entry.what is What.WRITTEN and (
            entry.offset >= _META_PAGES or len(entry.data) >= _META_PAGES  # both, when made
        ):
            pending.append(entry)
        elif entry.what is What.WRITTEN:
            late = [one.index for one in pending if one.offset >= _META_PAGES]
            if late:
                wrong.append(f"entry {entry.index}: the root before the pages of {late[:5]}")
    return wrong
