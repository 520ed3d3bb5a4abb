"""The accuracy pages say what the kept results say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from renzheng.engine import packs
from renzheng.evaluation.report import render
from renzheng.evaluation.results import Recognition, read_json
from renzheng.evaluation.tables import markdown, scale

from .conftest import ROOT

KEPT = sorted((ROOT / "docs" / "accuracy").glob("*.json"))


def test_the_accuracy_pages_are_filled_from_the_kept_results() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/accuracy.py", "--check"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"run `python scripts/accuracy.py`:\n{done.stdout}{done.stderr}"


def test_both_pages_show_the_same_tables() -> None:
    parts = [
        re.findall(r"<!-- generated: evaluation/(\S+) -->", (ROOT / "docs" / name).read_text(encoding="utf-8"))
        for name in ("accuracy.md", "accuracy.zh-CN.md")
    ]
    assert parts[0] == parts[1]
    assert {path.stem for path in KEPT} <= set(parts[0])


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_kept_results_can_still_be_read_and_reported(path: Path) -> None:
    results = read_json(path)
    assert results.run.command.startswith(("renzheng evaluate ", "renzheng attack "))
    assert "/" not in results.run.command.split(" --out ")[1]
    assert render(results, "en").count("<svg") >= 1


def test_a_table_changes_with_its_numbers() -> None:
    results = read_json(ROOT / "docs" / "accuracy" / "lfw_fold1.json")
    assert isinstance(results, Recognition)
    worse = [msgspec.structs.replace(point, agreement="worse") for point in results.points]
    assert markdown(results) != markdown(msgspec.structs.replace(results, points=worse))
    assert "**70**" in markdown(results, "zh")


def test_points_of_the_shipped_scale_that_rest_on_few_errors_are_marked() -> None:
    calibration = packs.pack_for("embedding").calibration
    assert calibration is not None
    text = scale(calibration)
    for score, rate in ((60, "1 in 1,000"), (70, "1 in 10,000"), (80, "1 in 100,000")):
        assert re.search(rf"\*\*{score}\*\* \| [\d.]+ \| {rate} \|", text)
    rows = [line.split("|") for line in text.splitlines() if line.startswith("|")][2:]
    for _, at, _, _, errors, interval, _ in rows:
        assert ("†" in errors) == (float(errors.strip(" †")) < 30) == (float(at.strip(" *")) > 60)
        assert "%" in interval
