"""The sample province's policy, tried and put in force as docs/policy-sample.md says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from support.house import House, made

from router.client.signing import make_envelope
from router.engine import Engine
from router.errors import ForbiddenError
from router.model.answers import Outcome, Problem, Receipt
from router.model.documents import Document
from router.model.instants import VIETNAM_TIME, datetime_of, instant_of
from router.ports import ManualClock
from router.queue import MemoryDisk, MemoryStore
from vanban_bench.workloads.sample_directory import ha_giang_directory
from vanban_bench.workloads.sample_policy import province_policy_text
from vanban_bench.workloads.test_pki import TestPki


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    found = made(tmp_path_factory.mktemp("house"))
    text = province_policy_text()
    (found.home / "province.toml").write_bytes(text)
    (found.home / "rules.toml").write_bytes(text.partition(b"\n# Tests")[0] + b"\n")
    return found


def test_the_file_is_checked_without_mistakes(house: House) -> None:
    answer = house.run("policy", "check", "province.toml", "--data", "data", "--json")
    found = json.loads(answer.out)
    assert (answer.status, found["valid"], found["rules"]) == (0, True, 40), answer
    assert [one for one in found.get("findings", ()) if one["severity"] == "error"] == []


def test_all_its_tests_pass_in_the_sample_directory(house: House) -> None:
    answer = house.run("policy", "test", "province.toml", "--data", "data", "--json")
    found = json.loads(answer.out)
    assert [one["name"] for one in found["tests"] if not one["passed"]] == []
    assert (answer.status, found["valid"]) == (0, True)


def test_in_force_it_says_whom_a_commune_may_write_to(house: House) -> None:
    reason = ("--reason", "thử", "--yes", "--data", "data")
    assert house.run("policy", "activate", "rules.toml", *reason).status == 0
    answer = house.run("policy", "who-may-receive", "H22.31.20", "--data", "data", "--json")
    found = json.loads(answer.out)
    assert found["excluded"] > 0
    assert found["allowed"] > 20
    told = house.run("policy", "explain", "--rule", "no-skipping", "--data", "data")
    assert "Không gửi vượt cấp" in told.out


class Province:
    """An engine with the sample directory and its policy in force, on a day of June 2025."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.issued = 0
        pki = TestPki.load()
        units = {unit.code: unit for unit in ha_giang_directory()}
        engine.import_units(list(units.values()), actor="sổ")
        engine.trust_issuer(pki.ca_der, actor="sổ")
        self.signers = {}
        for code in ("H22", "H22.16", "H22.31", "H22.31.20"):
            self.signers[code] = pki.issue(units[code].number, code, units[code].name)
            engine.bind(code, self.signers[code].certificate_der, 0, actor="sổ")
        rules = province_policy_text().partition(b"\n# Tests")[0] + b"\n"
        engine.activate_policy(rules, actor="quản trị", reason="quy chế mẫu")

    def send(self, sender: str, recipients: str, **changes: Any) -> Outcome:
        self.issued += 1
        fields: dict[str, Any] = {
            "format": 1, "sender": sender, "document_id": f"{sender},{self.issued}",
            "number": f"{self.issued:02}", "notation": "UBND-VP", "document_type": "Công văn",
            "subject": "Về việc phối hợp", "recipients": recipients,
            "issued_at": datetime_of(self.engine.now_us()),
        }  # fmt: skip
        envelope = make_envelope(Document(**(fields | changes)), [self.signers[sender]])
        return self.engine.submit([envelope])[0]


@pytest.fixture(scope="module")
def province() -> Iterator[Province]:
    nine = instant_of(datetime(2025, 6, 25, 9, tzinfo=VIETNAM_TIME))
    with Engine.over(MemoryStore(MemoryDisk()), clock=ManualClock(nine)) as engine:
        yield Province(engine)


def test_a_commune_that_skips_its_district_is_told_the_rule(province: Province) -> None:
    refused = province.send("H22.31.20", "H22")
    assert isinstance(refused, Problem)
    assert refused.code == "policy.nobody_left"
    assert "no-skipping" in refused.detail
    with_copy = province.send("H22.31.20", "H22 | H22.31")
    assert isinstance(with_copy, Receipt)
    assert with_copy.effective == 3, "the provincial office gets a copy"


def test_a_letter_between_districts_waits_for_the_senders_district(province: Province) -> None:
    receipt = province.send("H22.31.20", "H22.32.20 | H22.31.21")
    assert isinstance(receipt, Receipt)
    assert (receipt.effective, receipt.held) == (1, 1)
    assert not province.engine.lease("H22.32.20", 10)
    (held,) = province.engine.holds("H22.31").holds
    with pytest.raises(ForbiddenError):
        province.engine.approve(held.hold, "H22.32", actor="Nguyễn Văn A")
    province.engine.approve(held.hold, "H22.31", actor="Nguyễn Văn A")
    (delivery,) = province.engine.lease("H22.32.20", 10)
    assert delivery.key == receipt.key


def test_only_the_committee_broadcasts(province: Province) -> None:
    communes = "descendants(H22) & tier(commune)"
    refused, sent = province.send("H22.16", communes), province.send("H22", communes)
    assert isinstance(refused, Problem)
    assert (refused.code, "50 nơi nhận" in refused.detail) == ("policy.forbidden", True)
    assert isinstance(sent, Receipt)
    assert sent.effective == 193


def test_an_internal_document_does_not_leave_the_province(province: Province) -> None:
    receipt = province.send("H22", "H26 | H22.31", marks=("Lưu hành nội bộ",))
    assert isinstance(receipt, Receipt)
    assert (receipt.effective, receipt.excluded, receipt.retention_years) == (1, 1, 5)
    assert not province.engine.lease("H26", 10)
