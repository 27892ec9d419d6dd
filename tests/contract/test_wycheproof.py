"""Signatures that broke other verifiers do not pass here (Project Wycheproof).

The ECDSA vectors are DER, our form is r and s; they are brought over where DER gives two
numbers of the right size in exactly one spelling.  What is left is about DER alone and
must be marked invalid there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from router.errors import SignatureRefusedError
from router.signatures.algorithms import ALGORITHMS, check_key, verify_raw

FOLDER = Path(__file__).parents[1] / "vectors" / "wycheproof"


def groups(name: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield each group's key with the group."""
    for group in json.loads((FOLDER / f"{name}.json").read_text("utf-8"))["testGroups"]:
        der = bytes.fromhex(group["publicKeyDer"])
        yield check_key(serialization.load_der_public_key(der)), group


def is_good(algorithm: str, key: Any, signature: bytes, message: str) -> bool:
    try:
        verify_raw(ALGORITHMS[algorithm], key, signature, bytes.fromhex(message))
    except SignatureRefusedError as refusal:
        return refusal.code != "signature.invalid"
    return True


@pytest.mark.parametrize(
    ("name", "algorithm", "count"),
    [
        ("ed25519_test", "EdDSA", 151),
        ("rsa_signature_2048_sha256_test", "RS256", 259),
        ("rsa_pss_2048_sha256_mgf1_32_test", "PS256", 108),
    ],
)
def test_the_verdicts_are_those_of_the_vectors(name: str, algorithm: str, count: int) -> None:
    seen = 0
    for key, group in groups(name):
        for case in group["tests"]:
            good = is_good(algorithm, key, bytes.fromhex(case["sig"]), case["msg"])
            if case["result"] != "acceptable":
                assert good is (case["result"] == "valid"), case["tcId"]
            seen += 1
    assert seen == count


def raw_of(der: bytes) -> bytes | None:
    """Return r and s in 32 bytes each, or None when these bytes are not their one spelling."""
    try:
        first, second = decode_dss_signature(der)
        if encode_dss_signature(first, second) != der:
            return None
        return first.to_bytes(32, "big") + second.to_bytes(32, "big")
    except (ValueError, OverflowError):
        return None


def test_the_verdicts_over_r_and_s_are_those_of_the_vectors() -> None:
    brought, left = 0, 0
    for key, group in groups("ecdsa_secp256r1_sha256_test"):
        for case in group["tests"]:
            raw = raw_of(bytes.fromhex(case["sig"]))
            if raw is None:
                assert case["result"] == "invalid", case["tcId"]
                left += 1
                continue
            good = is_good("ES256", key, raw, case["msg"])
            assert good is (case["result"] == "valid"), case["tcId"]
            brought += 1
    assert brought + left == 484
    assert brought > 200


def test_an_ecdsa_signature_left_in_der_is_never_good() -> None:
    for key, group in groups("ecdsa_secp256r1_sha256_test"):
        for case in group["tests"]:
            assert not is_good("ES256", key, bytes.fromhex(case["sig"]), case["msg"])
