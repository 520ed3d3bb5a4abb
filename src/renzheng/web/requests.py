"""Reads a page's request in one pass, as a stranger sends it and chooses its length."""

from __future__ import annotations

import re
from functools import lru_cache

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request


@lru_cache(maxsize=16)
def _finder(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|;)[ \t]*{re.escape(name)}=([^;]*)")


def cookie(request: Request, name: str) -> str:
    """Return a cookie's value as it was sent; empty if there is none. Quotes are not removed, as ours need none.

    The standard library's reader, which Starlette uses, takes 20 s for 60 KB of backslashes before Python 3.12.6.
    """
    found = _finder(name).search("; ".join(request.headers.getlist("cookie")))
    return found[1].strip() if found else ""


class _Number(Convertor[int]):
    """A record's number in a path. `int` alone would get thousands of digits, which Python refuses to read."""

    regex = "[0-9]{1,18}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("number", _Number())
