"""What another policy would change, seen before it is activated."""

from __future__ import annotations

from support.office import UNITS, Office, error_of

from router.engine.local.wire import Refusal
from router.errors import PolicyError, PolicyProblem

HEAD = 'format = 1\nname = "mau"\n'
OPEN = (HEAD + 'default = "allow"\n').encode()
NO_HEALTH = (
    OPEN + b'[[rules]]\nname = "x"\nrecipients = "H22.1"\neffect = { forbid = "recipients" }\n'
)
ASK = OPEN + (
    b'[[rules]]\nname = "x"\nrecipients = "tier(commune)"\n'
    b'effect = { hold = { approvers = "H22", expires_working_days = 2 } }\n'
)


def office_with_documents() -> Office:
    office = Office()
    office.send("H22", "H22.1 | H22.31")
    office.send("H22", "H22.31.20 | H22.31.21")
    office.send("H22.31", "H22.1")
    return office


def lines(office: Office, text: bytes, **options: object) -> dict[str, int]:
    found = office.engine.policy_impact(text, **options)  # type: ignore[arg-type]
    return {what: count for what, count, _ in found.lines}


def test_stored_documents_are_decided_again_and_what_changes_is_counted() -> None:
    office = office_with_documents()
    found = office.engine.policy_impact(NO_HEALTH)
    assert (found.documents, found.unchanged, found.against) == (3, 1, 0)
    assert {what: count for what, count, _ in found.lines} == {
        "excluded, was allowed": 1,
        "refused (nobody left), was accepted": 1,
    }
    example = next(example for what, _, example in found.lines if what.startswith("excl"))
    assert example.startswith("H22|H22,2024/09/04,05/QĐ-UBND")
    assert example.endswith(" → H22.1")
    assert lines(office, ASK) == {"held, was allowed": 2}
    assert office.engine.policy_versions() == []


def test_a_policy_against_itself_changes_nothing() -> None:
    office = office_with_documents()
    version = office.engine.activate_policy(ASK, reason="QĐ 1").version
    office.send("H22", "tier(commune)")
    found = office.engine.policy_impact(ASK)
    assert (found.against, found.documents, found.unchanged, found.lines) == (version, 4, 4, ())


def test_what_was_added_and_what_is_set_is_compared_too() -> None:
    office = office_with_documents()
    rule = b'[[rules]]\nname = "x"\nrecipients = "H22.1"\n'
    office.engine.activate_policy(OPEN + rule + b'effect = { add = "H22.32" }\n', reason="QĐ 1")
    found = lines(office, OPEN + rule + b'effect = { lane = "flash", retention_years = 3 }\n')
    assert found == {
        "not a recipient, was added": 2,
        "lane flash, was normal": 2,
        "another retention years": 2,
    }


def test_only_the_last_documents_since_an_instant_are_looked_at() -> None:
    office = office_with_documents()
    assert office.engine.policy_impact(OPEN, limit=2).documents == 2
    office.clock.advance(60)
    office.send("H22", "H22.1")
    since = office.clock.now_us() - 1
    assert office.engine.policy_impact(OPEN, since_us=since).documents == 1
    assert error_of(lambda: office.engine.policy_impact(OPEN, limit=0))[1] == "$.limit"


def test_documents_of_several_directories_are_each_decided_in_their_own() -> None:
    office = office_with_documents()
    office.close_commune("H22.31.21", ["H22.31.20"])
    office.send("H22", "tier(commune)")
    assert lines(office, ASK) == {"held, was allowed": 4}


def test_all_pairs_are_compared_by_the_class_of_the_sender() -> None:
    office = Office()
    found = office.engine.policy_impact(NO_HEALTH, pairs=True)
    size = len(UNITS)
    assert (found.pairs, found.unchanged) == (size * (size - 1), size * (size - 1) - (size - 1))
    assert {what: count for what, count, _ in found.lines} == {
        "excluded, was allowed (commune people-committee)": 3,
        "excluded, was allowed (district people-committee)": 2,
        "excluded, was allowed (province people-committee)": 1,
    }


def test_a_policy_that_could_not_be_activated_is_not_tried_either() -> None:
    office = office_with_documents()
    stranger = NO_HEALTH.replace(b'"H22.1"', b'"H99.99"')
    said = error_of(lambda: office.engine.activate_policy(stranger, reason="QĐ 1"))
    assert said[0] == "recipient.unknown"
    assert error_of(lambda: office.engine.policy_impact(stranger)) == said
    assert error_of(lambda: office.engine.rule_reach("x", stranger)) == said


def test_every_mistake_of_a_policy_travels_to_another_process() -> None:
    problem = PolicyProblem("error", "field.invalid", 3, "rules[0]", "x", "y", (("n", 1),))
    error = PolicyError("field.invalid", problems=(problem,), path="rules", reason="z")
    again = Refusal.of(error).exception()
    assert isinstance(again, PolicyError)
    assert (again.problems, again.path, again.facts) == ((problem,), "rules", {"reason": "z"})
