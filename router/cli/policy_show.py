"""How `vanban policy` prints: findings by line, groups, pages of units, versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from router.cli.output import language, moment, print_line, print_table
from router.cli.words import column, count, word
from router.model.policies import (
    Finding,
    GroupExplained,
    PolicyChecked,
    PolicyExplained,
    PolicyImpact,
    PolicyVersion,
    Reach,
    RuleNamed,
    RuleReach,
    TestOutcome,
    UnitUnderPolicy,
)

_SHA_CHARS: Final = 12
_UNITS_SHOWN: Final = 8
_IMPACT_LINES: Final = 40
_OUTCOMES: Final = {"allow": "allowed", "hold": "held", "exclude": "excluded"}


def _vi() -> bool:
    return language() == "vi"


def print_checked(found: PolicyChecked, file: str) -> None:
    """Print findings as compilers do, failed tests, and a summary."""
    for one in found.findings:
        print_line(_finding_line(one, file))
    for test in found.tests:
        if not test.passed:
            print_line((word("test failed"), "bold red"), _test_line(test))
    passed = sum(one.passed for one in found.tests)
    parts = [count(found.rules, "rule", "rules")]
    if found.tests:
        parts.append(f"{passed}/{len(found.tests)} {word('tests passed')}")
    warnings = sum(one.severity == "warning" for one in found.findings)
    if warnings:
        parts.append(count(warnings, "warning", "warnings"))
    said = (word("could be activated"), "green") if found.valid else (word("is wrong"), "bold red")
    print_line(f"{file}: ", said, f" ({', '.join(parts)})")


def _finding_line(one: Finding, file: str) -> str:
    """Return e.g. ``policy.toml:12: rules[0].senders: … (H22.31)``."""
    place = f"{file}:{one.line}" if one.line else file
    mark = f"{word('warning')}: " if one.severity == "warning" else ""
    key = f"{one.path}: " if one.path else ""
    suggestion = f" ({one.suggestion})" if one.suggestion else ""
    return f"{place}: {mark}{key}{one.words_vi if _vi() else one.words}{suggestion}"


def _test_line(test: TestOutcome) -> str:
    words = test.words_vi if _vi() else test.words
    rules = f" [{', '.join(test.rules)}]" if test.rules else ""
    return f": {test.name}: {words}{rules}"


def print_impact(found: PolicyImpact) -> None:
    """Print what would change, the most frequent first."""
    if found.pairs:
        looked = count(found.pairs, "pair of units", "pairs of units")
    else:
        looked = count(found.documents, "document", "documents")
    against = f"{word('against version')} {found.against}"
    print_line(f"{looked} {against}: {found.unchanged:,} {word('unchanged')}")
    rows = [(_change(what), some, example) for what, some, example in found.lines[:_IMPACT_LINES]]
    if rows:
        print_table(word("What changes"), [column(one) for one in ("~what", "#count", "~example")],
                    rows)  # fmt: skip
    more = len(found.lines) - len(rows)
    if more > 0:
        print_line(word("… and {} more").format(more))


def print_versions(found: Sequence[PolicyVersion]) -> None:
    """Print every activation."""
    if not found:
        print_line(word("No policy was ever activated: the shipped one is in force."))
        return
    rows = [
        (
            one.version, "✓" if one.active else "", one.name, one.rules,
            moment(one.activated_at), one.actor, one.sha256[:_SHA_CHARS], _reason(one),
        )
        for one in found
    ]  # fmt: skip
    names = ("#version", "in force", "~name", "#rules", "activated", "~actor", "sha256", "~reason")
    print_table(count(len(rows), "version", "versions"), [column(one) for one in names], rows)


def _reason(one: PolicyVersion) -> str:
    said = one.reason
    if one.rolled_back_to or not one.sha256:
        said += " " + word("(as in version {})").format(one.rolled_back_to)
    if one.without_floor:
        said += f" {word('WITHOUT THE FLOOR')}: {one.without_floor}"
    return said


def print_explained(found: PolicyExplained) -> None:
    """Print the groups of a document's recipients, and what was set."""
    print_line((found.key, "bold"), f" {word('policy version')} {found.policy_version}, ",
               moment(found.decided_at))  # fmt: skip
    for one in found.groups:
        _print_group(one)
    for name, (value, rule) in found.settings.items():
        by = f" “{rule}”" if rule else ""
        print_line(f"{word(name)}: {word(value)}{by}", indent=2)


def _print_group(one: GroupExplained) -> None:
    units = ", ".join(one.units[:_UNITS_SHOWN])
    if units and one.size > _UNITS_SHOWN:
        units += ", …"
    words = one.words_vi if _vi() else one.words
    print_line((count(one.size, "unit", "units"), "bold"), f" {words}: {units}".rstrip(": "))
    _print_rules(one.rules)


def _print_rules(rules: Sequence[RuleNamed]) -> None:
    for rule in rules:
        said = rule.words_vi if _vi() else rule.words
        print_line(f"{rule.name}: {said}", indent=4)


def print_under(found: UnitUnderPolicy) -> None:
    """Print what became of one unit, and the rules."""
    words = found.words_vi if _vi() else found.words
    print_line((f"{found.unit} {found.name}", "bold"), f": {words}")
    _print_rules(found.rules)


def print_rule(found: RuleReach) -> None:
    """Print what a rule would catch today."""
    title = f" ({found.rule.title})" if found.rule.title else ""
    said = found.rule.words_vi if _vi() else found.rule.words
    print_line((found.rule.name, "bold"), f"{title}: {said}")
    print_line(f"{count(found.senders, 'sender', 'senders')}, "
               f"{count(found.pairs, 'pair of units', 'pairs of units')}, "
               f"{word('whatever it asks of documents, audiences and times')}")  # fmt: skip
    if found.lines:
        names = ("~sent by", "~sent to", "#senders", "#pairs")
        rows = [(_class(one), _class(other), *counts) for one, other, *counts in found.lines]
        print_table(word("By class"), [column(one) for one in names], rows)


def _class(text: str) -> str:
    """Return a tier and a kind of unit with the tier in the reader's language."""
    tier, _, kind = text.partition(" ")
    return f"{word(tier)} {kind}"


def _change(text: str) -> str:
    """Return a line of an impact in the reader's language (`PolicyImpact.lines`).

    Two sides, "now, was before", a class of senders in brackets behind them; or one phrase.
    """
    if ", was " not in text:
        return word(text)
    now, _, was = text.partition(", was ")
    return word("{}, was {}").format(_side(now), _side(was))


def _side(text: str) -> str:
    """Return one side of a change: a lane, what a refusal is for, or whose documents it is."""
    if text.startswith("lane "):
        return f"{word('lane')} {word(text.removeprefix('lane '))}"
    said, bracket, inner = text.removesuffix(")").partition(" (")
    if not bracket:
        return word(text)
    told = word(inner) if said == "refused" else _class(inner)
    return f"{word(said)} ({told})"


def print_reach(found: Reach, outcome: str) -> None:
    """Print the counts, a page of units, and the rules that could not be told."""
    receives = found.direction == "receive"
    asked = word("who may receive from") if receives else word("who may send to")
    print_line(f"{asked} ", (found.unit, "bold"), f": {found.allowed:,} {word('allowed')}, "
               f"{found.held:,} {word('held')}, {found.excluded:,} {word('excluded')}")  # fmt: skip
    if found.units:
        print_table(word(_OUTCOMES[outcome]), [column("code"), column("~name")], found.units)
    if found.next_page:
        print_line(f"→ --page {found.next_page}")
    if found.depends:
        print_line((word("Depends on the document or the audience, so not counted in"), "yellow"),
                   f": {', '.join(found.depends)}")  # fmt: skip
