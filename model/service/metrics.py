"""What happened, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .shortener import Shortener

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """Counters of one app, apart from those of any other in the process."""

    def __init__(self, shortener: Shortener) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("diffumask_requests", "Requests", ["path", "status"], registry=registry)
        self.seconds = Histogram("diffumask_seconds", "Time to reply", ["path"], buckets=SECONDS, registry=registry)
        self.before = Counter("diffumask_tokens_before", "Tokens that came in", registry=registry)
        self.after = Counter("diffumask_tokens_after", "Tokens that went out", registry=registry)
        self.outcomes = Counter("diffumask_outcomes", "What was done with prompts", ["outcome"], registry=registry)
        self.running = Gauge("diffumask_running", "Requests being answered", registry=registry)
        registry.register(_State(shortener))
        ProcessCollector(registry=registry)  # memory, processor time

    def text(self) -> bytes:
        """All of them, as Prometheus reads it."""
        return generate_latest(self.registry)


class _State(Collector):
    """What the shortener holds at the moment."""

    def __init__(self, shortener: Shortener) -> None:
        self.shortener = shortener

    def collect(self) -> list[Metric]:
        of = self.shortener
        values = {
            "diffumask_waiting": ("Turns that wait for a worker", of.pool.waiting),
            "diffumask_remembered_bytes": ("Bytes of shortened turns that are remembered", of.memo.bytes),
            "diffumask_originals": ("Originals that can be retrieved", len(of.originals)),
            "diffumask_originals_bytes": ("Bytes of them", of.originals.bytes),
        }
        return [GaugeMetricFamily(name, about, value) for name, (about, value) in values.items()]
