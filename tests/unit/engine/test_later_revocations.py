"""A revocation known later turns no verdict, and every document it concerns is found."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from support.office import Office, error_of

from router.model.instants import SECOND_US
from router.signatures.certificates import Certificate, read_certificate
from router.signatures.revocation_view import Above


class Said(NamedTuple):
    kind: str
    revoked_at: int | None = None
    invalidity_at: int | None = None
    reason: str = ""


class Known(NamedTuple):
    """Revocation data in small: (serial, revoked at, not to be trusted since)."""

    serial: int
    revoked_at: int
    since: int

    def status(
        self, issuer: Certificate, serial: int, at_us: int, certificate: Certificate, above: Above
    ) -> Said:
        assert issuer.subject
        if serial != self.serial or min(self.revoked_at, self.since) > at_us:
            return Said("good")
        return Said("revoked", self.revoked_at, self.since, "key_compromise")


def revoke(office: Office, sender: str, revoked_at: int, since: int) -> None:
    """Let it be known that a sender's certificate was revoked."""
    certificate = read_certificate(office.signers[sender].certificate_der)
    known = Known(int(certificate.serial, 16), revoked_at, since)
    office.engine._verdicts._verification.revocation_view = lambda: known  # type: ignore[method-assign]


def pages(office: Office, limit: int = 100) -> list[str]:
    found: list[str] = []
    cursor = ""
    while True:
        page = office.engine.revocation_alerts(after=cursor, limit=limit)
        assert len(page.documents) <= limit
        found += [one.key for one in page.documents]
        if not page.next_after:
            return found
        assert page.next_after != cursor
        cursor = page.next_after


def sent(office: Office, count: int) -> list[str]:
    """Send documents, one a minute, of two senders in turn; return those of the first."""
    keys = []
    for place in range(count):
        receipt = office.send(("H22.31", "H22.32")[place % 2], "H22")
        if place % 2 == 0:
            keys.append(receipt.key)
        office.clock.advance(60)
    return keys


@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize("again", [False, True])
def test_what_was_signed_after_the_loss_of_the_key_is_listed(limit: int, again: bool) -> None:
    office = Office()
    begun = office.clock.now_us()
    keys = sent(office, 8)
    if again:
        office.reopen()
        keys += sent(office, 4)
    since = begun + 120 * SECOND_US  # the second of its documents, sent at that very instant
    revoke(office, "H22.31", office.clock.now_us(), since)
    assert pages(office, limit) == keys[1:]
    (first, *_) = office.engine.revocation_alerts().documents
    assert first.sender == "H22.31"
    assert first.invalid_since == "2024-09-04T10:02:00+07:00"
    assert (first.reason, first.signer_sha256) == ("key_compromise", first.certificate_sha256)


def test_the_verdict_stands_and_the_document_carries_an_alert() -> None:
    office = Office()
    begun = office.clock.now_us()
    keys = sent(office, 3)
    revoke(office, "H22.31", office.clock.now_us(), begun + SECOND_US)
    early, late = (office.engine.verdict(key) for key in keys)
    assert (early.status, early.alerts) == ("valid", ())
    assert late.status == "valid"
    assert [one.code for one in late.alerts] == ["signer.revoked"]
    assert late.alerts[0].since == "2024-09-04T10:00:01+07:00"
    assert office.engine.track(keys[1]).alerts == late.alerts
    assert office.engine.track(keys[0]).alerts == ()


def test_a_page_says_where_to_go_on_when_it_looked_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.limits.DOCUMENTS_LOOKED_MAX", 2)
    office = Office()
    keys = sent(office, 9)
    revoke(office, "H22.31", office.clock.now_us(), 0)
    assert pages(office) == keys


def test_spans_are_noted_anew_and_still_hold_every_document(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("router.engine.signers.SIGNER_SPAN_RECORDS", 4)
    office = Office()
    keys = sent(office, 30)
    revoke(office, "H22.31", office.clock.now_us(), 0)
    assert pages(office, 3) == keys


def test_a_cursor_that_is_none_is_refused() -> None:
    office = Office()
    for cursor in ("x", "1", "1-2-3", "-1-2"):
        assert error_of(lambda: office.engine.revocation_alerts(after=cursor))[0] == "field.invalid"  # noqa: B023
    assert error_of(lambda: office.engine.revocation_alerts(limit=0))[0] == "field.invalid"
