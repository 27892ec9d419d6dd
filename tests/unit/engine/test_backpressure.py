"""An engine refuses before it runs out of anything, says so, and comes back by itself.

A flood, a dead recipient or a full disk must cost time, never memory and never what was
answered; what recipients do goes on while documents are refused.
"""

from __future__ import annotations

import msgspec
import pytest
from support.office import CODES, LUNG_CU, MA_LE, Office, error_of, received, refused
from support.waiting import until

from router.engine import Engine
from router.engine.pressure import Mender
from router.errors import (
    OverloadedError,
    SettingsError,
    StorageError,
    TooLargeError,
    TooManyOpenError,
)
from router.limits import BATCH_DOCUMENTS_MAX, LEASE_DELIVERIES_MAX
from router.queue import GroupStore, LogStore, MemoryStore
from router.queue.memory_store import Trouble
from router.settings import HttpSettings, InboxSettings, Settings, StoreSettings

COMMUNE, OTHER = CODES[LUNG_CU], CODES[MA_LE]


class BoundedOffice(Office):
    """An office whose engine has settings; `store` are some of the store's."""

    def __init__(self, open_store=None, **store):
        self._settings = Settings(store=StoreSettings(reserve_bytes=0, **store))
        super().__init__(open_store)

    def _open(self):
        if self._store is None:
            store = MemoryStore(self.disk)
        else:
            store = LogStore.open(self._store, clock_us=self.clock.now_us())
        return Engine.over(store, settings=self._settings, clock=self.clock)

    @property
    def store(self):
        return self.engine._queue.store

    def take_all(self, unit):
        got = self.lease(unit)
        self.engine.acknowledge(unit, [one.delivery for one in got])
        return len(got)


# Documents in flight of one sender.


def test_a_sender_with_too_much_in_flight_waits_for_its_recipients():
    office = BoundedOffice(in_flight_per_sender_max=2)
    for _ in range(2):
        office.send(recipients=COMMUNE)
    problem = refused(office.submit(office.envelope(recipients=COMMUNE))[0])
    assert (problem.code, problem.status) == ("sender.too_many_in_flight", 429)
    assert problem.facts == {"limit": 2, "retry_after_s": 1}
    office.send(sender=CODES[2], recipients=OTHER)  # others are not held up
    assert office.take_all(COMMUNE) == 2
    office.send(recipients=COMMUNE)


def test_within_one_batch_the_bound_holds_to_the_document():
    office = BoundedOffice(in_flight_per_sender_max=3)
    outcomes = office.submit(*[office.envelope(recipients=COMMUNE) for _ in range(5)])
    assert [getattr(one, "code", "") for one in outcomes] == [""] * 3 + [
        "sender.too_many_in_flight"
    ] * 2
    assert office.stored()["documents"] == 3


def test_a_repeat_is_answered_whatever_is_in_flight():
    office = BoundedOffice(in_flight_per_sender_max=1)
    raw = office.envelope(recipients=COMMUNE)
    first = received(office.submit(raw)[0])
    again = received(office.submit(raw)[0])
    assert again.repeated
    assert again.key == first.key


# What is pending for one recipient.


def test_a_recipient_with_too_much_pending_is_named():
    office = BoundedOffice(pending_per_recipient_max=2)
    for _ in range(2):
        office.send(recipients=f"{COMMUNE} | {OTHER}")
    problem = refused(office.submit(office.envelope(recipients=f"H22.32 | {COMMUNE}"))[0])
    assert (problem.code, problem.status) == ("recipient.too_many_pending", 429)
    assert (problem.path, problem.facts["unit"]) == ("$.payload.recipients", COMMUNE)
    assert office.take_all(COMMUNE) == 2
    office.send(recipients=COMMUNE)


def test_one_full_recipient_costs_the_others_nothing_where_the_sender_says_so():
    office = BoundedOffice(pending_per_recipient_max=1)
    office.send(recipients=COMMUNE)
    receipt = office.send(recipients=f"H22.32 | {COMMUNE} | {OTHER}", on_bad_recipient="skip")
    assert receipt.skipped == (COMMUNE,)
    assert office.take_all(OTHER) == 1
    assert office.take_all(COMMUNE) == 1
    alone = office.envelope(recipients=COMMUNE, on_bad_recipient="skip")
    received(office.submit(alone)[0])
    alone = office.envelope(recipients=COMMUNE, on_bad_recipient="skip")
    assert refused(office.submit(alone)[0]).code == "recipient.too_many_pending"


def test_broadcasts_count_for_nobody():
    office = BoundedOffice(pending_per_recipient_max=1)
    office.send(recipients=COMMUNE)
    office.engine.import_units(
        [
            msgspec.structs.replace(
                office.engine.unit(COMMUNE), number=100 + n, code=f"H22.31.{40 + n}", aliases=()
            )
            for n in range(6)
        ]
    )
    for _ in range(3):
        office.send(recipients="children(H22.31)")
    assert office.store.pending(LUNG_CU) == 1


@pytest.mark.parametrize("end", ["acknowledge", "refuse", "again"])
def test_what_is_pending_follows_each_delivery_and_survives_a_restart(tmp_path, end):
    office = BoundedOffice(tmp_path / "data", pending_per_recipient_max=3)
    for _ in range(3):
        office.send(recipients=f"{COMMUNE} | {OTHER}")
    (first, *_) = office.lease(COMMUNE, 2)
    if end == "acknowledge":
        office.engine.acknowledge(COMMUNE, [first.delivery])
    elif end == "refuse":
        office.engine.refuse(COMMUNE, [first.delivery], "nhầm nơi nhận")
    expected = 3 if end == "again" else 2
    assert (office.store.pending(LUNG_CU), office.store.pending(MA_LE)) == (expected, 3)
    office.reopen()
    assert (office.store.pending(LUNG_CU), office.store.pending(MA_LE)) == (expected, 3)
    assert office.engine.check() == []


# Leases.


def test_a_reader_that_settles_nothing_is_handed_out_no_more():
    office = BoundedOffice()
    office.store.leases_max = 3
    for _ in range(5):
        office.send(recipients=COMMUNE)
    held = office.lease(COMMUNE, 2)
    assert len(office.lease(COMMUNE)) == 1
    with pytest.raises(TooManyOpenError) as caught:
        office.lease(COMMUNE)
    assert caught.value.code == "unit.too_many_leased"
    assert caught.value.facts == {"limit": 3, "retry_after_s": 1}
    office.engine.acknowledge(COMMUNE, [one.delivery for one in held])
    assert len(office.lease(COMMUNE)) == 2
    office.clock.advance(301)
    assert len(office.lease(COMMUNE)) == 3  # what ran out holds no place


def test_a_batch_over_its_bound_is_refused_before_it_is_read():
    office = BoundedOffice()
    with pytest.raises(TooLargeError):
        office.submit(*[b"{"] * (BATCH_DOCUMENTS_MAX + 1))


# A disk nearly full.


def test_a_disk_nearly_full_refuses_documents_and_nothing_else():
    office = BoundedOffice()
    raw = office.envelope(recipients=COMMUNE)
    first = received(office.submit(raw)[0])
    office.store.refusing = True
    new, known = office.submit(office.envelope(recipients=COMMUNE), raw)
    problem = refused(new)
    assert (problem.code, problem.status) == ("store.nearly_full", 503)
    assert problem.facts["retry_after_s"] == 30
    assert received(known).key == first.key
    assert office.take_all(COMMUNE) == 1
    office.engine.create_token(COMMUNE, "văn thư")
    trouble = office.engine.trouble("vi")
    assert trouble is not None
    assert trouble.code == "store.nearly_full"
    assert office.engine.healthy()
    assert office.engine.counters()["fault"] == {"store.nearly_full": 1}
    assert office.engine.counters()["refused"]["store.nearly_full"] == 1
    office.store.refusing = False
    assert office.engine.trouble() is None
    office.send(recipients=COMMUNE)


@pytest.mark.parametrize("kind", [LogStore, GroupStore])
def test_a_reserve_that_the_disk_can_not_give_is_refused(tmp_path, kind):
    with pytest.raises(SettingsError) as caught:
        kind.open(tmp_path / "data", clock_us=1, reserve_bytes=1 << 50)
    assert (caught.value.code, caught.value.path) == ("settings.invalid", "store.reserve_bytes")
    kind.open(tmp_path / "data", clock_us=1, reserve_bytes=4096).close()


# After a failed write.


@pytest.mark.parametrize(
    ("trouble", "code"), [(Trouble.FAIL, "store.failed"), (Trouble.FULL, "store.full")]
)
def test_a_failed_store_is_opened_again_in_place(trouble, code):
    office = BoundedOffice()
    kept = office.send(recipients=COMMUNE)
    raw = office.envelope(recipients=COMMUNE)
    office.disk.trouble_at(1, trouble)
    with pytest.raises(StorageError) as caught:
        office.submit(raw)
    assert caught.value.code == code
    for action in (
        lambda: office.submit(raw),
        lambda: office.lease(COMMUNE),
        lambda: office.engine.create_token(COMMUNE, "văn thư"),
    ):
        assert error_of(action)[0] == code
    found = office.engine.trouble()
    assert found is not None
    assert (found.code, found.status) == (code, 503)
    assert office.engine.counters()["fault"] == {code: 1}
    assert not office.engine.healthy()

    assert office.engine.reopen()
    assert office.engine.healthy()
    assert office.engine.trouble() is None
    assert not office.engine.reopen(), "nothing had failed any more"
    assert office.engine.pressure()["reopened"] == 1
    assert received(office.submit(raw)[0]).key != kept.key
    assert office.take_all(COMMUNE) == 2
    assert office.engine.check() == []


def test_a_change_that_was_kept_although_its_flush_failed_is_taken_in():
    office = BoundedOffice()
    before = len(office.engine.tokens())
    office.disk.files.plan("flush", 1, "fail")  # written, and its flush fails
    with pytest.raises(StorageError):
        office.engine.create_token(COMMUNE, "văn thư")
    assert len(office.engine._rooms.tokens.all(office.clock.now_us())) == before
    office.engine.reopen()
    assert len(office.engine.tokens()) == before + 1
    token = office.engine.create_token(OTHER, "văn thư")
    office.reopen()
    assert office.engine.authenticate(token).unit == MA_LE


def test_opening_again_that_fails_changes_nothing_and_may_be_repeated():
    office = BoundedOffice()
    office.send(recipients=COMMUNE)
    office.disk.trouble_at(1, Trouble.FULL)
    with pytest.raises(StorageError):
        office.send(recipients=COMMUNE)
    office.disk.files.plan("flush", 1, "full")
    with pytest.raises(StorageError) as caught:
        office.engine.reopen()
    assert caught.value.code == "store.full"
    assert error_of(lambda: office.lease(COMMUNE))[0] == "store.full"
    assert office.engine.reopen()
    assert office.take_all(COMMUNE) == 1


def test_the_mender_opens_it_again_until_it_holds():
    office = BoundedOffice()
    office.send(recipients=COMMUNE)
    office.disk.trouble_at(1, Trouble.FULL)
    with pytest.raises(StorageError):
        office.send(recipients=COMMUNE)
    office.disk.files.plan("flush", 1, "full")  # the first try fails, too
    with Mender(office.engine, first_s=0.01, last_s=0.02):
        until(office.engine.healthy)
    assert office.take_all(COMMUNE) == 1


@pytest.mark.parametrize("kind", [LogStore, GroupStore])
def test_a_directory_stays_owned_while_its_store_is_opened_again(tmp_path, kind):
    store = kind.open(tmp_path / "data", clock_us=1)
    for _ in range(3):
        epoch = store.epoch
        store = store.renew(clock_us=2)
        assert store.epoch > epoch
        with pytest.raises(StorageError) as caught:
            kind.open(tmp_path / "data", clock_us=1)
        assert caught.value.code == "store.locked"
    store.close()
    kind.open(tmp_path / "data", clock_us=1).close()


# Settings.


@pytest.mark.parametrize(
    ("store", "inbox", "http", "path"),
    [
        ({"overlay_bytes_max": 1}, {}, {}, "store.overlay_bytes_max"),
        ({"overlay_bytes_max": 1 << 40}, {}, {}, "store.overlay_bytes_max"),
        ({"in_flight_per_sender_max": 0}, {}, {}, "store.in_flight_per_sender_max"),
        ({"pending_per_recipient_max": -1}, {}, {}, "store.pending_per_recipient_max"),
        ({"overlay_wait_s": 0.0}, {}, {}, "store.overlay_wait_s"),
        ({}, {"leases_max": LEASE_DELIVERIES_MAX - 1}, {}, "inbox.leases_max"),
        ({}, {}, {"body_bytes_waiting_max": 100}, "http.body_bytes_waiting_max"),
        ({}, {}, {"body_bytes_waiting_max": 1 << 50}, "http.body_bytes_waiting_max"),
    ],
)
def test_bounds_that_make_no_sense_are_refused_with_their_place(tmp_path, store, inbox, http, path):
    settings = Settings(
        store=StoreSettings(**store), inbox=InboxSettings(**inbox), http=HttpSettings(**http)
    )
    with pytest.raises(SettingsError) as caught:
        Engine.open(tmp_path / "data", settings=settings)
    assert (caught.value.code, caught.value.path) == ("settings.invalid", path)
    assert caught.value.facts["reason"]
    assert not (tmp_path / "data").exists(), "nothing is left of what was not opened"


def test_refused_for_a_while_is_one_class_for_callers():
    assert issubclass(TooManyOpenError, OverloadedError)
    assert (TooManyOpenError.status, OverloadedError.status) == (429, 503)
