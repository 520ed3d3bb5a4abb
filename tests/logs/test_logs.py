"""A log line is one line, and an exception's text, which may hold what a stranger sent, is not in it."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import logging
import structlog
from renzheng.logs import configure_logs
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
"""


def lines(as_json: bool) -> str:
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(as_json=as_json)], capture_output=True, timeout=60)
    assert done.returncode == 0
    return done.stderr.decode()


def test_text_lines_leave_out_what_is_empty_and_the_texts_of_exceptions() -> None:
    text = lines(as_json=False)
    assert "hidden" not in text
    assert text.splitlines()[0].endswith("info    request request_id=r1 ms=1.5")
    assert "builtins.RuntimeError" in text
    assert text.count("builtins.ValueError") == 2
    assert "ERROR library broke" in text
    assert "11204416541220243X" not in text
    assert "标记的姓名" not in text


def test_json_lines_are_json() -> None:
    first, second = map(json.loads, lines(as_json=True).splitlines()[:2])
    assert (first["event"], first["level"], first["request_id"]) == ("request", "info", "r1")
    assert "builtins.ValueError" in second["exception"]
    assert "标记的姓名" not in second["exception"]
