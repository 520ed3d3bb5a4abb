"""Other forms that a body or a query may have had when it was signed, with the mistake that makes each of them.

Everything here is bounded, because anybody who knows a SecretId chooses the body: a body above `MAX_JSON_BYTES` or with
more than `MAX_LEVELS` levels is not parsed, no body has more than some dozens of forms, and each form takes time linear
in the body.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from itertools import permutations, product
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote_to_bytes

MAX_JSON_BYTES = 64 * 1024
MAX_LEVELS = 16
"""Nested objects and lists: the indentation of a value grows with its level, and so does the size of the forms."""
_MAX_PERMUTED = 5
_MAX_PERMUTED_BYTES = 4096
_BOM = b"\xef\xbb\xbf"
# An unclosed string goes to the end of the text: otherwise each quotation mark in it would start a new search.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)', re.DOTALL)
# Where a line break may have been: after these and before those. The remaining indentation shows it. A match starts
# only where a run of blanks starts: a search from each blank would take quadratic time.
_BEFORE_BRACKETS = (
    r"((?<![ \t][ \t])(?:  |\t)[ \t]*[}\]])",
    r"((?<![ \t])[ \t]+[}\]])",
    r"((?<![ \t])[ \t]*[}\]])",
    r"(\Z\A)",
)
_OPENED = tuple(map(re.compile, (r"([{\[,])(?=  |\t)", r"([{\[,])(?=[ \t])", r"([{\[,])", r"(,)(?=[ \t])", r"(,)")))
_CLOSED = tuple(map(re.compile, _BEFORE_BRACKETS))
_ESCAPE = re.compile(r"\\u[0-9a-f]{4}")
Form = tuple[str, bytes]


def body_forms(body: bytes) -> Iterator[Form]:
    """Yield other forms of a body that was sent, each with its cause."""
    if not body:
        return
    yield from _text_forms(body)
    if len(body) > MAX_JSON_BYTES:
        return
    yield from _compressed_forms(body)
    yield from _broken_forms(body)
    for content in _contents(body):
        for text in _serialise(content):
            yield "body-reserialised", text
            yield "body-reserialised", text + b"\n"
        for text in _indent(content):
            joined = text.replace(b"\r", b"").replace(b"\n", b"")
            cause = "line-feeds-stripped" if joined == body else "body-reserialised"
            for made in (text, text + b"\n", text.replace(b"\n", b"\r\n"), text.replace(b"\n", b"\r\n") + b"\r\n"):
                yield cause, made
        if len(body) <= _MAX_PERMUTED_BYTES:
            yield from (("body-reserialised", text) for text in _reorder(content))
    for text in (b"{}", b"", b"null", b"undefined", b"[object Object]"):
        yield "body-reserialised", text


def _text_forms(body: bytes) -> Iterator[Form]:
    for end in (b"\n", b"\r\n"):
        yield "line-feeds-stripped", body + end
    yield "byte-order-mark", _BOM + body
    if body.startswith(_BOM):
        yield "byte-order-mark", body[len(_BOM) :]
    lines = body.replace(b"\r\n", b"\n")
    yield "line-ends-translated", lines
    yield "line-ends-translated", lines.replace(b"\n", b"\r\n")
    stripped = body.strip()
    yield "body-reserialised", stripped
    for space in (b" ", b"\r", b"  ", b"\0"):
        yield "body-reserialised", body + space
    for sent, signed in (("utf-8", "gb18030"), ("gb18030", "utf-8"), ("utf-8", "latin-1"), ("latin-1", "utf-8"),
                         ("utf-8", "utf-16-le"), ("utf-8", "big5")):  # fmt: skip
        try:
            yield "text-encoding", body.decode(sent).encode(signed)
        except UnicodeError:
            continue


def _compressed_forms(body: bytes) -> Iterator[Form]:
    for window in (31, 15, -15):  # gzip, zlib, raw deflate
        try:
            plain = zlib.decompressobj(window).decompress(body, MAX_JSON_BYTES)
        except zlib.error:
            continue
        if plain:
            yield "body-compressed", plain


def _broken_forms(body: bytes) -> Iterator[Form]:
    """Restore the line breaks that were removed from pretty JSON; their indentation is still there."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return
    if "\n" in text:
        return
    pieces, last = [], 0
    for found in _STRING.finditer(text):
        pieces += [text[last : found.start()], found[0]]
        last = found.end()
    pieces.append(text[last:])
    for opened, closed in product(_OPENED, _CLOSED):
        broken = list(pieces)
        for index in range(0, len(pieces), 2):  # outside of strings
            broken[index] = closed.sub(r"\n\1", opened.sub(r"\1\n", pieces[index]))
        whole = "".join(broken)
        for made in dict.fromkeys((whole, f"{whole}\n", *_last_brace_apart(whole))):
            yield "line-feeds-stripped", made.encode()
            yield "line-feeds-stripped", made.replace("\n", "\r\n").encode()


def _last_brace_apart(text: str) -> tuple[str, ...]:
    """Put the last bracket on a line of its own: it has no indentation that would show it."""
    apart = text[:-1].rstrip("\n") + "\n" + text[-1:]
    return (apart, f"{apart}\n")


def _contents(body: bytes) -> Iterator[Any]:
    """Yield the body's content, and what it would be if it had been serialised or sent in another way."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=100)
        if pairs:
            yield dict(pairs)
        return
    if _is_deep(content):
        return
    yield content
    if isinstance(content, str):  # serialised twice
        yield from _contents(content.encode("utf-8", "surrogatepass")) if content[:1] in "{[" else ()
    if isinstance(content, dict) and any(value is None or value == "" for value in content.values()):
        yield {name: value for name, value in content.items() if value is not None}
        yield {name: value for name, value in content.items() if value not in (None, "")}


def _is_deep(content: Any) -> bool:
    """Return whether the content has more than `MAX_LEVELS` levels."""
    level = [content]
    for _ in range(MAX_LEVELS + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
        ]
    return bool(level)


def _serialise(content: Any) -> Iterator[bytes]:
    """Yield the forms in which common serialisers write JSON: spaces, escapes, order."""
    orders = [content]
    if isinstance(content, dict):
        orders += [dict(sorted(content.items())), dict(sorted(content.items(), key=lambda pair: pair[0].lower()))]
    for separators in ((",", ":"), (", ", ": "), (",", ": ")):
        for ascii_only in (True, False):
            for ordered in orders:
                text = _dump(ordered, separators=separators, ensure_ascii=ascii_only)
                yield from _escape(text)
    compact = _dump(content, separators=(",", ":"), ensure_ascii=False)
    yield _dump(compact).encode("utf-8", "surrogatepass")  # JSON text, quoted once more
    yield _dump(compact, ensure_ascii=False).encode("utf-8", "surrogatepass")
    yield repr(content).encode("utf-8", "surrogatepass")  # Python's own notation


def _reorder(content: Any) -> Iterator[bytes]:
    """Yield a small object with its names in every order."""
    if not isinstance(content, dict) or not 2 <= len(content) <= _MAX_PERMUTED:
        return
    for pairs in permutations(content.items()):
        ordered = dict(pairs)
        for separators in ((",", ":"), (", ", ": ")):
            yield _dump(ordered, separators=separators, ensure_ascii=False).encode("utf-8", "surrogatepass")
        yield _dump(ordered).encode("utf-8", "surrogatepass")


def _escape(text: str) -> Iterator[bytes]:
    go = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    variants = [text, text.replace("/", "\\/"), go, go.replace("=", "\\u003d").replace("'", "\\u0027")]
    upper = _ESCAPE.sub(lambda found: "\\u" + found[0][2:].upper(), text)
    variants += [upper] if upper != text else []
    for variant in variants:
        yield variant.encode("utf-8", "surrogatepass")


def _indent(content: Any) -> Iterator[bytes]:
    for indent in (2, 4, "\t", 1, 3, 0):
        for ascii_only in (False, True):
            yield _dump(content, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    if isinstance(content, dict):
        yield _dump(content, indent=2, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")
        yield _dump(content, indent=4, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")


def _dump(content: Any, **form: Any) -> str:
    return json.dumps(content, **form)


# -- queries -------------------------------------------------------------------------------------------------

_TOGGLED = "~'!*()/:@,;$"
_SAFE = ("", "~", "~'", "!*'()~", "*", "/", "/~", ":/", "$,;:@/", "*~", "'", "()~", "!~*'()/:@,;$")
_MAX_QUERY_BYTES = 4 * 1024


def query_forms(query: bytes) -> Iterator[Form]:
    """Yield other forms of a query that was sent, each with its cause: the same pairs encoded or ordered otherwise.

    A query above 4 KiB is only sorted.
    """
    pairs: list[bytes] = query.split(b"&")
    orders = [("query-reencoded", pairs), ("query-order", sorted(pairs))]
    orders.append(("query-order", [pair for _, pair in sorted((pair.lower(), pair) for pair in pairs)]))
    for cause, ordered in orders[1:]:
        yield cause, b"&".join(ordered)
    if len(query) > _MAX_QUERY_BYTES:
        return
    decoded = [tuple(unquote_to_bytes(part.replace(b"+", b" ")) for part in pair.split(b"=", 1)) for pair in pairs]
    by_name = sorted(decoded)
    for cause, ordered_parts in (("query-reencoded", decoded), ("query-order", by_name)):
        for safe in _SAFE:
            for encode in (quote, quote_plus):
                yield cause, "&".join("=".join(encode(part, safe) for part in pair) for pair in ordered_parts).encode()
        yield cause, b"&".join(b"=".join(pair) for pair in ordered_parts)
    yield from (("query-reencoded", text) for text in _toggle(query))


def _toggle(query: bytes) -> Iterator[bytes]:
    """Yield the query with one or two characters encoded otherwise, and with its escapes in the other case."""
    made = [query]
    for sign in _TOGGLED:
        plain, escape = sign.encode(), b"%%%02X" % ord(sign)
        made += [text for text in (query.replace(plain, escape), query.replace(escape, plain)) if text != query]
    yield from made[1:]
    for index, text in enumerate(made[1:], 1):
        for other in _TOGGLED:
            plain, escape = other.encode(), b"%%%02X" % ord(other)
            yield from (
                twice for twice in (text.replace(plain, escape), text.replace(escape, plain)) if twice not in made
            )
        if index >= 12:
            break
    yield query.replace(b"%20", b"+")
    yield query.replace(b"+", b"%20")
    lower = re.sub(rb"%[0-9A-Fa-f]{2}", lambda found: found[0].lower(), query)
    yield lower
    yield re.sub(rb"%[0-9a-fA-F]{2}", lambda found: found[0].upper(), query)
