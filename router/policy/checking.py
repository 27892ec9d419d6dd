"""Static analysis of a policy in a directory: what is wrong, what is doubtful.

Codes of errors: those of selectors and recipients (`recipient.unknown`, `.closed`,
`.not_yet_open`, `selector.unknown_tier`, `.unknown_kind`, `.unknown_tag`, `group.unknown`,
`.undefined_then`, `.cycle`, `.empty`), `audience.empty` for a selector that selects nobody
today, `policy.sender_in_senders` (through a group), `policy.impossible`,
`policy.no_approvers`.  Of warnings: `policy.nobody_today` (a
tier or kind that has no unit now), `policy.group_hollow` (a group names what is not open),
`policy.rule_never_matches`, `.rule_shadowed`, `.rules_contradict`, `.rule_without_effect`,
`.rule_repeated`, `.year_missing`, `.without_floor`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from router.errors import PolicyProblem
from router.model.calendar import WorkingCalendar
from router.model.instants import datetime_of
from router.policy.checking_conditions import doubts_of
from router.policy.checking_pairs import vain_rules
from router.policy.checking_sets import Sets
from router.policy.lines import LineMap, Path
from router.policy.model import Default, Effect, Forbid, PolicyFile, PolicyTest, Rule
from router.policy.parsing import selectors_of
from router.policy.problems import WARNING, Problems
from router.selectors import Lookup

_APPROVERS_TRIED_MAX: Final = 100_000
"""Senders asked for their approvers, over all rules of a file (a second or two)."""
_HOLIDAYS_MAX: Final = 21
"""Days by which weekends and the longest holidays move a deadline, beside five in seven."""
_IN_A_GROUP: Final = ("recipient.unknown", "recipient.closed", "recipient.not_yet_open")


def check_policy(
    policy: PolicyFile,
    lookup: Lookup,
    text_lines: LineMap | None,
    *,
    at_us: int,
    calendar: WorkingCalendar,
) -> tuple[PolicyProblem, ...]:
    """Return what is wrong or doubtful about a parsed policy in a snapshot, errors first.

    `text_lines` places them in the file (None: line 0).  `at_us` is the present instant,
    `calendar` the shipped one or the one with the policy's years.  At most
    POLICY_PROBLEMS_MAX of each severity.  The work grows with the rules; pairs of rules are
    compared within the bounds of `checking_pairs`, approvers of single senders up to a
    bound: what is left out is not reported, what is reported is so.
    """
    checking = _Checking(policy, lookup, at_us, calendar)
    checking.run()
    return checking.found.placed(text_lines)


class _Checking:
    """One policy before one snapshot."""

    def __init__(
        self, policy: PolicyFile, lookup: Lookup, at_us: int, calendar: WorkingCalendar
    ) -> None:
        self.policy = policy
        self.found = Problems()
        self.sets = Sets(lookup)
        self.today = datetime_of(at_us).date()
        self.calendar = calendar
        tiers = sorted(lookup.hierarchy.count_by_tier(self.sets.everybody))
        self.ranks = {tier: rank for rank, tier in enumerate(tiers)}
        self.approvers: dict[tuple[str, str | None], bool] = {}
        self.tried = 0

    def run(self) -> None:
        if self.policy.without_floor is not None:
            reason = self.policy.without_floor
            self.warn("policy.without_floor", ("without_floor",), reason=reason)
        self.years()
        for index, rule in enumerate(self.policy.rules):
            if self.found.full:
                return
            self.rule(rule, ("rules", index))
        for index, test in enumerate(self.policy.tests):
            self.test(test, ("tests", index))
        for code, index, other in vain_rules(self.policy, self.sets):
            if self.found.full_of_warnings:
                return
            rules = self.policy.rules
            self.warn(code, ("rules", index), rules[index].name, other=rules[other].name)

    def warn(self, code: str, path: Path, rule: str = "", **facts: Any) -> None:
        self.found.add(code, path, rule=rule, severity=WARNING, **facts)

    def rule(self, rule: Rule, path: Path) -> None:
        sound = True
        for keys, text in selectors_of(rule):
            sound &= self.selector(text, (*path, *keys), rule)
        if not sound:
            return  # one mistake, told once: what follows from it is no other
        for doubt in doubts_of(rule, self.sets, self.ranks):
            where = (*path, *doubt.keys)
            if doubt.always:
                self.found.add("policy.impossible", where, rule=rule.name, reason=doubt.reason)
            else:
                self.warn("policy.rule_never_matches", where, rule.name, reason=doubt.reason)
        until = rule.when.until if rule.when else None
        if until is not None and until < self.today:
            reason = f"until = {until} < {self.today}"
            self.warn("policy.rule_never_matches", (*path, "when", "until"), rule.name,
                      reason=reason)  # fmt: skip
        self.vain_effects(rule, path)
        if rule.effect.hold is not None and not self.approved(rule.effect.hold.approvers, rule):
            where = (*path, "effect", "hold", "approvers")
            approvers = rule.effect.hold.approvers
            self.found.add("policy.no_approvers", where, rule=rule.name, approvers=approvers)

    def selector(self, text: str, path: Path, rule: Rule | None) -> bool:
        """Judge the names in a selector, and whether it selects anybody; say whether it may."""
        name = rule.name if rule is not None else ""
        before = self.found.errors
        for wrong in self.sets.wrong_names(text):
            facts: dict[str, Any] = wrong.facts
            if "group" in facts and wrong.code in _IN_A_GROUP:
                told = {"name": facts["group"], "unit": facts.get("unit", "–")}
                self.found.add("policy.group_hollow", path, rule=name, severity=WARNING,
                               suggestion=wrong.suggestion, **told)  # fmt: skip
                continue
            self.found.add(wrong.code, path, rule=name, suggestion=wrong.suggestion, **facts)
        if self.found.errors > before:
            return False
        if rule is None or path[-1] == "approvers":
            return True
        if path[-1] == "senders" and self.sets.constant(text) is None:
            self.found.add("policy.sender_in_senders", path, rule=name, position=0)
            return False
        if self.sets.most(text, rule.senders if path[-1] != "senders" else None):
            return True
        if self.sets.waits_for_a_tier(text):
            self.warn("policy.nobody_today", path, name, selector=text)
        elif path[-1] == "senders" or self.sets.constant(rule.senders):
            self.found.add("audience.empty", path, rule=name)
        return False

    def vain_effects(self, rule: Rule, path: Path) -> None:
        """Tell of effects that the rule's own words or the default leave without a meaning."""
        effect = rule.effect
        signatures = rule.documents.signatures if rule.documents else None
        reason = ""
        if self.policy.default is Default.ALLOW and effect == Effect(
            allow=True, reason=effect.reason
        ):
            reason = 'allow: default = "allow"'
        elif effect.hold is not None and effect.forbid is Forbid.RECIPIENTS:
            reason = 'hold: forbid = "recipients"'
        elif effect.admit_unsigned and signatures is not None and signatures.min:
            reason = f"admit_unsigned: signatures = {{ min = {signatures.min} }}"
        if reason:
            self.warn("policy.rule_without_effect", (*path, "effect"), rule.name, reason=reason)

    def approved(self, approvers: str, rule: Rule) -> bool:
        """Say whether some sender of a rule has an approver beside itself (True: not known)."""
        key = (approvers, rule.senders)
        known = self.approvers.get(key)
        if known is None:
            known = self.approvers[key] = self.search(*key)
        return known

    def search(self, approvers: str, senders: str | None) -> bool:
        among = self.sets.constant(senders)
        if not among:
            return True
        if not self.sets.most(approvers, senders):
            return False
        for sender in among.positions():
            self.tried += 1
            if self.tried > _APPROVERS_TRIED_MAX:
                return True
            units = self.sets.of(approvers, sender)
            if len(units) > (sender in units):
                return True
        return False

    def years(self) -> None:
        """Tell of years that rules will soon need and the calendar lacks."""
        days = -1
        first: Path = ("rules",)
        name = ""
        for index, rule in enumerate(self.policy.rules):
            effect = rule.effect
            asked = [effect.deadline_working_days, effect.send_by_working_days]
            asked.append(effect.hold.expires_working_days if effect.hold else None)
            asked.append(0 if rule.when and rule.when.hours else None)
            most = max((one for one in asked if one is not None), default=-1)
            if days < 0 <= most:
                first, name = ("rules", index), rule.name
            days = max(days, most)
        if days < 0:
            return
        brought = self.policy.calendar.years if self.policy.calendar else {}
        known = {*self.calendar.years, *map(int, brought)}
        last = self.today + timedelta(days=days * 7 // 5 + _HOLIDAYS_MAX)
        for year in range(self.today.year, last.year + 1):
            if year not in known:
                self.warn("policy.year_missing", first, name, year=year)

    def test(self, test: PolicyTest, path: Path) -> None:
        """Judge the names of a test of today; one of another day meets another directory."""
        if test.at is not None:
            return
        for key, text in (("recipients", test.recipients), ("units", test.units)):
            if text is not None:
                self.selector(text, (*path, key), None)
        codes = [((*path, "sender"), test.sender)]
        signers = test.document.signed_by or ()
        codes += [
            ((*path, "document", "signed_by", place), code) for place, code in enumerate(signers)
        ]
        for where, code in codes:
            wrong = self.sets.wrong_code(code)
            if wrong is not None:
                facts: dict[str, Any] = {"unit": code, **wrong.facts}
                self.found.add(wrong.code, where, suggestion=wrong.suggestion, **facts)
