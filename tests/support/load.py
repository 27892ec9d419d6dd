"""A scripted load on a real engine in a process of its own, and what must be left of it.

The script holds signed documents, made beforehand.  `python -m support.load --play SCRIPT` plays
one life of it: founds the town when it is the first, submits from two threads, hands out and
settles on a third.  Everything tried and everything answered is marked in the record of
shim/ (or printed, when that library is not loaded), so that a cut of the record knows what
had been promised.

`python -m support.load --judge SCRIPT` opens directory after directory and says which promise
is broken: what was answered is there, whole and once; nothing was invented; the invariants
hold; the engine goes on accepting.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from support.faulty import Faults
from support.storm import CODES, SENDERS, Letter, Town, units

from router.engine import Engine
from router.errors import StorageError, VanbanError
from router.model.answers import Receipt
from router.model.documents import Envelope, SignatureEntry
from router.ports import Clock, OffsetClock, SystemClock
from router.queue.group_store import GroupStore
from router.settings import Settings, SignatureSettings
from vanban_bench.workloads.test_pki import TestPki

PATIENT = Settings(signatures=SignatureSettings(cold_wait_ms=600_000))
"""No document waits for a path that a slow machine takes long to check: all are handed out."""
LATER_S = 7_200
"""A directory is opened so much later than it was left: leases have run out."""


class Post(msgspec.Struct, frozen=True):
    """One signed document and the codes of the units it is for."""

    sender: str
    raw: str
    recipients: tuple[str, ...]


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """One life: the directory, the documents to send, and how it ends."""

    data: str
    posts: list[Post]
    first: int
    """Posts before this one belong to earlier lives."""
    last: int
    """Posts from this one on are not sent."""
    certificates: dict[str, bytes]
    seed: int
    end: str
    """`close` or `kill` (by itself, with SIGKILL)."""
    port: str = "log"
    """The durability port below the engine: `log` or `group`."""


class Case(msgspec.Struct, frozen=True):
    """One directory to judge, and the marks made before it came to be."""

    data: str
    marks: list[bytes]


def opened(data: str | Path, port: str, clock: Clock) -> Engine:
    """Open the engine of a script over its durability port."""
    if port == "log":
        return Engine.open(data, clock=clock, settings=PATIENT)
    store = GroupStore.open(data, clock_us=clock.now_us())
    try:
        return Engine.over(store, clock=clock, settings=PATIENT)
    except BaseException:
        store.close()
        raise


def write_script(data: Path, posts: int, seed: int, port: str = "log") -> Script:
    """Write and sign so many documents."""
    pki = TestPki.load()
    random = Random(seed)
    number = {unit.code: unit.number for unit in units()}
    signers = {code: pki.issue(number[code], code, code) for code in SENDERS}
    town = Town(signers, {})
    letters: list[Letter] = [town.write(random, SENDERS[n % len(SENDERS)]) for n in range(posts)]
    return Script(
        data=str(data),
        posts=[Post(one.sender, one.raw.decode(), tuple(one.recipients)) for one in letters],
        first=0,
        last=posts,
        certificates={code: signer.certificate_der for code, signer in signers.items()},
        seed=seed,
        end="close",
        port=port,
    )


# The load.


class Marker:
    """Puts facts into the record, or prints them without one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        try:
            self._put: Callable[[bytes, int], object] | None = ctypes.CDLL(None).shim_mark
        except AttributeError:
            self._put = None

    def __call__(self, **facts: object) -> None:
        data = msgspec.json.encode(facts)
        if self._put is not None and "VANBAN_SHIM_LOG" in os.environ:
            self._put(data, len(data))
            return
        left = data + b"\n"
        with self._lock:
            while left:
                with contextlib.suppress(OSError):  # libfiu fails this as well
                    left = left[os.write(1, left) :]


def found(engine: Engine, script: Script, mark: Marker) -> None:
    """Fill the directory; each step is marked when it was answered."""
    engine.import_units(list(units()))
    mark(step="units")
    engine.trust_issuer(TestPki.load().ca_der)
    mark(step="issuer")
    engine.bind_many([(code, der, 0, None) for code, der in script.certificates.items()])
    mark(step="bound")
    mark(step="token", token=engine.create_token("H22.31", "Văn thư"))


class Life:
    """The threads of one life."""

    def __init__(self, engine: Engine, script: Script, mark: Marker) -> None:
        self._engine = engine
        self._script = script
        self._mark = mark
        self._left = list(range(script.first, script.last))
        self._taking = threading.Lock()
        self._over = threading.Event()
        self.errors: list[BaseException] = []
        self.founded = False

    def submit_one(self) -> object:
        """Send the last post of all, which no life sends."""
        return self._engine.submit([self._script.posts[-1].raw.encode()])

    def lease_one(self) -> object:
        """Ask for one delivery."""
        return self._engine.lease("H22", 1)

    def run(self) -> None:
        """Found the town in the first life, send everything, settle some; stop at an error."""
        if self._script.first == 0:
            self._guarded(lambda _: found(self._engine, self._script, self._mark), 0)
            if self.errors:
                return
        self.founded = True
        senders = [threading.Thread(target=self._guarded, args=(self._send, n)) for n in (1, 2)]
        beside = [
            threading.Thread(target=self._guarded, args=(self._receive, 3)),
            threading.Thread(target=self._guarded, args=(self._checkpoint, 4)),
        ]
        for thread in (*senders, *beside):
            thread.start()
        for thread in senders:
            thread.join()
        self._over.set()
        for thread in beside:
            thread.join()

    def _guarded(self, work: Callable[[Random], None], number: int) -> None:
        try:
            work(Random(self._script.seed * 10 + number))
        except BaseException as error:
            self.errors.append(error)
            code = error.code if isinstance(error, VanbanError) else repr(error)
            self._mark(refused=code, healthy=self._engine.healthy())

    def _send(self, random: Random) -> None:
        while True:
            with self._taking:
                size = random.choice([1, 1, 2, 6])
                batch, self._left = self._left[:size], self._left[size:]
            if not batch or self.errors:
                return
            self._mark(trying=batch)
            answers = self._engine.submit([self._script.posts[n].raw.encode() for n in batch])
            self._mark(receipts=dict(zip(batch, answers, strict=True)))

    def _receive(self, random: Random) -> None:
        while not self._over.is_set() and not self.errors:
            unit = random.choice(CODES)
            got = self._engine.lease(unit, random.choice([1, 3, 20]), lease_s=600)
            chosen = [one.delivery for one in got if random.random() < 0.7]
            if not chosen:
                continue
            pairs = {one.delivery: one.key for one in got if one.delivery in chosen}
            self._mark(settling=[(unit, key) for key in pairs.values()])
            if random.random() < 0.2:
                answers = self._engine.refuse(unit, chosen, "gửi nhầm")
            else:
                answers = self._engine.acknowledge(unit, chosen)
            self._mark(settled=[(unit, pairs[one.delivery]) for one in answers])

    def _checkpoint(self, random: Random) -> None:
        """Let the state be written out often, where the store does that in its own time."""
        write = self._engine._queue.store.checkpoint
        while not self._over.wait(random.random() / 100) and not self.errors:
            write()


def play(script: Script) -> None:
    """Play one life in this process."""
    mark = Marker()
    try:
        engine = opened(script.data, script.port, SystemClock())
    except StorageError as error:
        mark(refused=error.code, healthy=False)
        return
    life = Life(engine, script, mark)
    life.run()
    if script.end == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if life.errors and life.founded:
        mark(then=[refusal(life.submit_one), refusal(life.lease_one)])
    mark(hits=hits_so_far())
    mark(step="closing", healthy=engine.healthy())
    try:
        engine.close()
    except StorageError as error:
        mark(refused=error.code, healthy=engine.healthy())
    mark(step="closed")


def hits_so_far() -> int:
    """Return how many calls of this process were made to fail."""
    control = os.environ.get("VANBAN_SHIM_CONTROL")
    if control is None:
        return 0
    with Faults(Path(control)) as faults:
        return faults.hits


def refusal(work: Callable[[], object]) -> str:
    """Return the code of the StorageError that a call raises, or else what it did."""
    try:
        return f"answered: {work()}"
    except StorageError as error:
        return error.code


# What must be left.


class Promises:
    """What had been tried and what had been answered, from the marks before a cut."""

    def __init__(self, marks: Iterable[bytes]) -> None:
        self.steps: set[str] = set()
        self.token = ""
        self.tried: set[int] = set()
        self.receipts: dict[int, Receipt] = {}
        self.settling: set[tuple[str, str]] = set()
        self.settled: set[tuple[str, str]] = set()
        self.refused: list[str] = []
        """Codes of the errors that were met."""
        self.then: list[str] = []
        """What two calls after the first error came to."""
        self.healthy = True
        self.hits = 0
        """Calls that failed before the engine was closed."""
        self.wrong: list[str] = []
        for data in marks:
            self._take(json.loads(data))

    def _take(self, facts: dict[str, Any]) -> None:
        if "step" in facts:
            self.steps.add(facts["step"])
            self.token = facts.get("token", self.token)
        self.hits = facts.get("hits", self.hits)
        self.healthy = facts.get("healthy", self.healthy)
        self.refused += [facts["refused"]] if "refused" in facts else []
        self.then += facts.get("then", ())
        self.tried.update(facts.get("trying", ()))
        for number, answer in facts.get("receipts", {}).items():
            if "receipt" in answer or "key" in answer:
                self.receipts[int(number)] = msgspec.convert(answer, Receipt)
            elif answer.get("code") not in ("store.failed", "store.full"):
                self.wrong.append(f"post {number} was answered {answer}")
        self.settling.update((unit, key) for unit, key in facts.get("settling", ()))
        self.settled.update((unit, key) for unit, key in facts.get("settled", ()))


def problems(data: Path, script: Script, marks: Iterable[bytes]) -> list[str]:
    """Open a directory with the real engine; return every broken promise, in words."""
    promised = Promises(marks)
    clock = OffsetClock(SystemClock().now_us() + LATER_S * 1_000_000)
    try:
        with opened(data, script.port, clock) as engine:
            wrong = [*promised.wrong, *engine.check()]
            if "units" in promised.steps:
                wrong += [f"unit {code}" for code in CODES if engine.unit(code).code != code]
            if promised.token and engine.authenticate(promised.token).code != "H22.31":
                wrong.append("the token stands for another unit")
            if "bound" in promised.steps:
                wrong += _sent_again(engine, script, promised)
                wrong += _handed_out(engine, script, promised)
                wrong += engine.check()
    except VanbanError as error:
        return [f"{type(error).__name__} {error.code}: {error}"]
    return wrong


def _sent_again(engine: Engine, script: Script, promised: Promises) -> list[str]:
    """Send all that was tried again, and one more; complete `promised.receipts`."""
    wrong = []
    fresh = [n for n in range(len(script.posts)) if n not in promised.tried][:1]
    numbers = [*sorted(promised.tried), *fresh]
    for start in range(0, len(numbers), 100):
        some = numbers[start : start + 100]
        answers = engine.submit([script.posts[n].raw.encode() for n in some])
        for number, answer in zip(some, answers, strict=True):
            if not isinstance(answer, Receipt):
                wrong.append(f"post {number} is answered {answer.code}")
                continue
            plain = msgspec.structs.replace(answer, repeated=False)
            known = promised.receipts.setdefault(number, plain)
            if number in fresh and answer.repeated:
                wrong.append(f"post {number} was never sent and is known")
            if known is not plain and (known != plain or not answer.repeated):
                wrong.append(f"post {number} was answered and is lost or another")
    return wrong


def _signed(post: Post) -> tuple[bytes, tuple[SignatureEntry, ...]]:
    envelope = msgspec.json.decode(post.raw, type=Envelope)
    return envelope.payload, envelope.signatures


def _handed_out(engine: Engine, script: Script, promised: Promises) -> list[str]:
    """Drain every inbox: each unit gets what is its own, whole, once, and no more."""
    wrong = []
    posts = {receipt.key: script.posts[n] for n, receipt in promised.receipts.items()}
    due = {(unit, key) for key, post in posts.items() for unit in post.recipients}
    got: set[tuple[str, str]] = set()
    for unit in CODES:
        while batch := engine.lease(unit, 200):
            for one in batch:
                pair = (unit, one.key)
                if pair in got:
                    wrong.append(f"{pair} is handed out twice")
                if pair not in due:
                    wrong.append(f"{pair} is not for that unit")
                elif (one.payload, one.signatures) != _signed(posts[one.key]):
                    wrong.append(f"{pair} has another content")
                got.add(pair)
            engine.acknowledge(unit, [one.delivery for one in batch])
    wrong += [f"{pair} was settled and comes again" for pair in got & promised.settled]
    wrong += [f"{pair} is lost" for pair in due - got - promised.settling]
    stored = engine.counters()["stored"]
    assert isinstance(stored, dict)
    if stored.get("documents") != len(posts):
        wrong.append(f"{stored.get('documents')} documents are stored, {len(posts)} were sent")
    final = stored.get("delivered", 0) + stored.get("refused", 0)
    if final != len(due):
        wrong.append(f"{final} deliveries are final of {len(due)}")
    return wrong


def judge(script: Script) -> None:
    """Read a directory and its marks from each line, write the list of problems."""
    for line in sys.stdin.buffer:
        case = msgspec.json.decode(line, type=Case)
        answer = problems(Path(case.data), script, case.marks)
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    (play if sys.argv[1] == "--play" else judge)(
        msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=Script)
    )
