"""The engine's calls about the policy: explained, asked, weighed, activated, rolled back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.engine.directory_face import OPERATOR
from router.engine.policy_activating import PolicyKeeper
from router.engine.policy_explaining import PolicyExplainer
from router.engine.policy_impact import PolicyImpactMaker
from router.engine.policy_reach import PolicyReach
from router.engine.state import Rooms
from router.engine.tracking import Tracker
from router.errors import InputError
from router.limits import POLICY_BYTES_MAX
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
from router.ports import Clock
from router.queue import Queue

if TYPE_CHECKING:  # the engine is built on this
    from router.engine.engine import Engine


class PolicyFace:
    """What `Engine` answers about its policy (docs/policy.md).

    `text` is a whole policy file, TOML in UTF-8.
    """

    _rooms: Rooms

    def _face_policy(self, rooms: Rooms, queue: Queue, clock: Clock, tracker: Tracker) -> None:
        self._policy_keeper = PolicyKeeper(rooms, clock)
        self._policy_explainer = PolicyExplainer(rooms, tracker)
        self._policy_reach = PolicyReach(rooms, clock)
        self._policy_impacts = PolicyImpactMaker(rooms, queue, clock, self._policy_explainer)

    def _alive(self) -> None:
        raise NotImplementedError

    # Why.

    def explain_policy(  # type: ignore[misc]
        self: Engine,
        document: str,
        *,
        viewer: str | int | None = None,
    ) -> PolicyExplained:
        """Say why a document went to whom: groups of recipients, each with its rules.

        `document` is its key (hex) or ``<sender code>|<document id>``; `viewer` is a unit that
        may read the sender's documents (None: an operator).  Raises NotFoundError
        `document.not_found`, also for documents of others.
        """
        return self.seat(self._viewer(viewer)).explain_policy(document)

    def explain_policy_unit(  # type: ignore[misc]
        self: Engine,
        document: str,
        unit: str,
        *,
        viewer: str | int | None = None,
    ) -> UnitUnderPolicy:
        """Say why a unit was allowed, held, excluded or added, or that it was none of these.

        Raises what `explain_policy` raises, and NotFoundError `unit.not_found`.
        """
        return self.seat(self._viewer(viewer)).explain_policy_unit(document, unit)

    # What if.

    def who_may_receive(
        self,
        unit: str | int,
        document: TestDocument | None = None,
        *,
        outcome: str = "allow",
        limit: int = 100,
        page: int = 0,
    ) -> Reach:
        """Say who may receive what a unit sends today, and list a page of an outcome.

        `outcome` is allow, hold or exclude.  `document` describes what is sent (None: a plain
        one, signed by the unit).  Rules that the audience, or what was not said of the
        document, would decide are named in `depends` and taken as not applying.  Raises
        NotFoundError `unit.not_found`, ForbiddenError `unit.closed`, InputError,
        CalendarError.
        """
        self._alive()
        return self._policy_reach.receive(unit, document, outcome, limit, page)

    def who_may_send(
        self,
        unit: str | int,
        document: TestDocument | None = None,
        *,
        outcome: str = "allow",
        limit: int = 100,
        page: int = 0,
    ) -> Reach:
        """Say from whom a unit may receive today; otherwise as `who_may_receive`."""
        self._alive()
        return self._policy_reach.send(unit, document, outcome, limit, page)

    def rule_reach(self, rule: str, text: bytes | None = None) -> RuleReach:
        """Say what a rule would catch today: senders, and pairs of sender and recipient.

        The rule is one of the policy in force, or of `text`; what it asks of documents,
        audiences and times is not counted in.  Raises NotFoundError `policy.rule_not_found`,
        PolicyError.
        """
        self._alive()
        return self._policy_reach.rule(rule, _sized(text) if text is not None else None)

    def policy_impact(
        self, text: bytes, *, since_us: int = 0, limit: int = 10_000, pairs: bool = False
    ) -> PolicyImpact:
        """Say what a policy would change against the one in force; nothing is changed.

        Decides the last `limit` documents stored since an instant by both, or with `pairs` a
        plain document of every unit to all others.  Raises PolicyError, InputError.
        """
        self._alive()
        return self._policy_impacts.of(_sized(text), since_us=since_us, limit=limit, pairs=pairs)

    def check_policy_text(self, text: bytes) -> PolicyChecked:
        """Say what is wrong or doubtful about a policy, in today's directory."""
        self._alive()
        return self._policy_keeper.check(_sized(text), tests=False)

    def test_policy_text(self, text: bytes) -> PolicyChecked:
        """Check a policy and run its tests; `valid` says whether it could be activated."""
        self._alive()
        return self._policy_keeper.check(_sized(text), tests=True)

    # Versions.

    def activate_policy(self, text: bytes, *, reason: str, actor: str = OPERATOR) -> PolicyVersion:
        """Put a policy in force, from the next batch on; the one before can be taken back.

        Raises PolicyError with every mistake, `policy.tests_failed` when one of its tests
        fails, InputError for reason or actor: the running policy stays.
        """
        self._alive()
        return self._policy_keeper.activate(_sized(text), actor=actor, reason=reason)

    def rollback_policy(
        self, version: int | None = None, *, reason: str, actor: str = OPERATOR
    ) -> PolicyVersion:
        """Put an earlier version in force again (None: the one before; 0: the shipped one).

        It is a new version with the same text; its tests are not asked again.  Raises
        NotFoundError `policy.not_found`, ConflictError `policy.in_force`,
        `policy.none_before`.
        """
        self._alive()
        return self._policy_keeper.roll_back(version, actor=actor, reason=reason)

    def policy_versions(self) -> list[PolicyVersion]:
        """Return every activation, oldest first; none: the shipped policy is in force."""
        self._alive()
        return self._rooms.policies.shown()

    def policy_text(self, version: int | None = None) -> bytes:
        """Return the text of a version (None: the one in force), empty for the shipped one.

        Raises NotFoundError `policy.not_found`.
        """
        self._alive()
        policies = self._rooms.policies
        return policies.text(policies.in_force.version if version is None else version)


def _sized(text: bytes) -> bytes:
    """Return a text within its limit; who embeds the engine may hand over anything."""
    if not isinstance(text, bytes) or len(text) > POLICY_BYTES_MAX:
        said = f"a policy is at most {POLICY_BYTES_MAX} bytes of TOML"
        raise InputError("field.invalid", path="$.text", reason=said)
    return text
