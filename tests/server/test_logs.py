"""A log line is one line, and an exception's text, which may hold what a stranger sent, is not in it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import PATIENCE, Server

SCRIPT = """
import logging
import structlog
from renzheng.server.logs import configure_logs
configure_logs("info", {as_json})
log = structlog.get_logger("test")
log.debug("hidden")
log.info("request", request_id="r1", code="", cause=None, ms=1.5)
try:
    try:
        raise ValueError("11204416541220243X")
    except ValueError as inner:
        raise RuntimeError("标记的姓名") from inner
except RuntimeError:
    log.exception("failed", part="judge")
    logging.getLogger("library").exception("broke")
import asyncio, threading, warnings
warnings.warn("a thing is old")
logging.getLogger("uvicorn.error").warning("of %s\\tlines\\nsecond", "uvicorn's")
logging.getLogger("uvicorn.error").warning("%d", "wrong")
def fall(*_):
    raise ValueError("11204416541220243X")
thread = threading.Thread(target=fall)
thread.start()
thread.join()
async def never_retrieved():
    async def inner():
        fall()
    task = asyncio.create_task(inner())
    await asyncio.sleep(0.01)
asyncio.run(never_retrieved())
class Dies:
    __del__ = fall
Dies()
fall()
"""


def lines(as_json: bool) -> str:
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(as_json=as_json)], capture_output=True, timeout=PATIENCE)
    assert done.returncode == 1
    return done.stderr.decode()


def test_text_lines_leave_out_what_is_empty_and_the_texts_of_exceptions() -> None:
    text = lines(as_json=False)
    assert "hidden" not in text
    assert text.splitlines()[0].endswith("info    request request_id=r1 ms=1.5")
    assert "builtins.RuntimeError" in text
    first_crash = text.index("passed_over")
    assert text[:first_crash].count("builtins.ValueError") >= 2
    assert "error   broke logger=library" in text
    assert "a thing is old" in text
    assert "11204416541220243X" not in text
    assert "标记的姓名" not in text


REMEMBERED = """
from renzheng.server.logs import MAX_REQUEST_LINES, configure_logs
log = configure_logs("{level}", False)
log.info("request", request_id="mine", account=7, code="", ms=1.5)
log.info("started", address="127.0.0.1")
log.error("action failed", request_id="mine", exception="builtins.ValueError")
for number in range(2 * MAX_REQUEST_LINES):
    log.info("request", request_id=str(number), account=None)
    log.info("request", request_id=str(number), account=-7)
lines = log.request_lines()
assert len(lines) == 2 * MAX_REQUEST_LINES + 1, len(lines)
assert {{line.event for line in lines}} == {{"request"}}
(mine,) = [line for line in lines if line.request_id == "mine"]
assert (mine.account_id, mine.values) == (7, {{"ms": 1.5}})
log.error("action failed", request_id="mine", exception="builtins.ValueError")
assert log.request_lines()[0].event == "action failed"
assert log.request_lines()[0].values == {{}}
"""


@pytest.mark.parametrize("level", ["info", "warning"])
def test_a_bounded_number_of_requests_lines_is_remembered_and_strangers_push_out_no_accounts(level: str) -> None:
    done = subprocess.run([sys.executable, "-c", REMEMBERED.format(level=level)], capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def test_every_json_line_is_json_whoever_wrote_it() -> None:
    written = [json.loads(line) for line in lines(as_json=True).splitlines()]
    first, second = written[:2]
    told = {line["event"].splitlines()[0] for line in written}
    assert told >= {"request", "failed", "broke", "of uvicorn's\tlines", "Task exception was never retrieved"}
    assert told >= {"thread_crashed", "passed_over", "crashed"}
    assert any("a thing is old" in line["event"] for line in written)
    assert all({"timestamp", "level", "event"} <= line.keys() for line in written)
    assert "11204416541220243X" not in lines(as_json=True)
    assert (first["event"], first["level"], first["request_id"]) == ("request", "info", "r1")
    assert "builtins.ValueError" in second["exception"]
    assert "标记的姓名" not in second["exception"]


@pytest.mark.parametrize("port", ["0", "taken"])
def test_with_json_logs_the_server_says_nothing_else(tmp_path: Path, port: str) -> None:
    """Neither its greeting nor why it does not start; uvicorn's line about a head that it cannot read neither."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = Server(tmp_path, log_json=True)
        if port == "taken":
            server.environment["RENZHENG_PORT"] = str(taken.getsockname()[1])
            with pytest.raises(AssertionError, match="did not start"):
                server.start()
        else:
            server.start()
            with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as line:
                line.sendall(b"NO SUCH THING\r\n\r\n")
                line.recv(1000)
            server.stop()
    written = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert written
    assert all({"timestamp", "level", "event"} <= line.keys() for line in written)
    events = {line["event"] for line in written}
    assert events >= ({"refused"} if port == "taken" else {"started", "Invalid HTTP request received."})
