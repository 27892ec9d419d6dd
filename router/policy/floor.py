"""The law's floor as it is shipped: rules that are joined to every policy.

The file is a policy like any other, with its tests; which articles it follows stands there.
What no policy can leave out is no rule: `router.policy.secrecy` and
`router.policy.decisions`.
"""

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


_prepared: Final = msgspec.json.Decoder(PolicyFile)
"""Made while this is imported, by one thread: what msgspec learns of a type when it meets it for
the first time, other threads must not meet half learnt."""


@cache
def floor_policy() -> PolicyFile:
    """Return the shipped floor with its tests."""
    text = resources.files("router.policy").joinpath("floor.toml").read_bytes()
    return msgspec.toml.decode(text, type=PolicyFile)


def floor_rules() -> tuple[Rule, ...]:
    """Return the rules of the shipped floor, in their order."""
    return floor_policy().rules
