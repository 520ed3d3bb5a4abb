"""The management API's actions as forms: which fields an action has, and how a form's texts become parameters."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import pybase64
from msgspec import inspect

from renzheng.accounts.operators import Operator
from renzheng.base.parameters import ParameterText, described, kind_of, present


class Manifest(Protocol):
    """The parts of an action's manifest that the console reads."""

    @property
    def name(self) -> str: ...
    @property
    def request(self) -> type[msgspec.Struct]: ...
    @property
    def text(self) -> tuple[str, str]: ...
    @property
    def parameters(self) -> Mapping[str, ParameterText]: ...
    @property
    def regions(self) -> frozenset[str] | None: ...
    @property
    def roles(self) -> frozenset[str]: ...
    @property
    def secret(self) -> bool: ...


TIMES = frozenset({"Since", "Until"})
"""Parameters that are unix seconds; forms show a date and a time."""
SECRETS = frozenset({"KeySecret"})
"""Parameters that no page shows again, not even to the person who typed them."""


class FieldError(Exception):
    """The typed text is not a value of this kind. `name`: the field's."""

    def __init__(self, name: str, kind: str) -> None:
        super().__init__(name)
        self.name = name
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Field:
    """`kind`: boolean, integer, number, string, secret, time, list, object, file. `text`: Chinese, English.

    `zone`: the time zone in which times are typed.
    """

    name: str
    kind: str
    required: bool
    text: tuple[str, str]
    choices: tuple[str, ...]
    example: str
    zone: datetime.tzinfo

    def value(self, given: str | bytes) -> Any:
        """Return the value for what was typed or chosen; None: the parameter is left out. Raises FieldError."""
        if isinstance(given, bytes):
            return pybase64.b64encode(given).decode() if given else None
        plain = given.strip()
        if not plain:
            return None
        try:
            if self.kind == "time":
                return datetime.datetime.fromisoformat(plain).replace(tzinfo=self.zone).timestamp()
            return _READERS[self.kind](plain)
        except (ValueError, KeyError, RecursionError, OverflowError):
            raise FieldError(self.name, self.kind) from None


def _read_list(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _read_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):  # JSON cannot represent this number
        raise ValueError("not a number")
    return number


_READERS: Mapping[str, Any] = {
    "boolean": {"true": True, "false": False}.__getitem__,
    "integer": int,
    "number": _read_number,
    "string": str,
    "secret": str,
    "list": _read_list,
    "object": json.loads,
}


@dataclass(frozen=True, slots=True)
class Action:
    """One action of a service. `text`: Chinese, English. `regions`: sorted; empty if none is needed."""

    name: str
    text: tuple[str, str]
    roles: frozenset[str]
    secret: bool
    fields: Mapping[str, Field]
    regions: tuple[str, ...] = ()


def read_action(manifest: Manifest, zone: datetime.tzinfo) -> Action:
    """Read an action from its manifest. `zone`: the time zone in which the person types times."""
    fields = {field.name: field for field in _fields(manifest, zone)}
    regions = tuple(sorted(manifest.regions or ()))
    return Action(manifest.name, manifest.text, manifest.roles, manifest.secret, fields, regions)


def _fields(manifest: Manifest, zone: datetime.tzinfo) -> Iterator[Field]:
    for field in described(manifest.request).fields:
        told = manifest.parameters[field.encode_name]
        kind = _kind(field.type)
        if kind == "string" and field.encode_name.endswith("Base64"):
            kind = "file"
        if field.encode_name in TIMES:
            kind = "time"
        if field.encode_name in SECRETS:
            kind = "secret"
        yield Field(field.encode_name, kind, field.required, (told.zh, told.en), told.choices, told.example, zone)


def _kind(given: inspect.Type) -> str:
    given = present(given)
    if isinstance(given, inspect.ListType):
        item = given.item_type
        return "object" if isinstance(item, inspect.StructType | inspect.DictType) else "list"
    kind = kind_of(given) or "object"
    return "file" if kind == "raw" else kind


@dataclass(frozen=True, slots=True)
class CallReply:
    """The reply: `response` is the object under `Response`, `milliseconds` how long the call took."""

    response: Mapping[str, Any]
    milliseconds: float


Send = Callable[[Operator, str, Mapping[str, Any], str], Awaitable[CallReply]]
"""Signs a call with the operator's own key and sends it to the service: operator, action, parameters, language."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service. `host`: with the port, as programs on other machines or this one reach it."""

    name: str
    version: str
    scheme: str
    host: str


ErrorTexts = tuple[str, str, tuple[str, str] | None]
"""An error's message in Chinese and in English, and what to do about it, if its service says so."""
SendWith = Callable[[Operator, str, str, Mapping[str, Any], str, str], Awaitable[CallReply]]
"""Signs a call with a key that the server stores: operator, SecretId, action, parameters, language, region.

The audit log records who called what with which key.
"""


@dataclass(frozen=True, slots=True)
class KeyedService:
    """A service that is called with accounts' keys. `service`: as programs reach it."""

    send: SendWith
    manifests: Sequence[Manifest]
    service: Service
