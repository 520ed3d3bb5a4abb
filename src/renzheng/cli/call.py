"""`renzheng call`: any action of the management service, on this machine's server or on another."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from renzheng.accounts.keys import Key
from renzheng.accounts.operators import Operator, Role
from renzheng.cli.local import print_json, refuse, with_store
from renzheng.cli.remote import HELP, ask, client_of, remote
from renzheng.client import Client
from renzheng.gateway.errors import ApiError as RefusedRequest
from renzheng.gateway.manifest import Manifest
from renzheng.gateway.parameters import MessageReader
from renzheng.management.product import make_product
from renzheng.settings import SettingsError, load_settings
from renzheng.store.accounts import NotFoundError
from renzheng.store.open import Store

PRODUCT = make_product()
ACTIONS = {action.name: action for action in PRODUCT.actions}


def _complete(incomplete: str) -> list[tuple[str, str]]:
    return [(name, action.text[1]) for name, action in ACTIONS.items() if name.startswith(incomplete)]


def call(
    action: Annotated[
        str, typer.Argument(help="Such as DescribeVerifications; list shows all.", autocompletion=_complete)
    ] = "list",
    given: Annotated[
        list[str] | None,
        typer.Argument(
            help="Parameters: Limit=5, Origins.0=https://shop.example, Data=@FILE for a file in Base64.",
            metavar="[NAME=VALUE]...",
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(help=HELP),
    ] = None,
    person: Annotated[
        str | None, typer.Option("--as", help="On this machine: the person whose key signs; default: the first owner.")
    ] = None,
    help_of: Annotated[
        bool, typer.Option("--parameters", help="Show the action's parameters and call nothing.")
    ] = False,
) -> None:
    """Call an action of the management service and print its reply as JSON. Exit code 1 if it is refused."""
    if action == "list":
        for one in ACTIONS.values():
            print(f"{one.name:<22} {one.text[1]}")
        return
    if action not in ACTIONS:
        refuse(f"there is no action {action}; renzheng call list shows all", 2)
    manifest = ACTIONS[action]
    if help_of:
        for name, parameter in manifest.parameters.items():
            print(f"{name:<22} {parameter.en}")
        return
    parameters = parameters_of(manifest, given or [])
    print_json(ask(remote(endpoint) if endpoint else _local(person), action, parameters))


def parameters_of(manifest: Manifest, given: list[str]) -> dict[str, Any]:
    """Convert the given values to the types of the action. Ends the command if that fails."""
    pairs: list[tuple[str, str]] = []
    for text in given:
        name, mark, value = text.partition("=")
        if not mark:
            refuse(f"{text}: say NAME=VALUE", 2)
        pairs.append((name, _file(value[1:]) if value.startswith("@") else value))
    try:
        message = MessageReader(manifest.request).pairs(pairs)
    except RefusedRequest as error:
        refuse(error.message("en-US"), 2)
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(message))
    return {name: value for name, value in found.items() if value is not None}


def _file(name: str) -> str:
    try:
        return base64.b64encode(Path(name).read_bytes()).decode()
    except OSError as error:
        refuse(f"{name} cannot be read: {error.strerror}", 2)


def _local(person: str | None) -> Client:
    """Return a client of this machine's operator listener, with the key of a person that is stored here."""
    try:
        settings = load_settings()
    except SettingsError as error:
        refuse(str(error), 2)

    async def find(store: Store) -> Key:
        operator = await store.operators.named(person) if person else await _first_owner(store)
        await store.audit.record("operator's key used by command", f"operator {operator.id}")
        return await store.operator_keys.key(operator) or await store.operator_keys.renew(operator, time.time())

    key = with_store(find)
    host = f"[{settings.operator_host}]" if ":" in settings.operator_host else settings.operator_host
    return client_of(f"http://{host}:{settings.operator_port}", key.secret_id, key.secret_key)


async def _first_owner(store: Store) -> Operator:
    for operator in await store.operators.all():
        if operator.role is Role.OWNER and not operator.disabled:
            return operator
    raise NotFoundError("there is no owner yet: renzheng operator add NAME --role owner")
