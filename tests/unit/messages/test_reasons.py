"""Short reasons inside errors are said in the reader's language; what programs read stays."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support.sources import ROOT

from router.errors import InputError, PolicyRefusedError, SignatureRefusedError
from router.messages import say
from router.messages.reasons import say_reason
from router.messages.verdicts import short_of
from router.signatures.lists import REASONS

SOURCES = [
    *(ROOT / "router" / "signatures").glob("*.py"),
    ROOT / "router" / "client" / "signing.py",
    ROOT / "router" / "cli" / "sign.py",
    ROOT / "router" / "cli" / "revocation.py",
]
UNSAID = {"--password-file"}
"""What is the same in both languages."""


def literal_reasons(text: str) -> set[str]:
    """Return what is given as `reason=` in so many words, or to `malformed`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        given = [one.value for one in node.keywords if one.arg == "reason"]
        if isinstance(node.func, ast.Name) and node.func.id in {"malformed", "_malformed"}:
            given += node.args[:1]
        found |= {
            one.value
            for one in given
            if isinstance(one, ast.Constant) and isinstance(one.value, str)
        }
    return found


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_every_reason_in_so_many_words_is_said_in_vietnamese(source: Path) -> None:
    reasons = literal_reasons(source.read_text("utf-8")) - UNSAID
    assert [one for one in sorted(reasons) if say_reason(one, "vi") == one] == []


def test_a_reason_without_words_is_noticed() -> None:
    assert literal_reasons("f('a.b', reason='x')\nmalformed('y')\ng('z')") == {"x", "y"}
    assert say_reason("x", "vi") == "x"


@pytest.mark.parametrize("reason", REASONS)
def test_why_a_certificate_was_revoked_is_told_in_words(reason: str) -> None:
    error = SignatureRefusedError("certificate.revoked", subject="CN=H22", reason=reason)
    for language in ("en", "vi"):
        assert reason == "superseded" or reason not in say(error, language)[0]
        assert "_" not in say(error, language)[0]
    assert error.facts["reason"] == reason  # what programs read stays


def test_a_revoked_signer_is_told_to_get_another_certificate() -> None:
    error = SignatureRefusedError("certificate.revoked", reason="key_compromise")
    assert "(lộ khóa)" in say(error, "vi")[0]
    assert "Xin cấp chứng thư mới, đề nghị quản trị gắn" in say(error, "vi")[1]
    assert short_of("certificate.revoked", "vi") == "chứng thư đã bị thu hồi (certificate.revoked)"
    assert short_of("some.code", "vi") == "some.code"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("Expected `object`, got `array`", "cần object nhưng gặp array"),
        ("Object missing required field `subject`", "thiếu trường “subject”"),
        ("JSON is malformed: invalid character (byte 5)", "sai cú pháp ở byte 5"),
        ("RSA of 1024 bits", "RSA 1024 bit"),
        ("more than 64 bytes", "quá 64 byte"),
    ],
)
def test_reasons_with_values_keep_them(reason: str, said: str) -> None:
    assert say_reason(reason, "vi") == said
    assert say(InputError("json.malformed", reason=reason), "en")[0] == f"Not valid JSON: {reason}."


@pytest.mark.parametrize("language", ["en", "vi"])
def test_an_unbound_certificate_is_named_and_a_foreign_token_is_not_bound(language: str) -> None:
    facts = {"unit": "H22", "sha256": "ab" * 32, "subject": "CN=UBND"}
    unbound = PolicyRefusedError("sender.mismatch", what="certificate", **facts)
    what, remedy = say(unbound, language)
    assert "CN=UBND" in what
    assert "ab" * 32 in what
    assert "vanban trust bind H22" in remedy
    token = PolicyRefusedError("sender.mismatch", what="token", unit="H22")
    assert "bind" not in "".join(say(token, language))
