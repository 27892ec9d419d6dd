"""The settings of the daemon and the command, as one frozen object.

They come from a TOML file, over which the environment is laid: `VANBAN__HTTP__PORT=8081`
sets `http.port`.  Unknown names are refused, so that a misspelt setting is not silently
left at its default.  Secrets are read from files or the environment and never shown.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from router import limits
from router.errors import AuthenticationError, SettingsError

ENVIRONMENT_PREFIX: Final = "VANBAN__"
SECRET_BYTES_MAX: Final = 4_096
TOKEN_PREFIX: Final = b"vb1."
"""What every access token begins with; the clients check the rest of its form."""
_HOST: Final = re.compile(
    r"([a-z0-9]([a-z0-9_.-]{0,252}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?"
)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_ADDRESS: Final = re.compile(r"https?://[!-~]{1,2000}")


class Secret:
    """A string that is never shown: `repr`, `str` and dumps give dots instead."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the string itself."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "Secret('…')" if self._value else "Secret('')"

    __str__ = __repr__

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not pickled")


class HttpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The daemon's HTTP side.

    `host` and `port` name the listening address (port 0: any free one), `body_read_s` the
    seconds a request's headers, and then its body, may take, `stop_s` the seconds that
    requests in flight get at a stop, `access_log` whether each change is logged.  `workers`
    is how many processes serve beside the one that owns the data (0: that one serves itself);
    the bounds are those of all together.
    """

    host: Annotated[str, Meta(min_length=1, max_length=255)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8080
    body_read_s: Annotated[float, Meta(gt=0, le=3_600)] = float(limits.BODY_READ_S_MAX)
    stop_s: Annotated[int, Meta(ge=1, le=3_600)] = 20
    requests_waiting_max: Annotated[int, Meta(ge=1, le=1 << 20)] = limits.REQUESTS_WAITING_MAX
    body_bytes_waiting_max: Annotated[int, Meta(ge=1)] = limits.BODY_BYTES_WAITING_MAX
    long_polls_max: Annotated[int, Meta(ge=0, le=1 << 20)] = limits.LONG_POLLS_MAX
    access_log: bool = True
    workers: Annotated[int, Meta(ge=0, le=limits.WORKERS_MAX)] = 0


class InboxSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Inboxes.

    `lease_s` is how long a delivery stays reserved unless the reader says, `leases_max` how
    many deliveries of one address may be under lease at once.
    """

    lease_s: Annotated[int, Meta(ge=1, le=limits.LEASE_S_MAX)] = limits.LEASE_S_DEFAULT
    leases_max: Annotated[int, Meta(ge=limits.LEASE_DELIVERIES_MAX, le=1 << 20)] = limits.LEASES_MAX


class StoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The durable store: what it takes before it refuses (docs/limits.md).

    `reserve_bytes` of the disk stay free of documents (absent: a sixteenth of it, at most
    256 MiB; 0: it is not watched);
    `in_flight_per_sender_max` and `pending_per_recipient_max` bound what nobody has taken
    yet; `overlay_bytes_max` bounds the memory of what is not in LMDB, and `overlay_wait_s`
    how long writers wait for it; `reopen` lets the daemon open a failed store again.
    """

    reserve_bytes: Annotated[int, Meta(ge=0, le=1 << 50)] | None = None
    in_flight_per_sender_max: Annotated[int, Meta(ge=1, le=1 << 40)] = (
        limits.IN_FLIGHT_PER_SENDER_MAX
    )
    pending_per_recipient_max: Annotated[int, Meta(ge=1, le=(1 << 31) - 1)] = (
        limits.PENDING_PER_RECIPIENT_MAX
    )
    overlay_bytes_max: Annotated[int, Meta(ge=limits.OVERLAY_BYTES_MIN, le=1 << 40)] = (
        limits.OVERLAY_BYTES_MAX
    )
    overlay_wait_s: Annotated[float, Meta(gt=0, le=600)] = float(limits.OVERLAY_WAIT_S)
    reopen: bool = True


class SignatureSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Verification.

    `verify_threads` in the pool (absent: one for each processor).  `cold_wait_ms` is how long a
    batch waits for certificate paths never checked before; a document whose path takes longer
    waits for its verdict alone (absent: 40 ms in the daemon, 10 s in an embedded engine).
    `turn_wait_ms` is the same for a turn over documents that wait (absent: not at all; a path
    that is decided brings them back at once).
    """

    verify_threads: Annotated[int, Meta(ge=1, le=256)] | None = None
    cold_wait_ms: Annotated[int, Meta(ge=0, le=limits.COLD_WAIT_MS_MAX)] | None = None
    turn_wait_ms: Annotated[int, Meta(ge=0, le=limits.COLD_WAIT_MS_MAX)] = 0


class RevocationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Revocation data (CRLs, OCSP): how it is had and how long it serves.

    The daemon fetches only from `allowed_hosts` (``host`` for the usual port of http or https,
    ``host:port`` for another; text divided by commas is taken, too): without any, and with
    `fetch` off, nothing is fetched.  `refresh_s` is how often data that is still good is asked
    for again, `grace_s` how long it serves after its nextUpdate, `timeout_s` the time for one
    answer.  `addresses` names the lists of an authority, by the SHA-256 of its certificate, in
    place of those that certificates name.
    """

    fetch: bool = True
    allowed_hosts: tuple[str, ...] | str = ()
    refresh_s: Annotated[int, Meta(ge=60, le=limits.REVOCATION_REFRESH_S_MAX)] = (
        limits.REVOCATION_REFRESH_S_DEFAULT
    )
    grace_s: Annotated[int, Meta(ge=0, le=limits.REVOCATION_GRACE_S_MAX)] = (
        limits.REVOCATION_GRACE_S_DEFAULT
    )
    timeout_s: Annotated[float, Meta(gt=0, le=limits.FETCH_TIMEOUT_S_MAX)] = float(
        limits.FETCH_TIMEOUT_S_DEFAULT
    )
    addresses: dict[str, tuple[str, ...]] = {}

    @property
    def hosts(self) -> frozenset[str]:
        """The allowed hosts in lower case, without blanks."""
        given = self.allowed_hosts
        named = given.split(",") if isinstance(given, str) else given
        return frozenset(one.strip().lower() for one in named if one.strip())


class LogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The daemon's log on standard error: `level` is the least severity written."""

    level: Annotated[str, Meta(pattern=r"^(debug|info|warning|error)(?![\s\S])")] = "info"


class ClientSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the client commands use: the daemon's address, a token, the person acting.

    `token_file` names a file that holds nothing but the token; it wins over `token`.
    """

    url: Annotated[str, Meta(pattern=r"^https?://[^/\s]+/?(?![\s\S])")] = "http://127.0.0.1:8080"
    token: Secret = Secret("")
    token_file: str | None = None
    actor: Annotated[str, Meta(max_length=limits.ACTOR_CHARS_MAX)] = ""

    def read_token(self) -> str:
        """Return the token, without blanks around it.

        Raises SettingsError `token.unreadable` when its file can't be read, and
        AuthenticationError `token.malformed`, which tells nothing of the content, when the
        file holds nothing, or what can't be a token.
        """
        if self.token_file is None:
            return self.token.reveal()
        try:
            with Path(self.token_file).open("rb") as file:
                token = file.read(SECRET_BYTES_MAX).strip()
        except OSError as error:
            raise SettingsError(
                "token.unreadable", path=self.token_file, reason=_why(error)
            ) from None
        if not token.startswith(TOKEN_PREFIX) or not token.isascii() or len(token.split()) != 1:
            raise AuthenticationError("token.malformed", path=self.token_file)
        return token.decode("ascii")


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings; `data` is the data directory."""

    data: Annotated[str, Meta(min_length=1)] = "vanban-data"
    http: HttpSettings = HttpSettings()
    inbox: InboxSettings = InboxSettings()
    store: StoreSettings = StoreSettings()
    signatures: SignatureSettings = SignatureSettings()
    revocation: RevocationSettings = RevocationSettings()
    log: LogSettings = LogSettings()
    client: ClientSettings = ClientSettings()

    @property
    def verify_threads(self) -> int | None:
        """Return the size of the verification pool; None for one thread a processor."""
        return self.signatures.verify_threads

    @property
    def cold_wait_s(self) -> float:
        """Return how long a batch waits for paths that are not known, in seconds."""
        wait_ms = self.signatures.cold_wait_ms
        return limits.COLD_WAIT_S if wait_ms is None else wait_ms / 1_000

    @property
    def turn_wait_s(self) -> float:
        """Return how long a turn over waiting documents waits for such paths, in seconds."""
        return self.signatures.turn_wait_ms / 1_000

    def of_daemon(self) -> Settings:
        """Return these settings with the daemon's own defaults where nothing was said."""
        if self.signatures.cold_wait_ms is not None:
            return self
        signatures = replace(self.signatures, cold_wait_ms=limits.COLD_WAIT_MS_DAEMON)
        return replace(self, signatures=signatures)


_CHECKED: Final = (
    ("http", HttpSettings),
    ("inbox", InboxSettings),
    ("store", StoreSettings),
    ("signatures", SignatureSettings),
    ("revocation", RevocationSettings),
)


def load_settings(
    file: Path | str | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Return the settings of a TOML file with the environment laid over it.

    Without a file the defaults stand.  Raises SettingsError `settings.invalid`, whose path
    names the setting (`http.port`), for an unreadable file, unknown names, wrong values and
    bounds that would let nothing through.
    """
    values: dict[str, Any] = {} if file is None else _read_toml(Path(file))
    _overlay(values, environment or {})
    try:
        found = msgspec.convert(values, Settings, strict=False, dec_hook=_decode_secret)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `")
        path = place.rstrip("`").removeprefix("$").lstrip(".")
        if path == "client.url":
            reason = "the address must look like http://127.0.0.1:8080"
        raise _invalid(path, reason) from None
    return checked(found)


def checked(settings: Settings) -> Settings:
    """Return the settings as they are, if they let anything through and fit this machine.

    Structs made in code are not checked field by field; the bounds that matter are.  Raises
    SettingsError `settings.invalid`, which names setting and remedy.
    """
    for table, kind in _CHECKED:
        try:
            msgspec.convert(msgspec.to_builtins(getattr(settings, table)), kind)
        except msgspec.ValidationError as error:
            reason, _, place = str(error).partition(" - at `")
            raise _invalid(f"{table}.{place.rstrip('`').removeprefix('$.')}", reason) from None
    if settings.http.body_bytes_waiting_max < limits.BODY_BYTES_WAITING_MIN:
        least = limits.BODY_BYTES_WAITING_MIN
        reason = f"not even one small document would fit; give at least {least}"
        raise _invalid("http.body_bytes_waiting_max", reason)
    _check_revocation(settings.revocation)
    memory = _memory_bytes()
    for path, size in (
        ("http.body_bytes_waiting_max", settings.http.body_bytes_waiting_max),
        ("store.overlay_bytes_max", settings.store.overlay_bytes_max),
    ):
        if memory and size > memory:
            reason = f"{size} bytes, but this machine has {memory} bytes of memory; give less"
            raise _invalid(path, reason)
    return settings


def _check_revocation(given: RevocationSettings) -> None:
    hosts = given.hosts
    if len(hosts) > limits.REVOCATION_HOSTS_MAX:
        reason = f"at most {limits.REVOCATION_HOSTS_MAX} hosts"
        raise _invalid("revocation.allowed_hosts", reason)
    for host in sorted(hosts):
        if not _HOST.fullmatch(host):
            reason = f"“{host}” is no host: write ca.example or ca.example:8080, without http://"
            raise _invalid("revocation.allowed_hosts", reason)
    for authority, urls in given.addresses.items():
        if not _SHA256.fullmatch(authority):
            reason = "an authority is named by the SHA-256 of its certificate in hex"
            raise _invalid("revocation.addresses", reason)
        if len(urls) > limits.REVOCATION_ADDRESSES_MAX or not all(map(_ADDRESS.fullmatch, urls)):
            reason = f"up to {limits.REVOCATION_ADDRESSES_MAX} addresses that begin with http"
            raise _invalid(f"revocation.addresses.{authority}", reason)


def _memory_bytes() -> int:
    """Return the memory of this machine; 0 when it can't be told."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _invalid("", f"{file.name}: {_why(error)}") from None


def _overlay(values: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name in sorted(environment):
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        *tables, key = name[len(ENVIRONMENT_PREFIX) :].lower().split("__")
        table = values
        for step in tables:
            inner = table.get(step)
            if not isinstance(inner, dict):
                inner = table[step] = {}
            table = inner
        table[key] = environment[name]


def _decode_secret(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise TypeError("expected a string")


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or "can't be read"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8 text"
    return str(error)


def _invalid(path: str, reason: str) -> SettingsError:
    return SettingsError("settings.invalid", path=path, reason=reason)
