"""One working day of a province: signed documents, and who must get each of them.

The expectation is worked out here with plain Python sets over the units, never by parsing
a selector or asking the compiled core, so that it can judge both.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final

import msgspec

from router.model.documents import DOCUMENT_FORMAT, Attachment, Document, InlineContent, Urgency
from router.model.instants import VIETNAM_TIME
from router.model.units import Unit
from vanban_bench.workloads.paper import FIELDS, KINDS, TOPICS, WEIGHTS, notation_of
from vanban_bench.workloads.sample_directory import (
    CENTRAL,
    COMMUNE,
    DISTRICT,
    HA_GIANG_CODE,
    PROVINCE,
)

DAY: Final = date(2024, 9, 4)
DOCUMENTS: Final = 3_300
FIRST_NUMBER: Final = 5
ACCEPTED: Final = "accepted"
REPEATED: Final = "repeated"

FAULTS: Final[dict[str, tuple[int, str]]] = {
    "bad-signature": (3, "signature.invalid"),
    "expired-certificate": (2, "certificate.expired"),
    "other-certificate": (2, "sender.mismatch"),
    "unknown-recipient": (3, "recipient.unknown"),
    "empty-audience": (2, "audience.empty"),
    "state-secret": (2, "document.secret"),
    "other-content": (2, "document.conflict"),
    "repeat": (5, REPEATED),
}
"""What goes wrong on the day: how often, and the code each must get."""
COPIES: Final = ("other-content", "repeat")
"""The faults that are made from a good document sent before."""


class PlannedDocument(msgspec.Struct, frozen=True):
    """A document to sign and send, and what must become of it.

    `recipients` are the stable numbers that must get it (none when refused); `outcome` is
    `accepted`, `repeated` or the code of the refusal; `fault` names what is wrong with it.
    """

    document: Document
    sender: Unit
    pattern: str
    recipients: frozenset[int]
    contents: tuple[InlineContent, ...] = ()
    outcome: str = ACCEPTED
    fault: str = ""


class DayPlan(msgspec.Struct, frozen=True):
    """The day in the order of sending."""

    documents: tuple[PlannedDocument, ...]

    @property
    def good(self) -> tuple[PlannedDocument, ...]:
        """The documents to be accepted."""
        return tuple(planned for planned in self.documents if planned.outcome == ACCEPTED)

    def outcomes(self) -> dict[str, int]:
        """Return how many documents end how: `accepted`, `repeated`, or a refusal's code."""
        return dict(Counter(planned.outcome for planned in self.documents))

    def deliveries(self) -> int:
        """Return the number of deliveries of the whole day."""
        return sum(len(planned.recipients) for planned in self.good)

    def mean_fan_out(self) -> float:
        """Return the mean number of recipients of an accepted document."""
        return self.deliveries() / max(1, len(self.good))

    def inboxes(self) -> dict[int, int]:
        """Return the number of deliveries each unit must get."""
        return dict(Counter(number for planned in self.good for number in planned.recipients))


class _Addressed(msgspec.Struct, frozen=True):
    """One choice of sender, selector, and the units it means."""

    sender: Unit
    selector: str
    recipients: frozenset[int]


class Land:
    """The units of one province and the centre in obvious lists and sets."""

    def __init__(self, units: Sequence[Unit], province_code: str) -> None:
        """Raise ValueError when the province is not among the units or lacks units below."""
        self.by_number = {unit.number: unit for unit in units}
        provinces = [unit for unit in units if unit.code == province_code]
        if len(provinces) != 1:
            raise ValueError(f"no province {province_code} among the units")
        self.province = provinces[0]
        self.all = list(units)
        self.below = [unit for unit in units if self._lies_below(unit, self.province)]
        self.departments = [
            unit for unit in self.children(self.province) if unit.kind == "department"
        ]
        self.districts = [unit for unit in self.children(self.province) if unit.tier == DISTRICT]
        self.communes = [
            unit for unit in self.below if unit.tier == COMMUNE and unit.kind == "people-committee"
        ]
        self.centrals = [unit for unit in units if unit.tier == CENTRAL]
        if not (self.departments and self.districts and self.communes):
            raise ValueError(f"{province_code} lacks departments, districts or communes")

    def _lies_below(self, unit: Unit, above: Unit) -> bool:
        at = unit
        while at.parent is not None:
            if at.parent == above.number:
                return True
            at = self.by_number[at.parent]
        return False

    def children(self, above: Unit) -> list[Unit]:
        """Return the units directly below one."""
        return [unit for unit in self.all if unit.parent == above.number]

    def descendants(self, above: Unit) -> list[Unit]:
        """Return all units of the province below one of its units."""
        return [unit for unit in self.below if self._lies_below(unit, above)]

    def parent(self, unit: Unit) -> Unit:
        """Return the unit directly above one of the province's."""
        assert unit.parent is not None
        return self.by_number[unit.parent]


def numbers(units: Iterable[Unit]) -> frozenset[int]:
    """Return the set of stable numbers."""
    return frozenset(unit.number for unit in units)


class Patterns:
    """The ways documents go in a province, each with its share of a day in thousandths."""

    def __init__(self, land: Land, chance: random.Random) -> None:
        self.land = land
        self.chance = chance
        self.shares: dict[str, tuple[int, Callable[[], _Addressed]]] = {
            "all-communes": (90, self.all_communes),
            "communes-but-one-district": (20, self.communes_but_one_district),
            "all-below": (5, self.all_below),
            "district-offices": (30, self.district_offices),
            "communes-of-district": (120, self.communes_of_district),
            "departments-and-districts": (100, self.departments_and_districts),
            "departments": (40, self.departments),
            "districts": (60, self.districts),
            "provinces": (30, self.provinces),
            "commune-upward": (250, self.commune_upward),
            "district-upward": (100, self.district_upward),
            "sideways": (80, self.sideways),
            "list": (75, self.explicit_list),
        }
        assert sum(share for share, _ in self.shares.values()) == 1_000

    def plan(self, documents: int) -> list[str]:
        """Return a pattern's name for each document: exact shares, in seeded order."""
        names = [
            name
            for name, (share, _) in self.shares.items()
            for _ in range(round(documents * share / 1_000))
        ]
        names = names[:documents] + ["commune-upward"] * (documents - len(names))
        self.chance.shuffle(names)
        return names

    def make(self, name: str) -> _Addressed:
        """Return one document's sender, selector and recipients for a pattern."""
        return self.shares[name][1]()

    def code(self, unit: Unit) -> str:
        """Return one of the unit's codes, as senders write them: either form, any case."""
        code = self.chance.choice((unit.code, unit.code, unit.code, *unit.aliases))
        return code.lower() if self.chance.random() < 0.05 else code

    def union(self, units: Sequence[Unit]) -> str:
        """Return the selector that lists these units."""
        return " | ".join(self.code(unit) for unit in units)

    def leader(self) -> Unit:
        """Return the province or one of its departments."""
        return self.chance.choice((self.land.province, *self.land.departments))

    def all_communes(self) -> _Addressed:
        """Province or department to every commune."""
        members = [unit for unit in self.land.below if unit.tier == COMMUNE]
        top = self.code(self.land.province)
        return _Addressed(self.leader(), f"descendants({top}) & tier(commune)", numbers(members))

    def communes_but_one_district(self) -> _Addressed:
        """Province to every commune but those of one district."""
        district = self.chance.choice(self.land.districts)
        left_out = numbers(self.land.descendants(district))
        members = numbers(unit for unit in self.land.below if unit.tier == COMMUNE) - left_out
        top = self.code(self.land.province)
        return _Addressed(
            self.land.province,
            f"(descendants({top}) & tier(commune)) - descendants({self.code(district)})",
            members,
        )

    def all_below(self) -> _Addressed:
        """Province to everyone below it."""
        return _Addressed(
            self.land.province,
            f"descendants({self.code(self.land.province)})",
            numbers(self.land.below),
        )

    def district_offices(self) -> _Addressed:
        """Department to the offices of all districts."""
        return _Addressed(
            self.chance.choice(self.land.departments),
            f"kind(office) & descendants({self.code(self.land.province)})",
            numbers(unit for unit in self.land.below if unit.kind == "office"),
        )

    def communes_of_district(self) -> _Addressed:
        """District to its communes."""
        district = self.chance.choice(self.land.districts)
        members = [unit for unit in self.land.children(district) if unit.tier == COMMUNE]
        return _Addressed(
            district, f"children({self.code(district)}) & tier(commune)", numbers(members)
        )

    def departments_and_districts(self) -> _Addressed:
        """Province to its departments and districts."""
        province = self.land.province
        return _Addressed(
            province, f"children({self.code(province)})", numbers(self.land.children(province))
        )

    def departments(self) -> _Addressed:
        """Department to its fellow departments."""
        sender = self.chance.choice(self.land.departments)
        top = self.code(self.land.province)
        return _Addressed(
            sender,
            f"(children({top}) & kind(department)) - {self.code(sender)}",
            numbers(self.land.departments) - {sender.number},
        )

    def districts(self) -> _Addressed:
        """Province or department to the districts."""
        top = self.code(self.land.province)
        return _Addressed(
            self.leader(), f"children({top}) & tier(district)", numbers(self.land.districts)
        )

    def provinces(self) -> _Addressed:
        """Government Office or a ministry to all provinces."""
        members = [
            unit
            for unit in self.land.all
            if unit.tier == PROVINCE and unit.kind == "people-committee"
        ]
        return _Addressed(
            self.chance.choice(self.land.centrals),
            "tier(province) & kind(people-committee)",
            numbers(members),
        )

    def commune_upward(self) -> _Addressed:
        """Commune to its district, at times to an office of it too."""
        commune = self.chance.choice(self.land.communes)
        district = self.land.parent(commune)
        offices = [unit for unit in self.land.children(district) if unit.kind == "office"]
        members = [district]
        if offices and self.chance.random() < 0.4:
            members.append(self.chance.choice(offices))
        return _Addressed(commune, self.union(members), numbers(members))

    def district_upward(self) -> _Addressed:
        """District to the province, at times to a department too."""
        members = [self.land.province]
        if self.chance.random() < 0.5:
            members.append(self.chance.choice(self.land.departments))
        district = self.chance.choice(self.land.districts)
        return _Addressed(district, self.union(members), numbers(members))

    def sideways(self) -> _Addressed:
        """Commune to a few other communes."""
        sender, *members = self.chance.sample(
            self.land.communes, min(len(self.land.communes), self.chance.randint(2, 4))
        )
        return _Addressed(sender, self.union(members), numbers(members))

    def explicit_list(self) -> _Addressed:
        """Department to a list of districts, departments, communes and ministries."""
        sender = self.chance.choice(self.land.departments)
        pool = [
            unit
            for unit in (*self.land.districts, *self.land.communes, *self.land.centrals)
            if unit is not sender
        ]
        members = self.chance.sample(pool, min(len(pool), self.chance.randint(5, 25)))
        return _Addressed(sender, self.union(members), numbers(members))


class _Writer:
    """Turns a choice of sender and recipients into a document with number, subject, files."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.last: dict[tuple[int, str], int] = {}

    def write(
        self,
        chosen: _Addressed,
        issued_at: datetime,
        urgency: Urgency,
        marks: tuple[str, ...] = (),
    ) -> tuple[Document, tuple[InlineContent, ...]]:
        """Return the document and its inline contents."""
        chance = self.chance
        kind = chance.choices(KINDS, WEIGHTS)[0]
        notation = notation_of(kind, chosen.sender, chance.choice(FIELDS))
        series = (chosen.sender.number, notation)
        number = self.last.get(series, FIRST_NUMBER - 1) + 1
        self.last[series] = number
        contents = self.contents() if chance.random() < 0.25 else ()
        sender = chosen.sender.aliases[0] if chance.random() < 0.2 else chosen.sender.code
        return (
            Document(
                format=DOCUMENT_FORMAT,
                sender=sender,
                document_id=f"{sender},{issued_at:%Y/%m/%d},{number:02}/{notation}",
                number=f"{number:02}",
                notation=notation,
                document_type=kind.name,
                subject=kind.subject.format(topic=chance.choice(TOPICS)),
                issued_at=issued_at,
                recipients=chosen.selector,
                urgency=urgency,
                marks=marks or (("Lưu hành nội bộ",) if chance.random() < 0.01 else ()),
                reply_by=DAY + timedelta(days=9) if chance.random() < 0.1 else None,
                attachments=tuple(
                    Attachment(
                        name=f"{number:02}_{notation}.pdf",
                        media_type="application/pdf",
                        size_bytes=len(content.content),
                        sha256=content.sha256,
                    )
                    for content in contents
                ),
            ),
            contents,
        )

    def contents(self) -> tuple[InlineContent, ...]:
        """Return one small file of 1 to 3 KB that begins like a PDF."""
        content = b"%PDF-1.7\n" + self.chance.randbytes(self.chance.randint(1_000, 3_000))
        return (InlineContent(sha256=hashlib.sha256(content).hexdigest(), content=content),)


def plan_day(
    units: Sequence[Unit],
    seed: int,
    documents: int = DOCUMENTS,
    province: str = HA_GIANG_CODE,
    faults: bool = True,
) -> DayPlan:
    """Plan the day of a province: `documents` good ones, and beside them the known handful.

    The same units and seed give the same plan.  With the sample directory the mean fan-out
    is 35 to 42.  Raises ValueError when the province lacks departments, districts or
    communes.
    """
    chance = random.Random(seed)
    patterns = Patterns(Land(units, province), chance)
    writer = _Writer(chance)
    names = patterns.plan(documents)
    slots = sorted(_moment(chance) for _ in names)
    urgencies = _urgencies(documents, chance)
    planned = []
    for name, issued_at, urgency in zip(names, slots, urgencies, strict=True):
        chosen = patterns.make(name)
        document, contents = writer.write(chosen, issued_at, urgency)
        planned.append(PlannedDocument(document, chosen.sender, name, chosen.recipients, contents))
    if faults and planned:
        _insert_faults(planned, patterns, writer)
    return DayPlan(tuple(planned))


def _moment(chance: random.Random) -> datetime:
    """Return a second of the working day, more often in its two peaks."""
    windows = (
        (7.5, 8.0, 1),
        (8.0, 9.5, 6),
        (9.5, 11.5, 3),
        (13.5, 14.0, 1),
        (14.0, 15.5, 6),
        (15.5, 17.0, 2),
    )
    start, stop, _ = chance.choices(windows, [weight for _, _, weight in windows])[0]
    midnight = datetime(DAY.year, DAY.month, DAY.day, tzinfo=VIETNAM_TIME)
    return midnight + timedelta(seconds=chance.randrange(int(start * 3_600), int(stop * 3_600)))


def _urgencies(documents: int, chance: random.Random) -> list[Urgency]:
    """Return urgencies in exact shares (10 % urgent, 4 % very urgent, 1 % flash), shuffled."""
    found = [Urgency.FLASH] * -(-documents // 100)
    found += [Urgency.VERY_URGENT] * (documents // 25)
    found += [Urgency.URGENT] * (documents // 10)
    found = found[:documents]
    found += [Urgency.NORMAL] * (documents - len(found))
    chance.shuffle(found)
    return found


def _insert_faults(planned: list[PlannedDocument], patterns: Patterns, writer: _Writer) -> None:
    """Put the known handful among the good documents; copies come after their originals."""
    chance = patterns.chance
    good = planned.copy()
    chance.shuffle(good)
    originals = itertools.cycle(good)
    for fault, (count, _) in FAULTS.items():
        for turn in range(count):
            if fault in COPIES:
                original = next(originals)
                bad = _copy(original, fault)
                place = chance.randint(planned.index(original) + 1, len(planned))
            else:
                place = chance.randrange(len(planned) + 1)
                issued_at = planned[max(0, place - 1)].document.issued_at
                bad = _faulty(patterns, writer, fault, turn, issued_at)
            planned.insert(place, bad)


def _copy(original: PlannedDocument, fault: str) -> PlannedDocument:
    """Return a good document again: word for word, or under its id with other content."""
    document = original.document
    if fault == "other-content":
        document = msgspec.structs.replace(document, subject=f"{document.subject[:480]} (sửa đổi)")
    return msgspec.structs.replace(
        original, document=document, recipients=frozenset(), outcome=FAULTS[fault][1], fault=fault
    )


def _faulty(
    patterns: Patterns, writer: _Writer, fault: str, turn: int, issued_at: datetime
) -> PlannedDocument:
    """Return a new document with one fault."""
    chosen = patterns.make(patterns.chance.choice(("commune-upward", "list", "sideways")))
    land = patterns.land
    if fault == "unknown-recipient":
        unknown = f"{land.province.code}.99.{90 + turn}"
        chosen = msgspec.structs.replace(chosen, selector=f"{chosen.selector} | {unknown}")
    elif fault == "empty-audience":
        top = patterns.code(land.province)
        chosen = msgspec.structs.replace(chosen, selector=f"tier(central) & descendants({top})")
    marks = (("Mật", "TỐI MẬT", "Tuyệt mật")[turn % 3],) if fault == "state-secret" else ()
    document, contents = writer.write(chosen, issued_at, Urgency.NORMAL, marks)
    return PlannedDocument(
        document, chosen.sender, fault, frozenset(), contents, FAULTS[fault][1], fault
    )
