"""`vanban sign` makes envelopes that are accepted, alone and together, and loses no key or PIN."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from support.commands import vanban
from support.pki import document, leaf, pki, verdict_of

from router.client.signing import encode_document
from router.engine import Engine
from router.model.answers import Receipt
from router.model.documents import Envelope
from router.model.instants import VIETNAM_TIME

KEY = ("--key", "key.pem", "--cert", "cert.der")


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a key, its certificate and three documents."""
    key = pki().key("ec", 0)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"mat khau"),
    )
    plain = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "locked.pem").write_bytes(pem)
    (tmp_path / "key.pem").write_bytes(plain)
    (tmp_path / "cert.der").write_bytes(leaf(key))
    (tmp_path / "letters").mkdir()
    for number in (1, 2, 3):
        one = encode_document(document(number=str(number), document_id=f"H22|{number}"))
        (tmp_path / "letters" / f"{number}.json").write_bytes(one + b"\n")
    return tmp_path


def envelope(file: Path) -> Envelope:
    return msgspec.json.decode(file.read_bytes(), type=Envelope, strict=True)


def test_a_document_is_signed_beside_its_file_byte_for_byte(desk: Path) -> None:
    answer = vanban("sign", "letters/1.json", *KEY, cwd=desk)
    assert (answer.status, "1 document, one by one" in answer.out) == (0, True), answer
    made = envelope(desk / "letters" / "1.signed.json")
    assert made.payload == (desk / "letters" / "1.json").read_bytes()
    assert verdict_of(*made.signatures, payload=made.payload).status == "valid"
    again = vanban("sign", "letters/1.json", *KEY, cwd=desk)
    assert (again.status, "Usage" in again.err) == (1, False)
    assert "envelope.exists (letters/1.signed.json)" in again.err
    assert "--replace" in again.err
    assert vanban("sign", "letters/1.json", "--replace", *KEY, cwd=desk).status == 0
    assert not [file for file in (desk / "letters").iterdir() if file.name.startswith(".")]


def test_a_folder_is_signed_with_one_signature(desk: Path) -> None:
    arguments = ("sign", "letters", "--batch", "--out", "out", *KEY)
    told = vanban(*arguments, "--json", cwd=desk).json()
    assert [one["form"] for one in told["envelopes"]] == ["merkle"] * 3
    assert told["algorithm"] == "ES256"
    made = [envelope(desk / one["envelope"]) for one in told["envelopes"]]
    assert len({one.signatures[0].signature for one in made}) == 1
    for index, one in enumerate(made):
        (verdict,) = verdict_of(*one.signatures, payload=one.payload).signatures
        assert verdict.tree is not None
        assert (verdict.tree.size, verdict.tree.index) == (3, index)
    # What was signed is left out of the next run over the same folder.
    assert vanban("sign", "letters", *KEY, cwd=desk).status == 0
    again = vanban("sign", "letters", "--replace", "--json", *KEY, cwd=desk).json()
    assert len(again["envelopes"]) == 3
    said = vanban(*arguments, "--replace", cwd=desk, VANBAN_LANG="vi").out
    assert "đã ký: 3 văn bản, bằng một chữ ký" in said


def test_an_envelope_gets_one_signature_more(desk: Path) -> None:
    vanban("sign", "letters", "--batch", "--out", "person", *KEY, cwd=desk)
    answer = vanban("sign", "person/1.signed.json", "--out", "agency", *KEY, cwd=desk)
    assert answer.status == 0, answer
    made = envelope(desk / "agency" / "1.signed.json")
    assert [one.form for one in made.signatures] == ["merkle", "jws"]
    verdict = verdict_of(*made.signatures, payload=made.payload)
    assert (verdict.status, len(verdict.signatures)) == ("valid", 2)


def test_the_password_of_a_key_comes_from_a_file(desk: Path) -> None:
    (desk / "password").write_text("mat khau\n")
    locked = ("sign", "letters/1.json", "--key", "locked.pem", "--cert", "cert.der")
    assert vanban(*locked, "--password-file", "password", cwd=desk).status == 0
    (desk / "password").write_text("sai mat khau\n")
    for arguments in (locked, (*locked, "--password-file", "password")):
        answer = vanban(*arguments, "--replace", cwd=desk)
        assert (answer.status, "signing.key_file (locked.pem)" in answer.err) == (2, True)
        assert "mat khau" not in answer.err + answer.out


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "json.malformed (bad.json)"),
        ('{"format": 1, "subject": "rất kín"}', "json.malformed (bad.json)"),
        ('{"payload": "rất kín"}', "json.malformed (bad.json)"),
        (" " * 200_000, "envelope.too_large (bad.json)"),
    ],
)
def test_nothing_is_signed_when_one_file_is_no_document(desk: Path, text: str, code: str) -> None:
    (desk / "bad.json").write_text(text)
    answer = vanban("sign", "letters", "bad.json", "--out", "out", *KEY, cwd=desk)
    assert (answer.status, code in answer.err) == (1, True), answer
    assert "rất kín" not in answer.err
    assert not (desk / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["letters/1.json"], "--module"),
        (["letters/1.json", "--key", "key.pem"], "--cert"),
        (["letters/1.json", "--module", "x.so", "--key-id", "zz"], "hexadecimal"),
        (["letters/1.json", "letters", *KEY], "one envelope"),
    ],
)
def test_a_misuse_is_told(desk: Path, arguments: list[str], said: str) -> None:
    answer = vanban("sign", *arguments, cwd=desk)
    assert (answer.status, said in answer.err) == (2, True), answer


def test_a_driver_that_is_not_there_is_named(desk: Path) -> None:
    (desk / "pin").write_text("70351982\n")
    arguments = ("sign", "letters/1.json", "--module", "nothing.so", "--pin-file", "pin")
    answer = vanban(*arguments, cwd=desk)
    assert (answer.status, "signing.module_missing" in answer.err) == (2, True)
    assert "nothing.so" in answer.err
    assert "70351982" not in answer.err + answer.out
    told = vanban(*arguments, cwd=desk, VANBAN_LANG="vi").err
    assert "trình điều khiển" in told


def test_what_was_signed_together_is_accepted_by_an_engine(tmp_path: Path) -> None:
    made = vanban("init", "--data", "data", "--sample", cwd=tmp_path)
    assert made.status == 0, made
    sample = tmp_path / "data" / "sample"
    letter = json.loads(
        base64.b64decode(json.loads((sample / "letter-1.json").read_bytes())["payload"])
    )
    (tmp_path / "letters").mkdir()
    issued = datetime.now(VIETNAM_TIME) - timedelta(minutes=1)
    for number in range(5):
        changed = letter | {"document_id": f"H22|{number}", "issued_at": issued.isoformat()}
        (tmp_path / "letters" / f"{number}.json").write_text(json.dumps(changed))
    signed = vanban("sign", "letters", "--batch", "--key", sample / "H22.key.pem",
                    "--cert", sample / "H22.cert.der", cwd=tmp_path)  # fmt: skip
    assert signed.status == 0, signed
    with Engine.open(tmp_path / "data") as engine:
        sent = [file.read_bytes() for file in (tmp_path / "letters").glob("*.signed.json")]
        assert [type(one) for one in engine.submit(sent)] == [Receipt] * 5
