"""ID numbers and names: their form, how they are compared, and how they are shown to an operator."""

from __future__ import annotations

import re

from renzheng.verification.spelling import folded, name_as_meant

MAX_NAME, MAX_ID_CARD = 1000, 200
"""Most characters of a name and a number. A longer text is neither and stays as it is: folding millions of characters
takes many seconds."""
_ID_CARD = re.compile(r"[0-9]{17}[0-9Xx]", re.ASCII)
_LOOKS_LIKE_X = str.maketrans("ХΧ×✕", "XXXX")
"""A Cyrillic letter, a Greek letter and two signs that people type for the last character."""


def is_id_card(text: str) -> bool:
    """Return whether the text has the form of a resident ID number: 17 digits and a digit or X.

    The check digit is not checked: the first sample in Tencent's documentation has a wrong one.
    """
    return _ID_CARD.fullmatch(text) is not None


def normal_id_card(text: str) -> str:
    """Return the form in which a number is looked up: narrow digits, upper-case X, no invisible characters."""
    if len(text) > MAX_ID_CARD:
        return text
    return text.upper() if text.isascii() and text.isalnum() else folded(text).upper().translate(_LOOKS_LIKE_X)


def normal_name(text: str) -> str:
    """Return the form in which names are compared; see `spelling`."""
    return text if len(text) > MAX_NAME else name_as_meant(text)


def mask_id_card(text: str) -> str:
    """Return the number with only its first and last character, as `1****************X`."""
    return text if len(text) < 3 else text[0] + "*" * (len(text) - 2) + text[-1]


def mask_name(text: str) -> str:
    """Return the name with only its last character, as `**宝`."""
    return "*" * (len(text) - 1) + text[-1:]
