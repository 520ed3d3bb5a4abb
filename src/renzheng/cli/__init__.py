"""The commands, one module per noun. Each is a thin layer over the room that does the work."""

from __future__ import annotations

import importlib
import sqlite3
import sys
from collections.abc import Iterable
from typing import Annotated, NamedTuple

import typer

from renzheng.base import environment


class Command(NamedTuple):
    """The place of a command: `module` of this package, `name` in it. `help`: of a group of commands."""

    module: str
    name: str
    help: str | None = None
    extra: str = "server"


COMMANDS = {
    "serve": Command("serve", "serve"),
    "judge": Command("judge", "judge"),
    "token": Command("token", "token"),
    "demo": Command("demo", "demo", extra="lab"),
    "verify": Command("verify", "verify", extra="lab"),
    "account": Command("account", "app", "Accounts: who calls the signed API."),
    "key": Command("key", "app", "Keys: the SecretId and SecretKey that sign for an account."),
    "rule": Command("rule", "app", "Rules: scenarios with a policy of their own, named by RuleId."),
    "bucket": Command("bucket", "app", "The customer's own bucket, for tokens with UseCos."),
    "encryption": Command("encryption", "app", "Key pairs: what clients seal names, ID numbers and photos to."),
    "identity": Command("identity", "app", "The library of enrolled people, for CompareLib BUSINESS."),
    "backup": Command("backup", "app", "Copies of the records and of the keys, while the server runs."),
    "store": Command("store", "app", "Where the records and keys are: the move from SQLite to PostgreSQL."),
    "vault": Command("vault", "app", "The keys that everything at rest is sealed under: rotate, replay erasures."),
    "operator": Command("operator", "app", "The people who sign in to the console."),
    "call": Command("call", "call"),
    "audit": Command("audit", "app", "The audit log: who did what to which account, key or person."),
    "session": Command("session", "app", "One verification: what was measured, and why it ended as it did."),
    "rejudge": Command("session", "rejudge"),
    "explain": Command("explain", "explain"),
    "evaluate": Command("evaluate", "evaluate"),
    "attack": Command("attack", "attack", extra="lab"),
    "replay": Command("replay", "replay", extra="lab"),
    "engine": Command("engine", "app", "Judging on a Ray cluster: deploy, status, remove."),
    "models": Command("models", "app", "The models: install, list, verify."),
}


LAB = frozenset(f"renzheng.cli.{command.module}" for command in COMMANDS.values() if command.extra == "lab")
"""Modules that exist only if the distribution renzheng-lab is installed."""

_ANYTHING = {"allow_extra_args": True, "ignore_unknown_options": True}


def _refuse_lab(context: typer.Context) -> None:
    """Explain that a command belongs to the lab, which is not installed."""
    typer.echo(
        f"{context.info_name} renders people who pass liveness, so it is a part of the lab, which is not installed "
        "here: pip install 'renzheng[server,lab]' (from a checkout: pip install '.[server]' ./lab), on a machine "
        "that serves nobody",
        err=True,
    )
    raise typer.Exit(2)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"renzheng {version('renzheng')}")
        raise typer.Exit


def _options(
    shows: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    try:
        environment.export("RENZHENG_MODELS_DIR")
    except environment.BadEnvironmentError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


def build(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """Build the command line with these commands. It imports only what they need, as importing everything takes a
    second."""
    from renzheng.cli.remote import with_endpoint
    from renzheng.cli.remote_commands import REMOTE

    app = typer.Typer(
        name="renzheng",
        help="Self-hosted face identity verification that speaks Tencent Cloud FaceID's API.",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,
    )
    app.callback()(_options)
    for name in names:
        command = COMMANDS[name]
        try:
            found = getattr(importlib.import_module(f"renzheng.cli.{command.module}"), command.name)
        except ModuleNotFoundError as missing:
            # The puppet passes liveness, so a production installation has no lab.
            name_of_it = missing.name or ""
            if command.extra != "lab" or (name_of_it.startswith("renzheng") and name_of_it not in LAB):
                raise
            app.command(name, hidden=True, context_settings=_ANYTHING)(_refuse_lab)
            continue
        if command.help:
            with_endpoint(found, REMOTE, name)
            app.add_typer(found, name=name, help=command.help)
        else:
            app.command(name)(found)
    with_endpoint(app, REMOTE)
    return app


def run(app: typer.Typer) -> None:
    """Run the requested command. An expected error, such as a wrong setting, becomes a sentence and exit code 2.

    Any other error is a traceback.
    """
    try:
        app()
    except Exception as error:
        if (sentence := _sentence(error)) is None:
            raise
        typer.echo(sentence, err=True)
        sys.exit(2)


def _sentence(error: Exception) -> str | None:
    from renzheng.cli.local import printable, unusable
    from renzheng.engine.packs import PackError
    from renzheng.settings import SettingsError
    from renzheng.store.engine import StoreError
    from renzheng.verification.records import NoRoomError

    if isinstance(error, PackError | SettingsError | StoreError | NoRoomError):
        return printable(str(error))
    return printable(unusable(error)) if isinstance(error, OSError | sqlite3.Error) else None
