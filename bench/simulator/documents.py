"""The model of documents: plain dicts that say what every submission must lead to.

It never asks the engine.  Where an answer was lost in a crash it keeps both possibilities
until a later answer tells which one came true; everything else is certain.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import msgspec

from router.model.answers import Outcome, Problem, Receipt
from router.model.instants import SECOND_US, year_of
from vanban_bench.simulator.paper import LANES, Paper, Signing, Standing
from vanban_bench.simulator.parts import Awaited, Part
from vanban_bench.simulator.world import UnresolvableError, World

CONFLICTS = ("document.conflict", "idempotency.conflict")
SKEW_US = 60 * SECOND_US


class WrongError(Exception):
    """The engine did what it must not; the text says what."""


def require(condition: bool, what: str) -> None:
    """Raise WrongError with `what` unless the condition holds."""
    if not condition:
        raise WrongError(what)


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


class Documents:
    """What a run has learnt of its documents, and the checks of each receipt against it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.papers: list[Paper] = []
        self.spent: set[str | int] = set()  # keys and sequences of a time that was lost
        self._by_content: dict[str, Paper] = {}
        self._by_key: dict[str, Paper] = {}
        self._by_sequence: dict[int, Paper] = {}
        self._by_name: dict[tuple[int, str], list[Paper]] = {}
        self._by_idempotency: dict[tuple[int, str], list[Paper]] = {}

    def add(self, paper: Paper) -> None:
        """Take in a new document, not yet submitted."""
        self.papers.append(paper)
        self._by_content[paper.content] = paper
        self._by_name.setdefault(paper.name, []).append(paper)
        if paper.idempotency is not None:
            self._by_idempotency.setdefault(paper.idempotency, []).append(paper)

    def paper_of(self, content: str) -> Paper | None:
        """Return the document whose content has that hash."""
        return self._by_content.get(content)

    def paper_by_key(self, key: str) -> Paper | None:
        """Return the document that is stored under a key, as far as is known."""
        return self._by_key.get(key)

    def parts_of(self, content: str) -> tuple[Part, ...]:
        """Return how the audience of a document is divided, by the hash of its content."""
        paper = self._by_content.get(content)
        if paper is None or any(isinstance(part, Awaited) for part in paper.parts):
            return ()  # what waits for its verdict the engine divides itself
        return paper.parts

    def named_in(self, key: str, sender: int, document_id: str) -> Paper | None:
        """Return the document that an event names; one whose answer was lost counts, too."""
        found = self._by_key.get(key)
        names = self._by_name.get((sender, document_id), [])
        return found or next((one for one in names if one.standing is Standing.MAYBE), None)

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

    def _take_receipt(self, paper: Paper, receipt: Receipt) -> None:
        said = f"{paper.document_id}: the receipt"
        paper.audiences = [
            one for one in paper.audiences if audience_sha256(one) == receipt.audience_sha256
        ]
        require(bool(paper.audiences), f"{said} names an audience that nobody addressed")
        require(receipt.effective == len(paper.audiences[0]), f"{said} counts another audience")
        waits = any(isinstance(part, Awaited) for part in paper.parts)
        require(receipt.waiting == waits * receipt.effective, f"{said} lets others wait")
        require(receipt.document_id == paper.document_id, f"{said} names another document")
        require(receipt.sender == paper.sender.code, f"{said} names another sender")
        require(receipt.content_sha256 == paper.content, f"{said} is for other content")
        require(receipt.lane == LANES[paper.urgency], f"{said} says another lane")
        spent = receipt.sequence in self.spent
        require(not spent, f"{said} has a sequence that was given before all was lost")
        owner = self._by_sequence.setdefault(receipt.sequence, paper)
        require(owner is paper, f"{said} has a sequence that was given before")
        paper.receipt = receipt
        paper.sequence = receipt.sequence

    def learn_stored(self, paper: Paper, key: str) -> None:
        """Note that a document is certainly stored under that key."""
        require(len(key) == 32, f"{paper.document_id}: {key!r} is no key")
        require(paper.key in ("", key), f"{paper.document_id}: its key changed")
        require(key not in self.spent, f"{paper.document_id}: its key was another's once")
        owner = self._by_key.setdefault(key, paper)
        require(owner is paper, f"{paper.document_id}: its key is another document's")
        if paper.standing is Standing.STORED:
            return
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


def audience_sha256(numbers: frozenset[int]) -> str:
    """Return the hash of an audience as receipts carry it."""
    packed = b"".join(number.to_bytes(4, "big") for number in sorted(numbers))
    return hashlib.sha256(packed).hexdigest()
