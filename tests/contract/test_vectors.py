"""The envelopes shipped for client authors get exactly the answer that is written beside them.

The story: a vector that says "accepted" while the engine refuses (or the other way round)
sends every author of a client the wrong way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from support.pki import pki, trust_of, verdict_of
from support.vectors import FILES, FOLDER, read

from router.messages import TABLE
from router.model.documents import Document, Envelope
from router.model.instants import instant_of
from router.signatures.algorithms import ALGORITHMS


def trust_in_shipped_ca() -> Any:
    own = x509.load_pem_x509_certificate((FOLDER / "test-ca.pem").read_bytes())
    return trust_of(own.public_bytes(serialization.Encoding.DER))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_signatures_get_the_verdict_written_beside_them(file: Path) -> None:
    vector = read(file)
    fields = msgspec.json.decode(vector.sent(), type=dict)
    known = {name: fields[name] for name in Envelope.__struct_fields__ if name in fields}
    envelope = msgspec.convert(known, Envelope)  # what else stands there is the door's matter
    verdict = verdict_of(
        *envelope.signatures,
        payload=envelope.payload,
        trust=trust_in_shipped_ca(),
        at_us=instant_of(vector.at),
    )
    if vector.stage == "signature":
        path = f"$.{verdict.path}" if verdict.code else ""
        assert (verdict.code, path) == (vector.code, vector.path)
    else:
        assert verdict.status == "valid"
    if verdict.status == "valid":
        found = {one.certificate_sha256 for one in verdict.signatures}
        assert found == set(vector.bindings) or vector.code == "sender.mismatch"


def test_the_vectors_are_all_there() -> None:
    names = {file.stem for file in FILES}
    assert {f"algorithm-{name.lower()}" for name in ALGORITHMS} <= names
    assert len(names) == len(FILES) >= 55
    for file in FILES:
        vector = read(file)
        assert vector.name == file.stem
        assert (vector.outcome, bool(vector.code)) in {("accepted", False), ("refused", True)}
        assert (file.parent.name == "good") == (vector.outcome == "accepted")
        assert not vector.code or vector.code in TABLE


def test_the_shipped_ca_is_the_test_ca() -> None:
    assert trust_in_shipped_ca().issuers[0].der == pki().ca_der


def test_the_vector_with_all_fields_leaves_none_out() -> None:
    """Acting on earlier documents apart: a new document may not have those."""
    vector = read(FOLDER / "good" / "all-fields.json")
    payload = msgspec.json.decode(vector.sent(), type=Envelope).payload
    written = msgspec.json.decode(payload, type=dict)
    others = {"act", "acts_on", "recipients_added", "recipients_removed", "attachments"}
    assert set(written) == set(Document.__struct_fields__) - others
