"""All three durability ports answer as a slow queue in plain Python does, whatever happens.

Documents with parts held and excluded, several snapshots, topics that overlap and change,
leases that run out, extensions, joins, recalls, checkpoints and reopenings, in seeded order.
After equal histories the ports hold equal tables, and the offline check finds nothing.
"""

from __future__ import annotations

import random
from hashlib import sha256

import pytest
from support.queue_oracle import LANES, Entry, Oracle
from support.stores import (
    AT,
    KINDS,
    SECOND,
    MemoryBox,
    acceptance,
    audience_of,
    box_of,
    own_topic,
    posted,
    state_of,
)

from router.queue import after
from router.queue.queue import Queue
from router.queue.records import (
    REDRIVEN,
    Accepted,
    Joining,
    Part,
    RoomRecord,
    encode_join,
    encode_move,
    verdict_room,
)
from router.queue.transport import FINAL, State

ADDRESSES = range(1, 10)
EVERYBODY = b"\0\0\0\0\xff\xff\xff"
TOPICS = (b"A", b"B", b"AB", b"ALL", EVERYBODY)
SNAPSHOTS = (1, 2, 7)
WISHES = ("delivered", "delivered", "refused", "leased", "queued", "mixed")


def place_of(snapshot, address):
    """Return where an address stands in a snapshot; some stand nowhere in some."""
    if (snapshot + address) % 5 == 0:
        return -1
    return (address * 7 + snapshot * 3) % 101 if snapshot != 2 else address


def positions_of(address):
    return lambda snapshots: {number: place_of(number, address) for number in snapshots}


def unforeseen(queue):
    """Return what the check finds, but that a unit is in two entries of a document.

    Joins take anybody here, also who is in another entry: more than any engine asks for.
    """
    return [said for said in queue.check() if "another entry's of the document" not in said]


class World:
    """One history, told to the oracle and to every queue."""

    def __init__(self, seed, boxes):
        self.chance = random.Random(seed)
        self.boxes = boxes
        self.queues = [Queue(box.open()) for box in boxes]
        self.oracle = Oracle()
        self.at = AT
        self.number = 0
        self.topics = {address: self.some_topics(address) for address in ADDRESSES}
        self.keys = [b"no document here"]
        self.in_flight_max = self.chance.choice([0, 0, 6])
        self.attempts_max = self.chance.choice([1, 2, 3, 20])

    def some_topics(self, address):
        own = [own_topic(address)] if self.chance.random() < 0.8 else []
        return own + self.chance.sample(TOPICS, self.chance.randrange(len(TOPICS)))

    def some_members(self, snapshot, most=6):
        there = [address for address in ADDRESSES if place_of(snapshot, address) >= 0]
        return sorted(self.chance.sample(there, self.chance.randrange(1, min(most, len(there)))))

    def all_do(self, call):
        """Ask every queue; return the one answer they give."""
        answers = [call(queue) for queue in self.queues]
        assert all(answer == answers[0] for answer in answers)
        return answers[0]

    def some_postings(self, snapshot, members, audience):
        """Post each member under its own topic or under shared ones, some without runs."""
        chance = random.Random(f"{snapshot} {members}")  # equal audiences are posted alike
        topics = {}
        for member in members:
            wanted = chance.sample(TOPICS, chance.randrange(3)) or [own_topic(member)]
            for topic in wanted:
                topics.setdefault(topic, set()).add(member)
        for topic in set(TOPICS) & set(topics):
            if topic == EVERYBODY or chance.random() < 0.2:  # for the whole audience, without runs
                topics[topic] = set(members)
        places = {
            topic: []
            if len(who) == len(members) and topic in TOPICS
            else [place_of(snapshot, member) for member in who]
            for topic, who in topics.items()
        }
        return topics, posted(places, audience)

    def audience(self, members, snapshot):
        return audience_of(members, snapshot, lambda member: place_of(snapshot, member))

    # Steps.

    def accept(self):
        batch, told = [], []
        for _ in range(self.chance.randrange(1, 4)):
            self.number += 1
            snapshot = self.chance.choice(SNAPSHOTS)
            members = self.some_members(snapshot) if self.chance.random() < 0.9 else []
            audience = self.audience(members, snapshot)
            topics, postings = self.some_postings(snapshot, members, audience)
            rest = [one for one in self.some_members(snapshot, 9) if one not in members]
            parts = [[one] for one in rest[:2]] if self.chance.random() < 0.4 or not members else []
            number = self.chance.choice([self.number, self.chance.randrange(1, self.number + 1)])
            item = acceptance(
                number, [], audience=audience, postings=postings, at=self.at,
                key=sha256(b"%d" % self.number).digest()[:16],
                sender=self.chance.choice([7, 7, 8]), lane=self.chance.randrange(LANES),
                number_notation=self.chance.choice(["", f"{number % 5}/QĐ"]),
                content=sha256(b"%d" % (number + self.chance.choice([0, 0, 1]))).digest(),
                idempotency_key=self.chance.choice([None, None, f"k{self.chance.randrange(40)}"]),
                expires_at=self.chance.choice([None, None, self.at + 20 * SECOND]),
                parts=tuple(
                    Part(self.chance.choice([State.HELD, State.WAITING, State.EXCLUDED]),
                         self.audience(who, snapshot),
                         self.chance.choice([0, self.at + 30 * SECOND]))
                    for who in parts
                ),
            )  # fmt: skip
            batch.append(item)
            told.append((members, topics, parts))
            self.keys.append(item.key)
        before = self.queues[0].store.last
        answers = self.all_do(lambda queue: queue.accept(batch))
        expected = []
        for item, (members, topics, parts) in zip(batch, told, strict=True):
            fresh = sum(isinstance(answer, Accepted) for answer in expected)
            expected.append(
                self.oracle.accept(item, members, topics, parts, before + fresh + 1, 2024)
            )
        assert answers == expected

    def lease(self):
        address = self.chance.choice(ADDRESSES)
        lanes = self.chance.choice([range(LANES), range(LANES), [0, 3], [1]])
        limit = self.chance.choice([1, 2, 5, 50])
        until = self.at + self.chance.choice([1, 5, 60]) * SECOND
        topics = self.topics[address]
        got = self.all_do(
            lambda queue: queue.lease(
                address, topics, positions_of(address), limit, until, self.at, "cổng",
                lanes=lanes, attempts_max=self.attempts_max,
            )
        )  # fmt: skip
        expected = self.oracle.lease(
            address, topics, limit, until, self.at, lanes, self.attempts_max
        )
        assert [(item.sequence, item.lane, item.attempt) for item in got] == expected
        for item in got:
            document = self.oracle.documents[item.sequence].item
            assert (item.key, item.envelope, item.facts, item.accepted_at) == (
                document.key, document.envelope, document.facts, document.at,
            )  # fmt: skip

    def wish(self):
        address = self.chance.choice(ADDRESSES)
        mine = [
            self.oracle.documents[entry.document].item.key
            for entry in self.oracle.open.get(address, {}).values()
        ]
        keys = self.chance.sample(mine, min(len(mine), self.chance.randrange(4)))
        keys += self.chance.choices(self.keys, k=self.chance.randrange(3))
        keys = list(dict.fromkeys(keys))
        until = self.at + 40 * SECOND
        where = (address, "văn thư", positions_of(address))
        what = self.chance.choice(WISHES)
        if what == "leased":
            got = self.all_do(lambda queue: queue.extend(address, keys, until, self.at, *where))
            expected = [self.oracle.wish(key, address, what, self.at, until) for key in keys]
        elif what == "queued":
            got = self.all_do(lambda queue: queue.give_back(address, keys, self.at, *where))
            expected = [self.oracle.wish(key, address, what, self.at) for key in keys]
        else:
            items = [
                (key, self.chance.choice(["delivered", "refused"]) if what == "mixed" else what,
                 self.chance.choice(["", "lý do"])) for key in keys
            ]  # fmt: skip
            got = self.all_do(lambda queue: queue.settle(address, items, self.at, *where))
            expected = [self.oracle.wish(key, address, state, self.at) for key, state, _ in items]
        assert got == expected

    def move(self):
        if not self.oracle.entries:
            return
        entry = self.chance.choice(self.oracle.entries)
        self.judge(entry)
        to = self.chance.choice([State.WITHDRAWN, State.EXCLUDED, State.EXPIRED, State.HELD])
        topics = b"".join(bytes((len(topic),)) + topic for topic in entry.topics)
        record = encode_move(entry.document, entry.number, to, topics, self.at, 7, "x", "lý do")
        self.all_do(lambda queue: queue.store.append_raw([record]))
        self.oracle.move(entry, to, self.at)

    def judge(self, entry):
        """Have a verdict before what waits for one moves on, as `check` demands."""
        if entry.standing == State.WAITING:
            record = RoomRecord(verdict_room(entry.document), b"", self.at, 1, "x")
            self.all_do(lambda queue: queue.append_rooms([record]))
            self.oracle.rooms += 1

    def close(self):
        """Do what falls due of entries that are over, as the engine does."""
        for one in after.due(self.queues[0].store, self.at, 9):
            entry = next(found for found in self.oracle.entries if found.number == one.entry)
            if entry.standing not in FINAL:
                continue
            assert entry.due == one.at
            row = after.entry_of(self.queues[0], one.document, one.entry)
            record = after.closing(row, one)
            self.all_do(lambda queue, record=record: queue.store.append_raw([record]))
            self.oracle.close(entry, one.at)

    def redrive(self):
        """Hand dead members out anew, now and then with one that is not dead (any more)."""
        dead = [
            entry for entry in self.oracle.entries
            if any(cell.state == State.DEAD for cell in entry.cells.values())
            and entry.standing == State.QUEUED
        ]  # fmt: skip
        if not dead:
            return
        old = self.chance.choice(dead)
        members = [one for one, cell in old.cells.items() if cell.state == State.DEAD]
        members = sorted(self.chance.sample(members, self.chance.randrange(1, len(members) + 1)))
        others = [one for one in old.members if old.state(one) != State.DEAD]
        late = bool(others) and self.chance.random() < 0.3
        if late:
            members = sorted([*members, self.chance.choice(others)])
        audience = self.audience(members, old.snapshot)
        topics, postings = self.some_postings(old.snapshot, members, audience)
        record = encode_join(Joining(
            old.document, audience, postings, old.lane, REDRIVEN, self.at, 7, "x", "", old.number,
            old.expires,
        ))  # fmt: skip
        assert self.all_do(lambda queue: queue.store.append_joinings([record])) is not late
        if late:
            return
        sequence = self.queues[0].store.last
        self.oracle.redrive(
            Entry(sequence * 8, old.document, old.lane, State.QUEUED, members, old.expires, topics,
                  old.snapshot),
            old,
        )  # fmt: skip

    def join(self):
        if not self.oracle.entries:
            return
        old = self.chance.choice(self.oracle.entries)
        document = old.document
        hidden = old.standing in {State.HELD, State.WAITING}
        takes_over = old.number if hidden and self.chance.random() < 0.8 else 0
        if takes_over:
            self.judge(old)
        snapshot = self.chance.choice(SNAPSHOTS)
        members = old.members if takes_over else self.some_members(snapshot)
        members = [one for one in members if place_of(snapshot, one) >= 0]
        if not members:
            return
        audience = self.audience(members, snapshot)
        topics, postings = self.some_postings(snapshot, members, audience)
        expires = self.chance.choice([0, self.at + 15 * SECOND])
        lane = self.chance.randrange(LANES)
        record = encode_join(Joining(
            document, audience, postings, lane, 2, self.at, 7, "x", "", takes_over, expires
        ))  # fmt: skip
        (sequence,) = self.all_do(lambda queue: queue.store.append_raw([record]))
        self.oracle.join(
            Entry(
                sequence * 8, document, lane, State.QUEUED, members, expires, topics, snapshot
            ),
            takes_over,
        )  # fmt: skip

    def look(self):
        address, key = self.chance.choice(ADDRESSES), self.chance.choice(self.keys)
        found = self.all_do(
            lambda queue: queue.delivery(key, address, self.at, positions_of(address))
        )
        expected = self.oracle.delivery(key, address, self.at)
        assert (None if found is None else (found.state, found.attempts, found.until)) == expected
        self.all_do(lambda queue: queue.history(key, address, self.at, positions_of(address)))
        topics = self.topics[address]
        inbox = self.all_do(
            lambda queue: queue.inbox(address, topics, positions_of(address), self.at)
        )
        queued, leased = self.oracle.inbox(address, topics, self.at)
        assert {line.entry for line in inbox.queued} == queued
        assert {line.entry for line in inbox.leased} == leased
        waits = self.all_do(
            lambda queue: queue.waiting(address, topics, positions_of(address), self.at)
        )
        assert waits == bool(queued)
        assert self.all_do(lambda queue: queue.counts()) == self.oracle.counts()

    def other_topics(self):
        address = self.chance.choice(ADDRESSES)
        self.topics[address] = self.some_topics(address)

    def room(self):
        record = RoomRecord("directory", b"%d" % self.number, self.at, 1, "x")
        self.all_do(lambda queue: queue.append_rooms([record]))
        self.oracle.rooms += 1

    def checkpoint(self):
        self.chance.choice(self.queues).store.checkpoint()

    def reopen(self):
        which = self.chance.randrange(len(self.queues))
        self.queues[which].flush()
        self.queues[which].close()
        self.queues[which] = Queue(self.boxes[which].open())

    def compare(self):
        states = [state_of(queue) for queue in self.queues]
        assert all(state == states[0] for state in states)
        assert [unforeseen(queue) for queue in self.queues] == [[]] * len(self.queues)

    def live(self, steps):
        """Do so many things."""
        weights = {
            self.accept: 8, self.lease: 10, self.wish: 8, self.move: 2, self.join: 2, self.look: 6,
            self.close: 2, self.redrive: 2,
            self.other_topics: 1, self.room: 1, self.checkpoint: 2, self.reopen: 1,
        }  # fmt: skip
        doing = self.chance.choices(list(weights), list(weights.values()), k=steps)
        for step in doing:
            self.at += self.chance.choice([0, 0, SECOND, 3 * SECOND])
            for queue, changed in ((queue, queue.store) for queue in self.queues):
                assert queue.healthy()
                changed.in_flight_max = self.in_flight_max
            self.oracle.in_flight_max = self.in_flight_max
            step()
        self.look()
        self.compare()
        for queue in self.queues:
            queue.close()


@pytest.mark.parametrize("seed", range(12))
def test_the_three_ports_do_as_the_oracle_does(tmp_path, seed):
    World(seed, [box_of(kind, tmp_path / kind) for kind in KINDS]).live(150)


@pytest.mark.parametrize("seed", range(100, 160))
def test_a_long_history_in_memory_does_as_the_oracle_does(seed):
    World(seed, [MemoryBox()]).live(300)
