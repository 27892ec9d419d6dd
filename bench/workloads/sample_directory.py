"""The sample directory: the centre, 63 provinces, and all of Hà Giang, from real data.

Territories are those of 1 September 2024; an organ stands for each (a people's committee).
Codes below level 1 are made by rule: departments 01–30 and districts from 31 at level 2,
offices 01–19 and communes from 20 at level 3.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

from router.model.instants import VIETNAM_TIME, instant_of
from router.model.units import Unit

OPEN_SINCE: Final = instant_of(datetime(2004, 1, 1, tzinfo=VIETNAM_TIME))
CENTRE_CODE: Final = "G22"
HA_GIANG_CODE: Final = "H22"
CENTRAL, PROVINCE, DISTRICT, COMMUNE = 1, 2, 3, 4
DISTRICT_GROUP_FIRST: Final = 31
COMMUNE_GROUP_FIRST: Final = 20

DEPARTMENTS: Final[tuple[tuple[str, str], ...]] = (
    ("Văn phòng UBND tỉnh", "VPUBND"),
    ("Sở Nội vụ", "SNV"),
    ("Sở Tư pháp", "STP"),
    ("Sở Kế hoạch và Đầu tư", "SKHĐT"),
    ("Sở Tài chính", "STC"),
    ("Sở Công Thương", "SCT"),
    ("Sở Nông nghiệp và Phát triển nông thôn", "SNN"),
    ("Sở Giao thông vận tải", "SGTVT"),
    ("Sở Xây dựng", "SXD"),
    ("Sở Tài nguyên và Môi trường", "STNMT"),
    ("Sở Lao động - Thương binh và Xã hội", "SLĐTBXH"),
    ("Sở Văn hóa, Thể thao và Du lịch", "SVHTTDL"),
    ("Sở Thông tin và Truyền thông", "STTTT"),
    ("Sở Khoa học và Công nghệ", "SKHCN"),
    ("Sở Giáo dục và Đào tạo", "SGDĐT"),
    ("Sở Y tế", "SYT"),
    ("Sở Ngoại vụ", "SNgV"),
    ("Thanh tra tỉnh", "TTT"),
    ("Ban Dân tộc", "BDT"),
    ("Ban Quản lý Khu kinh tế", "BQLKKT"),
)
"""The specialised departments of a province (NĐ 24/2014) with their abbreviations."""

OFFICES: Final[tuple[tuple[str, str], ...]] = (
    ("Văn phòng HĐND và UBND", "VP"),
    ("Phòng Nội vụ", "PNV"),
    ("Phòng Tư pháp", "PTP"),
    ("Phòng Tài chính - Kế hoạch", "PTCKH"),
    ("Phòng Tài nguyên và Môi trường", "PTNMT"),
    ("Phòng Lao động - Thương binh và Xã hội", "PLĐTBXH"),
    ("Phòng Văn hóa và Thông tin", "PVHTT"),
    ("Phòng Giáo dục và Đào tạo", "PGDĐT"),
    ("Phòng Y tế", "PYT"),
    ("Phòng Nông nghiệp và Phát triển nông thôn", "PNN"),
    ("Phòng Kinh tế và Hạ tầng", "PKTHT"),
    ("Thanh tra", "TTr"),
)
"""The specialised offices of a district (NĐ 37/2014) with their abbreviations."""


class Territory(NamedTuple):
    """One row of the real data."""

    gso_code: str
    tier: int
    territory_class: str
    name: str
    parent_gso_code: str


def read_table(name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file shipped in the data folder."""
    text = (files("vanban_bench") / "data" / name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())


@cache
def territories() -> tuple[Territory, ...]:
    """Return the real territories, in the order of their GSO codes within each tier."""
    return tuple(
        Territory(
            row["gso_code"], int(row["tier"]), row["kind"], row["name"], row["parent_gso_code"]
        )
        for row in read_table("vn-units-2024-09-01.csv")
    )


@cache
def children_of() -> dict[str, tuple[Territory, ...]]:
    """Return the territories by the GSO code of what they lie in ("" for the country)."""
    found: dict[str, list[Territory]] = {}
    for territory in territories():
        found.setdefault(territory.parent_gso_code, []).append(territory)
    return {code: tuple(below) for code, below in found.items()}


def form_2016(code: str) -> str:
    """Return the 13-character form of a level-1 to level-4 code of the new form.

    >>> form_2016("H22.31.20")
    '000.20.31.H22'
    """
    groups = code.split(".")
    first, second, third, fourth = groups + ["00", "00", "000"][len(groups) - 1 :]
    return f"{fourth}.{third}.{second}.{first}"


class UnitMaker:
    """Makes units with ascending stable numbers from 1, and remembers them by code."""

    def __init__(self) -> None:
        self.units: list[Unit] = []

    def make(
        self,
        code: str,
        name: str,
        tier: int,
        *,
        kind: str,
        parent: Unit | None,
        tags: tuple[str, ...] = (),
    ) -> Unit:
        """Add one unit, with both forms of its code."""
        unit = Unit(
            number=len(self.units) + 1,
            code=code,
            name=name,
            tier=tier,
            kind=kind,
            parent=None if parent is None else parent.number,
            aliases=(form_2016(code),),
            tags=tags,
            valid_from=OPEN_SINCE,
            code_synthesised="." in code,
        )
        self.units.append(unit)
        return unit

    def committee(self, territory: Territory, code: str, parent: Unit) -> Unit:
        """Add the people's committee of a territory: “Xã Lũng Cú” gives “UBND xã Lũng Cú”."""
        name = territory.name
        return self.make(
            code,
            f"UBND {name[0].lower()}{name[1:]}",
            territory.tier,
            kind="people-committee",
            parent=parent,
            tags=(territory.territory_class, f"gso:{territory.gso_code}"),
        )

    def centre(self) -> Unit:
        """Add the Government Office, the root, and the ministries and agencies below it."""
        rows = list(read_table("e-id-ministries.csv"))
        at = next(row for row in rows if row["e_id"] == CENTRE_CODE)
        root = self.make(CENTRE_CODE, at["name"], CENTRAL, kind=at["kind"], parent=None)
        for row in rows:
            if row is not at:
                self.make(row["e_id"], row["name"], CENTRAL, kind=row["kind"], parent=root)
        return root

    def provinces(self, root: Unit) -> dict[str, Unit]:
        """Add the 63 provinces; return them by GSO code."""
        codes = {row["gso_code"]: row["e_id"] for row in read_table("e-id-provinces.csv")}
        return {
            territory.gso_code: self.committee(territory, codes[territory.gso_code], root)
            for territory in children_of()[""]
        }

    def departments(self, province: Unit) -> None:
        """Add the specialised departments of a province."""
        for group, (name, short) in enumerate(DEPARTMENTS, 1):
            self.make(
                f"{province.code}.{group:02}",
                f"{name.removesuffix(' tỉnh')} {place_of(province)}",
                PROVINCE,
                kind="department",
                parent=province,
                tags=(f"abbreviation:{short}",),
            )

    def offices(self, district: Unit) -> None:
        """Add the specialised offices of a district."""
        for group, (name, short) in enumerate(OFFICES, 1):
            self.make(
                f"{district.code}.{group:02}",
                f"{name} {place_of(district)}",
                DISTRICT,
                kind="office",
                parent=district,
                tags=(f"abbreviation:{short}",),
            )

    def districts(self, province: Unit, gso_code: str) -> list[tuple[Unit, str]]:
        """Add the districts of a province; return them with their GSO codes."""
        return [
            (self.committee(territory, f"{province.code}.{group:02}", province), territory.gso_code)
            for group, territory in enumerate(children_of()[gso_code], DISTRICT_GROUP_FIRST)
        ]

    def communes(self, district: Unit, gso_code: str) -> list[Unit]:
        """Add the communes of a district."""
        return [
            self.committee(territory, f"{district.code}.{group:02}", district)
            for group, territory in enumerate(children_of().get(gso_code, ()), COMMUNE_GROUP_FIRST)
        ]


def place_of(committee: Unit) -> str:
    """Return what a people's committee is of: “UBND huyện Đồng Văn” gives “huyện Đồng Văn”."""
    return committee.name.removeprefix("UBND ")


def ha_giang_directory() -> list[Unit]:
    """Return the sample: centre, ministries, 63 provinces, and Hà Giang whole (447 units).

    Hà Giang has 20 departments, 11 districts with 12 offices each, and 193 communes.  The
    numbers are the same at every call.
    """
    maker = UnitMaker()
    province = maker.provinces(maker.centre())["02"]
    maker.departments(province)
    districts = maker.districts(province, "02")
    for district, _ in districts:
        maker.offices(district)
    for district, gso_code in districts:
        maker.communes(district, gso_code)
    return maker.units
