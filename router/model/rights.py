"""Rights (quyền): who may do what for which units, beside what everybody may."""

from __future__ import annotations

from typing import Final

import msgspec

READ: Final = "read"
RESOLVE: Final = "resolve"
DIRECTORY: Final = "directory"
GROUP: Final = "group"
TOKEN: Final = "token"  # noqa: S105 - an action
TRUST: Final = "trust"
POLICY: Final = "policy"
ACTIONS: Final = (READ, RESOLVE, DIRECTORY, GROUP, TOKEN, TRUST, POLICY)
"""read: track and explain the documents of the units selected, look at deliveries to them and
at their past; resolve: ask whom a selector means among them; directory: change them; group:
define groups of them; token: make and revoke their tokens; trust: bind their certificates;
policy: check, weigh and activate policies, which takes a right to all units."""


class Right(msgspec.Struct, frozen=True, omit_defaults=True):
    """One right: what its holder may do to the units of a selector, from when until when.

    `id` is the sequence of the record that granted it.  The holder is a unit (by stable
    number, with the code it bears now) or a token (by its id); the other is None or "".
    `since` and `until` (exclusive; None: for good) are instants.  `actor` granted it.
    """

    id: int
    actions: tuple[str, ...]
    selector: str
    unit: int | None = None
    code: str = ""
    token: str = ""
    since: int = 0
    until: int | None = None
    reason: str = ""
    actor: str = ""


class RightWanted(msgspec.Struct, frozen=True):
    """A right that a new token is to have: actions, and the selector of the units."""

    actions: tuple[str, ...]
    selector: str
