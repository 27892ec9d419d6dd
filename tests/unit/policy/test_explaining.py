"""Groups of recipients and the rules that decided them, held against one unit at a time."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sample_country import NUMBERS, SampleLookup
from support.units import at

from router._core import Audience
from router.model.calendar import WorkingCalendar, YearOfDays
from router.model.decisions import DocumentFacts
from router.model.documents import Act, Urgency
from router.policy import explaining
from router.policy.compiled import CompiledPolicy, compile_policy
from router.policy.deciding import Decision, decide_batch
from router.policy.model import Default, Effect, Forbid, Hold, PolicyFile, Rule
from router.policy.supposing import suppose
from router.policy.wording import named, words_of_outcome, words_of_rule
from router.selectors import compile_program, parse

LOOKUP = SampleLookup()
NOW = at(2025, 6, 25)
CALENDAR = WorkingCalendar({2025: YearOfDays(frozenset())})
SETS = (
    "H22", "tier(commune)", "subtree(H22.31)", "parent(sender)", "children(sender)",
    "kind(ministry) | G22", "siblings(sender)", "tier(district) | H22.01", "all",
)  # fmt: skip
HOLDS = [Hold("G22", 1), Hold("H22", 2)]
EFFECTS = st.builds(
    Effect,
    allow=st.sampled_from([True, None]),
    forbid=st.sampled_from([Forbid.RECIPIENTS, None, None, None]),
    hold=st.sampled_from([None, None, *HOLDS]),
    add=st.sampled_from([None, None, *SETS[:-1]]),
).filter(lambda effect: effect != Effect())
RULES = st.lists(
    st.builds(
        Rule,
        name=st.just("r"),
        effect=EFFECTS,
        senders=st.sampled_from([None, None, "tier(commune)", "H22"]),
        recipients=st.sampled_from([None, *SETS]),
    ),
    max_size=8,
)


def audience(text: str, sender: str) -> Audience:
    place = LOOKUP.hierarchy.position(NUMBERS[sender])
    return LOOKUP.hierarchy.evaluate(compile_program(parse(text), LOOKUP, sender=place))


def decided(
    policy: PolicyFile, sender: str, to: Audience
) -> tuple[CompiledPolicy, DocumentFacts, Decision]:
    number = NUMBERS[sender]
    facts = DocumentFacts(
        number, Act.NEW, "Công văn", Urgency.NORMAL, NOW, signers=((number,),), size_bytes=10
    )
    compiled = compile_policy(policy, LOOKUP, CALENDAR)
    return compiled, facts, decide_batch(compiled, [facts], [to], NOW)[0]


def why(compiled: CompiledPolicy, decision: Decision, sender: int, unit: int) -> tuple[int, ...]:
    """Return which rules decided one unit, looking at nothing but that unit."""
    found = set()
    excluded = unit in decision.excluded
    held = any(unit in part.audience for part in decision.held)
    added = unit in decision.added
    forbidding = compiled.policy.default is Default.FORBID
    allowed = False
    for number in decision.rules:
        if number == 0:
            continue
        one, effect = compiled.rules[number - 1], compiled.rules[number - 1].rule.effect
        speaks = unit in explaining.target_of(compiled, one, sender)
        allowed |= bool(speaks and effect.allow)
        roles = (
            (excluded and speaks and effect.forbid is not None),
            (held and speaks and effect.hold is not None),
            (not excluded and not added and speaks and effect.allow and forbidding),
            (added and one.add is not None and unit in one.add.of(sender)),
        )
        if any(roles):
            found.add(number)
    if excluded and forbidding and not allowed:
        found.add(0)
    return tuple(sorted(found)) or (0,)


@given(
    RULES,
    st.sampled_from(list(Default)),
    st.sampled_from(sorted(NUMBERS)),
    st.sets(st.integers(0, len(LOOKUP.hierarchy) - 1), min_size=1),
)
@settings(max_examples=300, deadline=None)
def test_groups_say_of_each_unit_what_it_says_of_itself(
    rules: list[Rule], default: Default, sender: str, to: set[int]
) -> None:
    policy = PolicyFile(1, "t", default, tuple(rules))
    compiled, facts, decision = decided(policy, sender, Audience.from_positions(sorted(to)))
    groups = explaining.groups(compiled, facts, decision)
    place = LOOKUP.hierarchy.position(NUMBERS[sender])
    seen: dict[int, explaining.Group] = {}
    for one in groups:
        for unit in one.audience.positions():
            assert unit not in seen
            seen[unit] = one
    assert seen.keys() == to | set(decision.added.positions())
    for unit, one in seen.items():
        assert one.rules == why(compiled, decision, place, unit), (unit, one)
        parts = {
            explaining.EXCLUDED: decision.excluded,
            explaining.ADDED: decision.added,
            explaining.ALLOWED: decision.effective,
        }
        if one.outcome in parts:
            assert unit in parts[one.outcome]
        else:
            assert any(unit in part.audience for part in decision.held)


def test_a_unit_that_was_skipped_is_told_so() -> None:
    policy = PolicyFile(1, "t", Default.ALLOW)
    to = audience("tier(commune)", "H22")
    compiled, facts, decision = decided(policy, "H22", to)
    full = audience("H22.31.20", "H22")
    groups = explaining.groups(compiled, facts, decision, full)
    assert {one.outcome: one.audience.size for one in groups} == {
        explaining.ALLOWED: 5,
        explaining.LEFT_OUT: 1,
    }


def test_a_setting_is_named_by_the_rule_that_won() -> None:
    text = (
        'format = 1\nname = "t"\ndefault = "allow"\n'
        '[[rules]]\nname = "a"\neffect = { lane = "urgent", retention_years = 3 }\n'
        '[[rules]]\nname = "b"\neffect = { lane = "flash", deadline_working_days = 4 }\n'
        '[[rules]]\nname = "c"\neffect = { deadline_working_days = 2, send_by_working_days = 1 }\n'
        '[[rules]]\nname = "d"\nrecipients = "H23"\neffect = { deadline_working_days = 0, '
        'forbid = "recipients" }\n'
    )
    policy = msgspec.toml.decode(text, type=PolicyFile)
    to = audience("tier(commune)", "H22")
    compiled, facts, decision = decided(policy, "H22", to)
    assert explaining.deciders(compiled, facts, to, decision) == {
        "lane": 2, "retention_years": 1, "deadline": 3, "send_by": 3,
    }  # fmt: skip


@pytest.mark.parametrize("language", ["en", "vi"])
def test_every_effect_and_outcome_has_its_words(language: str) -> None:
    text = (
        'format = 1\nname = "t"\ndefault = "forbid"\n[[rules]]\nname = "a"\ntitle = "Một"\n'
        "[rules.effect]\nallow = true\n"
        'forbid = "recipients"\nadd = "H23"\nlane = "very_urgent"\ndeadline_working_days = 1\n'
        "send_by_working_days = 2\nretention_years = 3\nquarantine = true\nadmit_unsigned = true\n"
        'reason = "vi sao"\n'
        "[rules.effect.require]\nsignatures = 2\n"
        '[rules.effect.hold]\napprovers = "G22"\nexpires_working_days = 4\n'
    )
    policy = msgspec.toml.decode(text, type=PolicyFile)
    words = words_of_rule(policy.rules[0], language)
    assert words.count(";") == 10
    for said in ("H23", "G22", "vi sao", "2", "3", "4", "sender"):
        assert said in words
    compiled = compile_policy(policy, LOOKUP, CALENDAR)
    rules = [named(compiled, number) for number in (0, 1)]
    for outcome in ("allowed", "excluded", "held", "added"):
        assert "“a” (Một)" in words_of_outcome(outcome, rules, language)
    many = words_of_outcome("held", [rules[1]] * 9, language)
    assert ("4 more" if language == "en" else "4 quy tắc khác") in many


def test_a_supposed_policy_leaves_out_what_single_units_do_not_decide() -> None:
    text = (
        'format = 1\nname = "t"\ndefault = "allow"\n'
        '[[rules]]\nname = "a"\naudience = { size = { min = 5 } }\neffect = { lane = "flash" }\n'
        '[[rules]]\nname = "b"\neffect = { add = "H23" }\n'
        '[[rules]]\nname = "c"\neffect = { forbid = "document", require = { signatures = 2 } }\n'
        '[[rules]]\nname = "d"\neffect = { require = { by = "sender" } }\n'
        '[[rules]]\nname = "e"\ndocuments = { signatures = { min = 2 } }\n'
        'effect = { forbid = "document" }\n'
    )
    policy = msgspec.toml.decode(text, type=PolicyFile)
    found = suppose(policy, (), plain=True)
    assert found.depends == ("a", "c", "e")
    assert [(one.name, one.effect.forbid) for one in found.policy.rules] == [
        ("c", Forbid.RECIPIENTS)
    ]
    assert found.numbers == (3,)
    assert suppose(policy, (), plain=False).depends == ("a", "c", "d")
