"""A storm of clients against a daemon that may die at any moment, and what they remember.

Everything here is what real clients know: the receipts they hold, the deliveries they were
handed, the acknowledgements that were answered.  Who should get a document is computed from
the town's own lists, without the engine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random

import msgspec

from router.client import Client
from router.client.signing import Signer, make_envelope
from router.engine import Engine
from router.errors import VanbanError
from router.model.answers import Delivery, Receipt
from router.model.documents import Document, Urgency
from router.model.instants import VIETNAM_TIME
from router.model.units import Unit
from vanban_bench.workloads.test_pki import TestPki

DISTRICTS = ("H22.31", "H22.32", "H22.33")
COMMUNES = {one: [f"{one}.{number}" for number in range(20, 25)] for one in DISTRICTS}
DEPARTMENTS = ("H22.01", "H22.02", "H22.03")
ALL_COMMUNES = frozenset(code for codes in COMMUNES.values() for code in codes)
CODES = ("H22", *DEPARTMENTS, *DISTRICTS, *sorted(ALL_COMMUNES))
SENDERS = ("H22", "H22.01", "H22.32")


def units() -> Iterator[Unit]:
    """Yield a small province: departments, districts, communes."""
    number_of = {code: number for number, code in enumerate(CODES, 1)}
    for code in CODES:
        above = code.rpartition(".")[0]
        tier = 4 if above in DISTRICTS else 3 if code in DISTRICTS else 2
        kind = "department" if code in DEPARTMENTS else "people-committee"
        parent = number_of.get(above)
        yield Unit(number_of[code], code, f"Đơn vị {code}", tier, kind, parent)


@dataclass
class Letter:
    """One signed document, who must get it, and the receipt if one was given out."""

    sender: str
    document_id: str
    raw: bytes
    recipients: frozenset[str]
    receipt: Receipt | None = None
    tries: int = 0


@dataclass
class Inbox:
    """What one unit's client remembers; used by one thread at a time.

    `wrong` are breaches it saw itself.
    """

    unit: str
    token: str
    pulled: dict[str, str] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def take(self, delivery: Delivery) -> None:
        """Note a delivery that was handed out."""
        if delivery.address != self.unit:
            self.wrong.append(f"{self.unit} was handed a delivery to {delivery.address}")
        if delivery.delivery in self.acknowledged:
            self.wrong.append(f"{self.unit} was handed {delivery.delivery} after acknowledging it")
        known = self.pulled.setdefault(delivery.key, delivery.delivery)
        if known != delivery.delivery:
            self.wrong.append(f"{self.unit}: one delivery has the ids {known}, {delivery.delivery}")
        self.held.add(delivery.delivery)

    def pull(self, client: Client, limit: int, lease_s: int) -> int:
        """Lease once; return how many came."""
        deliveries = client.lease(limit, lease_s=lease_s)
        for delivery in deliveries:
            self.take(delivery)
        return len(deliveries)

    def acknowledge(self, client: Client, chosen: list[str]) -> None:
        """Acknowledge; only what was answered counts."""
        for one in client.acknowledge(chosen) if chosen else ():
            if one.state != "delivered":
                self.wrong.append(f"{self.unit}: {one.delivery} answered {one.code or one.state}")
            self.acknowledged.add(one.delivery)
            self.held.discard(one.delivery)


@dataclass
class Town:
    """The clients' side of the storm."""

    signers: dict[str, Signer]
    inboxes: dict[str, Inbox]
    letters: dict[str, list[Letter]] = field(default_factory=dict)

    def all_letters(self) -> list[Letter]:
        """Return every document that anybody tried to submit."""
        return [letter for letters in self.letters.values() for letter in letters]

    def write(self, random: Random, sender: str) -> Letter:
        """Write and sign the next document of a sender."""
        letters = self.letters.setdefault(sender, [])
        number = len(letters) + 5
        recipients, expected = choose_recipients(random)
        now = datetime.now(VIETNAM_TIME)
        document = Document(
            format=1,
            sender=sender,
            document_id=f"{sender},{now:%Y/%m/%d},{number:02}/CV-UBND",
            number=f"{number:02}",
            notation="CV-UBND",
            document_type="Công văn",
            subject=f"Về việc phòng chống bão lũ, đợt {number}",
            issued_at=now,
            recipients=recipients,
            urgency=random.choice(list(Urgency)),
        )
        key = f"{sender}-{number}" if random.random() < 0.5 else None
        envelope = make_envelope(document, [self.signers[sender]], idempotency_key=key)
        letter = Letter(
            sender, document.document_id, msgspec.json.encode(envelope), frozenset(expected)
        )
        letters.append(letter)
        return letter


def choose_recipients(random: Random) -> tuple[str, set[str]]:
    """Return a selector and whom it means, from the lists above."""
    district = random.choice(DISTRICTS)
    below = set(COMMUNES[district])
    chosen = random.sample(CODES, random.randint(1, 4))
    return random.choice(
        [
            (" | ".join(chosen), set(chosen)),
            (f"children({district})", below),
            ("tier(commune)", set(ALL_COMMUNES)),
            (f"tier(commune) - descendants({district})",
             set(ALL_COMMUNES - below)),
            ("kind(department)", set(DEPARTMENTS)),
            ("descendants(H22)", set(CODES) - {"H22"}),
        ]
    )  # fmt: skip


def found_at(data: Path) -> Town:
    """Fill a new data directory embedded, and close it."""
    pki = TestPki.load()
    with Engine.open(data) as engine:
        town = list(units())
        engine.import_units(town)
        engine.trust_issuer(pki.ca_der)
        signers = {}
        for unit in town:
            if unit.code in SENDERS:
                signers[unit.code] = pki.issue(unit.number, unit.code, unit.name)
                engine.bind(unit.code, signers[unit.code].certificate_der, 0)
        tokens = {one.code: engine.create_token(one.code, f"Văn thư {one.code}") for one in town}
    return Town(signers, {code: Inbox(code, token) for code, token in tokens.items()})


class Storm:
    """Threads of senders and recipients against one life of the daemon."""

    def __init__(self, town: Town, base_url: str, seed: int) -> None:
        self._town = town
        self._base_url = base_url
        self._over = threading.Event()
        self.answered = threading.Semaphore(0)
        """Released once for each receipt."""
        self.errors: list[BaseException] = []
        groups = [list(town.inboxes.values())[place::2] for place in range(2)]
        works: list[tuple[Callable[..., None], object]] = [
            *((self._send, sender) for sender in SENDERS),
            *((self._receive, group) for group in groups),
        ]
        self._threads = [
            threading.Thread(target=self._guarded, args=(work, who, Random(seed * 100 + place)))
            for place, (work, who) in enumerate(works)
        ]

    def start(self) -> None:
        """Let it break loose."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Wait until every client has given up; raise what went wrong in a thread."""
        self._over.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"
        if self.errors:
            raise self.errors[0]

    def _guarded(self, work: Callable[..., None], who: object, random: Random) -> None:
        try:
            work(who, random)
        except VanbanError as error:
            if error.code not in ("server.unreachable", "server.stopping"):
                self.errors.append(error)
        except BaseException as error:
            self.errors.append(error)

    def _send(self, sender: str, random: Random) -> None:
        town = self._town
        with Client(self._base_url, town.inboxes[sender].token, actor="văn thư") as client:
            unanswered = [one for one in town.letters.get(sender, []) if one.receipt is None]
            while not self._over.is_set():
                batch = unanswered[:4]
                del unanswered[:4]
                batch += [town.write(random, sender) for _ in range(random.randint(1, 6))]
                if random.random() < 0.2:
                    batch.append(random.choice(town.letters[sender]))
                submit(client, batch)
                for _ in batch:
                    self.answered.release()

    def _receive(self, inboxes: list[Inbox], random: Random) -> None:
        clients = {one.unit: Client(self._base_url, one.token, actor="văn thư") for one in inboxes}
        while not self._over.is_set():
            inbox = random.choice(inboxes)
            inbox.pull(clients[inbox.unit], random.choice([1, 5, 50]), 1)
            chosen = [one for one in sorted(inbox.held) if random.random() < 0.6]
            inbox.acknowledge(clients[inbox.unit], chosen)


def submit(client: Client, batch: list[Letter]) -> None:
    """Submit a batch; a receipt must be the first one that was given for that document."""
    for letter in batch:
        letter.tries += 1
    for letter, outcome in zip(batch, client.submit_batch([one.raw for one in batch]), strict=True):
        assert isinstance(outcome, Receipt), f"{letter.document_id}: {outcome}"
        plain = msgspec.structs.replace(outcome, repeated=False)
        if letter.receipt is None:
            assert letter.tries > 1 or not outcome.repeated, f"{letter.document_id}: repeated?"
            letter.receipt = plain
        else:
            assert outcome.repeated, f"{letter.document_id}: accepted twice"
            assert plain == letter.receipt, f"{letter.document_id}: another receipt"
