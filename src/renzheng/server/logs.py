"""Logs: one line per request, under its RequestId. No line contains personal data, a token or a key.

A thread formats and writes lines together a few times a second: a line that is written by itself releases the
interpreter's lock at every request, which costs more than the line. Warnings and errors are written at once, as is the
rest when the process ends.
"""

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
from functools import lru_cache
from typing import IO, Any, NamedTuple

import msgspec
import structlog

from renzheng.base.faults import fault_name

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_ONE_LINE = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}
_PRINTABLE = bytes(range(0x20, 0x7F))
_WIDE = {level: f"{level:<7}" for level in LEVELS}
_NO_PAIR = frozenset({"event", "exception"})
MAX_TROUBLES, MAX_TROUBLE_TEXT = 50, 400
"""How many warnings and errors are remembered, and how many characters of each."""
MAX_REQUEST_LINES = 2000
"""How many lines of requests are remembered for each kind: accounts, people of the console, and strangers. So no kind
pushes out another's."""
Entry = tuple[float, str, MutableMapping[str, Any]]


def configure_logs(level: str, as_json: bool) -> RequestLog:
    """Send lines of structlog and the standard library above `level` to stderr, as text or as JSON.

    Returns the gateway's own log, which avoids structlog's processing of each request.
    """
    lines = _Lines(sys.stderr.buffer, _json_line if as_json else _text_line)
    structlog.configure(
        processors=[_hand_over],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: lines,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=max(LEVELS[level], logging.WARNING), handlers=[_Handler(lines)], force=True)
    logging.captureWarnings(True)
    sys.excepthook = lambda _, error, __: _tell_crash(lines, "crashed", error)
    threading.excepthook = lambda told: _tell_crash(lines, "thread_crashed", told.exc_value)
    sys.unraisablehook = lambda told: _tell_crash(lines, "passed_over", told.exc_value)
    return RequestLog(lines, LEVELS[level])


class LoggedProblem(NamedTuple):
    """A warning or an error in the log. `at`: unix seconds. `text`: the line without its event."""

    at: float
    level: str
    event: str
    text: str


class RequestLine(NamedTuple):
    """A line about one request. `account_id`: None if the line names none. `values`: its other values."""

    at: float
    level: str
    event: str
    request_id: str
    account_id: int | None
    values: dict[str, Any]


class _Handler(logging.Handler):
    """Writes the lines of other libraries, such as the HTTP server's, in our own form."""

    def __init__(self, lines: _Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            said = record.getMessage()
        except (TypeError, ValueError):  # a mistake of a library in what it logs
            said = str(record.msg)
        if record.name == "asyncio":  # an exception's text follows
            said = said.partition("\n")[0]
        if said.startswith("Traceback ") or said == "Application startup failed. Exiting.":
            return  # uvicorn's, with an exception's text; the command reports it in its own way
        event: dict[str, Any] = {"event": said, "logger": record.name}
        if record.exc_info and (places := _places(record.exc_info[1])):
            event["exception"] = places
        if record.levelno >= logging.ERROR:
            self._lines.error(event)
        elif record.levelno >= logging.WARNING:
            self._lines.warning(event)
        else:
            self._lines.add("info", event)


def _tell_crash(lines: _Lines, event: str, error: BaseException | None) -> None:
    """Log an uncaught exception. Python would print its text, over several lines."""
    if not isinstance(error, (KeyboardInterrupt, SystemExit)):
        lines.error({"event": event, "exception": _places(error)})


class _Lines:
    """Collects all lines in order."""

    def __init__(self, stream: IO[bytes], render: Callable[[Entry], bytes], seconds: float = 0.1) -> None:
        self._stream = stream
        self._render = render
        self._seconds = seconds
        self._waiting: deque[Entry] = deque()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self.troubles: deque[LoggedProblem] = deque(maxlen=MAX_TROUBLES)
        self.of_accounts: deque[Entry] = deque(maxlen=MAX_REQUEST_LINES)
        self.of_people: deque[Entry] = deque(maxlen=MAX_REQUEST_LINES)
        self.of_strangers: deque[Entry] = deque(maxlen=MAX_REQUEST_LINES)
        atexit.register(self.write_out)
        threading.Thread(target=self._keep_writing, name="renzheng-log", daemon=True).start()

    def add(self, level: str, event: MutableMapping[str, Any]) -> None:
        entry = (time.time(), level, event)
        if "request_id" in event:
            self.remember(entry)
        self._waiting.append(entry)
        if len(self._waiting) == 1:
            self._wake.set()

    def remember(self, entry: Entry) -> None:
        """Keep a line for the console, unformatted, as almost none is ever shown."""
        account = entry[2].get("account")
        if account is None:
            self.of_strangers.append(entry)
        else:
            (self.of_accounts if account > 0 else self.of_people).append(entry)

    # The methods that structlog calls, by level.

    def debug(self, event: MutableMapping[str, Any]) -> None:
        self.add("debug", event)

    def info(self, event: MutableMapping[str, Any]) -> None:
        self.add("info", event)

    def warning(self, event: MutableMapping[str, Any]) -> None:
        self._keep("warning", event)
        self.add("warning", event)
        self.write_out()

    def error(self, event: MutableMapping[str, Any]) -> None:
        self._keep("error", event)
        self.add("error", event)
        self.write_out()

    def _keep(self, level: str, event: MutableMapping[str, Any]) -> None:
        """Keep a problem for the console, without its exception's places."""
        told = {name: value for name, value in event.items() if value not in (None, "", ())}
        name = str(told.pop("event", "")).translate(_ONE_LINE)
        kind = str(told.pop("exception", "")).strip().partition("\n")[0]
        text = " ".join([*(f"{key}={value}" for key, value in told.items()), *filter(None, [kind])])
        self.troubles.append(LoggedProblem(time.time(), level, name, text.translate(_ONE_LINE)[:MAX_TROUBLE_TEXT]))

    critical = exception = error

    def write_out(self) -> None:
        """Format and write the waiting lines."""
        with self._lock:
            entries = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if entries:
                with contextlib.suppress(OSError, ValueError):  # a log that cannot be written stops nothing
                    self._stream.write(b"".join([self._render(entry) for entry in entries]))
                    self._stream.flush()

    def _keep_writing(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            time.sleep(self._seconds)
            self.write_out()


class RequestLog:
    """The gateway's log: the same lines, without structlog's processing. It knows the last warnings and errors of
    all."""

    def __init__(self, lines: _Lines, least: int) -> None:
        self._lines = lines
        self._tells = least <= LEVELS["info"]

    def troubles(self) -> list[LoggedProblem]:
        """Return the newest problems first."""
        return list(reversed(self._lines.troubles))

    def request_lines(self) -> list[RequestLine]:
        """Return the remembered lines, the newest first.

        A stranger's list may contain lines about a known account's request, such as the check of its signature.
        """
        lines = self._lines
        kept = (*lines.of_accounts, *lines.of_people, *lines.of_strangers)
        entries = sorted(kept, key=lambda entry: -entry[0])
        return [_request_line(entry) for entry in entries]

    def info(self, event: str, **values: Any) -> None:
        values["event"] = event
        if self._tells:
            self._lines.add("info", values)
        elif "request_id" in values:
            self._lines.remember((time.time(), "info", values))

    def warning(self, event: str, **values: Any) -> None:
        self._lines.warning({"event": event, **values})

    def error(self, event: str, **values: Any) -> None:
        self._lines.error({"event": event, **values})


def _request_line(entry: Entry) -> RequestLine:
    at, level, event = entry
    rest = {name: value for name, value in event.items() if value not in (None, "") and name not in _HEADED}
    account = event.get("account")
    return RequestLine(at, level, str(event.get("event", "")), str(event["request_id"]), account, rest)


_HEADED = frozenset({"event", "request_id", "account", "exception"})


def _hand_over(_: Any, __: str, event: MutableMapping[str, Any]) -> tuple[tuple[Any], dict[str, Any]]:
    """Pass a line on, as structlog's only processor. The current exception is read here, as it is gone later."""
    _open_exception(event)
    return (event,), {}


def _json_line(entry: Entry) -> bytes:
    at, level, event = entry
    return msgspec.json.encode({"timestamp": _format_time(at), "level": level, **event}, enc_hook=str) + b"\n"


def _text_line(entry: Entry) -> bytes:
    """Format as `time level event key=value ...`. Values that are None or empty are left out."""
    at, level, event = entry
    trace = event.get("exception")
    parts = [_format_time(at), _WIDE.get(level, level), str(event["event"])]
    parts += [
        f"{name}={value}" for name, value in event.items() if value is not None and value != "" and name not in _NO_PAIR
    ]
    text = " ".join(parts)
    if not text.isascii() or text.encode().translate(None, _PRINTABLE):  # searching bytes is much faster
        text = text.translate(_ONE_LINE)
    return (f"{text}\n{trace}\n" if trace else f"{text}\n").encode(errors="backslashreplace")


def _open_exception(event: MutableMapping[str, Any]) -> None:
    """Put an exception's types and places into the line."""
    info = event.pop("exc_info", None)
    if places := _places(info if isinstance(info, BaseException) else sys.exc_info()[1] if info else None):
        event["exception"] = places


def _places(error: BaseException | None) -> str:
    """Return an exception's types and places, not its text, which may contain what a stranger sent."""
    lines: list[str] = []
    while error is not None and len(lines) < 40:
        lines.append(f"  {fault_name(error)}")
        frames = traceback.extract_tb(error.__traceback__)[-10:]
        lines += [f"    {frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        error = error.__cause__ or error.__context__
    return "\n".join(lines)


def _format_time(at: float) -> str:
    """Format unix seconds as ISO 8601 in UTC, with milliseconds."""
    whole = int(at)
    return f"{_written_second(whole)}.{int((at - whole) * 1000):03d}Z"


@lru_cache(maxsize=4)
def _written_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
