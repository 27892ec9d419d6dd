"""The national directory: every real province, district and commune, and organs up to a size.

The real territories are 11,332 units with centre and ministries.  Departments and offices
follow, then what a directory of 123,265 agencies holds besides: subordinate bodies of
departments, schools, clinics and offices of communes.
"""

from __future__ import annotations

import random
from typing import Final

from router.model.units import Unit
from vanban_bench.workloads.sample_directory import COMMUNE, PROVINCE, UnitMaker, place_of

NATIONAL_SIZE: Final = 123_265
"""Agencies in the directory of the national axis, as synchronised in July 2026."""

SUBORDINATES: Final = (
    ("Chi cục", "sub-department"),
    ("Trung tâm", "service-centre"),
    ("Ban quản lý dự án", "service-centre"),
)
INSTITUTIONS: Final = (
    ("Trạm Y tế", "clinic"),
    ("Trường Tiểu học", "school"),
    ("Trường Mầm non", "school"),
    ("Trường Trung học cơ sở", "school"),
    ("Văn phòng", "commune-office"),
    ("Ban Chỉ huy Quân sự", "commune-office"),
    ("Bộ phận Tiếp nhận và Trả kết quả", "commune-office"),
    ("Trung tâm Văn hóa", "service-centre"),
    ("Trường Trung học phổ thông", "school"),
    ("Trạm Khuyến nông", "service-centre"),
)


def national_directory(seed: int, size: int = NATIONAL_SIZE) -> list[Unit]:
    """Return `size` units, the same for the same seed and size; parents stand before children.

    The real tree comes first, then departments, offices, subordinate bodies and the
    institutions of communes in seeded order.  A size below the real tree takes whole
    provinces in the order of their GSO codes as far as they go.  Raises ValueError for a
    size below 1 or above what the codes have room for.
    """
    if size < 1:
        raise ValueError("a directory has at least one unit")
    maker = UnitMaker()
    provinces = maker.provinces(maker.centre())
    districts: list[Unit] = []
    communes: list[Unit] = []
    for gso_code, province in provinces.items():
        for district, district_gso_code in maker.districts(province, gso_code):
            districts.append(district)
            communes += maker.communes(district, district_gso_code)
        if len(maker.units) >= size:
            return maker.units[:size]
    for province in provinces.values():
        maker.departments(province)
    for district in districts:
        maker.offices(district)
    if len(maker.units) < size:
        fill(maker, communes, random.Random(seed), size)
    if len(maker.units) < size:
        raise ValueError(f"there is room for {len(maker.units)} units, not for {size}")
    return maker.units[:size]


def fill(maker: UnitMaker, communes: list[Unit], chance: random.Random, size: int) -> None:
    """Add subordinate bodies of departments, then institutions of communes, up to a size."""
    departments = [unit for unit in maker.units if unit.kind == "department"]
    for department in departments:
        for group in range(1, chance.randint(3, 10) + 1):
            name, kind = chance.choice(SUBORDINATES)
            maker.make(
                f"{department.code}.{group:02}",
                f"{name} số {group} thuộc {department.name}",
                PROVINCE,
                kind=kind,
                parent=department,
            )
    for layer in range(1, 100):
        order = communes.copy()
        chance.shuffle(order)
        for commune in order:
            if len(maker.units) >= size:
                return
            name, kind = INSTITUTIONS[(layer - 1) % len(INSTITUTIONS)]
            again = (layer - 1) // len(INSTITUTIONS)
            maker.make(
                f"{commune.code}.{layer:03}",
                f"{name}{f' số {again + 1}' if again else ''} {place_of(commune)}",
                COMMUNE,
                kind=kind,
                parent=commune,
            )
