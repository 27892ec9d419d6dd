"""Rights as the log's records made them: granted, ended, and read from what people write.

A right is a record of the room "right", so it has an actor, an instant and a number (the
sequence of its record).  What a right covers is asked in `router.engine.access`.
"""

from __future__ import annotations

import msgspec

from router import limits
from router.errors import InputError, NotFoundError
from router.model.instants import INSTANT_MAX
from router.model.rights import ACTIONS, Right, RightWanted

ROOM = "right"
PER_HOLDER_MAX = limits.RIGHTS_PER_HOLDER_MAX


class RightGranted(msgspec.Struct, frozen=True, tag_field="change", tag="granted"):
    """A unit (stable number) or a token (id) may do something from `since` on."""

    unit: int | None
    token: str
    actions: tuple[str, ...]
    selector: str
    since: int
    until: int | None
    reason: str


class RightRevoked(msgspec.Struct, frozen=True, tag_field="change", tag="revoked"):
    """The right with that number ends at `at`."""

    id: int
    at: int
    reason: str


RightChange = RightGranted | RightRevoked
_changes: msgspec.msgpack.Decoder[RightChange] = msgspec.msgpack.Decoder(RightChange)


def decode_change(body: bytes) -> RightChange:
    """Read a record of this room."""
    return _changes.decode(body)


def actions_of(text: str) -> tuple[str, ...]:
    """Return the actions of a list such as "directory,read", each once, in a fixed order.

    Raises InputError `right.invalid` for a word that is none, and for no action at all.
    """
    return checked_actions(text.split(","))


def checked_actions(actions: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Return actions in their fixed order.  Raises InputError `right.invalid`."""
    asked = {action.strip() for action in actions} - {""}
    unknown = sorted(asked.difference(ACTIONS))
    if unknown or not asked:
        said = f"no action “{unknown[0]}”" if unknown else "no action is named"
        raise _invalid("actions", f"{said}; the actions: {', '.join(ACTIONS)}")
    return tuple(action for action in ACTIONS if action in asked)


def wanted_of(text: str) -> RightWanted:
    """Read "directory,read:subtree(H22)": actions, a colon, a selector.

    Raises InputError `right.invalid`.
    """
    actions, colon, selector = text.partition(":")
    if not colon or not selector.strip():
        raise _invalid("right", "write actions, a colon and a selector: read:subtree(H22)")
    return RightWanted(actions_of(actions), selector.strip())


class Rights:
    """The rights that were granted and not revoked.

    One thread applies; any thread may read at the same time: every change puts new tuples
    in the place of old ones.
    """

    def __init__(self) -> None:
        self._by_id: dict[int, Right] = {}
        self._of_unit: dict[int, tuple[Right, ...]] = {}
        self._of_token: dict[str, tuple[Right, ...]] = {}

    def apply(self, change: RightChange, sequence: int, actor: str) -> None:
        """Take one record in; never refuses."""
        if isinstance(change, RightGranted):
            right = Right(
                id=sequence,
                actions=change.actions,
                selector=change.selector,
                unit=change.unit,
                token=change.token,
                since=change.since,
                until=change.until,
                reason=change.reason,
                actor=actor,
            )
            self._by_id[sequence] = right
        else:
            known = self._by_id.pop(change.id, None)
            if known is None:
                return
            right = known
        keeps = isinstance(change, RightGranted)
        if right.unit is not None:
            self._of_unit[right.unit] = _changed(self._of_unit.get(right.unit, ()), right, keeps)
        else:
            self._of_token[right.token] = _changed(
                self._of_token.get(right.token, ()), right, keeps
            )

    def of(self, unit: int | None, token: str, at_us: int) -> tuple[Right, ...]:
        """Return the rights of a unit and of a token that hold at an instant."""
        found = self._of_unit.get(unit, ()) if unit is not None else ()
        if token:
            found += self._of_token.get(token, ())
        return tuple(right for right in found if holds_at(right, at_us))

    def all(self) -> list[Right]:
        """List all rights that were not revoked, past and future ones too, oldest first."""
        return list(self._by_id.values())

    def find(self, number: int) -> Right:
        """Return a right by its number.  Raises NotFoundError `right.not_found`."""
        right = self._by_id.get(number)
        if right is None:
            raise NotFoundError("right.not_found", right=number)
        return right

    def plan(self, change: RightGranted, now_us: int) -> RightGranted:
        """Check what needs no directory; return the record.  Raises InputError `right.invalid`."""
        reason = change.reason.strip()
        if not reason or len(reason) > limits.REASON_CHARS_MAX or not reason.isprintable():
            said = f"a right needs a reason of at most {limits.REASON_CHARS_MAX} characters"
            raise _invalid("reason", said)
        if not 0 <= change.since <= INSTANT_MAX:
            raise _invalid("since", "an instant is from 1970 to 9999")
        if change.until is not None and not (
            max(change.since, now_us) < change.until <= INSTANT_MAX
        ):
            raise _invalid("until", "a right ends after it begins, and after now")
        mine = (
            self._of_unit.get(change.unit, ())
            if change.unit is not None
            else self._of_token.get(change.token, ())
        )
        if len(mine) >= limits.RIGHTS_PER_HOLDER_MAX:
            raise _invalid("holder", f"it has {limits.RIGHTS_PER_HOLDER_MAX} rights already")
        if len(self._by_id) >= limits.RIGHTS_MAX:
            raise _invalid("holder", f"there are {limits.RIGHTS_MAX} rights already")
        return msgspec.structs.replace(
            change, actions=checked_actions(change.actions), reason=reason
        )


def holds_at(right: Right, at_us: int) -> bool:
    """Say whether an instant lies between a right's beginning and its end."""
    return right.since <= at_us and (right.until is None or at_us < right.until)


def _changed(rights: tuple[Right, ...], right: Right, keeps: bool) -> tuple[Right, ...]:
    others = tuple(one for one in rights if one.id != right.id)
    return (*others, right) if keeps else others


def _invalid(path: str, reason: str) -> InputError:
    return InputError("right.invalid", path=path, reason=reason)
