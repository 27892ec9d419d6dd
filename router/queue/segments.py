"""Segment files from outside, for backups and checks; `_segments.pyx` writes and reads them.

A segment is a header of 4 KiB (magic, version, number, epoch, salt, first sequence, flushed
mark, CRC-32C over these 48 bytes), then frames from multiples of 8 bytes on: CRC-32C, length,
sequence, flushed mark, payload.  A frame's checksum starts from that of number, epoch and
salt.  A length of 0 ends the segment.
"""

from __future__ import annotations

import mmap
import re
import struct
from pathlib import Path
from typing import Final, NamedTuple

from router.errors import StorageError
from router.queue._crc import checksum

SPOT_EVERY: Final = 16
"""At least every so many records the state remembers where one lies."""
SEQUENCE_GAP: Final = 1 << 36
"""Sequences that a directory restored from a backup leaves out: what an engine gives in two
years at 1,000 a second without a pause.  They have 48 bits: room for 4,095 restorations."""
_HEADER: Final = struct.Struct(">8sIIQQQQI")
_HEADER_BYTES: Final = 4_096
_SUMMED: Final = 48
_FRAME: Final = struct.Struct(">IIQQ")
_MAGIC: Final = b"vanbanlg"
_NAME: Final = re.compile(r"([0-9]{8})\.seg")


class Header(NamedTuple):
    """What a segment says of itself; `first` is 0 for one that is not the first of an opening."""

    segment: int
    epoch: int
    salt: int
    first: int
    flushed: int


def name_of(number: int) -> str:
    """Return a segment's file name."""
    return f"{number:08}.seg"


def numbers(log: Path) -> list[int]:
    """Return the numbers of the segments there are, ascending."""
    found = (_NAME.fullmatch(entry.name) for entry in log.iterdir())
    return sorted(int(match[1]) for match in found if match is not None)


def end_of(log: Path, spot: tuple[int, int], sequence: int) -> tuple[int, int]:
    """Return (segment, offset) where the frame of a sequence ends, looking on from `spot`.

    Frames known to be flushed only: they are followed by their lengths, whoever writes
    meanwhile.  Raises StorageError `store.corrupt` when it is not there.
    """
    number, offset = spot
    for further in [one for one in numbers(log) if one >= number]:
        with (log / name_of(further)).open("rb") as file:
            size = file.seek(0, 2)
            start = offset if further == number else _HEADER_BYTES
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                while start + _FRAME.size <= size:
                    _, length, found, _ = _FRAME.unpack_from(data, start)
                    if not length:
                        break
                    start += _size(length)
                    if found == sequence:
                        return further, start
    raise StorageError(
        "store.corrupt", path=f"log[{sequence}]",
        reason=f"log record {sequence} is not in segment {number} or after it",
    )  # fmt: skip


def _size(length: int) -> int:
    return (_FRAME.size + length + 7) & ~7


def read_header(data: bytes | mmap.mmap, number: int) -> Header | str:
    """Return a segment's header, or what is wrong with it."""
    if len(data) < _HEADER_BYTES:
        return "it is cut short"
    magic, _, segment, epoch, salt, first, flushed, summed = _HEADER.unpack_from(data)
    if magic != _MAGIC:
        return "it is no segment of this log"
    if summed != checksum(data[:_SUMMED]) or segment != number:
        return "its header is damaged or another segment's"
    return Header(segment, epoch, salt, first, flushed)


class End(NamedTuple):
    """Where whole frames end in a segment, and which sequence should have come there."""

    segment: int
    offset: int
    sequence: int
    torn: bool


class Inspection:
    """Verifies every frame of every segment; `wrong` says what is damaged, and where.

    What ends a segment may be torn (a power cut): it is damage when something later knew it to
    be flushed and no later opening cut it off.
    """

    def __init__(self, log: Path) -> None:
        self.wrong: list[str] = []
        self._end: End | None = None
        self._epoch = 0
        for number in numbers(log) if log.is_dir() else ():
            with (log / name_of(number)).open("rb") as file:
                if file.seek(0, 2):
                    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                        self._segment(data, number)
                else:
                    self.wrong.append(f"{name_of(number)}: it is empty")

    def damage(self, last: int) -> list[str]:
        """Return what is wrong, when the log goes up to a sequence."""
        self._known(last)
        return self.wrong

    def _known(self, flushed: int) -> None:
        """Take in that all up to a sequence was flushed when what follows was written."""
        end = self._end
        if end is not None and flushed >= end.sequence:
            said = "its checksum does not match" if end.torn else "it is missing"
            place = f"{name_of(end.segment)} at {end.offset}"
            self.wrong.append(f"{place}: record {end.sequence} was stored and {said}")
            self._end = None

    def _segment(self, data: mmap.mmap, number: int) -> None:
        header = read_header(data, number)
        if isinstance(header, str):
            self.wrong.append(f"{name_of(number)}: {header}")
            return
        if header.epoch < self._epoch and not header.first:
            return  # made by a former owner, too late
        self._epoch = header.epoch
        end = self._end
        if (
            header.first
            and end is not None
            and (header.first <= end.sequence or header.first - end.sequence >= SEQUENCE_GAP - 1)
        ):
            self._end = end = None  # cut off there, or restored from a backup
        first = _FRAME.unpack_from(data, _HEADER_BYTES)[2] if len(data) > _HEADER_BYTES else 0
        if end is not None and first == end.sequence and not end.torn:
            self._end = None  # it goes on here
        self._known(header.flushed)
        self._frames(data, header)

    def _frames(self, data: mmap.mmap, header: Header) -> None:
        """Look at the frames of one segment, and note where they end."""
        seed = checksum(struct.pack(">IQQ", header.segment, header.epoch, header.salt))
        offset, last, size, torn = _HEADER_BYTES, 0, len(data), False
        while offset + _FRAME.size <= size:
            summed, length, sequence, flushed = _FRAME.unpack_from(data, offset)
            end = offset + _FRAME.size + length
            if not length:
                break
            if (
                end > size
                or summed != checksum(data[offset + 4 : end], seed)
                or (last and sequence != last + 1)
            ):
                torn = True
                break
            self._known(flushed)
            last = sequence
            offset += _size(length)
        if last or torn:
            expected = last + 1 if last else header.first or header.flushed + 1
            self._end = End(header.segment, offset, expected, torn)
