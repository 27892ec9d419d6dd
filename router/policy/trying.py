"""Policy tests: what the file says should become of a document, tried on the rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from router._core import Audience
from router.errors import RecipientError, VanbanError
from router.messages import say
from router.model.decisions import DocumentFacts
from router.model.policies import TestOutcome
from router.policy.compiled import CompiledPolicy
from router.policy.deciding import Decision, decide_batch
from router.policy.model import Expected, PolicyFile, PolicyTest
from router.policy.refusals import refusal_of
from router.selectors import Lookup, compile_program, instant_of_text, parse

_NAMED_MAX: Final = 3
"""Units named of those that met something else."""
_WORDS: Final[dict[str, tuple[str, str]]] = {
    "allow": ("allowed", "được nhận"),
    "exclude": ("excluded", "bị loại"),
    "hold": ("held", "chờ duyệt"),
    "add": ("added", "được bổ sung"),
    "refuse": ("refused", "bị từ chối"),
    "none": ("not addressed", "không được gửi"),
}
"""What a test expects and what may become of a unit, in both languages."""


def run_tests(
    policy: PolicyFile,
    compile_at: Callable[[int], CompiledPolicy],
    lookup_at: Callable[[int], Lookup],
    now_us: int,
) -> tuple[TestOutcome, ...]:
    """Run the tests of a checked policy in their order; a failed one says what was found.

    `lookup_at` and `compile_at` give the directory and the policy compiled for it at an instant:
    that of the test's `at`, else `now_us`.  The document is issued and accepted at it.
    "allow" is met by units that receive now, "exclude", "hold" and "add" by each unit
    named; "refuse" by a document that is refused, and then nothing else is.  Never raises
    for what a test names: a unit that is not there fails that test.
    """
    return tuple(_run(test, compile_at, lookup_at, now_us) for test in policy.tests)


def _run(
    test: PolicyTest,
    compile_at: Callable[[int], CompiledPolicy],
    lookup_at: Callable[[int], Lookup],
    now_us: int,
) -> TestOutcome:
    at_us = now_us if test.at is None else instant_of_text(test.at)
    lookup = lookup_at(at_us)
    try:
        sender = lookup.position_of(test.sender)
        audience = _units(test.recipients, lookup, sender)
        units = audience if test.units is None else _units(test.units, lookup, sender)
        facts = _facts(test, lookup, sender, at_us)
    except RecipientError as error:
        return _failed(test, say(error)[0], say(error, "vi")[0])
    compiled = compile_at(at_us)
    decision = decide_batch(compiled, [facts], [audience], at_us)[0]
    rules = tuple(map(compiled.name_of, decision.rules))
    refusal = refusal_of(compiled, facts, decision)
    if refusal is not None:
        if test.expect is Expected.REFUSE:
            return _by_rule(test, rules)
        return _failed(test, *_refused(test, refusal), rules)
    if test.expect is Expected.REFUSE:
        return _failed(test, "it is not refused", "văn bản không bị từ chối", rules)
    wrong = units - _met(test.expect, decision)
    if wrong:
        return _failed(test, *_otherwise(test, decision, wrong, lookup), rules)
    return _by_rule(test, rules)


def _units(text: str, lookup: Lookup, sender: int) -> Audience:
    """Return the units of a test's selector; RecipientError when there are none."""
    found = lookup.hierarchy.evaluate(compile_program(parse(text), lookup, sender=sender))
    if not found:
        raise RecipientError("audience.empty")
    return found


def _facts(test: PolicyTest, lookup: Lookup, sender: int, at_us: int) -> DocumentFacts:
    """Return the test's document: each unit that signs has signed once."""
    document = test.document
    codes = (test.sender,) if document.signed_by is None else document.signed_by
    number = lookup.hierarchy.number
    return DocumentFacts(
        sender=number(sender), act=document.act, type=document.type, urgency=document.urgency,
        issued_at=at_us, marks=document.marks, size_bytes=document.size_bytes,
        attachments=document.attachments,
        media_types=tuple(dict.fromkeys(document.media_types)),
        signers=tuple((number(lookup.position_of(code)),) for code in codes),
    )  # fmt: skip


def _held(decision: Decision) -> Audience:
    found = Audience()
    for part in decision.held:
        found = found | part.audience
    return found


def _met(expected: Expected, decision: Decision) -> Audience:
    """Return the units that met what is expected."""
    if expected is Expected.ALLOW:
        return decision.effective
    if expected is Expected.EXCLUDE:
        return decision.excluded
    return _held(decision) if expected is Expected.HOLD else decision.added


def _by_rule(test: PolicyTest, rules: tuple[str, ...]) -> TestOutcome:
    """Pass a test whose rule, if it names one, is among those that decided."""
    if test.rule is None or test.rule in rules:
        return TestOutcome(test.name, True, rules=rules)
    told = ", ".join(rules[:_NAMED_MAX]) or "–"
    return _failed(
        test,
        f"the rule “{test.rule}” did not decide; these did: {told}",
        f"quy tắc “{test.rule}” không quyết định; các quy tắc quyết định: {told}",
        rules,
    )


def _refused(test: PolicyTest, refusal: VanbanError) -> tuple[str, str]:
    expected, expected_vi = _WORDS[test.expect.value]
    return (
        f"{expected} was expected; it is refused: {say(refusal)[0]}",
        f"mong đợi: {expected_vi}; văn bản bị từ chối: {say(refusal, 'vi')[0]}",
    )


def _otherwise(
    test: PolicyTest, decision: Decision, wrong: Audience, lookup: Lookup
) -> tuple[str, str]:
    """Say what became of the first units that did not meet what is expected."""
    held = _held(decision)
    words: tuple[list[str], list[str]] = ([], [])
    unit_at = getattr(lookup, "unit_at", None)
    for place in wrong.positions()[:_NAMED_MAX]:
        outcome = (
            "exclude" if place in decision.excluded else
            "hold" if place in held else
            "add" if place in decision.added else
            "allow" if place in decision.effective else "none"
        )  # fmt: skip
        code = unit_at(place).code if unit_at else str(lookup.hierarchy.number(place))
        for language, told in enumerate(words):
            told.append(f"{code}: {_WORDS[outcome][language]}")
    more = f", … ({len(wrong)})" if len(wrong) > _NAMED_MAX else ""
    expected, expected_vi = _WORDS[test.expect.value]
    return (
        f"{expected} was expected; {', '.join(words[0])}{more}",
        f"mong đợi: {expected_vi}; {', '.join(words[1])}{more}",
    )


def _failed(
    test: PolicyTest, words: str, words_vi: str, rules: tuple[str, ...] = ()
) -> TestOutcome:
    return TestOutcome(test.name, False, words, words_vi, rules)
