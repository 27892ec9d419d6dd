"""How documents are shown: who has one, why a unit receives it or not, what senders are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from router.cli.output import language, moment, print_line, print_table
from router.cli.words import column, count, word
from router.messages.verdicts import short_of
from router.model.answers import Alert, Explanation, Outbox, OutboxEvent, TrackedDelivery, Tracking
from router.model.policies import UnitUnderPolicy


def print_states(answer: Tracking) -> None:
    """Print how many recipients of each tier are in each state."""
    states = sorted(answer.states)
    rows = [
        (word(tier), *(counts.get(state, 0) for state in states), sum(counts.values()))
        for tier, counts in answer.by_tier.items()
    ]
    columns = ("tier", *("#" + state for state in states), "#all")
    title = count(answer.recipients, "recipient", "recipients")
    print_table(title, [column(name) for name in columns], rows)


def print_deliveries(title: str, deliveries: Sequence[TrackedDelivery]) -> None:
    """Print where each of the deliveries stands, with the reason of a returned one."""
    rows: list[tuple[object, ...]] = [
        (one.address, one.name, word(one.state), moment(one.since), one.attempts, _reason(one))
        for one in deliveries
    ]
    columns = [column(name) for name in ("unit", "~name", "state", "since", "#attempts", "~reason")]
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    print_table(title, columns, rows)


def _reason(one: TrackedDelivery) -> str:
    return one.history[-1].reason if one.history else ""


def print_explanation(answer: Explanation, under: UnitUnderPolicy | None = None) -> None:
    """Print the answer in a sentence, then its steps; `under` is what the policy made of it."""
    vietnamese = language() == "vi"
    print_line(answer.summary_vi if vietnamese else answer.summary)
    for step in answer.reasons:
        if step.get("part") == "policy" and (under is not None or not answer.receives):
            continue  # these rules are the document's; of the unit `under` tells
        mark = "✓" if step.get("matched") else "·"
        print_line(f"{mark} {step_words(step)}", indent=2)
    if under is not None and under.outcome != "not_addressed":
        mark = "✓" if under.outcome in {"allowed", "added"} else "·"
        words = under.words_vi if vietnamese else under.words
        print_line(f"{mark} {word('policy')}: {words}", indent=2)


def step_words(step: Mapping[str, object]) -> str:
    """Return a step of an explanation in a line: the part of the selector, and why."""
    because = step.get("because_vi") if language() == "vi" else None
    part = step.get("part")
    said = word(str(part)) if part in {"policy", "signatures"} else part
    return f"{said}: {because or step.get('because')}"  # an older daemon knows English only


_ALERTS = {
    "number.repeated": "another document has its number and notation",
    "document.sent_late": "sent after its deadline for sending",
    "signer.revoked": "a certificate it was good by is revoked",
    "calendar.year_missing": "no deadline is set: the working calendar lacks the year",
}


def print_alerts(alerts: Sequence[Alert], indent: int = 0) -> None:
    """Print what somebody should look at, a line each; the code is as JSON has it."""
    for one in alerts:
        said = one.code
        if one.code in _ALERTS:
            said += f": {word(_ALERTS[one.code])}"
        if one.document_id:
            said += f" ({one.document_id})"
        if one.certificate:
            what = word(_ALERTS.get(one.code, "certificate"))
            said = f"{word('since then')}: {what} ({one.code}: {one.subject}), "
            said += f"{word('not to be trusted since')} {moment(one.since)}; "
            said += word("the verdict stands")
        print_line((said, "yellow"), indent=indent)


def print_outbox(answer: Outbox) -> None:
    """Print what a sender is told, and where to go on."""
    if not answer.events:
        print_line(word("Nothing is told after this."))
        return
    rows = [
        (moment(one.at), word(one.kind), one.address, one.document_id or one.key, _told(one))
        for one in answer.events
    ]
    columns = ("since", "what", "unit", "~document", "~details")
    title = count(len(rows), "event", "events")
    print_table(title, [column(name) for name in columns], rows)
    rest = f" ({word('there are more')})" if answer.more else ""
    print_line(f"{word('next')}: --after {answer.cursor}{rest}")


def _told(one: OutboxEvent) -> str:
    """Return what stands in an event beside document and unit."""
    if one.hold:
        by = f"{word('by')} {one.answered_by}" if one.answered_by else ""
        recipients = count(one.recipients, "recipient", "recipients")
        return "; ".join(part for part in (one.hold, recipients, by, one.reason) if part)
    if one.kind.startswith("verdict_"):
        recipients = count(one.recipients, "recipient", "recipients")
        return f"{recipients}; {short_of(one.code, language())}" if one.code else recipients
    if one.kind != "redirected":
        return one.delivery
    more = "+" if one.more else ""
    still = f"{word('still open')}: {one.open}{more}"
    return "; ".join(part for part in (f"→ {one.holder}", one.title, still) if part)
