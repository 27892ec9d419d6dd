"""A PKCS #11 token signs as a key file does, and tells a clerk what is wrong with it.

The Debian package softhsm2 is needed: a token in software, with a driver like any other's.
Every step runs in a process of its own, since a driver reads its settings once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from support.commands import Answer, vanban
from support.pki import document, pki, verdict_of

from router.client.signing import encode_document
from router.model.documents import Envelope
from vanban_bench.workloads.test_pki import unit_subject

pytestmark = pytest.mark.system

DRIVERS = [
    Path(folder) / "softhsm" / "libsofthsm2.so"
    for folder in ("/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu")
]
PIN = "83190274"
KEYS = {"rsa": "RSA", "p256": "EC", "p384": "EC", "ed25519": "EC_EDWARDS"}
MAKE = """
import sys
import pkcs11
from pkcs11 import Attribute, KeyType, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters
from pkcs11.util.rsa import encode_rsa_public_key
from asn1crypto.core import PrintableString

driver, pin, folder = sys.argv[1:]
token = pkcs11.lib(driver).get_token(token_label="vanban")
with token.open(rw=True, user_pin=pin) as session:
    def pair(kind, place, curve=None):
        options = {"store": True, "label": f"key-{place}", "id": bytes([place])}
        if curve is None:
            return session.generate_keypair(kind, 2048, **options)[0]
        wanted = {Attribute.EC_PARAMS: curve}
        parameters = session.create_domain_parameters(kind, wanted, local=True)
        return parameters.generate_keypair(**options)[0]

    def write(name, der):
        with open(f"{folder}/{name}.spki", "wb") as file:
            file.write(der)

    write("rsa", encode_rsa_public_key(pair(KeyType.RSA, 1)))
    for place, name, curve in ((2, "p256", "secp256r1"), (3, "p384", "secp384r1")):
        public = pair(KeyType.EC, place, encode_named_curve_parameters(curve))
        write(name, encode_ec_public_key(public))
    edwards = pair(KeyType.EC_EDWARDS, 4, PrintableString("edwards25519").dump())
    point = edwards[Attribute.EC_POINT]
    write("ed25519", bytes.fromhex("302a300506032b6570032100") + point[-32:])
"""
STORE = """
import sys
import pkcs11
from pkcs11 import Attribute, CertificateType, ObjectClass
from pkcs11.util.x509 import decode_x509_certificate

driver, pin, file, place = sys.argv[1:]
with pkcs11.lib(driver).get_token(token_label="vanban").open(rw=True, user_pin=pin) as session:
    with open(file, "rb") as opened:
        attributes = decode_x509_certificate(opened.read())
    session.create_object(attributes | {Attribute.TOKEN: True, Attribute.ID: bytes([int(place)])})
"""
WITHOUT_HASHING = """
import sys
from pathlib import Path
from router.client.signing_tokens import open_token

driver, pin, certificate = sys.argv[1:]
with open_token(driver, pin=pin, token="vanban", key_id=b"\\x01") as key:
    key._mechanisms = frozenset(one for one in key._mechanisms if "SHA" not in one.name)
    for algorithm in ("RS256", "RS384", "RS512", "PS256"):
        key.signer(Path(certificate).read_bytes(), algorithm).sign(b"payload")
    assert pin not in repr(key) + repr(vars(key))
try:
    key.signer(Path(certificate).read_bytes()).sign(b"payload")
except Exception as error:
    assert error.code == "signing.token", error
else:
    raise AssertionError("a closed token signed")
"""


class Token:
    """A software token in a folder, and `vanban sign` with it."""

    def __init__(self, home: Path, driver: Path) -> None:
        self.home = home
        self.driver = str(driver)
        self.settings = {"SOFTHSM2_CONF": str(home / "softhsm2.conf")}
        (home / "tokens").mkdir()
        (home / "softhsm2.conf").write_text(f"directories.tokendir = {home}/tokens\n")
        (home / "pin").write_text(f"{PIN}\n")

    def run(self, *command: str) -> None:
        environment = os.environ | self.settings
        subprocess.run(command, check=True, env=environment, capture_output=True, timeout=120)

    def make(self, label: str) -> None:
        self.run("softhsm2-util", "--init-token", "--free", "--label", label,
                 "--pin", PIN, "--so-pin", "11223344")  # fmt: skip

    def python(self, program: str, *arguments: str) -> None:
        self.run(sys.executable, "-P", "-c", program, self.driver, PIN, *arguments)

    def sign(self, *arguments: str, **settings: str) -> Answer:
        answer = vanban("sign", *arguments, "--replace", "--module", self.driver, cwd=self.home,
                        **self.settings, **settings)  # fmt: skip
        assert PIN not in answer.out + answer.err
        return answer


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    driver = next((one for one in DRIVERS if one.exists()), None)
    if driver is None or shutil.which("softhsm2-util") is None:
        pytest.skip("the Debian package softhsm2 is not installed")
    made = Token(tmp_path_factory.mktemp("token"), driver)
    made.make("vanban")
    made.python(MAKE, str(made.home))
    for place, name in enumerate(KEYS, start=1):
        public = load_der_public_key((made.home / f"{name}.spki").read_bytes())
        der = pki().ca.certify(public, unit_subject("H22", "UBND tỉnh"), serial=500 + place)
        (made.home / f"{name}.der").write_bytes(der)
    made.python(STORE, str(made.home / "p256.der"), "2")
    for number in range(1, 6):
        text = encode_document(document(number=str(number), document_id=f"H22|{number}"))
        (made.home / f"letter-{number}.json").write_bytes(text)
    return made


def verified(file: Path) -> str:
    """The algorithm of an envelope whose signatures are good."""
    made = msgspec.json.decode(file.read_bytes(), type=Envelope)
    verdict = verdict_of(*made.signatures, payload=made.payload)
    assert verdict.status == "valid", verdict
    return verdict.signatures[0].algorithm


@pytest.mark.parametrize(
    ("name", "place", "algorithm"),
    [
        ("rsa", 1, "RS256"), ("rsa", 1, "RS384"), ("rsa", 1, "RS512"), ("rsa", 1, "PS256"),
        ("rsa", 1, "PS384"), ("rsa", 1, "PS512"), ("p256", 2, "ES256"), ("p384", 3, "ES384"),
        ("ed25519", 4, "EdDSA"),
    ],
)  # fmt: skip
def test_the_token_signs_with_every_algorithm(token, name, place, algorithm):
    answer = token.sign("letter-1.json", "--cert", f"{name}.der", "--key-label", f"key-{place}",
                        "--algorithm", algorithm, "--pin-file", "pin")  # fmt: skip
    assert answer.status == 0, answer
    assert verified(token.home / "letter-1.signed.json") == algorithm


def test_a_token_that_does_not_hash_is_given_the_digest(token):
    """Every signature is verified by the signer before it leaves it."""
    token.python(WITHOUT_HASHING, str(token.home / "rsa.der"))


def test_a_batch_asks_the_token_once_and_takes_the_certificate_from_it(token):
    letters = [f"letter-{number}.json" for number in range(1, 6)]
    answer = token.sign(*letters, "--batch", "--key-id", "02", "--token", "vanban", VANBAN_PIN=PIN)
    assert answer.status == 0, answer
    assert "with one signature" in answer.out
    for number in range(1, 6):
        assert verified(token.home / f"letter-{number}.signed.json") == "ES256"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--token", "another", "--pin-file", "pin"], "signing.token_missing"),
        (["--slot", "7", "--pin-file", "pin"], "signing.token_missing"),
        (["--key-label", "another", "--pin-file", "pin"], "signing.key_missing"),
        (["--pin-file", "pin"], "signing.key_ambiguous"),
        (["--key-id", "01", "--pin-file", "pin"], "signing.certificate_missing"),
        (["--key-id", "02"], "signing.pin_missing"),
        (["--key-id", "03", "--cert", "p256.der", "--pin-file", "pin"], "signature.key_pair"),
        (["--key-id", "01", "--cert", "p256.der", "--pin-file", "pin"], "sign"),
    ],
)
def test_what_is_wrong_is_told_in_both_languages(token, arguments, code):
    for language in ("en", "vi"):
        answer = token.sign("letter-2.json", *arguments, VANBAN_LANG=language)
        assert answer.status in {1, 2}
        assert answer.err.startswith(code), answer
        assert "→" in answer.err
        assert not (token.home / "out").exists()


def test_a_wrong_pin_is_told_and_not_shown(token):
    (token.home / "wrong").write_text("99887766\n")
    answer = token.sign("letter-3.json", "--key-id", "02", "--pin-file", "wrong")
    assert (answer.status, "signing.pin_wrong" in answer.err) == (2, True), answer
    assert "99887766" not in answer.err + answer.out
    assert token.sign("letter-3.json", "--key-id", "02", "--pin-file", "pin").status == 0


def test_one_of_two_tokens_is_chosen_by_its_label(token):
    token.make("second")
    try:
        answer = token.sign("letter-4.json", "--key-id", "02", "--pin-file", "pin")
        assert "signing.token_ambiguous" in answer.err
        named = token.sign("letter-4.json", "--key-id", "02", "--pin-file", "pin",
                           "--token", "vanban")  # fmt: skip
        assert named.status == 0, named
    finally:
        token.run("softhsm2-util", "--delete-token", "--token", "second")
