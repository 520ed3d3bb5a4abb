"""Fill the tables of the accuracy pages: `python scripts/accuracy.py` writes, `--check` only compares.

A table stands between `<!-- generated: evaluation/NAME -->` and `<!-- end: evaluation/NAME -->`. NAME is a
`results.json` kept as `docs/accuracy/NAME.json`, `appearance` for what `scripts/appearance.py` wrote, `refusals` and
what begins with it for the tables of refused reference photos alone, or `scale` for the shipped embedding's
calibration. A page whose name ends in `.zh-CN.md` gets its tables in Chinese.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import msgspec

from renzheng.engine import packs
from renzheng.evaluation import appearances
from renzheng.evaluation.results import read_json
from renzheng.evaluation.tables import markdown, refusals, scale
from renzheng.evaluation.texts import Language

DOCS = Path(__file__).resolve().parent.parent / "docs"
PART = re.compile(r"(<!-- generated: evaluation/(\S+) -->\n)(.*?)(<!-- end: evaluation/\2 -->)", re.DOTALL)


def table(name: str, language: Language) -> str:
    if name == "scale":
        calibration = packs.pack_for("embedding").calibration
        assert calibration is not None
        return scale(calibration, language)
    if name == "appearance":
        content = (DOCS / "accuracy" / "appearance" / "results.json").read_bytes()
        return appearances.markdown(msgspec.json.decode(content, type=appearances.Appearances), language)
    if name.startswith("refusals"):
        return refusals(read_json(DOCS / "accuracy" / f"{name}.json"), language)
    return markdown(read_json(DOCS / "accuracy" / f"{name}.json"), language)


def main() -> int:
    stale = []
    for page in sorted(DOCS.glob("accuracy*.md")):
        language: Language = "zh" if page.name.endswith(".zh-CN.md") else "en"
        text = page.read_text(encoding="utf-8")
        new = PART.sub(lambda found: found[1] + table(found[2], language) + found[4], text)  # noqa: B023
        if new != text:
            stale.append(page.name)
            if "--check" not in sys.argv:
                page.write_text(new, encoding="utf-8")
    print("\n".join(stale) or "up to date")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
