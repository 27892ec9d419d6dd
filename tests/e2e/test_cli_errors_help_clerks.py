"""What goes wrong at a clerk's desk is told with a code, what to do, and in Vietnamese too."""

from __future__ import annotations

import base64
import json
import shutil

import pytest
from support.commands import serving
from support.house import House, made

VI = {"VANBAN_LANG": "vi"}


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """A house with a running daemon; its first letter also as the bare document l1.json."""
    house = made(tmp_path_factory.mktemp("house"))
    sample = house.home / "data" / "sample"
    envelope = json.loads((sample / "letter-1.json").read_bytes())
    (house.home / "l1.json").write_bytes(base64.b64decode(envelope["payload"]))
    (house.home / "l2.json").write_bytes(base64.b64decode(envelope["payload"]))
    (house.home / "o.cnf").write_text("[req]\nprompt = no\n")
    (house.home / "empty.crl").touch()
    shutil.copy(sample / "H22.cert.der", house.home / "H22.der")
    with serving(house.home, "--data", "data") as (_, house.url):
        yield house


def told(house: House, *arguments: str, **settings: str) -> tuple[int, str]:
    """Run a command as H22; return its status and all it said, in one line."""
    answer = house.run(*arguments, unit="H22", **settings)
    return answer.status, " ".join((answer.out + answer.err).split())


KEY = ("--key", "data/sample/H22.key.pem", "--cert", "H22.der")


@pytest.mark.parametrize(
    ("arguments", "status", "english", "vietnamese"),
    [
        (("sign", "l2.json", "--key", "data/sample/H22.31.key.pem", "--cert", "H22.der"), 1,
         "signature.key_pair: The key and the certificate don't belong together",
         "Khóa bí mật và chứng thư không cùng một cặp"),
        (("sign", "l2.json", "--key", "nokey.pem", "--cert", "H22.der"), 2,
         "file.not_found (nokey.pem): There is no such file. → Check its name",
         "Không có tệp này. → Kiểm tra tên tệp"),
        (("sign", "o.cnf", *KEY), 1,
         "document.foreign (o.cnf): This is no JSON document",
         "Đây không phải văn bản dạng JSON"),
        (("verify", "l1.json"), 1,
         "This file is not a signed envelope; it was not sent. envelope.foreign → Sign the",
         "Tệp này không phải gói tin đã ký; không gửi đi. envelope.foreign → Ký văn bản trước"),
        (("submit", "l1.json"), 1, "→ Sign the document first with “vanban sign”",
         "→ Ký văn bản trước bằng “vanban sign”"),
        (("verify", "nofile.json"), 1,
         "document.or_file_not_found (nofile.json): There is no such file, and no document",
         "Không có tệp này, cũng không có văn bản nào"),
        (("verify",), 2, "Name files or documents", "Nêu tệp hoặc văn bản"),
        (("trust", "crl", "add", "l1.json", "--data", "data"), 1,
         "revocation.malformed (l1.json): This is no revocation data that can be used: it looks",
         "có vẻ là tệp JSON"),
        (("trust", "crl", "add", "H22.der", "--data", "data"), 1, "it looks like a certificate",
         "có vẻ là chứng thư"),
        (("trust", "crl", "add", "data/sample/H22.key.pem", "--data", "data"), 1,
         "it looks like a private key", "có vẻ là khóa bí mật"),
        (("trust", "crl", "add", "empty.crl", "--data", "data"), 1, "the file is empty",
         "tệp rỗng"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_both_languages(house, arguments, status, english, vietnamese):
    for language, said in (({}, english), (VI, vietnamese)):
        ended, text = told(house, *arguments, **language)
        assert ended == status, text
        assert said in text


def test_a_good_certificate_that_is_not_bound_is_named_for_the_operator_to_bind(house):
    for language in ({}, VI):
        key = ("--key", "data/sample/H22.31.key.pem", "--cert", "data/sample/H22.31.cert.der")
        assert told(house, "sign", "l2.json", "--replace", *key)[0] == 0
        status, text = told(house, "submit", "l2.signed.json", **language)
        assert (status, "sender.mismatch" in text) == (1, True), text
        assert "vanban trust bind H22 CERT --from" in text
        assert "SHA-256" in text
        assert "CN=" in text


def test_a_place_in_a_tree_that_is_none_is_told_in_vietnamese(house):
    assert told(house, "sign", "l1.json", "--batch", "--out", "tree", *KEY)[0] == 0
    file = house.home / "tree" / "l1.signed.json"
    envelope = json.loads(file.read_bytes())
    envelope["signatures"][0]["tree"] = "AAAA"
    file.write_text(json.dumps(envelope))
    status, text = told(house, "submit", "tree/l1.signed.json", **VI)
    assert (status, "tree.malformed" in text) == (1, True), text
    assert "không đủ kích thước, số thứ tự, gốc và các nút nguyên vẹn" in text


def test_a_verdict_is_told_in_vietnamese_words(house):
    assert told(house, "sign", "l1.json", "--batch", "--out", "good", *KEY)[0] == 0
    status, text = told(house, "verify", "good/l1.signed.json", **VI)
    assert status == 0, text
    assert "ký chung một lô 1 văn bản" in text
    assert told(house, "submit", "data/sample/letter-1.json")[0] == 0
    stats = told(house, "queue", "stats", "--data", "data", **VI)[1]
    assert " giây)" in stats or " phút)" in stats
