"""The usual mistakes with HmacSHA1 and HmacSHA256, each with the signature that it gives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from urllib.parse import quote, quote_plus

from renzheng.gateway.explain_tc3 import PORTS, vendor_hosts
from renzheng.gateway.readings import Mistakes, V1Reading, other_keys
from renzheng.gateway.signature import V1_METHODS, host_readings

Pairs = tuple[tuple[str, str], ...]
_TRUE, _FALSE = ("true", "True", "1"), ("false", "False", "0", "")
_MAX_PAIRS = 64
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z.]{0,63}(\.\d{1,3})?")  # the part of a caller's text that may be kept


def v1_mistakes(
    base: V1Reading,
    sent: Pairs,
    secret_id: str,
    keys: Mapping[str, str],
    hosts: Sequence[bytes],
    services: Sequence[str],
    path: str,
) -> Mistakes:
    """Yield the mistakes. `sent`: the pairs as they came, in order. `path`: as sent.

    `hosts`, `services`: as in `tc3_mistakes`.
    """
    for encode in (quote_plus, _quote_all, quote):
        encoded = tuple((name, encode(value)) for name, value in base.pairs)
        yield "encoded-before-signing", "", replace(base, pairs=encoded)
    for pairs in (sent, tuple(sorted(sent, key=lambda pair: pair[0].lower())), tuple(reversed(base.pairs))):
        yield "query-order", "", replace(base, pairs=pairs)
    yield from _host_mistakes(base, hosts, vendor_hosts(services))
    for cause, detail, key in other_keys(base.secret_key, secret_id, keys):
        yield cause, detail, replace(base, secret_key=key)
    if len(sent) <= _MAX_PAIRS:
        for cause, detail, pairs in _other_pairs(base.pairs):
            yield cause, detail, replace(base, pairs=tuple(sorted(pairs)))
    yield "key-derivation", "an & behind the key", replace(base, secret_key=base.secret_key + "&")
    yield "other-method", "in lower case", replace(base, method=base.method.lower())
    yield "text-encoding", "GBK", replace(base, encoding="gb18030")
    for method, digest in product({base.method, "GET", "POST"}, V1_METHODS.values()):
        yield "other-method", f"{method}, {digest}", replace(base, method=method, digest=digest)
    for other in dict.fromkeys(("", "/", path.rstrip("/"), path.rstrip("/") + "/", "/v2/", "/v2/index.php")):
        yield "other-path", other, replace(base, path=other)


def _quote_all(text: str) -> str:
    return quote(text, safe="")


def _host_mistakes(base: V1Reading, hosts: Sequence[bytes], vendors: Sequence[bytes]) -> Mistakes:
    for port in PORTS:
        yield "port-in-host", str(port), replace(base, host=f"{base.host}:{port}")
    for scheme in ("http://", "https://"):
        yield "scheme-in-host", scheme, replace(base, host=scheme + base.host)
    for host in (base.host.upper(), base.host.lower()):
        yield "value-case", "host", replace(base, host=host)
    ports = ["", *(f":{port}" for port in PORTS)]
    for cause, known in (("host-rewritten", hosts), ("other-host", vendors)):
        for signed in (reading.decode("latin-1") for other in known for reading in host_readings(other)):
            for end in ports:
                yield cause, signed + end, replace(base, host=signed + end)


def _other_pairs(pairs: Pairs) -> Iterator[tuple[str, str, Pairs]]:
    """Yield pairs that may have been signed instead of those that were sent."""
    yield "plus-not-encoded", "", tuple((name, value.replace(" ", "+")) for name, value in pairs)
    yield from (("boolean-text", "", changed) for changed in _other_booleans(pairs))
    yield from (("nested-parameters", "", changed) for changed in _other_names(pairs))
    for index, (name, value) in enumerate(pairs):
        without = pairs[:index] + pairs[index + 1 :]
        shown = name if _PLAIN_NAME.fullmatch(name) else "one with an unusual name"
        yield "parameter-not-signed", shown, without
        if " " in value:
            yield "plus-not-encoded", shown, (*without, (name, value.replace(" ", "+")))
    absent = {"Region": "", "Token": "", "Language": "zh-CN", "SignatureMethod": "HmacSHA1"}
    for name, value in absent.items():
        if name not in dict(pairs):
            yield "parameter-not-signed", f"{name}, which was signed and not sent", (*pairs, (name, value))
    empty = tuple((name, value) for name, value in pairs if value)
    yield "parameter-not-signed", "those without a value", empty


def _other_booleans(pairs: Pairs) -> Iterator[Pairs]:
    if not any(value in _TRUE + _FALSE for _, value in pairs):
        return
    for yes, no in product(_TRUE, _FALSE):
        told = dict.fromkeys(_FALSE[:3], no) | dict.fromkeys(_TRUE, yes)
        for numbers in (True, False):  # a `1` may also be a number, such as Nonce
            yield tuple(
                (name, told.get(value, value) if numbers or value not in "10" else value)
                if name not in ("Nonce", "Timestamp") else (name, value)
                for name, value in pairs
            )  # fmt: skip


def _other_names(pairs: Pairs) -> Iterator[Pairs]:
    """Yield other spellings of nested names: `A.B.0`, `A[B][0]`, `A.B[0]`, and PHP's `Array`."""
    nested = [name for name, _ in pairs if "." in name or "[" in name]
    if not nested:
        return
    dotted = tuple((name.replace("[", ".").replace("]", ""), value) for name, value in pairs)
    yield dotted
    yield tuple((_bracket(name), value) for name, value in dotted)
    yield tuple((name.replace(".", "_"), value) for name, value in dotted)
    outer = [(name, value) for name, value in dotted if "." not in name]
    heads = list(dict.fromkeys(name.split(".", 1)[0] for name, _ in dotted if "." in name))
    for text in ("Array", "[object Object]", ""):
        yield (*outer, *((head, text) for head in heads))
    lists = {name.rpartition(".")[0] for name, _ in dotted if name.rpartition(".")[2].isdigit()}
    flat = [(name, value) for name, value in dotted if name.rpartition(".")[0] not in lists]
    yield (*flat, *((name, "Array") for name in lists))
    yield tuple(outer)


def _bracket(name: str) -> str:
    head, *rest = name.split(".")
    return head + "".join(f"[{part}]" for part in rest)
