"""The sample has exactly the real units; the day is what it says; everything resolves."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import cache

import pytest
from support.units import NOW, directory_of

from router.directory import Directory, Resolution, ResolveItem
from router.model.documents import OnBadRecipient, Urgency
from router.model.instants import instant_of
from router.model.units import Unit, code_form, propose_2020
from vanban_bench.workloads.day import DAY, FAULTS, plan_day
from vanban_bench.workloads.national import national_directory
from vanban_bench.workloads.paper import KINDS
from vanban_bench.workloads.sample_directory import ha_giang_directory, territories


@cache
def sample() -> Directory:
    return directory_of(ha_giang_directory())


def count(selector: str) -> int:
    (answer,) = sample().resolve_batch([ResolveItem(selector, NOW)])
    assert isinstance(answer, Resolution), answer
    return answer.audience.size


def test_the_sample_counts_as_the_real_country_and_ha_giang() -> None:
    assert count("tier(province) & kind(people-committee)") == 63
    assert count("children(H22) & tier(district)") == 11
    assert count("descendants(H22) & tier(commune)") == 193
    assert count("children(H22) & kind(department)") == 20
    assert count("children(H22.31) & kind(office)") == 12
    assert count("tier(central)") == 28
    assert count("all") == 447


def test_the_communes_are_of_the_real_classes() -> None:
    communes = [unit for unit in ha_giang_directory() if unit.tier == 4]
    classes = Counter(unit.tags[0] for unit in communes)
    assert classes == {"xã": 175, "thị trấn": 13, "phường": 5}
    real = {place.gso_code: place.name for place in territories()}
    for unit in communes:
        gso_code = unit.tags[1].removeprefix("gso:")
        assert unit.name.lower() == f"UBND {real[gso_code]}".lower()


def test_every_unit_of_the_sample_answers_to_both_forms_of_its_code() -> None:
    directory = sample()
    for unit in ha_giang_directory():
        (old,) = unit.aliases
        assert (code_form(unit.code), code_form(old)) == ("2020", "2016")
        assert propose_2020(old) == unit.code
        assert directory.find(old, NOW) == directory.find(unit.code, NOW) == unit
        assert unit.code_synthesised == ("." in unit.code)
        assert unicodedata.is_normalized("NFC", unit.name)


def test_the_sample_is_the_same_at_every_call() -> None:
    assert ha_giang_directory() == ha_giang_directory()
    assert [unit.number for unit in ha_giang_directory()] == list(range(1, 448))


def test_the_national_directory_is_the_real_tree_filled_to_its_size() -> None:
    units = national_directory(7)
    assert len(units) == 123_265
    committees = Counter(unit.tier for unit in units if unit.kind == "people-committee")
    assert committees == {2: 63, 3: 699, 4: 10_542}
    assert units == national_directory(7)
    assert units != national_directory(8)
    directory = directory_of(units)
    snapshot = directory.snapshot(NOW)
    assert len(snapshot) == 123_265
    (answer,) = directory.resolve_batch([ResolveItem("tier(commune) - descendants(H22)", NOW)])
    assert isinstance(answer, Resolution)
    below = _below(units, "H22")
    expected = sum(unit.tier == 4 and unit.number not in below for unit in units)
    assert answer.audience.size == expected


def _below(units: list[Unit], code: str) -> set[int]:
    found = {unit.number for unit in units if unit.code == code}
    for unit in units:
        if unit.parent in found:
            found.add(unit.number)
    return found


@pytest.mark.parametrize("size", [1, 50, 1_000, 11_332, 11_400, 25_000])
def test_a_national_directory_of_any_size_is_sound(size: int) -> None:
    units = national_directory(1, size)
    assert len(units) == size
    assert len(directory_of(units)) == size


def test_sizes_without_room_are_refused() -> None:
    for size in (0, 2_000_000):
        with pytest.raises(ValueError, match="unit"):
            national_directory(1, size)


def test_the_day_is_a_heavy_one_of_3300_documents_with_the_known_handful() -> None:
    plan = plan_day(ha_giang_directory(), 1)
    assert len(plan.good) == 3_300
    assert 35 <= plan.mean_fan_out() <= 42
    handful = {outcome: count for count, outcome in FAULTS.values()}
    assert plan.outcomes() == {"accepted": 3_300, **handful}
    assert plan.deliveries() == sum(plan.inboxes().values())
    assert {planned.document.urgency for planned in plan.good} == set(Urgency)
    assert {planned.document.document_type for planned in plan.good} == {k.name for k in KINDS}
    assert plan == plan_day(ha_giang_directory(), 1)
    assert plan != plan_day(ha_giang_directory(), 2)


def test_the_days_documents_have_the_form_of_real_ones() -> None:
    plan = plan_day(ha_giang_directory(), 3)
    seen: dict[tuple[int, str], int] = {}
    ids = set()
    attached = 0
    for planned in plan.good:
        document = planned.document
        series = planned.sender.number, document.notation
        number = int(document.number)
        assert number == seen.get(series, 4) + 1
        seen[series] = number
        assert document.document_id == (
            f"{document.sender},2024/09/04,{document.number}/{document.notation}"
        )
        ids.add((planned.sender.number, document.document_id))
        assert document.issued_at.date() == DAY
        assert document.issued_at.utcoffset() is not None
        assert "07:30" <= f"{document.issued_at:%H:%M}" < "17:00"
        assert document.on_bad_recipient is OnBadRecipient.REFUSE
        assert unicodedata.is_normalized("NFC", document.subject)
        assert sample().find(document.sender, NOW) == planned.sender
        attached += bool(planned.contents)
        assert [content.sha256 for content in planned.contents] == [
            attachment.sha256 for attachment in document.attachments
        ]
    assert len(ids) == 3_300
    assert any(document_id.endswith("05/QĐ-UBND") for _, document_id in ids)
    assert 0.2 < attached / 3_300 < 0.3
    times = [planned.document.issued_at for planned in plan.good]
    assert times == sorted(times)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_document_of_the_day_reaches_exactly_whom_plain_sets_say(seed: int) -> None:
    plan = plan_day(ha_giang_directory(), seed)
    directory = sample()
    items = [
        ResolveItem(planned.document.recipients or "", instant_of(planned.document.issued_at))
        for planned in plan.documents
    ]
    for planned, answer in zip(plan.documents, directory.resolve_batch(items), strict=True):
        if planned.outcome == "accepted":
            assert isinstance(answer, Resolution), (planned, answer)
            got = set(answer.snapshot.hierarchy.numbers(answer.audience))
            assert got == planned.recipients, planned.document.recipients
        elif planned.outcome in ("recipient.unknown", "audience.empty"):
            assert not isinstance(answer, Resolution)
            assert answer.code == planned.outcome


def test_copies_come_after_their_originals() -> None:
    for seed in range(5):
        plan = plan_day(ha_giang_directory(), seed, documents=40)
        first: dict[str, str] = {}
        for planned in plan.documents:
            known = first.setdefault(planned.document.document_id, planned.fault)
            if planned.fault in ("repeat", "other-content"):
                assert known == ""
