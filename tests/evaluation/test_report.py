"""`renzheng evaluate` from the command to the report, on real photos; and the report's own promises."""

from __future__ import annotations

import csv
import re
import shutil
import string
from html.parser import HTMLParser
from pathlib import Path

import cv2
import msgspec
import pytest
import typer
from typer.testing import CliRunner, Result

from renzheng.cli.evaluate import evaluate
from renzheng.engine.runtimes import Image
from renzheng.evaluation.rates import rate
from renzheng.evaluation.report import render
from renzheng.evaluation.results import (
    FORMAT,
    AttackType,
    Presentations,
    Recognition,
    Run,
    Timing,
    read_json,
)
from renzheng.evaluation.texts import WORDS, Language, Words, digits

from .conftest import DATA

LANGUAGES: tuple[Language, Language] = ("en", "zh")


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    app.command()(evaluate)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's folder for the labelled list of `deepface`."""
    if not (DATA / "deepface" / "master.csv").is_file():
        pytest.skip("test data deepface is not there (RENZHENG_TEST_DATA)")
    out = tmp_path_factory.mktemp("deepface")
    done = run(DATA / "deepface", "--out", out, "--processes", "1", "--calibrate", "--refusals", "2")
    assert done.exit_code == 3, done.output  # 262 impostor pairs bear no calibration
    assert "score 70 (FMR 0.0001) is refused" in done.output
    return out


def test_a_list_of_pairs_is_measured_printed_and_written(measured: Path) -> None:
    found = read_json(measured / "results.json")
    assert isinstance(found, Recognition)
    assert (found.data.genuine, found.data.impostor, found.data.mode) == (38, 262, "pairs")
    at_70 = next(point for point in found.points if point.score == 70)
    assert at_70.fmr.errors == 0
    assert at_70.fnmr.errors <= 1
    assert found.best is not None
    assert (found.best.accuracy.value or 0) >= 0.99
    assert found.acquire.errors == 0
    assert not (measured / "calibration.toml").exists()
    with (measured / "rates.csv").open() as file:
        rows = {row["score"]: row for row in csv.DictReader(file)}
    assert rows["70.0"]["fmr_comparisons"] == "262"
    with (measured / "comparisons.csv").open() as file:
        scored = list(csv.DictReader(file))
    assert len(scored) == 300
    assert (measured / "comparisons.csv").stat().st_mode & 0o077 == 0


def test_refusals_by_brightness_and_by_orientation_are_measured_and_printed(measured: Path, tmp_path: Path) -> None:
    found = read_json(measured / "results.json")
    assert isinstance(found, Recognition)
    light = {(row.group, row.name): row for row in found.refusals if row.kind == "light"}
    turn = {row.name: row for row in found.refusals if row.kind == "turn"}
    assert {group for group, _ in light} == {"dark", "medium", "bright"}
    for group in ("dark", "medium", "bright"):
        for name in ("1", "0.5", "0.25"):
            assert light[group, name].refused.errors == 0  # brightness alone refuses nobody
    assert set(turn) == {"90", "180", "270", "-45", "-30", "-15", "15", "30", "45"}
    assert all((row.refused.errors, row.unlike.errors) == (0, 0) for row in turn.values())
    for language, words in (("en", ("darkest third", "How the photo lies")), ("zh", ("最暗的三分之一", "照片方向"))):
        done = run(measured / "results.json", "--out", tmp_path, "--language", language)
        assert all(word in done.output for word in words)
        assert "-45°" in done.output


def test_a_second_run_takes_the_embeddings_that_are_there(measured: Path, tmp_path: Path) -> None:
    copy = tmp_path / "again"
    shutil.copytree(measured, copy)
    before = {path: path.stat().st_size for path in copy.glob("embeddings-*.bin")}
    assert before
    done = run(DATA / "deepface", "--out", copy, "--language", "zh", "--forget", "--refusals", "0")
    assert done.exit_code == 0, done.output
    assert "70 分处" in (copy / "report.html").read_text(encoding="utf-8")
    assert not list(copy.glob("embeddings-*.bin"))
    one, other = read_json(measured / "results.json"), read_json(copy / "results.json")
    assert isinstance(one, Recognition)
    assert isinstance(other, Recognition)
    assert one.points == other.points
    assert one.equal_error == other.equal_error


def test_the_report_can_be_made_again_from_the_results(measured: Path, tmp_path: Path) -> None:
    done = run(measured / "results.json", "--out", tmp_path, "--language", "en")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "report.html").read_text() == (measured / "report.html").read_text()


def test_unreadable_data_ends_with_a_sentence(tmp_path: Path) -> None:
    done = run(tmp_path / "nothing", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "neither a file nor a folder" in done.output
    (tmp_path / "old.json").write_text("{}")
    done = run(tmp_path / "old.json", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "Traceback" not in done.output


@pytest.mark.parametrize("label", [0, 1])
def test_a_list_of_one_kind_of_pairs_is_still_reported(tmp_path: Path, portrait_photo: Image, label: int) -> None:
    """Without impostors there is no FMR, without genuine pairs no FNMR, and without both no equal error rate."""
    for name, image in (("a.png", portrait_photo), ("b.png", portrait_photo[:, ::-1])):
        assert cv2.imwrite(str(tmp_path / name), image)
    (tmp_path / "pairs.csv").write_text(f"a,b,same\na.png,b.png,{label}\n")
    done = run(tmp_path, "--out", tmp_path / "out", "--processes", "1", "--replicates", "100", "--refusals", "0")
    assert done.exit_code == 0, done.output
    found = read_json(tmp_path / "out" / "results.json")
    assert isinstance(found, Recognition)
    assert (found.equal_error, found.best, found.area) == (None, None, None)
    at_70 = next(point for point in found.points if point.score == 70)
    missing, there = (at_70.fmr, at_70.fnmr) if label else (at_70.fnmr, at_70.fmr)
    assert (missing.value, missing.trials, there.trials) == (None, 0, 1)
    # The mirrored face is the same face to the engine: a match whatever the label says.
    assert there.errors == (0 if label else 1)
    assert Page((tmp_path / "out" / "report.html").read_text(encoding="utf-8")).open == []


@pytest.mark.stress
@pytest.mark.replay
def test_lfw_fold_1_keeps_the_published_rates(tmp_path: Path) -> None:
    if not (DATA / "lfw_fold1" / "pairs.csv").is_file():
        pytest.skip("test data lfw_fold1 is not there (RENZHENG_TEST_DATA)")
    done = run(DATA / "lfw_fold1", "--out", tmp_path, "--refusals", "0")
    assert done.exit_code == 0, done.output
    found = read_json(tmp_path / "results.json")
    assert isinstance(found, Recognition)
    at_70 = next(point for point in found.points if point.score == 70)
    assert (at_70.fmr.errors, at_70.fmr.trials) == (0, 300)
    assert (at_70.fnmr.value or 1) <= 0.04
    assert found.best is not None
    assert (found.best.accuracy.value or 0) >= 0.993


class Page(HTMLParser):
    """Collects what a page would fetch, and whether its tags close."""

    VOID = frozenset({"meta"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [f"{name}={value}" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        if tag in ("script", "link", "iframe", "img"):
            self.fetched.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_asks_nothing_of_any_host(measured: Path, language: Language) -> None:
    text = render(read_json(measured / "results.json"), language)
    page = Page(text)
    assert page.fetched == []
    assert page.open == []
    assert not re.search(r"https?:|url\(|@import|//[a-z]", text)
    assert "default-src 'none'" in text
    assert not re.search(r"[^\w]nan[^\w]|None|inf[^\w]", text)


def presentations(count: int) -> Presentations:
    run_ = Run("renzheng evaluate recorded --out out", "0", 0.0, 1.0, ["m@1"], 0, 0, 0.95)
    attacks = [
        AttackType(f"type_{k}", 25, 9, rate(k, 24), rate(1, 25), {"challenge": 20, "depth": 4 - min(k, 4)})
        for k in range(count)
    ]
    bpcer, silent = (rate(4, 98), rate(2, 100)) if count else (rate(0, 0), rate(0, 0))
    timings = {"judge": Timing(100, 2000.0, 2500.0)}
    return Presentations(FORMAT, run_, "<recorded>", 100, 30, bpcer, silent, {"challenge": 4}, attacks, timings)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("count", [0, 1, 12])
def test_the_report_of_attacks_names_the_worst_type_and_no_average(
    tmp_path: Path, language: Language, count: int
) -> None:
    results = presentations(count)
    (tmp_path / "r.json").write_bytes(msgspec.json.encode(results))
    text = render(read_json(tmp_path / "r.json"), language)
    page = Page(text)
    assert page.open == []
    assert "&lt;recorded&gt;" in text
    if count:
        assert f"type {count - 1}" in text.split("</dl>")[0]
        for k in range(count):
            assert f">type {k}<" in text


def test_both_languages_say_the_same_things() -> None:
    for key, (english, chinese) in WORDS.items():
        fields = [sorted(name for _, name, _, _ in string.Formatter().parse(t) if name) for t in (english, chinese)]
        assert fields[0] == fields[1], key
        assert english, key
        assert re.search("[一-鿿]", chinese) or key in ("apcer",), key


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (100, "100"),
        (99.5, "99.5"),
        (99.97, "99.97"),
        (2.6667, "2.67"),
        (0.0142, "0.014"),
        (0.00031, "0.00031"),
    ],
)
def test_numbers_are_written_without_powers_and_false_precision(value: float, text: str) -> None:
    assert digits(value) == text


def test_intervals_are_worded_by_what_is_known() -> None:
    words = Words("en")
    assert words.range(rate(0, 300)) == "at most 0.99 %"
    assert words.range(rate(300, 300)) == "at least 99 %"
    assert words.range(rate(0, 0)) == "–"
    assert words.range(rate(8, 300)) == "1.36 – 5.17 %"
    assert words.one_in(3.16e-6) == "1 in 320,000"
