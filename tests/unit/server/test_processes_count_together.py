"""Whichever process is asked for the metrics answers for all, and no counter ever goes back.

The failure guarded against: a counter that jumps with the worker that happens to answer, or
begins anew when a worker is killed.
"""

from __future__ import annotations

from router.server.tallies import Gauges, Tallies, Tally


def test_counts_of_all_processes_add_up_through_another_mapping_of_the_memory() -> None:
    tallies = Tallies(2)
    one, other = Tally(tallies, 1), Tally(Tallies(2, tallies.handle), 2)
    for _ in range(3):
        one.count("/v1/documents", 201)
    other.count("/v1/documents", 201)
    other.count("/v1/documents", 503)
    assert tallies.requests() == {("/v1/documents", 201): 4, ("/v1/documents", 503): 1}
    one.note(Gauges(1, 100, 2))
    other.note(Gauges(3, 50, 4))
    assert Tallies(2, tallies.handle).gauges() == Gauges(4, 150, 6)


def test_a_process_that_takes_anothers_place_goes_on_counting_where_it_ended() -> None:
    tallies = Tallies(1)
    dead = Tally(tallies, 1)
    dead.count("/metrics", 200)
    dead.count("lookups", 404)
    dead.note(Gauges(9, 9, 9))
    tallies.buried(1)
    assert tallies.gauges() == Gauges(0, 0, 0), "nothing is under way in a dead process"
    heir = Tally(tallies, 1)
    heir.count("lookups", 404)
    heir.count("lookups", 200)
    counted = {("/metrics", 200): 1, ("lookups", 404): 2, ("lookups", 200): 1}
    assert tallies.requests() == counted


def test_a_name_without_a_count_is_no_row_yet() -> None:
    """A process may be killed between naming a row and counting in it."""
    tallies = Tallies(1)
    dead = Tally(tallies, 1)
    dead._made(("/v1/documents", 201))
    assert tallies.requests() == {}
    heir = Tally(tallies, 1)
    heir.count("/metrics", 200)
    assert tallies.requests() == {("/metrics", 200): 1}


def test_what_finds_no_row_is_counted_together() -> None:
    tallies = Tallies()
    tally = Tally(tallies)
    for status in range(1_000):
        tally.count("/a", status)
        tally.count("/a", status)
    counted = tallies.requests()
    assert sum(counted.values()) == 2_000
    assert counted["other", 0] > 0
    assert counted["/a", 0] == 2
    heir = Tally(tallies)
    heir.count("/b", 200)
    heir.count("/a", 0)
    assert sum(tallies.requests().values()) == 2_002
    assert tallies.requests()["/a", 0] == 3
