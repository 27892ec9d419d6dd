"""Keys on PKCS #11 tokens: smart cards, USB tokens, HSMs (extra `token`, python-pkcs11).

    with open_token(module, pin=pin, token="vanban") as key:
        entry = key.signer().sign(payload)

The key never leaves the token.  The PIN is given by the caller, goes to the token once (to keys
that ask for it each time, each time) and into no error and no log.  A token that says that only
one try is left is not asked: a wrong PIN in some file must not lock an agency's token.

RSA (PKCS #1 v1.5, PSS), ECDSA on P-256 and P-384, and Ed25519 where the token can.  What it
signs is verified by `Signer` before it leaves.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from router.client.signing import Signer
from router.errors import SigningError
from router.limits import PIN_CHARS_MAX
from router.signatures.algorithms import Algorithm

if TYPE_CHECKING:
    import pkcs11

PIN_VARIABLE: Final = "VANBAN_PIN"
"""The environment variable a PIN may stand in."""

_DIGEST_INFO: Final = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
"""What stands before the digest in PKCS #1 v1.5 (RFC 8017, section 9.2), for tokens that don't
hash themselves."""


class TokenKey:
    """One private key on a token, in an open session; thread-safe, one signature at a time.

    Made by `open_token`; ends with `close`, or as a context manager.
    """

    def __init__(
        self, session: pkcs11.Session, key: Any, certificates: Sequence[bytes], pin: str | None
    ) -> None:
        self._session: pkcs11.Session | None = session
        self._key = key
        self._lock = threading.Lock()  # guards the session: it does one thing at a time
        self._pin = pin if _asks_each_time(key) else None
        self._mechanisms = frozenset(session.token.slot.get_mechanisms())
        self.certificates: Final = tuple(certificates)
        """The certificates on the token that belong to the key (same id), in DER."""

    def signer(
        self, certificates: bytes | Sequence[bytes] | None = None, algorithm: str | None = None
    ) -> Signer:
        """Return a signer with this key, and the token's certificate when none is given.

        Raises SigningError `signing.certificate_missing`, and what `Signer` raises.
        """
        if certificates is None:
            if not self.certificates:
                raise SigningError("signing.certificate_missing")
            certificates = self.certificates[0]
        return Signer(self, certificates, algorithm)

    def sign_message(self, algorithm: Algorithm, message: bytes) -> bytes:
        """Return a signature by the token.

        Raises SigningError `signing.algorithm` (the token can't), `signing.token` (it failed or
        was pulled out), `signing.pin_wrong`, `signing.pin_locked`.
        """
        with self._lock, _told_to_a_clerk():
            if self._session is None:
                raise SigningError("signing.token", reason="closed")
            data, options = self._how(algorithm, message)
            if self._pin is not None:
                options["pin"] = self._pin
            signature: bytes = self._key.sign(data, **options)
            return signature

    def close(self) -> None:
        """Log out and let go of the token; idempotent."""
        with self._lock, _told_to_a_clerk():
            session, self._session = self._session, None
            if session is not None:
                session.close()

    def __enter__(self) -> TokenKey:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        """Name no secret."""
        return f"<TokenKey {'open' if self._session else 'closed'}>"

    def _how(self, algorithm: Algorithm, message: bytes) -> tuple[bytes, dict[str, Any]]:
        """Return what the token is given to sign, and by which mechanism."""
        from pkcs11 import MGF, Mechanism

        if algorithm.family == "ed25519":
            return message, {"mechanism": self._known(Mechanism.EDDSA, algorithm)}
        assert algorithm.digest is not None
        name = algorithm.digest.name
        digest = hashlib.new(name, message).digest()
        if algorithm.family == "ecdsa":
            return digest, {"mechanism": self._known(Mechanism.ECDSA, algorithm)}
        upper = name.upper()
        if algorithm.family == "rsa-pss":
            salted = (Mechanism[upper], MGF[upper], len(digest))
            return digest, {
                "mechanism": self._known(Mechanism.RSA_PKCS_PSS, algorithm),
                "mechanism_param": salted,
            }
        whole = Mechanism[f"{upper}_RSA_PKCS"]
        if whole in self._mechanisms:
            return message, {"mechanism": whole}
        data = _DIGEST_INFO[name] + digest
        return data, {"mechanism": self._known(Mechanism.RSA_PKCS, algorithm)}

    def _known(self, mechanism: pkcs11.Mechanism, algorithm: Algorithm) -> pkcs11.Mechanism:
        if mechanism not in self._mechanisms:
            raise SigningError("signing.algorithm", algorithm=algorithm.name)
        return mechanism


def open_token(
    module: str | Path,
    *,
    pin: str | None,
    token: str | None = None,
    slot: int | None = None,
    key: str | None = None,
    key_id: bytes | None = None,
) -> TokenKey:
    """Log in to a token and return the key on it to sign with.

    `module` is the PKCS #11 library that came with the token.  `token` (its label) or `slot`
    choose among several tokens, `key` (its label) or `key_id` among several keys.  Without a
    `pin` the token must have a keypad of its own.

    Raises SigningError: `signing.module_missing`, `signing.library_missing` (python-pkcs11 is
    not installed), `signing.token_missing`, `signing.token_ambiguous`, `signing.pin_missing`,
    `signing.pin_wrong`, `signing.pin_last_try`, `signing.pin_locked`, `signing.key_missing`,
    `signing.key_ambiguous`, `signing.token`.
    """
    library = _library(module)
    with _told_to_a_clerk():
        found = _chosen_token(library, token, slot)
        session = _logged_in(library, found, pin)
        try:
            private = _chosen_key(session, key, key_id)
            return TokenKey(session, private, _certificates(session, private), pin)
        except BaseException:
            session.close()
            raise


def read_pin(pin_file: str | Path | None, environment: Mapping[str, str]) -> str | None:
    """Return the PIN from the first line of a file, else from `VANBAN_PIN`, else None.

    Raises OSError, SigningError `signing.pin_missing` for an empty or much too long one.
    """
    if pin_file is None:
        return environment.get(PIN_VARIABLE) or None
    with Path(pin_file).open("rb") as file:
        line = file.readline(4 * PIN_CHARS_MAX + 2).rstrip(b"\r\n")
    try:
        pin = line.decode("utf-8")
    except UnicodeDecodeError:
        raise SigningError("signing.pin_missing") from None
    if not 1 <= len(pin) <= PIN_CHARS_MAX:
        raise SigningError("signing.pin_missing")
    return pin


def _library(module: str | Path) -> Any:
    try:
        import pkcs11
    except ImportError:
        raise SigningError("signing.library_missing") from None
    try:
        return pkcs11.lib(str(module))
    except (pkcs11.PKCS11Error, RuntimeError):
        raise SigningError("signing.module_missing", module=str(module)) from None


def _chosen_token(library: Any, label: str | None, slot: int | None) -> Any:
    from pkcs11 import TokenFlag

    found = [
        each
        for each in library.get_tokens(token_flags=TokenFlag.TOKEN_INITIALIZED)
        if (label is None or each.label == label) and (slot is None or each.slot.slot_id == slot)
    ]
    if not found:
        name = label or ("" if slot is None else str(slot))
        raise SigningError("signing.token_missing", token=name)
    if len(found) > 1:
        labels = ", ".join(sorted(each.label for each in found))
        raise SigningError("signing.token_ambiguous", count=len(found), tokens=labels)
    return found[0]


def _logged_in(library: Any, token: Any, pin: str | None) -> Any:
    """Open a session on the token; tell how near it is to locking itself."""
    import pkcs11

    try:
        return token.open(user_pin=_checked_pin(token, pin))
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange):
        flags = next(
            (each.flags for each in library.get_tokens() if each.serial == token.serial),
            token.flags,
        )
        if flags & pkcs11.TokenFlag.USER_PIN_LOCKED:
            raise SigningError("signing.pin_locked", token=token.label) from None
        if flags & (pkcs11.TokenFlag.USER_PIN_FINAL_TRY | pkcs11.TokenFlag.USER_PIN_COUNT_LOW):
            raise SigningError("signing.pin_wrong_few_left", token=token.label) from None
        raise SigningError("signing.pin_wrong", token=token.label) from None


def _checked_pin(token: Any, pin: str | None) -> Any:
    """Return what to log in with, unless it could lock the token."""
    from pkcs11 import PROTECTED_AUTH, TokenFlag

    flags = token.flags
    if flags & TokenFlag.USER_PIN_LOCKED:
        raise SigningError("signing.pin_locked", token=token.label)
    if flags & TokenFlag.USER_PIN_FINAL_TRY:
        raise SigningError("signing.pin_last_try", token=token.label)
    if pin is not None:
        return pin
    if flags & TokenFlag.PROTECTED_AUTHENTICATION_PATH:
        return PROTECTED_AUTH
    if flags & TokenFlag.LOGIN_REQUIRED:
        raise SigningError("signing.pin_missing")
    return None


def _chosen_key(session: Any, label: str | None, key_id: bytes | None) -> Any:
    from pkcs11 import Attribute, ObjectClass

    wanted: dict[Any, Any] = {Attribute.CLASS: ObjectClass.PRIVATE_KEY}
    if label is not None:
        wanted[Attribute.LABEL] = label
    if key_id is not None:
        wanted[Attribute.ID] = key_id
    found = list(session.get_objects(wanted))
    name = label or (key_id.hex() if key_id else "")
    if not found:
        raise SigningError("signing.key_missing", key=name)
    if len(found) > 1:
        raise SigningError("signing.key_ambiguous", count=len(found))
    return found[0]


def _certificates(session: Any, key: Any) -> list[bytes]:
    """Return the certificates on the token with the key's id."""
    from pkcs11 import Attribute, ObjectClass

    wanted = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.ID: key.id}
    return [bytes(one[Attribute.VALUE]) for one in session.get_objects(wanted)]


def _asks_each_time(key: Any) -> bool:
    from pkcs11 import Attribute, PKCS11Error

    try:
        return bool(key[Attribute.ALWAYS_AUTHENTICATE])
    except PKCS11Error:
        return False  # older tokens don't know the attribute


@contextmanager
def _told_to_a_clerk() -> Iterator[None]:
    """Turn what a token's library raises into errors that say what to do."""
    import pkcs11

    try:
        yield
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange):
        raise SigningError("signing.pin_wrong") from None
    except (pkcs11.PinLocked, pkcs11.PinExpired):
        raise SigningError("signing.pin_locked", token="") from None
    except (pkcs11.TokenNotPresent, pkcs11.DeviceRemoved):
        raise SigningError("signing.token_missing", token="") from None
    except (pkcs11.MechanismInvalid, pkcs11.KeyTypeInconsistent):
        raise SigningError("signing.algorithm", algorithm="") from None
    except pkcs11.PKCS11Error as error:
        # The kind only: a library's own words may hold anything.
        raise SigningError("signing.token", reason=type(error).__name__) from None
