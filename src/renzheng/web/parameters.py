"""What forms ask for: the kinds of an action's parameters, read off the request struct, and what is said of them."""

from __future__ import annotations

from typing import Protocol

from msgspec import inspect

PLAIN_KINDS: tuple[tuple[type[inspect.Type], str], ...] = (
    (inspect.BoolType, "boolean"),
    (inspect.IntType, "integer"),
    (inspect.FloatType, "number"),
    (inspect.StrType, "string"),
    (inspect.StructType, "object"),
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


def present(kind: inspect.Type) -> inspect.Type:
    """The type of a value that is there: `X | None` is X."""
    if isinstance(kind, inspect.UnionType):
        parts = [part for part in kind.types if not isinstance(part, inspect.NoneType)]
        if len(parts) == 1:
            return parts[0]
    return kind


def plain_kind(kind: inspect.Type) -> str | None:
    """boolean, integer, number, string or object; None for what a form shows in a way of its own."""
    return next((name for known, name in PLAIN_KINDS if isinstance(kind, known)), None)
