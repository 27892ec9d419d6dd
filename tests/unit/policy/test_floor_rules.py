"""The shipped floor is a policy file like any other."""

from __future__ import annotations

from router.policy.floor import FLOOR_PREFIX, floor_rules


def test_the_floor_is_readable_and_bears_its_own_names() -> None:
    names = [rule.name for rule in floor_rules()]
    assert names
    assert all(name.startswith(FLOOR_PREFIX) for name in names)
    assert len(set(names)) == len(names)
