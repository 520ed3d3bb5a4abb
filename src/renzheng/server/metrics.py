"""Prometheus counters. Labels are codes and families, never personal data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, generate_latest

from renzheng.server.request_metrics import RequestMetrics

# Without this, each counter has a second series with the time of its creation.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Latency(NamedTuple):
    """`calls`, and the seconds within which half and 95 % of them were answered, from buckets."""

    calls: int
    half: float
    most: float


def quantile(buckets: Sequence[tuple[float, float]], share: float) -> float:
    """Interpolate linearly in (upper bound, cumulative count) by rising bound, as Prometheus does."""
    wanted = share * buckets[-1][1]
    low, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            inside = count - below
            return low if math.isinf(bound) or not inside else low + (bound - low) * (wanted - below) / inside
        low, below = bound, count
    return low


def _samples(metric: Any) -> Iterator[tuple[str, Mapping[str, str], float]]:
    for family in metric.collect():
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


class Metrics:
    """What the gateway, the capture and the judge count."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = RequestMetrics()
        self.registry.register(self._requests)
        self._open = Counter(
            "renzheng_failed_open_total",
            "Requests let through because a protective check failed, by check.",
            ("part",),
            registry=self.registry,
        )
        self._steps = Counter(
            "renzheng_capture_steps_total",
            "Steps of the capture, from opened to verdict, by reason and browser family.",
            ("step", "reason", "browser"),
            registry=self.registry,
        )
        self.waiting = Gauge("renzheng_judging_waiting", "Verifications that wait for a judge.", registry=self.registry)
        self.erased_in_log = Gauge(
            "renzheng_erased_keys_in_log",
            "1 while keys.db-wal still holds erased data keys because another process is reading it.",
            registry=self.registry,
        )
        self._changed = Gauge(
            "renzheng_changed_rows",
            "Signed rows that something other than renzheng changed; the server does not trust them.",
            ("table",),
            registry=self.registry,
        )
        self._followed = Gauge(
            "renzheng_followed_changes",
            "Changes of accounts, keys and rules, and of balances, that this server has followed.",
            ("of",),
            registry=self.registry,
        )
        self._free = Gauge(
            "renzheng_free_bytes",
            "Bytes free on the disk that holds a folder of the store.",
            ("folder",),
            registry=self.registry,
        )
        self._deliveries = Counter(
            "renzheng_deliveries_total",
            "Times that a delivery to a customer's bucket was tried, by outcome.",
            ("outcome",),
            registry=self.registry,
        )
        self.deliveries_waiting = Gauge(
            "renzheng_deliveries_waiting", "Deliveries to customers' buckets that are due.", registry=self.registry
        )
        self._restarts = Gauge(
            "renzheng_worker_restarts",
            "Engine processes replaced since the start because they died, hung or grew too large.",
            ("kind",),
            registry=self.registry,
        )
        self._attempts = Gauge(
            "renzheng_capture_attempts",
            "Attempts in progress, people who wait for a place, and attempts that the server can carry at once.",
            ("state",),
            registry=self.registry,
        )
        self.longest_wait = Gauge(
            "renzheng_judging_wait_seconds",
            "Seconds for which the verification that waits longest has waited for a judge.",
            registry=self.registry,
        )
        self._kept = Gauge(
            "renzheng_kept_free_bytes",
            "Bytes of that disk below which new photos and attempts are refused.",
            ("folder",),
            registry=self.registry,
        )
        self._ready = Gauge(
            "renzheng_ready", "1 where a check of /readyz passes, 0 where it fails.", ("check",), registry=self.registry
        )
        self._sign_ins = Counter(
            "renzheng_console_sign_ins_total",
            "Tries to sign in to the console, by outcome: in, wrong, wrong_code, too_many.",
            ("outcome",),
            registry=self.registry,
        )
        self._nodes = Gauge(
            "renzheng_nodes",
            "Processes that work on these records, as this one sees them: servers and judges.",
            ("kind",),
            registry=self.registry,
        )
        self._shared_rates = Gauge(
            "renzheng_shared_rates",
            "1 while requests a second and sockets by address are counted over all servers in Redis, 0 while this "
            "server counts its own.",
            registry=self.registry,
        )
        self._judged_per_second = Gauge(
            "renzheng_judged_per_second",
            "Verifications that all judges together can judge in a second, as they measure it.",
            registry=self.registry,
        )

    def request(self, service: str, action: str, code: str, seconds: float) -> None:
        """Count one signed request. `code` is empty for a success."""
        self._requests.count(service, action, code, seconds)

    def failed_open(self, part: str) -> None:
        self._open.labels(part).inc()

    def step(self, name: str, reason: str = "", browser: str = "") -> None:
        """Count one step of a capture."""
        self._steps.labels(name, reason, browser).inc()

    def attempts(self, taken: int, waiting: int, carried: int) -> None:
        for state, count in (("taken", taken), ("waiting", waiting), ("carried", carried)):
            self._attempts.labels(state).set(count)

    def delivery(self, outcome: str) -> None:
        """Count one try of a delivery."""
        self._deliveries.labels(outcome).inc()

    def worker_restarts(self, by_kind: Mapping[str, int]) -> None:
        for kind, count in by_kind.items():
            self._restarts.labels(kind).set(count)

    def free_bytes(self, by_folder: Mapping[str, int]) -> None:
        for folder, left in by_folder.items():
            self._free.labels(folder).set(left)

    def kept_free_bytes(self, by_folder: Mapping[str, int]) -> None:
        for folder, kept in by_folder.items():
            self._kept.labels(folder).set(kept)

    def ready(self, by_check: Mapping[str, bool]) -> None:
        for check, passes in by_check.items():
            self._ready.labels(check).set(int(passes))

    def sign_in(self, outcome: str) -> None:
        """Count one sign-in try at the console."""
        self._sign_ins.labels(outcome).inc()

    def changed_rows(self, by_table: Mapping[str, int]) -> None:
        for table, count in by_table.items():
            self._changed.labels(table).set(count)

    def followed_changes(self, by_counter: Mapping[str, int]) -> None:
        for name, count in by_counter.items():
            self._followed.labels(name).set(count)

    def nodes(self, by_kind: Mapping[str, int], judged_per_second: float) -> None:
        for kind, count in by_kind.items():
            self._nodes.labels(kind).set(count)
        self._judged_per_second.set(judged_per_second)

    def shared_rates(self, are_shared: bool) -> None:
        self._shared_rates.set(int(are_shared))

    def steps(self) -> dict[tuple[str, str], int]:
        """Return how often each step of a capture was counted since the start, by step and browser family."""
        found: dict[tuple[str, str], int] = {}
        for name, labels, value in _samples(self._steps):
            if name.endswith("_total"):
                key = (labels["step"], labels["browser"])
                found[key] = found.get(key, 0) + int(value)
        return found

    def latencies(self) -> dict[str, Latency]:
        """Return latencies by action, for each that was called since the start. Action names are unique over
        services."""
        buckets: dict[str, list[tuple[float, float]]] = {}
        for sample in self._requests.collect_seconds().samples:
            if sample.name.endswith("_bucket"):
                bucket = (float(sample.labels["le"]), sample.value)
                buckets.setdefault(sample.labels["action"], []).append(bucket)
        return {
            action: Latency(int(known[-1][1]), quantile(known, 0.5), quantile(known, 0.95))
            for action, known in buckets.items()
            if known[-1][1]
        }

    def page(self) -> bytes:
        """Return the text that Prometheus reads."""
        return generate_latest(self.registry)
