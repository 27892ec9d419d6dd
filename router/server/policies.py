"""The endpoints about the policy: why, what if, versions; a thin layer over a seat.

What may take long runs on a thread, so that the loop goes on serving.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote

from litestar import get, post
from litestar.handlers.http_handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from router import limits
from router.engine import Engine
from router.model.policies import (
    PolicyChecked,
    PolicyExplained,
    PolicyImpact,
    PolicyVersion,
    Quarantined,
    QuarantinePage,
    Reach,
    RuleReach,
    UnitUnderPolicy,
)
from router.model.requests import (
    ActivateRequest,
    ImpactRequest,
    PolicyRequest,
    PolicyShown,
    PolicyVersions,
    ReachRequest,
    RollbackRequest,
)
from router.server.seats import AnyRequest, call_of, principal_of


def policy_handlers(engine: Engine) -> list[HTTPRouteHandler]:
    """Return the route handlers about the policy of one engine."""
    return [*_why_handlers(engine), *_what_if_handlers(engine), *_version_handlers(engine),
            *_evidence_handlers(engine)]  # fmt: skip


def _why_handlers(engine: Engine) -> list[HTTPRouteHandler]:
    @get("/v1/documents/{key:str}/policy", sync_to_thread=True, operation_id="explainPolicy")
    def explain_policy(request: AnyRequest, key: FromPath[str]) -> PolicyExplained:
        """Why the document went to whom: groups of recipients, each with its rules.

        For its sender and operators, as tracking is.
        """
        return engine.seat(principal_of(request)).explain_policy(unquote(key))

    @get(
        "/v1/documents/{key:str}/policy/units/{unit:str}",
        sync_to_thread=True,
        operation_id="explainPolicyUnit",
    )
    def explain_unit(
        request: AnyRequest, key: FromPath[str], unit: FromPath[str]
    ) -> UnitUnderPolicy:
        """Why one unit was allowed, held, excluded or added, or that it was none of these."""
        seat = engine.seat(principal_of(request))
        return seat.explain_policy_unit(unquote(key), unquote(unit))

    @get("/v1/policy/rules/{rule:str}", sync_to_thread=True, operation_id="ruleReach")
    def rule_reach(request: AnyRequest, rule: FromPath[str]) -> RuleReach:
        """Tell what a rule of the policy in force would catch today, in pairs of units."""
        return engine.seat(principal_of(request)).rule_reach(unquote(rule))

    return [explain_policy, explain_unit, rule_reach]


def _what_if_handlers(engine: Engine) -> list[HTTPRouteHandler]:
    @post(
        "/v1/policy/who-may-receive",
        sync_to_thread=True,
        status_code=200,
        operation_id="whoMayReceive",
    )
    def who_may_receive(request: AnyRequest, data: JSONBody[ReachRequest]) -> Reach:
        """Who may receive from a unit today; a unit may ask about itself."""
        seat = engine.seat(principal_of(request))
        how = {"outcome": data.outcome, "limit": data.limit, "page": data.page}
        return seat.who_may_receive(data.unit, data.document, **how)

    @post("/v1/policy/who-may-send", sync_to_thread=True, status_code=200,
          operation_id="whoMaySend")  # fmt: skip
    def who_may_send(request: AnyRequest, data: JSONBody[ReachRequest]) -> Reach:
        """Who may send to a unit today; a unit may ask about itself."""
        seat = engine.seat(principal_of(request))
        how = {"outcome": data.outcome, "limit": data.limit, "page": data.page}
        return seat.who_may_send(data.unit, data.document, **how)

    @post("/v1/policy/check", sync_to_thread=True, status_code=200, operation_id="checkPolicy")
    def check_policy(request: AnyRequest, data: JSONBody[PolicyRequest]) -> PolicyChecked:
        """Tell what is wrong or doubtful about a policy file, and how its tests end."""
        return engine.seat(principal_of(request)).test_policy_text(data.text.encode())

    @post("/v1/policy/impact", sync_to_thread=True, status_code=200, operation_id="policyImpact")
    def policy_impact(request: AnyRequest, data: JSONBody[ImpactRequest]) -> PolicyImpact:
        """Tell what a policy file would change against the policy in force."""
        seat = engine.seat(principal_of(request))
        how = {"since_us": data.since_us, "limit": data.limit, "pairs": data.pairs}
        return seat.policy_impact(data.text.encode(), **how)

    return [who_may_receive, who_may_send, check_policy, policy_impact]


def _version_handlers(engine: Engine) -> list[HTTPRouteHandler]:
    @post("/v1/policy/activate", sync_to_thread=True, status_code=200,
          operation_id="activatePolicy")  # fmt: skip
    def activate(request: AnyRequest, data: JSONBody[ActivateRequest]) -> PolicyVersion:
        """Put a policy file in force from the next batch on; one that is wrong changes nothing."""
        seat, actor = engine.seat(principal_of(request)), call_of(request).actor
        return seat.activate_policy(data.text.encode(), reason=data.reason, actor=actor)

    @post("/v1/policy/rollback", sync_to_thread=True, status_code=200,
          operation_id="rollbackPolicy")  # fmt: skip
    def rollback(request: AnyRequest, data: JSONBody[RollbackRequest]) -> PolicyVersion:
        """Put an earlier version in force again: a new version with the same text."""
        seat, actor = engine.seat(principal_of(request)), call_of(request).actor
        return seat.rollback_policy(data.version, reason=data.reason, actor=actor)

    @get("/v1/policy/versions", sync_to_thread=False, operation_id="policyVersions")
    def versions(request: AnyRequest) -> PolicyVersions:
        """Every activation, oldest first; none: the shipped policy is in force."""
        return PolicyVersions(tuple(engine.seat(principal_of(request)).policy_versions()))

    @get("/v1/policy/text", sync_to_thread=True, operation_id="policyText")
    def text(
        request: AnyRequest,
        version: Annotated[int | None, QueryParameter(ge=0, le=1 << 62)] = None,
    ) -> PolicyShown:
        """Return the text of a version (absent: the one in force), empty for the shipped one."""
        return PolicyShown(engine.seat(principal_of(request)).policy_text(version).decode())

    return [activate, rollback, versions, text]


def _evidence_handlers(engine: Engine) -> list[HTTPRouteHandler]:
    @get("/v1/quarantine", sync_to_thread=True, operation_id="quarantined")
    def quarantined(
        request: AnyRequest,
        after: Annotated[int, QueryParameter(ge=0, le=1 << 62)] = 0,
        limit: Annotated[int, QueryParameter(ge=1, le=limits.QUARANTINE_PAGE_MAX)] = 20,
    ) -> QuarantinePage:
        """Refusals kept as evidence, the oldest first, without envelopes; for operators."""
        return engine.seat(principal_of(request)).quarantined(after=after, limit=limit)

    @get("/v1/quarantine/{number:int}", sync_to_thread=True, operation_id="evidence")
    def evidence(request: AnyRequest, number: FromPath[int]) -> Quarantined:
        """One refusal with the envelope as it came (base64); for operators."""
        return engine.seat(principal_of(request)).evidence(number)

    return [quarantined, evidence]
