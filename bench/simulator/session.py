"""One run in progress: the engine, its disk, the clock, chance, and what must be true.

Every call of the engine goes through `Session.call`, which turns a planned fault into a
lost answer and opens the engine anew on the same disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from router import limits
from router.engine import Engine
from router.errors import NotFoundError, StorageError, VanbanError
from router.model.answers import OutboxEvent
from router.model.instants import SECOND_US
from router.model.reorganisations import Reorganisation
from router.ports import ManualClock
from router.queue import Acceptance, MemoryDisk, MemoryStore
from router.settings import Settings, SignatureSettings
from vanban_bench.simulator.awaited import await_verdicts
from vanban_bench.simulator.bounds import make_bounds
from vanban_bench.simulator.deliveries import ATTEMPTS_MAX
from vanban_bench.simulator.documents import WrongError
from vanban_bench.simulator.faults import Death, FaultPlan
from vanban_bench.simulator.history import History
from vanban_bench.simulator.model import Model
from vanban_bench.simulator.paper import SIGNERS, ca_der, signers
from vanban_bench.simulator.parts import divide
from vanban_bench.simulator.world import DAY_US, Place, make_world

if TYPE_CHECKING:
    from vanban_bench.simulator.restoring import Backup

Answer = TypeVar("Answer")
OpenStore = Callable[[MemoryDisk], MemoryStore]

_SETTINGS: Final = Settings(
    signatures=SignatureSettings(
        verify_threads=1,
        cold_wait_ms=limits.COLD_WAIT_MS_MAX,
        turn_wait_ms=limits.COLD_WAIT_MS_MAX,
    )
)
"""A run depends on no clock but its own: on a busy machine, too, each verdict is waited for."""

OPENINGS_MAX = 6
UNITS_LOOKED_AT = 12
SEGMENT_BYTES = (16_384, 32_768, 65_536, 262_144)

WORKING_DAY_US = 1_725_411_600 * SECOND_US
"""2024-09-04 08:00 in Vietnam."""
NEW_YEARS_EVE_US = 1_735_659_000 * SECOND_US
"""2024-12-31 22:30 in Vietnam: runs from here cross the year."""


class PendingReform(Protocol):
    """A reform whose answer was lost; `learn` tells the model that it was made."""

    @property
    def change(self) -> Reorganisation:
        """What was asked for."""
        ...

    @property
    def learn(self) -> Callable[[], None]:
        """Return what tells the model."""
        ...


class SeededChance:
    """Random bytes from the seed, going on through every crash."""

    def __init__(self, seed: int) -> None:
        self._random = Random(f"chance {seed}")

    def random_bytes(self, count: int) -> bytes:
        """Return the next `count` bytes of the stream."""
        return self._random.randbytes(count)


class Session:
    """The state of one run; `digest` hashes all that was answered."""

    def __init__(self, seed: int, open_store: OpenStore) -> None:
        self.random = Random(f"simulator {seed}")
        start = WORKING_DAY_US if self.random.random() < 0.75 else NEW_YEARS_EVE_US
        self.clock = ManualClock(start)
        self.start_us = self.latest_us = start
        self._chance = SeededChance(seed)
        self._open_store = open_store
        self.disk = MemoryDisk(self.random.choice(SEGMENT_BYTES))
        self.plan = FaultPlan()
        self.history = History(self.disk)
        self.crashes = 0
        self.digest = hashlib.sha256()
        self.world = make_world(self.random, start)
        self.bounds = make_bounds(self.random)
        self.model = Model(self.world)
        self.model.leases_max = self.bounds.leases
        self.received: dict[int, list[str]] = {}
        self.told: dict[int, dict[str, OutboxEvent]] = {}
        self.pending_places: list[Place] = []
        self.pending_closings: list[tuple[int, int, tuple[int, ...]]] = []
        self.pending_reforms: list[PendingReform] = []
        self.reforms = 0
        self.replays_before = 0
        self.restorations = 0
        self.backup: Backup | None = None
        self.freezing = False
        self.signer_of: dict[int, int] = {}
        self.verdicts_move = False
        self.verdicts_cut = False
        self.store: MemoryStore
        self.engine: Engine
        self._open()
        self._furnish()

    @property
    def replays(self) -> int:
        """How often the log was replayed in this run."""
        return self.replays_before + self.history.replays

    def now_us(self) -> int:
        """Return the run's present instant."""
        return self.clock.now_us()

    def _open(self) -> None:
        """Open the engine on the disk; a planned fault may strike, and may strike again."""
        self.freezing = False
        for attempt in range(OPENINGS_MAX):
            try:
                self.store = self._open_store(self.disk)
                self.model.ticked(self.now_us())
                self.engine = Engine.over(
                    self.store, settings=_SETTINGS, clock=self.clock, chance=self._chance
                )
                self.store.counts()  # due work that failed while it opened is told to the next
            except StorageError as error:
                self._require_planned(error)
                if attempt > 1 or self.random.random() < 0.5:
                    self.plan.death = Death.POWER_CUT
                self.plan.die(self.disk, self.random)
                continue
            self._adapt(self.engine)
            await_verdicts(self, self.engine)
            self.verdicts_move = self.verdicts_cut = True
            return
        raise WrongError("the engine does not open, though the disk is well")

    def _adapt(self, engine: Engine) -> None:
        """Let deliveries die soon, bounds be met, and audiences be divided.

        No rule of the engine divides them yet.
        """
        store, bounds = self.store, self.bounds
        store.in_flight_max = bounds.in_flight or store.in_flight_max
        store.pending_max = bounds.pending or store.pending_max
        store.leases_max = bounds.leases or store.leases_max
        queue, submitter = engine._queue, engine._submitter
        engine._judge.turn_s = math.inf
        queue.lease = partial(queue.lease, attempts_max=ATTEMPTS_MAX)  # type: ignore[method-assign]
        accept = submitter._acceptance

        def divided(work: Any, now_us: int) -> Acceptance:
            acceptance = accept(work, now_us)
            parts = self.model.parts_of(acceptance.content.hex())
            return divide(engine, acceptance, parts) if parts else acceptance

        submitter._acceptance = divided  # type: ignore[method-assign]

    def _require_planned(self, error: StorageError) -> None:
        if not self.plan.explains(error, self.disk):
            said = {"path": error.path, **error.facts}
            raise WrongError(f"failed without a reason: {error!r} {said}") from error

    def _furnish(self) -> None:
        """Import the units, trust the CA, bind a signer to each sender."""
        places = list(self.world.places.values())
        self.engine.import_units([place.unit() for place in places], actor="simulator")
        self.engine.trust_issuer(ca_der(), actor="simulator")
        senders = self.random.sample(places, min(len(places), SIGNERS // 2))
        pool = self.random.sample(range(0, SIGNERS, 2), len(senders))
        self.signer_of = {one.number: place for one, place in zip(senders, pool, strict=True)}
        since = self.start_us - 40 * DAY_US
        self.engine.bind_many(
            [
                (number, signers()[place].certificate_der, since, None)
                for number, place in self.signer_of.items()
            ],
            actor="simulator",
        )

    def note(self, *facts: object) -> None:
        """Add facts to the digest of the run."""
        self.digest.update(repr(facts).encode())

    def call(
        self, question: Callable[[Engine], Answer], lost: Callable[[], None] = lambda: None
    ) -> Answer | None:
        """Ask the engine; None when it died before it answered, `lost` being called then."""
        try:
            answer = question(self.engine)
        except StorageError as error:
            self._require_planned(error)
        except VanbanError as error:
            raise WrongError(f"the engine refused a call: {error}") from error
        else:
            if not self.plan.loses_answer():
                self.plan.forget_tolerated(self.disk)
                return answer
        lost()
        self.crash()
        return None

    def crash(self) -> None:
        """Let the process die where it stands, and open the engine on what it left."""
        self.crashes += 1
        self.note("crash", self.plan.death.name, self.disk.flushes)
        self.plan.die(self.disk, self.random)
        self._let_go()
        self.model.crashed()
        self.reopen()

    def move_to(self, disk: MemoryDisk) -> None:
        """Leave the disk for another one, for good; what was planned for it is forgotten."""
        self.plan.end(self.disk)
        self._let_go()
        self.replays_before += self.history.replays
        self.disk, self.history = disk, History(disk)
        self.freezing = False

    def reopen(self) -> None:
        """Open the engine on the disk as it is."""
        self._open()
        self._learn_directory()

    def _learn_directory(self) -> None:
        """See which of the directory changes that were cut off had been flushed."""
        for place in self.pending_places:
            try:
                self.engine.unit(place.number)
            except NotFoundError:
                continue
            self.world.add(place)
        for number, at_us, successors in self.pending_closings:
            if self.engine.unit(number).valid_to is not None:
                self.world.places[number].valid_to = at_us
                self.world.places[number].successors = successors
        made = {one.title for one in self.engine.directory_changes()}
        for reform in self.pending_reforms:
            if reform.change.title in made:
                reform.learn()
        self.pending_places, self.pending_closings, self.pending_reforms = [], [], []
        places = list(self.world.places.values())
        for place in self.random.sample(places, min(len(places), UNITS_LOOKED_AT)):
            known = self.engine.unit(place.number)
            standing = known.kind, known.parent
            lasts = place.standing(max(self.now_us(), place.valid_from))
            if (known.code, known.valid_to) != (place.code, place.valid_to) or (
                place.valid_to is None and standing != lasts
            ):
                raise WrongError(f"unit {place.code}: what was answered is forgotten")

    def tick(self) -> int | None:
        """Let the engine do what is due; None when it died meanwhile."""
        self.model.ticked(self.now_us())
        self.verdicts_move = True
        done = self.call(lambda engine: engine.tick())
        if done is not None:
            self.verdicts_cut = False
        return done

    def check_disk(self) -> None:
        """Hold the state against replays of the log from every checkpoint that was kept."""
        self.call(lambda _: self.history.check(self.store))
        self.freezing = False
        planned = self.plan.kind
        wrong = self.call(lambda engine: engine.check())
        if wrong and self.plan.kind is planned:  # else a planned fault is what was found
            raise WrongError("the stored state is broken: " + "; ".join(wrong[:3]))

    def close(self) -> None:
        """End the run."""
        self.plan.end(self.disk)
        self.disk.files = self.disk.files.clone()
        self._let_go()

    def _let_go(self) -> None:
        """Free the threads of a dead process; what it still writes, nobody sees."""
        with contextlib.suppress(StorageError):
            self.engine.close()
