"""Normalises names, however a keyboard, a font or a copied document encodes their characters."""

from __future__ import annotations

import re
import unicodedata

_DOTS = "•・‧∙.⸱⸰⸳᛫⋅●⚫。ꞏ◦∘ᆞᐧ⁃﹅﹆⦁▪°\u02d9"
"""Dots other than U+00B7 between the parts of a name, after NFKC: typed, from fonts, and from other scripts."""
_DASHES = "‐‒–—―−"
_APOSTROPHES = "‘’‛ʻʼʹ`′\u00b4"
"""What keyboards and fonts use instead of - and of ', after NFKC."""
_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Zero-width characters that Unicode does not classify as formats."""
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
"""Characters that have no place in GB 18030 of 2000, the version in Python, but have one in that of 2022."""
_RADICALS = dict(
    zip(
        map(ord, "⺠⻁⻄⻅⻆⻉⻋⻑⻓⻔⻗⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻲⻳"),
        "民虎西见角贝车長长门雨青韦页风飞食马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙亀龟",
        strict=True,
    )
)
"""Radicals in text copied from a PDF that stand for characters, and that NFKC does not change."""
_SAME = str.maketrans("靑黃戶戸○◯", "青黄户户〇〇")
"""Variants of one character. NFKC maps the radicals ⾭, ⿈ and ⼾ to the first; documents in China mean the second."""


def _private() -> dict[int, str]:
    """Return the 80 characters of GBK (FE50 to FEA0) that its fonts keep in the private use area, among them 䶮."""
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
    """Return whether a character is visible: no white space, direction mark, zero width, control or variation
    selector."""
    if character.isspace() or unicodedata.category(character) in ("Cf", "Cc"):
        return False
    return not ("\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef")


def folded(text: str) -> str:
    """Return the text in NFKC, with the variants of fonts and copied documents replaced, and without invisible
    characters."""
    # NFKC would turn these two into a space and an accent.
    plain = text.translate(_CHARACTERS).replace("\u02d9", "·").replace("\u00b4", "'")
    return "".join(filter(_is_seen, unicodedata.normalize("NFKC", plain).translate(_CHARACTERS)))


_PLAIN = re.compile("(?:(?![靑黃戶戸])[\u4e00-\u9fff])+")
"""Names of Chinese characters that have no variants. They need no normalising."""


def name_as_meant(text: str) -> str:
    """Return the form in which names are compared: folded, in lower case, with one dot, dash and apostrophe."""
    return text if _PLAIN.fullmatch(text) else _as_meant(text)


def _as_meant(text: str) -> str:
    return folded(text).translate(_AFTER).casefold()
