"""The tables of refused reference photos in words: by light, and by how the photo lies."""

from __future__ import annotations

from collections.abc import Sequence

from renzheng.evaluation.results import Refused
from renzheng.evaluation.texts import Language, Words

WORDS = {
    "light": ("Light", "光照"),
    "turn": ("How the photo lies", "照片方向"),
    "refused": ("Refused", "被拒"),
    "range": ("95 % interval", "95% 区间"),
    "unlike": ("Taken, and below 70 against itself", "接受后与原图比对低于 70 分"),
    "dark": ("darkest third", "最暗的三分之一"),
    "medium": ("middle third", "中间的三分之一"),
    "bright": ("brightest third", "最亮的三分之一"),
    "faces": ("Faces", "人脸"),
    "as it is": ("as it is", "原图"),
}


def tables(rows: Sequence[Refused], language: Language) -> list[tuple[list[str], list[list[str]]]]:
    """(head, rows) of the table by light and of the one by orientation, in words."""
    words, column = Words(language), ("en", "zh").index(language)

    def cells(row: Refused) -> list[str]:
        counts = [f"{one.errors:,} / {one.trials:,}" for one in (row.refused, row.unlike)]
        return [counts[0], words.range(row.refused), counts[1]]

    def word(key: str) -> str:
        return WORDS[key][column]

    tail = [word("refused"), word("range"), word("unlike")]
    light = [
        [word(row.group), word("as it is") if row.name == "1" else f"× {row.name}", *cells(row)]
        for row in rows
        if row.kind == "light"
    ]
    turn = [[f"{row.name}°", *cells(row)] for row in rows if row.kind == "turn"]
    return [([word("faces"), word("light"), *tail], light), ([word("turn"), *tail], turn)]
