"""Words that these pages do not use, and what to write instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STATIC = ROOT / "src" / "renzheng"
CHINESE = [
    ROOT / "README.zh-CN.md",
    *sorted((ROOT / "docs").glob("*.zh-CN.md")),
    STATIC / "explorer" / "texts.py",
    STATIC / "explorer" / "static" / "texts.js",
    STATIC / "capture" / "static" / "texts.js",
    STATIC / "capture" / "static" / "verify.html",
    STATIC / "capture" / "static" / "refused.html",
    STATIC / "start" / "static" / "start.zh.html",
    *sorted((STATIC / "console" / "templates").glob("*.html")),
    ROOT / "scripts" / "chinese.py",
]
ENGLISH = [ROOT / "README.md", *sorted(page for page in (ROOT / "docs").rglob("*.md") if ".zh-CN" not in page.name)]

INSTEAD = {
    "木偶": "模拟人像",
    "核验": "核身",
    "身份库": "商业库",
    "不是什么": "能力边界",
    "你": "您",
    "登记照(?!片)": "登记照片",
    "光线挑战": "光线活体检测",
    "静默网络": "静默活体模型",
    "账户": "账号",
    "存证|证据": "影像",
    "擦除": "删除",
}
IDIOMS = [
    *(r"is the lamp", r"\bfilms?\b", r"let pass", r"has it tried again", r"without a word", r"at home\b"),
    *(r"\banew\b", r"to and fro", r"\bgo(es)? again\b", r"for want of", r"in the mean\b", r"\ball the same\b"),
    *(r"beyond doubt", r"is of use\b", r"\bis no [a-z]+[;:]", r"held against"),
]


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: page.name)
def test_chinese_pages_use_the_words_of_the_field(page: Path) -> None:
    text = page.read_text()
    assert not {word: better for word, better in INSTEAD.items() if re.search(word, text)}


@pytest.mark.parametrize("page", ENGLISH, ids=lambda page: page.name)
def test_english_pages_have_no_idioms_of_the_house(page: Path) -> None:
    assert not [idiom for idiom in IDIOMS if re.search(idiom, page.read_text())]


def test_the_page_tells_of_a_video() -> None:
    english = (STATIC / "capture" / "static" / "texts.js").read_text().split("const en = {", 1)[1]
    assert not re.search(r"\bfilm", english, re.IGNORECASE)
