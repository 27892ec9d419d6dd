"""Facts on their way into a record: rows gathered, then cut into columns.

A fact says what one unit is from `since` until `until`; see `router/_facts.pxd` for how
several are read together.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from router import limits
from router._register import (
    FACT_CLOSES,
    FACT_CODES,
    FACT_DETAILS,
    FACT_KIND,
    FACT_NAME,
    FACT_OPENS,
    FACT_PARENT,
    FACT_SUCCESSORS,
    FACT_SYNTHESISED,
    FACT_TAGS,
    FACT_TIER,
    FOR_GOOD,
)
from router.directory.changes import FactsLearnt, digest_of
from router.model.units import Contact, DeliverySettings, Unit

BETWEEN_CODES = "\x1f"
FACTS_PART_BYTES_MAX = limits.RECORD_BYTES_MAX // 2
"""Text in one record; the half leaves room for the columns and the record's own frame."""
_ROW_BYTES = 34


class Details(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is seldom asked about a unit."""

    contact: Contact | None = None
    delivery: DeliverySettings | None = None


_encode_details = msgspec.json.Encoder().encode
_decode_details = msgspec.json.Decoder(Details).decode


def details_text(contact: Contact | None, delivery: DeliverySettings | None) -> str:
    """Return the text of the details field ("" when there is nothing to say)."""
    if contact is None and delivery is None:
        return ""
    return _encode_details(Details(contact, delivery)).decode()


def read_details(text: str) -> Details:
    """Read a details field back."""
    return _decode_details(text.encode()) if text else Details()


class Fact(msgspec.Struct):
    """One row; what is UNSET is not said.  `parent` 0 is no parent."""

    number: int
    since: int
    until: int = FOR_GOOD
    exists: bool | msgspec.UnsetType = msgspec.UNSET
    tier: int | msgspec.UnsetType = msgspec.UNSET
    kind: str | msgspec.UnsetType = msgspec.UNSET
    parent: int | msgspec.UnsetType = msgspec.UNSET
    tags: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    codes: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    name: str | msgspec.UnsetType = msgspec.UNSET
    details: str | msgspec.UnsetType = msgspec.UNSET
    successors: tuple[int, ...] | msgspec.UnsetType = msgspec.UNSET
    synthesised: bool = False

    def mask(self) -> int:
        """Return which properties it speaks of."""
        unset = msgspec.UNSET
        mask = 0
        if self.exists is not unset:
            mask |= FACT_OPENS if self.exists else FACT_CLOSES
        for value, bit in (
            (self.tier, FACT_TIER),
            (self.kind, FACT_KIND),
            (self.parent, FACT_PARENT),
            (self.tags, FACT_TAGS),
            (self.codes, FACT_CODES),
            (self.name, FACT_NAME),
            (self.details, FACT_DETAILS),
            (self.successors, FACT_SUCCESSORS),
        ):
            if value is not unset:
                mask |= bit
        return mask | (FACT_SYNTHESISED if self.synthesised else 0)

    def text(self) -> str:
        """Return its line of text."""
        unset = msgspec.UNSET
        fields = []
        if self.codes is not unset:
            fields.append(BETWEEN_CODES.join(self.codes))
        if self.name is not unset:
            fields.append(self.name)
        if self.details is not unset:
            fields.append(self.details)
        if self.successors is not unset:
            fields.append(",".join(map(str, self.successors)))
        return "\t".join(fields)


def facts_of_unit(unit: Unit) -> Iterator[Fact]:
    """Yield what an imported unit says: its properties, and its end when it has one."""
    yield Fact(
        unit.number,
        unit.valid_from,
        exists=True,
        tier=unit.tier,
        kind=unit.kind,
        parent=unit.parent or 0,
        tags=unit.tags or msgspec.UNSET,
        codes=(unit.code, *unit.aliases),
        name=unit.name,
        details=details_text(unit.contact, unit.delivery) or msgspec.UNSET,
        synthesised=unit.code_synthesised,
    )
    if unit.valid_to is not None:
        yield closing(unit.number, unit.valid_to, unit.successors)


def closing(number: int, at_us: int, successors: Sequence[int]) -> Fact:
    """Return the fact that a unit ends."""
    return Fact(number, at_us, exists=False, successors=tuple(successors))


def swapped(column: bytes, code: str) -> bytes:
    """Turn a column between little-endian (records) and this machine's order (the core)."""
    if sys.byteorder == "little":
        return column
    turned = array(code, column)
    turned.byteswap()
    return turned.tobytes()


class _Part:
    """The columns of one record while rows are added."""

    def __init__(self) -> None:
        self.columns = {
            name: array(code)
            for name, code in (
                ("number", "I"),
                ("since", "q"),
                ("until", "q"),
                ("mask", "H"),
                ("tier", "B"),
                ("kind", "H"),
                ("tags", "H"),
                ("parent", "I"),
            )
        }
        self.lines: list[bytes] = []
        self.bytes = 0
        self.kinds: dict[str, int] = {"": 0}
        self.tag_sets: dict[tuple[str, ...], int] = {(): 0}

    def add(self, fact: Fact) -> None:
        line = fact.text().encode() + b"\n"
        unset = msgspec.UNSET
        kind = "" if fact.kind is unset else fact.kind
        tags = () if fact.tags is unset else fact.tags
        values = {
            "number": fact.number,
            "since": fact.since,
            "until": fact.until,
            "mask": fact.mask(),
            "tier": 0 if fact.tier is unset else fact.tier,
            "kind": self.kinds.setdefault(kind, len(self.kinds)),
            "tags": self.tag_sets.setdefault(tags, len(self.tag_sets)),
            "parent": 0 if fact.parent is unset else fact.parent,
        }
        for name, value in values.items():
            self.columns[name].append(value)
        self.lines.append(line)
        self.bytes += len(line) + _ROW_BYTES

    def column(self, name: str) -> bytes:
        column = self.columns[name]
        return swapped(column.tobytes(), column.typecode)

    def full(self) -> bool:
        return self.bytes >= FACTS_PART_BYTES_MAX or len(self.lines) >= limits.UNITS_PER_RECORD_MAX


def parts_of(facts: Iterable[Fact], form: str, title: str, at_us: int) -> list[FactsLearnt]:
    """Cut facts into record bodies; none when there are no facts."""
    parts: list[_Part] = []
    count = 0
    for fact in facts:
        if not parts or parts[-1].full():
            parts.append(_Part())
        parts[-1].add(fact)
        count += 1
    bodies = [
        FactsLearnt(
            form=form,
            title=title,
            at=at_us,
            number=part.column("number"),
            since=part.column("since"),
            until=part.column("until"),
            mask=part.column("mask"),
            tier=part.column("tier"),
            kind=part.column("kind"),
            tags=part.column("tags"),
            parent=part.column("parent"),
            text=b"".join(part.lines),
            kinds=tuple(part.kinds),
            tag_sets=tuple(part.tag_sets),
            part=number,
            total=len(parts),
        )
        for number, part in enumerate(parts, 1)
    ]
    if bodies:
        digest = digest_of(bodies)
        bodies[-1] = msgspec.structs.replace(bodies[-1], count=count, digest=digest)
    return bodies
