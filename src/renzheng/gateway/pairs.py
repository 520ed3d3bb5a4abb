"""Queries and forms as pairs: split into raw pairs in one bounded pass, and decoded only once the caller's key is
known.

Both steps are linear in the bytes and run in compiled code, whatever a stranger sends.
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
"""Most percent signs that escape nothing and stand for themselves. Each costs more than an escape does."""
_STRAY = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def raw_pairs(text: bytes, most: int = MAX_PAIRS) -> dict[bytes, bytes]:
    """Return the pairs of a query or form as they were sent, undecoded.

    TooManyParametersError, before anything is split; MalformedPairError; RepeatedParameterError if two names are sent
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
    """Split and decode at once, for a caller whose key is known."""
    return unquoted(raw_pairs(text, most))


def unquoted(pairs: RawPairs) -> dict[str, str]:
    """Decode the pairs: `+` is a space, `%2B` a plus. MalformedEncodingError, RepeatedParameterError."""
    return unique((unquote(name), unquote(value)) for name, value in pairs.items())


def unquote(text: bytes) -> str:
    """Decode one name or value, as `urllib.parse.unquote_plus` does. MalformedEncodingError."""
    text = text.replace(b"+", b" ")
    if b"%" in text:
        text = _unescape(text)
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedEncodingError from None


def _unescape(text: bytes) -> bytes:
    """Unescape with the compiled decoder of quoted-printable, whose escapes differ only in their sign."""
    if b"%\n" not in text and b"%\r" not in text:  # the decoder would read these as line breaks
        plain = _decode(text)
        if len(plain) == len(text) - 2 * text.count(b"%"):
            return plain
    text = _STRAY.sub(b"%25", text, count=MAX_STRAY)
    if _STRAY.search(text):
        raise MalformedEncodingError
    return _decode(text)


def _decode(text: bytes) -> bytes:
    return a2b_qp(text.replace(b"=", b"=3D").replace(b"%", b"="))


def unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the pairs as a dict. RepeatedParameterError, as a signature over a repeated name is ambiguous."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise RepeatedParameterError(name=name)
        found[name] = value
    return found
