"""What deliveries read of stored facts, and what the ids of deliveries are."""

from __future__ import annotations

import string

import msgspec
from support.office import Office

from router.engine.facts import (
    Facts,
    FactsHandedOut,
    decode_facts,
    decode_facts_handed_out,
    delivery_id,
    read_delivery_id,
)
from router.errors import NotFoundError


def test_what_a_delivery_reads_of_the_facts_is_what_they_say() -> None:
    named = FactsHandedOut.__struct_fields__
    assert named == Facts.__struct_fields__[: len(named)]
    office = Office()
    stored = office.engine._queue.document(bytes.fromhex(office.send().key))
    assert stored is not None
    whole, read = decode_facts(stored.facts), decode_facts_handed_out(stored.facts)
    assert whole.signatures
    assert whole.decision is not None
    for name in set(named) - {"rules", "skipped", "signatures"}:
        assert getattr(read, name) == getattr(whole, name)
    before_policies = msgspec.msgpack.encode(msgspec.msgpack.decode(stored.facts)[:19])
    assert decode_facts_handed_out(before_policies).decision is None


def test_an_id_has_one_spelling() -> None:
    key, address = bytes(range(0xF0, 0x100)), 0xFEFF01
    text = delivery_id(key, address)
    assert read_delivery_id(text) == (key, address)
    for place in range(len(text)):
        for other in string.printable:
            said = text[:place] + other + text[place + 1 :]
            try:
                found = read_delivery_id(said)
            except NotFoundError:
                continue
            assert delivery_id(*found) == said
    last = set()
    for other in string.ascii_letters + string.digits + "-_":
        try:
            read_delivery_id(text[:-1] + other)
            last.add(other)
        except NotFoundError:
            pass
    assert len(last) == 16


def test_ids_are_read_whatever_they_end_with() -> None:
    for address in range(300):
        assert read_delivery_id(delivery_id(bytes(16), address)) == (bytes(16), address)
