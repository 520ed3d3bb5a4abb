"""What the page knows of the API: actions, parameters and errors, read from the request structs.

A new action of the server appears on the page by itself, with the sentences of its manifest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import inspect

from renzheng.base.parameters import ParameterText, described, kind_of, present
from renzheng.explorer import texts
from renzheng.explorer.texts import Sentences

ErrorTexts = tuple[str, str, Sentences | None]
"""The server's text in Chinese and, if there is one, in English; and advice, if a product has it."""


class Action(Protocol):
    """What is read of an action's manifest. `parameters`: the texts by path."""

    @property
    def name(self) -> str: ...
    @property
    def request(self) -> type[msgspec.Struct]: ...
    @property
    def regions(self) -> frozenset[str] | None: ...
    @property
    def text(self) -> Sentences: ...
    @property
    def parameters(self) -> Mapping[str, ParameterText]: ...


class Product(Protocol):
    @property
    def service(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def actions(self) -> tuple[Action, ...]: ...


class Bilingual(msgspec.Struct, frozen=True):
    """One sentence, keyed by the language names of X-TC-Language."""

    zh: str = msgspec.field(name="zh-CN")
    en: str = msgspec.field(name="en-US")


class Parameter(msgspec.Struct, frozen=True, omit_defaults=True):
    """`kind`: see `kind_of`. `item`: the kind of a list's items. `fields`: those of an object."""

    name: str
    kind: str
    text: Bilingual
    required: bool = False
    item: str = ""
    fields: tuple[Parameter, ...] = ()
    choices: tuple[str, ...] = ()
    example: str = ""


class ActionDescription(msgspec.Struct, frozen=True):
    """`regions`: sorted; None if the action needs no region."""

    name: str
    service: str
    version: str
    text: Bilingual
    regions: tuple[str, ...] | None
    parameters: tuple[Parameter, ...]


class ErrorDescription(msgspec.Struct, frozen=True):
    """`message`: the server's own text, with `{names}` for the values that it fills in. `advice`: what to do about
    it."""

    message: Bilingual
    advice: Bilingual


class Limits(msgspec.Struct, frozen=True, rename="camel"):
    """Limits of a request.

    image_characters: Base64 characters of a photo. body_bytes: bytes of a body. clock_seconds: how far a timestamp may
    be off.
    """

    image_characters: int
    body_bytes: int
    clock_seconds: int


class Description(msgspec.Struct, frozen=True):
    limits: Limits
    actions: tuple[ActionDescription, ...]
    errors: dict[str, ErrorDescription]


def describe(products: Sequence[Product], errors: Mapping[str, ErrorTexts], limits: Limits) -> Description:
    """Describe the API. `errors`: all that these products and the gateway answer with, by code.

    TypeError: a request has a field of a kind that the page cannot show. KeyError: a parameter without a sentence.
    """
    words = {"{service}": products[0].service, "{version}": products[0].version}
    return Description(
        limits,
        tuple(_action(product, action) for product in products for action in product.actions),
        {code: _error(code, error, words) for code, error in sorted(errors.items())},
    )


def _error(code: str, error: ErrorTexts, words: Mapping[str, str]) -> ErrorDescription:
    message_zh, message_en, advice = error
    zh, en = advice or texts.ADVICE[code]
    for mark, word in words.items():
        zh, en = zh.replace(mark, word), en.replace(mark, word)
    return ErrorDescription(Bilingual(message_zh, message_en or message_zh), Bilingual(zh, en))


def _action(product: Product, action: Action) -> ActionDescription:
    return ActionDescription(
        action.name,
        product.service,
        product.version,
        Bilingual(*action.text),
        None if action.regions is None else tuple(sorted(action.regions)),
        tuple(_parameters(action, action.request, "")),
    )


def _parameters(action: Action, struct: type[msgspec.Struct], path: str) -> Iterator[Parameter]:
    for field in described(struct).fields:
        name = field.encode_name
        where = f"{path}{name}"
        if where not in action.parameters:
            raise KeyError(f"{action.name}.{where} has no sentence in its manifest")
        told = action.parameters[where]
        kind = present(field.type)
        yield Parameter(
            name=name,
            kind=input_of(kind),
            required=field.required,
            text=Bilingual(told.zh, told.en),
            item=input_of(present(kind.item_type)) if isinstance(kind, inspect.ListType) else "",
            fields=tuple(_parameters(action, kind.cls, f"{where}."))
            if isinstance(kind, inspect.StructType)
            else (),
            choices=told.choices,
            example=told.example,
        )  # fmt: skip


def input_of(described: inspect.Type) -> str:
    """Return the page's input for a kind. A raw text is an image, as a request declares a photo's Base64 like this.

    Raises TypeError if the page has no input for the kind.
    """
    kind = kind_of(described)
    if kind is None:
        raise TypeError(f"the explorer has no input for {type(described).__name__}")
    return "image" if kind == "raw" else kind
