"""The hot path: from a signature entry to its verdict, for signers whose path is known.

Everything that is the same for all documents of a signer in one batch is made once
(`Prepared`); a document costs one look-up, the spelling of its signature, and the signature
itself, which `cryptography` checks without the interpreter's lock.  A signer whose path is not
known yet is put aside (`Pending`), after his signature was found good.

A document signed in a tree costs its hash and about one more (`trees`).  What is proven of a
tree is remembered between batches only for signers whose path is valid; all others have a
memory of their own that ends with the batch, so that junk can't push out what is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

import msgspec
from msgspec.structs import replace

from router._json import find_duplicate_member
from router._trees import VerifiedTree
from router.errors import SignatureRefusedError
from router.limits import (
    ENVELOPE_BYTES_MAX,
    SIGNATURES_MAX,
    TREES_UNJUDGED_BYTES_MAX,
    VERIFY_CHUNK_DOCUMENTS,
)
from router.model.documents import ENVELOPE_VERSION, Envelope, SignatureEntry
from router.signatures.algorithms import checker
from router.signatures.authorities import TrustView
from router.signatures.caches import Caches, KnownPath, RevocationSnapshot, Signer
from router.signatures.certificates import check_leaf, plain, read_certificate
from router.signatures.cold import ColdPaths, Flight, path_key
from router.signatures.jws import check_form, check_header_form, read_header, read_signature
from router.signatures.renewal import renewed
from router.signatures.trees import TreeMemory
from router.signatures.verdicts import Missing, SignatureVerdict, TreeProof, Verdict


class VerifyItem(msgspec.Struct, frozen=True):
    """One document to verify: the signed bytes as received, and its signature entries."""

    payload: bytes
    signatures: tuple[SignatureEntry, ...]


_envelopes: Final = msgspec.json.Decoder(Envelope)


class Signed(Protocol):
    """What has signed bytes and signature entries: a VerifyItem or an Envelope."""

    @property
    def payload(self) -> bytes:
        """The signed bytes as received."""

    @property
    def signatures(self) -> tuple[SignatureEntry, ...]:
        """The entries, all of which must be good."""


class Prepared:
    """What is the same for every document of one protected header in one batch.

    Of `verdict` and `refusal` one is set when the path is known; `whole` is the verdict over
    a document that has this signature only, but for its place in a tree.  Threads share it
    without a lock: what two of them make at once is equal.
    """

    __slots__ = (
        "check", "flight", "form", "header", "missing", "refusal", "signer", "trees", "verdict",
        "whole",
    )  # fmt: skip

    def __init__(self, protected: str, signer: Signer) -> None:
        self.check = signer.check
        self.form = signer.form
        self.trees = TreeMemory(TREES_UNJUDGED_BYTES_MAX) if signer.form == "merkle" else None
        self.header = protected.encode("ascii") + b"."
        self.signer = signer
        self.verdict: SignatureVerdict | None = None
        self.missing: tuple[Missing, ...] = ()
        self.whole: Verdict | None = None
        self.refusal: SignatureRefusedError | None = None
        self.flight: Flight | None = None


Found: TypeAlias = tuple[Prepared, TreeProof | None]
"""Whose a good signature is, and where the document stands in the tree that was signed."""


class Pending:
    """A document all of whose signatures are good, with signers whose path is being checked."""

    __slots__ = ("parts", "place")

    def __init__(self, place: int, parts: list[Found]) -> None:
        self.place = place
        self.parts = parts


class Batch:
    """One call of `verify_batch`: what it is judged by, and what was prepared for it."""

    def __init__(
        self,
        caches: Caches,
        cold: ColdPaths,
        view: TrustView,
        revocation: RevocationSnapshot,
        at_us: int,
    ) -> None:
        self._caches = caches
        self._cold = cold
        self._view = view
        self._revocation = revocation
        self._revocation_version = revocation.version
        self._at_us = at_us
        self._prepared: dict[str, Prepared] = {}
        self._wholes: dict[VerifiedTree, Verdict] = {}
        self._run = 1  # how many envelopes are asked about at once; threads may overwrite it
        self.pending: list[Pending] = []

    def verify(self, items: Sequence[Signed], first: int, results: list[Verdict | None]) -> None:
        """Judge documents into their places of `results`, from `first` on.

        What waits for a path goes to `pending`, and has no result yet.
        """
        prepared = self._prepared
        for place, item in enumerate(items, first):
            entries = item.signatures
            if len(entries) == 1:
                entry = entries[0]
                if entry.form == "merkle":
                    found = self._caches.trees.find(entry, item.payload)
                    if found is not None:
                        results[place] = verdict = self._in_known_tree(found)
                        if verdict is not None:
                            continue
                ready = prepared.get(entry.protected)
                if (
                    ready is not None
                    and ready.whole is not None
                    and entry.form == "jws" == ready.form
                ):
                    try:
                        _check(ready, entry, item.payload)
                    except SignatureRefusedError as error:
                        results[place] = self._refused(error, 0)
                    else:
                        results[place] = ready.whole
                    continue
            results[place] = self._verify(item, place)

    def verify_raw(self, raws: Sequence[bytes], first: int, results: list[Verdict | None]) -> None:
        """Read envelopes (JSON) and judge them, as `verify` does.

        Those spelled as our client spells them are not read into objects.  Of trees, in runs
        that begin with a document of a remembered one, since the first of a tree is not; after
        a chunk of nothing else no others are looked for.
        """
        rest: Sequence[int] = range(first, first + len(raws))
        if self._run < VERIFY_CHUNK_DOCUMENTS:
            rest = self._verify_plain(raws, first, results)
        at = 0
        while at < len(rest):
            some = rest[at : at + self._run]
            run = min(2 * self._run, VERIFY_CHUNK_DOCUMENTS)
            proven = self._caches.trees.find_raw([raws[place - first] for place in some])
            for place, found in zip(some, proven, strict=True):
                verdict = None if found is None else self._in_known_tree(found)
                if verdict is None:
                    run = 1
                    self._verify_one(raws[place - first], place, results)
                else:
                    results[place] = verdict
            at += len(some)
            self._run = run

    def _verify_plain(
        self, raws: Sequence[bytes], first: int, results: list[Verdict | None]
    ) -> list[int]:
        """Judge what has one signature of form "jws" and a path that is valid.

        Returns the places of the others, which have no result yet.
        """
        rest = []
        prepared = self._prepared
        read = self._caches.plain.read(list(raws))
        self._prepare_remembered(read)
        for place, found in enumerate(read, first):
            if found is None:
                rest.append(place)
                continue
            protected, signature, message = found
            try:
                ready = prepared.get(protected) or self._prepare(protected)
                if ready.whole is None or ready.form != "jws":
                    rest.append(place)
                    continue
                ready.check(signature, message)
            except SignatureRefusedError as error:
                results[place] = self._refused(error, 0)
            else:
                results[place] = ready.whole
        return rest

    def _verify_one(self, raw: bytes, place: int, results: list[Verdict | None]) -> None:
        envelope = _read(raw)
        if isinstance(envelope, SignatureRefusedError):
            results[place] = Verdict(
                status="invalid",
                trust_version=self._view.version,
                code=envelope.code,
                path=envelope.path,
                facts=envelope.facts,
            )
        else:
            self.verify((envelope,), place, results)

    def _in_known_tree(self, found: tuple[VerifiedTree, int]) -> Verdict | None:
        """Return the verdict over a document that is proven to stand in a remembered tree.

        None: ask the long way, which prepares the signer.  What is prepared is found by the
        tree, since hashing the header's text for each document would cost more than a node.
        """
        tree, index = found
        whole = self._wholes.get(tree)
        if whole is None:
            ready = self._prepared.get(tree.protected)
            if ready is None or ready.whole is None:
                return None
            whole = self._wholes[tree] = ready.whole
        proof = TreeProof(tree.told, tree.size, index)
        return replace(whole, signatures=(replace(whole.signatures[0], tree=proof),))

    def settle(self, until: float, results: list[Verdict | None]) -> None:
        """Give what is pending its verdict, waiting for paths until `until` (monotonic)."""
        for pending in self.pending:
            results[pending.place] = self._settle(pending, until)

    def _settle(self, pending: Pending, until: float) -> Verdict:
        for index, (part, _) in enumerate(pending.parts):
            if part.verdict is None and part.refusal is None:
                path = None if part.flight is None else part.flight.wait(until)
                self._judged(part, path if path is not None and self._holds(path) else None)
            if part.refusal is not None:
                return self._refused(_again(part.refusal), index)
        return self._good(pending.parts)

    def _verify(self, item: Signed, place: int) -> Verdict | None:
        index = -1
        parts: list[Found] = []
        try:
            _check_count(item)
            for index, entry in enumerate(item.signatures):  # noqa: B007 (the except needs it)
                parts.append(self._verify_entry(entry, item.payload))
        except SignatureRefusedError as error:
            return self._refused(error, index)
        if any(part.verdict is None for part, _ in parts):
            self.pending.append(Pending(place, parts))
            return None
        return self._good(parts)

    def _verify_entry(self, entry: SignatureEntry, payload: bytes) -> Found:
        check_form(entry)
        part = self._prepared.get(entry.protected)
        if part is None:
            part = self._prepare(entry.protected)
        check_header_form(entry, part.form)
        if part.refusal is not None:
            raise _again(part.refusal)
        tree = _check(part, entry, payload)
        if part.verdict is None and part.flight is None:
            part.flight = self._cold.ask(part.signer, self._view, self._revocation, self._at_us)
        return part, tree

    def _prepare_remembered(self, read: Sequence[tuple[str, bytes, bytes] | None]) -> None:
        """Prepare the signers that are remembered before their signatures are checked.

        A check lets the interpreter's lock go: threads that prepare between checks would wait
        for each other every time, and do everything twice.
        """
        headers = {found[0] for found in read if found is not None}
        for protected in headers.difference(self._prepared):
            digest = _digest(protected)
            signer = self._caches.signers.get(digest)
            if signer is not None:
                self._prepare_signer(protected, digest, signer)

    def _prepare(self, protected: str) -> Prepared:
        digest = _digest(protected)
        signer = self._caches.signers.get(digest) or read_signer(protected)
        return self._prepare_signer(protected, digest, signer)

    def _prepare_signer(self, protected: str, digest: bytes, signer: Signer) -> Prepared:
        path = signer.path
        if path is None or not self._holds(path):
            path = self._caches.path(signer.path_key)
            if path is None or not self._holds(path):
                signer = signer if signer.certificate is not None else read_signer(protected)
                path = self._renewed(signer, path)
        part = Prepared(protected, signer)
        if path is not None:
            self._judged(part, path)
            if path.status == "valid":
                self._remember(digest, signer, path)
        self._prepared[protected] = part
        return part

    def _renewed(self, signer: Signer, path: KnownPath | None) -> KnownPath | None:
        """Return a path that was valid with the revocation data of now, if they say so plainly."""
        view, certificate = self._view, signer.certificate
        if path is None or path.status != "valid" or path.authorities is not view.authorities:
            return None
        assert certificate is not None
        path = renewed(path, certificate, view, self._revocation, self._at_us)
        if path is not None:
            self._caches.keep(signer.path_key, path)
        return path

    def _holds(self, path: KnownPath) -> bool:
        return path.holds(self._view.authorities, self._revocation, self._at_us)

    def _remember(self, digest: bytes, signer: Signer, path: KnownPath) -> None:
        """Keep a signer that was found trusted: junk can't push out what is used."""
        signer.path = path
        signer.certificate, signer.others = None, ()
        if self._caches.signers.get(digest) is not signer:
            self._caches.signers.put(digest, signer)

    def _judged(self, part: Prepared, path: KnownPath | None) -> None:
        """Take over what is known of the path; None: nothing yet, so the document waits."""
        signer = part.signer
        if path is not None and path.status == "invalid":
            part.refusal = SignatureRefusedError(path.code, path=path.where, **path.facts)
            return
        if path is None:
            part.missing = (Missing("path", signer.certificate_sha256, signer.issuer),)
        else:
            part.missing = path.missing
        part.verdict = SignatureVerdict(
            certificate_sha256=signer.certificate_sha256,
            subject=signer.subject,
            issuer=signer.issuer,
            serial=signer.serial,
            algorithm=signer.algorithm,
            valid_from=signer.valid_from,
            valid_to=signer.valid_to,
            status="indeterminate" if path is None else path.status,
            code="" if path is None else path.code,
            facts={} if path is None else path.facts,
            chain=() if path is None else path.chain,
            evidence=() if path is None else path.evidence,
            signed_at=self._at_us,
        )
        if path is not None and path.status == "valid":
            if part.trees is not None:
                part.trees = self._caches.trees
            part.whole = Verdict(
                status="valid",
                trust_version=self._view.version,
                signatures=(part.verdict,),
                missing=part.missing,
                revocation_version=self._revocation_version,
            )

    def _good(self, parts: Sequence[Found]) -> Verdict:
        """Return the verdict over a document whose signatures are all good."""
        signatures = tuple(
            part.verdict if tree is None else replace(part.verdict, tree=tree)
            for part, tree in parts
            if part.verdict is not None
        )
        waits = any(one.status == "indeterminate" for one in signatures)
        return Verdict(
            status="indeterminate" if waits else "valid",
            trust_version=self._view.version,
            signatures=signatures,
            missing=tuple(missing for part, _ in parts for missing in part.missing),
            revocation_version=self._revocation_version,
        )

    def _refused(self, error: SignatureRefusedError, place: int) -> Verdict:
        path = "signatures" if place < 0 else f"signatures[{place}]"
        return Verdict(
            status="invalid",
            trust_version=self._view.version,
            code=error.code,
            path=f"{path}.{error.path}" if error.path else path,
            facts=error.facts,
            revocation_version=self._revocation_version,
        )


def _digest(protected: str) -> bytes:
    return hashlib.sha256(protected.encode("utf-8", "surrogatepass")).digest()


def read_signer(protected: str) -> Signer:
    """Read a protected header and the certificate of who signs.

    Raises SignatureRefusedError; the path is relative to the entry.
    """
    header = read_header(protected)
    try:
        certificate = read_certificate(header.certificates[0])
        check = checker(header.algorithm, check_leaf(certificate))
    except SignatureRefusedError as error:
        error.path = "protected.x5c[0]"
        raise
    return Signer(
        check=check,
        form=header.form,
        algorithm=header.algorithm.name,
        certificate_sha256=certificate.sha256.hex(),
        subject=certificate.subject,
        issuer=certificate.issuer,
        serial=certificate.serial,
        valid_from=certificate.valid_from,
        valid_to=certificate.valid_to,
        path_key=path_key(header.certificates),
        certificate=certificate,
        others=header.certificates[1:],
    )


def _check(part: Prepared, entry: SignatureEntry, payload: bytes) -> TreeProof | None:
    """See that the signature is good; return the document's place in a tree, if it has one."""
    if part.trees is not None:
        return part.trees.check(entry, payload, part.check)
    if entry.tree:
        check_form(entry)
    part.check(read_signature(entry.signature), part.header + payload)
    return None


def _read(raw: bytes) -> Envelope | SignatureRefusedError:
    """Return the envelope of JSON bytes, or why they are none (its words quote no content)."""
    if len(raw) > ENVELOPE_BYTES_MAX:
        return SignatureRefusedError(
            "envelope.too_large", path="$", size=len(raw), limit=ENVELOPE_BYTES_MAX
        )
    try:
        envelope = _envelopes.decode(raw)
        repeated = find_duplicate_member(raw)
    except (ValueError, RecursionError):
        return SignatureRefusedError("json.malformed", path="$", reason="it is no envelope")
    if repeated is not None:
        offset, member = repeated
        return SignatureRefusedError(
            "json.duplicate_member", path="$", offset=offset, member=plain(member)
        )
    if envelope.version != ENVELOPE_VERSION:
        return SignatureRefusedError("envelope.version", path="$.version", version=envelope.version)
    return envelope


def _check_count(item: Signed) -> None:
    if not item.signatures:
        raise SignatureRefusedError("signature.missing")
    if len(item.signatures) > SIGNATURES_MAX:
        raise SignatureRefusedError(
            "signature.count", count=len(item.signatures), limit=SIGNATURES_MAX
        )


def _again(error: SignatureRefusedError) -> SignatureRefusedError:
    """Return an equal error to raise: one that was raised keeps its frames."""
    return SignatureRefusedError(error.code, path=error.path, **error.facts)
