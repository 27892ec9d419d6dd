"""Trust, asked and changed through either way to an engine, on every durability port."""

from __future__ import annotations

import pytest
from support.generations import day, g1, g2, sha256_of
from support.office import NOW_US, Office, received

from router.errors import InputError, NotFoundError, VanbanError
from router.model.trust import AuthorityShown, BindingShown, CertificateChecked, TrustFinding


def refused(action: object) -> VanbanError:
    assert callable(action)
    with pytest.raises(VanbanError) as caught:
        action()
    return caught.value


def test_authorities_are_imported_looked_at_and_ended(office: Office) -> None:
    engine = office.engine
    bundle = [g1().root.der, g1().below.der]
    checked = engine.check_certificates(bundle)
    assert [type(one) for one in checked] == [CertificateChecked] * 2
    assert [(one.kind, one.role) for one in checked] == [
        ("authority", "root"), ("authority", "intermediate"),
    ]  # fmt: skip
    added = engine.trust_authorities(bundle, purposes=["documents"], trusted_to=NOW_US * 2)
    assert [type(one) for one in added] == [AuthorityShown] * 2
    assert engine.trust_authority(g2().root.der, revocation="not_checked") == sha256_of(g2().root)
    assert engine.authorities()[1:3] == added
    assert engine.authorities(at_us=NOW_US * 2)[1].state == "ended"
    assert engine.authority(added[1].sha256[:9]) == added[1]
    assert engine.distrust(added[0].sha256, since=NOW_US) == added[0].sha256
    found = engine.check_trust()
    assert {type(one) for one in found} == {TrustFinding}
    assert "authority.no_path" in {one.code for one in found}
    office.reopen()
    assert office.engine.authorities()[2] == added[1]
    assert office.engine.authority(added[0].sha256).state == "ended"


def test_bindings_are_listed_with_the_number_a_unit_keeps(office: Office) -> None:
    engine = office.engine
    signer = g2().signer("H22.31", "UBND", "2020-01-01", "2024-12-01")
    engine.bind("H22.31", signer.certificate_der, NOW_US)
    page = engine.bindings(certificate=signer.certificate_sha256, limit=1)
    assert (page.total, page.next_page, type(page.bindings[0])) == (1, 0, BindingShown)
    assert (page.bindings[0].unit, page.bindings[0].code) == (2, "H22.31")
    assert engine.bindings(unit=2, expires_before=day("2025-01-01")).total == 1
    received(office.submit(office.envelope())[0])


def test_refusals_of_trust_are_the_same_either_way(office: Office) -> None:
    engine = office.engine
    leaf = office.signers["H22"].certificate_der
    error = refused(lambda: engine.trust_authorities([g1().root.der, leaf]))
    assert (type(error), error.code, error.path) == (InputError, "trust.leaf", "certificates[1]")
    assert refused(lambda: engine.trust_authority(g1().root.der, role="leaf")).path == "role"
    assert refused(lambda: engine.bind("H22", g1().root.der, 0)).code == "trust.issuing"
    assert isinstance(refused(lambda: engine.authority("zz")), NotFoundError)
    assert refused(lambda: engine.distrust("zz")).code == "authority.not_found"
    assert refused(lambda: engine.bindings(limit=0)).code == "field.invalid"
    assert len(engine.authorities()) == 1
