"""`vanban trust` as an operator uses it: look, import, look again, bind, end."""

from __future__ import annotations

import json
import re

import pytest
from support.generations import g1, g2, pem_of, sha256_of
from support.house import House, made

TRUST = ("--data", "data")


@pytest.fixture
def house(tmp_path):
    house = made(tmp_path)
    (house.home / "g1.pem").write_bytes(g1().pem())
    (house.home / "g2.pem").write_bytes(g2().pem())
    signer = g2().signer("H22.31.21", "UBND phường Trần Phú", "2024-01-01", "2029-01-01")
    (house.home / "signer.der").write_bytes(signer.certificate_der)
    chain = b"".join(map(pem_of, (g2().below, g2().root)))
    (house.home / "chain.pem").write_bytes(_pem(signer.certificate_der) + chain)
    return house


def _pem(der: bytes) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)


def run(house: House, *arguments: str, **settings: str):
    return house.run("trust", *arguments, *TRUST, **settings)


def test_two_generations_are_looked_at_imported_and_listed(house):
    looked = run(house, "check", "g1.pem")
    assert re.search(r"SHA-256: [0-9a-f]{64}\b", looked.out), "to be compared before it is added"
    assert "what the CA publishes" in looked.out
    assert looked.status == 0, looked
    assert "would be trusted as root 2010–2030" in looked.out
    assert "would be trusted as intermediate" in looked.out
    for name in ("g1.pem", "g2.pem"):
        added = run(house, "add", name, "--purpose", "documents", "--to", "2040-01-01")
        assert added.status == 0, added
        assert added.out.count("trusted") == 2
    listed = run(house, "list")
    for said in ("5 authorities", "G2 2018–2048", "2010–2030", "intermediate", "not checked",
                 sha256_of(g2().below)[:12]):  # fmt: skip
        assert said in listed.out
    as_json = run(house, "list", "--json").json()["authorities"]
    assert [one["role"] for one in as_json] == ["root"] + ["root", "intermediate"] * 2
    shown = run(house, "show", sha256_of(g2().below)[:8])
    for said in ("2019-01-01 – 2039-01-01", "documents", "required", "G2 2018–2048",
                 sha256_of(g2().root)[:12], "(operator)"):  # fmt: skip
        assert said in shown.out
    vi = run(house, "show", sha256_of(g2().below)[:8], VANBAN_LANG="vi")
    assert "CA trung gian, tin cậy" in vi.out
    known = run(house, "check", "g1.pem")
    assert "is trusted here already as root" in known.out


def test_what_a_person_should_look_at_is_told_with_what_to_do(house):
    first = run(house, "check")
    assert (first.status, "authority.revocation_not_checked" in first.out) == (1, True)
    assert "--revocation required" in first.out
    (finding,) = run(house, "check", "--json").json()["findings"]
    assert (finding["severity"], finding["code"]) == (
        "warning", "authority.revocation_not_checked",
    )  # fmt: skip
    (house.home / "below.pem").write_bytes(pem_of(g1().below))
    alone = run(house, "check", "below.pem", VANBAN_LANG="vi")
    assert (alone.status, "không dẫn tới CA gốc tin cậy nào" in alone.out) == (1, True)
    added = run(house, "add", "below.pem")
    assert (added.status, "leads to no root" in added.err) == (0, True)
    signer = run(house, "check", "signer.der")
    assert (signer.status, "certificate.untrusted" in signer.out) == (1, True)
    together = run(house, "check", "chain.pem", "--json").json()["certificates"]
    assert [one["kind"] for one in together] == ["signer", "authority", "authority"]
    assert len(together[0]["path"]) == 2
    later = run(house, "check", "--at", "2060-01-01")
    assert "trust.nobody" in later.out


def test_a_certificate_is_bound_from_a_chain_and_found_again(house):
    bound = run(house, "bind", "H22.31.21", "chain.pem", "--from", "01/02/2024")
    assert (bound.status, "bound to H22.31.21" in bound.out) == (0, True), bound
    listed = run(house, "bindings", "--unit", "H22.31.21", "--json").json()
    (one,) = [each for each in listed["bindings"] if each["expires"].startswith("2029")]
    assert one["valid_from"] == "2024-02-01T00:00:00+07:00"
    assert run(house, "bindings", "--unit", f"#{one['unit']}").status == 0
    expiring = run(house, "bindings", "--expiring", "2030-01-01")
    assert "1 binding" in expiring.out
    assert "H22.31.21" in expiring.out
    page = run(house, "bindings", "--limit", "2")
    assert "next: --page 1" in page.out
    two = (house.home / "chain.pem").read_bytes() * 2
    (house.home / "two.pem").write_bytes(two)
    refused = run(house, "bind", "H22.31.21", "two.pem", "--from", "2024-02-01")
    assert (refused.status, "2 signers' certificates" in refused.err) == (1, True)


def test_trust_is_ended_and_a_running_daemon_is_asked(house):
    from support.commands import serving

    run(house, "add", "g1.pem", "--revocation", "not-checked")
    with serving(house.home, "--data", "data"):
        prefix = sha256_of(g1().root)[:10]
        ended = run(house, "remove", prefix, "--from", "2026-01-01", "--json")
        assert json.loads(ended.out) == {"removed": sha256_of(g1().root)}
        shown = run(house, "show", prefix, "--at", "2026-01-01", "--json").json()
        assert (shown["state"], shown["trusted_to"]) == ("ended", "2026-01-01T00:00:00+07:00")
        again = run(house, "remove", prefix, "--from", "2026-06-01")
        assert (again.status, "2026-01-01" in again.err) == (1, True)
    unknown = run(house, "remove", "zz")
    assert (unknown.status, "authority.not_found" in unknown.err) == (1, True)
    left = run(house, "remove", sha256_of(g1().below)[:10])
    assert "no longer trusted" in left.out


def test_a_bundle_with_a_wrong_certificate_imports_nothing(house):
    refused = run(house, "add", "chain.pem")
    assert (refused.status, "trust.leaf (certificates[0])" in refused.err) == (1, True)
    assert "vanban trust bind" in refused.err
    assert len(run(house, "list", "--json").json()["authorities"]) == 1
    mixed = house.home / "mixed.pem"
    key = (house.home / "data/sample/H22.key.pem").read_bytes()
    mixed.write_bytes(g1().pem() + key)
    refused = run(house, "add", "mixed.pem")
    assert (refused.status, "trust.private_key" in refused.err) == (1, True)
