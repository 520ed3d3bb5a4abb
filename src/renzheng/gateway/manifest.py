"""Manifests: how an action and a product describe themselves to the gateway, the explorer, the docs and commands.

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
    """One call before it runs. `private`: nobody can read the reply on its way, because of TLS or a loopback
    connection."""

    key: Key
    manifest: Manifest
    request_id: str
    address: str
    private: bool


Guard = Callable[[CallContext], Awaitable[None]]


class Message(msgspec.Struct, frozen=True):
    """The base class of requests with checks of their own."""

    def check(self) -> None:
        """Check the message, after it is read and its sealed fields are opened. Raises ApiError."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """The description of a parameter for readers. `example`: the value that "fill in an example" fills in."""

    zh: str
    en: str
    choices: tuple[str, ...] = ()
    example: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One action.

    `request`: a struct that forbids unknown fields and whose optional fields admit None (see
    `parameters.MessageReader`); a `Message` checks itself. `reply`: the struct whose fields become those of `Response`.
    `make`: returns the action's function, given the parts of its product; the function raises ApiError. `text`: one
    sentence. `parameters`: by name, and by path (`Encryption.Iv`) inside objects. `errors`: those that only this action
    raises. `order`: its position in lists. `regions`: where it is offered; None if it needs no region. `per_second`:
    requests per second of an account; None means the server's limit.

    `sealable`: parameters that may be sealed; the request then has an `encryption`. `sealed_reply`: fields of the reply
    that are sealed one by one if the caller sent a key; if the request has `is_encrypt_response` set, the whole reply
    is sealed. `check_sealed`: called with the message as it arrived, before anything is opened.

    `roles`: the roles that may call it, in a product with roles. `secret`: whether a reply contains a secret.
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

    `regions`: those that exist; an unknown region and a region in which an action is not offered are different errors.
    A service without regions accepts any. `example_region` is shown to callers that sent none. `errors`: those that any
    of its actions may raise, in addition to the gateway's own.
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

    `guard`: called after the signature is verified and before the message is read; raises ApiError for what this key
    may not do. Without a guard, a key that signs for the service may call all its actions.
    """

    product: Product
    actions: tuple[Action, ...]
    guard: Guard | None = None

    @classmethod
    def of(cls, product: Product, parts: object, guard: Guard | None = None) -> Service:
        """Make all actions of a product from `parts`."""
        return cls(product, tuple(Action(manifest, manifest.make(parts)) for manifest in product.actions), guard)


ErrorTexts = tuple[str, str, Sentences | None]
"""What a caller reads, in Chinese and English (empty: in Chinese too), and a product's advice."""


def error_texts(products: Iterable[Product]) -> dict[str, ErrorTexts]:
    """Return all errors by code: the gateway's own, and those of products and their actions."""
    found = platform_errors()
    for product in products:
        for error in (*product.errors, *(error for action in product.actions for error in action.errors)):
            found.setdefault(error.code, error)
    return {code: (error.zh, error.en, error.advice) for code, error in found.items()}


def manifests_in(package: ModuleType) -> tuple[Manifest, ...]:
    """Return the manifests of all actions in a package's folder. A module has a `MANIFEST`, or several in
    `MANIFESTS`."""
    found: list[Manifest] = []
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        if one := getattr(module, "MANIFEST", None):
            found.append(one)
        found += getattr(module, "MANIFESTS", ())
    return tuple(sorted(found, key=lambda manifest: (manifest.order, manifest.name)))
