"""Each page has a twin in the other language, and the two say the same where a test can tell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from renzheng.server.metrics import Metrics
from renzheng.settings import Settings
from scripts import chinese

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
ENGLISH_ONLY: set[str] = set()
SHORTER = {"quickstart", "security"}
"""Pages whose Chinese twin leaves parts out and says where they are."""
TWINS = sorted(page.stem for page in DOCS.glob("*.md") if "." not in page.stem and page.stem not in ENGLISH_ONLY)


CODE = re.compile(r"\| (`[^`|]*`|\d+)(?:(?: or |, | 或 |、)`[^`|]*`)* \|")


def pair(name: str) -> tuple[str, str]:
    return (DOCS / f"{name}.md").read_text(), (DOCS / f"{name}.zh-CN.md").read_text()


def rows(text: str) -> list[str]:
    """The rows of tables that begin with a code: a number, or names in backticks."""
    return [line for line in text.splitlines() if CODE.match(line)]


def codes(text: str) -> list[str]:
    return [found[1] for line in rows(text) if (found := CODE.match(line))]


def test_every_page_but_the_named_ones_has_a_chinese_twin() -> None:
    chinese_pages = {page.name.removesuffix(".zh-CN.md") for page in DOCS.glob("*.zh-CN.md")}
    assert chinese_pages == set(TWINS)


@pytest.mark.parametrize("name", TWINS)
def test_the_tables_have_the_same_rows(name: str) -> None:
    english, translated = map(codes, pair(name))
    if name in SHORTER:
        assert set(translated) <= set(english)
    else:
        assert translated == english


@pytest.mark.parametrize("name", sorted(set(TWINS) - SHORTER))
def test_the_rows_name_the_same_things(name: str) -> None:
    """A field, an option or a code that one language lacks is one that the other has gained."""
    english, translated = ([set(re.findall(r"`[^`]*`", row)) for row in rows(text)] for text in pair(name))
    assert translated == english


@pytest.mark.parametrize("name", ["capture-protocol", "embedding"])
def test_the_programs_are_the_same(name: str) -> None:
    english, translated = (re.findall(r"^```.*?^```$", text, re.M | re.S) for text in pair(name))
    assert translated == english


@pytest.mark.parametrize("name", sorted(set(TWINS) - SHORTER))
def test_the_twins_have_the_same_sections(name: str) -> None:
    levels = [re.findall(r"^#+(?= )", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.M) for text in pair(name)]
    assert levels[0] == levels[1]


@pytest.mark.parametrize("name", TWINS)
def test_each_twin_leads_to_the_other(name: str) -> None:
    english, translated = pair(name)
    assert f"]({name}.zh-CN.md)" in english
    assert f"]({name}.md)" in translated


@pytest.mark.parametrize("name", ["README", *TWINS])
def test_chinese_pages_lead_to_chinese_pages(name: str) -> None:
    """A link to an English page is for what the twin leaves out; its anchor, or the word beside it, tells so."""
    page = ROOT / "README.zh-CN.md" if name == "README" else DOCS / f"{name}.zh-CN.md"
    known = {f"{twin}.md" for twin in TWINS} - {f"{name}.md", "README.md"}
    led = re.findall(r"\]\((?:docs/)?([\w-]+\.md)\)", page.read_text())
    assert not known.intersection(led)


def numbers(text: str) -> list[str]:
    return sorted(re.findall(r"\d+(?:\.\d+)?", text))


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_settings_sentence_has_the_same_numbers_in_both_languages(name: str) -> None:
    assert numbers(Settings.model_fields[name].description or "") == numbers(chinese.SETTINGS[name])


def test_the_tables_of_chinese_sentences_hold_nothing_that_is_gone() -> None:
    families = Metrics().registry.collect()
    assert set(chinese.SETTINGS) == set(Settings.model_fields)
    assert set(chinese.METRICS) == {f.name + ("_total" if f.type == "counter" else "") for f in families}
