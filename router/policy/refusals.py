"""A refusal by policy as the error that its sender is told."""

from __future__ import annotations

from router.errors import CalendarError, PolicyRefusedError, SignatureRefusedError, VanbanError
from router.model.decisions import DocumentFacts, Refused
from router.policy.compiled import CompiledPolicy
from router.policy.deciding import Decision, signatures_by


def refusal_of(
    compiled: CompiledPolicy, facts: DocumentFacts, decision: Decision
) -> VanbanError | None:
    """Return why the document is refused, naming the rule; None when it is not."""
    why, number = decision.refused, decision.refusal_rule
    name, recipients = compiled.name_of(number), "$.payload.recipients"
    effect = compiled.rules[number - 1].rule.effect if number else None
    if why is Refused.SENDER_NOT_THEN:
        return PolicyRefusedError("policy.sender_not_then", path=recipients)
    if why is Refused.CALENDAR:
        return CalendarError("calendar.year_missing", year=decision.calendar_year)
    if why is Refused.UNSIGNED:
        return SignatureRefusedError("signature.missing", path="$.signatures")
    if why is Refused.FORBIDDEN:
        reason = effect.reason if effect and effect.reason else "–"
        return PolicyRefusedError("policy.forbidden", path="$.payload", rule=name, reason=reason)
    if why is Refused.REQUIREMENT and effect is not None and effect.require is not None:
        found = signatures_by(compiled, facts, compiled.rules[number - 1].by)
        wanted = effect.require
        return PolicyRefusedError(
            "policy.requirement", path="$.signatures", rule=name, wanted=wanted.signatures,
            by=wanted.by, found=found,
        )  # fmt: skip
    if why is Refused.NOBODY_LEFT:
        count = decision.excluded.size
        return PolicyRefusedError("policy.nobody_left", path=recipients, rule=name, count=count)
    return None
