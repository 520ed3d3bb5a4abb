"""What the page is told of the API: actions, parameters and errors, read off the request structs themselves.

An action that the server gains appears on the page by itself; its sentences are in texts.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import msgspec
from msgspec import inspect

from renzheng.explorer import texts
from renzheng.explorer.texts import Sentences

KINDS: tuple[tuple[type[inspect.Type], str], ...] = (
    (inspect.BoolType, "boolean"),
    (inspect.IntType, "integer"),
    (inspect.FloatType, "number"),
    (inspect.StrType, "string"),
    (inspect.ListType, "list"),
    (inspect.StructType, "object"),
    (inspect.RawType, "image"),  # how a request declares a photo's Base64, which need not become a string
)


class Action(Protocol):
    """What is read of an action: its name and version, the struct of its request, and where it is offered."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def request(self) -> type[msgspec.Struct]: ...
    @property
    def regions(self) -> frozenset[str] | None: ...


class Bilingual(msgspec.Struct, frozen=True):
    """One sentence under the names that the languages have in X-TC-Language."""

    zh: str = msgspec.field(name="zh-CN")
    en: str = msgspec.field(name="en-US")


class Parameter(msgspec.Struct, frozen=True, omit_defaults=True):
    """`kind`: see KINDS. `item`: the kind of a list's items. `fields`: those of an object."""

    name: str
    kind: str
    required: bool = False
    text: Bilingual | None = None
    item: str = ""
    fields: tuple[Parameter, ...] = ()
    choices: tuple[str, ...] = ()
    example: str = ""


class ActionDescription(msgspec.Struct, frozen=True):
    """`regions`: sorted, None where none is needed."""

    name: str
    version: str
    text: Bilingual | None
    regions: tuple[str, ...] | None
    parameters: tuple[Parameter, ...]


class ErrorDescription(msgspec.Struct, frozen=True):
    """`message`: the server's own text, with `{names}` of what it fills in. `advice`: what to do about it."""

    message: Bilingual
    advice: Bilingual | None


class Limits(msgspec.Struct, frozen=True, rename="camel"):
    """What a request may not exceed.

    image_characters: Base64 characters of a photo. body_bytes: bytes of a body. clock_seconds: how far a timestamp
    may be off.
    """

    image_characters: int
    body_bytes: int
    clock_seconds: int


class Description(msgspec.Struct, frozen=True):
    service: str
    limits: Limits
    actions: tuple[ActionDescription, ...]
    errors: dict[str, ErrorDescription]


def describe(
    service: str, actions: Iterable[Action], errors: Mapping[str, tuple[str, str]], limits: Limits
) -> Description:
    """`errors`: Chinese and English text by code. TypeError: a request has a field of a kind that the page lacks."""
    return Description(
        service,
        limits,
        tuple(_action(action) for action in actions),
        {code: ErrorDescription(Bilingual(zh, en or zh), _bilingual(texts.ADVICE.get(code)))
         for code, (zh, en) in sorted(errors.items())},
    )  # fmt: skip


def _action(action: Action) -> ActionDescription:
    return ActionDescription(
        action.name,
        action.version,
        _bilingual(texts.ACTIONS.get(action.name)),
        None if action.regions is None else tuple(sorted(action.regions)),
        tuple(_parameters(action.name, action.request, "")),
    )


def _parameters(action: str, struct: type[msgspec.Struct], path: str) -> Iterator[Parameter]:
    described = inspect.type_info(struct)
    assert isinstance(described, inspect.StructType)
    for field in described.fields:
        name = field.encode_name
        where = f"{path}{name}"
        kind = _unwrapped(field.type)
        yield Parameter(
            name=name,
            kind=kind_of(kind),
            required=field.required,
            text=_bilingual(texts.of_parameter(action, where)),
            item=kind_of(_unwrapped(kind.item_type)) if isinstance(kind, inspect.ListType) else "",
            fields=tuple(_parameters(action, kind.cls, f"{where}."))
            if isinstance(kind, inspect.StructType)
            else (),
            choices=texts.CHOICES.get(f"{action}.{where}", ()),
            example=texts.EXAMPLES.get(f"{action}.{where}", ""),
        )  # fmt: skip


def _unwrapped(kind: inspect.Type) -> inspect.Type:
    """The type of a value that is there: `X | None` is X."""
    if isinstance(kind, inspect.UnionType):
        present = [part for part in kind.types if not isinstance(part, inspect.NoneType)]
        if len(present) == 1:
            return present[0]
    return kind


def kind_of(kind: inspect.Type) -> str:
    for known, name in KINDS:
        if isinstance(kind, known):
            return name
    raise TypeError(f"the explorer has no input for {type(kind).__name__}")


def _bilingual(sentences: Sentences | None) -> Bilingual | None:
    return None if sentences is None else Bilingual(*sentences)
