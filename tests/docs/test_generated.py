"""The docs tell what the code says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_generated_tables_are_those_of_the_code() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"run `python scripts/docs.py`:\n{done.stdout}{done.stderr}"


def headings(page: Path) -> set[str]:
    """The anchors that a renderer gives to a page's headings."""
    texts = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", text).strip().lower() for text in texts)
    return {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in plain}


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = []
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]:
        for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", page.read_text()):
            there = page.parent / target if target else page
            if "://" in target:
                continue
            if not there.exists() or (anchor and there.suffix == ".md" and anchor not in headings(there)):
                broken.append(f"{page.relative_to(ROOT)}: {target}#{anchor}")
    assert not broken


def test_the_choices_are_the_same_in_both_languages_row_by_row() -> None:
    tests = [
        [line.rsplit(" | ", 1)[1] for line in (ROOT / "docs" / name).read_text().splitlines() if line.startswith("| ")]
        for name in ("api-choices.md", "api-choices.zh-CN.md")
    ]
    assert tests[0][1:] == tests[1][1:]


def test_the_clients_examples_are_the_same_in_both_languages() -> None:
    """They are run from the English page."""
    blocks = [
        re.findall(r"^```(?:python|text)\n(.*?)^```$", (ROOT / "docs" / name).read_text(), re.MULTILINE | re.DOTALL)
        for name in ("client.md", "client.zh-CN.md")
    ]
    assert blocks[0] == blocks[1]
