"""Verdicts as they are shown: whole, in words, from what is stored; and of what nobody stores."""

from __future__ import annotations

import msgspec
import pytest
from support.office import SECRET_SUBJECT, Office, error_of
from support.undecided import undecided

from router import limits
from router.messages.verdicts import lines_of, versions_of
from router.model.answers import Principal
from router.model.verdicts import VerdictShown


def test_a_stored_verdict_is_whole_and_in_words() -> None:
    office = Office()
    receipt = office.send("H22.31", "H22")
    office.clock.advance(86_400)
    shown = office.engine.verdict(receipt.key)
    assert (shown.status, shown.key, shown.sender) == ("valid", receipt.key, "H22.31")
    assert (shown.judged_for, shown.decided_at) == (receipt.accepted_at, receipt.accepted_at)
    (signature,) = shown.signatures
    assert [unit.code for unit in signature.units] == ["H22.31"]
    assert signature.chain[0].der == office.signers["H22.31"].certificate_der
    assert (signature.signed_at, signature.signed_at_source) == (receipt.accepted_at, "receipt")
    assert shown.words == "The signature is good, judged for 2024-09-04 10:00:00 +07:00."
    assert shown.words_vi == "Chữ ký số hợp lệ, xét tại 2024-09-04 10:00:00 +07:00."
    english = "\n".join(lines_of(signature, "en"))
    assert "speaks for UBND huyện Đồng Văn (H22.31)" in english
    assert "signing time 2024-09-04 10:00:00 +07:00: the time of receipt" in english
    assert "thay mặt UBND huyện Đồng Văn (H22.31)" in "\n".join(lines_of(signature, "vi"))
    assert versions_of(shown, "en").startswith("trust version ")
    assert SECRET_SUBJECT not in str(shown)
    assert office.reopen().verdict(f"H22.31|{receipt.document_id}") == shown


def test_a_verdict_stays_whole_when_trust_ends_and_after_a_restart() -> None:
    office = Office()
    receipt = office.send("H22.31", "H22")
    shown = office.engine.verdict(receipt.key)
    assert msgspec.json.decode(msgspec.json.encode(shown), type=VerdictShown) == shown
    assert office.reopen().verdict(receipt.key) == shown
    kept = office.engine._rooms.signers.all()
    office.send("H22.31", "H22")
    assert office.engine._rooms.signers.all() == kept  # once each


def test_an_unsigned_document_says_so() -> None:
    from support.policies import in_force

    office = Office()
    in_force(
        office,
        'default = "allow"\n[[rules]]\nname = "free"\neffect = { admit_unsigned = true }\n',
    )
    receipt = office.send("H22.31", "H22", signers=[])
    assert office.engine.verdict(receipt.key).status == "unsigned"


def test_a_document_that_waits_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = undecided(monkeypatch)
    office = Office()
    receipt = office.send("H22.31", "tier(commune)")
    shown = office.engine.verdict(receipt.key)
    assert (shown.status, shown.waited, shown.waiting) == ("indeterminate", "waiting", 3)
    assert shown.waits_until == "2024-09-11T10:00:00+07:00"
    assert "the list of revoked certificates of" in shown.words
    assert "danh sách chứng thư bị thu hồi (CRL)" in shown.words_vi
    assert shown.decided_at == ""
    office.clock.advance(limits.VERDICT_RETRY_S_MAX + 1)
    verifier.decided = "certificate.untrusted"
    office.engine.tick()
    late = office.engine.verdict(receipt.key)
    assert (late.status, late.waited, late.code) == ("invalid", "invalid", "certificate.untrusted")
    assert (late.waiting, late.judged_for) == (0, receipt.accepted_at)
    assert late.decided_at == "2024-09-04T10:05:01+07:00"
    assert late.reason
    assert late.remedy_vi
    assert late.words.endswith("delivered to nobody.")
    assert len(late.signatures) == 1
    assert office.reopen().verdict(receipt.key) == late


def test_a_document_that_expired_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    undecided(monkeypatch)
    office = Office()
    receipt = office.send("H22.31", "tier(commune)")
    office.clock.advance(limits.VERDICT_WAIT_S_MAX + 1)
    while office.engine.tick():
        pass
    shown = office.engine.verdict(receipt.key)
    assert (shown.status, shown.waited) == ("indeterminate", "expired")
    assert shown.words.startswith("Nothing was decided before 2024-09-11 10:00:00 +07:00")


def test_a_late_good_verdict_keeps_its_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = undecided(monkeypatch)
    office = Office()
    receipt = office.send("H22.31", "tier(commune)")
    assert office.engine._rooms.signers.all() == []  # a stranger's would fill the room
    verifier.decided = "valid"
    office.clock.advance(limits.VERDICT_RETRY_S_MAX + 1)
    office.engine.tick()
    shown = office.engine.verdict(receipt.key)
    assert (shown.status, shown.waited) == ("valid", "valid")
    assert office.engine._rooms.signers.all() != []


def test_verifying_stores_nothing_and_tells_each_apart() -> None:
    office = Office()
    good = office.envelope(sender="H22.31", recipients="H22")
    other = msgspec.json.decode(office.envelope(sender="H22", recipients="all"))
    broken = msgspec.json.decode(good) | {"payload": other["payload"]}
    unsigned = office.envelope(sender="H22.31", recipients="H22", signers=[])
    before = office.stored()
    found = office.engine.verify([good, msgspec.json.encode(broken), b"{", unsigned])
    assert [one.status for one in found] == ["valid", "invalid", "unreadable", "unsigned"]
    assert found[0].sender == "H22.31"
    assert found[0].judged_for == "2024-09-04T10:00:00+07:00"
    assert (found[1].code, found[1].path) == ("signature.invalid", "$.signatures[0].signature")
    assert found[1].words.startswith("Not good: ")
    assert found[2].code == "json.malformed"
    assert office.stored() == before
    assert office.engine.verify([]) == []


def test_what_is_remembered_of_signers_is_bounded_and_told() -> None:
    office = Office()
    office.send("H22.31", "H22")
    office.send("H22.31", "H22")
    told = office.engine.counters()["verification"]
    assert isinstance(told, dict)
    assert (told["paths"], told["signers"], told["cold_waiting"]) == (1, 1, 0)
    assert 0 < told["bytes"] < told["bytes_max"]


def test_too_many_to_verify_are_refused() -> None:
    office = Office()
    many = [b"{}"] * (limits.VERIFY_DOCUMENTS_MAX + 1)
    assert error_of(lambda: office.engine.verify(many))[0] == "batch.too_large"


def test_only_who_reads_the_sender_sees_its_verdicts() -> None:
    office = Office()
    receipt = office.send("H22.31", "H22.32")
    assert office.engine.verdict(receipt.key, unit="H22.31").status == "valid"
    error = error_of(lambda: office.engine.verdict(receipt.key, unit="H22.32"))
    assert error[0] == "document.not_found"
    limited = office.engine.seat(Principal("t", "n", operator=True, limited=True))
    assert error_of(lambda: limited.verdict(receipt.key))[0] == "document.not_found"
    assert limited.revocation_alerts().documents == ()
    assert office.engine.seat(None).revocation_alerts().documents == ()
