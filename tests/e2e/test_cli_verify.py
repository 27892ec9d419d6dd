"""Verdicts over HTTP, the Python clients and the command line: whole, in words, for the sender."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest
from support.commands import vanban
from support.daemon import found
from support.http import ask
from support.pki import pki
from support.revocation import HOUR, NOW, entry, root
from support.shared import wait_until
from support.undecided import undecided

from router.client import AsyncClient, Client
from router.client.signing import Signer
from router.engine import Engine
from router.errors import NotFoundError, TooLargeError
from router.server import BackgroundServer


@pytest.fixture
def house(tmp_path):
    with Engine.open(tmp_path / "store") as engine:
        town = found(engine)
        with BackgroundServer(engine) as server:
            yield town, server.base_url


def run(home, base_url, token, *arguments, language="en"):
    """Run a command as the holder of a token."""
    (home / "token").write_text(token)
    where = ("--url", base_url, "--token-file", "token")
    return vanban("verify", *arguments, *where, cwd=home, VANBAN_LANG=language)


def broken(envelope: bytes) -> bytes:
    """Return an envelope whose payload is not the one that was signed."""
    fields = msgspec.json.decode(envelope)
    fields["payload"] = fields["payload"][:-8] + fields["payload"][-4:] + fields["payload"][-4:]
    return msgspec.json.encode(fields)


def test_a_verdict_goes_over_http_whole_and_only_to_who_may_see_it(house):
    town, base_url = house
    with (
        Client(base_url, town.tokens["H22.31"]) as sender,
        Client(base_url, town.tokens["H22.32"]) as stranger,
    ):
        raw = town.envelope("H22.31", "H22")
        judged = sender.verify(raw)
        assert (judged.status, judged.key) == ("valid", "")
        receipt = sender.submit(raw)
        shown = sender.verdict(receipt.key)
        assert (shown.status, shown.key) == ("valid", receipt.key)
        assert shown.signatures[0].chain[0].der
        assert sender.verdict(f"H22.31|{receipt.document_id}") == shown
        with pytest.raises(NotFoundError):
            stranger.verdict(receipt.key)
        assert sender.revocation_alerts().documents == ()
        assert sender.verify(b"{").code == "json.malformed"
        with pytest.raises(TooLargeError):
            sender.verify(b" " * 1_000_000)

        async def both() -> None:
            async with AsyncClient(base_url, town.tokens["H22.31"]) as client:
                assert await client.verdict(receipt.key) == shown
                assert (await client.verify(town.envelope("H22.31", "H22"))).status == "valid"
                assert (await client.revocation_alerts()).documents == ()

        asyncio.run(both())
    assert ask(base_url, "POST", "/v1/verify", raw).status == 401
    assert ask(base_url, "GET", "/v1/verify", token=town.tokens["H22"]).status == 405


def test_the_command_explains_files_and_documents_in_both_languages(house, tmp_path):
    town, base_url = house
    token = town.tokens["H22.31"]
    raw = town.envelope("H22.31", "H22")
    (tmp_path / "letter.json").write_bytes(raw)
    (tmp_path / "broken.json").write_bytes(broken(raw))
    with Client(base_url, token) as sender:
        receipt = sender.submit(raw)
    told = run(tmp_path, base_url, token, "letter.json", receipt.key)
    assert told.status == 0, told
    assert told.out.count(": valid") == 2
    for words in ("signature 1: signed by", "(H22.31)", "+07:00: the time of receipt",
                  "algorithm", "trust version", "issued"):  # fmt: skip
        assert told.out.count(words) == 2, words
    said = run(tmp_path, base_url, token, receipt.key, language="vi")
    assert "hợp lệ" in said.out
    assert "thời điểm tiếp nhận" in said.out
    refused = run(tmp_path, base_url, token, "broken.json")
    assert refused.status == 1
    assert "invalid" in refused.out
    assert "→" in refused.out
    whole = run(tmp_path, base_url, token, receipt.key, "--json")
    (shown,) = json.loads(whole.out)
    assert shown["signatures"][0]["chain"][0]["der"]
    assert run(tmp_path, base_url, token, "0" * 32).status == 1
    assert run(tmp_path, base_url, token).status == 2
    assert "No document is concerned" in run(tmp_path, base_url, token, "--affected").out


def test_an_operator_asks_what_a_later_revocation_concerns(house, tmp_path):
    town, base_url = house
    told = run(tmp_path, base_url, town.operator, "--affected")
    assert told.status == 0, told
    assert "No document is concerned" in told.out
    whole = run(tmp_path, base_url, town.operator, "--affected", "--json")
    assert json.loads(whole.out) == {"documents": [], "next_after": ""}


def test_what_a_later_revocation_concerns_is_told_to_sender_and_operator(tmp_path):
    top = root("Later CA", 41)
    leaf = top.leaf(43)
    data = tmp_path / "store"
    with Engine.open(data) as engine:
        town = found(engine)
        engine.trust_authority(top.certificate.der)
        engine.bind("H22.31", leaf.der, 0)
        engine.add_revocation(top.crl([], number=1))
        town.signers["H22.31"] = Signer(pki().key("ec", 43), leaf.der)
        with BackgroundServer(engine) as server:
            token = town.tokens["H22.31"]
            with Client(server.base_url, token) as sender:
                receipt = sender.submit(town.envelope("H22.31", "H22"))
            assert receipt.waiting == 0
            lost = entry(43, at=NOW - HOUR / 2, invalid=NOW - HOUR)
            engine.add_revocation(top.crl([lost], number=2, made=NOW))

            def tracked(language):
                (tmp_path / "token").write_text(token)
                where = ("--url", server.base_url, "--token-file", "token")
                return vanban("track", receipt.key, *where, cwd=tmp_path, VANBAN_LANG=language).out

            assert "signer.revoked" in tracked("en")
            assert "the verdict stands" in " ".join(tracked("en").split())
            assert "kết quả kiểm tra giữ nguyên" in " ".join(tracked("vi").split())
            listed = run(tmp_path, server.base_url, token, "--affected")
            assert (listed.status, "1 document" in listed.out) == (0, True), listed
            other = run(tmp_path, server.base_url, town.tokens["H22"], "--affected")
            assert "No document is concerned" in other.out
    checked = vanban("trust", "check", "--data", data, cwd=tmp_path)
    assert checked.status == 1
    for words in ("binding.revoked", "bound to H22.31", "documents.affected", "known since"):
        assert words in " ".join(checked.out.split()), checked.out
    shown = vanban("trust", "bindings", "--unit", "H22.31", "--data", data, cwd=tmp_path)
    assert "revoked" in shown.out
    assert "in-force" in shown.out, "the unit's other certificate"


def test_the_daemon_decides_what_waits_without_being_asked(tmp_path, monkeypatch):
    verifier = undecided(monkeypatch)
    with Engine.open(tmp_path / "store") as engine:
        town = found(engine)
        with BackgroundServer(engine) as server:
            token = town.tokens["H22.31"]
            with (
                Client(server.base_url, token) as sender,
                Client(server.base_url, town.tokens["H22"]) as recipient,
            ):
                receipt = sender.submit(town.envelope("H22.31", "H22"))
                assert (receipt.waiting, recipient.lease()) == (1, [])
                told = run(tmp_path, server.base_url, token, receipt.key)
                assert told.status == 1
                assert "Missing: the list of revoked certificates of" in told.out
                (tmp_path / "next.json").write_bytes(town.envelope("H22.31", "H22"))
                where = ("--url", server.base_url, "--token-file", "token")
                sent = vanban("submit", "next.json", *where, cwd=tmp_path)
                assert "1 waiting for the check of the signature; see: vanban verify" in sent.out
                shown = vanban("track", receipt.key, *where, cwd=tmp_path, VANBAN_LANG="vi")
                said = f"chờ kiểm tra chữ ký số; xem: vanban verify {receipt.key}"
                assert said in " ".join(shown.out.split())
                verifier.decided = "valid"
                wait_until(lambda: sender.verdict(receipt.key).status == "valid")
                wait_until(lambda: len(sender.outbox().events) == 2)
                assert receipt.key in [one.key for one in recipient.lease(wait_s=5)]
                assert {one.kind for one in sender.outbox().events} == {"verdict_valid"}
