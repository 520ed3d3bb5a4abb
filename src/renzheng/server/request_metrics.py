"""Counts signed requests for Prometheus.

Prometheus's own counter and histogram look up, lock and check at each request what is the same for all. Here a request
costs two additions, and the metrics are made when somebody reads them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
"""Upper bounds of the buckets, in seconds."""
_LABELS = (*(str(float(bound)) for bound in BOUNDS), "+Inf")


class _Timing:
    """Requests of one action. `buckets`: how many ended in each; the last has no upper bound. `seconds`: of all."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0


class RequestMetrics(Collector):
    """Counts on the event loop; any thread may read."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._timings: dict[tuple[str, str], _Timing] = {}

    def count(self, service: str, action: str, code: str, seconds: float) -> None:
        """Count one request. `code`: empty for a success."""
        self._counts[service, action, code] += 1
        timing = self._timings.get((service, action))
        if timing is None:
            timing = self._timings[service, action] = _Timing()
        timing.buckets[bisect_left(BOUNDS, seconds)] += 1
        timing.seconds += seconds

    def describe(self) -> Iterator[Metric]:
        """Yield both families without samples, from which the registry learns their names."""
        return RequestMetrics().collect()

    def collect(self) -> Iterator[Metric]:
        counts = CounterMetricFamily(
            "renzheng_requests", "Signed requests by service, action and code.", labels=("service", "action", "code")
        )
        for (service, action, code), count in list(self._counts.items()):
            counts.add_metric((service, action, code or "Success"), count)
        yield counts
        yield self.collect_seconds()

    def collect_seconds(self) -> Metric:
        """Return the histogram alone."""
        found = HistogramMetricFamily(
            "renzheng_request_seconds", "Seconds that a signed request took.", labels=("service", "action")
        )
        for called, timing in list(self._timings.items()):
            buckets: list[tuple[str, float]] = []
            below = 0
            for bound, count in zip(_LABELS, timing.buckets, strict=True):
                below += count
                buckets.append((bound, below))
            found.add_metric(called, buckets, timing.seconds)
        return found
