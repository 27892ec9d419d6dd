"""Caches are bounded in bytes, whatever is put in."""

from __future__ import annotations

from support.stores import AT, LmdbBox, acceptance, member_of, topics_for

from router.limits import AUDIENCE_CACHE_BYTES_MAX
from router.queue.cache import Cache, audience_bytes, document_bytes
from router.queue.queue import Queue
from router.queue.records import StoredAudience


def test_a_cache_keeps_what_was_used_last_within_its_bytes():
    cache = Cache(10, len)
    for number in range(3):
        cache.put(number, "x" * 4)
        assert cache.get(0) is not None
    assert [cache.get(number) for number in range(3)] == ["xxxx", None, "xxxx"]
    cache.put(9, "x" * 11)
    assert [cache.get(number) for number in (0, 2, 9)] == [None] * 3
    cache.put(1, "y" * 10)
    cache.put(1, "z" * 10)
    assert cache.get(1) == "y" * 10


def test_large_audiences_count_with_their_runs():
    large = StoredAudience(1, bytes(50_000), bytes(32), 6_250)
    cache = Cache(AUDIENCE_CACHE_BYTES_MAX, audience_bytes)
    for number in range(4_096):
        cache.put(number, large)
    kept = sum(cache.get(number) is not None for number in range(4_096))
    assert kept == AUDIENCE_CACHE_BYTES_MAX // audience_bytes(large) < 4_096


def test_the_opaque_parts_of_a_document_count():
    small, large = acceptance(1, [5]), acceptance(1, [5], envelope=bytes(9_000))
    assert document_bytes(large) - document_bytes(small) == 9_000 - len(small.envelope)


def test_a_queue_that_keeps_nothing_answers_alike(tmp_path, monkeypatch):
    monkeypatch.setattr("router.queue.queue.AUDIENCE_CACHE_BYTES_MAX", 0)
    queue = Queue(LmdbBox(tmp_path / "data").open(), document_cache_bytes=0)
    queue.accept([acceptance(n, range(n, n + 9), broadcast=True) for n in range(20)])
    got = queue.lease(9, topics_for(9), member_of(9), 99, AT + 1, AT, "x")
    assert [item.sequence for item in got] == list(range(2, 11))
    queue.close()
