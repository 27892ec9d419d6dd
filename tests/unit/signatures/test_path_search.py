"""Finding a path costs bounded work, however certificates point at each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import pytest
from cryptography import x509
from support.pki import pki
from support.revocation import NOW_US, Ca, root, usage

from router.errors import SignatureRefusedError
from router.limits import (
    CERTIFICATES_PER_SIGNATURE_MAX,
    PATH_CERTIFICATES_MAX,
    PATH_STEPS_MAX,
    PATHS_MAX,
)
from router.signatures import path_search
from router.signatures.authorities import Authority, TrustView
from router.signatures.certificates import Certificate, signed_by
from router.signatures.path_search import Search, web_of
from router.signatures.paths import NOTHING_KNOWN, judge_path
from router.signatures.validation import links_of, run

CA_EXTENSIONS = [
    (x509.BasicConstraints(True, None), True),
    (usage(key_cert_sign=True, crl_sign=True), True),
]


def view_of(root_ca: Ca, others: Sequence[Certificate] = ()) -> TrustView:
    known = [Authority(root_ca.certificate, "root", revocation="not_checked")]
    return TrustView([*known, *(Authority(one, "intermediate") for one in others)], 1)


def mesh(size: int, *, into: Ca | None = None) -> list[Ca]:
    """CAs of one name, each certified by each other; the first also four times by `into`."""
    keys = [pki().key("ec", number) for number in range(size)]
    roots = [Ca(key, root("Mesh CA", number).certificate) for number, key in enumerate(keys)]
    made = [
        Ca(to.key, by.certify("Mesh CA", to.key, serial=100 + place, extensions=CA_EXTENSIONS))
        for place, (by, to) in enumerate(permutations(roots, 2))
    ]
    if into is not None:
        for serial in (96, 97, 98, 99):
            inside = into.certify("Mesh CA", keys[0], serial=serial, extensions=CA_EXTENSIONS)
            made.append(Ca(keys[0], inside))
    return made


def test_a_web_a_sender_invents_leads_nowhere_and_costs_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proofs: list[bytes] = []

    def counted(certificate: Certificate, issuer: Certificate) -> bool:
        proofs.append(issuer.sha256)
        return signed_by(certificate, issuer)

    monkeypatch.setattr(path_search, "signed_by", counted)
    web = [one.certificate for one in mesh(3)][: CERTIFICATES_PER_SIGNATURE_MAX - 1]
    leaf = mesh(3)[0].leaf(50)
    verdict = judge_path(leaf, web, view_of(root()), NOTHING_KNOWN, NOW_US)
    assert verdict.code == "certificate.untrusted"
    # Each pair is verified once, however many ways lead through it.
    assert 0 < len(proofs) <= CERTIFICATES_PER_SIGNATURE_MAX**2


def test_a_web_of_trusted_authorities_is_given_up_in_time() -> None:
    known = [one.certificate for one in mesh(8)]
    leaf = mesh(8)[0].leaf(50)
    view = view_of(root(), known)
    search = Search(leaf, (), view, NOW_US)
    assert list(search.chains()) == []
    assert search.exhausted
    assert search.steps == PATH_STEPS_MAX
    verdict = judge_path(leaf, (), view, NOTHING_KNOWN, NOW_US)
    assert verdict.code == "certificate.paths"


def test_only_so_many_paths_are_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    validated: list[int] = []

    def refused(*args: object) -> None:
        validated.append(1)
        raise SignatureRefusedError("certificate.constraints", constraint="path", place=0)

    monkeypatch.setattr("router.signatures.path_judge.check_path", refused)
    into = root()
    known = mesh(4, into=into)
    view = view_of(into, [one.certificate for one in known])
    verdict = judge_path(known[-1].leaf(50), (), view, NOTHING_KNOWN, NOW_US)
    assert verdict.code == "certificate.constraints"
    assert len(validated) == 4
    validated.clear()
    verdict = judge_path(known[0].leaf(50), (), view, NOTHING_KNOWN, NOW_US)
    assert verdict.code == "certificate.constraints"
    assert len(validated) == PATHS_MAX


def test_a_path_may_be_so_long_and_no_longer() -> None:
    into = root()
    line = [into]
    for number in range(PATH_CERTIFICATES_MAX):
        line.append(line[-1].child(f"CA {number}", number))
    view = view_of(into, [one.certificate for one in line[1:]])
    longest = line[PATH_CERTIFICATES_MAX - 2].leaf(50)
    (chain,) = Search(longest, (), view, NOW_US).chains()
    assert len(chain) == PATH_CERTIFICATES_MAX
    too_long = line[PATH_CERTIFICATES_MAX - 1].leaf(50)
    assert list(Search(too_long, (), view, NOW_US).chains()) == []


def test_key_identifiers_that_contradict_are_no_step() -> None:
    into = root()
    key = pki().key("ec", 3)
    mine = x509.SubjectKeyIdentifier(b"mine")
    ca = Ca(key, into.certify("CA", key, serial=3, extensions=[*CA_EXTENSIONS, (mine, False)]))
    view = view_of(into, [ca.certificate])
    for identifier, found in ((b"mine", 1), (b"another", 0), (None, 1)):
        said = x509.AuthorityKeyIdentifier(identifier, None, None)
        leaf = ca.leaf(50, extensions=[(said, False)])
        assert len(list(Search(leaf, (), view, NOW_US).chains())) == found


def test_the_index_of_a_view_is_kept_while_only_its_version_changes() -> None:
    view = view_of(root())
    assert web_of(view) is web_of(view.at_version(9))
    others = [view_of(root(f"Root {number}", number)) for number in range(9)]
    assert [web_of(one).authorities for one in others] == [one.authorities for one in others]
    assert web_of(view).authorities is view.authorities


def test_links_tell_names_apart_that_differ() -> None:
    one, other = root("One", 1), root("Other", 2)
    assert links_of(one.certificate).subject != links_of(other.certificate).subject
    assert links_of(one.certificate).subject == links_of(root("  oNE ", 3).certificate).subject


def test_a_coroutine_that_waits_is_refused() -> None:
    class Never:
        def __await__(self) -> object:
            yield

    async def waits() -> None:
        await Never()  # type: ignore[misc]

    async def answers() -> int:
        return 7

    assert run(answers()) == 7
    with pytest.raises(RuntimeError):
        run(waits())
