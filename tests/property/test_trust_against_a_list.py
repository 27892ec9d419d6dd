"""What the trust store says at any instant is what its records say, read one by one.

The oracle keeps nothing but the list of records and folds it anew for each question.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.generations import g1, g2, sha256_of

from router.signatures import (
    AuthorityDistrusted,
    AuthorityTrusted,
    CertificateBound,
    IssuerDistrusted,
    IssuerTrusted,
    TrustStore,
    decode_change,
    encode_change,
)
from router.signatures.trust import TrustChange

CAS = {sha256_of(one): one.der for pair in (g1(), g2()) for one in pair}
LEAVES = [f"{number:02x}" * 32 for number in range(3)]
INSTANTS = st.integers(0, 12)
ends = st.none() | INSTANTS
ders, named = st.sampled_from(sorted(CAS.values())), st.sampled_from(sorted(CAS))
purposes = st.sampled_from([(), ("documents",), ("time_stamps",)])
roles = st.sampled_from(["root", "intermediate"])
changes: st.SearchStrategy[Any] = st.one_of(
    st.builds(IssuerTrusted, ders),
    st.builds(IssuerDistrusted, named),
    st.builds(AuthorityTrusted, ders, roles, purposes, INSTANTS, ends),
    st.builds(AuthorityDistrusted, named, INSTANTS),
    st.builds(CertificateBound, st.integers(1, 3), st.sampled_from(LEAVES), INSTANTS, ends),
)
Fact = tuple[str, tuple[str, ...], int, int | None]


def folded(records: list[TrustChange], sha256: str) -> Fact | None:
    """What is said of one authority in the end: role, purposes, from, to."""
    said: Fact | None = None
    for one in records:
        if isinstance(one, IssuerTrusted) and one.certificate == CAS[sha256]:
            said = ("root", (), 0, None)
        elif isinstance(one, AuthorityTrusted) and one.certificate == CAS[sha256]:
            said = (one.role, one.purposes, one.trusted_from, one.trusted_to)
        elif isinstance(one, IssuerDistrusted) and one.sha256 == sha256:
            said = None
        elif isinstance(one, AuthorityDistrusted) and one.sha256 == sha256 and said is not None:
            said = (*said[:3], one.since)
    return said


def trusted(records: list[TrustChange], role: str, at: int, purpose: str) -> set[str]:
    found = set()
    for sha256 in CAS:
        said = folded(records, sha256)
        if said is None or said[0] != role or at < said[2]:
            continue
        ended = said[3] is not None and at >= said[3]
        if not ended and (not said[1] or purpose in said[1]):
            found.add(sha256)
    return found


def bound(records: list[TrustChange], leaf: str, at: int) -> set[int]:
    last: dict[int, CertificateBound] = {}
    for one in records:
        if isinstance(one, CertificateBound) and one.certificate_sha256 == leaf:
            last[one.unit] = one
    return {
        unit
        for unit, one in last.items()
        if one.valid_from <= at and (one.valid_to is None or at < one.valid_to)
    }


@given(st.lists(changes, max_size=25))
def test_the_store_says_what_its_records_say(records: list[TrustChange]) -> None:
    store = TrustStore()
    for sequence, change in enumerate(records, start=1):
        store.apply(decode_change(encode_change(change)), sequence)
        if sequence % 3 == 0:
            assert store.view.issuers is not None  # an index that was made must not be kept on
    view = store.view
    for at in range(14):
        for purpose in ("documents", "time_stamps"):
            roots = {one.certificate.sha256.hex() for one in view.roots_at(at, purpose)}
            others = {one.certificate.sha256.hex() for one in view.intermediates_at(at, purpose)}
            assert roots == trusted(records, "root", at, purpose)
            assert others == trusted(records, "intermediate", at, purpose)
        for leaf in LEAVES:
            assert store.bound_unit(leaf, at) == bound(records, leaf, at)
    assert store.version == len(records)
    assert len(list(store.all_bindings())) == store.binding_count
