"""The `vanban` command, as a clerk and an operator use it: real processes, a real daemon."""

from __future__ import annotations

import json
import re
import signal

import pytest
from support.commands import serving, vanban
from support.house import KEY, made

from router.engine import Engine

COMMANDS = (
    "demo", "init", "serve", "sign", "submit", "inbox", "ack", "refuse", "track", "resolve",
    "explain", "whoami", "directory import", "directory close", "directory show",
    "directory history", "directory export", "directory diff", "directory check",
    "directory impact",
    "right grant", "right list", "right revoke", "policy check", "policy test", "policy impact",
    "hold list", "hold show", "hold approve", "hold deny", "quarantine list", "quarantine show",
    "policy activate", "policy rollback", "policy versions", "policy show", "policy explain",
    "policy who-may-receive", "policy who-may-send", "group list", "group show",
    "group define", "group end", "token create",
    "token list", "token revoke", "trust add", "trust remove", "trust list", "trust show",
    "trust check", "trust bind", "trust bindings", "trust crl add", "trust crl list", "queue stats",
    "queue list", "queue show", "queue shape", "queue redrive", "outbox", "verify", "check",
    "backup", "restore", "bench run",
)  # fmt: skip
SILENT = {"serve"}
"""Commands that answer nothing, so that there is nothing to print as JSON."""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A house with a running daemon, shared by the tests of this module."""
    house = made(tmp_path_factory.mktemp("house"))
    with serving(house.home, "--data", "data") as (_, house.url):
        yield house


@pytest.fixture(scope="module")
def key(house):
    """The key of the broadcast letter 1."""
    answer = house.run("submit", "data/sample/letter-1.json", unit="H22")
    assert answer.status == 0, answer
    return KEY.search(answer.out)[1]


@pytest.fixture
def quiet(tmp_path):
    """A house of one's own without a daemon."""
    return made(tmp_path)


# -- every command ---------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_an_example_and_offers_json(command, tmp_path):
    answer = vanban(*command.split(), "--help", cwd=tmp_path)
    assert answer.status == 0
    assert f"Example: vanban {command}" in answer.out
    assert ("--json" in answer.out) == (command not in SILENT)


GROUPS = ("", *sorted({one.rpartition(" ")[0] for one in COMMANDS} - {""}))


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_s_help_shows_an_example_too(group, tmp_path):
    answer = vanban(*group.split(), "--help", cwd=tmp_path)
    assert answer.status == 0
    assert f"Example: vanban {group}".strip() in answer.out


def test_the_list_above_is_complete(tmp_path):
    import click

    from router.cli.app import COMMANDS as ROOT
    from router.cli.app import vanban as group

    def named(name, command):
        inner = getattr(command, "commands", None)
        if not inner:
            return [name]
        return [full for one in inner for full in named(f"{name} {one}", inner[one])]

    found = []
    for name in ROOT:
        found += named(name, group.get_command(click.Context(group), name))
    assert sorted(found) == sorted(COMMANDS)


def test_the_version_is_printed(tmp_path):
    answer = vanban("--version", cwd=tmp_path)
    assert answer.status == 0
    assert answer.out.startswith("vanban")


@pytest.mark.parametrize("arguments", [["nonsense"], ["submit"], ["token", "create"], ["--what"]])
def test_a_misused_command_says_how_it_is_used(arguments, tmp_path):
    answer = vanban(*arguments, cwd=tmp_path)
    assert answer.status == 2
    assert "Usage:" in answer.err


# -- documents -------------------------------------------------------------------------


def test_a_letter_is_accepted_once_and_then_repeated(house):
    first = house.run("submit", "data/sample/letter-2.json", unit="H22.01")
    assert first.status == 1, "the token is not the sender's"
    assert "sender.mismatch ($.payload.sender)" in first.out
    accepted = house.run("submit", "data/sample/letter-2.json", unit="H22")
    again = house.run("submit", "data/sample/letter-2.json", unit="H22")
    assert (accepted.status, again.status) == (0, 0)
    assert "accepted" in accepted.out
    assert "repeated" in again.out
    assert KEY.search(accepted.out)[1] == KEY.search(again.out)[1]


def test_a_letter_may_come_from_standard_input(house, key):
    letter = (house.home / "data/sample/letter-1.json").read_bytes()
    answer = vanban(
        "submit", "-", "--json", "--url", house.url, "--token-file", "data/sample/H22.token",
        cwd=house.home, stdin=letter,
    )  # fmt: skip
    assert answer.status == 0
    (outcome,) = answer.json()
    assert (outcome["repeated"], outcome["key"]) == (True, key)


def test_what_is_refused_is_named_with_code_and_remedy_and_the_rest_goes_through(house, key):
    (house.home / "broken.json").write_text('{"version": 1, "payload": ')
    files = ("broken.json", "data/sample/letter-1.json")
    answer = house.run("submit", *files, unit="H22")
    assert answer.status == 1
    assert "broken.json: refused json.malformed" in answer.out
    assert "→" in answer.out
    assert key in answer.out
    broken, good = house.run("submit", *files, "--json", unit="H22").json()
    assert broken["code"] == "json.malformed"
    assert good["key"] == key


def test_a_file_that_is_not_there_is_a_misuse(house):
    answer = house.run("submit", "nothing.json", unit="H22")
    assert answer.status == 2
    assert "nothing.json" in answer.err


def test_the_inbox_gives_what_ack_and_refuse_take(house, key):
    shown = house.run("inbox", unit="H22.31.20")
    assert shown.status == 0
    (delivery,) = re.findall(r"\b[\w-]{27}(?= )", shown.out)
    assert "01/QĐ-UBND" in shown.out
    assert "H22" in shown.out
    first = house.run("ack", delivery, unit="H22.31.20")
    again = house.run("ack", delivery, "--json", unit="H22.31.20")
    assert first.out.split() == [f"{delivery}:", "delivered"]
    assert again.json() == [{"delivery": delivery, "state": "delivered", "repeated": True}]
    assert "Nothing waits" in house.run("inbox", unit="H22.31.20").out
    foreign = house.run("ack", delivery, unit="H22.31")
    assert foreign.status == 1
    assert "delivery.not_found" in foreign.out


def test_a_returned_delivery_shows_its_reason_to_the_sender(house):
    sent = house.run("submit", "data/sample/letter-3.json", "--json", unit="H22.31").json()
    deliveries = house.run("inbox", "--json", "--save", "saved", unit="H22").json()
    (delivery,) = [one for one in deliveries if one["key"] == sent[0]["key"]]
    assert (house.home / "saved" / delivery["key"] / "document.json").is_file()
    without = house.run("refuse", delivery["delivery"], "--reason", " ", unit="H22")
    assert without.status == 1
    assert "reason.missing" in without.err
    reason = "Sai nơi nhận [/red] [bold]"
    answer = house.run("refuse", delivery["delivery"], "--reason", reason, unit="H22")
    assert answer.status == 0
    assert "refused" in answer.out
    board = house.run("track", delivery["key"], unit="H22.31")
    assert reason in board.out


def test_tracking_shows_counts_by_tier_and_pages_of_deliveries(house, key):
    for document in (key, "H22|" + house.run("track", key, "--json", unit="H22").json()
                     ["document_id"]):  # fmt: skip
        board = house.run("track", document, "--limit", "3", unit="H22")
        assert board.status == 0
        assert "193 recipients" in board.out
        assert "commune" in board.out
        assert "--page 1" in board.out
        assert board.out.count("H22.31.2") == 3
    other = house.run("track", key, unit="H22.31")
    assert (other.status, "document.not_found" in other.err) == (1, True)


def test_resolving_shows_whom_a_selector_means(house):
    answer = house.run("resolve", "descendants(H22) & tier(commune)", "--limit", "2", unit="H22")
    assert answer.status == 0
    assert "193 units (commune 193), the first 2 shown" in answer.out
    assert "H22.31.20" in answer.out
    counted = house.run("resolve", "all", "--at", "2024-09-04", "--json", unit="H22").json()
    assert counted["at"].startswith("2024-09-04T00:00:00")
    for selector, code in (("H22 |", "selector.syntax"), ("[/] X", "selector.syntax"),
                           ("X99", "recipient.unknown")):  # fmt: skip
        wrong = house.run("resolve", selector, unit="H22")
        assert wrong.status == 1
        assert code in wrong.err


def test_explaining_says_why_and_why_not(house, key):
    yes = house.run("explain", key, "H22.31.20", unit="H22")
    no = house.run("explain", key, "H22.01", unit="H22")
    assert (yes.status, no.status) == (0, 0)
    assert "receives it" in yes.out
    assert "does not receive it" in no.out
    assert "✓ policy: may receive" in yes.out
    assert "policy" not in no.out
    own = house.run("explain", key, "H22.31.20", unit="H22.31.20")
    assert (own.status, "policy" in own.out) == (0, True)  # not whose it is, but that it receives
    assert house.run("explain", key, "H22.01", "--json", unit="H22").json()["receives"] is False


def test_whoami_names_unit_or_operator_and_never_the_token(house):
    for unit, word in (("H22.31", "(H22.31)"), ("operator", "(operator)")):
        answer = house.run("whoami", unit=unit)
        assert answer.status == 0
        assert word in answer.out
    assert house.run("whoami", "--json", unit="H22.31").json()["code"] == "H22.31"


def test_without_a_token_or_with_a_wrong_one_nothing_is_told(house):
    missing = house.run("whoami")
    assert (missing.status, "token.missing" in missing.err) == (1, True)
    assert "--token-file FILE" in missing.err
    for text, code in (("vb1.no.where", "token.invalid"), ("vb_wrong", "token.malformed")):
        wrong = house.run("inbox", VANBAN__CLIENT__TOKEN=text)
        assert (wrong.status, code in wrong.err) == (1, True)
        assert text not in wrong.err + wrong.out


def test_a_file_that_holds_no_token_is_refused_and_not_shown(house):
    key = (house.home / "data/sample/H22.key.pem").read_text()
    token = house.secrets()[0]
    (house.home / "two.token").write_text(f"{token}\nsecond\n")
    (house.home / "odd.token").write_text("vb1.a.bí-mật-é\n", encoding="utf-8")
    (house.home / "empty.token").write_text("\n")
    files = ("data/sample/H22.key.pem", "data/sample/letter-1.json", "two.token", "odd.token",
             "empty.token", "data/sample/H22.cert.der")  # fmt: skip
    for file in files:
        answer = house.run("submit", "data/sample/letter-1.json", "--token-file", file)
        assert (answer.status, answer.out) == (1, ""), answer
        assert f"token.malformed ({file})" in answer.err
        assert ".token file" in answer.err
        for told in (*key.split(), token, "second", "mật"):
            assert len(told) < 5 or told not in answer.err
    missing = house.run("whoami", "--token-file", "nothing.token")
    assert (missing.status, "nothing.token" in missing.err) == (2, True)
    direct = house.run("whoami", VANBAN__CLIENT__TOKEN=key)
    assert (direct.status, "token.malformed" in direct.err) == (1, True)
    assert not [line for line in key.splitlines()[1:-1] if line in direct.err + direct.out]


def test_everything_is_said_in_vietnamese_too(house):
    for settings in ({"VANBAN_LANG": "vi"}, {"VANBAN_LANG": "", "LC_ALL": "vi_VN.UTF-8"}):
        answer = house.run("resolve", "X99", unit="H22", **settings)
        assert "recipient.unknown" in answer.err
        assert "Không có" in answer.err
    refused = house.run("submit", "data/sample/letter-1.json", unit="H22.01", VANBAN_LANG="vi")
    assert "sender.mismatch" in refused.out
    assert re.search("[ạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", refused.out)
    explained = house.run("whoami", VANBAN_LANG="vi")
    assert "→" in explained.err


def test_lines_fit_100_columns_or_are_one_record_each(house, key):
    """Nothing is cut: codes, keys and whole names stand in what goes to a pipe."""
    for arguments in (["track", key], ["resolve", "all", "--limit", "500"], ["inbox"]):
        wide = house.run(*arguments, unit="H22")
        narrow = house.run(*arguments, unit="H22", COLUMNS="20")
        assert "…" not in wide.out + narrow.out
        assert wide.status == 0
        if arguments[0] != "inbox":
            assert wide.out == narrow.out


def test_commands_on_a_data_directory_ask_the_daemon_that_holds_it(house):
    for arguments in (["check"], ["token", "list"], ["directory", "show", "H22"]):
        answer = house.run(*arguments, "--data", "data")
        assert (answer.status, answer.err) == (0, "")
    made = house.run("token", "create", "--unit", "H22.31", "--name", "beside", "--data", "data")
    assert made.status == 0
    assert "beside" in house.run("token", "list", "--data", "data").out
    wrong = house.run("directory", "show", "H99", "--data", "data")
    assert (wrong.status, "unit.not_found" in wrong.err) == (1, True)
    second = house.run("serve", "--data", "data", "--port", "0")
    assert (second.status, "store.locked" in second.err) == (2, True)


def test_a_directory_whose_owner_does_not_share_it_is_left_alone(tmp_path):
    with Engine.open(tmp_path / "data"):
        answer = vanban("check", "--data", "data", cwd=tmp_path)
    assert (answer.status, "store.locked" in answer.err) == (2, True)


def test_no_secret_is_printed_or_logged(house, key):
    log = (house.home / "daemon.log").read_text()
    printed = house.run("whoami", "--json", unit="H22").out + house.run("inbox", unit="H22").out
    for secret in house.secrets():
        assert secret not in log + printed


# -- the daemon ------------------------------------------------------------------------


def test_sigterm_ends_the_daemon_with_0_and_nothing_is_lost(quiet):
    with serving(quiet.home, "--data", "data") as (process, quiet.url):
        answer = quiet.run("submit", "data/sample/letter-1.json", unit="H22")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    with serving(quiet.home, "--data", "data") as (process, quiet.url):
        again = quiet.run("submit", "data/sample/letter-1.json", unit="H22")
        assert KEY.search(again.out)[1] == KEY.search(answer.out)[1]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_a_daemon_that_is_away_is_trouble_not_a_refusal(quiet):
    for arguments in (["whoami"], ["submit", "data/sample/letter-1.json"], ["track", "0" * 32]):
        answer = quiet.run(*arguments, unit="H22")
        assert answer.status == 2
        assert "server.unreachable" in answer.err
        assert answer.out == ""


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[http]\nport = 'x'\n", "http.port"),
        ("[http]\nprot = 1\n", "http"),
        ("nonsense", "wrong.toml"),
        ("[client]\nurl = 'ftp://x'\n", "client.url"),
    ],
)
def test_wrong_settings_are_named(text, place, tmp_path):
    (tmp_path / "wrong.toml").write_text(text)
    for command in ("serve", "whoami"):
        answer = vanban(command, "--config", "wrong.toml", cwd=tmp_path)
        assert answer.status == 2
        assert "settings.invalid" in answer.err
        assert place in answer.err


def test_settings_that_are_not_there_are_named(tmp_path):
    answer = vanban("serve", "--config", "nothing.toml", cwd=tmp_path)
    assert answer.status == 2
    assert "nothing.toml" in answer.err


def test_a_settings_file_tells_where_the_daemon_is(quiet):
    (quiet.home / "vanban.toml").write_text("data = 'data'\n[http]\nport = 0\n")
    with serving(quiet.home, "--config", "vanban.toml") as (_, url):
        (quiet.home / "me.toml").write_text(
            f"[client]\nurl = '{url}'\ntoken_file = 'data/sample/H22.token'\n"
        )
        answer = vanban("whoami", "--config", "me.toml", cwd=quiet.home)
        assert "(H22)" in answer.out


# -- the data directory ----------------------------------------------------------------


def test_init_makes_private_files_and_does_so_once(quiet):
    listed = {path.name for path in (quiet.home / "data" / "sample").iterdir()}
    assert {"H22.token", "H22.key.pem", "letter-1.json", "letter-3.json"} <= listed
    for path in (quiet.home / "data").rglob("*.token"):
        assert path.stat().st_mode & 0o077 == 0
    again = quiet.run("init", "--data", "data")
    assert again.status == 2
    assert "store.exists" in again.err


def test_init_answers_as_data(tmp_path):
    answer = vanban("init", "--data", "d", "--json", cwd=tmp_path)
    assert answer.json() == {"operator": "d/operator.token"}
    assert (tmp_path / "d" / "operator.token").read_text().strip() not in answer.out


@pytest.mark.parametrize(
    "arguments", [["check"], ["serve"], ["token", "list"], ["directory", "show", "H22"]]
)
def test_a_mistyped_directory_is_not_made(arguments, tmp_path):
    answer = vanban(*arguments, "--data", "typo", cwd=tmp_path)
    assert answer.status == 2
    assert "store.missing" in answer.err
    assert not (tmp_path / "typo").exists()


def test_somebody_elses_directory_is_left_alone(tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("a")
    for arguments in (["check"], ["init"]):
        answer = vanban(*arguments, "--data", "letters", cwd=tmp_path)
        assert answer.status == 2
        assert "store.foreign" in answer.err
    assert [path.name for path in (tmp_path / "letters").iterdir()] == ["a.txt"]


def test_check_finds_a_sound_directory_sound(quiet):
    answer = quiet.run("check", "--data", "data")
    assert (answer.status, "All well" in answer.out) == (0, True)
    assert quiet.run("check", "--data", "data", "--json").json()["wrong"] == []


def test_tokens_are_made_listed_and_ended(quiet):
    token = quiet.run(
        "token", "create", "--unit", "H22.31", "--name", "văn thư", "--days", "2", "--data", "data"
    ).out.strip()
    assert len(token.split()) == 1
    listed = quiet.run("token", "list", "--data", "data")
    (line,) = [line for line in listed.out.splitlines() if " văn thư  " in line]
    assert token not in listed.out
    assert "H22.31" in line
    with serving(quiet.home, "--data", "data") as (_, quiet.url):
        assert quiet.run("whoami", VANBAN__CLIENT__TOKEN=token).status == 0
    token_id = line.split()[0]
    assert quiet.run("token", "revoke", token_id, "--data", "data").status == 0
    with serving(quiet.home, "--data", "data") as (_, quiet.url):
        answer = quiet.run("whoami", VANBAN__CLIENT__TOKEN=token)
        assert (answer.status, "token.invalid" in answer.err) == (1, True)
    twice = quiet.run("token", "revoke", token_id, "--data", "data")
    assert (twice.status, "token.not_found" in twice.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--name", "a"], 2, "--unit or --operator"),
        (["--name", "a", "--unit", "H22", "--operator"], 2, "--unit or --operator"),
        (["--name", "a", "--unit", "X99"], 1, "unit.not_found"),
    ],
)
def test_a_token_is_for_one_known_holder(quiet, arguments, status, said):
    answer = quiet.run("token", "create", *arguments, "--data", "data")
    assert (answer.status, said in answer.err) == (status, True)
    assert answer.out == ""


def test_units_are_imported_closed_and_shown(quiet):
    units = [{"number": 90_001, "code": "H99", "name": "UBND tỉnh Thử [mới]", "tier": 2,
              "kind": "people-committee"}]  # fmt: skip
    file = quiet.home / "units.json"
    file.write_text(json.dumps(units))
    imported = quiet.run("directory", "import", "units.json", "--data", "data")
    assert (imported.status, "1 unit imported" in imported.out) == (0, True), imported
    shown = quiet.run("directory", "show", "H99", "--data", "data")
    assert "UBND tỉnh Thử [mới]" in shown.out
    assert "province" in shown.out
    closed = quiet.run(
        "directory",
        "close",
        "H22.31.20",
        "--at",
        "2037-07-01",
        "--successor",
        "H22.31.21",
        "--data",
        "data",
    )
    assert (closed.status, "2037-07-01" in closed.out) == (0, True), closed
    below = quiet.run("directory", "close", "H22", "--at", "2037-07-01", "--data", "data")
    assert (below.status, "directory.invalid" in below.err) == (1, True)
    assert "2037-07-01" in quiet.run("directory", "show", "H22.31.20", "--data", "data").out
    file.write_text(json.dumps([{**units[0], "number": 90_002}]))
    again = quiet.run("directory", "import", "units.json", "--data", "data")
    assert (again.status, "directory.invalid" in again.err) == (1, True)


@pytest.mark.parametrize("text", ["nonsense", "[{}]", '[{"number": 1, "what": 2}]', "{}"])
def test_a_wrong_list_of_units_changes_nothing(quiet, text):
    (quiet.home / "units.json").write_text(text)
    answer = quiet.run("directory", "import", "units.json", "--data", "data")
    assert answer.status == 1
    assert "directory.invalid" in answer.err


def test_an_unknown_unit_is_not_shown(quiet):
    answer = quiet.run("directory", "show", "X99", "--data", "data")
    assert (answer.status, "unit.not_found" in answer.err) == (1, True)


def test_issuers_are_trusted_and_certificates_bound(quiet):
    from vanban_bench.workloads.test_pki import TestPki

    pki = TestPki.load()
    (quiet.home / "ca.der").write_bytes(pki.ca_der)
    signer = pki.issue(31, "H22.31.21", "UBND phường Trần Phú", kind="ec", index=9)
    (quiet.home / "leaf.der").write_bytes(signer.certificate_der)
    added = quiet.run("trust", "add", "ca.der", "--data", "data", "--json")
    assert added.status == 0
    assert re.fullmatch("[0-9a-f]{64}", added.json()["added"][0]["sha256"])
    bound = quiet.run(
        "trust", "bind", "H22.31.21", "leaf.der", "--from", "2024-01-01", "--data", "data"
    )
    assert (bound.status, "H22.31.21" in bound.out) == (0, True), bound
    (quiet.home / "no.der").write_text("no certificate")
    wrong = quiet.run("trust", "add", "no.der", "--data", "data")
    assert (wrong.status, "holds no certificate" in wrong.err) == (1, True)
    leaf = quiet.run("trust", "add", "leaf.der", "--data", "data")
    assert (leaf.status, "trust.leaf" in leaf.err) == (1, True)
