"""Verdicts through every way to an engine, on every durability port.

Beside test_engine_contract.py, whose office this is.
"""

from __future__ import annotations

import msgspec
import pytest
from support.office import Office

from router.errors import InputError, NotFoundError, TooLargeError
from router.limits import VERIFY_DOCUMENTS_MAX
from router.model.documents import Envelope


def test_a_verdict_travels_whole(office: Office) -> None:
    receipt = office.send("H22.31", "H22")
    shown = office.engine.verdict(receipt.key, unit="H22.31")
    assert (shown.status, shown.document_id) == ("valid", receipt.document_id)
    assert shown.signatures[0].chain[0].der == office.signers["H22.31"].certificate_der
    with pytest.raises(NotFoundError):
        office.engine.verdict(receipt.key, unit="H22.32")


def test_envelopes_are_judged_as_bytes_and_as_structs(office: Office) -> None:
    raw = office.envelope(sender="H22.31", recipients="H22")
    ready = msgspec.json.decode(raw, type=Envelope)
    found = office.engine.verify([raw, ready, b"{"])
    assert [one.status for one in found] == ["valid", "valid", "unreadable"]
    with pytest.raises(TooLargeError):
        office.engine.verify([raw] * (VERIFY_DOCUMENTS_MAX + 1))
    assert office.engine.seat(None).verify([raw]) == found[:1]


def test_what_a_later_revocation_concerns_is_asked_in_pages(office: Office) -> None:
    office.send("H22.31", "H22")
    assert office.engine.revocation_alerts().documents == ()
    assert office.engine.seat(None).revocation_alerts(limit=1).next_after == ""
    with pytest.raises(InputError):
        office.engine.revocation_alerts(after="x")
