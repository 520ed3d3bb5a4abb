"""What people mean by a name, however a keyboard, a font or a copied document wrote its characters."""

from __future__ import annotations

import re
import unicodedata

_DOTS = "•・‧∙.⸱⸰⸳᛫⋅●⚫。ꞏ◦∘ᆞᐧ⁃﹅﹆⦁▪°\u02d9"
"""Dots beside U+00B7 that stand between the parts of a name, after NFKC; typed, from fonts, and from other scripts."""
_DASHES = "‐‒–—―−"
_APOSTROPHES = "‘’‛ʻʼʹ`′\u00b4"
"""What keyboards and fonts write in place of - and of ', after NFKC."""
_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Characters of no width that Unicode does not call formats."""
_NOT_IN_CODEC = {
    0xE816: 0x20087,
    0xE817: 0x20089,
    0xE818: 0x200CC,
    0xE81E: 0x9FB4,
    0xE826: 0x9FB5,
    0xE82B: 0x9FB6,
    0xE82C: 0x9FB7,
    0xE831: 0x215D7,
    0xE832: 0x9FB8,
    0xE83B: 0x2298F,
    0xE843: 0x9FB9,
    0xE854: 0x9FBA,
    0xE855: 0x241FE,
    0xE864: 0x9FBB,
}
"""Those of them to which GB 18030 of 2000, the one Python knows, gave no place in Unicode; that of 2022 does."""
_RADICALS = dict(
    zip(
        map(ord, "⺠⻁⻄⻅⻆⻉⻋⻑⻓⻔⻗⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻲⻳"),
        "民虎西见角贝车長长门雨青韦页风飞食马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙亀龟",
        strict=True,
    )
)
"""Radicals that a text copied out of a PDF holds in place of the characters, and that NFKC leaves as they are."""
_SAME = str.maketrans("靑黃戶戸○◯", "青黄户户〇〇")
"""Forms of one character. Of the radicals ⾭, ⿈ and ⼾, NFKC makes the first; a document in China means the second."""


def _private() -> dict[int, str]:
    """The 80 characters of GBK (FE50 to FEA0) that its fonts keep in the private use area, among them 䶮."""
    places = [bytes([0xFE, low]) for low in range(0x50, 0xA1) if low != 0x7F]
    known = {0xE815 + number: place.decode("gb18030") for number, place in enumerate(places)}
    return {code: chr(_NOT_IN_CODEC.get(code, ord(char))) for code, char in known.items()}


_CHARACTERS = {**_private(), **_RADICALS}
_AFTER = {
    **_SAME,
    **dict.fromkeys(map(ord, _DOTS), "·"),
    **dict.fromkeys(map(ord, _DASHES), "-"),
    **dict.fromkeys(map(ord, _APOSTROPHES), "'"),
    **dict.fromkeys(map(ord, _FILLERS)),
}


def _is_seen(character: str) -> bool:
    """Not white space, no mark of direction or of no width, no control character, no variation selector."""
    if character.isspace() or unicodedata.category(character) in ("Cf", "Cc"):
        return False
    return not ("\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef")


def folded(text: str) -> str:
    """NFKC with the characters of fonts and copied documents, and nothing that cannot be seen."""
    # NFKC would make a space and an accent of these two.
    plain = text.translate(_CHARACTERS).replace("\u02d9", "·").replace("\u00b4", "'")
    return "".join(filter(_is_seen, unicodedata.normalize("NFKC", plain).translate(_CHARACTERS)))


_PLAIN = re.compile("(?:(?![靑黃戶戸])[\u4e00-\u9fff])+")
"""Names of Chinese characters alone, of which none has another form: they are spelled as they are meant."""


def name_as_meant(text: str) -> str:
    """The spelling under which names are compared: folded, in small letters, with one dot, dash and apostrophe."""
    return text if _PLAIN.fullmatch(text) else _as_meant(text)


def _as_meant(text: str) -> str:
    return folded(text).translate(_AFTER).casefold()
