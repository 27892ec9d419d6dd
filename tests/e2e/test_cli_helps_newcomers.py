"""What a newcomer to the `vanban` command does wrong, or asks next, is answered in plain words."""

from __future__ import annotations

import re
import signal

import pytest
from support.commands import serving, vanban
from support.house import KEY, made

KEY_VI = re.compile(r"\bkhóa ([0-9a-f]{32})\b")


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


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["submit", "data/sample/H22.key.pem"], 1, "not a signed envelope; it was not sent"),
        (["track", "0191b"], 2, "SENDER|DOCUMENT ID"),
        (["explain", "0191b", "H22"], 2, "32 characters"),
        (["inbox", "--limit", "0"], 2, "1<=x<=1024"),
        (["track", "0" * 32, "--page", "-1"], 2, "x>=0"),
        (["whoami", "--url", "127.0.0.1:8080"], 2, "must look like http://127.0.0.1:8080"),
        (["resolve", "H22.31, H22.32"], 1, "write “|” between recipients"),
        (["resolve", "decendants(H22)"], 1, "did you mean “descendants”?"),
        (["resolve", "tier(xã)"], 1, "“xã”"),
        (["resolve", "Sở Nội vụ"], 1, "named by code, e.g. H22.32.21"),
        (["ack", "nonsense"], 1, "Use the id the inbox gave"),
        (["refuse", "nonsense", "--reason", "x"], 1, "delivery.not_found"),
    ],
)  # fmt: skip
def test_a_newcomers_mistake_is_answered_with_what_to_do(house, arguments, status, said):
    answer = house.run(*arguments, unit="H22")
    assert answer.status == status, answer
    assert said in " ".join((answer.out + answer.err).replace("│", " ").split())


def test_what_was_acknowledged_is_not_returned_and_the_command_says_so(house, key):
    unit = "H22.01"
    assert house.run("submit", "data/sample/letter-2.json", unit="H22").status == 0
    (delivery, *_) = house.run("inbox", "--json", unit=unit).json()
    waits = house.run("inbox", unit=unit)
    assert "come back when it runs out" in waits.out
    assert house.run("ack", delivery["delivery"], unit=unit).status == 0
    answer = house.run("refuse", delivery["delivery"], "--reason", "x", unit=unit)
    assert answer.status == 1
    assert "NOT returned: it was acknowledged before" in answer.out


def test_the_inbox_names_documents_as_explain_takes_them_and_where_it_saved(house, key):
    shown = house.run("inbox", "--limit", "1", "--save", "kept", unit="H22.31")
    if "Nothing waits" in shown.out:
        pytest.fail(shown.out)
    assert "1 document written below kept" in shown.out
    (name,) = re.findall(r"\bH22\|H22,\S+", shown.out)
    answer = house.run("explain", name, "H22.31", unit="H22.31")
    assert (answer.status, "receives it" in answer.out) == (0, True)


def test_a_page_says_which_deliveries_it_shows(house, key):
    board = house.run("track", key, "--limit", "4", "--page", "1", unit="H22")
    assert "Deliveries 5–8 of 193; next: --page 2" in board.out


def test_why_not_names_no_policy(house, key):
    assert "policy" not in house.run("explain", key, "H22.01", unit="H22").out


def test_tables_and_outcomes_are_in_vietnamese_when_asked(house, key):
    vi = {"VANBAN_LANG": "vi"}
    sent = house.run("submit", "data/sample/letter-1.json", unit="H22", **vi)
    assert "đã có từ trước" in sent.out
    assert "193 nơi nhận" in sent.out
    board = house.run("track", KEY_VI.search(sent.out)[1], "--limit", "2", unit="H22", **vi)
    for said in ("Lượt gửi 1–2 trên 193", "trạng thái", "đang chờ", "xã"):
        assert said in board.out
    listed = house.run("resolve", "tier(commune)", "--limit", "1", unit="H22", **vi)
    assert "193 đơn vị (xã 193), hiện 1 đơn vị đầu" in listed.out
    assert "Không có văn bản" in house.run("inbox", unit="H22.01", **vi).out
    mismatch = house.run("submit", "data/sample/letter-1.json", unit="H22.01", **vi)
    assert "Mã truy cập không thuộc đơn vị gửi H22" in mismatch.out


def test_a_port_that_is_taken_is_said_in_plain_words(quiet, house):
    port = house.url.rpartition(":")[2]
    answer = quiet.run("serve", "--data", "data", "--port", port)
    assert answer.status == 2
    assert f"port {port} is taken by another program" in answer.err


def test_the_ready_file_goes_when_the_daemon_does(quiet):
    (quiet.home / "ready").write_text("stale")
    with serving(quiet.home, "--data", "data") as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not (quiet.home / "ready").exists()


def test_a_key_or_a_ca_in_the_place_of_a_certificate_is_named(quiet):
    from vanban_bench.workloads.test_pki import TestPki

    (quiet.home / "ca.der").write_bytes(TestPki.load().ca_der)
    key = "data/sample/H22.key.pem"
    for arguments, said in (
        (["add", key], "holds a private key, not a certificate"),
        (["bind", "H22", key, "--from", "2024-01-01"], "holds a private key"),
        (["bind", "H22", "ca.der", "--from", "2024-01-01"], "CA's certificate"),
    ):
        answer = quiet.run("trust", *arguments, "--data", "data")
        assert (answer.status, said in answer.err) == (1, True), answer


def test_a_sample_says_that_it_is_one(tmp_path):
    answer = vanban("init", "--sample", cwd=tmp_path)
    assert "TEST ONLY" in answer.err
    assert "letter 3 (from H22.31)" in answer.out
