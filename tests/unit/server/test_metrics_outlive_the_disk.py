"""Monitoring must hear of a failed disk from the page it reads anyway.

The failure guarded against: /metrics answering 503 exactly when something is wrong.
"""

from __future__ import annotations

import pytest
from support.office import Office

from router.errors import StorageError
from router.queue.memory_store import Trouble
from router.server.metrics import EngineCollector, MetricsPage
from router.server.requests import Gate
from router.server.waiters import Waiters


def page_of(engine):
    collector = EngineCollector(engine.counters, engine.healthy, Gate(1, 1), Waiters(1))
    return MetricsPage(collector).render().decode().splitlines()


def test_a_whole_engine_is_healthy_and_counts_what_it_holds():
    office = Office()
    office.send()
    lines = page_of(office.engine)
    assert "vanban_healthy 1.0" in lines
    assert "vanban_accepted_total 1.0" in lines
    assert 'vanban_stored{what="documents"} 1.0' in lines


def test_a_failed_disk_is_told_and_the_rest_still_counted():
    office = Office()
    office.send()
    office.disk.trouble_at(1, Trouble.FAIL)
    with pytest.raises(StorageError):
        office.engine.submit([office.envelope()])
    assert office.engine.counters()["stored"] == {}
    lines = page_of(office.engine)
    assert "vanban_healthy 0.0" in lines
    assert "vanban_accepted_total 1.0" in lines
    assert not [line for line in lines if line.startswith("vanban_stored{")]
