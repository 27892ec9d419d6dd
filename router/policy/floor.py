"""The law's floor as it is shipped: rules that are joined to every policy."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

import msgspec

from router.policy.model import Default, PolicyFile, Rule

FLOOR_PREFIX: Final = "floor/"
"""Names of the floor's rules begin so; no other rule's name may."""

SHIPPED: Final = PolicyFile(format=1, name="–", default=Default.ALLOW)
"""The policy of version 0: in force until one is activated."""


@cache
def floor_rules() -> tuple[Rule, ...]:
    """Return the rules of the shipped floor, in their order."""
    text = resources.files("router.policy").joinpath("floor.toml").read_bytes()
    return msgspec.toml.decode(text, type=PolicyFile).rules
