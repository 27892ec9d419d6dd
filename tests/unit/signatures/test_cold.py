"""Cold paths hold up nobody: they are joined, bounded, and waited for only so long."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

import pytest
from support.pki import AT_US, PAYLOAD, pki, trust_of

from router.signatures import Verifier, VerifyItem, cold
from router.signatures.authorities import TrustView
from router.signatures.caches import RevocationSnapshot
from router.signatures.certificates import Certificate
from router.signatures.cold import ColdPaths
from router.signatures.paths import PathVerdict, judge_path


class Gate:
    """Judges like the real one, but only once the gate is open; counts and tells its calls."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.judged: list[str] = []

    def __call__(
        self,
        leaf: Certificate,
        others: Sequence[Certificate],
        view: TrustView,
        revocation: RevocationSnapshot,
        at_us: int,
    ) -> PathVerdict:
        self.entered.set()
        self.open.wait(60)
        self.judged.append(leaf.subject)
        return judge_path(leaf, others, view, revocation, at_us)


@contextmanager
def gated(cold_wait_s: float, threads: int = 1) -> Iterator[tuple[Verifier, Gate]]:
    verifier, gate = Verifier(threads, cold_wait_s), Gate()
    verifier._cold = ColdPaths(verifier._caches, gate)
    try:
        yield verifier, gate
    finally:
        gate.open.set()
        verifier.close()


def item(number: int, payload: bytes = PAYLOAD) -> VerifyItem:
    signer = pki().issue(number, f"H22.{number}", "UBND", kind="ec", index=number)
    return VerifyItem(payload, (signer.sign(payload),))


def statuses(verifier: Verifier, items: Sequence[VerifyItem]) -> list[str]:
    return [one.status for one in verifier.verify_batch(items, trust_of(), None, AT_US)]


def test_what_is_not_judged_in_time_waits_and_is_found_later() -> None:
    with gated(0.0) as (verifier, gate):
        trust = trust_of()
        verdict = verifier.verify_batch([item(1)], trust, None, AT_US)[0]
        assert (verdict.status, verdict.code) == ("indeterminate", "")
        assert [one.kind for one in verdict.missing] == ["path"]
        assert verdict.signatures[0].status == "indeterminate"
        gate.open.set()
        flights = list(verifier._cold._flights.values())
        assert all(flight.wait(monotonic() + 60) for flight in flights) or not flights
        verdict = verifier.verify_batch([item(1)], trust, None, AT_US)[0]
        assert (verdict.status, verdict.missing) == ("valid", ())
        assert len(gate.judged) == 1


def test_a_bad_signature_never_asks_for_a_path() -> None:
    with gated(0.0) as (verifier, _gate):
        good = item(1)
        assert statuses(verifier, [VerifyItem(b"other", good.signatures)]) == ["invalid"]
        assert verifier.sizes().cold_waiting == 0


def test_equal_questions_are_asked_once() -> None:
    with gated(30.0, 2) as (verifier, gate):
        items = [item(1, str(number).encode()) for number in range(40)]
        answers: list[list[str]] = []
        trust = trust_of()

        def ask() -> None:
            found = verifier.verify_batch(items, trust, None, AT_US)
            answers.append([verdict.status for verdict in found])

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert gate.entered.wait(60)
        gate.open.set()
        for thread in threads:
            thread.join()
        assert answers == [["valid"] * 40] * 3
        assert len(gate.judged) == 1


def test_a_batch_without_new_signers_does_not_wait_behind_a_cold_path() -> None:
    with gated(60.0) as (verifier, gate):
        gate.open.set()
        trust = trust_of()
        assert verifier.verify_batch([item(1)], trust, None, AT_US)[0].status == "valid"
        gate.open.clear()
        gate.entered.clear()
        slow = threading.Thread(target=verifier.verify_batch, args=([item(2)], trust, None, AT_US))
        slow.start()
        assert gate.entered.wait(60)
        assert verifier.verify_batch([item(1)], trust, None, AT_US)[0].status == "valid"
        assert slow.is_alive()
        gate.open.set()
        slow.join()


def test_a_full_line_lets_documents_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "COLD_PATHS_MAX", 2)
    with gated(0.0) as (verifier, gate):
        trust = trust_of()
        items = [item(number) for number in range(1, 5)]
        found = verifier.verify_batch(items, trust, None, AT_US)
        assert [verdict.status for verdict in found] == ["indeterminate"] * 4
        assert verifier.sizes().cold_waiting == 2
        gate.open.set()


def test_a_flaw_in_judging_turns_nothing_valid() -> None:
    def broken(*_arguments: object) -> PathVerdict:
        raise RuntimeError("a flaw")

    verifier = Verifier(1, 30.0)
    verifier._cold = ColdPaths(verifier._caches, broken)
    assert statuses(verifier, [item(1)]) == ["indeterminate"]
    assert verifier.sizes().cold_waiting == 0
    verifier.close()


def test_closing_leaves_no_thread_behind() -> None:
    with gated(0.0, 2) as (verifier, gate):
        statuses(verifier, [item(number) for number in range(1, 20)])
        gate.open.set()
        verifier.close()
        names = [thread.name for thread in threading.enumerate()]
        assert not [name for name in names if name.startswith(("verify", "paths"))]
