"""The model: plain dicts that say what the engine must have answered.

It never asks the engine.  Documents are `documents.py`'s, what is handed out `deliveries.py`'s;
here is what recipients and operators make of it, and the books as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from router.model.answers import Settled
from vanban_bench.simulator.deliveries import (
    ATTEMPTS_MAX,
    DELIVERY_ID_CHARS,
    KEY_SLACK_US,
    NEVER,
    Deliveries,
    Row,
    decode_id,
    encode_id,
)
from vanban_bench.simulator.documents import require
from vanban_bench.simulator.paper import Paper, Standing
from vanban_bench.simulator.parts import RELEASED


class Model(Deliveries):
    """Everything a run has learnt, and the checks of each answer against it."""

    # What recipients want of their deliveries.

    def take_settled(self, unit: int, state: str, now_us: int, answers: list[Settled]) -> None:
        """Check the answers to acknowledging or refusing, in their order."""
        for one in answers:
            row = self._own(unit, one, now_us)
            if row is None:
                continue
            said = f"delivery {one.delivery}: settled as {state}, answered {one.state!r}"
            allowed = self._may_be(row, now_us)
            if row.state == "open" and not self._must_be_over(row, now_us):
                allowed.add((state, False))
            require((one.state, one.repeated) in allowed, f"{said}, repeated {one.repeated}")
            self._learn(row, one.state)
            if not one.repeated:
                self.flushed()

    def _learn(self, row: Row, state: str) -> None:
        """Note that a delivery is final; expired it may be for the moment only."""
        self._settle_doubt(row)
        if row.state == "open" and state in {"delivered", "refused"}:
            row.state = state
            self.finals[state] += 1

    def take_kept(self, unit: int, until: int, now_us: int, answers: list[Settled]) -> None:
        """Check the answers to extending leases to `until`, or (0) to giving back."""
        seen: dict[str, str] = {}
        for one in answers:
            row = self._own(unit, one, now_us)
            if row is None:
                continue
            said = f"delivery {one.delivery}: {'extended' if until else 'given back'}, answered"
            if one.delivery in seen:
                again = one.state == seen[one.delivery] and one.repeated
                require(again, f"{said} {one.state} after {seen[one.delivery]}")
                continue
            seen[one.delivery] = one.state
            leased = row.leased(now_us)
            allowed = self._may_be(row, now_us)
            if row.state == "open" and (leased or not self._must_be_over(row, now_us)):
                allowed.add(("leased" if until else "queued", False))
                if not leased:
                    allowed.add(("queued", False))
                if self.may_be_dead(*self.row_of_id[one.delivery]):
                    allowed.add(("dead", False))
            require((one.state, one.repeated) in allowed, f"{said} {one.state} {one.repeated}")
            self._learn(row, one.state)
            if row.state == "open" and one.state == "leased":
                row.leased_until, row.lease_lost, row.given_back = until, False, False
                self.flushed()
            elif leased and one.state == "queued":
                row.leased_until, row.given_back, row.ever_back = NEVER, True, True
                self.flushed()
            elif one.state == "queued":
                row.ever_back = row.ever_back or not until

    def _own(self, unit: int, one: Settled, now_us: int) -> Row | None:
        """Return the row of a delivery that was answered; None when it is not the unit's."""
        if not one.code:
            self._learn_released(one.delivery)
        row = self.mine(unit, one.delivery, now_us)
        if row is None:
            require(
                one.code == "delivery.not_found",
                f"delivery {one.delivery}: settled by a unit it is not for",
            )
            return None
        require(not one.code, f"delivery {one.delivery}: {one.code}, but it is this unit's")
        return row

    def _may_be(self, row: Row, now_us: int) -> set[tuple[str, bool]]:
        """Return the answers that say that a delivery was final before."""
        if row.state != "open":
            return {(row.state, True)}
        paper, address = self.row_of_id[row.delivery]
        found = {(state, True) for state in row.perhaps}
        ended = paper.expires_at is not None and paper.expires_at <= now_us
        if not self.surely_leased(row, now_us) and (ended or self.asked_late(paper, address)):
            found.add(("expired", True))
        return found

    def _must_be_over(self, row: Row, now_us: int) -> bool:
        """Say whether its time to live is certainly over, and nobody has it."""
        paper, address = self.row_of_id[row.delivery]
        if paper.expires_at is None or paper.expires_at + KEY_SLACK_US > now_us:
            return False
        lost = self.lease_lost_until.get(address, now_us) > now_us
        return row.leased_until <= now_us and not lost

    def mine(self, unit: int, delivery: str, now_us: int) -> Row | None:
        """Return the row of a delivery that the unit answers for now, or None."""
        known = self.row_of_id.get(delivery) or self._recognise(delivery)
        if known is None:
            return None
        paper, address = known
        if self.world.holder(address, now_us) != unit:
            return None
        return self.rows[paper.key, address]

    def _recognise(self, delivery: str) -> tuple[Paper, int] | None:
        """Return what the id of a delivery stands for that was never handed out as far as known.

        Somebody may know it from a time that was lost, or from when it was not released again.
        """
        if len(delivery) != DELIVERY_ID_CHARS:
            return None
        whole = decode_id(delivery)
        paper, address = self.paper_by_key(whole[:-4].hex()), int.from_bytes(whole[-4:], "big")
        if paper is None or len(paper.audiences) != 1 or address not in paper.audiences[0]:
            return None
        part = paper.part_of(address)
        if part is not None and (part.standing != RELEASED or part.perhaps):
            return None
        self.row(paper, address, delivery)
        return paper, address

    def _learn_released(self, delivery: str) -> None:
        """Note that a recipient was answered: what a lost answer left open is decided."""
        if delivery in self.row_of_id or len(delivery) != DELIVERY_ID_CHARS:
            return
        whole = decode_id(delivery)
        paper, address = self.paper_by_key(whole[:-4].hex()), int.from_bytes(whole[-4:], "big")
        part = None if paper is None else paper.part_of(address)
        if part is not None and RELEASED in part.perhaps:
            part.learn(RELEASED)

    def lose_settled(self, unit: int, state: str, now_us: int, deliveries: list[str]) -> None:
        """Note that a settlement was cut off: it may stand."""
        for delivery in deliveries:
            row = self.mine(unit, delivery, now_us)
            if row is not None and row.state == "open":
                row.perhaps.add(state)
                self._uncertain.add(delivery)

    def lose_kept(self, unit: int, until: int, now_us: int, deliveries: Sequence[str]) -> None:
        """Note that an extension, or (0) a giving back, was cut off: it may stand."""
        for delivery in deliveries:
            row = self.mine(unit, delivery, now_us)
            if row is not None and row.state == "open":
                row.ever_back = row.ever_back or not until
                if row.leased_until > now_us:
                    row.leased_until = max(row.leased_until, until)
                    row.lease_lost = True

    # What operators do to dead deliveries.

    def take_redriven(self, paper: Paper, answers: list[Settled]) -> None:
        """Check what was queued again, and begin to count anew."""
        self.joins += len(answers)
        for one in answers:
            address = int.from_bytes(decode_id(one.delivery)[-4:], "big")
            said = f"delivery {one.delivery}: re-driven"
            require(one.state == "queued" and not one.code, f"{said}, answered {one.state}")
            require(any(address in known for known in paper.audiences), f"{said}: misrouted")
            require(self.may_be_dead(paper, address), f"{said}, though it was not dead")
            row = self.row(paper, address, one.delivery)
            require(row.state == "open", f"{said}, though it was {row.state}")
            self._settle_doubt(row)
            row.attempts = row.attempts_most = 0
            row.lost_before = self._lost_leases[address]
            row.leased_until, row.lease_lost = NEVER, False
            row.given_back, row.redriven = True, True
            row.redrives += 1
        if answers:
            self.flushed()

    def lose_redriven(self, paper: Paper) -> None:
        """Note that an answer was lost: what was dead may be queued again."""
        for address in set().union(*paper.audiences):
            if self.may_be_dead(paper, address):
                row = self.rows.get((paper.key, address))
                if row is None:
                    row = self.row(paper, address, encode_id(paper.key, address))
                row.attempts, row.redriven = 0, True
                if row.leased_until <= self.asked_at.get(address, 0):
                    row.lease_lost = True  # it was dead: its lease runs no more if time goes back
                row.redrives += 1
                self.joins += 1

    def require_died(self, paper: Paper, address: int, delivery: str) -> None:
        """Check that a delivery may have been dead at some time, as its sender was told."""
        row = self.row(paper, address, delivery)
        most = row.attempts_most + self._lost_since(row, address)
        died = row.redrives > 0 or most >= ATTEMPTS_MAX
        require(died, f"delivery {delivery}: told as dead after {most} hand-outs at most")

    # After a restoration.

    def remember(self, lost: Model) -> set[str]:
        """Take over what people remember of a time that was lost since a backup.

        Ids that were given out then are spent; documents not yet sent at the backup may be sent
        again, as new; whoever was handed a delivery knows its id, under which it comes again.
        Returns the ids of which nobody knows whether the backup has them.
        """
        self.spent = lost.spent
        for paper in lost.papers:
            known = self.paper_of(paper.content)
            if known is None:
                self.add(paper.anew(self.world.places[paper.sender.number]))
            if paper.key and (known is None or known.standing is Standing.ABSENT):
                self.spent |= {paper.key, paper.sequence}
        forgotten = set()
        for delivery, (paper, address) in lost.row_of_id.items():
            known = self.paper_of(paper.content)
            if known is None or known.standing is Standing.ABSENT or known.hidden_from(address):
                continue  # there is no such delivery for that address
            part = known.part_of(address)
            maybe = known.standing is Standing.MAYBE or len(known.audiences) > 1
            if maybe or (part is not None and part.perhaps):
                forgotten.add(delivery)
            elif address in known.audiences[0]:
                self.row(known, address, delivery)
        return forgotten

    # The books as a whole.

    def check_counts(self, counts: dict[str, int]) -> None:
        """Hold the store's own counters against what is certain and what is possible."""
        stored = [one for one in self.papers if one.standing is Standing.STORED]
        maybe = sum(one.standing is Standing.MAYBE for one in self.papers)
        found = counts["documents"] - len(stored)
        require(0 <= found <= maybe, f"{counts['documents']} documents, {len(stored)} are known")
        if not maybe and all(len(one.audiences) == 1 for one in stored):
            expected = sum(len(one.audiences[0]) for one in stored)  # re-driven or not
            said = f"{counts['recipients']} deliveries, {expected} are known"
            require(counts["recipients"] == expected, said)
        for state in ("delivered", "refused"):
            certain, more = self.finals[state], len(self._uncertain)
            said = f"{counts[state]} are {state}, {certain} to {certain + more} are known"
            require(certain <= counts[state] <= certain + more, said)
