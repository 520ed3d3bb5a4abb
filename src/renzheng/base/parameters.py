"""The kinds of an action's parameters, read from its request struct, and their descriptions.

The gateway, the explorer and the console's forms each have their own words for a kind, and share this reading.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, Protocol

import msgspec
from msgspec import inspect

Kind = Literal["boolean", "integer", "number", "string", "object", "list", "raw"]
"""raw: a text of megabytes, such as a photo in Base64, which a request keeps as it came."""

_KINDS: tuple[tuple[type[inspect.Type], Kind], ...] = (
    (inspect.BoolType, "boolean"),
    (inspect.IntType, "integer"),
    (inspect.FloatType, "number"),
    (inspect.StrType, "string"),
    (inspect.StructType, "object"),
    (inspect.ListType, "list"),
    (inspect.RawType, "raw"),
)


class ParameterText(Protocol):
    @property
    def zh(self) -> str: ...
    @property
    def en(self) -> str: ...
    @property
    def choices(self) -> tuple[str, ...]: ...
    @property
    def example(self) -> str: ...


@cache
def described(request: type[msgspec.Struct]) -> inspect.StructType:
    """Return a request struct's description, read once per process: its annotations are texts, which are slow to
    read."""
    found = inspect.type_info(request)
    assert isinstance(found, inspect.StructType)
    return found


def present(kind: inspect.Type) -> inspect.Type:
    """Return the type of a value that is present: for `X | None`, X."""
    if isinstance(kind, inspect.UnionType):
        parts = [part for part in kind.types if not isinstance(part, inspect.NoneType)]
        if len(parts) == 1:
            return parts[0]
    return kind


def kind_of(described: inspect.Type) -> Kind | None:
    """Return the kind of a parameter; None if the type is not one."""
    return next((kind for known, kind in _KINDS if isinstance(described, known)), None)
