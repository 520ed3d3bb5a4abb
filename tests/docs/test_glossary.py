"""A domain word has one meaning, and a reader can look it up."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "renzheng"
ROOMS = ("verification", "accounts", "gateway", "engine", "capture")
ROW = re.compile(r"^\| (?P<word>[^|]+?) \| [^|]+ \| (?P<meaning>[^|]+) \| `(?P<file>[^`]+)` \|$", re.MULTILINE)


def rows() -> list[tuple[str, str, str]]:
    return [(one["word"], one["meaning"], one["file"]) for one in ROW.finditer((ROOT / "docs/glossary.md").read_text())]


def words(name: str) -> str:
    """`ConsoleSession` -> ` console session `."""
    parts = re.findall(r"[A-Z]+\d*(?![a-z])|[A-Z][a-z0-9]*", name)
    return f" {' '.join(part.lower() for part in parts)} "


def terms() -> set[str]:
    """The words without what tells two of them apart, such as `(of the API)`, in singular and plural."""
    plain = {re.sub(r" \(.*\)", "", one).lower().replace("-", "") for word, _, _ in rows() for one in word.split(", ")}
    return plain | {f"{word}s" for word in plain}


def classes() -> list[str]:
    found = []
    for room in ROOMS:
        for file in sorted((SOURCE / room).rglob("*.py")):
            for node in ast.parse(file.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found.append(f"{room}.{node.name}")
    return found


def is_error(name: str) -> bool:
    """Errors of the wire are named after the codes that the provider publishes; others say what went wrong."""
    return name.endswith("Error")


def test_the_glossary_is_read() -> None:
    assert len(rows()) > 80


@pytest.mark.parametrize("name", [name for name in classes() if not is_error(name)])
def test_a_class_of_the_domain_is_named_after_a_word_of_the_glossary(name: str) -> None:
    named = words(name.partition(".")[2])
    assert any(f" {term} " in named for term in terms()), (
        f"{name}: add its word to docs/glossary.md, or name it after one"
    )


@pytest.mark.parametrize(("word", "meaning", "file"), rows(), ids=lambda value: str(value)[:30])
def test_each_word_has_a_sentence_and_a_file(word: str, meaning: str, file: str) -> None:
    assert meaning.endswith(".")
    assert (SOURCE / file).is_file()


def test_no_word_stands_twice() -> None:
    listed = [word for word, _, _ in rows()]
    assert len(listed) == len(set(listed))
