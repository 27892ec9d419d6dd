"""Snapshot: the directory valid at one instant, compiled and numbered.

It is immutable.  Positions are those of its `Hierarchy`; stable numbers, kinds and tiers
mean the same in every snapshot, so topics and subscriptions can be compared across them.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping, Sequence

from router._bearers import Bearers
from router._core import Audience, Hierarchy
from router._postings import EVERYBODY
from router.directory.known import Known
from router.model.reorganisations import GroupDefined
from router.model.units import TIER_NUMBERS, Unit

TOPIC_BYTES = 7
_TOPIC = struct.Struct(">IBH")


def pack_topic(ancestor: int, tier: int, kind: int) -> bytes:
    """Return a topic as 7 bytes: ancestor's number u32, tier u8, kind u16, big-endian."""
    return _TOPIC.pack(ancestor, tier, kind)


class Snapshot:
    """The units open from `valid_from` (until `valid_to`), as known at `sequence`.

    (`sequence`, `valid_from`) names it for ever: the same log gives the same positions.
    It is the `Lookup` that `router.selectors` compiles against.
    """

    def __init__(
        self,
        sequence: int,
        valid_from: int,
        valid_to: int | None,
        known: Known,
        groups: Mapping[str, GroupDefined],
        group_names: Collection[str] = (),
    ) -> None:
        """Compile what is open throughout the interval; `group_names` are those ever defined."""
        self.sequence = sequence
        self.valid_from = valid_from
        self.valid_to = valid_to
        self.known = known
        self._groups = groups
        self.groups = frozenset(group_names)
        """The names of all groups ever defined, at this date or not."""
        self.hierarchy: Hierarchy = known.register.compile(valid_from, known.count)
        self._bearers: Bearers | None = None
        self._tagged: dict[str, Audience] = {}

    @property
    def identity(self) -> tuple[int, int]:
        """The pair (directory sequence, start of validity) that names this snapshot."""
        return self.sequence, self.valid_from

    @property
    def memory_bytes(self) -> int:
        """Bytes of memory it takes beside the register."""
        codes = 0 if self._bearers is None else self._bearers.memory_bytes
        return self.hierarchy.memory_bytes + codes

    def holds(self, at_us: int) -> bool:
        """Say whether an instant lies in the interval of this snapshot."""
        return self.valid_from <= at_us and (self.valid_to is None or at_us < self.valid_to)

    def __len__(self) -> int:
        return self.hierarchy.size

    def _codes(self) -> Bearers:
        """Return who bears which code, made when first asked.

        A snapshot that only tells who is in an old audience is never asked.  Two threads may
        at worst make it twice.
        """
        made = self._bearers
        if made is None:
            known = self.known
            made = Bearers(known.register, self.hierarchy, self.valid_from, known.count)
            self._bearers = made
        return made

    def prepare(self) -> None:
        """Make what is otherwise made when first asked for."""
        self._codes()

    def position_of(self, code: str) -> int:
        """Return the position of the unit bearing a code (in its normal form).

        Raises RecipientError `recipient.unknown`, `.closed` (day in +07:00, successor) or
        `.not_yet_open`.
        """
        position = self._codes().position(code)
        if position < 0:
            raise self.known.absent(code, self.valid_from, role="recipient")
        return position

    def list_audiences(self, texts: Sequence[str]) -> list[Audience | None]:
        """Return the audiences of selectors that are plain lists of known codes, else None.

        None says nothing about a selector: it has to be parsed.
        """
        return self._codes().list_audiences(texts)

    @property
    def kinds(self) -> Mapping[str, int]:
        """Kind name -> number, of every kind that any unit ever was of."""
        return self.known.words.kinds

    @property
    def tags(self) -> Collection[str]:
        """Every tag that any unit ever bore."""
        return self.known.words.sets_with.keys()

    def tier_of(self, name: str) -> int:
        """Return the number of a tier by its word, or -1."""
        return TIER_NUMBERS.get(name, -1)

    def kind_of(self, name: str) -> int:
        """Return the number of a kind by its name, or -1 when no unit ever was of it."""
        return self.kinds.get(name, -1)

    def tagged(self, tag: str) -> Audience:
        """Return the units that bear a tag.  Raises KeyError when none ever did."""
        found = self._tagged.get(tag)
        if found is None:
            found = self.hierarchy.with_tags(self.known.words.sets_with[tag])
            self._tagged[tag] = found
        return found

    def group_of(self, name: str) -> GroupDefined | None:
        """Return what a named group means at this date, None when it is not defined then."""
        return self._groups.get(name)

    def unit_at(self, position: int) -> Unit:
        """Return the unit at a position, as it stands in this snapshot."""
        unit = self.known.unit(self.hierarchy.number(position), self.valid_from)
        assert unit is not None, "a snapshot's units are known"
        return unit

    def units_of(self, audience: Audience) -> list[Unit]:
        """Return an audience's units in ascending order of their stable numbers."""
        found = (
            self.known.unit(number, self.valid_from) for number in self.hierarchy.numbers(audience)
        )
        return [unit for unit in found if unit is not None]

    def topics_bytes(self, audience: Audience) -> tuple[bytes, ...]:
        """Return the topics under which an audience's entry is found, packed."""
        return tuple(_TOPIC.pack(*topic) for topic in self.hierarchy.topics(audience))

    def subscriptions_bytes(self, position: int) -> tuple[bytes, ...]:
        """Return the topics that the inbox of the unit at a position reads, packed."""
        topics = (*self.hierarchy.subscriptions(position), EVERYBODY)
        return tuple(_TOPIC.pack(*topic) for topic in topics)
