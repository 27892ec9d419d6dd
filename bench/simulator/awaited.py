"""Documents whose verdict can't be reached at once: nobody may have them until it is good.

What is missing (revocation data) comes a while after acceptance, and says that the signature is
good, or that it is not.  Which it is stands in the run's paper, so the model knows what a later
verdict must be; when the engine reaches it, is seen after each tick and each opening.  A crash may
have kept a verdict and lost the moves it leads to: then the next tick that is answered makes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from router.engine import Engine
from router.signatures import Missing, Verdict
from vanban_bench.simulator.documents import require
from vanban_bench.simulator.paper import Paper, Standing
from vanban_bench.simulator.parts import EXCLUDED, EXPIRED, RELEASED, WAITING, Awaited

if TYPE_CHECKING:
    from vanban_bench.simulator.session import Session

REFUSED: Final = "certificate.untrusted"
_STANDINGS: Final = {
    "waiting": WAITING, "valid": RELEASED, "invalid": EXCLUDED, "expired": EXPIRED,
}  # fmt: skip


def of(paper: Paper) -> Awaited | None:
    """Return the verdict that a document waits for, if it is one that must."""
    part = paper.parts[0] if paper.parts else None
    return part if isinstance(part, Awaited) else None


def decided(paper: Paper) -> bool:
    """Say whether a document had to wait for its verdict, and has it."""
    awaited = of(paper)
    return awaited is not None and awaited.standing in {RELEASED, EXCLUDED}


def await_verdicts(session: Session, engine: Engine) -> None:
    """Let an engine miss what the verdicts over some documents need, until it has come."""
    verification = engine._submitter._verification
    judge = verification.judge

    def judged(items: Sequence[Any], at_us: int, cold_wait_s: float | None = None) -> list[Verdict]:
        return [
            _known_now(session, item.payload, verdict, at_us)
            for item, verdict in zip(items, judge(items, at_us, cold_wait_s), strict=True)
        ]

    verification.judge = judged  # type: ignore[method-assign]


def _known_now(session: Session, payload: bytes, verdict: Verdict, at_us: int) -> Verdict:
    paper = session.model.paper_of(hashlib.sha256(payload).hexdigest())
    awaited = None if paper is None else of(paper)
    if awaited is None or verdict.status != "valid":
        return verdict
    if session.now_us() < at_us + awaited.delay_us:
        missing = tuple(Missing("crl", one.certificate_sha256) for one in verdict.signatures)
        return msgspec.structs.replace(verdict, status="indeterminate", missing=missing)
    return verdict if awaited.good else Verdict("invalid", verdict.trust_version, code=REFUSED)


def learn(session: Session) -> None:
    """See which verdicts were reached since, and that each is the one it must be.

    When the engine dies of being asked, it is asked again once it is open: what is checked next
    must find all learnt.
    """
    while session.verdicts_move:
        session.verdicts_move = False
        for paper in session.model.papers:
            awaited = of(paper)
            if awaited is None or awaited.standing != WAITING:
                continue
            if paper.standing is Standing.MAYBE:
                awaited.perhaps.add(RELEASED if awaited.good else EXCLUDED)
            if paper.standing is Standing.STORED and not _learn_of(session, paper, awaited):
                break  # the engine was opened anew, and verdicts may have moved


def _learn_of(session: Session, paper: Paper, awaited: Awaited) -> bool:
    """Learn what became of one document that waited; False when the engine died meanwhile."""
    shown = session.call(lambda engine: engine.verdict(paper.key))
    if shown is None:
        return False
    said = f"{paper.document_id}: its verdict"
    require(shown.waited in _STANDINGS, f"{said} was not waited for")
    if shown.waited in {"valid", "invalid"}:
        require(awaited.good == (shown.waited == "valid"), f"{said} is {shown.waited}")
        latest_us = max(session.latest_us, session.now_us())
        early = latest_us < _accepted_us(paper) + awaited.delay_us
        require(not early, f"{said} was reached before it could be")
    standing = _STANDINGS[shown.waited]
    require(awaited.reached in ("", standing), f"{said} was reached, and is forgotten")
    if standing != WAITING and session.verdicts_cut:
        awaited.reached = standing
        awaited.perhaps = {standing}
    else:
        awaited.learn(standing)
    session.note("verdict", paper.key, shown.waited)
    return True


def _accepted_us(paper: Paper) -> int:
    """Return when it was accepted, up to a millisecond early: its key begins with that."""
    return int(paper.key[:12], 16) * 1_000
