"""A policy checked, tried, activated, rolled back: each activation is a record with an actor.

Whatever refuses a new policy leaves the running one as it is: it is judged, compiled and
tried before anything is written, and takes over in one step after the flush.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from router import limits
from router.directory import Snapshot
from router.engine.administration import append_act
from router.engine.policy_reading import calendar_of, judge, read_new
from router.engine.policy_records import ROOM, PolicyActivated, parts_of
from router.engine.state import Rooms, encode_record
from router.errors import ConflictError, InputError, PolicyError, PolicyProblem
from router.model.policies import PolicyChecked, PolicyVersion, TestOutcome
from router.policy.compiled import CompiledPolicy, compile_policy
from router.policy.floor import SHIPPED, floor_rules
from router.policy.lines import LineMap
from router.policy.model import PolicyFile
from router.policy.parsing import parse_policy
from router.policy.problems import Problems, findings_of
from router.policy.trying import run_tests
from router.ports import Clock

_TESTS_NAMED_MAX: Final = 20
"""Failing tests named when an activation is refused; of all the number is said."""


class PolicyKeeper:
    """Changes of the policy in force; thread-safe."""

    def __init__(self, rooms: Rooms, clock: Clock) -> None:
        self._rooms = rooms
        self._clock = clock

    # Looking, without changing anything.

    def check(self, text: bytes, *, tests: bool) -> PolicyChecked:
        """See `Engine.check_policy_text` and `Engine.test_policy_text`."""
        sha256 = hashlib.sha256(text).hexdigest()
        try:
            policy = parse_policy(text)
        except PolicyError as error:
            return PolicyChecked(False, sha256, 0, findings_of(error.problems))
        problems = self._judged(policy, text)
        wrong = any(one.severity == "error" for one in problems)
        tried: tuple[TestOutcome, ...] = ()
        if tests and not wrong:
            tried = self._tried(policy)
        valid = not wrong and all(one.passed for one in tried)
        return PolicyChecked(valid, sha256, len(policy.rules), findings_of(problems), tried)

    def _judged(self, policy: PolicyFile, text: bytes) -> tuple[PolicyProblem, ...]:
        now_us = self._clock.now_us()
        snapshot = self._rooms.directory.snapshot(now_us)
        return judge(policy, snapshot, text, now_us)

    def _tried(self, policy: PolicyFile) -> tuple[TestOutcome, ...]:
        """Run a policy's tests in the directory of their instants, as known now."""
        directory, calendar = self._rooms.directory, calendar_of(policy)
        made: dict[tuple[int, int], CompiledPolicy] = {}

        def lookup_at(at_us: int) -> Snapshot:
            return directory.snapshot(at_us)

        def compiled_at(at_us: int) -> CompiledPolicy:
            snapshot = lookup_at(at_us)
            found = made.get(snapshot.identity)
            if found is None:
                if len(made) >= limits.POLICY_COMPILED_MAX:
                    made.clear()
                found = compile_policy(policy, snapshot, calendar, floor=floor_rules())
                made[snapshot.identity] = found
            return found

        return run_tests(policy, compiled_at, lookup_at, self._clock.now_us())

    # Changing.

    def activate(self, text: bytes, *, actor: str, reason: str) -> PolicyVersion:
        """See `Engine.activate_policy`."""
        _check_reason(reason)
        now_us = self._clock.now_us()
        policy = read_new(text, self._rooms.directory.snapshot(now_us), now_us)
        _require_passed(self._tried(policy), text)
        with self._rooms.lock:
            return self._write(policy, text, 0, actor, reason)

    def roll_back(self, version: int | None, *, actor: str, reason: str) -> PolicyVersion:
        """See `Engine.rollback_policy`."""
        _check_reason(reason)
        policies = self._rooms.policies
        with self._rooms.lock:
            target = self._before() if version is None else version
            former = policies.of_version(target)
            if target == policies.in_force.version:
                raise ConflictError("policy.in_force", version=target)
            return self._write(former.policy, policies.text(target), target, actor, reason)

    def _before(self) -> int:
        """Return the version whose text was in force before the present one's.

        After a rollback that is the one before the version rolled back to: each further
        rollback goes one step back, not to and fro.
        """
        policies = self._rooms.policies
        version = policies.in_force.version
        while version and (back := policies.activation(version).made.rolled_back_to):
            version = back
        if not version or _is_shipped(self._rooms, version):
            raise ConflictError("policy.none_before")
        earlier = [one.version for one in policies.activations() if one.version < version]
        return earlier[-1] if earlier else 0

    def _write(
        self, policy: PolicyFile, text: bytes, rolled_back_to: int, actor: str, reason: str
    ) -> PolicyVersion:
        """Append text and activation in one group; the caller holds the rooms' lock."""
        policies, now_us = self._rooms.policies, self._clock.now_us()
        sha256 = hashlib.sha256(text).digest() if text else b""
        kept = policies.stored(sha256) if text else 0
        parts = [] if kept or not text else parts_of(text)
        activated = PolicyActivated(
            sha256, kept or len(parts), policy.name, len(policy.rules), reason.strip(),
            rolled_back_to, policy.without_floor or "",
        )  # fmt: skip
        policies.prepare(sha256, policy, self._rooms.directory.snapshot(now_us))
        try:
            bodies = [encode_record(one) for one in (*parts, activated)]
            append_act(self._rooms, self._clock, ROOM, bodies, actor)
        finally:
            policies.forget_prepared()
        return policies.shown()[-1]


def _is_shipped(rooms: Rooms, version: int) -> bool:
    return rooms.policies.of_version(version).policy is SHIPPED


def _require_passed(outcomes: Sequence[TestOutcome], text: bytes) -> None:
    """Raise PolicyError that names the first failing tests with their lines, if any fails."""
    failed = [(place, one) for place, one in enumerate(outcomes) if not one.passed]
    if not failed:
        return
    found = Problems()
    for place, one in failed[:_TESTS_NAMED_MAX]:
        found.add("policy.test_failed", ("tests", place), test=one.name, words=one.words)
    first = failed[0][1]
    raise PolicyError(
        "policy.tests_failed", problems=found.placed(LineMap(text.decode())), path="tests",
        count=len(failed), test=first.name, words=first.words,
    )  # fmt: skip


def _check_reason(reason: str) -> None:
    """Raise InputError `field.invalid` for a reason that says nothing or can't be shown."""
    text = reason.strip()
    if not text or len(text) > limits.REASON_CHARS_MAX or not text.isprintable():
        said = f"why, in at most {limits.REASON_CHARS_MAX} characters"
        raise InputError("field.invalid", path="$.reason", reason=said)
