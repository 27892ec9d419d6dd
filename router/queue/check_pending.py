"""What must be true of the counts of what is open for units that were written to by name.

The rows of topics say who was written to by name; entries and cells say what of it is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from router.queue import reading
from router.queue.reading import CELLS_A_BLOCK, TABLE, EntryRow
from router.queue.transport import State

if TYPE_CHECKING:
    from router.queue.check_tally import Tally

_UNIT_TOPIC_BYTES: Final = 7
_ADDRESS_BYTES: Final = 4
_RANK_BYTES: Final = 4
_AUDIENCE_BYTES: Final = 8


def count_topic(
    tally: Tally, topic: bytes, runs: Sequence[tuple[int, int, int]], entry: EntryRow
) -> None:
    """Count the delivery that a topic's row stands for, if it is one by name and open."""
    if len(topic) != _UNIT_TOPIC_BYTES or len(runs) != 1 or not entry.named:
        return
    start, stop, rank = runs[0]
    if stop == start + 1 and entry.standing == State.QUEUED and _open(tally, entry, rank):
        tally.by_name[int.from_bytes(topic[:_ADDRESS_BYTES], "big")] += 1


def _open(tally: Tally, entry: EntryRow, rank: int) -> bool:
    block, place = divmod(rank, CELLS_A_BLOCK)
    key = entry.number.to_bytes(8, "big") + block.to_bytes(8, "big")
    value = tally.store.row(TABLE["cells"], key)
    cells = [] if value is None else list(reading.read_cells(value))
    cell = cells[place] if place < len(cells) else None
    return cell is None or cell.state in {State.QUEUED, State.LEASED}


def judge_pending(tally: Tally, key: bytes, value: bytes) -> None:
    """Take in a count, or hold ranks against their audience."""
    if len(key) == _ADDRESS_BYTES and len(value) == _ADDRESS_BYTES:
        tally.pending[int.from_bytes(key, "big")] = int.from_bytes(value, "big")
        return
    audience = None
    if len(key) == _AUDIENCE_BYTES:
        audience = tally.audience(int.from_bytes(key, "big"))
    if audience is None:
        tally.tell(f"pending[{key.hex()}]: there is no such address or audience")
        return
    ranks = {
        int.from_bytes(value[at : at + _RANK_BYTES], "big")
        for at in range(0, len(value), _RANK_BYTES)
    }
    if len(ranks) * _RANK_BYTES != len(value) or not 0 < len(ranks) < audience.size:
        tally.tell(f"pending[{key.hex()}]: its ranks are not some of its audience's")
    elif max(ranks) >= audience.size:
        tally.tell(f"pending[{key.hex()}]: a rank is beyond its audience")


def compare_pending(tally: Tally) -> None:
    """Hold the counts that are kept against those that the rows come to."""
    for address in sorted(set(tally.by_name) | set(tally.pending)):
        kept, found = tally.pending.get(address), tally.by_name.get(address, 0)
        if kept != found:
            tally.tell(f"pending[{address}]: {kept or 0} are open by name, the rows say {found}")
