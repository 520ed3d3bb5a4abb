"""`--endpoint`: runs commands as clients of another server's management service.

`with_endpoint` gives the option to each command of `remote_commands`, and carries it out by signed calls.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from renzheng.cli.local import print_json, print_table, printable, refuse

if TYPE_CHECKING:
    from renzheng.client import Client
    from renzheng.gateway.manifest import Manifest

ENVIRONMENT = ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY")
PAGE = 100
"""Items per call: the most that the service returns."""

HELP = f"Another server, such as https://renzheng.example; the key is in {' and '.join(ENVIRONMENT)}."
Given = Mapping[str, Any]
"""A command's arguments, by the names of its parameters."""
Act = Callable[["Api", Given], Any]
"""Carries out a command. Returns what it prints, plain or in a `CommandResult`: an object, a list of objects, or a
sentence."""


def client_of(endpoint: str, secret_id: str, secret_key: str) -> Client:
    """Make a client of the management service. Ends the command if the endpoint is invalid."""
    from renzheng.client import Client
    from renzheng.management.product import SERVICE, VERSION

    try:
        return Client(
            secret_id,
            secret_key,
            endpoint=endpoint,
            language="en-US",
            service=SERVICE,
            version=VERSION,
            timeout=60,
        )
    except ValueError as error:
        refuse(str(error), 2)


def remote(endpoint: str) -> Client:
    """Make a client with the key of the environment. Ends the command without one."""
    secret_id, secret_key = (os.environ.get(name, "") for name in ENVIRONMENT)
    if not secret_id or not secret_key:
        refuse(f"set {' and '.join(ENVIRONMENT)} to a key of the management service", 2)
    return client_of(endpoint, secret_id, secret_key)


def ask(client: Client, action: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the reply of a call. A refusal ends the command."""
    from renzheng.client import ApiError, ClientError

    try:
        return client.call(action, parameters)
    except ApiError as error:
        refuse(f"{error.code}: {error.message} (RequestId {error.request_id})")
    except ClientError as error:
        refuse(f"{error}; is the server running, and is this its operator's listener?")


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command prints, and its exit code."""

    output: Any
    code: int


class Api:
    """Makes calls in the commands' terms: names as in Python, and None for what is left out."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def call(self, action: str, given: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Return the reply. Ends the command if it is refused, or is of another version of the service."""
        manifest = _actions()[action]
        names = {field.name: field.encode_name for field in msgspec.structs.fields(manifest.request)}
        sent = {names[name]: value for name, value in {**(given or {}), **more}.items() if value is not None}
        reply = ask(self._client, action, sent)
        try:
            return dict(_plain(msgspec.convert(reply, manifest.reply)))
        except msgspec.ValidationError as error:
            refuse(f"the reply of {action} is not of this version of renzheng: {error}")

    def every(self, action: str, items: str, given: Mapping[str, Any] | None = None, **more: Any) -> Iterator[Any]:
        """Yield the items of a list, page by page."""
        cursor: str | None = None
        while True:
            reply = self.call(action, given, **more, limit=PAGE, cursor=cursor)
            yield from reply[items]
            cursor = reply["next_cursor"]
            if not cursor:
                return

    def account(self, given: str | None) -> dict[str, int]:
        """Return `account_id` for --account, by name or number; empty if it was left out, as the service then knows."""
        return {} if given is None else {"account_id": self.find_account(given)["id"]}

    def find_account(self, given: str | None) -> dict[str, Any]:
        """Return the account. Ends the command if no account matches, or several do and none was named."""
        known = list(self.every("DescribeAccounts", "accounts"))
        if given is None and len(known) == 1:
            return dict(known[0])
        of_this_name = [one for one in known if one["name"] == given]
        found: list[dict[str, Any]] = of_this_name or [one for one in known if str(one["id"]) == given]
        return found[0] if found else refuse(f"there is no account {given}" if given else "say which by --account")


@functools.cache
def _actions() -> dict[str, Manifest]:
    from renzheng.management.product import make_product

    return {action.name: action for action in make_product().actions}


def _plain(value: Any) -> Any:
    """Return a reply with names as in Python. Keys of dictionaries are data, and stay."""
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def with_endpoint(app: typer.Typer, acts: Mapping[str, Act], group: str = "") -> None:
    """Give `--endpoint` to the commands that `acts` names. Repeating it changes nothing."""
    for command in app.registered_commands:
        callback = command.callback
        assert callback is not None
        name = " ".join(filter(None, (group, command.name or callback.__name__.replace("_", "-"))))
        if name in acts and not hasattr(callback, "__wrapped__"):
            command.callback = _add_option(callback, acts[name])


def _add_option(callback: Callable[..., Any], act: Act) -> Callable[..., Any]:
    signature = inspect.signature(callback, eval_str=True)
    # One command has its own `--endpoint`: that of a bucket.
    options = ["--server"] if "endpoint" in signature.parameters else ["--endpoint", "--server"]
    hint = Annotated[str | None, typer.Option(*options, help=HELP)]
    option = inspect.Parameter("server", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hint)

    @functools.wraps(callback)
    def either(*, server: str | None, **given: Any) -> Any:
        if server is None:
            return callback(**given)
        done = act(Api(remote(server)), given)
        _show(done.output if isinstance(done, CommandResult) else done, bool(given.get("as_json")))
        raise typer.Exit(done.code if isinstance(done, CommandResult) else 0)

    either.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    hints = {name: one.annotation for name, one in signature.parameters.items()}
    either.__annotations__ = hints | {"server": hint}
    return either


def _show(shown: Any, as_json: bool) -> None:
    if isinstance(shown, str):
        print(printable(shown))
    elif as_json:
        print_json(shown)
    elif isinstance(shown, list):
        names = list(dict.fromkeys(name for row in shown for name in row))
        print_table([_title(name) for name in names], [[_text(row.get(name)) for name in names] for row in shown])
    else:
        print_table(["", ""], [[_title(name), _text(value)] for name, value in shown.items()])


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_text(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "\n".join(map(_text, value))
    return {None: "", True: "yes", False: "no"}.get(value, str(value)) if not isinstance(value, float) else f"{value:g}"
