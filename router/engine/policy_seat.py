"""What a seat may ask and do about the policy: see `router.engine.seat`.

A unit may ask about itself.  The policy concerns every unit, so changing or weighing it needs
the action `policy` for all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from router.engine.access import Access, Reader
from router.model.answers import Principal
from router.model.policies import (
    PolicyChecked,
    PolicyExplained,
    PolicyImpact,
    PolicyVersion,
    Quarantined,
    QuarantinePage,
    Reach,
    RuleReach,
    TestDocument,
    UnitUnderPolicy,
)
from router.model.rights import POLICY, READ, RESOLVE

if TYPE_CHECKING:  # the engine makes seats
    from router.engine.engine import Engine


class PolicySeat:
    """One principal's view of an engine's policy."""

    _engine: Engine
    _access: Access
    _by: Principal | None

    def _reads(self) -> Reader:
        raise NotImplementedError

    def _require_policy(self, action: str = POLICY) -> None:
        self._access.require_whole(self._by, action, self._engine.now_us())

    def explain_policy(self, document: str) -> PolicyExplained:
        """Say why a document went to whom; see `Engine.explain_policy`."""
        return self._engine._policy_explainer.explain(document, self._reads())

    def explain_policy_unit(self, document: str, unit: str) -> UnitUnderPolicy:
        """Say what the policy made of one unit; see `Engine.explain_policy_unit`."""
        return self._engine._policy_explainer.explain_unit(document, unit, self._reads())

    def who_may_receive(
        self, unit: str | int, document: TestDocument | None = None, **options: Any
    ) -> Reach:
        """Say who may receive from a unit; see `Engine.who_may_receive`."""
        return self._engine.who_may_receive(self._askable(unit), document, **options)

    def who_may_send(
        self, unit: str | int, document: TestDocument | None = None, **options: Any
    ) -> Reach:
        """Say who may send to a unit; see `Engine.who_may_send`."""
        return self._engine.who_may_send(self._askable(unit), document, **options)

    def _askable(self, unit: str | int) -> int:
        """Return the number of a unit that is one's own, or that one may resolve for."""
        number = self._engine.unit(unit).number
        if self._by is None or self._by.unit != number:
            self._access.require(self._by, RESOLVE, [number], self._engine.now_us())
        return number

    def rule_reach(self, rule: str, text: bytes | None = None) -> RuleReach:
        """Say what a rule would catch; see `Engine.rule_reach`."""
        self._require_policy()
        return self._engine.rule_reach(rule, text)

    def policy_impact(self, text: bytes, **options: Any) -> PolicyImpact:
        """Say what a policy would change; it names documents, so `read` is needed, too."""
        self._require_policy()
        self._require_policy(READ)
        return self._engine.policy_impact(text, **options)

    def check_policy_text(self, text: bytes) -> PolicyChecked:
        """Say what is wrong about a policy; see `Engine.check_policy_text`."""
        self._require_policy()
        return self._engine.check_policy_text(text)

    def test_policy_text(self, text: bytes) -> PolicyChecked:
        """Check a policy and run its tests; see `Engine.test_policy_text`."""
        self._require_policy()
        return self._engine.test_policy_text(text)

    def activate_policy(self, text: bytes, *, reason: str, actor: str) -> PolicyVersion:
        """Put a policy in force; see `Engine.activate_policy`."""
        self._require_policy()
        return self._engine.activate_policy(text, reason=reason, actor=actor)

    def rollback_policy(
        self, version: int | None = None, *, reason: str, actor: str
    ) -> PolicyVersion:
        """Put an earlier version in force again; see `Engine.rollback_policy`."""
        self._require_policy()
        return self._engine.rollback_policy(version, reason=reason, actor=actor)

    def policy_versions(self) -> list[PolicyVersion]:
        """Return every activation; see `Engine.policy_versions`."""
        self._require_policy()
        return self._engine.policy_versions()

    def policy_text(self, version: int | None = None) -> bytes:
        """Return the text of a version; see `Engine.policy_text`."""
        self._require_policy()
        return self._engine.policy_text(version)

    # What the policy refused and kept: whole envelopes, of any sender.

    def quarantined(self, *, after: int = 0, limit: int = 20) -> QuarantinePage:
        """List refusals kept as evidence, without their envelopes, for unlimited operators."""
        self._access.require_everything(self._by, READ)
        found = self._engine.quarantined(after=after, limit=limit)
        bare = tuple(msgspec.structs.replace(one, envelope=b"") for one in found)
        return QuarantinePage(bare, found[-1].id if len(found) == limit else 0)

    def evidence(self, number: int) -> Quarantined:
        """Return one of them with its envelope; see `Engine.evidence`."""
        self._access.require_everything(self._by, READ)
        return self._engine.evidence(number)
