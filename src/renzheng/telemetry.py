"""Logs and metrics. One line a request, under its RequestId; nothing of a person, a token or a key in either."""

from __future__ import annotations

import logging
import sys
from typing import Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure_logs(level: str, as_json: bool) -> None:
    """Send structlog's and the standard library's lines to stderr, above `level`, as text or as JSON."""
    render: Any = _json_line if as_json else _text_line
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(_LEVELS[level], logging.WARNING), format="%(levelname)s %(name)s %(message)s")


def _json_line(_: Any, __: str, event: dict[str, Any]) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def _text_line(_: Any, __: str, event: dict[str, Any]) -> bytes:
    """`time level event key=value ...`; values that are None or empty are left out."""
    head = f"{event.pop('timestamp')} {event.pop('level'):<7} {event.pop('event')}"
    trace = event.pop("exception", None)
    pairs = [f"{name}={value}" for name, value in event.items() if value not in (None, "")]
    text = " ".join([head, *pairs])
    return (f"{text}\n{trace}" if trace else text).encode()


class Metrics:
    """Prometheus counters; labels are codes and families, never a person's."""

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

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
