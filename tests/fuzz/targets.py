"""The targets: each takes any bytes, and raises only when the router is at fault.

Refusals of ours are what bad bytes are meant to get, so they end a run well.  Beyond "no other
exception" each target states what no change of bytes may lead to: something is good that nobody
made so.  Parts of an input stand between separators, which a fuzzer moves about more easily than
lengths.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

import msgspec
from cryptography.x509 import ocsp
from support.pki import AT_US, pki, trust_of
from support.revocation import HOUR, NOW, NOW_US, entry, root, trusting
from support.revocation_views import View

from router._plain_envelopes import PlainEnvelopes
from router.client.signing import make_envelopes
from router.errors import SignatureRefusedError, VanbanError
from router.model.documents import Envelope, SignatureEntry
from router.signatures import Verifier, VerifyItem
from router.signatures.algorithms import ALGORITHMS, sign_raw
from router.signatures.certificates import check_leaf, read_certificate
from router.signatures.encoding import decode_url, encode_url
from router.signatures.jws import signing_input
from router.signatures.paths import judge_path
from router.signatures.revocation import RevocationStore
from router.signatures.trees import (
    leaf_hash,
    read_place,
    root_statement,
    split_nodes,
    verify_inclusion,
)

SEPARATOR = b"\xff\x00\xfe\x00"
SIGN_AGAIN, AS_TEXT, IN_TREE = 1, 2, 4

_KEY = pki().key("ec", 0)
_SIGNER = pki().issue(1, "H22", "UBND tỉnh", kind="ec", index=0)
_TRUST = trust_of()
_PAYLOADS = [b'{"number":"%d"}' % number for number in range(5)]
_SINGLE = [(payload, _SIGNER.sign(payload)) for payload in _PAYLOADS[:2]]
_ENVELOPES = list(make_envelopes(_PAYLOADS, [_SIGNER]))
_RAWS = [msgspec.json.encode(one) for one in _ENVELOPES]
_PLACES = [read_place(one.signatures[0].tree) for one in _ENVELOPES]
_decode = msgspec.json.Decoder(Envelope).decode
_VERIFIER = Verifier(1, 60.0)

_ROOT = root()
_MIDDLE = _ROOT.child("CA of state agencies", 31)
_LEAF = _MIDDLE.leaf(7)
_VIEW = trusting(_ROOT)
_BOTH = trusting(_ROOT, _MIDDLE)
_REVOKED, _GOOD = 9, 8
_LISTS = (_ROOT.crl(), _MIDDLE.crl([entry(_REVOKED), entry(10)]))


class FlawError(AssertionError):
    """Bytes that nobody made good were taken for good, or a flaw was only logged."""


class _Flaws(logging.Handler):
    """Paths are judged on a thread of their own, where a flaw ends in the log."""

    def emit(self, record: logging.LogRecord) -> None:
        self.found = record
        if record.exc_info is not None and record.exc_info[1] is not None:
            self.cause = record.exc_info[1]

    found: logging.LogRecord | None = None
    cause: BaseException | None = None


_flaws = _Flaws(logging.ERROR)
logging.getLogger("router.signatures").addHandler(_flaws)


def _see(true: bool, said: str) -> None:
    if not true:
        raise FlawError(said)


def signature(data: bytes) -> None:
    """One signature entry with its document: switches, header, signature, place, payload.

    With `SIGN_AGAIN` the changed header is rightly signed, so that what lies behind the
    signature is reached as well.
    """
    switches = data[0] if data else 0
    parts = (data[1:].split(SEPARATOR, 3) + [b""] * 3)[:4]
    header, signed, place, payload = parts
    as_text = switches & AS_TEXT
    protected = header.decode("latin-1") if as_text else encode_url(header)
    spelled = signed.decode("latin-1") if as_text else encode_url(signed)
    tree = (place.decode("latin-1") if as_text else encode_url(place)) if place else ""
    if switches & SIGN_AGAIN and protected.isascii():
        message = payload
        if switches & IN_TREE and len(place) >= 40:
            message = root_statement(int.from_bytes(place[:4], "big"), place[8:40])
        asked = signing_input(protected, message)
        spelled = encode_url(sign_raw(ALGORITHMS["ES256"], _KEY, asked))
    form = "merkle" if switches & IN_TREE else "jws"
    item = VerifyItem(payload, (SignatureEntry(form, protected, spelled, tree=tree),))
    (verdict,) = _VERIFIER.verify_batch([item], _TRUST, None, AT_US)
    msgspec.json.encode(verdict)
    _see(_flaws.found is None, f"a flaw was logged: {_flaws.cause!r}")
    if verdict.status == "valid":
        again = bool(switches & SIGN_AGAIN)
        _see(again or payload in _PAYLOADS, "a document that was never signed is valid")
        known = _SIGNER.sign(b"").protected, _ENVELOPES[0].signatures[0].protected
        _see(again or protected in known, "a header that was never signed is valid")


def _signature_seeds() -> list[bytes]:
    found = []
    for switches in (0, SIGN_AGAIN):
        for payload, one in _SINGLE:
            parts = (decode_url(one.protected), decode_url(one.signature), b"", payload)
            found.append(bytes([switches]) + SEPARATOR.join(parts))
        for envelope in _ENVELOPES[:3]:
            (one,) = envelope.signatures
            parts = (
                decode_url(one.protected), decode_url(one.signature), decode_url(one.tree),
                envelope.payload,
            )  # fmt: skip
            found.append(bytes([switches | IN_TREE]) + SEPARATOR.join(parts))
    payload, one = _SINGLE[0]
    text = (one.protected.encode(), one.signature.encode(), b"", payload)
    found.append(bytes([AS_TEXT]) + SEPARATOR.join(text))
    return found


def envelope(data: bytes) -> None:
    """A whole envelope as it travels: what is read at once is what a JSON decoder reads."""
    (fast,) = _VERIFIER.verify_envelopes([data], _TRUST, None, AT_US)
    (found,) = PlainEnvelopes().read([data])
    if found is None and fast.status == "invalid":
        return
    decoded = _decode(data)
    (slow,) = _VERIFIER.verify_batch([decoded], _TRUST, None, AT_US)
    _see(fast == slow, "bytes and what they are decoded to have two verdicts")
    if found is not None:
        protected, spelled, message = found
        (one,) = decoded.signatures
        _see(one == SignatureEntry("jws", protected, one.signature), "another entry was read")
        _see(encode_url(spelled) == one.signature, "another signature was read")
        _see(message == signing_input(protected, decoded.payload), "another message was read")
        _see(decoded == Envelope(1, decoded.payload, (one,)), "something was left out")


def _envelope_seeds() -> list[bytes]:
    plain = [Envelope(1, payload, (one,)) for payload, one in _SINGLE]
    written = [msgspec.json.encode(one) for one in plain]
    reordered = dict(reversed(msgspec.json.decode(written[0]).items()))
    return [*written, _RAWS[0], msgspec.json.encode(reordered)]


def tree(data: bytes) -> None:
    """The place of a document in a tree, and whole envelopes of trees as they travel."""
    kind, rest = (data[0] % 3 if data else 0), data[1:]
    if kind == 0:
        (found,) = _VERIFIER._caches.trees.find_raw([rest])
        if found is not None:
            envelope = _decode(rest)
            _see(envelope.payload == _PAYLOADS[found[1]], "another document was proven")
        return
    spelled, _, payload = rest.partition(SEPARATOR)
    try:
        place = read_place(spelled.decode("latin-1") if kind == 1 else encode_url(spelled))
        verify_inclusion(
            leaf_hash(payload), place.index, place.size, split_nodes(place.proof), place.root
        )
    except SignatureRefusedError:
        return
    if place.root == _PLACES[0].root and place.size == len(_PAYLOADS):
        _see(payload == _PAYLOADS[place.index], "another document was proven")


def _tree_seeds() -> list[bytes]:
    for _ in range(2):  # the tree is remembered once its signer is known
        _VERIFIER.verify_envelopes(_RAWS, _TRUST, None, AT_US)
    _see(len(_VERIFIER._caches.trees) == 1, "the tree is not remembered")
    found = [b"\0" + raw for raw in _RAWS]
    for envelope in _ENVELOPES:
        text = envelope.signatures[0].tree
        found.append(b"\1" + text.encode() + SEPARATOR + envelope.payload)
        found.append(b"\2" + decode_url(text) + SEPARATOR + envelope.payload)
    return found


def certificate(data: bytes) -> None:
    """A signer's certificate with those that are sent along, to a path and its verdict."""
    parts = data.split(SEPARATOR, 4)
    try:
        leaf, *others = [read_certificate(part) for part in parts]
        check_leaf(leaf)
    except SignatureRefusedError:
        return
    verdict = judge_path(leaf, others, _VIEW, View(lists=_LISTS), NOW_US)
    _see(verdict.good_from <= NOW_US <= verdict.good_until, "a verdict not for its instant")
    if verdict.status == "invalid":
        str(verdict.as_error()).encode()
    _see(verdict.status != "valid" or leaf == _LEAF, "a certificate nobody issued is valid")


def _certificate_seeds() -> list[bytes]:
    chain = [_LEAF.der, _MIDDLE.certificate.der, _ROOT.certificate.der]
    return [_LEAF.der, *(SEPARATOR.join(chain[:size]) for size in (2, 3))]


def revocation(data: bytes) -> None:
    """A revocation list or an OCSP response: it comes from an authority, or is refused."""
    store = RevocationStore()
    try:
        store.add(data, _BOTH, NOW_US)
    except VanbanError:
        return
    store.wanted(_BOTH, NOW_US)
    store.states(_BOTH, NOW_US)
    issuer = _MIDDLE.certificate
    said = {serial: store.view.status(issuer, serial, NOW_US).kind for serial in (_REVOKED, _GOOD)}
    _see(said[_REVOKED] != "good", "a revoked certificate became good")
    _see(said[_GOOD] != "revoked", "a good certificate became revoked")


def _revocation_seeds() -> list[bytes]:
    revoked = ocsp.OCSPCertStatus.REVOKED
    return [
        *_LISTS,
        _MIDDLE.response(_MIDDLE.leaf(_GOOD)),
        _MIDDLE.response(_MIDDLE.leaf(_REVOKED), status=revoked, revoked=NOW - HOUR),
        _MIDDLE.response(_MIDDLE.leaf(_GOOD), responder=_MIDDLE.responder()),
    ]


class Target(NamedTuple):
    """What is fuzzed, whole inputs to begin with, and the longest input in bytes."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    bytes_max: int


TARGETS = {
    "signature": Target(signature, _signature_seeds, 8_192),
    "envelope": Target(envelope, _envelope_seeds, 8_192),
    "tree": Target(tree, _tree_seeds, 8_192),
    "certificate": Target(certificate, _certificate_seeds, 8_192),
    "revocation": Target(revocation, _revocation_seeds, 8_192),
}
