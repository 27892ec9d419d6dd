"""Writing units as a list that `router.directory.sheets` reads back without a difference."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from typing import Final

from router.directory.cells import guarded, joined
from router.model.instants import datetime_of
from router.model.units import Contact, DeliverySettings, Unit

EXPORT_COLUMNS: Final = (
    "number", "code", "name", "tier", "kind", "parent", "parent_number", "aliases", "tags",
    "valid_from", "valid_to", "successors", "code_synthesised", "contact_address",
    "contact_telephone", "contact_fax", "contact_email", "contact_website",
    "delivery_channel", "delivery_paper",
)  # fmt: skip
"""The columns of an export, in their order; `aliases` hold the GSO code too."""

BYTE_ORDER_MARK: Final = "\ufeff"
"""Begins the file: without it spreadsheets take UTF-8 for an 8-bit encoding."""


def export_csv(
    units: Iterable[Unit], write: Callable[[str], object], code_of: Callable[[int], str]
) -> int:
    """Write units as CSV (commas, UTF-8 with mark, lines ended by CR LF); return how many.

    `write` takes text to be stored in UTF-8, `code_of` gives the code of a parent by its
    stable number.  Cells that a spreadsheet could take for a formula get an apostrophe
    before them, which reading takes off.
    """
    write(BYTE_ORDER_MARK)
    lines = csv.writer(_Writing(write))
    lines.writerow(EXPORT_COLUMNS)
    count = 0
    for unit in units:
        lines.writerow(map(guarded, _cells(unit, code_of)))
        count += 1
    return count


class _Writing:
    """A file for `csv`, of nothing but a function."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self.write = write


def _cells(unit: Unit, code_of: Callable[[int], str]) -> tuple[str, ...]:
    contact = unit.contact or Contact()
    delivery = unit.delivery or DeliverySettings()
    return (
        str(unit.number),
        unit.code,
        unit.name,
        str(unit.tier),
        unit.kind,
        "" if unit.parent is None else code_of(unit.parent),
        "" if unit.parent is None else str(unit.parent),
        joined(unit.aliases, " "),
        joined(unit.tags, "; "),
        datetime_of(unit.valid_from).isoformat(),
        "" if unit.valid_to is None else datetime_of(unit.valid_to).isoformat(),
        " ".join(map(str, unit.successors)),
        "true" if unit.code_synthesised else "false",
        contact.address,
        contact.telephone,
        contact.fax,
        contact.email,
        contact.website,
        delivery.channel,
        "true" if delivery.paper else "false",
    )
