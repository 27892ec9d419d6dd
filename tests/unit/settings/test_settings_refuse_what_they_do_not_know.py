"""A misspelt or mistyped setting must stop the daemon and say which one it was.

The failure these tests guard against: a daemon that starts with `prot = 9000` in its file
and silently listens on the default port.
"""

from __future__ import annotations

import pickle

import pytest

from router.errors import SettingsError
from router.settings import Secret, Settings, load_settings


def write(tmp_path, text):
    file = tmp_path / "vanban.toml"
    file.write_text(text, encoding="utf-8")
    return file


def refused(*arguments):
    with pytest.raises(SettingsError) as caught:
        load_settings(*arguments)
    assert caught.value.code == "settings.invalid"
    return caught.value


def test_without_a_file_the_defaults_stand():
    settings = load_settings()
    assert settings == Settings()
    assert settings.http.host == "127.0.0.1"
    assert settings.verify_threads is None


def test_a_file_sets_values(tmp_path):
    file = write(tmp_path, 'data = "d"\n[http]\nport = 9000\n[signatures]\nverify_threads = 2\n')
    settings = load_settings(file)
    assert (settings.data, settings.http.port, settings.verify_threads) == ("d", 9000, 2)


def test_the_daemon_waits_for_new_signers_less_long_than_an_embedded_engine():
    plain = load_settings()
    assert plain.of_daemon().cold_wait_s == 0.04
    assert plain.cold_wait_s == 10
    chosen = load_settings(None, {"VANBAN__SIGNATURES__COLD_WAIT_MS": "250"})
    assert chosen.of_daemon() is chosen
    assert chosen.cold_wait_s == 0.25
    refused(None, {"VANBAN__SIGNATURES__COLD_WAIT_MS": "-1"})


def test_the_environment_lies_over_the_file(tmp_path):
    file = write(tmp_path, "[http]\nport = 9000\nstop_s = 5\n")
    settings = load_settings(file, {"VANBAN__HTTP__PORT": "9001", "HOME": "elsewhere"})
    assert (settings.http.port, settings.http.stop_s) == (9001, 5)


@pytest.mark.parametrize(
    ("text", "path", "part"),
    [
        ("[http]\nprot = 1\n", "http", "prot"),
        ("colour = 1\n", "", "colour"),
        ('[http]\nport = "many"\n', "http.port", "int"),
        ("[http]\nport = 70000\n", "http.port", "65535"),
        ("http = 3\n", "http", "object"),
        ('[log]\nlevel = "loud"\n', "log.level", "regex"),
        ("[inbox]\nlease_s = 0\n", "inbox.lease_s", "1"),
    ],
)
def test_a_wrong_setting_is_named_by_its_path(tmp_path, text, path, part):
    error = refused(write(tmp_path, text))
    assert error.path == path
    assert part in str(error.facts["reason"])


def test_the_environment_is_held_to_the_same_rules():
    assert refused(None, {"VANBAN__HTTP__PROT": "1"}).path == "http"
    assert refused(None, {"VANBAN__HTTP__PORT": "x"}).path == "http.port"
    assert refused(None, {"VANBAN__HTTP": "x"}).path == "http"
    assert refused(None, {"VANBAN__DATA__DEEP": "x"}).path == "data"


def test_a_broken_or_missing_file_is_refused(tmp_path):
    assert "line 1" in str(refused(write(tmp_path, "= 1\n")).facts["reason"])
    refused(tmp_path / "absent.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    assert "UTF-8" in str(refused(tmp_path / "bytes.toml").facts["reason"])


def test_secrets_are_never_shown():
    settings = load_settings(None, {"VANBAN__CLIENT__TOKEN": "vb_very-secret"})
    assert settings.client.read_token() == "vb_very-secret"
    assert "very-secret" not in repr(settings) + str(settings.client.token)
    with pytest.raises(TypeError):
        pickle.dumps(settings.client.token)


def test_a_wrong_secret_is_refused_without_being_quoted(tmp_path):
    error = refused(write(tmp_path, "[client]\ntoken = 918273645\n"))
    assert error.path == "client.token"
    assert "918273645" not in str(error)


def test_a_token_file_wins_and_must_be_readable(tmp_path):
    (tmp_path / "token").write_text("vb1.from.file\n", encoding="ascii")
    text = f'[client]\ntoken_file = "{tmp_path / "token"}"\n'
    assert load_settings(write(tmp_path, text)).client.read_token() == "vb1.from.file"
    lost = load_settings(None, {"VANBAN__CLIENT__TOKEN_FILE": str(tmp_path / "absent")})
    with pytest.raises(SettingsError) as refused:
        lost.client.read_token()
    assert (refused.value.code, refused.value.path) == (
        "token.unreadable", str(tmp_path / "absent"),
    )  # fmt: skip


def test_equal_secrets_are_equal():
    assert Secret("a") == Secret("a") != Secret("b")
    assert not Secret("")
    assert hash(Secret("a")) == hash(Secret("a"))
