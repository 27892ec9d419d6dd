"""The law's floor over HTTP and on the disk, under a policy that would rather not have it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from support.daemon import Town, found
from support.office import bytes_on_disk

from router.client import Client
from router.client.signing import make_envelope
from router.engine import Engine
from router.errors import VanbanError
from router.model.documents import Attachment, Document, Envelope, Urgency
from router.model.instants import VIETNAM_TIME
from router.server import BackgroundServer

SUBJECT = "Noi-dung-khong-duoc-luu-51c9"
LOOSE = """format = 1
name = "without floor, with evidence of every refusal"
default = "allow"
without_floor = "chỉ để thử nghiệm trong bộ kiểm thử"

[[rules]]
name = "evidence"
effect = { quarantine = true }

[[rules]]
name = "none-to-mèo-vạc"
recipients = "H22.32"
effect = { forbid = "document", reason = "thử" }

[[rules]]
name = "invitations"
documents = { types = ["Giấy mời"] }
effect = { admit_unsigned = true }

[[rules]]
name = "slow"
effect = { lane = "normal" }
"""


class House(NamedTuple):
    engine: Engine
    town: Town
    url: str
    data: Path

    def raw(self, *, signed_by: tuple[str, ...] = ("H22",), **changes: Any) -> bytes:
        self.town.issued += 1
        fields: dict[str, Any] = {
            "format": 1, "sender": "H22", "document_id": f"H22,{self.town.issued}",
            "number": f"{self.town.issued:02}", "notation": "UBND-VP",
            "document_type": "Công văn", "subject": SUBJECT, "recipients": "H22.31",
            "issued_at": datetime.now(VIETNAM_TIME).replace(microsecond=0),
        }  # fmt: skip
        signers = [self.town.signers[code] for code in signed_by]
        return msgspec.json.encode(make_envelope(Document(**(fields | changes)), signers))

    def refusal(self, raw: bytes, unit: str = "H22") -> str:
        with Client(self.url, self.town.tokens[unit]) as client:
            with pytest.raises(VanbanError) as caught:
                client.submit(raw)
            assert SUBJECT not in repr(caught.value.facts) + str(caught.value)
            return caught.value.code


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    data = tmp_path / "data"
    with Engine.open(data) as engine:
        town = found(engine)
        engine.activate_policy(LOOSE.encode(), actor="thử", reason="bộ kiểm thử")
        with BackgroundServer(engine) as server:
            yield House(engine, town, server.base_url, data)


SECRETS = [
    {"marks": ("Mật",)},
    {"marks": ("LƯU HÀNH NỘI BỘ", "TỐI MẬT")},
    {"document_type": "Báo cáo mật"},
    {"subject": f"[TUYỆT MẬT] {SUBJECT}"},
    {"attachments": (Attachment("Phụ lục (Mật).pdf", "application/pdf", 1, "0" * 64),)},
    {"marks": ("Mật",), "document_type": "Giấy mời", "signed_by": ()},
    {"marks": ("Mật",), "recipients": "H22.32"},
]


def test_a_state_secret_leaves_nothing_behind_whatever_the_policy_says(house: House) -> None:
    for changes in SECRETS:
        assert house.refusal(house.raw(**changes)) == "document.secret"
    assert house.engine.quarantined() == ()
    house.engine.close()
    stored = bytes_on_disk(house.data)
    assert SUBJECT.encode() not in stored
    assert "Phụ lục (Mật)".encode() not in stored


def test_what_the_policy_refuses_does_leave_evidence(house: House) -> None:
    """So that the test above says something: the very same document without its mark."""
    raw = house.raw(recipients="H22.32")
    assert house.refusal(raw) == "policy.forbidden"
    (kept,) = house.engine.quarantined()
    assert (kept.rule, kept.envelope) == ("none-to-mèo-vạc", raw)


def test_the_senders_identity_is_not_the_policys_to_decide(house: House) -> None:
    assert house.refusal(house.raw(signed_by=("H22.31",))) == "sender.mismatch"
    assert house.refusal(house.raw(), unit="H22.31") == "sender.mismatch"
    assert house.refusal(house.raw(sender="H99")) == "sender.unknown"
    assert house.refusal(house.raw(signed_by=())) == "signature.missing"


def test_circulation_marks_reach_the_recipient_byte_by_byte(house: House) -> None:
    odd = unicodedata.normalize("NFD", " Lưu hành nội bộ")
    raw = house.raw(marks=("XEM XONG TRẢ LẠI", odd, "LƯU HÀNH NỘI BỘ"))
    with Client(house.url, house.town.tokens["H22"]) as client:
        client.submit(raw)
    with Client(house.url, house.town.tokens["H22.31"]) as client:
        (delivery,) = client.lease()
    assert delivery.payload == msgspec.json.decode(raw, type=Envelope).payload
    document = msgspec.json.decode(delivery.payload, type=Document)
    assert document.marks == ("XEM XONG TRẢ LẠI", odd, "LƯU HÀNH NỘI BỘ")


def test_an_unsigned_invitation_is_marked_for_information_only(house: House) -> None:
    unsigned = house.raw(document_type="Giấy mời", signed_by=())
    with Client(house.url, house.town.tokens["H22"]) as client:
        assert client.submit(unsigned).for_information
        assert not client.submit(house.raw(document_type="Giấy mời")).for_information
    with Client(house.url, house.town.tokens["H22.31"]) as client:
        told = {len(one.signatures): one.for_information for one in client.lease()}
    assert told == {0: True, 1: False}


def test_lanes_are_not_lowered_and_come_first(house: House) -> None:
    with Client(house.url, house.town.tokens["H22"]) as client:
        slow = client.submit(house.raw())
        fast = client.submit(house.raw(urgency=Urgency.FLASH))
    assert (slow.lane, fast.lane) == ("normal", "flash")
    with Client(house.url, house.town.tokens["H22.31"]) as client:
        assert [one.key for one in client.lease()] == [fast.key, slow.key]


def test_rolled_back_to_the_shipped_policy_the_floor_is_there_again(house: House) -> None:
    late = datetime.now(VIETNAM_TIME).replace(microsecond=0) - timedelta(days=30)
    with Client(house.url, house.town.tokens["H22"]) as client:
        without = client.submit(house.raw(issued_at=late))
        assert (without.deadline, without.alerts) == ("", ())
        house.engine.rollback_policy(0, actor="thử", reason="bộ kiểm thử")
        within = client.submit(house.raw(issued_at=late))
    said = {alert.code for alert in within.alerts}
    assert within.deadline or said == {"calendar.year_missing"}
    assert said & {"document.sent_late", "calendar.year_missing"}
