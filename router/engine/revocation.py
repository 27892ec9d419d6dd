"""Revocation data in the engine: taken in, kept for the next start, told to who fetches and asks.

The bytes are no records of the log: they can be had again and would outgrow the documents; the
verdicts hold what they showed.  They lie as files in `<data>/revocation/` and are judged anew at
each start.  The engine fetches nothing: it says what it wants (`revocation_wanted`), and takes
what the daemon, an embedding host or an operator brings.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import msgspec

from router import limits
from router.engine.deliveries import check_actor
from router.engine.directory_face import OPERATOR
from router.engine.state import Rooms
from router.errors import InputError, VanbanError
from router.model.instants import SECOND_US
from router.model.revocation import (
    Added,
    AuthorityRevocation,
    Freshness,
    RevocationKind,
    Wanted,
)
from router.ports import Clock
from router.queue.kept_files import KeptFiles
from router.queue.ports import AnyStore
from router.settings import Settings

_log: Final = logging.getLogger("router.engine")
_audit: Final = logging.getLogger("router.audit")
FOLDER: Final = "revocation"
_STATES: Final[tuple[Freshness, ...]] = ("fresh", "grace", "expired", "missing")


_UNFETCHED: Final = "nothing is fetched: revocation.allowed_hosts names no host"


def _unfetched(one: AuthorityRevocation) -> AuthorityRevocation:
    """Return the state with the reason why nothing comes by itself, where something should."""
    if one.failure or one.state in {"fresh", "not_checked"}:
        return one
    return msgspec.structs.replace(one, failure=_UNFETCHED)


class RevocationFace:
    """What `Engine` takes in and answers about revocation data."""

    _rooms: Rooms
    _clock: Clock
    _settings: Settings

    def _face_revocation(self, store: AnyStore) -> None:
        """Take the settings, and what an earlier run has kept."""
        bounds = self._settings.revocation
        self._rooms.revocation.configure(bounds.grace_s, bounds.refresh_s, bounds.addresses)
        self._revocation_added = self._revocation_failed = 0
        self._kept: KeptFiles | None = None
        path = getattr(store, "path", None)
        if isinstance(path, Path):
            self._kept = KeptFiles(
                path / FOLDER,
                bytes_max=limits.KEPT_FILES_BYTES_MAX,
                files_max=limits.KEPT_FILES_MAX,
                file_bytes_max=limits.CRL_BYTES_MAX,
            )
            self._take_kept(self._kept)

    def _alive(self) -> None:
        raise NotImplementedError

    def _take_kept(self, kept: KeptFiles) -> None:
        """Judge kept data anew; what is no longer good is said, left there, and not used."""
        now_us, view = self._clock.now_us(), self._rooms.trust.view
        for name, kind, content in kept.read_all():
            if kind not in {"crl", "ocsp"}:
                continue
            try:
                known: RevocationKind = "crl" if kind == "crl" else "ocsp"
                added = self._rooms.revocation.add(content, view, now_us, kind=known)
                if added.slot != name:
                    _log.warning("kept file %s.%s is of another place", name, kind)
            except VanbanError as error:
                _log.warning("kept file %s.%s is not used: %s", name, kind, error)

    def add_revocation(
        self,
        der: bytes,
        *,
        kind: RevocationKind | None = None,
        url: str = "",
        actor: str = OPERATOR,
    ) -> Added:
        """Take in a CRL or an OCSP response (DER) that a trusted authority has signed.

        `kind` refuses the other one; `url` is where it was fetched, so that it is not wanted
        again before its time.  Documents that wait for it are judged from then on.  Raises
        InputError `revocation.…`, which says what is wrong with it; then nothing has changed.
        """
        self._alive()
        check_actor(actor)
        now_us = self._clock.now_us()
        try:
            added = self._rooms.revocation.add(
                der, self._rooms.trust.view, now_us, kind=kind, url=url
            )
        except InputError as error:
            self._revocation_failed += 1
            _log.warning("revocation data refused: %s", error)
            raise
        if added.new:
            self._revocation_added += 1
            if self._kept is not None:
                self._kept.put(added.slot, added.kind, der)
            _audit.info(
                "revocation kind=%s issuer=%s number=%s entries=%d actor=%s",
                added.kind, added.issuer_sha256, added.number, added.entries, actor,
            )  # fmt: skip
        return added

    def revocation_wanted(self) -> list[Wanted]:
        """Return the revocation data that should be fetched now, with its addresses.

        What is given to `add_revocation`, with its `url`, is not wanted again before its time;
        whoever fails should wait, longer each time, and say so by `revocation_failed`.
        """
        self._alive()
        return list(self._rooms.revocation.wanted(self._rooms.trust.view, self._clock.now_us()))

    def revocation_failed(self, issuer_sha256: str, reason: str) -> None:
        """Note why the data of an authority (SHA-256 of its certificate) can't be had."""
        self._alive()
        self._revocation_failed += 1
        self._rooms.revocation.failed(issuer_sha256, reason, self._clock.now_us())

    def revocation_states(self) -> list[AuthorityRevocation]:
        """Return for each authority how fresh its revocation data is, and how much is held."""
        self._alive()
        found = self._rooms.revocation.states(self._rooms.trust.view, self._clock.now_us())
        if self._settings.revocation.fetch and self._settings.revocation.hosts:
            return list(found)
        return [_unfetched(one) for one in found]

    def _revocation_counts(self) -> dict[str, int]:
        """Return gauges: authorities by state, what is held, the first end of freshness."""
        now_us = self._clock.now_us()
        found = self._rooms.revocation.states(self._rooms.trust.view, now_us)
        needed = [one for one in found if one.state != "not_checked"]
        counts = {
            f"authorities_{state}": sum(one.state == state for one in needed) for state in _STATES
        }
        ends = [one.fresh_until for one in needed if one.fresh_until]
        return counts | {
            "lists": sum(one.lists for one in found),
            "entries": sum(one.entries for one in found),
            "responses": sum(one.responses for one in found),
            "memory_bytes": sum(one.memory_bytes for one in found),
            "kept_bytes": 0 if self._kept is None else self._kept.held_bytes,
            "added": self._revocation_added,
            "failed": self._revocation_failed,
            "fresh_s": (min(ends) - now_us) // SECOND_US if ends else 0,
        }
