"""A verifier that can't decide at first: revocation data of the signers' authority is missing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from router.signatures import Missing, TrustStore, Verdict, Verifier
from router.signatures.caches import RevocationSource
from router.signatures.hot import Signed


class Undecided(Verifier):
    """Says "indeterminate" of what would be good until `decided` is set, then what that says.

    `decided` is "valid", or the code with which all documents are refused.  `asked` has the
    instants that were asked for, one for each document.
    """

    decided = ""
    asked: list[int]

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.asked = []

    def verify_batch(
        self, items: Sequence[Signed], trust: TrustStore, revocation: RevocationSource | None,
        at_us: int, cold_wait_s: float | None = None,
    ) -> list[Verdict]:  # fmt: skip
        """Verify, and then forget what can't be known yet."""
        found = super().verify_batch(items, trust, revocation, at_us, cold_wait_s)
        self.asked += [at_us] * len(items)
        return [self._said(one) for one in found]

    def _said(self, verdict: Verdict) -> Verdict:
        if verdict.status != "valid" or type(self).decided == "valid":
            return verdict
        if type(self).decided:
            return Verdict(
                "invalid", verdict.trust_version, code=type(self).decided,
                path="signatures[0].protected.x5c[0]",
            )  # fmt: skip
        missing = tuple(
            Missing("crl", one.certificate_sha256, one.issuer) for one in verdict.signatures
        )
        marked = tuple(
            msgspec.structs.replace(one, status="indeterminate") for one in verdict.signatures
        )
        return msgspec.structs.replace(
            verdict, status="indeterminate", missing=missing, signatures=marked
        )


def undecided(monkeypatch: pytest.MonkeyPatch) -> type[Undecided]:
    """Let engines made from now on verify so; the class's `decided` speaks for all of them."""
    monkeypatch.setattr(Undecided, "decided", "")
    monkeypatch.setattr("router.engine.engine.Verifier", Undecided)
    return Undecided
