"""What the path validator of this house is asked, in our terms: the only module that knows it.

`pyhanko-certvalidator` runs the path algorithm of RFC 5280 (section 6.1) and judges lists and
responses (section 6.3, RFC 6960).  Everything is given to it; it fetches nothing.

What it leaves open is closed here:

- it does not ask its policy on algorithms for lists and responses: `_Signatures` refuses weak
  ones, and keys of another kind than the algorithm wants, for everything it verifies;
- it is written as coroutines, but waits for nothing when it may not fetch: `run` drives them
  without an event loop;
- its switch for one certificate's check (an assertion on the signer's) switches off all of the
  path: so the path is validated without revocation, and each certificate is asked for alone;
- constraints of a trusted root are not part of the algorithm (RFC 5280, 6.1): an operator who
  trusts a subordinate CA directly means it with its limits (RFC 5937), so they are given as
  the start of the path;
- its objects fill themselves while they are read, so each thread has its own (`_Parsed`).
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Coroutine, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from asn1crypto import algos, crl, keys, ocsp, x509
from cryptography.exceptions import InvalidSignature
from pyhanko_certvalidator.authority import CertTrustAnchor, TrustQualifiers
from pyhanko_certvalidator.context import ValidationContext
from pyhanko_certvalidator.errors import (
    CRLValidationError,
    DisallowedAlgorithmError,
    ExpiredError,
    NotYetValidError,
    OCSPValidationError,
    RevokedError,
    ValidationError,
)
from pyhanko_certvalidator.name_trees import default_permitted_subtrees, process_general_subtrees
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    NO_REVOCATION,
    REQUIRE_REVINFO,
    AlgorithmUsageConstraint,
    AlgorithmUsagePolicy,
    CertRevTrustPolicy,
    PKIXValidationParams,
)
from pyhanko_certvalidator.registry import CertificateRegistry, SimpleTrustManager
from pyhanko_certvalidator.revinfo.validate_crl import verify_crl
from pyhanko_certvalidator.revinfo.validate_ocsp import verify_ocsp_response
from pyhanko_certvalidator.sig_validate import (
    DEFAULT_VALIDATION_CONTEXT,
    DefaultSignatureValidator,
    SignatureValidationContext,
)
from pyhanko_certvalidator.validate import async_validate_path

from router.errors import SignatureRefusedError
from router.limits import (
    DISTINGUISHED_NAME_BYTES_MAX,
    PARSED_CERTIFICATES_MAX,
    PARSED_LISTS_MAX,
    RSA_KEY_BITS_MAX,
    RSA_KEY_BITS_MIN,
)
from router.model.instants import SECOND_US, instant_of
from router.signatures.certificates import Certificate
from router.signatures.paths import PolicyInputs
from router.signatures.verdicts import Evidence

# It warns of each list it can't use, with the names of people; our verdicts say what is missing.
logging.getLogger("pyhanko_certvalidator").setLevel(logging.ERROR)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HASHES: Final = frozenset({"sha256", "sha384", "sha512"})
_KEYS_OF: Final = {
    "rsassa_pkcs1v15": frozenset({"rsa"}),
    "rsassa_pss": frozenset({"rsa", "rsassa_pss"}),
    "ecdsa": frozenset({"ec"}),
    "ed25519": frozenset({"ed25519"}),
}
_CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_INTERMEDIATE: Final = re.compile(r"intermediate certificate (\d+)")


class Links(NamedTuple):
    """What joins certificates to a path: names as RFC 5280 (7.1) compares them, and key ids.

    Two names are equal when their hashes here are: letter case, blanks and the kind of string
    make no difference.  `key` is a hash over the public key.
    """

    key: bytes
    subject: bytes
    issuer: bytes
    key_id: bytes | None
    authority_key_id: bytes | None


class _Parsed(threading.local):
    """What a thread has parsed lately: CAs and their lists come with signer after signer."""

    def __init__(self) -> None:
        self.certificate = lru_cache(PARSED_CERTIFICATES_MAX)(_load_certificate)
        self.list = lru_cache(PARSED_LISTS_MAX)(_load_list)


class Revoked(NamedTuple):
    """A certificate was revoked: at which instant, and why (a name of RFC 5280, 5.3.1)."""

    kind: Literal["crl", "ocsp"]
    at: int
    reason: str


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that never waits.

    Raises RuntimeError when it does wait: nobody here could wake it.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    coroutine.close()
    raise RuntimeError("a path was to be validated without waiting")


def links_of(certificate: Certificate) -> Links:
    """Return the links of a certificate.

    Raises SignatureRefusedError `certificate.malformed` when a name can't be compared.
    """
    for name in (certificate.subject_name, certificate.issuer_name):
        if len(name) > DISTINGUISHED_NAME_BYTES_MAX:
            raise _malformed(f"a name of over {DISTINGUISHED_NAME_BYTES_MAX} bytes")
    try:
        # Not kept: whoever sends junk must not push out what is used.
        parsed = _load_certificate(certificate)
        return Links(
            hashlib.sha256(parsed.public_key.dump()).digest(),
            _comparable(parsed.subject),
            _comparable(parsed.issuer),
            parsed.key_identifier,
            parsed.authority_key_identifier,
        )
    except Exception:  # the parser names no classes of its own; what was thrown says nothing
        raise _malformed("a name or a key identifier can't be read") from None


def check_path(chain: Sequence[Certificate], at_us: int, inputs: PolicyInputs) -> None:
    """See that a chain (signer's first, root last) is a valid path, revocation apart.

    Raises SignatureRefusedError: `certificate.constraints` (names, policies, length),
    `certificate.algorithm`, `certificate.expired`, `certificate.not_yet_valid`,
    `certificate.malformed`; its fact `place` counts from the signer's certificate, 0.
    """
    try:
        path, parameters = _path_of(chain), _parameters(chain[-1], inputs)
        context = _context(path, at_us - at_us % SECOND_US, NO_REVOCATION, ())
        run(async_validate_path(context, path, parameters))
    except ValidationError as error:
        raise _refusal(error, len(chain)) from None
    except Exception:  # as in `links_of`
        raise _malformed("it can't be read as part of a path") from None


class RevocationCheck:
    """Asks for the certificates of one path whether they were revoked, by given material.

    Call `outcome` or `accept` for the certificates from the root's side on: who may sign lists
    must itself have been found good before.  Belongs to one thread.
    """

    def __init__(
        self,
        chain: Sequence[Certificate],
        helpers: Iterable[Certificate],
        lists: Iterable[bytes],
        responses: Iterable[bytes],
        at_us: int,
        grace_us: int,
    ) -> None:
        """Take a valid path, certificates that may have signed lists, and the material.

        `grace_us` is how long after its nextUpdate material may be used.  Raises ValueError
        when a list or response can't be read.
        """
        try:
            self._path = _path_of(chain)
            self._questions: list[tuple[Literal["crl", "ocsp"], Any]] = []
            self._certificates = list(reversed(list(self._path.iter_certs(include_root=True))))
            parsed_lists = [_parsed.list(der) for der in lists]
            parsed_responses = [ocsp.OCSPResponse.load(der, strict=True) for der in responses]
            if parsed_responses:
                self._questions.append(("ocsp", verify_ocsp_response))
            if parsed_lists:
                self._questions.append(("crl", verify_crl))
            newest = [at_us, *map(_list_date, parsed_lists)]
            newest += [date for one in parsed_responses for date in _response_dates(one)]
            grace = timedelta(microseconds=grace_us)
            others = [_parsed.certificate(one) for one in helpers]
            # Material newer than the instant, and who signed it, may be good only since then.
            self._contexts = [
                _context(
                    self._path, moment, REQUIRE_REVINFO, others,
                    crls=parsed_lists, ocsps=parsed_responses, grace=grace,
                )
                for moment in sorted({at_us, max(newest)})
            ]  # fmt: skip
        except Exception as error:  # as in `links_of`
            raise ValueError("revocation material can't be read") from error

    def accept(self, place: int) -> None:
        """Take the certificate at that place (signer's: 0) as good: its check is switched off."""
        path = self._path_to(place)
        for context in self._contexts:
            record: Any = context.record_validation  # it has no types
            record(self._certificates[place], path)

    def outcome(self, place: int) -> Literal["crl", "ocsp"] | Revoked | None:
        """Return what says that the certificate is good, that it is revoked, or None: unknown.

        Who is revoked only later than now is for the caller to judge by the instant.
        """
        certificate = self._certificates[place]
        for context in self._contexts:
            for kind, question in self._questions:
                try:
                    run(question(certificate, self._path, context))
                except RevokedError as error:
                    return Revoked(kind, instant_of(error.revocation_dt), _reason(error))
                except (CRLValidationError, OCSPValidationError, ValidationError):
                    continue
                except Exception:  # noqa: S112 (as in `links_of`; no answer is "unknown")
                    continue
                self.accept(place)
                return kind
        return None

    def _path_to(self, place: int) -> ValidationPath:
        """Return the path from the root to that place."""
        root_first = list(reversed(self._certificates[place:]))
        if len(root_first) == 1:
            return ValidationPath(self._path.trust_anchor, interm=[], leaf=None)
        return ValidationPath(self._path.trust_anchor, interm=root_first[1:-1], leaf=root_first[-1])


class ListFacts(NamedTuple):
    """What a revocation list says of itself: its issuer as in `Links`, dates, number."""

    issuer: bytes
    produced_at: int
    fresh_until: int
    number: str
    keeps_expired: bool


@lru_cache(PARSED_LISTS_MAX)
def list_facts(der: bytes) -> ListFacts:
    """Read the head of a revocation list.  Raises ValueError."""
    try:
        parsed = _parsed.list(der)
        head = parsed["tbs_cert_list"]
        until = head["next_update"].native
        number = parsed.crl_number_value
        known = {extension["extn_id"].dotted for extension in head["crl_extensions"]}
        return ListFacts(
            _comparable(parsed.issuer),
            instant_of(head["this_update"].native),
            instant_of(until) if until is not None else 0,
            "" if number is None else str(number.native),
            "2.5.29.60" in known,  # expiredCertsOnCRL (X.509, 9.5.2.8)
        )
    except Exception as error:  # as in `links_of`
        raise ValueError("not a revocation list") from error


def response_evidence(certificate: Certificate, der: bytes) -> Evidence:
    """Return the evidence an OCSP answer is for a certificate.  Raises ValueError."""
    try:
        basic = ocsp.OCSPResponse.load(der)["response_bytes"]["response"].parsed
        serial = certificate.parsed.serial_number
        for single in basic["tbs_response_data"]["responses"]:
            if single["cert_id"]["serial_number"].native == serial:
                until = single["next_update"].native
                return Evidence(
                    certificate_sha256=certificate.sha256.hex(),
                    kind="ocsp",
                    issuer=certificate.issuer,
                    sha256=hashlib.sha256(der).hexdigest(),
                    produced_at=instant_of(single["this_update"].native),
                    fresh_until=instant_of(until) if until is not None else 0,
                )
    except Exception as error:  # as in `links_of`
        raise ValueError("not an OCSP response") from error
    raise ValueError("an OCSP response about other certificates")


class _Algorithms(AlgorithmUsagePolicy):
    """The algorithms and key sizes of TT 15/2025/TT-BKHCN that are taken here."""

    def digest_algorithm_allowed(
        self, algo: algos.DigestAlgorithm, moment: datetime | None
    ) -> AlgorithmUsageConstraint:
        del moment
        return AlgorithmUsageConstraint(algo["algorithm"].native in _HASHES)

    def signature_algorithm_allowed(
        self,
        algo: algos.SignedDigestAlgorithm,
        moment: datetime | None,
        public_key: keys.PublicKeyInfo | None,
    ) -> AlgorithmUsageConstraint:
        del moment
        try:
            fits = public_key is not None and _fits(algo, public_key)
        except (ValueError, TypeError, KeyError):
            fits = False
        return AlgorithmUsageConstraint(fits)


class _Signatures(DefaultSignatureValidator):
    """Verifies with allowed algorithms only, lists and responses included."""

    def validate_signature(
        self,
        signature: bytes,
        signed_data: bytes,
        public_key_info: keys.PublicKeyInfo,
        signature_algorithm: algos.SignedDigestAlgorithm,
        context: SignatureValidationContext = DEFAULT_VALIDATION_CONTEXT,
    ) -> None:
        try:
            if not _fits(signature_algorithm, public_key_info):
                raise InvalidSignature
            super().validate_signature(
                signature, signed_data, public_key_info, signature_algorithm, context
            )
        except InvalidSignature:
            raise
        except Exception as error:  # a key or a signature that can't even be read
            raise InvalidSignature from error


def _fits(algorithm: algos.SignedDigestAlgorithm, key: keys.PublicKeyInfo) -> bool:
    name = algorithm.signature_algo
    if key.algorithm not in _KEYS_OF.get(name, ()):
        return False
    if name == "ed25519":
        return True
    if algorithm.hash_algo not in _HASHES:
        return False
    if name == "ecdsa":
        kind, curve = key.curve
        return kind == "named" and curve in _CURVES
    return bool(RSA_KEY_BITS_MIN <= key.bit_size <= RSA_KEY_BITS_MAX)


def _load_certificate(certificate: Certificate) -> x509.Certificate:
    return x509.Certificate.load(certificate.der, strict=True)


def _load_list(der: bytes) -> crl.CertificateList:
    return crl.CertificateList.load(der, strict=True)


_parsed: Final = _Parsed()


def _comparable(name: x509.Name) -> bytes:
    return hashlib.sha256(name.hashable.encode("utf-8", "surrogatepass")).digest()


def _path_of(chain: Sequence[Certificate]) -> ValidationPath:
    leaf, *middle, root = map(_parsed.certificate, chain)
    length = root.max_path_length
    # Without a second length the validator would count down from None.
    limits = TrustQualifiers(max_path_length=length, max_aa_path_length=length)
    anchor = CertTrustAnchor(root, quals=limits)
    return ValidationPath(anchor, interm=list(reversed(middle)), leaf=leaf)


def _parameters(root: Certificate, inputs: PolicyInputs) -> PKIXValidationParams:
    permitted, excluded = default_permitted_subtrees(), None
    limits = _parsed.certificate(root).name_constraints_value
    if limits is not None:
        if isinstance(limits["permitted_subtrees"], x509.GeneralSubtrees):
            permitted |= process_general_subtrees(limits["permitted_subtrees"])
        if isinstance(limits["excluded_subtrees"], x509.GeneralSubtrees):
            excluded = process_general_subtrees(limits["excluded_subtrees"])
    return PKIXValidationParams(
        user_initial_policy_set=inputs.policies or frozenset({"any_policy"}),
        initial_policy_mapping_inhibit=inputs.inhibit_mapping,
        initial_explicit_policy=inputs.explicit_policy,
        initial_any_policy_inhibit=inputs.inhibit_any,
        initial_permitted_subtrees=permitted,
        initial_excluded_subtrees=excluded,
    )


def _context(
    path: ValidationPath,
    moment_us: int,
    rule: Any,
    helpers: Iterable[x509.Certificate],
    *,
    crls: Iterable[crl.CertificateList] = (),
    ocsps: Iterable[ocsp.OCSPResponse] = (),
    grace: timedelta = timedelta(0),
) -> ValidationContext:
    # The path comes first: of two certificates of one issuer and number the store keeps the
    # first, and nothing may stand in for a certificate of the path.
    registry = CertificateRegistry.build([*path.iter_certs(include_root=True), *helpers])
    context = ValidationContext(
        trust_manager=SimpleTrustManager.build([path.trust_anchor]),
        certificate_registry=registry,
        moment=_EPOCH + timedelta(microseconds=moment_us),
        allow_fetching=False,
        crls=crls,
        ocsps=ocsps,
        # A list made after the instant says what was revoked before it, too.
        revinfo_policy=CertRevTrustPolicy(rule, retroactive_revinfo=True),
        time_tolerance=grace,
        algorithm_usage_policy=_Algorithms(),
        signature_validator=_Signatures(),
    )
    # It remembers who signed a list while that one's own path is still being judged, and believes
    # the list from then on, even if the path turns out to be bad.
    manager: Any = context.revinfo_manager
    manager.check_crl_issuer = _never_known
    return context


def _never_known(_list: object) -> None:
    return None


def _list_date(parsed: crl.CertificateList) -> int:
    return instant_of(parsed["tbs_cert_list"]["this_update"].native)


def _response_dates(parsed: ocsp.OCSPResponse) -> list[int]:
    if parsed["response_status"].native != "successful":
        return []
    basic = parsed["response_bytes"]["response"].parsed
    singles = basic["tbs_response_data"]["responses"]
    return [instant_of(single["this_update"].native) for single in singles]


def _reason(error: RevokedError) -> str:
    return str(error.reason.native)


def _refusal(error: ValidationError, length: int) -> SignatureRefusedError:
    """Return our error for the validator's; its classes and words are known here only."""
    text = error.failure_msg
    found = _INTERMEDIATE.search(text)
    # The validator counts from the root (0), we from the signer's certificate.
    place = length - 1 - int(found[1]) if found else 0
    if isinstance(error, DisallowedAlgorithmError):
        return SignatureRefusedError(
            "certificate.algorithm", algorithm="an algorithm that is too weak", place=place
        )
    if isinstance(error, ExpiredError):
        return SignatureRefusedError("certificate.expired", until="", place=place)
    if isinstance(error, NotYetValidError):
        return SignatureRefusedError("certificate.not_yet_valid", since="", place=place)
    if "unsupported critical extension" in text:
        refused = _malformed("unknown critical extension")
        refused.facts["place"] = place
        return refused
    for word, constraint in (
        ("namespace", "names"), ("polic", "policies"), ("path length", "length"),
    ):  # fmt: skip
        if word in text:
            return SignatureRefusedError(
                "certificate.constraints", constraint=constraint, place=place
            )
    return SignatureRefusedError("certificate.constraints", constraint="path", place=place)


def _malformed(reason: str) -> SignatureRefusedError:
    return SignatureRefusedError("certificate.malformed", reason=reason)
