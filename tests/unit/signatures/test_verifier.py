"""Batches answer in order, one document's fault is its own, and all signatures must be good."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from support.pki import AT_US, PAYLOAD, forge, header_of, pki, trust_of, verdict_of

from router.errors import ClosedError, SignatureRefusedError
from router.model.documents import SignatureEntry
from router.signatures import Verdict, Verifier, VerifyItem


def items_with_faults(count: int) -> tuple[list[VerifyItem], list[str]]:
    signers = [pki().issue(number, f"H22.{number}", "UBND") for number in range(1, 6)]
    items, codes = [], []
    for place in range(count):
        payload = PAYLOAD + str(place).encode()
        entry = signers[place % 5].sign(payload)
        bad = place % 7 == 3
        items.append(VerifyItem(payload + b"!" if bad else payload, (entry,)))
        codes.append("signature.invalid" if bad else "")
    return items, codes


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 33, 200])
def test_verdicts_come_in_the_order_of_the_items(threads: int, count: int) -> None:
    items, codes = items_with_faults(count)
    verifier = Verifier(threads)
    verdicts = verifier.verify_batch(items, trust_of(), None, AT_US)
    verifier.close()
    assert [verdict.code for verdict in verdicts] == codes


def test_one_verifier_serves_many_threads() -> None:
    items, codes = items_with_faults(40)
    verifier, trust = Verifier(2), trust_of()
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda _: verifier.verify_batch(items, trust, None, AT_US), range(12))
        )
    verifier.close()
    assert all([verdict.code for verdict in answer] == codes for answer in answers)


def test_a_document_without_signatures_is_refused() -> None:
    verdict = verdict_of()
    assert (verdict.code, verdict.path) == ("signature.missing", "signatures")


def test_too_many_signatures_are_refused() -> None:
    entry = pki().issue(1, "H22", "UBND").sign(PAYLOAD)
    assert verdict_of(*[entry] * 8).status == "valid"
    assert verdict_of(*[entry] * 9).code == "signature.count"


def test_all_signatures_must_be_good() -> None:
    person = pki().issue(1, "H22", "Chủ tịch").sign(PAYLOAD)
    agency = pki().issue(2, "H22", "UBND tỉnh").sign(PAYLOAD)
    stranger = pki().issue(2, "H22", "UBND tỉnh", trusted=False).sign(PAYLOAD)
    both = verdict_of(person, agency)
    assert both.status == "valid"
    assert [one.algorithm for one in both.signatures] == ["ES256", "RS256"]
    verdict = verdict_of(person, stranger)
    assert (verdict.code, verdict.path) == (
        "certificate.untrusted",
        "signatures[1].protected.x5c[0]",
    )
    assert verdict.signatures == ()


def test_a_signature_of_one_certificate_is_not_good_under_another_of_the_same_key() -> None:
    first = pki().issue(1, "H22", "UBND", kind="ec", index=0)
    second = pki().issue(3, "H23", "UBND", kind="ec", index=0)
    mixed = SignatureEntry("jws", second.sign(PAYLOAD).protected, first.sign(PAYLOAD).signature)
    assert verdict_of(mixed).code == "signature.invalid"


def test_a_header_of_one_key_with_the_signature_of_another_is_refused() -> None:
    signer = pki().issue(1, "H22", "UBND", kind="ec", index=0)
    entry = forge(pki().key("ec", 1), "ES256", header_of(signer.sign(b"")))
    assert verdict_of(entry).code == "signature.invalid"


def test_the_dot_between_header_and_payload_cannot_be_moved() -> None:
    signer = pki().issue(1, "H22", "UBND")
    entry = signer.sign(b"abc.def")
    moved = SignatureEntry("jws", entry.protected + ".abc", entry.signature)
    assert verdict_of(moved, payload=b"def").code == "signature.spelling"


@pytest.mark.parametrize("payload", [b"", b".", b"\x00\xff", "văn bản".encode()])
def test_any_bytes_can_be_signed(payload: bytes) -> None:
    entry = pki().issue(1, "H22", "UBND").sign(payload)
    assert verdict_of(entry, payload=payload).status == "valid"


def test_a_verdict_is_kept_and_read_again() -> None:
    good = verdict_of(pki().issue(1, "H22", "UBND").sign(PAYLOAD))
    bad = verdict_of(pki().issue(1, "H22", "UBND").sign(PAYLOAD), payload=b"")
    for verdict in (good, bad):
        packed = msgspec.msgpack.encode(verdict)
        assert msgspec.msgpack.decode(packed, type=Verdict) == verdict
    error = bad.as_error()
    assert isinstance(error, SignatureRefusedError)
    assert (error.code, error.path) == ("signature.invalid", "signatures[0].signature")


def test_the_second_answer_is_the_first() -> None:
    items, _ = items_with_faults(20)
    verifier, trust = Verifier(1), trust_of()
    first = verifier.verify_batch(items, trust, None, AT_US)
    assert verifier.verify_batch(items, trust, None, AT_US) == first
    verifier.close()


def test_a_closed_verifier_says_so() -> None:
    verifier = Verifier(2)
    verifier.close()
    verifier.close()
    with pytest.raises(ClosedError):
        verifier.verify_batch([], trust_of(), None, AT_US)


def test_junk_is_not_remembered() -> None:
    verifier, trust = Verifier(1), trust_of()
    stranger = pki().issue(2, "H22", "UBND tỉnh", trusted=False).sign(PAYLOAD)
    verifier.verify_batch([VerifyItem(PAYLOAD, (stranger,))], trust, None, AT_US)
    assert verifier.sizes().signers == 0
    assert verifier.sizes().refusals == 1
    verifier.close()
