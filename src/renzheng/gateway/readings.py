"""Ways in which a request may have been signed. Each gives a signature and the texts that it signs."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Protocol

from renzheng.gateway.explanation import digest_of, mask_id, masked_header, masked_value
from renzheng.gateway.signature import TERMINATOR, canonical_request, string_to_sign, v1_text

MAX_OTHER_KEYS = 1000
SPACES = (" ", "\n", "\r", "\t", "\r\n", "\ufeff", "\u00a0", "\u200b", '"', "'", "  ", ",", ";")
BRACKETS = (("<", ">"), ("(", ")"), ("[", "]"), ("{", "}"), ("${", "}"), ("b'", "'"), ("", '",'), ("", "',"))
"""Characters around a key that was copied from a guide or printed."""
PLACEHOLDERS = (
    "None", "null", "undefined", "SecretKey", "secretKey", "SECRET_KEY", "YOUR_SECRET_KEY", "YourSecretKey",
    "your-secret-key", "your_secret_key", "TENCENTCLOUD_SECRET_KEY", "$TENCENTCLOUD_SECRET_KEY",
    "${TENCENTCLOUD_SECRET_KEY}", "%TENCENTCLOUD_SECRET_KEY%", "...", "xxx", "***", "********",
)  # fmt: skip
"""Texts in the place of a key that was never filled in."""


class SignatureReading(Protocol):
    """One way in which a request may have been signed."""

    @property
    def signature(self) -> str: ...
    def signed_texts(self, masked: bool) -> tuple[str, str]:
        """Return the canonical request, empty for v1, and the string to sign."""
        ...


Mistakes = Iterator[tuple[str, str, SignatureReading]]
"""Mistakes, each as its cause, a detail, and the reading that it gives."""


@dataclass(frozen=True, slots=True)
class Tc3Reading:
    """`form` and `derivation`: keys of `FORMS` and `DERIVATIONS`; empty for the documented ones."""

    secret_key: str
    date: str
    key_date: str
    service: str
    key_service: str
    timestamp: str
    method: bytes
    query: bytes
    values: Mapping[bytes, bytes]
    payload_hash: str
    path: bytes = b"/"
    form: str = ""
    derivation: str = ""

    def _canonical(self) -> bytes:
        return self._canonical_form(self.query, self.values)

    def _canonical_form(self, query: bytes, values: Mapping[bytes, bytes]) -> bytes:
        if self.form in _ORDERS:
            lines, names = (list(order(values)) for order in _ORDERS[self.form])
            head = [self.method, self.path, query, *(name + b":" + values[name] for name in lines)]
            return b"\n".join([*head, b"", b";".join(names), self.payload_hash.encode()])
        canonical = canonical_request(self.method, query, values, values, self.payload_hash, self.path)
        change = _CANONICAL_FORMS.get(self.form)
        return change(canonical, values) if change else canonical

    @property
    def signature(self) -> str:
        key = _key(self.derivation, self.secret_key, self.key_date, self.key_service)
        text = string_to_sign(self.timestamp, self.date, self.service, self._canonical())
        if self.form in _TEXT_FORMS:
            text = _TEXT_FORMS[self.form](text)
        message = text.encode("latin-1", "replace")
        if self.derivation == ALL_EXCHANGED:
            key, message = message, key
        return hmac.digest(key, message, "sha256").hex()

    def signed_texts(self, masked: bool) -> tuple[str, str]:
        text = string_to_sign(self.timestamp, self.date, self.service, self._canonical())
        if not masked:
            return self._canonical().decode("utf-8", "replace"), text
        values = {name: masked_header(name, value) for name, value in self.values.items()}
        query = digest_of(self.query.decode("latin-1")).encode() if self.query else b""
        return self._canonical_form(query, values).decode("utf-8", "replace"), text


Headers = Mapping[bytes, bytes]


def _reverse(values: Headers) -> list[bytes]:
    return sorted(values, reverse=True)


def _mixed_case(canonical: bytes, values: Headers) -> bytes:
    for name in values:
        canonical = canonical.replace(name + b":", name.title() + b":", 1)
    return canonical


def _space(canonical: bytes, values: Headers) -> bytes:
    for name, value in values.items():
        canonical = canonical.replace(name + b":" + value + b"\n", name + b": " + value + b"\n")
    return canonical


def _names_line(values: Headers) -> bytes:
    return b";".join(sorted(values))


_ORDERS: dict[str, tuple[Callable[[Headers], Iterable[bytes]], Callable[[Headers], Iterable[bytes]]]] = {
    "headers in reverse order": (_reverse, _reverse),
    "headers in the order of SignedHeaders": (list, list),
    "headers in reverse order, but in SignedHeaders": (_reverse, sorted),
    "headers in the order in which they were sent, but in SignedHeaders": (list, sorted),
    "SignedHeaders in reverse order": (sorted, _reverse),
    "SignedHeaders not sorted": (sorted, list),
}
"""The orders of the headers' lines and of their names."""
_CANONICAL_FORMS: dict[str, Callable[[bytes, Headers], bytes]] = {
    "no empty line behind the headers": lambda text, values: text.replace(
        b"\n\n" + _names_line(values), b"\n" + _names_line(values)
    ),
    "two empty lines behind the headers": lambda text, values: text.replace(
        b"\n\n" + _names_line(values), b"\n\n\n" + _names_line(values)
    ),
    "no line for the query": lambda text, values: text.replace(b"\n\n", b"\n", 1),
    "a space behind the colons": _space,
    "CRLF at the ends of lines": lambda text, values: text.replace(b"\n", b"\r\n"),
    "a backslash and an n instead of line feeds": lambda text, values: text.replace(b"\n", b"\\n"),
    "a line feed at the end": lambda text, values: text + b"\n",
    "names of headers in mixed case": lambda text, values: _mixed_case(text, values).replace(
        _names_line(values), _names_line(values).title()
    ),
    "names of headers in mixed case, but in SignedHeaders": _mixed_case,
    "the body's hash in upper case": lambda text, values: text[:-64] + text[-64:].upper(),
    "the method in lower case": lambda text, values: text[: text.index(b"\n")].lower() + text[text.index(b"\n") :],
}
_TEXT_FORMS: dict[str, Callable[[str], str]] = {
    "the canonical request's hash in upper case": lambda text: text[:-64] + text[-64:].upper(),
    "a line feed at the end of the string to sign": lambda text: text + "\n",
    "CRLF in the string to sign": lambda text: text.replace("\n", "\r\n"),
    "a backslash and an n in the string to sign": lambda text: text.replace("\n", "\\n"),
    "no scope in the string to sign": lambda text: "\n".join((*text.split("\n")[:2], text[-64:])),
}
FORMS = (*_ORDERS, *_CANONICAL_FORMS, *_TEXT_FORMS)


def _chain(key: bytes, steps: Iterable[str], written: Callable[[bytes], bytes] = bytes) -> bytes:
    """Derive a key in steps. `written`: how the result of a step is passed to the next one."""
    for step in steps:
        key = written(hmac.digest(key, step.encode(), "sha256"))
    return key


def _exchange(key: bytes, steps: Iterable[str]) -> bytes:
    for step in steps:
        key = hmac.digest(step.encode(), key, "sha256")
    return key


def _hex(key: bytes) -> bytes:
    return key.hex().encode()


ALL_EXCHANGED = "key and message exchanged"
_DERIVATIONS: dict[str, Callable[[bytes, tuple[str, str, str]], bytes]] = {
    "": lambda key, steps: _chain(b"TC3" + key, steps),
    "an & behind the key": lambda key, steps: _chain(b"TC3" + key + b"&", steps),
    "without TC3": _chain,
    "AWS4 instead of TC3": lambda key, steps: _chain(b"AWS4" + key, steps),
    "hex text between the steps": lambda key, steps: _chain(b"TC3" + key, steps, _hex),
    "hex text after the last step": lambda key, steps: _hex(_chain(b"TC3" + key, steps)),
    "hex text after the first step": lambda key, steps: _chain(_hex(_chain(b"TC3" + key, steps[:1])), steps[1:]),
    "Base64 between the steps": lambda key, steps: _chain(b"TC3" + key, steps, base64.b64encode),
    ALL_EXCHANGED: lambda key, steps: _exchange(b"TC3" + key, steps),
    "key and message exchanged in the first three": lambda key, steps: _exchange(b"TC3" + key, steps),
    "no derivation": lambda key, steps: b"TC3" + key,
    "without the last step": lambda key, steps: _chain(b"TC3" + key, steps[:2]),
    "the steps in another order": lambda key, steps: _chain(b"TC3" + key, (steps[1], steps[0], steps[2])),
}
DERIVATIONS = tuple(_DERIVATIONS)[1:]


@lru_cache(maxsize=256)
def _key(derivation: str, secret_key: str, date: str, service: str) -> bytes:
    return _DERIVATIONS[derivation](secret_key.encode("utf-8", "surrogateescape"), (date, service, TERMINATOR))


@dataclass(frozen=True, slots=True)
class V1Reading:
    """`path`: the text between the host and the `?`. `encoding`: of the values that were signed."""

    secret_key: str
    digest: str
    method: str
    host: str
    pairs: tuple[tuple[str, str], ...]
    path: str = "/"
    encoding: str = "utf-8"

    @property
    def signature(self) -> str:
        text = v1_text(self.method, self.host, self.pairs, self.path).encode(self.encoding, "replace")
        return base64.b64encode(hmac.digest(self.secret_key.encode(), text, self.digest)).decode()

    def signed_texts(self, masked: bool) -> tuple[str, str]:
        pairs = self.pairs
        if masked:
            pairs = tuple((name, masked_value(name, value)) for name, value in pairs)
        return "", v1_text(self.method, self.host, pairs, self.path)


def other_keys(secret_key: str, secret_id: str, keys: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield other keys that may have been used, as their cause, a detail and the key.

    They are the key with characters around it, an empty key, the SecretId, and the keys of others under their masked
    ids.
    """
    for space in SPACES:
        for key in (secret_key + space, space + secret_key, space + secret_key + space):
            yield "space-around-key", "", key
    for opened, closed in BRACKETS:
        yield "space-around-key", "", opened + secret_key + closed
    if secret_key:
        cut = (secret_key[:-1], secret_key[1:], secret_key[:32])
        coded = base64.b64encode(secret_key.encode()).decode()
        for key in dict.fromkeys((*cut, secret_key.lower(), secret_key.upper(), coded, secret_key * 2)):
            if key != secret_key:
                yield "key-mistyped", "", key
    yield "empty-key", "", ""
    for key in PLACEHOLDERS:
        yield "empty-key", key, key
    yield "key-of-another", "the SecretId instead of the key", secret_id
    yield "key-of-another", "SecretId and key as one text", f"{secret_id}:{secret_key}"
    for other, key in islice(keys.items(), MAX_OTHER_KEYS):
        if other != secret_id:
            yield "key-of-another", mask_id(other), key
