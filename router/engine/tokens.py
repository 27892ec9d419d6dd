"""Bearer tokens: made once, kept only as a hash, revoked by a record.

A token reads ``vb1.<id>.<secret>``.  The secret has 256 random bits, so one SHA-256 is
enough at rest (there is nothing to guess offline).  Token changes are records of the log.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

import msgspec

from router import limits
from router.errors import AuthenticationError, InputError, NotFoundError
from router.model.instants import INSTANT_MAX
from router.ports import Chance

ROOM = "token"
PREFIX = "vb1"


class TokenMade(msgspec.Struct, frozen=True, tag_field="change", tag="made"):
    """A token exists from now on; `unit` is a stable number, None for an operator.

    An operator's token that is `limited` may do what its rights say and nothing else, also
    when these have ended.
    """

    id: str
    sha256: bytes
    name: str
    unit: int | None
    operator: bool
    made_at: int
    expires_at: int | None
    limited: bool = False

    def live_at(self, now_us: int) -> bool:
        """Say whether it has not run out at that instant."""
        return self.expires_at is None or now_us < self.expires_at


class TokenRevoked(msgspec.Struct, frozen=True, tag_field="change", tag="revoked"):
    """The token is worth nothing any more."""

    id: str
    revoked_at: int


TokenChange = TokenMade | TokenRevoked
_changes: msgspec.msgpack.Decoder[TokenChange] = msgspec.msgpack.Decoder(TokenChange)


def decode_change(body: bytes) -> TokenChange:
    """Read a token record."""
    return _changes.decode(body)


class Tokens:
    """The tokens as the records made them."""

    def __init__(self) -> None:
        self._by_id: dict[str, TokenMade] = {}

    def apply(self, change: TokenChange) -> None:
        """Take one record in."""
        if isinstance(change, TokenMade):
            self._by_id[change.id] = change
        else:
            self._by_id.pop(change.id, None)

    def plan(
        self,
        chance: Chance,
        name: str,
        unit: int | None,
        *,
        operator: bool,
        made_at: int,
        expires_at: int | None,
        limited: bool = False,
    ) -> tuple[TokenMade, str]:
        """Return the record to write and the token to hand out (shown once).

        Raises InputError for a name that is no name and for a token that stands for nobody.
        """
        if not 0 < len(name) <= limits.TOKEN_NAME_CHARS_MAX or not name.isprintable():
            reason = "empty, too long or not printable"
            raise InputError("actor.invalid", path="name", reason=reason)
        if (unit is None) != operator:
            reason = "a token is a unit's or an operator's, not both"
            raise InputError("actor.invalid", path="unit", reason=reason)
        if expires_at is not None and not made_at < expires_at <= INSTANT_MAX:
            reason = "a token ends after it is made"
            raise InputError("field.invalid", path="expires_at", reason=reason)
        if len(self._by_id) >= limits.TOKENS_MAX and len(self.all(made_at)) >= limits.TOKENS_MAX:
            raise InputError("actor.invalid", path="name", reason="too many tokens")
        token_id = chance.random_bytes(8).hex()
        secret = base64.urlsafe_b64encode(chance.random_bytes(32)).rstrip(b"=").decode()
        digest = hashlib.sha256(secret.encode()).digest()
        made = TokenMade(
            token_id, digest, name, unit, operator, made_at, expires_at, operator and limited
        )
        return made, f"{PREFIX}.{token_id}.{secret}"

    def find(self, token_id: str) -> TokenMade:
        """Return a token by its id.  Raises NotFoundError."""
        made = self._by_id.get(token_id)
        if made is None:
            raise NotFoundError("token.not_found", token=token_id)
        return made

    def all(self, now_us: int) -> list[TokenMade]:
        """List the tokens that are neither revoked nor run out, oldest first."""
        return [made for made in tuple(self._by_id.values()) if made.live_at(now_us)]

    def authenticate(self, token: str, now_us: int) -> TokenMade:
        """Return whom the token stands for.  Raises AuthenticationError, never saying why."""
        prefix, _, rest = token.partition(".")
        token_id, _, secret = rest.partition(".")
        made = self._by_id.get(token_id)
        digest = hashlib.sha256(secret.encode("utf-8", "replace")).digest()
        known = made.sha256 if made is not None else bytes(32)
        if not hmac.compare_digest(digest, known) or prefix != PREFIX or made is None:
            raise AuthenticationError("token.invalid")
        if not made.live_at(now_us):
            raise AuthenticationError("token.invalid")
        return made
