"""Signatures that broke other verifiers do not pass here (Project Wycheproof), in any file.

Each vector goes the way of a signature entry: its key in a certificate that is checked as a
signer's, its signature spelled in base64url.  The ECDSA vectors are DER, our form is r and s;
they are brought over where DER gives two numbers of the right size in exactly one spelling.
What is left is about DER alone and must be marked invalid there.

What Wycheproof calls acceptable is stated here: a PKCS #1 v1.5 signature whose algorithm
identifier lacks its NULL (case 8 of each RSA file) is refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from support.pki import pki

from router.errors import SignatureRefusedError
from router.signatures.algorithms import ALGORITHMS, checker
from router.signatures.certificates import check_leaf, read_certificate
from router.signatures.encoding import encode_url
from router.signatures.jws import read_signature
from vanban_bench.workloads.test_pki import unit_subject

FOLDER = Path(__file__).parents[1] / "vectors" / "wycheproof"
REFUSED = {"signature.invalid", "signature.length"}
FILES = [
    ("ed25519_test", "EdDSA", {"valid": 88, "invalid": 63}),
    ("rsa_pss_2048_sha256_mgf1_32_test", "PS256", {"valid": 63, "invalid": 45}),
    ("rsa_pss_3072_sha256_mgf1_32_test", "PS256", {"valid": 63, "invalid": 45}),
    ("rsa_pss_4096_sha256_mgf1_32_test", "PS256", {"valid": 63, "invalid": 45}),
    ("rsa_signature_2048_sha256_test", "RS256", {"valid": 9, "invalid": 249, "acceptable": 1}),
    ("rsa_signature_3072_sha256_test", "RS256", {"valid": 8, "invalid": 250, "acceptable": 1}),
    ("rsa_signature_4096_sha256_test", "RS256", {"valid": 7, "invalid": 250, "acceptable": 1}),
]
CURVES = [
    ("ecdsa_secp256r1_sha256_test", "ES256", 32, {"valid": 174, "invalid": 310}),
    ("ecdsa_secp384r1_sha384_test", "ES384", 48, {"valid": 194, "invalid": 310}),
]


def groups(name: str, algorithm: str) -> Iterator[tuple[Callable[[bytes, bytes], None], Any]]:
    """Yield, for each group, what checks a signature with its key, and its cases."""
    for group in json.loads((FOLDER / f"{name}.json").read_text("utf-8"))["testGroups"]:
        key = serialization.load_der_public_key(bytes.fromhex(group["publicKeyDer"]))
        der = pki().ca.certify(key, unit_subject("H22", name), serial=1)  # type: ignore[arg-type]
        yield checker(ALGORITHMS[algorithm], check_leaf(read_certificate(der))), group["tests"]


def is_good(check: Callable[[bytes, bytes], None], signature: bytes, message: str) -> bool:
    try:
        check(read_signature(encode_url(signature)), bytes.fromhex(message))
    except SignatureRefusedError as refusal:
        if refusal.code in REFUSED:
            return False
        raise
    return True


@pytest.mark.parametrize(("name", "algorithm", "counts"), FILES)
def test_no_invalid_one_is_accepted_and_no_valid_one_refused(
    name: str, algorithm: str, counts: dict[str, int]
) -> None:
    seen: Counter[str] = Counter()
    for check, cases in groups(name, algorithm):
        for case in cases:
            good = is_good(check, bytes.fromhex(case["sig"]), case["msg"])
            assert good is (case["result"] == "valid"), case["tcId"]
            seen[case["result"]] += 1
            if case["result"] == "acceptable":
                assert (case["tcId"], case["flags"]) == (8, ["MissingNull"])
    assert seen == counts


def raw_of(der: bytes, size: int) -> bytes | None:
    """Return r and s in full length, or None when these bytes are not their one spelling."""
    try:
        first, second = decode_dss_signature(der)
        if encode_dss_signature(first, second) != der:
            return None
        return first.to_bytes(size, "big") + second.to_bytes(size, "big")
    except (ValueError, OverflowError):
        return None


@pytest.mark.parametrize(("name", "algorithm", "size", "counts"), CURVES)
def test_the_verdicts_over_r_and_s_are_those_of_the_vectors(
    name: str, algorithm: str, size: int, counts: dict[str, int]
) -> None:
    seen: Counter[str] = Counter()
    brought = 0
    for check, cases in groups(name, algorithm):
        for case in cases:
            seen[case["result"]] += 1
            raw = raw_of(bytes.fromhex(case["sig"]), size)
            if raw is None:
                assert case["result"] == "invalid", case["tcId"]
                continue
            good = is_good(check, raw, case["msg"])
            assert good is (case["result"] == "valid"), case["tcId"]
            brought += 1
    assert seen == counts
    assert brought > 200


@pytest.mark.parametrize(("name", "algorithm", "size", "counts"), CURVES)
def test_an_ecdsa_signature_left_in_der_is_never_good(
    name: str, algorithm: str, size: int, counts: dict[str, int]
) -> None:
    for check, cases in groups(name, algorithm):
        for case in cases:
            assert not is_good(check, bytes.fromhex(case["sig"]), case["msg"])
