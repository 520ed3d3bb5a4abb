"""Prometheus counters; labels are codes and families, never a person's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

# Beside each counter a series of the time at which it began, that nobody asked for.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """What the gateway, the capture and the judge count."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "renzheng_requests_total", "Signed requests by action and code.", ("action", "code"), registry=self.registry
        )
        self._seconds = Histogram(
            "renzheng_request_seconds",
            "Seconds a signed request took.",
            ("action",),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
            registry=self.registry,
        )
        self._open = Counter(
            "renzheng_failed_open_total",
            "Protective parts that failed and let pass.",
            ("part",),
            registry=self.registry,
        )
        self._steps = Counter(
            "renzheng_capture_steps_total",
            "Steps of the capture, from opened to verdict, by reason and browser family.",
            ("step", "reason", "browser"),
            registry=self.registry,
        )
        self.waiting = Gauge("renzheng_judging_waiting", "Sessions that wait for a judge.", registry=self.registry)
        self._restarts = Gauge(
            "renzheng_worker_restarts",
            "Engine processes that died, hung or grew too large and were replaced, since the start.",
            ("kind",),
            registry=self.registry,
        )
        self._known: dict[tuple[str, str], Any] = {}
        self._timers: dict[str, Any] = {}

    def request(self, action: str, code: str, seconds: float) -> None:
        """Count one signed request. `code` is empty for a success."""
        counter = self._known.get((action, code))
        if counter is None:
            counter = self._known[action, code] = self._requests.labels(action, code or "Success")
            self._timers.setdefault(action, self._seconds.labels(action))
        counter.inc()
        self._timers[action].observe(seconds)

    def failed_open(self, part: str) -> None:
        self._open.labels(part).inc()

    def step(self, name: str, reason: str = "", browser: str = "") -> None:
        """Count one step of a capture."""
        self._steps.labels(name, reason, browser).inc()

    def worker_restarts(self, by_kind: Mapping[str, int]) -> None:
        for kind, count in by_kind.items():
            self._restarts.labels(kind).set(count)

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
