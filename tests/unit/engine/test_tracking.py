"""The sender sees who has it; the why is told to whom it concerns, and to nobody else."""

from __future__ import annotations

import msgspec
import pytest
from support.office import COMMITTEE, DONG_VAN, NOW_US, PROVINCE, Office, error_of

from router import limits
from router.model.instants import SECOND_US, datetime_of, show_instant
from router.model.units import Unit

COMMUNE, OTHER = "H22.31.20", "H22.31.21"


def test_states_are_counted_by_tier_and_listed_in_directory_order() -> None:
    office = Office()
    receipt = office.send()
    (taken,) = office.lease(COMMUNE)
    office.engine.acknowledge(COMMUNE, [taken.delivery])
    (returned,) = office.lease(OTHER)
    office.engine.refuse(OTHER, [returned.delivery], "Gửi nhầm")
    office.lease("H22.31", lease_s=10)
    tracking = office.engine.track(receipt.key, unit="H22")
    assert tracking.recipients == 7
    assert tracking.by_tier == {
        "province": {"queued": 2},
        "district": {"queued": 1, "leased": 1},
        "commune": {"queued": 1, "delivered": 1, "refused": 1},
    }
    assert tracking.states == {"queued": 4, "leased": 1, "delivered": 1, "refused": 1}
    assert len({one.address for one in tracking.deliveries}) == 7
    assert [one.tier for one in tracking.deliveries] == ["province"] * 2 + ["district"] * 2 + [
        "commune"
    ] * 3
    office.clock.advance(10)
    assert "leased" not in office.engine.track(receipt.key).states


def test_pages_cover_each_delivery_once() -> None:
    office = Office()
    key = office.send().key
    seen, page = [], 0
    while True:
        tracking = office.engine.track(key, limit=3, page=page)
        assert tracking.recipients == sum(tracking.states.values()) == 7
        seen.append([one.address for one in tracking.deliveries])
        page = tracking.next_page
        if not page:
            break
    assert [len(part) for part in seen] == [3, 3, 1]
    listed = [one.address for one in office.engine.track(key).deliveries]
    assert [code for part in seen for code in part] == listed
    assert office.engine.track(key, limit=0).deliveries == ()
    assert office.engine.track(key, limit=3, page=9).deliveries == ()
    assert office.engine.track(key, limit=7).next_page == 0


@pytest.mark.parametrize(("limit", "page"), [(-1, 0), (limits.TRACKING_PAGE_MAX + 1, 0), (10, -1)])
def test_pages_outside_their_range_are_refused(limit: int, page: int) -> None:
    office = Office()
    key = office.send().key
    place = error_of(lambda: office.engine.track(key, limit=limit, page=page))
    assert place == ("field.invalid", "$.limit")


def test_only_the_sender_or_its_holder_may_track() -> None:
    office = Office()
    key = office.send(COMMUNE, recipients="H22.31").key
    assert office.engine.track(key, unit=COMMUNE).sender == COMMUNE
    for other in ("H22.31", "H22", OTHER):
        assert error_of(lambda who=other: office.engine.track(key, unit=who)) == (
            "document.not_found", "",
        )  # fmt: skip
    office.close_commune(COMMUNE, [OTHER])
    assert office.engine.track(key, unit=OTHER).sender == COMMUNE


@pytest.mark.parametrize(
    "document", ["", "x", "00" * 16, "00" * 17, "H22|", "H22|khác", "H22.31|văn bản/Đ 05"]
)
def test_what_is_no_document_is_not_found(document: str) -> None:
    office = Office()
    office.send(document_id="văn bản/Đ 05")
    assert error_of(lambda: office.engine.track(document)) == ("document.not_found", "")
    assert error_of(lambda: office.engine.explain(document, "H22")) == ("document.not_found", "")


@pytest.mark.parametrize("document_id", ["H22,2024/09/04,05/QĐ-UBND", "a|b", "Ủy ban/Đảng | 1"])
def test_a_document_is_found_by_its_senders_code_and_its_id(document_id: str) -> None:
    office = Office()
    receipt = office.send(document_id=document_id)
    for code in ("H22", "h22", "000.00.00.H22"):
        assert office.engine.track(f"{code}|{document_id}", unit="H22").key == receipt.key
    assert error_of(lambda: office.engine.track(f"H99|{document_id}"))[0] == "unit.not_found"


def test_it_says_why_a_unit_receives_and_why_another_does_not() -> None:
    office = Office()
    key = office.send(recipients="descendants(H22) - H22.31.21").key
    got = office.engine.explain(key, COMMUNE, viewer="H22")
    assert got.receives
    assert "receives it" in got.summary
    assert "UBND xã Lũng Cú" in got.summary_vi
    assert got.reasons[-1]["part"] == "policy"
    assert any(step["matched"] for step in got.reasons[:-1])
    left_out = office.engine.explain(key, OTHER, viewer="H22")
    assert not left_out.receives
    assert "does not receive it" in left_out.summary
    assert "excluded" in str(left_out.reasons)


def test_recipients_may_ask_about_themselves_and_others_learn_nothing() -> None:
    office = Office()
    key = office.send(recipients=COMMUNE).key
    explain = office.engine.explain
    assert explain(key, COMMUNE, viewer=COMMUNE).receives
    not_found = ("document.not_found", "")
    assert error_of(lambda: explain(key, OTHER, viewer=OTHER)) == not_found
    assert error_of(lambda: explain(key, COMMUNE, viewer=OTHER)) == not_found
    assert error_of(lambda: explain(key, "H22", viewer=COMMUNE)) == not_found
    assert not explain(key, "H22", viewer="H22").receives
    assert error_of(lambda: explain(key, "H99", viewer="H22"))[0] == "unit.not_found"


def test_a_unit_that_did_not_exist_at_the_issue_time_is_told_so() -> None:
    office = Office()
    key = office.send().key
    new = Unit(
        number=20, code="H22.33", name="UBND huyện mới", tier=3, kind=COMMITTEE,
        parent=PROVINCE, valid_from=NOW_US + 1,
    )  # fmt: skip
    office.engine.import_units([new])
    office.clock.advance(1)
    answer = office.engine.explain(key, "H22.33", viewer="H22")
    assert not answer.receives
    assert "did not exist at the issue time 2024-09-04T10:00:00+07:00" in answer.summary
    assert answer.reasons == ()
    assert office.send().effective == 8


def test_old_documents_are_tracked_right_after_changes_and_reopenings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "SNAPSHOTS_CACHED_MAX", 8)
    office = Office()
    keys = []
    for step in range(limits.SNAPSHOTS_CACHED_MAX + 4):
        receipt = office.send(recipients="descendants(H22.31)")
        keys.append((receipt.key, receipt.snapshot, receipt.effective))
        new = Unit(
            30 + step, f"H22.31.{40 + step}", f"UBND xã {step}", 4, COMMITTEE, parent=DONG_VAN
        )
        opened = msgspec.structs.replace(new, valid_from=office.clock.now_us())
        office.engine.import_units([opened])
        office.clock.advance(60)
    assert [(snapshot, size) for _, snapshot, size in keys] == [
        (1 + step, 2 + step) for step in range(len(keys))
    ]
    before = [office.engine.track(key) for key, _, _ in keys]
    assert len(office.lease(COMMUNE)) == len(keys)
    office.reopen()
    office.clock.advance(3_600)
    assert [office.engine.track(key).recipients for key, _, _ in keys] == [
        tracking.recipients for tracking in before
    ]
    for (key, _, size), tracking in zip(keys, before, strict=True):
        assert tracking.recipients == size
        assert [one.address for one in tracking.deliveries][:2] == [COMMUNE, OTHER]
        assert office.engine.explain(key, "H22.31.40", viewer="H22").receives == (size > 2)
    assert office.send(recipients="descendants(H22.31)").snapshot == len(keys) + 1


def test_time_to_live_counts_from_acceptance_and_its_end_is_seen_without_a_lease() -> None:
    office = Office()
    issued = datetime_of(NOW_US - 3_600 * SECOND_US)
    key = office.send(recipients="H22.31.20 | H22.31.21", issued_at=issued, time_to_live_s=60).key
    office.clock.advance(59)
    office.lease(COMMUNE, lease_s=10)
    assert office.engine.track(key).states == {"queued": 1, "leased": 1}
    office.clock.advance(1)
    tracking = office.engine.track(key)
    assert tracking.states == {"leased": 1, "expired": 1}
    ended = {one.address: one for one in tracking.deliveries}[OTHER]
    assert (ended.state, ended.since) == ("expired", show_instant(NOW_US + 60 * SECOND_US))
    office.clock.advance(9)
    assert office.engine.track(key).by_tier == {"commune": {"expired": 2}}


def test_strangers_cannot_tell_an_unknown_unit_from_an_unknown_document() -> None:
    office = Office()
    key = office.send(recipients=COMMUNE).key
    for document in (key, "00" * 16):
        for asked in ("H99", OTHER, COMMUNE):
            place = error_of(lambda d=document, a=asked: office.engine.explain(d, a, viewer=OTHER))
            assert place == ("document.not_found", "")
    assert error_of(lambda: office.engine.explain(key, "H99", viewer="H22"))[0] == "unit.not_found"


def test_who_answers_for_a_unit_today_sees_what_it_sent_and_got_and_the_closed_unit_nothing() -> (
    None
):
    office = Office()
    got = office.send(recipients=COMMUNE).key
    sent = office.send(COMMUNE, recipients="H22.31").key
    office.close_commune(COMMUNE, [OTHER])
    assert office.engine.explain(got, COMMUNE, viewer=OTHER).receives
    assert office.engine.track(sent, unit=OTHER).key == sent
    not_found = ("document.not_found", "")
    assert error_of(lambda: office.engine.explain(got, COMMUNE, viewer=COMMUNE)) == not_found
    assert error_of(lambda: office.engine.track(sent, unit=COMMUNE)) == not_found


def test_a_code_finds_the_documents_of_all_who_bore_it() -> None:
    office = Office()
    old = office.send(COMMUNE, recipients="H22.31", document_id="1").key
    both = office.send(COMMUNE, recipients="H22.31", document_id="2").key
    office.close_commune(COMMUNE, [OTHER])
    heir = Unit(40, COMMUNE, "UBND xã mới", 4, COMMITTEE, parent=DONG_VAN)
    opened = msgspec.structs.replace(heir, valid_from=office.clock.now_us())
    office.engine.import_units([opened], actor="sổ")
    signer = office.signers[COMMUNE]
    office.engine.bind(heir.number, signer.certificate_der, opened.valid_from, actor="sổ")
    new = office.send(COMMUNE, recipients="H22.31", document_id="2").key
    assert new != both
    track = office.engine.track
    assert track(f"{COMMUNE}|1").key == track(f"{COMMUNE}|1", unit=OTHER).key == old
    assert track(f"{COMMUNE}|2").key == track(f"{COMMUNE}|2", unit=heir.number).key == new
    assert track(f"{COMMUNE}|2", unit=OTHER).key == both
    not_found = ("document.not_found", "")
    assert error_of(lambda: track(f"{COMMUNE}|1", unit=heir.number)) == not_found
    assert office.engine.explain(f"{COMMUNE}|2", "H22.31", viewer=OTHER).document == both
