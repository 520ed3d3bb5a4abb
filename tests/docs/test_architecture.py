"""What the architecture page says of the code stands in the code: a reader's questions are answered by it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "renzheng"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
ZH_PAGE = (ROOT / "docs" / "architecture.zh-CN.md").read_text()
QUOTED = re.compile(r"`([^`]+)`")
ANSWER = re.compile(r"^\* \*\*(?P<question>[^*]+)\?\*\* (?P<answer>.+)$", re.MULTILINE)
CHINESE = re.compile(r"^\* \*\*(?P<question>[^*]+)？\*\* (?P<answer>.+)$", re.MULTILINE)
NOT_NAMED = {"__init__.py", "__main__.py", "py.typed", "constraints.txt", "__pycache__"}


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def answers() -> list[tuple[str, str]]:
    return [(one["question"], one["answer"]) for one in ANSWER.finditer(PAGE)]


def test_each_room_and_module_is_on_the_page_and_nothing_else() -> None:
    rows = [row for row in section("The rooms").splitlines() if row.startswith("| `")]
    listed = {name for row in rows for name in QUOTED.findall(row.split(" | ")[0])}
    there = {f"{one.name}/" if one.is_dir() else one.name for one in SOURCE.iterdir() if one.name not in NOT_NAMED}
    assert listed == there


def test_each_room_is_begun_at_a_file_that_is_there() -> None:
    rows = [row.split(" | ") for row in section("The rooms").splitlines() if row.startswith("| `") and "/` |" in row]
    assert len(rows) > 10
    for row in rows:
        room = QUOTED.findall(row[0])[0]
        for file in QUOTED.findall(row[-1]):
            assert (SOURCE / room / file).is_file(), f"{room}{file}"


def test_the_questions_that_people_ask_are_answered() -> None:
    asked = {question for question, _ in answers()}
    assert {
        "an action", "an error code", "a management call", "a command", "a setting", "a metric", "a service",
        "a page of the console", "a liveness layer", "a migration", "that a frame is too late",
        "when a token's life ends", "what becomes of a session whose judge dies", "when a photo is deleted",
        "which rows are signed",
    } <= asked  # fmt: skip


def test_the_chinese_answers_name_the_same_places() -> None:
    chinese = [QUOTED.findall(one["answer"]) for one in CHINESE.finditer(ZH_PAGE)]
    assert len(chinese) == len(answers())
    for (question, answer), quoted in zip(answers(), chinese, strict=True):
        assert set(quoted) == set(QUOTED.findall(answer)), question


@pytest.mark.parametrize(("question", "answer"), answers())
def test_an_answer_names_files_that_hold_what_it_says(question: str, answer: str) -> None:
    """Each name in code letters is a file, a folder, or a word in one of the files that the answer names."""
    quoted = QUOTED.findall(answer)
    paths = [
        SOURCE / name if (SOURCE / name).exists() else ROOT / name for name in quoted if "/" in name or ".py" in name
    ]
    assert paths
    assert [path for path in paths if not path.exists()] == []
    files = [file for path in paths for file in (path.glob("*.py") if path.is_dir() else [path])]
    text = "\n".join(file.read_text() for file in files)
    for word in quoted:
        if "/" not in word and ".py" not in word:
            assert re.search(rf"\b{re.escape(word)}\b", text), f"{question}: {word}"
