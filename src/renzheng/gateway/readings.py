"""Ways in which a request may have been signed: each gives a signature and the texts under it."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Protocol

from renzheng.gateway.explanation import digest_of, mask_id, masked_header, masked_value
from renzheng.gateway.signature import TERMINATOR, canonical_request, string_to_sign, v1_text

MAX_OTHER_KEYS = 1000
SPACES = (" ", "\n", "\r", "\t", "\r\n", "\ufeff", "\u00a0", "\u200b", '"', "'")


class SignatureReading(Protocol):
    """One way in which a request may have been signed."""

    @property
    def signature(self) -> str: ...
    def shown(self, masked: bool) -> tuple[str, str]:
        """The canonical request, empty for v1, and the string to sign."""
        ...


Mistakes = Iterator[tuple[str, str, SignatureReading]]
"""Mistakes as their cause, a detail and the reading that they would give."""


@dataclass(frozen=True, slots=True)
class Tc3Reading:
    """`form` and `derivation`: keys of `FORMS` and `DERIVATIONS`, empty for the documented ones."""

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
        return self._formed(self.query, self.values)

    def _formed(self, query: bytes, values: Mapping[bytes, bytes]) -> bytes:
        canonical = canonical_request(self.method, query, values, values, self.payload_hash, self.path)
        if self.form == "no empty line behind the headers":
            return canonical.replace(b"\n\n" + b";".join(sorted(values)), b"\n" + b";".join(sorted(values)))
        if self.form == "a space behind the colons":
            for name, value in values.items():
                canonical = canonical.replace(name + b":" + value + b"\n", name + b": " + value + b"\n")
        if self.form == "CRLF at the ends of lines":
            return canonical.replace(b"\n", b"\r\n")
        if self.form == "a line feed at the end":
            return canonical + b"\n"
        if self.form in ("headers in reverse order", "headers in the order of SignedHeaders"):
            names = sorted(values, reverse=True) if "reverse" in self.form else list(values)
            lines = [name + b":" + values[name] for name in names]
            head = [self.method, self.path, query]
            return b"\n".join([*head, *lines, b"", b";".join(names), self.payload_hash.encode()])
        if self.form.startswith("names of headers in mixed case"):
            for name in values:
                canonical = canonical.replace(name + b":", name.title() + b":", 1)
            names_line = b";".join(sorted(values))
            return canonical if "but" in self.form else canonical.replace(names_line, names_line.title())
        if self.form == "the body's hash in upper case":
            return canonical[:-64] + canonical[-64:].upper()
        if self.form == "the method in lower case":
            return canonical.replace(self.method, self.method.lower(), 1)
        return canonical

    @property
    def signature(self) -> str:
        key = _key(self.derivation, self.secret_key, self.key_date, self.key_service)
        text = string_to_sign(self.timestamp, self.date, self.service, self._canonical())
        if self.form == "the canonical request's hash in upper case":
            text = text[:-64] + text[-64:].upper()
        if self.form == "a line feed at the end of the string to sign":
            text += "\n"
        return hmac.digest(key, text.encode("latin-1", "replace"), "sha256").hex()

    def shown(self, masked: bool) -> tuple[str, str]:
        text = string_to_sign(self.timestamp, self.date, self.service, self._canonical())
        if not masked:
            return self._canonical().decode("utf-8", "replace"), text
        values = {name: masked_header(name, value) for name, value in self.values.items()}
        query = digest_of(self.query.decode("latin-1")).encode() if self.query else b""
        return self._formed(query, values).decode("utf-8", "replace"), text


FORMS = (
    "no empty line behind the headers",
    "a space behind the colons",
    "CRLF at the ends of lines",
    "a line feed at the end",
    "headers in reverse order",
    "headers in the order of SignedHeaders",
    "names of headers in mixed case",
    "names of headers in mixed case, but in SignedHeaders",
    "the body's hash in upper case",
    "the method in lower case",
    "the canonical request's hash in upper case",
    "a line feed at the end of the string to sign",
)
DERIVATIONS = (
    "an & behind the key",
    "without TC3",
    "hex text between the steps",
    "no derivation",
    "the steps in another order",
)


@lru_cache(maxsize=256)
def _key(derivation: str, secret_key: str, date: str, service: str) -> bytes:
    key = ("" if derivation == "without TC3" else "TC3").encode() + secret_key.encode("utf-8", "surrogateescape")
    if derivation == "an & behind the key":
        key += b"&"
    if derivation == "no derivation":
        return key
    steps = (date, service, TERMINATOR)
    for step in (service, date, TERMINATOR) if derivation == "the steps in another order" else steps:
        key = hmac.digest(key, step.encode(), "sha256")
        if derivation == "hex text between the steps":
            key = key.hex().encode()
    return key


@dataclass(frozen=True, slots=True)
class V1Reading:
    """`path` is the text between the host and the `?`; `encoding` that of the values that were signed."""

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

    def shown(self, masked: bool) -> tuple[str, str]:
        pairs = self.pairs
        if masked:
            pairs = tuple((name, masked_value(name, value)) for name, value in pairs)
        return "", v1_text(self.method, self.host, pairs, self.path)


def other_keys(secret_key: str, secret_id: str, keys: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Other keys that may have been used, as their cause, a detail and the key: with what may stand around it, none,
    the SecretId, and the keys of others, under their masked ids."""
    for space in SPACES:
        for key in (secret_key + space, space + secret_key, space + secret_key + space):
            yield "space-around-key", "", key
    if secret_key:
        cut = (secret_key[:-1], secret_key[1:], secret_key[:32])
        for key in dict.fromkeys((*cut, secret_key.lower(), secret_key.upper())):
            if key != secret_key:
                yield "key-mistyped", "", key
    yield "empty-key", "", ""
    for key in ("None", "null", "undefined"):
        yield "empty-key", key, key
    yield "key-of-another", "the SecretId in the place of the key", secret_id
    for other, key in islice(keys.items(), MAX_OTHER_KEYS):
        if other != secret_id:
            yield "key-of-another", mask_id(other), key
