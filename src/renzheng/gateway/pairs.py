"""Queries and forms as pairs: cut into raw ones in one bounded pass, and unquoted only for a caller whose key is known.

The work of both is linear in the bytes and done by compiled code, whatever a stranger sends.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Iterable, Mapping

from renzheng.gateway.errors import (
    MalformedEncodingError,
    MalformedPairError,
    RepeatedParameterError,
    TooManyParametersError,
)

RawPairs = Mapping[bytes, bytes]

MAX_PAIRS = 256
MAX_STRAY = 1000
"""Percent signs that escape nothing, which stand for themselves. Each costs more than an escape does."""
_STRAY = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def raw_pairs(text: bytes, most: int = MAX_PAIRS) -> dict[bytes, bytes]:
    """The pairs of a query or form as they were sent, nothing unquoted.

    TooManyParametersError, before anything is cut; MalformedPairError; RepeatedParameterError, where two names are sent
    alike.
    """
    if text.count(b"&") >= most:
        raise TooManyParametersError(limit=most)
    found: dict[bytes, bytes] = {}
    for pair in text.split(b"&"):
        if not pair:
            continue
        name, equals, value = pair.partition(b"=")
        if not equals or not name:
            raise MalformedPairError
        if name in found:
            raise RepeatedParameterError(name=name.decode("utf-8", "replace"))
        found[name] = value
    return found


def parse_pairs(text: bytes, most: int = MAX_PAIRS) -> dict[str, str]:
    """Both steps, where the key is known."""
    return unquoted(raw_pairs(text, most))


def unquoted(pairs: RawPairs) -> dict[str, str]:
    """The pairs decoded: `+` is a space, `%2B` a plus. MalformedEncodingError, RepeatedParameterError."""
    return unique((unquote(name), unquote(value)) for name, value in pairs.items())


def unquote(text: bytes) -> str:
    """One name or value decoded, as `urllib.parse.unquote_plus` does it. MalformedEncodingError."""
    text = text.replace(b"+", b" ")
    if b"%" in text:
        text = _unescaped(text)
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedEncodingError from None


def _unescaped(text: bytes) -> bytes:
    """By the decoder of quoted-printable, whose escapes are ours with another sign, and which is compiled."""
    if b"%\n" not in text and b"%\r" not in text:  # it would take these for line breaks
        plain = _decoded(text)
        if len(plain) == len(text) - 2 * text.count(b"%"):
            return plain
    text = _STRAY.sub(b"%25", text, count=MAX_STRAY)
    if _STRAY.search(text):
        raise MalformedEncodingError
    return _decoded(text)


def _decoded(text: bytes) -> bytes:
    return a2b_qp(text.replace(b"=", b"=3D").replace(b"%", b"="))


def unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The pairs as a dict. RepeatedParameterError: a signature over a repeated name is ambiguous."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise RepeatedParameterError(name=name)
        found[name] = value
    return found
