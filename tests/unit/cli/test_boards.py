"""What a person reads of a document, in one language at a time and without contradicting itself."""

from __future__ import annotations

import pytest

from router.cli.boards import print_explanation
from router.model.answers import Explanation
from router.model.policies import UnitUnderPolicy

STEPS = (
    {
        "part": "children(H22)", "position": 0, "matched": True,
        "because": "is directly below H22", "because_vi": "trực thuộc H22",
    },
    {"part": "policy", "matched": True, "because": "floor/receipt"},
    {
        "part": "signatures", "matched": False,
        "because": "not valid: certificate.revoked",
        "because_vi": "không hợp lệ: certificate.revoked",
    },
)  # fmt: skip
ANSWER = Explanation("00", "H22.31", "UBND", False, "In English.", "Tiếng Việt.", STEPS)
UNDER = UnitUnderPolicy("H22.31", "UBND", "allowed", (), "allowed", "được nhận")


def test_every_step_is_told_in_the_language_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VANBAN_LANG", "vi")
    print_explanation(ANSWER, UNDER)
    said = capsys.readouterr().out
    assert "✓ children(H22): trực thuộc H22" in said
    assert "· chữ ký số: không hợp lệ: certificate.revoked" in said
    assert "✓ chính sách: được nhận" in said
    assert "directly" not in said
    monkeypatch.setenv("VANBAN_LANG", "en")
    print_explanation(ANSWER, UNDER)
    said = capsys.readouterr().out
    assert "✓ children(H22): is directly below H22" in said
    assert "· signatures: not valid: certificate.revoked" in said
