"""The queue in plain Python, slow and obvious: lists, dicts, a look at everything each time.

It knows nothing of cursors, layers, blocks or records: an inbox is what is open for an address,
then what it never saw, each in entry order; everything is worked out anew at each question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from router.queue.records import Acceptance, Accepted, Conflict, Overfull, Repeated, Settlement
from router.queue.transport import MOVES, NAMES, State

LANES = 4
TURNS = 8
FINAL = frozenset(state for state, after in MOVES.items() if not after)
RELEASED = 10


def legal(old: int, new: int) -> bool:
    """Say whether a state may follow another."""
    return old != RELEASED and State(new) in MOVES[State(old)]


@dataclass
class Cell:
    """What became of one delivery since it was first touched."""

    state: int
    attempts: int = 0
    until: int = 0


@dataclass
class Entry:
    """A part of a document's recipients."""

    number: int
    document: int
    lane: int
    standing: int
    members: list[int]
    expires: int
    topics: dict[bytes, set[int]]
    snapshot: int = 0
    began: int = 0
    due: int = 0
    cells: dict[int, Cell] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.began = self.standing

    def state(self, address: int) -> int:
        """Return the stored state of a member."""
        cell = self.cells.get(address)
        return self.standing if cell is None else cell.state


@dataclass
class Document:
    """A document and the names it took."""

    sequence: int
    item: Acceptance
    entries: list[Entry]


class Oracle:
    """One queue's documents; sequences are told by the caller, who sees them in answers."""

    def __init__(self) -> None:
        self.documents: dict[int, Document] = {}
        self.by_key: dict[bytes, Document] = {}
        self.entries: list[Entry] = []
        self.open: dict[int, dict[int, Entry]] = {}  # address -> number -> entry
        self.turns: dict[int, int] = {}
        self.attempts = 0
        self.rooms = 0
        self.in_flight_max = 0

    # Taking in.

    def known(self, item: Acceptance, year: int) -> Repeated | Conflict | None:
        """Say what a document's names already stand for."""

        def stands(kind: str, same: Callable[[Acceptance], bool]) -> Repeated | Conflict | None:
            for document in self.documents.values():
                other = document.item
                if other.year in {year, year - 1} and same(other):
                    if other.content == item.content:
                        return Repeated(other.key, document.sequence, other.facts)
                    return Conflict(other.key, kind)
            return None

        names = (item.sender, item.act, item.document_id)
        found = stands("document_id", lambda o: (o.sender, o.act, o.document_id) == names)
        if item.idempotency_key is None or isinstance(found, Conflict):
            return found
        key = (item.sender, item.idempotency_key)
        by_key = stands("idempotency_key", lambda o: (o.sender, o.idempotency_key) == key)
        if found is None or by_key is None or by_key.key == found.key:
            return found or by_key
        return Conflict(by_key.key, "idempotency_key")

    def accept(
        self, item: Acceptance, members: list[int], topics: dict[bytes, set[int]],
        parts: list[list[int]], sequence: int, year: int,
    ) -> Accepted | Repeated | Conflict | Overfull:  # fmt: skip
        """Take one document in under the next sequence."""
        found = self.known(item, year)
        if found is not None:
            return found
        if self.in_flight_max and self.in_flight(item.sender) >= self.in_flight_max:
            return Overfull(self.in_flight_max)
        twins = [
            other.sequence for other in self.documents.values()
            if item.number_notation
            and (other.item.sender, other.item.number_notation, other.item.year)
            == (item.sender, item.number_notation, item.year)
        ]  # fmt: skip
        document = Document(sequence, item, [])
        self.documents[sequence] = self.by_key[item.key] = document
        if members:
            self._join(document, Entry(
                sequence * 8, sequence, item.lane, State.QUEUED, members, item.expires_at or 0,
                topics, item.audience.snapshot,
            ))  # fmt: skip
        for number, (part, who) in enumerate(zip(item.parts, parts, strict=True), 1):
            self._join(document, Entry(
                sequence * 8 + number, sequence, item.lane, part.standing, who, part.due, {}
            ))  # fmt: skip
        return Accepted(sequence, min(twins, default=0))

    def _join(self, document: Document, entry: Entry) -> None:
        document.entries.append(entry)
        self.entries.append(entry)

    def join(self, entry: Entry, takes_over: int) -> None:
        """Let a further entry join, which may take another one's members over."""
        document = self.documents[entry.document]
        for other in document.entries:
            if other.number == takes_over and other.standing not in FINAL | {RELEASED}:
                other.standing = RELEASED
        self._join(document, entry)

    def redrive(self, entry: Entry, old: Entry) -> None:
        """Let a further entry have those of its members that are dead in another one."""
        self._join(self.documents[entry.document], entry)
        for address in entry.members:
            cell = old.cells.get(address)
            if cell is not None and cell.state == State.DEAD:
                cell.state = RELEASED

    def move(self, entry: Entry, standing: int, at: int) -> None:
        """Move what nobody touched of an entry, and what is open but not leased."""
        if legal(entry.standing, standing):
            entry.standing = standing
            entry.topics = {}
            if standing in FINAL:
                self.close(entry, at)

    def close(self, entry: Entry, at: int) -> None:
        """End what is open of an entry that is over; leases go on, and then it is due again."""
        entry.due = 0
        for address, cell in entry.cells.items():
            if not legal(cell.state, entry.standing):
                continue
            if cell.state == State.LEASED and cell.until > at:
                entry.due = max(entry.due, cell.until)
                continue
            cell.state, cell.until = entry.standing, 0
            self.open.get(address, {}).pop(entry.number, None)

    # Handing out.

    def _set(self, entry: Entry, address: int, state: int, until: int = 0, *, fresh: bool) -> None:
        cell = entry.cells.setdefault(address, Cell(entry.standing))
        cell.state, cell.until = state, until if state == State.LEASED else 0
        if state == State.LEASED and fresh:
            cell.attempts += 1
            self.attempts += 1
        mine = self.open.setdefault(address, {})
        if state in {State.QUEUED, State.LEASED}:
            mine[entry.number] = entry
        else:
            mine.pop(entry.number, None)

    def _below(self, entry: Entry, address: int, at: int, attempts_max: int) -> int:
        """Say what becomes of an open delivery: LEASED (still out), QUEUED, or over."""
        cell = entry.cells[address]
        if cell.state == State.LEASED and cell.until > at:
            return State.LEASED
        if entry.standing in FINAL and legal(cell.state, entry.standing):
            return entry.standing
        if entry.expires and entry.expires <= at:
            return State.EXPIRED
        if cell.state == State.LEASED and cell.attempts >= attempts_max:
            return State.DEAD
        return State.QUEUED

    def _never_seen(self, address: int, lane: int, topics: Iterable[bytes], at: int) -> list[Entry]:
        wanted = set(topics)
        return sorted(
            (
                entry for entry in self.entries
                if entry.lane == lane and address not in entry.cells
                and any(address in entry.topics[topic] for topic in wanted & set(entry.topics))
                and not (entry.expires and entry.expires <= at)
            ),
            key=lambda entry: entry.number,
        )  # fmt: skip

    def lease(
        self, address: int, topics: Iterable[bytes], limit: int, until: int, at: int,
        lanes: Iterable[int], attempts_max: int,
    ) -> list[tuple[int, int, int]]:  # fmt: skip
        """Hand out; return (document, lane, attempt) of each."""
        topics = list(topics)
        over: list[tuple[Entry, int]] = []
        queues = {}
        for lane in sorted(set(lanes)):
            mine = self.open.get(address, {})
            below = [entry for _, entry in sorted(mine.items()) if entry.lane == lane]
            queues[lane] = (below, self._never_seen(address, lane, topics, at))
        ready: dict[int, Entry] = {}
        handed: list[Entry] = []
        turn = self.turns.get(address, 0)
        while len(handed) < limit:
            for lane, (below, above) in queues.items():
                while lane not in ready and below:
                    entry = below.pop(0)
                    becomes = self._below(entry, address, at, attempts_max)
                    if becomes == State.QUEUED:
                        ready[lane] = entry
                    elif becomes != State.LEASED:
                        over.append((entry, becomes))
                if lane not in ready and above:
                    ready[lane] = above.pop(0)
            if not ready:
                break
            first, *lower = sorted(ready)
            place = turn - (TURNS - len(lower))
            lane = lower[place] if lower and place >= 0 else first
            handed.append(ready.pop(lane))
            if ready:  # only where another lane waits, turns are counted
                turn = (turn + 1) % TURNS
        self.turns[address] = turn
        for entry, state in over:
            self._set(entry, address, state, fresh=True)
        for entry in handed:
            self._set(entry, address, State.LEASED, until, fresh=True)
        return [
            (entry.document, entry.lane, entry.cells[address].attempts) for entry in handed
        ]  # fmt: skip

    def inbox(self, address: int, topics: Iterable[bytes], at: int) -> tuple[set[int], set[int]]:
        """Return the entries that are queued, and those that are leased."""
        mine = self.open.get(address, {})
        below = {entry.number: self._below(entry, address, at, 999) for entry in mine.values()}
        queued = {number for number, state in below.items() if state == State.QUEUED}
        leased = {number for number, state in below.items() if state == State.LEASED}
        for lane in range(LANES):
            queued |= {one.number for one in self._never_seen(address, lane, topics, at)}
        return queued, leased

    # One delivery.

    def _counting(self, key: bytes, address: int) -> Entry | None:
        document = self.by_key.get(key)
        found = None
        for entry in document.entries if document else ():
            if entry.standing != RELEASED and address in entry.members:
                found = entry
        return found

    def delivery(self, key: bytes, address: int, at: int) -> tuple[str, int, int] | None:
        """Return (state, hand-outs, until), or None."""
        entry = self._counting(key, address)
        if entry is None:
            return None
        cell = entry.cells.get(address)
        out = cell is not None and cell.state == State.LEASED and cell.until > at
        state = entry.standing
        if cell is not None and (entry.standing not in FINAL or cell.state in FINAL or out):
            state = cell.state
        if state == State.LEASED and not out:
            state = State.QUEUED
        if (
            entry.expires
            and entry.expires <= at
            and legal(state, State.EXPIRED)
            and (state != State.LEASED)
        ):
            state = State.EXPIRED
        attempts = 0 if cell is None else cell.attempts
        until = cell.until if cell is not None else 0
        return NAMES[state], attempts, until

    def wish(self, key: bytes, address: int, state: str, at: int, until: int = 0) -> Settlement:
        """Do what a recipient wants of one delivery."""
        entry, found = self._counting(key, address), self.delivery(key, address, at)
        if entry is None or found is None:
            return Settlement(False)
        now = found[0]
        never_joined = entry.began != State.QUEUED
        hidden = never_joined or (now == "excluded" and address not in entry.cells)
        if hidden:
            return Settlement(False)
        if State[now.upper()] in FINAL:
            return Settlement(True, now, True)
        if state in {"leased", "queued"} and now != "leased":
            return Settlement(True, now)
        self._set(entry, address, State[state.upper()], until, fresh=False)
        return Settlement(True, state)

    # Counting.

    def _is_over(self, entry: Entry) -> bool:
        if entry.standing == RELEASED or entry.began in FINAL:
            return True
        over = FINAL | {State.DEAD, RELEASED}
        return all(entry.state(address) in over for address in entry.members)

    def in_flight(self, sender: int) -> int:
        """Count a sender's entries with members that are neither final nor dead."""
        return sum(
            not self._is_over(entry) for entry in self.entries
            if self.documents[entry.document].item.sender == sender
        )  # fmt: skip

    def counts(self) -> dict[str, int]:
        """Return what `Queue.counts` says."""
        states = [
            entry.state(address) for entry in self.entries for address in entry.members
        ]  # fmt: skip
        return {
            "documents": len(self.documents),
            "entries": len(self.entries),
            "recipients": sum(
                entry.state(address) != RELEASED
                for entry in self.entries if entry.standing != RELEASED
                for address in entry.members
            ),
            "rooms": self.rooms,
            **{
                name: states.count(State[name.upper()])
                for name in ("leased", "delivered", "refused", "expired", "dead", "withdrawn",
                             "excluded")
            },
            "attempts": self.attempts,
            "in_flight": sum(not self._is_over(entry) for entry in self.entries),
        }  # fmt: skip
