"""Counters for Prometheus, read from the engine when they are asked for.

Nothing is counted on the hot path for this page but what the engine counts anyway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from router.errors import VanbanError
from router.server.requests import Gate
from router.server.tallies import Gauges, Tallies, Tally
from router.server.waiters import Waiters

_NOTE_S: Final = 1.0
Counters = Callable[[], Mapping[str, object]]
KIND: Final = CONTENT_TYPE_LATEST.encode()


_SINCE_OPENING: Final = {
    "accepted": ("Documents accepted since the opening.", ""),
    "repeated": ("Repeats answered with their first receipt since the opening.", ""),
    "refused": ("Documents refused since the opening, by code.", "code"),
    "stage_seconds": ("Seconds spent in the stages of submission since the opening.", "stage"),
}
"""What only grows: its help text, and the label of a table."""
_GAUGES: Final = {
    "stored": ("What the data directory holds.", "what"),
    "pressure": ("How near the store is to its bounds, in bytes; 1 where it refuses.", "what"),
    "verdicts": (
        "Documents that wait for the verdict over their signatures; what was decided since.",
        "what",
    ),
    "verification": (
        "Signers, paths and trees remembered, their bounds and bytes; paths that wait.",
        "what",
    ),
    "revocation": (
        "Authorities by the state of their revocation data; what is held, came and failed.",
        "what",
    ),
    "fault": ("1 for what documents are refused for.", "code"),
}
_OTHER: Final = ("What the engine tells of itself.", "what")


class EngineCollector(Collector):
    """Yields the engine's counters as `vanban_<name>`, counters apart from gauges."""

    def __init__(
        self,
        counters: Counters,
        healthy: Callable[[], bool],
        gate: Gate,
        waiters: Waiters,
        tallies: Tallies | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._counters = counters
        self._healthy = healthy
        self._gate = gate
        self._waiters = waiters
        self._tallies = tallies or Tallies()
        self._tally = tally or Tally(self._tallies)

    def count(self, endpoint: str, status: int) -> None:
        """Count one answered request.  Both arguments come from small fixed sets."""
        self._tally.count(endpoint, status)

    def note(self) -> None:
        """Tell the other processes what is under way in this one."""
        gate = self._gate
        self._tally.note(Gauges(gate.requests, gate.bytes, self._waiters.count))

    def note_often(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell them each second from now on, where there are any."""
        if self._tallies.processes:
            self.note()
            loop.call_later(_NOTE_S, self.note_often, loop)

    def collect(self) -> Iterator[Metric]:
        """Read everything once; what can't be read is left out: the store, or a gone owner."""
        yield GaugeMetricFamily(
            "vanban_healthy", "1 while documents can be stored, else 0.", value=self._healthy()
        )
        try:
            counters = self._counters()
        except VanbanError:  # of this process's owner; who watches must hear that nothing works
            counters = {}
        for name, value in sorted(counters.items()):
            words, label = _SINCE_OPENING.get(name) or _GAUGES.get(name, _OTHER)
            family: CounterMetricFamily | GaugeMetricFamily
            if name in _SINCE_OPENING:
                family = CounterMetricFamily(
                    f"vanban_{name}", words, labels=[label] if label else []
                )
            else:
                family = GaugeMetricFamily(f"vanban_{name}", words, labels=[label])
            if isinstance(value, Mapping):
                for key, count in sorted(value.items()):
                    family.add_metric([str(key)], float(count))
            elif isinstance(value, int | float):
                family.add_metric([], float(value))
            yield family
        yield from self._server()

    def _server(self) -> Iterator[Metric]:
        answered = CounterMetricFamily(
            "vanban_http_requests", "Answered requests.", labels=["endpoint", "status"]
        )
        for (endpoint, status), count in sorted(self._tallies.requests().items()):
            answered.add_metric([endpoint, str(status)], float(count))
        yield answered
        self.note()
        for name, value in self._tallies.gauges()._asdict().items():
            yield GaugeMetricFamily(f"vanban_http_{name}", _help(name), value=float(value))
        if self._tallies.processes:
            serving, restarts = self._tallies.workers
            yield GaugeMetricFamily("vanban_http_workers", "Workers that serve.", value=serving)
            yield CounterMetricFamily(
                "vanban_http_worker_restarts", "Workers started again.", value=restarts
            )


def _help(name: str) -> str:
    return name.replace("_", " ").capitalize() + "."


class MetricsPage:
    """The text of /metrics."""

    def __init__(self, collector: EngineCollector) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(collector)

    def render(self) -> bytes:
        """Return the page in Prometheus' text form."""
        return generate_latest(self._registry)
