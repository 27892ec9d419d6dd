"""What the clients of a run do: senders, recipients, operators, the clock, and bad luck."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from router import limits
from router.engine import Engine
from router.errors import ForbiddenError, InputError, NotFoundError, TooManyOpenError
from router.model.answers import Delivery, Problem, Receipt, Settled, Tracking
from router.model.instants import SECOND_US
from vanban_bench.simulator.approvers import pry, rule
from vanban_bench.simulator.bounds import TOO_MANY, may_be_refused, overreach, require_room
from vanban_bench.simulator.deliveries import ATTEMPTS_MAX
from vanban_bench.simulator.documents import Forecast, require
from vanban_bench.simulator.outbox import read_outbox
from vanban_bench.simulator.paper import Order, Paper, Signing, Standing, write_paper
from vanban_bench.simulator.redriving import redrive
from vanban_bench.simulator.reforms import reform
from vanban_bench.simulator.restoring import back_up, restore
from vanban_bench.simulator.session import Session
from vanban_bench.simulator.upkeep import checkpoint, flush, make_segment, tick
from vanban_bench.simulator.world import COMMITTEE, DAY_US, Place, Selector, make_selector

SLEEPS_ONE_IN: Final = 9
FINAL: Final = frozenset(("delivered", "refused", "expired", "excluded", "withdrawn"))
HOUR_US: Final = 3_600 * SECOND_US


def submit(session: Session) -> None:
    """Submit a batch as a sender does: new documents, retries, now and then a conflict."""
    random, model = session.random, session.model
    sender = session.world.places[random.choice(sorted(session.signer_of))]
    batch: list[Paper] = []
    for _ in range(random.choice([1, 1, 2, 3, 5, 10])):
        earlier = [paper for paper in model.papers if paper.sender is sender]
        if earlier and random.random() < 0.25:
            batch.append(random.choice(earlier))
        else:
            paper = _write(session, sender, earlier)
            model.add(paper)
            batch.append(paper)
    submitter = None
    if random.random() < 0.6:
        submitter = session.world.holder(sender.number, session.now_us())
        if random.random() < 0.03:
            submitter = random.choice(sorted(session.world.places))
    send(session, batch, submitter)


def retry(session: Session) -> None:
    """Submit again what has no answer yet, or what was answered already."""
    unanswered = [one for one in session.model.papers if one.standing is Standing.MAYBE]
    papers = unanswered or session.model.papers
    if papers:
        send(session, [session.random.choice(papers)], None)


def send(session: Session, batch: list[Paper], submitter: int | None) -> None:
    """Submit a batch and check every answer, or note that all answers were lost."""
    model, random = session.model, session.random
    now_us = session.now_us()
    forecasts: list[Forecast] = [model.forecast(one, submitter, now_us) for one in batch]
    envelopes = [one.raw if random.random() < 0.7 else one.envelope for one in batch]

    def lost() -> None:
        for paper, forecast in zip(batch, forecasts, strict=True):
            model.lose_outcome(paper, forecast)

    before = _taken(session)
    outcomes = session.call(lambda engine: engine.submit(envelopes, unit=submitter), lost)
    if outcomes is None:
        return
    require(len(outcomes) == len(batch), "a batch was not answered one by one")
    for paper, forecast, outcome in zip(batch, forecasts, outcomes, strict=True):
        if isinstance(outcome, Problem) and outcome.code in TOO_MANY:
            _take_too_many(session, paper, forecast, outcome.code)
            continue
        model.take_outcome(paper, forecast, outcome)
        if isinstance(outcome, Receipt) and not outcome.repeated:
            require_room(model, session.bounds, paper)
    if all(isinstance(one, Problem) for one in outcomes):
        require(_taken(session) == before, "a batch that was refused left a trace")
    session.note("submit", outcomes)


def _taken(session: Session) -> tuple[int, ...]:
    counts = session.store.counts()
    return counts["documents"], counts["entries"], counts["recipients"]


def _take_too_many(session: Session, paper: Paper, forecast: Forecast, code: str) -> None:
    """Check a refusal for what is open already: it must be so, and it says that it is new."""
    said = f"{paper.document_id}: refused with {code}"
    stored = not forecast.refusals and not forecast.taken
    require(stored, f"{said}, expected {set(forecast.refusals)}")
    may = may_be_refused(session.model, session.bounds, paper, forecast.audience)
    require(code in may, f"{said}, within the bounds")
    session.model.learn_absent(paper)


def _write(session: Session, sender: Place, earlier: list[Paper]) -> Paper:
    random = session.random
    choice = random.random()
    document_id = f"{sender.code},{len(session.model.papers) + 1:05}/QĐ-UBND"
    key = f"key-{random.randint(1, 10**9)}" if random.random() < 0.5 else None
    if earlier and choice < 0.06:
        document_id = random.choice(earlier).document_id
    elif earlier and choice < 0.11:
        key = random.choice(earlier).envelope.idempotency_key
    ago_us = random.choice([0, 0, random.randint(0, 6 * HOUR_US), -30 * SECOND_US])
    if random.random() < 0.02:
        ago_us = -2 * HOUR_US
    signing = Signing.GOOD
    if random.random() < 0.08:
        signing = random.choice(list(Signing))
    order = Order(
        sender,
        session.signer_of[sender.number],
        document_id,
        key,
        session.now_us() - ago_us,
        _selector(session),
        signing,
        session.now_us(),
        strict=session.bounds.pending > 0,  # else who is skipped depends on what is pending
    )
    return write_paper(random, order)


def _selector(session: Session) -> Selector:
    """Return a selector; where what is pending is bounded, often one unit of a few."""
    random, world = session.random, session.world
    if session.bounds.pending and random.random() < 0.5:
        few = [place.code for place in world.open(session.start_us)][:3]
        return Selector("code", random.choice(few))
    return make_selector(random, world)


def lease(session: Session) -> None:
    """Take, as some unit, what waits for it."""
    random, now_us = session.random, session.now_us()
    unit = _recipient(session)
    if unit is not None and not _sleeps(session, unit.number):
        limit, lease_s = random.choice([1, 2, 5, 20, 100]), random.choice([5, 30, 300, 3_600])
        take(session, unit.number, limit, lease_s, now_us)


def _recipient(session: Session) -> Place | None:
    """Choose a unit; most of the time one that something waits for."""
    random, now_us = session.random, session.now_us()
    stored = [one for one in session.model.papers if one.standing is Standing.STORED]
    if stored and random.random() < 0.8:
        address = random.choice(sorted(random.choice(stored).audiences[0]))
        unit = session.world.places[session.world.holder(address, now_us)]
        if random.random() < 0.05:
            unit = session.world.places[address]
        return unit
    open_now = session.world.open(now_us)
    return random.choice(open_now) if open_now else None


def _sleeps(session: Session, unit: int) -> bool:
    """Say whether a unit takes nothing for the whole run: until the end it is as if dead."""
    return (unit * 2_654_435_761 + session.start_us // SECOND_US) % SLEEPS_ONE_IN == 0


def take(session: Session, unit: int, limit: int, lease_s: int, now_us: int) -> list[str]:
    """Lease and check what came; return the delivery ids."""
    if _closed(session, unit, lambda engine: engine.lease(unit, limit, lease_s=lease_s)):
        return []
    until = now_us + lease_s * SECOND_US
    deliveries = session.call(
        lambda engine: _lease(engine, unit, limit, lease_s),
        lambda: session.model.lose_lease(unit, until, now_us),
    )
    if deliveries is None:
        return []
    full = any(session.model.full(one, now_us) for one in session.world.held_by(unit, now_us))
    if isinstance(deliveries, TooManyOpenError):
        require(full, f"unit {unit} is refused for leases that it does not have")
        return []
    session.model.take_lease(unit, limit, until, now_us, deliveries)
    ids = [one.delivery for one in deliveries]
    session.received.setdefault(unit, []).extend(ids)
    session.note("lease", unit, [(one.delivery, one.attempt) for one in deliveries])
    if len(deliveries) < limit and not any(
        session.model.full(one, now_us) for one in session.world.held_by(unit, now_us)
    ):
        waiting = session.call(lambda engine: engine.waiting(unit))
        require(not waiting, "something waits that was not handed out")
    return ids


def neglect(session: Session) -> None:
    """Take what waits for some unit and let the leases run out, until it is given up."""
    unit = _recipient(session)
    if unit is not None and not _sleeps(session, unit.number):
        for _ in range(ATTEMPTS_MAX + 1):
            take(session, unit.number, 20, 5, session.now_us())
            session.clock.advance(6)


def _lease(
    engine: Engine, unit: int, limit: int, lease_s: int
) -> list[Delivery] | TooManyOpenError:
    try:
        return engine.lease(unit, limit, lease_s=lease_s, actor="văn thư")
    except TooManyOpenError as error:
        return error


def _closed(session: Session, unit: int, action: Callable[[Engine], object]) -> bool:
    """Say whether another unit answers for this one; its own acts must then be refused."""
    holder = session.world.holder(unit, session.now_us())
    if holder == unit:
        return False

    def refused(engine: Engine) -> bool:
        try:
            action(engine)
        except ForbiddenError as error:
            successor = session.world.places[holder].code
            return error.code == "unit.closed" and error.facts["successor"] == successor
        return False

    require(session.call(refused) is not False, "a closed unit acted for itself")
    return True


def acknowledge(session: Session) -> None:
    """Acknowledge, as some unit, a part of what it got: in time, late, twice, or another's."""
    _settle_some(session, "delivered")


def refuse(session: Session) -> None:
    """Return, as some unit, a part of what it got."""
    _settle_some(session, "refused")


def extend(session: Session) -> None:
    """Keep, as some unit, a part of what it got for longer, or not so long."""
    chosen = _some_received(session)
    if chosen is not None:
        unit, ids = chosen
        keep(session, unit, ids, session.random.choice([1, 30, 300, 3_600]))


def give_back(session: Session) -> None:
    """Give back, as some unit, a part of what it got: it comes again, in its old place."""
    chosen = _some_received(session)
    if chosen is not None:
        keep(session, *chosen, 0)


def keep(session: Session, unit: int, chosen: list[str], lease_s: int) -> None:
    """Extend leases by so many seconds from now, or (0) give back; check the answers."""
    now_us = session.now_us()
    if session.world.holder(unit, now_us) != unit:
        return
    until = now_us + lease_s * SECOND_US if lease_s else 0
    answers: list[Settled] | None = session.call(
        lambda engine: (
            engine.extend(unit, chosen, lease_s, actor="văn thư")
            if lease_s
            else engine.give_back(unit, chosen, actor="văn thư")
        ),
        lambda: session.model.lose_kept(unit, until, now_us, chosen),
    )
    if answers is not None:
        session.model.take_kept(unit, until, now_us, answers)
        session.note("keep", unit, until, answers)


def _settle_some(session: Session, state: str) -> None:
    chosen = _some_received(session)
    if chosen is not None:
        settle(session, *chosen, state)


def _some_received(session: Session) -> tuple[int, list[str]] | None:
    """Choose a unit and some of what it got; now and then another's, or nobody's."""
    random = session.random
    units = sorted(unit for unit, ids in session.received.items() if ids)
    if not units:
        return None
    unit = random.choice(units)
    ids = session.received[unit]
    recent = ids[-40:]
    chosen = random.sample(recent, random.randint(1, min(len(recent), 12)))
    if random.random() < 0.1:
        chosen.append(random.choice(session.received[random.choice(units)]))
    if random.random() < 0.05:
        chosen.append("A" * random.choice([5, 27, 27, 40]))
    if random.random() < 0.1:
        chosen.append(chosen[0])
    return unit, chosen


def settle(session: Session, unit: int, chosen: list[str], state: str) -> None:
    """Acknowledge or refuse deliveries and check the answers."""
    now_us = session.now_us()
    if _closed(session, unit, lambda engine: engine.acknowledge(unit, chosen)):
        return
    answers: list[Settled] | None = session.call(
        lambda engine: (
            engine.acknowledge(unit, chosen, actor="văn thư")
            if state == "delivered"
            else engine.refuse(unit, chosen, "sai thẩm quyền", actor="văn thư")
        ),
        lambda: session.model.lose_settled(unit, state, now_us, chosen),
    )
    if answers is None:
        return
    require([one.delivery for one in answers] == chosen, "settlements are not answered in order")
    session.model.take_settled(unit, state, now_us, answers)
    session.note(state, unit, answers)


def jump(session: Session) -> None:
    """Let the clock jump, forwards or backwards."""
    random = session.random
    if random.random() < 0.6:
        session.clock.advance(random.choice([60, 600, 4_000, 8 * 3_600]))
    elif session.now_us() > session.start_us - DAY_US // 2:
        session.clock.advance(-random.choice([1, 60, 600, 7_200]))


def trouble(session: Session) -> None:
    """Plan a fault for one of the next calls."""
    session.plan.arm(session.random, session.disk)


def death(session: Session) -> None:
    """Let the process die between two calls, alone or with the power."""
    session.plan.choose_death(session.random)
    session.crash()


def found_unit(session: Session) -> None:
    """Add a commune as an operator does: open since yesterday, now, or a little later."""
    random, now_us = session.random, session.now_us()
    parents = [one for one in session.world.open(session.start_us - 1)
               if one.tier == 3 and one.kind == COMMITTEE and one.valid_to is None]  # fmt: skip
    if not parents:
        return
    parent = random.choice(parents)
    number = max(session.world.places) + random.randint(1, 3)
    opens = random.choice([parent.valid_from, now_us, now_us + 300 * SECOND_US])
    opens = max(opens, parent.valid_from)
    code = f"{number + 100}.{parent.code}"
    place = Place(number, code, f"Đơn vị {code}", 4, COMMITTEE, parent.number, opens)
    answer = session.call(
        lambda engine: engine.import_units([place.unit()], actor="simulator"),
        lambda: session.pending_places.append(place),
    )
    if answer is not None:
        session.world.add(place)
        session.note("found", code)


def close_unit(session: Session) -> None:
    """Close a unit, now or soon; another one answers for it from then on."""
    random, world = session.random, session.world
    at_us = session.now_us() + random.randint(0, 1_200) * SECOND_US
    leaves = world.leaves(session.now_us())
    heirs = [one for one in world.open(at_us) if one.valid_to is None]
    if len(leaves) < 5:
        return
    leaf = random.choice(leaves)
    heir = random.choice([one for one in heirs if one is not leaf])

    def ask(engine: Engine) -> bool:
        try:
            engine.close_unit(leaf.code, at_us, [heir.code], actor="simulator")
        except InputError as error:
            require(error.code == "directory.invalid", f"closing {leaf.code}: {error}")
            return False
        return True

    def lost() -> None:
        session.pending_closings.append((leaf.number, at_us, (heir.number,)))

    if session.call(ask, lost):
        leaf.valid_to, leaf.successors = at_us, (heir.number,)
        session.note("close", leaf.code, heir.code, at_us)


def track(session: Session) -> None:
    """Ask, as a sender, who has a document; a stranger asks and learns nothing."""
    random = session.random
    stored = [one for one in session.model.papers if one.standing is Standing.STORED]
    if not stored:
        return
    paper = random.choice(stored)
    holder = session.world.holder(paper.sender.number, session.now_us())
    viewer = random.choice([None, holder])
    tracking = session.call(
        lambda engine: engine.track(paper.key, unit=viewer, limit=limits.TRACKING_PAGE_MAX)
    )
    if tracking is not None:
        check_tracking(session, paper, tracking)
    stranger = random.choice(sorted(session.world.places))
    if stranger != holder:
        require(not session.call(lambda engine: _sees(engine, paper, stranger)),
                f"{paper.document_id}: a stranger may track it")  # fmt: skip


def _sees(engine: Engine, paper: Paper, stranger: int) -> bool:
    try:
        engine.track(paper.key, unit=stranger)
    except NotFoundError:
        return False
    return True


def check_tracking(session: Session, paper: Paper, tracking: Tracking) -> None:
    """Hold a tracking board against the model."""
    said = f"{paper.document_id}: the board"
    audience = next((one for one in paper.audiences if len(one) == tracking.recipients), None)
    require(audience is not None, f"{said} counts {tracking.recipients} recipients")
    assert audience is not None
    numbers = [session.world.by_code(one.address).number for one in tracking.deliveries]
    require(sorted(numbers) == sorted(audience), f"{said} names other recipients")
    require(sum(tracking.states.values()) == len(audience), f"{said} does not add up")
    for number, one in zip(numbers, tracking.deliveries, strict=True):
        allowed = session.model.may_stand(paper, number, session.now_us())
        require(one.state in allowed, f"{said} says {one.address} has it {one.state}")
        ends = [event.state for event in one.history if event.state in FINAL]
        require(len(ends) <= 1, f"{said} says {one.address} was final {len(ends)} times")


def explain(session: Session) -> None:
    """Ask why a unit receives a document, or why not."""
    random = session.random
    papers = [one for one in session.model.papers
              if one.standing is Standing.STORED and len(one.audiences) == 1]  # fmt: skip
    if not papers:
        return
    paper = random.choice(papers)
    place = session.world.places[random.choice(sorted(session.world.places))]
    answer = session.call(lambda engine: engine.explain(paper.key, place.code))
    if answer is not None:
        part = paper.part_of(place.number)
        meant = place.number in paper.audiences[0]
        allowed = {meant and not paper.hidden_from(place.number)}
        if part is not None and part.perhaps and not part.hidden:
            allowed = {meant, False}  # a lost answer left open whether it was released
        said = f"{paper.document_id}: explained wrongly for {place.code}"
        require(answer.receives in allowed, said)


STEPS: Final[dict[Callable[[Session], None], int]] = {
    submit: 30,
    retry: 8,
    lease: 28,
    acknowledge: 16,
    refuse: 4,
    extend: 4,
    give_back: 4,
    jump: 7,
    trouble: 12,
    death: 4,
    checkpoint: 6,
    make_segment: 2,
    flush: 2,
    tick: 3,
    neglect: 2,
    redrive: 4,
    rule: 5,
    pry: 2,
    overreach: 2,
    read_outbox: 4,
    back_up: 3,
    restore: 2,
    found_unit: 2,
    close_unit: 2,
    reform: 4,
    track: 4,
    explain: 3,
}
"""What may happen in a step, with its weight."""
