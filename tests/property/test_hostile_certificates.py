"""Whatever stands in a certificate, it gets a verdict, soon, and is good only if it was made so.

Certificates are changed byte by byte, cut, repeated and joined, at the signer's place and
beside it; the same is done to revocation lists that a store might hand out.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.pki import pki
from support.revocation import NOW_US, entry, named, root
from support.revocation_views import View

from router.errors import SignatureRefusedError
from router.limits import CERTIFICATE_BYTES_MAX, CERTIFICATES_PER_SIGNATURE_MAX
from router.model.instants import SECOND_US
from router.signatures.authorities import Authority, TrustView
from router.signatures.certificates import Certificate, read_certificate
from router.signatures.paths import PathVerdict, judge_path
from router.signatures.validation import links_of

ROOT = root()
MIDDLE = ROOT.child("CA of state agencies", 31)
LEAF = MIDDLE.leaf(7)
TRUST = TrustView([Authority(ROOT.certificate, "root")], 1)
LISTS = (ROOT.crl(), MIDDLE.crl([entry(9), 10]))
MEMORY_BYTES_MAX = 64 << 20

Change = Callable[[bytes], bytes]


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """A change of some bytes: one flipped, some cut, some doubled, a length rewritten."""
    kind = draw(st.sampled_from(["flip", "cut", "double", "insert", "length"]))
    place = draw(st.integers(0, 2_000))
    size = draw(st.integers(1, 64))
    mask = draw(st.integers(1, 255))
    junk = draw(st.binary(min_size=1, max_size=16))

    def change(der: bytes) -> bytes:
        at = place % len(der)
        if kind == "flip":
            return der[:at] + bytes([der[at] ^ mask]) + der[at + 1 :]
        if kind == "cut":
            return der[:at] + der[at + size :]
        if kind == "double":
            return der[:at] + der[at : at + size] * 2 + der[at + size :]
        if kind == "insert":
            return der[:at] + junk + der[at:]
        return der[:at] + b"\x84\xff\xff\xff\xff" + der[at + 1 :]

    return change


def judged(leaf: bytes, *others: bytes, view: View | None = None) -> PathVerdict | None:
    """Return the verdict, or None when a certificate is refused before it is judged."""
    try:
        certificates = [read_certificate(der) for der in (leaf, *others)]
    except SignatureRefusedError:
        return None
    verdict = judge_path(
        certificates[0], certificates[1:], TRUST, view or View(lists=LISTS), NOW_US
    )
    assert verdict.good_from <= NOW_US <= verdict.good_until
    if verdict.status == "invalid":
        str(verdict.as_error()).encode("utf-8")
    return verdict


def test_unchanged_it_is_good() -> None:
    verdict = judged(LEAF.der, MIDDLE.certificate.der)
    assert verdict is not None
    assert verdict.status == "valid"


@settings(max_examples=150, deadline=None)
@given(change=changes())
def test_a_changed_signers_certificate_is_never_good(change: Change) -> None:
    der = change(LEAF.der)
    verdict = judged(der, MIDDLE.certificate.der)
    assert verdict is None or verdict.status == "invalid" or der == LEAF.der


@settings(max_examples=150, deadline=None)
@given(change=changes())
def test_a_changed_authority_leads_nowhere(change: Change) -> None:
    der = change(MIDDLE.certificate.der)
    verdict = judged(LEAF.der, der)
    assert verdict is None or verdict.status == "invalid" or der == MIDDLE.certificate.der


@settings(max_examples=60, deadline=None)
@given(change=changes(), which=st.integers(0, 1))
def test_a_changed_list_is_not_believed(change: Change, which: int) -> None:
    lists = list(LISTS)
    lists[which] = change(lists[which])
    verdict = judged(LEAF.der, MIDDLE.certificate.der, view=View(lists=tuple(lists)))
    assert verdict is not None
    assert verdict.status == "indeterminate" or lists[which] == LISTS[which]


@settings(max_examples=60, deadline=None)
@given(changed=st.lists(changes(), max_size=CERTIFICATES_PER_SIGNATURE_MAX - 1), junk=st.binary())
def test_junk_beside_a_good_path_does_no_harm(changed: list[Change], junk: bytes) -> None:
    others = [change(MIDDLE.certificate.der) for change in changed]
    readable = []
    for der in (*others, junk):
        try:
            read_certificate(der)
        except SignatureRefusedError:
            continue
        readable.append(der)
    verdict = judged(LEAF.der, *readable, MIDDLE.certificate.der)
    assert verdict is not None
    assert verdict.status == "valid"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(min_size=1, max_size=300), extension=st.binary(max_size=400),
       oid=st.sampled_from(["2.5.29.30", "2.5.29.32", "2.5.29.33", "2.5.29.36", "2.5.29.54",
                            "2.5.29.31", "2.5.29.17", "2.5.29.14", "2.5.29.35", "1.3.6.1.5.5.7.1.1",
                            "1.3.6.1.5.5.7.1.3", "1.2.3"]),
       critical=st.booleans())  # fmt: skip
def test_odd_names_and_extensions_of_a_signer_get_a_verdict(
    text: str, extension: bytes, oid: str, critical: bool
) -> None:
    """A CA may have been talked into certifying nearly anything."""
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), extension)
    try:
        subject = named(text.encode("utf-8", "replace").decode()[:20] or "x")
        leaf = MIDDLE.certify(subject, pki().key("ec", 3), serial=3, extensions=[(odd, critical)])
    except (ValueError, SignatureRefusedError):
        return  # our own library can't even write it
    judged(leaf.der, MIDDLE.certificate.der)


@settings(max_examples=100, deadline=None)
@given(
    at_us=st.integers(NOW_US - 500 * 86_400 * SECOND_US, NOW_US + 4_100 * 86_400 * SECOND_US),
    share=st.sampled_from([0, 1]) | st.floats(0, 1),
    revoked=st.booleans(),
    ends=st.integers(1, 100),
)
def test_a_verdict_holds_for_every_instant_of_its_window(
    at_us: int, share: float, revoked: bool, ends: int
) -> None:
    trust = TrustView(
        [
            Authority(ROOT.certificate, "root", trusted_from=NOW_US - 40 * 86_400 * SECOND_US),
            Authority(
                MIDDLE.certificate, "intermediate",
                trusted_to=NOW_US + ends * 86_400 * SECOND_US,
            ),
        ],
        1,
    )  # fmt: skip
    lists = (ROOT.crl(), MIDDLE.crl([LEAF.parsed.serial_number] if revoked else []))
    view = View(lists=lists, grace_us=2 * 3_600 * SECOND_US)
    verdict = judge_path(LEAF, (), trust, view, at_us)
    assert verdict.good_from <= at_us <= verdict.good_until
    other_us = verdict.good_from + int((verdict.good_until - verdict.good_from) * share)
    other = judge_path(LEAF, (), trust, view, other_us)
    assert (other.status, other.code, other.chain) == (verdict.status, verdict.code, verdict.chain)


def expanding(letter: str) -> Certificate:
    """A certificate whose names grow when they are prepared for comparison (RFC 4518)."""
    many = [
        x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, letter * 21) for _ in range(12)
    ]
    return MIDDLE.certify(x509.Name(many), pki().key("ec", 4), serial=4)


def test_names_that_grow_in_comparison_stay_within_bounds() -> None:
    leaf = expanding("\ufdfa")  # one letter that becomes eighteen
    tracemalloc.start()
    try:
        links_of(leaf)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_BYTES_MAX


@pytest.mark.parametrize("size", [100, CERTIFICATE_BYTES_MAX])
def test_lengths_that_promise_more_than_there_is_take_no_memory(size: int) -> None:
    junk = b"\x30\x84\x7f\xff\xff\xff" * (size // 6)
    nested = b"\x30\x80" * (size // 2)
    tracemalloc.start()
    try:
        for der in (junk, nested, b"\x30\x82\x1f\xfa" + b"\x30\x00" * 4_000):
            assert judged(der) is None
            verdict = judged(LEAF.der, MIDDLE.certificate.der, view=View(lists=(der,)))
            assert verdict is not None
            assert verdict.status == "indeterminate"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY_BYTES_MAX
