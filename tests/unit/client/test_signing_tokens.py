"""A PIN is taken from a file or the environment, and a driver that can't be loaded is named.

What a real token does is tested with SoftHSM in tests/system.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from router.client.signing_tokens import open_token, read_pin
from router.errors import SigningError
from router.limits import PIN_CHARS_MAX


def test_a_pin_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "pin"
    for text in (b"1234", b"1234\n", b"1234\r\n", b"1234\nmore"):
        file.write_bytes(text)
        assert read_pin(file, {"VANBAN_PIN": "9"}) == "1234"
    file.write_text("mật khẩu\n", encoding="utf-8")
    assert read_pin(file, {}) == "mật khẩu"


def test_a_pin_may_stand_in_the_environment() -> None:
    assert read_pin(None, {"VANBAN_PIN": "1234"}) == "1234"
    assert read_pin(None, {"VANBAN_PIN": ""}) is None
    assert read_pin(None, {}) is None


@pytest.mark.parametrize("text", [b"", b"\n1234\n", b"1" * (PIN_CHARS_MAX + 1), b"\xff\xfe\n"])
def test_a_file_without_a_pin_is_told_and_not_quoted(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "pin"
    file.write_bytes(text)
    with pytest.raises(SigningError) as caught:
        read_pin(file, {"VANBAN_PIN": "1234"})
    assert caught.value.code == "signing.pin_missing"
    assert caught.value.facts == {}
    with pytest.raises(OSError, match="nothing"):
        read_pin(tmp_path / "nothing", {})


def test_what_is_no_driver_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("no library")
    for module in (tmp_path / "nothing.so", tmp_path / "text.so"):
        with pytest.raises(SigningError) as caught:
            open_token(module, pin="70351982")
        assert caught.value.code == "signing.module_missing"
        assert "70351982" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(SigningError) as caught:
        open_token("any.so", pin=None)
    assert caught.value.code == "signing.library_missing"
