"""Policy engines that decide one sender and one recipient at a time: Cedar and Casbin.

Each gets the prohibitions of the broadcast's policy in its own words (it has nothing for
the other effects), sets of units as groups, and is asked for a seeded sample of recipients.
A group has only those members that are asked for: less work for the engine, the same answer.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from random import Random
from typing import Any, Final

from router.policy.compiled import CompiledRule
from router.policy.model import Forbid, PolicyFile
from vanban_bench.workloads.policies import SEED, Scene, compiled

_MODEL: Final = """
[request_definition]
r = sub, obj, type
[policy_definition]
p = sub, obj, type, eft
[role_definition]
g = _, _
[policy_effect]
e = !some(where (p.eft == deny))
[matchers]
m = (p.type == "*" || p.type == r.type) && g(r.sub, p.sub) && g(r.obj, p.obj)
"""


class Prohibition:
    """A rule as an engine takes it: names of groups, and the types it speaks of."""

    def __init__(self, one: CompiledRule, senders: str, recipients: str) -> None:
        self.senders = senders
        self.recipients = recipients
        self.types = one.rule.documents.types if one.rule.documents else ()


class Sample:
    """Some recipients of the broadcast, and the prohibitions with groups for their sets."""

    def __init__(self, scene: Scene, policy: PolicyFile, count: int) -> None:
        self.scene, self.policy = scene, policy
        members = list(scene.audience.positions())
        self.units = Random(SEED).sample(members, count)
        self.type = scene.batch(1).facts[0].type
        self.groups: dict[str, set[int]] = {"all": {*self.units, scene.sender}}
        self.rules: list[Prohibition] = []
        for one in compiled(policy, scene.where).rules:
            if one.rule.effect.forbid is Forbid.RECIPIENTS:
                sets = [self._group(units, scene.sender) for units in (one.senders, one.recipients)]
                self.rules.append(Prohibition(one, *sets))

    def _group(self, units: Any, sender: int) -> str:
        if units is None:
            return "all"
        members = units.of(sender)
        name = f"s{hash(units.text) & 0xFFFFFFFFFFFF:x}"
        self.groups[name] = {unit for unit in (*self.units, sender) if unit in members}
        return name


Maker = Callable[[Sample], Callable[[], list[bool]]]
"""Makes of a sample what decides it."""


def engines() -> tuple[list[tuple[str, Maker]], list[str]]:
    """Return the engines that are installed, and the names of those that are not."""
    known: list[tuple[str, str, Maker]] = [
        ("cedarpy", "cedarpy", _cedar),
        ("pycasbin", "casbin", _casbin),
    ]
    found = [(name, make) for name, module, make in known if importlib.util.find_spec(module)]
    names = {name for name, _ in found}
    return found, [name for name, _, _ in known if name not in names]


def _cedar(sample: Sample) -> Callable[[], list[bool]]:
    import cedarpy

    lines = ["permit(principal, action, resource);"]
    for rule in sample.rules:
        types = " || ".join(f'context.type == "{name}"' for name in rule.types) or "true"
        lines.append(
            f'forbid(principal in Group::"{rule.senders}", action,'
            f' resource in Group::"{rule.recipients}") when {{ {types} }};'
        )
    policies = cedarpy.PolicySet.from_str("\n".join(lines))
    parents = {
        unit: [{"type": "Group", "id": name} for name, has in sample.groups.items() if unit in has]
        for unit in (*sample.units, sample.scene.sender)
    }
    entities = [
        {"uid": {"type": "Unit", "id": str(unit)}, "attrs": {}, "parents": above}
        for unit, above in parents.items()
    ]
    entities += [
        {"uid": {"type": "Group", "id": name}, "attrs": {}, "parents": []} for name in sample.groups
    ]
    known = cedarpy.Entities.from_json_str(json.dumps(entities))
    requests = [
        {
            "principal": f'Unit::"{sample.scene.sender}"',
            "action": 'Action::"send"',
            "resource": f'Unit::"{unit}"',
            "context": {"type": sample.type},
        }
        for unit in sample.units
    ]

    def decide() -> list[bool]:
        answers = cedarpy.is_authorized_batch(requests, policies, known)
        return [bool(answer.allowed) for answer in answers]

    return decide


def _casbin(sample: Sample) -> Callable[[], list[bool]]:
    import casbin

    model = casbin.Model()
    model.load_model_from_text(_MODEL)
    enforcer = casbin.Enforcer(model)
    for rule in sample.rules:
        for name in rule.types or ("*",):
            enforcer.add_policy(rule.senders, rule.recipients, name, "deny")
    for name, members in sample.groups.items():
        for unit in members:
            enforcer.add_grouping_policy(str(unit), name)
    sender = str(sample.scene.sender)

    def decide() -> list[bool]:
        return [bool(enforcer.enforce(sender, str(unit), sample.type)) for unit in sample.units]

    return decide
