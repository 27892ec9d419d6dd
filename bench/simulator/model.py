"""The model: plain dicts that say what the engine must have answered.

It never asks the engine.  Where an answer was lost in a crash it keeps both possibilities
until a later answer tells which one came true; everything else is certain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import msgspec

from router.model.answers import Delivery, Outcome, Problem, Receipt, Settled
from router.model.instants import SECOND_US, show_instant, year_of
from vanban_bench.simulator.paper import LANE_ORDER, LANES, Paper, Signing, Standing
from vanban_bench.simulator.world import UnresolvableError, World

CONFLICTS = ("document.conflict", "idempotency.conflict")
SKEW_US = 60 * SECOND_US


class WrongError(Exception):
    """The engine did what it must not; the text says what."""


def require(condition: bool, what: str) -> None:
    """Raise WrongError with `what` unless the condition holds."""
    if not condition:
        raise WrongError(what)


@dataclass
class Row:
    """One delivery: its id, whether it is final, and what a lost answer may have made it.

    `state` is "open" or the final state; `perhaps` the final states that a crash may have
    let through.  `lease_lost`: a crash came before its last lease was surely on the disk, so
    it may be handed out before the lease ends.
    """

    delivery: str
    state: str = "open"
    perhaps: set[str] = field(default_factory=set)
    leased_until: int = -(1 << 62)
    attempts: int = 0
    lease_lost: bool = False


@dataclass(frozen=True)
class Forecast:
    """What may be answered to one submission.

    `refusals`: codes that end it before storing; empty when it should be stored.
    `decided`: nothing of the stored state changes this forecast.  `taken`: its name was
    certainly taken when the batch began.  `rivals`: whom it may then have been in conflict
    with, by error code.
    """

    refusals: frozenset[str]
    decided: bool = False
    taken: bool = False
    audience: frozenset[int] = frozenset()
    rivals: dict[str, list[Paper]] = field(default_factory=dict)


class Model:
    """Everything a run has learnt, and the checks of each answer against it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.papers: list[Paper] = []
        self._by_content: dict[str, Paper] = {}
        self._by_name: dict[tuple[int, str], list[Paper]] = {}
        self._by_idempotency: dict[tuple[int, str], list[Paper]] = {}
        self.rows: dict[tuple[str, int], Row] = {}
        self.row_of_id: dict[str, tuple[Paper, int]] = {}
        self.lease_lost_until: dict[int, int] = {}
        self.asked_at: dict[int, int] = {}
        self._unflushed: list[tuple[Row, int]] = []

    def add(self, paper: Paper) -> None:
        """Take in a new document, not yet submitted."""
        self.papers.append(paper)
        self._by_content[paper.content] = paper
        self._by_name.setdefault(paper.name, []).append(paper)
        if paper.idempotency is not None:
            self._by_idempotency.setdefault(paper.idempotency, []).append(paper)

    # Submitting.

    def forecast(self, paper: Paper, submitter: int | None, now_us: int) -> Forecast:
        """Say what a submission must lead to, as things stand before its batch."""
        rivals = {code: self._rivals(paper, code) for code in CONFLICTS}
        return replace(self._forecast(paper, submitter, now_us), rivals=rivals)

    def _forecast(self, paper: Paper, submitter: int | None, now_us: int) -> Forecast:
        if paper.issued_at > now_us + SKEW_US:
            return Forecast(frozenset({"document.issued_in_future"}), decided=True)
        if year_of(paper.issued_at) < year_of(now_us) - 1:
            return Forecast(frozenset({"document.issued_too_early"}), decided=True)
        if not paper.sender.open_at(paper.issued_at):
            early = paper.issued_at < paper.sender.valid_from
            code = "sender.not_yet_open" if early else "sender.closed"
            return Forecast(frozenset({code}), decided=True)
        if submitter not in (None, self.world.holder(paper.sender.number, now_us)):
            return Forecast(frozenset({"sender.mismatch"}), decided=True)
        if self._owners(paper, Standing.STORED):
            return Forecast(frozenset(), taken=True)
        if paper.signing in (Signing.BROKEN, Signing.UNTRUSTED):
            bad = paper.signing is Signing.BROKEN
            return Forecast(frozenset({"signature.invalid" if bad else "certificate.untrusted"}))
        try:
            audience = self.world.resolve(paper.selector, paper.issued_at, skip=paper.skip)
        except UnresolvableError as error:
            return Forecast(frozenset(error.codes))
        if paper.signing is Signing.NONE:
            return Forecast(frozenset({"signature.missing"}))
        if paper.signing is Signing.STRANGER:
            return Forecast(frozenset({"sender.mismatch"}))
        return Forecast(frozenset(), audience=audience)

    def _owners(self, paper: Paper, standing: Standing) -> list[Paper]:
        """Return the documents of that standing that hold its name or idempotency key."""
        found = [one for one in self._by_name[paper.name] if one.standing is standing]
        found += [one for one in self._same_idempotency(paper)
                  if one.standing is standing and one not in found]  # fmt: skip
        return found

    def _same_idempotency(self, paper: Paper) -> list[Paper]:
        return [] if paper.idempotency is None else self._by_idempotency[paper.idempotency]

    def _rivals(self, paper: Paper, code: str) -> list[Paper]:
        """Return the other documents that a conflict may be with; the name is asked first."""
        names = self._by_name[paper.name]
        certain = [one for one in names if one.standing is Standing.STORED]
        if code == "document.conflict":
            found = certain or [one for one in names if one.standing is Standing.MAYBE]
        elif certain:
            found = []
        else:
            keys = self._same_idempotency(paper)
            found = [one for one in keys if one.standing is Standing.STORED]
            found = found or [one for one in keys if one.standing is Standing.MAYBE]
        return [one for one in found if one is not paper]

    def take_outcome(self, paper: Paper, forecast: Forecast, outcome: Outcome) -> None:
        """Check the answer to one submission and learn from it."""
        if isinstance(outcome, Problem):
            self._take_refusal(paper, forecast, outcome)
        elif outcome.repeated:
            self._take_repeated(paper, forecast, outcome)
        else:
            self._take_accepted(paper, forecast, outcome)

    def _take_refusal(self, paper: Paper, forecast: Forecast, problem: Problem) -> None:
        said = f"{paper.document_id}: refused with {problem.code}"
        if problem.code in CONFLICTS:
            require(not forecast.decided, f"{said}, before its name could matter")
            holders = list(forecast.rivals[problem.code])
            if not forecast.taken:
                now = self._rivals(paper, problem.code)
                holders += [one for one in now if one not in holders]
            require(bool(holders), f"{said}, but nobody holds that name")
            key = str(problem.facts.get("key", ""))
            if len(holders) == 1:
                self.learn_stored(holders[0], key)
            self.learn_absent(paper)
            return
        require(problem.code in forecast.refusals, f"{said}, expected {set(forecast.refusals)}")
        if not forecast.decided:
            require(not forecast.taken, f"{said}, but its name was taken already")
            self.learn_absent(paper)

    def _take_repeated(self, paper: Paper, forecast: Forecast, receipt: Receipt) -> None:
        said = f"{paper.document_id}: answered as repeated"
        require(not forecast.decided, f"{said}, expected {set(forecast.refusals)}")
        require(paper.standing is not Standing.ABSENT, f"{said}, but it was never accepted")
        first = paper.receipt
        self.learn_stored(paper, receipt.key)
        plain = msgspec.structs.replace(receipt, repeated=False)
        if first is not None:
            require(plain == first, f"{said} with another receipt than the first")
        self._take_receipt(paper, plain)

    def _take_accepted(self, paper: Paper, forecast: Forecast, receipt: Receipt) -> None:
        said = f"{paper.document_id}: accepted"
        require(not forecast.refusals, f"{said}, expected {set(forecast.refusals)}")
        owners = self._owners(paper, Standing.STORED)
        require(not owners, f"{said} again or over another, as if nothing had been stored")
        paper.audiences = [forecast.audience]
        self.learn_stored(paper, receipt.key)
        self._take_receipt(paper, receipt)
        self.flushed()

    def _take_receipt(self, paper: Paper, receipt: Receipt) -> None:
        said = f"{paper.document_id}: the receipt"
        paper.audiences = [
            one for one in paper.audiences if audience_sha256(one) == receipt.audience_sha256
        ]
        require(bool(paper.audiences), f"{said} names an audience that nobody addressed")
        require(receipt.effective == len(paper.audiences[0]), f"{said} counts another audience")
        require(receipt.document_id == paper.document_id, f"{said} names another document")
        require(receipt.sender == paper.sender.code, f"{said} names another sender")
        require(receipt.content_sha256 == paper.content, f"{said} is for other content")
        require(receipt.lane == LANES[paper.urgency], f"{said} says another lane")
        require(
            all(one is paper or one.sequence != receipt.sequence for one in self.papers),
            f"{said} has a sequence that was given before",
        )
        paper.receipt = receipt
        paper.sequence = receipt.sequence

    def learn_stored(self, paper: Paper, key: str) -> None:
        """Note that a document is certainly stored under that key."""
        require(len(key) == 32, f"{paper.document_id}: {key!r} is no key")
        require(paper.key in ("", key), f"{paper.document_id}: its key changed")
        require(
            all(one is paper or one.key != key for one in self.papers),
            f"{paper.document_id}: its key is another document's",
        )
        paper.standing, paper.key = Standing.STORED, key
        for other in self._owners(paper, Standing.MAYBE):
            self.learn_absent(other)
        require(self._owners(paper, Standing.STORED) == [paper],
                f"{paper.document_id}: stored beside another of the same name")  # fmt: skip

    def learn_absent(self, paper: Paper) -> None:
        """Note that a document is certainly not stored; one that was must not vanish."""
        require(
            paper.standing is not Standing.STORED,
            f"{paper.document_id}: was accepted, and is now unknown",
        )
        paper.standing = Standing.ABSENT
        paper.audiences = []

    def lose_outcome(self, paper: Paper, forecast: Forecast) -> None:
        """Note that a submission was cut off: it may have been stored."""
        stored = paper.standing is Standing.STORED
        if stored or forecast.refusals or not forecast.audience:
            return
        paper.standing = Standing.MAYBE
        if forecast.audience not in paper.audiences:
            paper.audiences.append(forecast.audience)

    # Delivering.

    def take_lease(
        self, unit: int, limit: int, until: int, now_us: int, deliveries: list[Delivery]
    ) -> None:
        """Check what was handed out to a unit, and that nothing was kept from it."""
        require(len(deliveries) <= limit, "more was handed out than asked for")
        held = self.world.held_by(unit, now_us)
        places: dict[int, list[tuple[int, int]]] = {}
        for one in deliveries:
            paper, address = self._take_delivery(unit, until, now_us, one)
            if paper.sequence:
                places.setdefault(address, []).append((LANE_ORDER[one.lane], paper.sequence))
        for order in places.values():
            require(order == sorted(order), "handed out in another order than lane, then entry")
        for address in held:
            self._note_asking(address, now_us)
            if len(deliveries) < limit:
                self._require_nothing_left(address, now_us)

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
        self.learn_stored(paper, one.key)
        require(one.lane == LANES[paper.urgency], f"{said}: in the wrong lane")
        require(one.sender == paper.sender.code, f"{said}: names another sender")
        require(one.signatures == paper.envelope.signatures, f"{said}: signatures were changed")
        require(one.contents == paper.envelope.contents, f"{said}: attachments were changed")
        require(one.leased_until == show_instant(until), f"{said}: leased for another time")
        row = self.row(paper, address, one.delivery)
        require(row.state == "open", f"{said}: handed out again after it was {row.state}")
        free = row.leased_until <= now_us or row.lease_lost
        require(free, f"{said}: handed out twice at a time")
        ended = paper.expires_at is not None and paper.expires_at + 1_000 <= now_us
        require(not ended, f"{said}: handed out after its time to live")
        require(one.attempt > row.attempts, f"{said}: attempts do not grow")
        row.perhaps.clear()
        self._unflushed.append((row, row.attempts))
        row.attempts, row.leased_until, row.lease_lost = one.attempt, until, False
        return paper, address

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
        """Say whether it may have been marked expired: its address asked after its end."""
        return paper.expires_at is not None and paper.expires_at <= self.asked_at.get(address, 0)

    def _note_asking(self, address: int, now_us: int) -> None:
        self.asked_at[address] = max(now_us, self.asked_at.get(address, 0))

    def _require_nothing_left(self, address: int, now_us: int) -> None:
        if self.lease_lost_until.get(address, now_us) > now_us:
            return
        for paper in self.expected(address):
            row = self.rows.get((paper.key, address))
            leasable = row is None or (
                row.state == "open" and not row.perhaps and row.leased_until <= now_us
            )
            if leasable and not self.asked_late(paper, address):
                code = self.world.places[address].code
                raise WrongError(f"{paper.document_id}: waits for {code}, and was not handed out")

    def expected(self, address: int) -> Iterable[Paper]:
        """Yield the documents that are certainly stored for an address."""
        for paper in self.papers:
            if (
                paper.standing is Standing.STORED
                and paper.audiences
                and all(address in audience for audience in paper.audiences)
            ):
                yield paper

    def flushed(self) -> None:
        """Note that a change was answered: the leases before it are on the disk, too."""
        self._unflushed.clear()

    def crashed(self) -> None:
        """Note a crash: leases that nothing followed may be forgotten (nobody waits for them)."""
        for row, attempts in reversed(self._unflushed):
            row.attempts, row.lease_lost = attempts, True
        self._unflushed.clear()

    def lose_lease(self, unit: int, until: int, now_us: int) -> None:
        """Note that a hand-out was cut off: its leases may stand."""
        for address in self.world.held_by(unit, now_us):
            known = self.lease_lost_until.get(address, until)
            self.lease_lost_until[address] = max(known, until)
            self._note_asking(address, now_us)

    # Settling.

    def take_settled(self, unit: int, state: str, now_us: int, answers: list[Settled]) -> None:
        """Check the answers to acknowledging or refusing, in their order."""
        for one in answers:
            row = self.mine(unit, one.delivery, now_us)
            if row is None:
                require(
                    one.code == "delivery.not_found",
                    f"delivery {one.delivery}: settled by a unit it is not for",
                )
                continue
            said = f"delivery {one.delivery}: settled as {state}, answered {one.state!r}"
            allowed = {(known, True) for known in row.perhaps}
            if row.state != "open":
                allowed = {(row.state, True)}
            else:
                allowed.add((state, False))
                paper, address = self.row_of_id[one.delivery]
                if self.asked_late(paper, address):
                    allowed.add(("expired", True))
            require(not one.code, f"delivery {one.delivery}: {one.code}, but it is this unit's")
            require((one.state, one.repeated) in allowed, f"{said}, repeated {one.repeated}")
            row.state = one.state
            row.perhaps.clear()
            if not one.repeated:
                self.flushed()

    def mine(self, unit: int, delivery: str, now_us: int) -> Row | None:
        """Return the row of a delivery that the unit answers for now, or None."""
        known = self.row_of_id.get(delivery)
        if known is None:
            return None
        paper, address = known
        if self.world.holder(address, now_us) != unit:
            return None
        return self.rows[paper.key, address]

    def lose_settled(self, unit: int, state: str, now_us: int, deliveries: list[str]) -> None:
        """Note that a settlement was cut off: it may stand."""
        for delivery in deliveries:
            row = self.mine(unit, delivery, now_us)
            if row is not None and row.state == "open":
                row.perhaps.add(state)


def audience_sha256(numbers: frozenset[int]) -> str:
    """Return the hash of an audience as receipts carry it."""
    packed = b"".join(number.to_bytes(4, "big") for number in sorted(numbers))
    return hashlib.sha256(packed).hexdigest()
