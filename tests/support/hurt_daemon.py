"""What clients see of a daemon whose disk fails, and what is left when it is started anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from support.daemon import Daemon, Town, daemon
from support.http import ask

from router.client import Client
from router.engine import Engine
from router.errors import StorageError
from router.model.answers import Receipt

COMMUNES = "children(H22.31)"
REFUSALS = {"store.failed", "store.full"}


@dataclass
class Memory:
    """What the clients of one daemon remember."""

    town: Town
    tried: list[bytes] = field(default_factory=list)
    receipts: dict[bytes, Receipt] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    refusal: str = ""

    def send(self, base_url: str, raw: bytes) -> None:
        """Send one document; a receipt must be the one given before."""
        self.tried.append(raw)
        with Client(base_url, self.town.tokens["H22"]) as client:
            receipt = client.submit(raw)
        known = self.receipts.setdefault(raw, receipt)
        if known is not receipt:
            assert receipt.repeated, "accepted twice"
            assert (receipt.key, receipt.sequence) == (known.key, known.sequence)

    def send_until_refused(self, base_url: str, tries: int, padding: int = 0) -> None:
        """Send new documents until one is refused for the disk's sake."""
        key = "x" * padding or None
        for _ in range(tries):
            try:
                self.send(base_url, self.town.envelope("H22", COMMUNES, key=key))
            except StorageError as error:
                self.refusal = error.code
                break
        assert self.refusal in ("", *REFUSALS)

    def take_one(self, base_url: str) -> None:
        """Acknowledge one delivery."""
        with Client(base_url, self.town.tokens["H22.31.20"]) as client:
            taken = [one.delivery for one in client.lease(1)]
            assert not self.acknowledged & set(taken)
            assert [one.state for one in client.acknowledge(taken)] == ["delivered"] * len(taken)
            self.acknowledged.update(taken)


def ready(running: Daemon) -> int:
    """Return the status of /readyz; /healthz must answer in any case."""
    assert ask(running.base_url, "GET", "/healthz").status == 200
    return ask(running.base_url, "GET", "/readyz").status


def live_and_fail(
    data: Path,
    memory: Memory,
    spoil: Callable[[Daemon], None],
    heal: Callable[[Daemon], None],
    tries: int = 30,
) -> None:
    """Run a daemon that works, then is hurt; from the first refusal on it refuses all.

    It must not open its store again by itself, nor refuse before the disk does: what becomes
    of its failures is looked at.
    """
    with daemon(data, STORE__REOPEN="false", STORE__RESERVE_BYTES="0") as running:
        for _ in range(3):
            memory.send(running.base_url, memory.town.envelope("H22", COMMUNES))
        memory.take_one(running.base_url)
        assert ready(running) == 200
        spoil(running)
        memory.send_until_refused(running.base_url, tries)
        heal(running)
        if memory.refusal:
            refuses_everything(running, memory)
        running.stop()


def refuses_everything(running: Daemon, memory: Memory) -> None:
    """See that nothing is taken any more, although the disk would work again."""
    assert ready(running) == 503
    raw = memory.town.envelope("H22", COMMUNES)
    answer = ask(
        running.base_url, "POST", "/v1/documents", raw, memory.town.tokens["H22"],
        "application/json",
    )  # fmt: skip
    assert answer.status == 503
    assert answer.problem()["code"] in REFUSALS


def works_again(data: Path, memory: Memory) -> None:
    """Start a daemon on what is left: nothing answered is lost, and it takes documents."""
    with daemon(data) as running:
        assert ready(running) == 200
        for raw in [*memory.tried, memory.town.envelope("H22", COMMUNES)]:
            memory.send(running.base_url, raw)
        for code in ("H22.31.20", "H22.31.21"):
            drain(running, memory, code)
        assert running.stop() == 0, running.log_text()
    with Engine.open(data) as engine:
        assert engine.check() == []
        stored = engine.counters()["stored"]
        assert isinstance(stored, dict)
        assert stored["documents"] == len(memory.receipts)
        assert stored["delivered"] == 2 * len(memory.receipts)


def drain(running: Daemon, memory: Memory, code: str) -> None:
    """Acknowledge all that a unit can get: what it acknowledged before comes no more."""
    with Client(running.base_url, memory.town.tokens[code]) as client:
        while batch := client.lease(100):
            ids = {one.delivery for one in batch}
            assert not ids & memory.acknowledged
            client.acknowledge(sorted(ids))
            memory.acknowledged |= ids
