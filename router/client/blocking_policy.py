"""The calls about the policy of the synchronous client."""

from __future__ import annotations

from router.client import policy_wire, wire
from router.model.policies import (
    PolicyChecked,
    PolicyExplained,
    PolicyImpact,
    PolicyVersion,
    Reach,
    RuleReach,
    TestDocument,
    UnitUnderPolicy,
)
from router.model.requests import Outcome, ReachRequest


class PolicyCalls:
    """What a client asks about the policy (docs/policy.md); for operators, but for its own unit."""

    def _ask(self, request: wire.Request) -> tuple[int, bytes]:
        raise NotImplementedError

    def explain_policy(self, document: str) -> PolicyExplained:
        """Say why a document went to whom: groups of recipients, each with its rules."""
        request = policy_wire.explain(document, None)
        return wire.read(*self._ask(request), policy_wire.explained)

    def explain_policy_unit(self, document: str, unit: str) -> UnitUnderPolicy:
        """Say why a unit was allowed, held, excluded or added, or none of these."""
        request = policy_wire.explain(document, unit)
        return wire.read(*self._ask(request), policy_wire.unders)

    def rule_reach(self, rule: str) -> RuleReach:
        """Say what a rule in force would catch today."""
        request = policy_wire.rule(rule)
        return wire.read(*self._ask(request), policy_wire.rules)

    def who_may_receive(
        self,
        unit: str,
        document: TestDocument | None = None,
        *,
        outcome: Outcome = "allow",
        limit: int = 100,
        page: int = 0,
    ) -> Reach:
        """Say who may receive from a unit (a plain document, or one as described)."""
        request = policy_wire.receive(ReachRequest(unit, document, outcome, limit, page))
        return wire.read(*self._ask(request), policy_wire.reaches)

    def who_may_send(
        self,
        unit: str,
        document: TestDocument | None = None,
        *,
        outcome: Outcome = "allow",
        limit: int = 100,
        page: int = 0,
    ) -> Reach:
        """Say who may send to a unit (a plain document, or one as described)."""
        request = policy_wire.send(ReachRequest(unit, document, outcome, limit, page))
        return wire.read(*self._ask(request), policy_wire.reaches)

    def check_policy(self, text: str) -> PolicyChecked:
        """Say what is wrong or doubtful about a policy, and how its tests end."""
        request = policy_wire.check(text)
        return wire.read(*self._ask(request), policy_wire.checks)

    def policy_impact(
        self, text: str, *, since_us: int = 0, limit: int = 10_000, pairs: bool = False
    ) -> PolicyImpact:
        """Say what a policy would change against the one in force."""
        request = policy_wire.impact(text, since_us, limit, pairs=pairs)
        return wire.read(*self._ask(request), policy_wire.impacts)

    def activate_policy(self, text: str, *, reason: str) -> PolicyVersion:
        """Put a policy in force.  Raises PolicyError; the running one stays then."""
        request = policy_wire.activate(text, reason)
        return wire.read(*self._ask(request), policy_wire.activations)

    def rollback_policy(self, version: int | None = None, *, reason: str) -> PolicyVersion:
        """Put an earlier version in force again (None: the one before)."""
        request = policy_wire.rollback(version, reason)
        return wire.read(*self._ask(request), policy_wire.activations)

    def policy_versions(self) -> list[PolicyVersion]:
        """Return every activation, oldest first."""
        found = wire.read(*self._ask(policy_wire.VERSIONS), policy_wire.histories)
        return list(found.versions)

    def policy_text(self, version: int | None = None) -> str:
        """Return the text of a version (None: the one in force)."""
        request = policy_wire.text(version)
        return wire.read(*self._ask(request), policy_wire.texts).text
