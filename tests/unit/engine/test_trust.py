"""Trust as an operator administers it: generations side by side, trust that ends, the reform.

The failures guarted against: a document of before refused because of what came after, one of
after accepted on the strength of before, a change of trust that nobody can account for.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.generations import ca, day, g1, g2, sha256_of
from support.office import NOW_US, OPENED_US, Office, error_of, received
from support.pki import pki

from router.engine import Engine
from router.errors import ForbiddenError, NotFoundError, StorageError
from router.model.answers import Outcome, Principal, Problem
from router.model.instants import SECOND_US
from router.model.reorganisations import Merging, Opening, Reorganisation
from router.model.rights import RightWanted
from router.model.units import Unit
from router.queue.memory_store import Trouble

OLD, OTHER, NEW = "H22.31.20", "H22.31.21", "H22.90"
ANCHORS = [g1().below.der, g2().below.der]
LAN = "Bà Lan"


def code_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Problem), outcome
    return outcome.code


def trusting(office: Office, **options: object) -> Office:
    """Let the office trust the CAs of both generations, as where paths end."""
    office.engine.trust_authorities(
        ANCHORS, role="root", revocation="not_checked", actor=LAN, **options
    )
    return office


# Generations.


def test_signers_of_two_generations_are_believed_side_by_side() -> None:
    office = trusting(Office())
    for place, generation in enumerate((g1(), g2())):
        signer = generation.signer("H22", "UBND", "2020-01-01", "2025-01-01", 20 + place)
        office.engine.bind("H22", signer.certificate_der, OPENED_US)
        received(office.submit(office.envelope(signers=[signer]))[0])
    known = {one.sha256: one for one in office.engine.authorities()}
    assert known[sha256_of(g1().below)].bound == known[sha256_of(g2().below)].bound == 1
    assert known[sha256_of(pki().ca)].bound == 7


def _sha256():
    from cryptography.hazmat.primitives.hashes import SHA256

    return SHA256()


def test_documents_with_only_the_signers_certificate_lead_to_the_root_of_their_time() -> None:
    office = Office()
    for generation in (g1(), g2()):
        bundle = [generation.root.der, generation.below.der]
        office.engine.trust_authorities(bundle, revocation="not_checked", actor=LAN)
    signers = []
    for place, generation in enumerate((g1(), g2())):
        signers.append(generation.signer("H22", "UBND", "2020-01-01", "2025-01-01", 20 + place))
        office.engine.bind("H22", signers[-1].certificate_der, OPENED_US)
        received(office.submit(office.envelope(signers=signers[-1:]))[0])
    office.engine.distrust(sha256_of(g1().root), actor=LAN)
    outcomes = [office.submit(office.envelope(signers=[one]))[0] for one in signers]
    assert code_of(outcomes[0]) == "certificate.untrusted", "its intermediate is no end of a path"
    received(outcomes[1])
    office.engine.trust_authority(g2().below.der, purposes=["time_stamps"])
    outcome = office.submit(office.envelope(signers=signers[1:]))[0]
    assert code_of(outcome) == "certificate.untrusted", "trusted, but not for documents"


def test_what_must_be_shown_not_to_be_revoked_waits_until_it_is() -> None:
    office = Office()
    office.engine.trust_authorities([g2().root.der, g2().below.der])
    signer = g2().signer("H22", "UBND", "2020-01-01", "2025-01-01")
    office.engine.bind("H22", signer.certificate_der, OPENED_US)
    assert received(office.submit(office.envelope(signers=[signer]))[0]).waiting > 0
    office.engine.trust_authorities([g2().root.der, g2().below.der], revocation="not_checked")
    assert received(office.submit(office.envelope(signers=[signer]))[0]).waiting == 0


def test_an_authority_is_believed_between_its_dates_only() -> None:
    office = trusting(
        Office(), trusted_from=NOW_US + 60 * SECOND_US, trusted_to=NOW_US + 90 * SECOND_US
    )
    signer = g2().signer("H22", "UBND", "2020-01-01", "2025-01-01")
    office.engine.bind("H22", signer.certificate_der, OPENED_US)
    envelope = office.envelope(signers=[signer])
    assert code_of(office.submit(envelope)[0]) == "certificate.untrusted"
    assert office.engine.authority(sha256_of(g2().below)).state == "not-yet"
    office.clock.advance(60)
    received(office.submit(envelope)[0])
    assert office.engine.authority(sha256_of(g2().below)).state == "trusted"
    office.clock.advance(30)
    again = office.envelope(signers=[signer])
    assert code_of(office.submit(again)[0]) == "certificate.untrusted"
    assert office.engine.authority(sha256_of(g2().below)).state == "ended"


def test_trust_that_ended_leaves_what_was_accepted_as_it_was() -> None:
    office = trusting(Office())
    signer = g1().signer("H22", "UBND", "2020-01-01", "2025-01-01")
    office.engine.bind("H22", signer.certificate_der, OPENED_US)
    envelope = office.envelope(signers=[signer])
    before = received(office.submit(envelope)[0])
    ended = office.engine.distrust(sha256_of(g1().below)[:10], actor=LAN)
    assert ended == sha256_of(g1().below)
    for _ in range(2):
        assert received(office.submit(envelope)[0]).key == before.key, "repeated, not judged anew"
        assert office.engine.track(before.key).sender == "H22"
        refused = office.submit(office.envelope(signers=[signer]))[0]
        assert code_of(refused) == "certificate.untrusted"
        assert office.engine.authority(ended).trusted_to == "2024-09-04T10:00:00+07:00"
        office.reopen()
    office.engine.trust_authority(g1().below.der, role="root", revocation="not_checked")
    received(office.submit(office.envelope(signers=[signer]))[0])


# The reform.


def test_the_reform_of_2025_leaves_old_certificates_to_old_documents() -> None:
    office = trusting(Office())
    engine = office.engine
    old = g1().signer(OLD, "UBND xã Lũng Cú", "2022-01-01", "2027-01-01", 20)
    engine.bind(OLD, old.certificate_der, day("2022-01-01"))
    office.clock.advance((day("2025-06-30") - NOW_US) // SECOND_US + 8 * 3_600)
    late = office.envelope(sender=OLD, signers=[old], recipients="H22")
    reform = day("2025-07-01")
    opened = Unit(0, NEW, "UBND xã Lũng Cú (mới)", 3, "people-committee")
    events = (Opening(opened, "H22"), Merging((OLD, OTHER), NEW))
    engine.change_directory(Reorganisation(reform, "NQ 1685", events))
    new = g2().signer(NEW, "UBND xã Lũng Cú", "2025-06-20", "2030-06-20", 21)
    engine.bind(NEW, new.certificate_der, reform)
    office.clock.advance(2 * 86_400)
    # What the old unit signed while it was there is its own, whoever brings it now.
    assert received(office.submit(late, unit=NEW)[0]).document_id.startswith(OLD)
    # The successor signs with its own certificate; the old one does not speak for it.
    by_old = office.envelope(office.document(NEW, "H22"), signers=[old])
    assert code_of(office.submit(by_old)[0]) == "sender.mismatch"
    received(office.submit(office.envelope(office.document(NEW, "H22"), signers=[new]))[0])
    # Nor do the closed unit and its certificate go on.
    gone = office.envelope(office.document(OLD, "H22"), signers=[old])
    assert isinstance(office.submit(gone)[0], Problem)
    # The binding stays, under the number that the unit keeps for ever.
    (kept,) = [one for one in engine.bindings(unit=3).bindings if one.issuer.startswith("CN=CA cơ")]
    assert (kept.code, kept.state, kept.valid_to) == (OLD, "in-force", "")
    number = engine.unit(NEW).number
    (made,) = engine.bindings(unit=NEW).bindings
    assert (made.unit, made.certificate_sha256) == (number, new.certificate_sha256)


def test_a_binding_that_was_ended_still_counts_for_documents_of_before() -> None:
    office = Office()
    signer = office.signers["H22"]
    early = office.envelope()
    office.clock.advance(60)
    office.engine.bind("H22", signer.certificate_der, 0, NOW_US + 30 * SECOND_US)
    received(office.submit(early)[0])
    assert code_of(office.submit(office.envelope())[0]) == "sender.mismatch"
    (shown,) = office.engine.bindings(unit="H22").bindings
    assert (shown.state, shown.valid_from) == ("ended", "")
    assert shown.valid_to == "2024-09-04T10:00:30+07:00"


# Importing.


def test_a_bundle_is_one_group_of_records_or_nothing() -> None:
    office = Office()
    before = office.engine.authorities()
    leaf = office.signers["H22"].certificate_der
    assert error_of(lambda: office.engine.trust_authorities([*ANCHORS, leaf])) == (
        "trust.leaf", "certificates[2]",
    )  # fmt: skip
    assert office.engine.authorities() == before
    office.disk.trouble_at(1, Trouble.FAIL)
    with pytest.raises(StorageError):
        office.engine.trust_authorities([g1().root.der, *ANCHORS])
    assert office.engine.authorities() == before
    assert office.reopen().authorities() == before
    added = office.engine.trust_authorities([g1().root.der, *ANCHORS], actor=LAN)
    assert [one.role for one in added] == ["root", "intermediate", "intermediate"]
    assert office.reopen().authorities() == [*before, *added]
    assert added[0].recorded_at == "2024-09-04T10:00:00+07:00"
    assert added[0].actor == LAN


def test_what_is_added_again_is_replaced_and_an_act_needs_an_actor() -> None:
    engine = trusting(Office()).engine
    sha256 = engine.trust_authority(g1().below.der, purposes=["documents"])
    one = engine.authority(sha256[:8].upper())
    assert (one.role, one.revocation, one.purposes) == ("intermediate", "required", ("documents",))
    assert len(engine.authorities()) == 3
    for act in (
        lambda: engine.trust_authority(g1().root.der, actor=" "),
        lambda: engine.distrust(sha256, actor=""),
    ):
        assert error_of(act)[0] == "actor.invalid"
    assert error_of(lambda: engine.authority(""))[0] == "authority.not_found"
    assert error_of(lambda: engine.distrust("zz"))[0] == "authority.not_found"


def test_a_prefix_that_names_several_is_refused() -> None:
    office = Office()
    for index in range(17):  # of 17 there are two that begin alike
        name = f"gốc {index}"
        office.engine.trust_authority(ca(name, (2010, 2030), g1().root.key).der)
    begins = [one.sha256[0] for one in office.engine.authorities()]
    twice = next(one for one in begins if begins.count(one) > 1)
    assert error_of(lambda: office.engine.authority(twice))[0] == "trust.ambiguous"


def test_each_change_leaves_a_line_with_the_actor(caplog: pytest.LogCaptureFixture) -> None:
    office = Office()
    caplog.set_level("INFO", "router.audit")
    root, below = sha256_of(g1().root), sha256_of(g1().below)
    signer = g1().signer("H22", "UBND", "2020-01-01", "2025-01-01")
    office.engine.trust_authorities([g1().root.der, g1().below.der], actor=LAN)
    office.engine.trust_issuer(pki().other_ca_der, actor=LAN)
    office.engine.bind("H22", signer.certificate_der, 0, actor=LAN)
    office.engine.distrust(root, since=NOW_US, actor=LAN)
    other = sha256_of(pki().other_ca)
    assert caplog.messages == [
        f"trusted authority={root} role=root revocation=required actor={LAN}",
        f"trusted authority={below} role=intermediate revocation=required actor={LAN}",
        f"trusted authority={other} role=root revocation=not_checked actor={LAN}",
        f"bound certificate={signer.certificate_sha256} unit=1 actor={LAN}",
        f"distrusted authority={root} since=2024-09-04T10:00:00+07:00 actor={LAN}",
    ]
    caplog.clear()
    for act in (
        lambda: office.engine.trust_authority(b"x"),
        lambda: office.engine.distrust("zz"),
        lambda: office.engine.bind("H22", b"x", 0),
    ):
        error_of(act)
    assert caplog.messages == [], "what was refused changed nothing"


# Looking.


def test_a_certificate_is_looked_at_before_it_is_imported() -> None:
    office = Office()
    engine = office.engine
    signer = g1().signer("H22", "UBND", "2020-01-01", "2024-01-01")
    before = engine.authorities()
    root, below, leaf = engine.check_certificates(
        [g1().root.der, g1().below.der, signer.certificate_der]
    )
    assert (root.kind, root.role, root.generation, root.known) == (
        "authority", "root", "2010–2030", False,
    )  # fmt: skip
    assert (below.role, below.path) == ("intermediate", (sha256_of(g1().root),))
    assert leaf.path == (sha256_of(g1().below), sha256_of(g1().root))
    assert [one.code for one in leaf.findings] == ["certificate.expired"]
    assert engine.authorities() == before
    (alone,) = engine.check_certificates([g1().below.der])
    assert [(one.code, one.severity) for one in alone.findings] == [("authority.no_path", "error")]
    (strange,) = engine.check_certificates([signer.certificate_der])
    assert strange.path == ()
    (bound,) = engine.check_certificates([office.signers["H22"].certificate_der])
    assert (bound.known, bound.units, bound.findings) == (True, ("H22",), ())
    (early,) = engine.check_certificates([signer.certificate_der], at_us=day("2019-01-01"))
    assert "certificate.not_yet_valid" in {one.code for one in early.findings}
    assert error_of(lambda: engine.check_certificates([b"x"])) == (
        "trust.invalid",
        "certificates[0]",
    )
    assert error_of(lambda: engine.check_certificates([])) == ("trust.invalid", "certificates")


def test_a_signers_certificate_is_judged_as_its_documents_would_be() -> None:
    engine = Office().engine
    signer = g2().signer("H22", "UBND", "2020-01-01", "2025-01-01")
    bundle = [signer.certificate_der, g2().below.der, g2().root.der]
    (waits, _, _) = engine.check_certificates(bundle)
    assert {(one.code, one.severity) for one in waits.findings} == {("trust.waits", "warning")}
    assert len(waits.findings) == 2, "for the lists of the root and of the CA below it"
    assert waits.generation == "G2 2018–2048"
    engine.trust_authorities(bundle[1:], revocation="not_checked")
    (good,) = engine.check_certificates(bundle[:1])
    assert (good.findings, good.path) == ((), (sha256_of(g2().below), sha256_of(g2().root)))
    engine.distrust(sha256_of(g2().root))
    (refused,) = engine.check_certificates(bundle[:1])
    assert [(one.code, one.severity) for one in refused.findings] == [
        ("certificate.untrusted", "error"),
    ]  # fmt: skip


def test_missing_revocation_data_is_told_until_nobody_needs_it() -> None:
    engine = Office().engine
    engine.trust_authorities([g2().root.der, g2().below.der])
    missing = {
        one.sha256 for one in engine.check_trust() if one.code == "authority.revocation_missing"
    }
    assert missing == {sha256_of(g2().root), sha256_of(g2().below)}
    engine.trust_authorities([g2().root.der, g2().below.der], revocation="not_checked")
    assert "authority.revocation_missing" not in {one.code for one in engine.check_trust()}


def test_an_authority_that_would_be_refused_is_told_so() -> None:
    mute = ca("không cấp", (2010, 2030), g1().below.key, g1().root, usages=["crl_sign"])
    (one,) = Office().engine.check_certificates([g1().root.der, mute.der])[1:]
    assert ("trust.invalid", "error") in {(each.code, each.severity) for each in one.findings}


def test_the_whole_store_is_looked_at() -> None:
    engine = Office().engine
    (found,) = engine.check_trust()
    assert (found.code, found.severity) == ("authority.revocation_not_checked", "warning")
    assert found.subject.startswith("CN=vanban-router test CA")
    assert found.words
    assert found.words_vi
    assert found.remedy
    assert found.remedy_vi
    assert [one.code for one in engine.check_trust(at_us=day("2060-01-01"))] == [
        "trust.nobody", "authority.expired", "authority.revocation_not_checked",
        "binding.expires_soon",
    ]  # fmt: skip


def test_bindings_are_listed_by_pages_and_by_what_is_asked() -> None:
    office = Office()
    engine = office.engine
    first = engine.bindings(limit=4)
    second = engine.bindings(limit=4, page=1)
    assert (first.total, first.next_page, second.next_page) == (7, 1, 0)
    assert [one.code for one in first.bindings + second.bindings] == list(office.signers)
    signer = g1().signer("H22", "UBND", "2020-01-01", "2024-12-01")
    engine.bind("H22", signer.certificate_der, NOW_US + 1)
    assert engine.bindings(unit="H22").total == 2
    (soon,) = engine.bindings(certificate=signer.certificate_sha256[:12].upper()).bindings
    assert (soon.state, soon.expires, soon.issuer) == ("not-yet", "2024-12-01T00:00:00+07:00", "")
    before = day("2025-01-01")
    assert engine.bindings(expires_before=before).total == 0, "not in force yet"
    engine.bind("H22", signer.certificate_der, 0)
    assert engine.bindings(expires_before=before).total == 1
    for options in ({"limit": 0}, {"limit": 1_001}, {"page": -1}):
        assert error_of(lambda options=options: engine.bindings(**options))[0] == "field.invalid"
    assert error_of(lambda: engine.bindings(unit="H99"))[0] == "unit.not_found"


# Seats.


@pytest.fixture
def limited() -> Iterator[tuple[Engine, Principal]]:
    office = Office()
    wanted = [RightWanted(("trust",), "subtree(H22.31)")]
    token = office.engine.create_token(None, "Sở Nội vụ", operator=True, rights=wanted)
    yield office.engine, office.engine.authenticate(token)
    office.engine.close()


def test_who_may_bind_some_units_sees_authorities_and_those_bindings(
    limited: tuple[Engine, Principal],
) -> None:
    engine, principal = limited
    seat = engine.seat(principal)
    assert seat.authorities() == engine.authorities()
    assert seat.authority(engine.authorities()[0].sha256) == engine.authorities()[0]
    assert {one.code for one in seat.bindings().bindings} == {"H22.31", OLD, OTHER}
    assert seat.bindings(unit=OLD).total == 1
    with pytest.raises(NotFoundError):
        seat.bindings(unit="H22.32")
    signer = pki().issue(50, OLD, "UBND xã", kind="ec")
    seat.bind(OLD, signer.certificate_der, 0, actor="Hoa")
    for act in (
        lambda: seat.bind("H22.32", signer.certificate_der, 0, actor="Hoa"),
        lambda: seat.trust_issuer(g1().root.der, actor="Hoa"),
        lambda: seat.trust_authority(g1().root.der, actor="Hoa"),
        lambda: seat.trust_authorities([g1().root.der], actor="Hoa"),
        lambda: seat.distrust("f", actor="Hoa"),
        seat.check_trust,
        lambda: seat.check_certificates([g1().root.der]),
    ):
        with pytest.raises(ForbiddenError) as caught:
            act()
        assert caught.value.code == "right.missing"


def test_a_unit_without_the_right_sees_nothing_of_trust() -> None:
    seat = Office().engine.seat(Principal("", "", 1, "H22"))
    for act in (seat.authorities, lambda: seat.authority("f")):
        assert error_of(act)[0] == "right.missing"
    assert seat.bindings().total == 0


def test_an_operator_without_bounds_does_everything() -> None:
    engine = Office().engine
    seat = engine.seat(None)
    (added,) = seat.trust_authorities([g1().root.der], actor=LAN)
    assert seat.trust_authority(g1().below.der, actor=LAN, role="root") == sha256_of(g1().below)
    assert seat.distrust(added.sha256, actor=LAN) == added.sha256
    assert seat.check_trust() == engine.check_trust()
    assert seat.check_certificates([g1().root.der]) == engine.check_certificates([g1().root.der])
    assert seat.bindings() == engine.bindings()
