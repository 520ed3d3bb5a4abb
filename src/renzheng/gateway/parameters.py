"""Turns JSON, query strings, forms and multipart bodies into one typed request, and names the wrong parameter.

msgspec does the work in one pass. Only if it refuses is the message read again, to find the mistake that comes first in
the API's order: an unknown parameter anywhere, then a missing one, then a wrong type. That second pass never builds
more than the message's own shape holds, whatever the bytes are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    PushMultipartParser,
    parse_options_header,
)

from renzheng.base.parameters import Kind, described, kind_of, present
from renzheng.gateway.errors import (
    ApiError,
    InvalidRequestError,
    MalformedEncodingError,
    MalformedJsonError,
    MissingParameterError,
    ParameterTypeError,
    RepeatedParameterError,
    UnknownParameterError,
)
from renzheng.gateway.no_json import what_it_is

Bytes = bytes | bytearray | memoryview
Message = TypeVar("Message", bound=msgspec.Struct)

_ABSENT = msgspec.Raw()
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_AT_INDEX = re.compile(r" - at `\$\[(\d+)\]")
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,19})", re.ASCII)
_FLOAT = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
# Python and .NET write True, and PHP writes 1 and 0 under HmacSHA1 and HmacSHA256.
_BOOLEANS = {"true": True, "True": True, "1": True, "false": False, "False": False, "0": False}
_REFUSALS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def text_of(raw: msgspec.Raw) -> memoryview:
    """Return the bytes of a string parameter that was declared as `msgspec.Raw`, without a copy.

    A request declares a text of megabytes (a photo in Base64) as Raw if it need not become a Python string. Empty:
    absent, or the empty string. Escapes stay as they were written; see `unescaped`.
    """
    return memoryview(raw)[1:-1]


def unescaped(raw: msgspec.Raw) -> msgspec.Raw:
    """Return the same text without escapes; the text itself if it has none. PHP writes `\\/` for each slash in Base64.

    Escapes of quotes, backslashes and control characters stay; Base64 has none of them. MalformedJsonError.
    """
    if b"\\" not in bytes(raw):
        return raw
    try:
        return msgspec.Raw(msgspec.json.encode(msgspec.json.decode(raw, type=str)))
    except _REFUSALS:
        raise MalformedJsonError from None


def split_parts(body: Bytes, content_type: str) -> list[tuple[str, str | msgspec.Raw]]:
    """Split a multipart body into pairs: text parts and files as they are, JSON parts undecoded.

    `content_type`: the header's value, which names the boundary. InvalidRequestError if the form is wrong,
    RepeatedParameterError, MalformedEncodingError, MalformedJsonError.
    """
    parts: dict[str, str | msgspec.Raw] = {}
    try:
        _, options = parse_options_header(content_type)
        parser = PushMultipartParser(options.get("boundary", ""), strict=True, **_PART_BOUNDS)
        part: Any = None
        pieces: list[bytes | bytearray] = []
        for event in parser.parse(body) if body else ():
            if event is None:
                if part.name in parts:
                    raise RepeatedParameterError(name=part.name)
                parts[part.name] = _part_value(b"".join(pieces), part.content_type or "")
                pieces = []
            elif isinstance(event, bytes | bytearray):
                pieces.append(event)
            else:
                part = event
        if body:
            parser.close()
    except MultipartError as fault:
        raise InvalidRequestError(type(fault).__name__) from None
    return list(parts.items())


_PART_BOUNDS = {"max_segment_count": 256, "max_header_count": 8, "max_header_size": 4096}


def _part_value(content: bytes, content_type: str) -> str | msgspec.Raw:
    if content_type.partition(";")[0].strip().lower() == "application/json":
        try:
            return msgspec.json.decode(content, type=msgspec.Raw)
        except _REFUSALS:
            raise MalformedJsonError from None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedEncodingError from None


# -- the shape of a message ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Field:
    """`kind`: as the API's error texts name it. `shape`: of a nested object. `item`: the kind of a list's items."""

    name: str
    kind: str
    required: bool
    decoder: msgspec.json.Decoder[Any]
    shape: _Shape | None = None
    item: str | None = None


@dataclass(frozen=True, slots=True)
class _Shape:
    """`outline` decodes an object of this shape into the undecoded bytes of its fields, and refuses unknown names."""

    fields: dict[str, _Field]
    outline: msgspec.json.Decoder[Any]


@cache
def _shape_of(message: type[msgspec.Struct]) -> _Shape:
    if not message.__struct_config__.forbid_unknown_fields:
        raise TypeError(f"{message.__name__} must forbid unknown fields")
    fields = {field.encode_name: _field_of(message, field) for field in described(message).fields}
    outline = msgspec.defstruct(
        f"{message.__name__}Outline",
        [(f"field{index}", msgspec.Raw, _ABSENT) for index in range(len(fields))],
        rename=dict(zip((f"field{index}" for index in range(len(fields))), fields, strict=True)),
        forbid_unknown_fields=True,
    )
    return _Shape(fields, msgspec.json.Decoder(outline))


def _field_of(message: type[msgspec.Struct], field: msgspec.inspect.Field) -> _Field:
    inspect = msgspec.inspect
    inner = present(field.type)
    nullable = isinstance(field.type, inspect.UnionType) and field.type.includes_none
    kind, shape, item = _api_kind(inner), None, None
    where = f"{message.__name__}.{field.name}"
    if kind is None:
        raise TypeError(f"{where}: no type of this API")
    if not field.required and not nullable and kind != "raw":
        raise TypeError(f"{where} is optional and must admit None, as null is what SDKs send for absent")
    if isinstance(inner, inspect.StructType):
        shape = _shape_of(inner.cls)
    if isinstance(inner, inspect.ListType):
        item = _api_kind(inner.item_type)
        if item not in _SCALARS:
            raise TypeError(f"{where}: only lists of scalars are in this API")
    decoder = msgspec.json.Decoder(_plain_type(inner))
    return _Field(field.encode_name, kind, field.required, decoder, shape, item)


_SCALARS = {"string": str, "bool": bool, "int64": int, "uint64": int, "float": float}


_API_KINDS: dict[Kind | None, str] = {"boolean": "bool", "integer": "int64", "number": "float", "object": "struct"}


def _api_kind(info: msgspec.inspect.Type) -> str | None:
    """Return the kind as the API's error texts name it; None if it is not a kind of parameter."""
    if isinstance(info, msgspec.inspect.IntType) and info.ge == 0:
        return "uint64"
    kind = kind_of(info)
    return _API_KINDS.get(kind, kind)


def _plain_type(info: msgspec.inspect.Type) -> Any:
    inspect = msgspec.inspect
    if isinstance(info, inspect.StructType):
        return info.cls
    if isinstance(info, inspect.ListType):
        return list[_plain_type(info.item_type)]  # type: ignore[misc]
    kind = _api_kind(info)
    return str if kind == "raw" else _SCALARS[kind or "string"]


# -- reading -------------------------------------------------------------------------------------------------


class MessageReader(Generic[Message]):
    """Reads the messages of one action.

    `message`: a struct with `forbid_unknown_fields`. Its optional fields admit None. Its fields are strings, bools,
    ints, floats, lists of these, structs, or `msgspec.Raw` for a string that stays as it came. TypeError: another kind
    of struct. `attributes`: the struct's attribute for each parameter.
    """

    def __init__(self, message: type[Message]) -> None:
        self._decoder = msgspec.json.Decoder(message)
        self._shape = _shape_of(message)
        fields = described(message).fields
        self.attributes = {field.encode_name: field.name for field in fields}
        self._raw = tuple(field.name for field in fields if self._shape.fields[field.encode_name].kind == "raw")

    def json(self, body: Bytes) -> Message:
        """Read a JSON body; an empty one is `{}`. ApiError with the parameter's path."""
        body = body or b"{}"
        try:
            message = self._decoder.decode(body)
        except _REFUSALS:
            raise self._mistake_in(body) from None
        for name in self._raw:
            raw = getattr(message, name)
            view = memoryview(raw)
            if len(view) and view[0] != ord('"'):
                if bytes(view[:5]) != b"null":
                    raise self._mistake_in(body)
                msgspec.structs.force_setattr(message, name, _ABSENT)
        return message

    def unescape(self, message: Message) -> None:
        """Remove the escapes from the texts that stayed as they came. MalformedJsonError."""
        for name in self._raw:
            msgspec.structs.force_setattr(message, name, unescaped(getattr(message, name)))

    def pairs(self, pairs: Iterable[tuple[str, str | msgspec.Raw]]) -> Message:
        """Read decoded pairs: nested names as `A.B`, items as `A.0`, numbers and booleans as text.

        A value that is `msgspec.Raw` is JSON and stands for a whole list or object (multipart). ApiError.
        """
        tree: dict[str, Any] = {}
        for name, value in pairs:
            _plant(tree, self._shape, name, value)
        return self.json(msgspec.json.encode(_lists_of(tree)))

    def _mistake_in(self, body: Bytes) -> ApiError:
        """Find the error to answer with, after decoding has failed."""
        error = self._first_mistake_in(body)
        return MalformedJsonError(error.cause, why=what_it_is(body)) if isinstance(error, MalformedJsonError) else error

    def _first_mistake_in(self, body: Bytes) -> ApiError:
        try:
            outlines = dict(_outlines(self._shape, body, ""))
        except ApiError as error:
            return error
        return _missing_in(outlines) or _type_error_in(outlines) or MalformedJsonError("refused for no known reason")


_Outlines = dict[str, tuple[_Shape, dict[str, bytes]]]


def _outlines(shape: _Shape, raw: Bytes, path: str) -> Iterator[tuple[str, tuple[_Shape, dict[str, bytes]]]]:
    """Yield each object in the message by its path, as the undecoded bytes of its fields. UnknownParameterError."""
    try:
        outline = shape.outline.decode(raw)
    except msgspec.ValidationError as error:
        unknown = _UNKNOWN.match(str(error))
        if unknown:
            raise UnknownParameterError(name=path + unknown[1]) from None
        raise MalformedJsonError from None
    except _REFUSALS:
        raise MalformedJsonError from None
    values: dict[str, bytes] = {}
    for name, value in zip(shape.fields, msgspec.structs.astuple(outline), strict=True):
        given = bytes(memoryview(value)[:5]).strip()
        if given and given != b"null":
            values[name] = value
    yield path, (shape, values)
    for name, field in shape.fields.items():
        if field.shape is not None and name in values and bytes(memoryview(values[name])[:1]) == b"{":
            yield from _outlines(field.shape, values[name], f"{path}{name}.")


def _missing_in(outlines: _Outlines) -> ApiError | None:
    for path, (shape, values) in outlines.items():
        for name, field in shape.fields.items():
            if field.required and name not in values:
                return MissingParameterError(name=path + name)
    return None


def _type_error_in(outlines: _Outlines) -> ApiError | None:
    for path, (shape, values) in outlines.items():
        for name, value in values.items():
            field = shape.fields[name]
            if f"{path}{name}." in outlines:
                continue
            try:
                field.decoder.decode(value)
            except msgspec.ValidationError as error:
                index = _AT_INDEX.search(str(error))
                if index and field.item:
                    return ParameterTypeError(name=f"{path}{name}.{index[1]}", type=field.item)
                kind = "string" if field.kind == "raw" else field.kind
                return ParameterTypeError(name=path + name, type=kind)
            except _REFUSALS:
                return MalformedJsonError()
    return None


class _Items(dict[int, Any]):
    """The items of a list by their index, while pairs are read."""


def _plant(tree: dict[str, Any], shape: _Shape, name: str, value: str | msgspec.Raw) -> None:
    """Put one pair into the tree. If it fits nowhere, it gets its own name, and is later refused as unknown."""
    head, dot, rest = name.partition(".")
    field = shape.fields.get(head)
    if field is None or not dot:
        if name in tree:
            raise RepeatedParameterError(name=name)
        tree[name] = value if field is None else _convert(field.kind, value)
    elif field.shape is not None and isinstance(branch := tree.setdefault(head, {}), dict):
        _plant(branch, field.shape, rest, value)
    elif field.item is not None and rest.isascii() and rest.isdigit() and len(rest) < 6:
        items = tree.setdefault(head, _Items())
        if not isinstance(items, _Items) or int(rest) in items:
            raise RepeatedParameterError(name=name)
        items[int(rest)] = _convert(field.item, value)
    else:
        tree[name] = value


def _convert(kind: str, value: str | msgspec.Raw) -> Any:
    """Convert text to the kind. If it does not fit, return it as it is; the wrong type is then refused later."""
    if isinstance(value, str):
        if kind == "bool":
            return _BOOLEANS.get(value, value)
        if kind in ("int64", "uint64") and _INTEGER.fullmatch(value):
            return int(value)
        if kind == "float" and _FLOAT.fullmatch(value):
            number = float(value)
            return number if math.isfinite(number) else value  # JSON would write these as null, as if they were absent
    return value


def _lists_of(tree: dict[str, Any]) -> dict[str, Any]:
    """Return the tree with its collected items as lists, in the order of their indices."""
    return {
        name: [value[index] for index in sorted(value)]
        if isinstance(value, _Items)
        else _lists_of(value)
        if isinstance(value, dict)
        else value
        for name, value in tree.items()
    }
