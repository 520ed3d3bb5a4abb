"""A plugin of pytest that notes which tests reach which lines of some files, and how long each test took."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

FILES, WRITTEN = "MUTATION_FILES", "MUTATION_REACH"


class Reach:
    """`files`: whole paths of those whose lines are noted."""

    def __init__(self, files: list[str], written: Path) -> None:
        self._files = frozenset(files)
        self._written = written
        self._test = ""
        self._lines: dict[tuple[str, int], set[str]] = defaultdict(set)
        self._seconds: dict[str, float] = {}
        self._failed: set[str] = set()

    def _call(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename not in self._files:
            return None
        self._line(frame, event, _)
        return self._line

    def _line(self, frame: FrameType, _: str, __: Any) -> Any:
        self._lines[frame.f_code.co_filename, frame.f_lineno].add(self._test)
        return self._line

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._test = item.nodeid
        threading.settrace(self._call)
        sys.settrace(self._call)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self._failed.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        lines = [[path, line, sorted(tests)] for (path, line), tests in self._lines.items()]
        told = {"lines": lines, "seconds": self._seconds, "failed": sorted(self._failed)}
        self._written.write_text(json.dumps(told), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    if FILES in os.environ:
        config.pluginmanager.register(Reach(os.environ[FILES].split(os.pathsep), Path(os.environ[WRITTEN])))
