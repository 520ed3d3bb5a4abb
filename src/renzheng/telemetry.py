"""Logs and metrics. One line a request, under its RequestId; nothing of a person, a token or a key in either."""

from __future__ import annotations

import atexit
import contextlib
import logging
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, MutableMapping
from typing import IO, Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure_logs(level: str, as_json: bool) -> None:
    """Send structlog's and the standard library's lines to stderr, above `level`, as text or as JSON."""
    structlog.configure(
        processors=[_json_line if as_json else _text_line],  # one step, as there is a line a request
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=_Lines.of(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(_LEVELS[level], logging.WARNING), format="%(levelname)s %(name)s %(message)s")


class _Lines:
    """Where log lines go: gathered, and written together a few times a second.

    A write a line gives up the interpreter's lock at every request, which costs more than all the rest of a line.
    Warnings and errors are written at once, and whatever is left at the end of the process.
    """

    def __init__(self, stream: IO[bytes], seconds: float = 0.1) -> None:
        self._stream = stream
        self._seconds = seconds
        self._waiting: deque[bytes] = deque()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        atexit.register(self.write_out)
        threading.Thread(target=self._keep_writing, name="renzheng-log", daemon=True).start()

    @classmethod
    def of(cls, stream: IO[bytes]) -> Callable[..., _Lines]:
        """A logger factory: all loggers write to the same lines."""
        lines = cls(stream)
        return lambda *_: lines

    def info(self, line: bytes) -> None:
        self._waiting.append(line)
        if len(self._waiting) == 1:
            self._wake.set()

    debug = info

    def error(self, line: bytes) -> None:
        self._waiting.append(line)
        self.write_out()

    warning = exception = critical = error

    def write_out(self) -> None:
        """Write what is waiting, in order."""
        with self._lock:
            lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if lines:
                with contextlib.suppress(OSError, ValueError):  # a log that cannot be written stops nobody
                    self._stream.write(b"\n".join(lines) + b"\n")
                    self._stream.flush()

    def _keep_writing(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            time.sleep(self._seconds)
            self.write_out()


def _json_line(_: Any, level: str, event: MutableMapping[str, Any]) -> bytes:
    _open_exception(event)
    return msgspec.json.encode({"timestamp": _now(), "level": level, **event}, enc_hook=str)


def _text_line(_: Any, level: str, event: MutableMapping[str, Any]) -> bytes:
    """`time level event key=value ...`; values that are None or empty are left out."""
    _open_exception(event)
    trace = event.pop("exception", None)
    parts = [_now(), f"{level:<7}", event.pop("event")]
    parts += [f"{name}={value}" for name, value in event.items() if value is not None and value != ""]
    text = " ".join(parts)
    return (f"{text}\n{trace}" if trace else text).encode()


def _open_exception(event: MutableMapping[str, Any]) -> None:
    """Kinds and places of an exception in the place of its text, which may hold what a stranger sent."""
    info = event.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else sys.exc_info()[1] if info else None
    lines: list[str] = []
    while error is not None and len(lines) < 40:
        lines.append(f"  {type(error).__module__}.{type(error).__qualname__}")
        frames = traceback.extract_tb(error.__traceback__)[-10:]
        lines += [f"    {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        error = error.__cause__ or error.__context__
    if lines:
        event["exception"] = "\n".join(lines)


_second = (0, "")


def _now() -> str:
    """The time as ISO 8601 in UTC, with milliseconds; the part up to the second is kept for that second."""
    global _second
    now = time.time()
    whole = int(now)
    if whole != _second[0]:
        _second = (whole, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)))
    return f"{_second[1]}.{int((now - whole) * 1000):03d}Z"


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
