"""What an action and a product say of themselves. The gateway, the explorer, the docs and the commands read it here.

An action's file has its own manifest, so a new action is one new file. A product is a service with its version:
several can stand beside each other behind one gateway.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import msgspec

from renzheng.gateway.contract import Caller, Key
from renzheng.gateway.errors import ApiError, platform_errors

Sentences = tuple[str, str]
"""Chinese, English."""
Run = Callable[[Caller, Any], Awaitable[msgspec.Struct]]


class CallContext(msgspec.Struct, frozen=True):
    """Who asks to call what. `private`: whether the reply is read by nobody on the way: TLS, or this machine itself."""

    key: Key
    manifest: Manifest
    request_id: str
    address: str
    private: bool


Guard = Callable[[CallContext], Awaitable[None]]


class Message(msgspec.Struct, frozen=True):
    """The base of a request that has checks of its own."""

    def check(self) -> None:
        """Called once the message is read and its sealed fields are open. Raises ApiError."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a reader is told of a parameter. `example`: what "fill in an example" fills in."""

    zh: str
    en: str
    choices: tuple[str, ...] = ()
    example: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One action.

    `request`: a struct that forbids unknown fields and whose optional fields admit None (see
    `parameters.MessageReader`); a `Message` checks itself. `reply`: the struct whose fields become those of `Response`.
    `make`: the action's function from what its product hands to actions; it raises ApiError. `text`: one sentence.
    `parameters`: by name, and by path (`Encryption.Iv`) inside objects. `errors`: what this action alone raises.
    `order`: its place in lists. `regions`: those that it is offered in; None where no region is needed. `per_second`:
    requests a second by account; None is the server's own limit.

    `sealable`: parameters that may come sealed; the request then has an `encryption`. `sealed_reply`: fields of
    the reply that are sealed by field where the caller sent a key; a request with `is_encrypt_response` set gets
    its whole reply sealed. `check_sealed`: called with the message as it came, before anything is opened.

    `roles`: who may call it, in a product that has roles. `secret`: whether a reply holds a secret.
    """

    name: str
    request: type[msgspec.Struct]
    reply: type[msgspec.Struct]
    make: Callable[[Any], Run]
    text: Sentences
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    errors: tuple[type[ApiError], ...] = ()
    order: int = 100
    regions: frozenset[str] | None = None
    per_second: int | None = None
    sealable: frozenset[str] = frozenset()
    sealed_reply: frozenset[str] = frozenset()
    check_sealed: Callable[[Any], None] | None = None
    roles: frozenset[str] = frozenset()
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A service: its name in signatures, its version, and what its actions share.

    `regions`: those that exist; naming one that an action is not offered in is another mistake than naming none of
    them; a service without any takes whatever is named. `example_region` is shown to who named none.
    `errors`: what any of its actions may raise, beside the gateway's own.
    """

    service: str
    version: str
    title: Sentences
    regions: frozenset[str]
    example_region: str
    actions: tuple[Manifest, ...]
    errors: tuple[type[ApiError], ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """A manifest and the function that carries it out."""

    manifest: Manifest
    run: Run


@dataclass(frozen=True, slots=True)
class Service:
    """A product as one gateway offers it.

    `guard`: called for a proven caller, before the message is read; it raises ApiError for what this key may not do.
    Without one, a key that signs for the service may call all its actions.
    """

    product: Product
    actions: tuple[Action, ...]
    guard: Guard | None = None

    @classmethod
    def of(cls, product: Product, parts: object, guard: Guard | None = None) -> Service:
        """All actions of a product, made from `parts`."""
        return cls(product, tuple(Action(manifest, manifest.make(parts)) for manifest in product.actions), guard)


ErrorTexts = tuple[str, str, Sentences | None]
"""What a caller reads, in Chinese and English (empty: in Chinese too), and a product's advice."""


def error_texts(products: Iterable[Product]) -> dict[str, ErrorTexts]:
    """All errors by code: the gateway's own, those of products and those of their actions."""
    found = platform_errors()
    for product in products:
        for error in (*product.errors, *(error for action in product.actions for error in action.errors)):
            found.setdefault(error.code, error)
    return {code: (error.zh, error.en, error.advice) for code, error in found.items()}


def manifests_in(package: ModuleType) -> tuple[Manifest, ...]:
    """The manifests of all actions in a package's folder: a module has a `MANIFEST`, or several in `MANIFESTS`."""
    found: list[Manifest] = []
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        if one := getattr(module, "MANIFEST", None):
            found.append(one)
        found += getattr(module, "MANIFESTS", ())
    return tuple(sorted(found, key=lambda manifest: (manifest.order, manifest.name)))
