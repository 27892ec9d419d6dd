"""Requests about the policy as bytes, and the decoders of their answers."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from router.client.wire import Request
from router.model.policies import (
    PolicyChecked,
    PolicyExplained,
    PolicyImpact,
    PolicyVersion,
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

_encode: Final = msgspec.json.Encoder().encode
explained: Final = msgspec.json.Decoder(PolicyExplained)
unders: Final = msgspec.json.Decoder(UnitUnderPolicy)
reaches: Final = msgspec.json.Decoder(Reach)
rules: Final = msgspec.json.Decoder(RuleReach)
checks: Final = msgspec.json.Decoder(PolicyChecked)
impacts: Final = msgspec.json.Decoder(PolicyImpact)
activations: Final = msgspec.json.Decoder(PolicyVersion)
histories: Final = msgspec.json.Decoder(PolicyVersions)
texts: Final = msgspec.json.Decoder(PolicyShown)

VERSIONS: Final = Request("GET", "/v1/policy/versions")


def explain(document: str, unit: str | None) -> Request:
    """Ask why a document went to whom, or what became of one unit."""
    path = f"/v1/documents/{quote(document, safe='')}/policy"
    return Request("GET", path if unit is None else f"{path}/units/{quote(unit, safe='')}")


def rule(name: str) -> Request:
    """Ask what a rule in force would catch."""
    return Request("GET", f"/v1/policy/rules/{quote(name, safe='')}")


def receive(question: ReachRequest) -> Request:
    """Ask who may receive from a unit."""
    return Request("POST", "/v1/policy/who-may-receive", _encode(question))


def send(question: ReachRequest) -> Request:
    """Ask who may send to a unit."""
    return Request("POST", "/v1/policy/who-may-send", _encode(question))


def check(policy: str) -> Request:
    """Ask what is wrong about a policy, and how its tests end."""
    return Request("POST", "/v1/policy/check", _encode(PolicyRequest(policy)))


def impact(policy: str, since_us: int, limit: int, *, pairs: bool) -> Request:
    """Ask what a policy would change."""
    question = ImpactRequest(policy, since_us, limit, pairs)
    return Request("POST", "/v1/policy/impact", _encode(question))


def activate(policy: str, reason: str) -> Request:
    """Ask to put a policy in force."""
    return Request("POST", "/v1/policy/activate", _encode(ActivateRequest(policy, reason)))


def rollback(version: int | None, reason: str) -> Request:
    """Ask to put an earlier version in force again."""
    return Request("POST", "/v1/policy/rollback", _encode(RollbackRequest(reason, version)))


def text(version: int | None) -> Request:
    """Ask for the text of a version."""
    query = "" if version is None else "?" + urlencode({"version": version})
    return Request("GET", f"/v1/policy/text{query}")
