"""Makes the data of the reform of 1 July 2025 from the wheel of vietnamadminunits 1.0.4.

For maintainers; nothing imports it.  With the wheel at hand
(`pip download --no-deps vietnamadminunits==1.0.4`):

    python -m vanban_bench.workloads.extract_reform WHEEL FOLDER

writes `vn-units-2025-06-30.csv`, `vn-units-2025-07-01.csv`, `vn-successions-2025-07-01.csv`
and `LICENSE-vietnamadminunits` into the folder, the same bytes each time: UTF-8, LF, in the
order of tier and GSO code.  What is changed of the source: words of a class are written as
the law writes them ("Thị Xã Việt Yên" becomes "Thị xã Việt Yên"), and the class is read from
the name, for the column of the source is wrong in a few rows ("Phường 5" is no xã).
"""

from __future__ import annotations

import csv
import json
import sqlite3
import sys
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

PACKAGE: Final = "vietnamadminunits"
CLASSES: Final = (
    "Thành phố",
    "Thị trấn",
    "Thị xã",
    "Đặc khu",
    "Phường",
    "Huyện",
    "Quận",
    "Tỉnh",
    "Xã",
)
CENTRAL_CITIES: Final = frozenset(
    f"Thành phố {name}"
    for name in ("Hà Nội", "Huế", "Hải Phòng", "Đà Nẵng", "Cần Thơ", "Hồ Chí Minh")
)
UNIT_COLUMNS: Final = ("gso_code", "tier", "kind", "name", "parent_gso_code")

Row = tuple[str, int, str, str, str]


def tidy(name: str) -> str:
    """Return a name in NFC with its class as the law writes it.  Raises ValueError without one."""
    name = " ".join(unicodedata.normalize("NFC", name).split())
    for word in CLASSES:
        if name.lower().startswith(word.lower() + " "):
            return word + name[len(word) :]
    raise ValueError(f"no class of a territory in {name!r}")


def row(code: str, tier: int, name: str, parent: str, above: str = "") -> Row:
    """Return one row; `above` is the name of what the territory lies in."""
    name = tidy(name)
    word = next(word for word in CLASSES if name.startswith(word + " ")).lower()
    if word == "thành phố":
        if tier == 2:
            word += " trực thuộc trung ương"
        elif above in CENTRAL_CITIES:
            word += " thuộc thành phố trực thuộc trung ương"
        else:
            word += " thuộc tỉnh"
    return code, tier, word, name, parent


def units_before(rows: Iterable[dict[str, Any]]) -> set[Row]:
    """Return the tree of 30 June 2025; a district without communes has a row without a ward."""
    found = set()
    for each in rows:
        province, district = each["provinceCode"], each["districtCode"]
        found.add(row(province, 2, each["province"], ""))
        found.add(row(district, 3, each["district"], province, each["province"]))
        if each["ward"]:
            found.add(row(each["wardCode"], 4, each["ward"], district))
    return found


def units_after(rows: Iterable[dict[str, Any]]) -> set[Row]:
    """Return the tree of 1 July 2025."""
    found = set()
    for each in rows:
        found.add(row(each["provinceCode"], 2, each["province"], ""))
        found.add(row(each["wardCode"], 4, each["ward"], each["provinceCode"]))
    return found


def successions(
    before: Iterable[dict[str, Any]], after: Iterable[dict[str, Any]], converter: dict[str, Any]
) -> Iterator[tuple[str, str, int]]:
    """Yield (old code, new code, 1 for the default successor else 0), provinces and communes."""
    old: dict[str, str] = {}
    old_provinces: dict[str, str] = {}
    for each in before:
        key = f"{each['provinceKey']}_{each['districtKey']}_{each['wardKey'] or ''}"
        old[key] = each["wardCode"] or each["districtCode"]
        old_provinces[each["provinceKey"]] = each["provinceCode"]
    new: dict[tuple[str, str], str] = {}
    new_provinces: dict[str, str] = {}
    for each in after:
        new[each["provinceKey"], each["wardKey"]] = each["wardCode"]
        new_provinces[each["provinceKey"]] = each["provinceCode"]
    for province, keys in converter["DICT_PROVINCE"].items():
        for key in keys:
            yield old_provinces[key], new_provinces[province], 1
    for province, wards in converter["DICT_PROVINCE_WARD_NO_DIVIDED"].items():
        for ward, keys in wards.items():
            for key in keys:
                yield old[key], new[province, ward], 1
    for province, parts in converter["DICT_PROVINCE_WARD_DIVIDED"].items():
        for key, into in parts.items():
            for part in into:
                default = int(part["isDefaultNewWard"])
                yield old[key], new[province, part["newWardKey"]], default


def write(path: Path, columns: tuple[str, ...], rows: Iterable[tuple[str | int, ...]]) -> None:
    """Write rows as CSV: UTF-8, LF."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(columns)
        out.writerows(rows)


def main(wheel: Path, folder: Path) -> None:
    """Write the files of the reform from the wheel into the folder."""
    with zipfile.ZipFile(wheel) as parts:
        text = parts.read(f"{PACKAGE}/data/converter_2025.json")
        licence = parts.read(f"{PACKAGE}-1.0.4.dist-info/licenses/LICENSE")
        database = sqlite3.connect(":memory:")
        database.deserialize(parts.read(f"{PACKAGE}/data/dataset.db"))
    database.row_factory = sqlite3.Row
    before = [dict(each) for each in database.execute("SELECT * FROM admin_units_legacy")]
    after = [dict(each) for each in database.execute("SELECT * FROM admin_units")]
    database.close()
    for name, units in (("2025-06-30", units_before(before)), ("2025-07-01", units_after(after))):
        ordered = sorted(units, key=lambda each: (each[1], each[0]))
        write(folder / f"vn-units-{name}.csv", UNIT_COLUMNS, ordered)
    pairs = sorted(
        successions(before, after, json.loads(text)),
        key=lambda pair: (len(pair[0]), pair[0], -pair[2], pair[1]),
    )
    write(
        folder / "vn-successions-2025-07-01.csv", ("old_gso_code", "new_gso_code", "default"), pairs
    )
    (folder / "LICENSE-vietnamadminunits").write_bytes(licence.replace(b"\r\n", b"\n"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
