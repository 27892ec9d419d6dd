"""The model of deliveries: plain dicts that say what may be handed out, and to whom.

It never asks the engine.  Where an answer was lost in a crash it keeps both possibilities
until a later answer tells which one came true; everything else is certain.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from router.model.answers import Delivery, Outcome, Receipt
from router.model.instants import show_instant
from vanban_bench.simulator.bounds import certainly_leased, perhaps_leased
from vanban_bench.simulator.documents import Documents, Forecast, WrongError, require
from vanban_bench.simulator.paper import LANE_ORDER, LANES, Paper, Standing
from vanban_bench.simulator.parts import RELEASED
from vanban_bench.simulator.world import World

ATTEMPTS_MAX = 2
"""After so many hand-outs without an answer a delivery is dead."""
TURNS_MAX = 16
"""A lower lane that waits is served before so many of the lanes above it in a row."""
NEVER = -(1 << 62)
DELIVERY_ID_CHARS = 27
KEY_SLACK_US = 1_000
"""A key says when its document was accepted, to the millisecond."""


@dataclass
class Row:
    """One delivery: its id, whether it is final, and what a lost answer may have made it.

    `state` is "open" or the final state; `perhaps` the final states that a crash may have
    let through.  `attempts` hand-outs are certain, `attempts_most` possible, and those whose
    answers were lost since `lost_before`.  `lease_lost`: a lost answer or a crash came before
    its last lease was surely on the disk, so it may be handed out before the lease ends.
    `given_back`: it certainly is not leased.  `redriven`: it was queued again when it was dead,
    and stands where its newest entry stands; `redrives` times, or so often it may have been.
    """

    delivery: str
    state: str = "open"
    perhaps: set[str] = field(default_factory=set)
    leased_until: int = NEVER
    attempts: int = 0
    attempts_most: int = 0
    lease_lost: bool = False
    given_back: bool = False
    ever_back: bool = False
    redriven: bool = False
    redrives: int = 0
    lost_before: int = 0

    def __deepcopy__(self, _: object) -> Row:
        return replace(self, perhaps=set(self.perhaps))

    def leased(self, at_us: int) -> bool:
        """Say whether it is certainly leased at that instant."""
        return self.state == "open" and self.leased_until > at_us and not self.lease_lost


class Deliveries(Documents):
    """What a run has learnt of deliveries, and the checks of each hand-out against it."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.rows: dict[tuple[str, int], Row] = {}
        self.row_of_id: dict[str, tuple[Paper, int]] = {}
        self.lease_lost_until: dict[int, int] = {}
        self.asked_at: dict[int, int] = {}
        self.ticked_us = NEVER
        self.finals: Counter[str] = Counter()
        self._uncertain: set[str] = set()  # ids of rows that have `perhaps`
        self._lost_leases: Counter[int] = Counter()
        self.redriven: int | None = 0  # None: who knows, an answer was lost
        self.joins = 0  # deliveries that were, or may have been, queued again by operators
        self.leases_max = 0
        self._first_of: dict[tuple[int, str], int] = {}
        self._unflushed: list[tuple[Row, int]] = []
        self._unflushed_firsts: list[tuple[tuple[int, str], int]] = []

    # Handing out.

    def take_outcome(self, paper: Paper, forecast: Forecast, outcome: Outcome) -> None:
        """Check the answer to one submission and learn from it."""
        super().take_outcome(paper, forecast, outcome)
        if isinstance(outcome, Receipt) and not outcome.repeated:
            self.flushed()

    def take_lease(
        self, unit: int, limit: int, until: int, now_us: int, deliveries: list[Delivery]
    ) -> None:
        """Check what was handed out to a unit, and that nothing was kept from it."""
        require(len(deliveries) <= limit, "more was handed out than asked for")
        held = self.world.held_by(unit, now_us)
        again: dict[tuple[int, str], int] = {}
        for one in deliveries:
            paper, address = self._take_delivery(unit, until, now_us, one)
            place = (address, one.lane)
            if self.rows[paper.key, address].redriven or paper.part_of(address):
                continue  # it stands where its newest entry stands
            if one.attempt > 1 and paper.sequence:
                require(again.get(place, 0) < paper.sequence, "repeats are out of order")
                again[place] = paper.sequence
            elif one.attempt == 1 and paper.sequence and paper.life_us is None:
                self._take_first(place, paper.sequence)
        if len(held) == 1:
            _require_turns([LANE_ORDER[one.lane] for one in deliveries])
        for address in held:
            again_here = sum(one.attempt > 1 for one in deliveries)
            # Twice: leases behind one that ran out are not counted before it is handed out again.
            # Whoever answers for several addresses asks lane by lane, and the store counts
            # the lanes it is asked for.
            lanes = 1 if len(held) == 1 else len(LANES)
            most = 2 * self.leases_max * lanes + again_here
            leased = certainly_leased(self, address, now_us)
            require(not self.leases_max or leased <= most, f"{leased} are leased at once")
            self._note_asking(address, now_us)
            if len(deliveries) < limit:
                self._require_nothing_left(address, now_us)

    def _take_first(self, place: tuple[int, str], sequence: int) -> None:
        """Check that what comes to an address for the first time comes in order."""
        before = self._first_of.get(place, 0)
        require(before < sequence, f"record {sequence} came first after {before} in its lane")
        self._unflushed_firsts.append((place, before))
        self._first_of[place] = sequence

    def _take_delivery(
        self, unit: int, until: int, now_us: int, one: Delivery
    ) -> tuple[Paper, int]:
        address = self.world.by_code(one.address).number
        said = f"delivery {one.delivery} to {one.address}"
        holder = self.world.holder(address, now_us)
        require(holder == unit, f"{said}: handed to {self.world.places[unit].code}")
        paper = self._by_content.get(hashlib.sha256(one.payload).hexdigest())
        require(paper is not None, f"{said}: its content was never submitted")
        assert paper is not None
        said += f" of {paper.document_id}"
        require(paper.standing is not Standing.ABSENT, f"{said}: it was never accepted")
        require(any(address in one for one in paper.audiences), f"{said}: misrouted")
        paper.audiences = [one for one in paper.audiences if address in one]
        require(not paper.hidden_from(address), f"{said}: handed out though it was not released")
        self.learn_stored(paper, one.key)
        part = paper.part_of(address)
        if part is not None:
            part.learn(RELEASED)
        require(one.lane == LANES[paper.urgency], f"{said}: in the wrong lane")
        require(one.sender == paper.sender.code, f"{said}: names another sender")
        require(one.signatures == paper.envelope.signatures, f"{said}: signatures were changed")
        require(one.contents == paper.envelope.contents, f"{said}: attachments were changed")
        require(one.leased_until == show_instant(until), f"{said}: leased for another time")
        row = self.row(paper, address, one.delivery)
        require(row.state == "open", f"{said}: handed out again after it was {row.state}")
        require(not row.leased(now_us), f"{said}: handed out twice at a time")
        ended = paper.expires_at is not None and paper.expires_at + KEY_SLACK_US <= now_us
        require(not ended, f"{said}: handed out after its time to live")
        self._take_attempt(row, address, one.attempt, said)
        row.leased_until, row.lease_lost, row.given_back = until, False, False
        return paper, address

    def _take_attempt(self, row: Row, address: int, attempt: int, said: str) -> None:
        """Check how often it was handed out, by what the answer says."""
        require(attempt > row.attempts, f"{said}: attempts do not grow")
        most = row.attempts_most + self._lost_since(row, address) + 1
        require(attempt <= most, f"{said}: attempt {attempt} is counted twice")
        require(attempt <= ATTEMPTS_MAX or row.ever_back, f"{said}: handed out though dead")
        self._settle_doubt(row)
        self._unflushed.append((row, row.attempts))
        row.attempts = row.attempts_most = attempt

    def row(self, paper: Paper, address: int, delivery: str) -> Row:
        """Return the row of a delivery; its id must be the same as ever."""
        row = self.rows.get((paper.key, address))
        if row is None:
            row = self.rows[paper.key, address] = Row(delivery)
            require(delivery not in self.row_of_id, f"delivery id {delivery} is given twice")
            self.row_of_id[delivery] = (paper, address)
        require(row.delivery == delivery, f"delivery {row.delivery} is now called {delivery}")
        return row

    def asked_late(self, paper: Paper, address: int) -> bool:
        """Say whether it may be noted as expired: its address asked after its end, or a tick came.

        A clock that goes back changes nothing of that.
        """
        asked = max(self.asked_at.get(address, 0), self.ticked_us)
        return paper.expires_at is not None and paper.expires_at <= asked

    def may_be_dead(self, paper: Paper, address: int) -> bool:
        """Say whether it may have been handed out so often that it comes no more."""
        row = self.rows.get((paper.key, address))
        if row is None:
            return self._lost_leases[address] >= ATTEMPTS_MAX and not paper.hidden_from(address)
        lost = self._lost_since(row, address)
        return row.attempts_most + lost >= ATTEMPTS_MAX and (lost > 0 or not row.given_back)

    def looks_dead(self, paper: Paper, address: int) -> bool:
        """Say whether it was noted as dead, as far as one can see."""
        row = self.rows.get((paper.key, address))
        return (
            row is not None
            and row.state == "open"
            and self.may_be_dead(paper, address)
            and row.leased_until <= self.asked_at.get(address, 0)
        )

    def _lost_since(self, row: Row, address: int) -> int:
        return self._lost_leases[address] - row.lost_before

    def attempts_of(self, paper: Paper, address: int) -> tuple[int, int]:
        """Return how often at least, and at most, it was handed out."""
        row = self.rows.get((paper.key, address))
        if row is None:
            return 0, self._lost_leases[address]
        return row.attempts, row.attempts_most + self._lost_since(row, address)

    def may_stand(self, paper: Paper, address: int, now_us: int) -> set[str]:
        """Return the states that a delivery of a stored document may be in at an instant."""
        part = paper.part_of(address)
        if part is not None and (part.standing != RELEASED or part.perhaps):
            hidden = part.may_stand(now_us, self.ticked_us)
            if part.hidden:
                return hidden
            return hidden | self._may_stand_released(paper, address, now_us)
        return self._may_stand_released(paper, address, now_us)

    def _may_stand_released(self, paper: Paper, address: int, now_us: int) -> set[str]:
        row = self.rows.get((paper.key, address))
        if row is not None and row.state != "open":
            return {row.state}
        if row is not None and self.surely_leased(row, now_us):
            return {"leased"} | row.perhaps
        found = {"queued"} | (row.perhaps if row else set())
        until = self.lease_lost_until.get(address, now_us)
        if until > now_us or (row is not None and row.leased_until > now_us):
            found.add("leased")
        if self.may_be_dead(paper, address):
            found.add("dead")
        ended = paper.expires_at is not None and paper.expires_at <= now_us
        if ended or self.asked_late(paper, address):
            found.add("expired")
        if paper.expires_at is not None and paper.expires_at + KEY_SLACK_US <= now_us:
            found.discard("queued")
        return found

    def _note_asking(self, address: int, now_us: int) -> None:
        self.asked_at[address] = max(now_us, self.asked_at.get(address, 0))

    def full(self, address: int, now_us: int) -> bool:
        """Say whether an address may have as much under lease as it may have at once."""
        most = self.leases_max
        return most > 0 and perhaps_leased(self, address, now_us) >= most

    def _require_nothing_left(self, address: int, now_us: int) -> None:
        if self.full(address, now_us):
            return
        if self.lease_lost_until.get(address, now_us) > now_us:
            return
        for paper in self.expected(address):
            part = paper.part_of(address)
            if part is not None and (part.standing != RELEASED or part.perhaps):
                continue
            row = self.rows.get((paper.key, address))
            leasable = row is None or (
                row.state == "open" and not row.perhaps and row.leased_until <= now_us
            )
            if (
                leasable
                and not self.asked_late(paper, address)
                and not self.may_be_dead(paper, address)
            ):
                code = self.world.places[address].code
                raise WrongError(f"{paper.document_id}: waits for {code}, and was not handed out")

    def expected(self, address: int) -> Iterable[Paper]:
        """Yield the documents that are certainly stored for an address."""
        for paper in self.papers:
            if paper.standing is Standing.STORED and paper.audiences:
                if len(paper.audiences) == 1:
                    if address in paper.audiences[0]:
                        yield paper
                elif all(address in audience for audience in paper.audiences):
                    yield paper

    def ticked(self, now_us: int) -> None:
        """Note that what was due at that instant may have been done."""
        self.ticked_us = max(self.ticked_us, now_us)

    def flushed(self) -> None:
        """Note that a change was answered: the leases before it are on the disk, too."""
        self._unflushed.clear()
        self._unflushed_firsts.clear()

    def crashed(self) -> None:
        """Note a crash: leases that nothing followed may be forgotten (nobody waits for them)."""
        for row, attempts in reversed(self._unflushed):
            row.attempts, row.lease_lost = attempts, True
        for place, before in reversed(self._unflushed_firsts):
            self._first_of[place] = before
        self.flushed()

    def lose_lease(self, unit: int, until: int, now_us: int) -> None:
        """Note that a hand-out was cut off: its leases may stand."""
        for address in self.world.held_by(unit, now_us):
            known = self.lease_lost_until.get(address, until)
            self.lease_lost_until[address] = max(known, until)
            self._lost_leases[address] += 1
            self._note_asking(address, now_us)

    def _settle_doubt(self, row: Row) -> None:
        """Note that an answer told what a lost answer had left open."""
        if row.perhaps:
            row.perhaps.clear()
            self._uncertain.discard(row.delivery)

    def surely_leased(self, row: Row, now_us: int) -> bool:
        """Say whether it is leased, and no asking after its end made it expired or dead.

        That may have been: the clock goes back at times.
        """
        _, address = self.row_of_id[row.delivery]
        return row.leased(now_us) and self.asked_at.get(address, 0) < row.leased_until


def encode_id(key: str, address: int) -> str:
    """Return the id of a delivery: its document's key and its address, in letters."""
    whole = bytes.fromhex(key) + address.to_bytes(4, "big")
    return urlsafe_b64encode(whole).decode().rstrip("=")


def decode_id(delivery: str) -> bytes:
    """Return what the id of a delivery stands for."""
    return urlsafe_b64decode(delivery + "=" * (-len(delivery) % 4))


def _require_turns(lanes: list[int]) -> None:
    """Check that a lower lane that waits is not kept waiting by those above it."""
    for lane in set(lanes):
        waited = 0
        last = max(place for place, one in enumerate(lanes) if one == lane)
        for one in lanes[:last]:
            waited = 0 if one == lane else waited + (one < lane)
            require(waited <= TURNS_MAX, f"lane {lane} waits for {waited} of those above it")
