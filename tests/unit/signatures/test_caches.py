"""What a verifier remembers is bounded, and what is used stays."""

from __future__ import annotations

from router.signatures.caches import Cache, Caches, Entry, KnownPath


def kept(cache: Cache[Entry]) -> list[int]:
    return [number for number in range(20) if bytes([number]) in cache._entries]


def test_the_oldest_that_nobody_uses_goes_first() -> None:
    cache: Cache[Entry] = Cache(3)
    for number in range(10):
        cache.put(bytes([number]), Entry())
    assert kept(cache) == [7, 8, 9]


def test_what_was_used_since_stays() -> None:
    cache: Cache[Entry] = Cache(3)
    for number in range(10):
        cache.put(bytes([number]), Entry())
        cache.get(b"\x00")
    assert 0 in kept(cache)
    assert len(cache) == 3


def path(status: str) -> KnownPath:
    return KnownPath(
        status=status, code="", facts={}, where="", chain=(), links=(), evidence=(), missing=(),  # type: ignore[arg-type]
        good_from=10, good_until=20, authorities=(), stamps=(), revocation_version=1,
    )  # fmt: skip


def test_a_path_is_known_as_good_or_as_refused_never_as_both() -> None:
    caches = Caches()
    for status in ("invalid", "valid", "indeterminate", "valid"):
        caches.keep(b"key", path(status))
        found = caches.path(b"key")
        assert found is not None
        assert found.status == status
        assert len(caches.paths) + len(caches.refusals) == 1


class Known:
    """What is known of revocation, with stamps that change with `stamp_now`."""

    def __init__(self, version: int, stamp_now: int) -> None:
        self.version = version
        self.stamp_now = stamp_now

    def stamp(self, _issuer: object, _serial: int) -> int:
        return self.stamp_now


def test_a_path_holds_within_its_window_and_for_its_authorities() -> None:
    authorities = ("one",)
    known = path("valid")
    known.authorities = authorities
    same = Known(1, 5)
    assert [known.holds(authorities, same, at_us) for at_us in (9, 10, 20, 21)] == [
        False, True, True, False,
    ]  # fmt: skip
    assert not known.holds(("other",), same, 15)


def test_a_path_holds_on_while_the_stamps_of_its_certificates_stay() -> None:
    known = path("valid")
    known.links = (("issuer", 7),)  # type: ignore[assignment]
    known.stamps = (5,)
    assert known.holds((), Known(2, 5), 15)
    assert known.revocation_version == 2
    assert not known.holds((), Known(3, 6), 15)


def test_a_path_that_is_not_valid_is_asked_about_when_anything_was_learned() -> None:
    for status in ("invalid", "indeterminate"):
        known = path(status)
        assert known.holds((), Known(1, 5), 15)
        assert not known.holds((), Known(2, 5), 15)
