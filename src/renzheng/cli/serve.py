"""`renzheng serve`: sets up on first start, prints where to click and which key to use, and serves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn

import structlog
import typer

from renzheng.accounts.keys import FIRST_ACCOUNT
from renzheng.cli import listeners
from renzheng.cli.local import refuse, unusable
from renzheng.cli.operator import first_link
from renzheng.cli.waiting import once_there
from renzheng.engine import packs
from renzheng.engine.interface import EngineUnusableError
from renzheng.server.app import App
from renzheng.server.logs import configure_logs
from renzheng.server.room_settings import open_server_store
from renzheng.server.urls import console_url
from renzheng.settings import Settings, SettingsError, load_settings
from renzheng.store.accounts import RefusedError
from renzheng.store.engine import StoreError

EVERYWHERE = "0.0.0.0"  # noqa: S104 - what --lan asks for


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[
        int, typer.Option(help="Number of server processes. Only 1 works; to have more, start more servers.")
    ] = 1,
    on_lan: Annotated[
        bool,
        typer.Option("--lan", help="Let phones on this network connect: https, with a self-signed certificate."),
    ] = False,
) -> None:
    """Start the server with its defaults: SQLite and a folder; no account and no network needed."""
    given: dict[str, object] = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    if on_lan:
        given.setdefault("host", EVERYWHERE)
    try:
        settings = load_settings(**given)
    except SettingsError as error:
        refuse(str(error), 2)
    request_log = configure_logs(settings.log_level, settings.log_json)
    try:
        if workers != 1:
            raise _RefusedError(
                "One process is one server: start with --workers 1. On PostgreSQL any number of servers may run."
            )
        if faults := packs.faults():
            raise _RefusedError(f"Models cannot be used ({'; '.join(faults)}): run `renzheng models install` first.")
        port = listeners.free_port(settings)
        with listeners.operator_socket(settings) as operator:
            found: dict[str, object] = {"port": port, "operator_port": operator.getsockname()[1]}
            if on_lan:  # links of `renzheng token --lan` contain them, whatever the public URL is
                from renzheng.cli import lan

                found["allowed_hosts"] = (*settings.allowed_hosts, *lan.addresses())
            settings = load_settings(**{**given, **found})
            tls = _lan_certificate(settings) if on_lan else None
            asyncio.run(once_there(partial(_welcome, settings, "https" if tls else "http"), settings, operator))
            app = App(
                settings,
                request_log=request_log,
                troubles=request_log.troubles,
                request_lines=request_log.request_lines,
            )
            listeners.run(app, tls, operator)
    except _REFUSALS as error:
        _refuse(str(error), settings)
    except (OSError, sqlite3.Error) as error:
        _refuse(unusable(error), settings)


class _RefusedError(Exception):
    """The server cannot start. The text is a sentence."""


_REFUSALS = (
    *(_RefusedError, SettingsError, packs.PackError, listeners.CannotListenError, StoreError),
    EngineUnusableError,
)


def _refuse(sentence: str, settings: Settings) -> NoReturn:
    """End the command with exit code 2. If the log is JSON, so is this line."""
    if not settings.log_json:
        refuse(sentence, 2)
    structlog.get_logger("renzheng").error("refused", reason=sentence)
    raise typer.Exit(2)


def _lan_certificate(settings: Settings) -> tuple[Path, Path]:
    from renzheng.cli import lan  # certificates take long to import, and most servers make none

    found = lan.addresses()
    if not found:
        raise _RefusedError("This machine has no address that others could reach.")
    return lan.certificate(settings.keys_dir, found)


async def _welcome(settings: Settings, scheme: str) -> None:
    """Create the first account and key if there are none, and print what a newcomer needs.

    Raises AwayError if the database or the object store does not answer yet.
    """
    store = await asyncio.to_thread(open_server_store, settings, time.time, os.urandom, "first start")
    store.check_alone()
    try:
        await store.objects.check()
        await store.start(serving=False)
        secret_key = None
        keys = [key for key in await store.accounts.list_keys() if key.enabled and key.token is None]
        if not await store.accounts.all():
            with contextlib.suppress(RefusedError):  # another server that starts at the same moment made it
                account = await store.accounts.create(FIRST_ACCOUNT, time.time())
                keys = [await store.accounts.create_key(account.id, time.time())]
                secret_key = keys[0].secret_key
        link = await first_link(store, settings) if settings.console else None
    finally:
        await store.stop()
    if not settings.log_json:  # a log collector accepts lines of JSON only
        _print_welcome(settings, scheme, keys[0].secret_id if keys else None, secret_key, link)


def _print_welcome(
    settings: Settings, scheme: str, secret_id: str | None, secret_key: str | None, link: str | None
) -> None:
    here = "127.0.0.1" if settings.host == EVERYWHERE else settings.host
    base = settings.public_url or f"{scheme}://{here}:{settings.port}"
    print(f"\n  renzheng is starting on {base}\n")
    print(f"  SecretId   {secret_id or 'none: make one by renzheng key create'}")
    if secret_key and sys.stdout.isatty():
        print(f"  SecretKey  {secret_key}")
    else:
        print("  SecretKey  run: renzheng key show")
    if settings.explorer:
        print(f"\n  Try the API in a browser:      {base}/explorer")
    if settings.console:
        print(f"  The console, for its owner:    {link or console_url(settings)}")
    print("\n  Try it from another terminal:\n")
    own = Path(sys.argv[0])
    command = str(own) if own.name == "renzheng" else "renzheng"
    if scheme == "https":
        print(f"    {command} token --lan --photo me.jpg    your face, on a phone in this network")
    else:
        if find_spec("renzheng.cli.demo") is not None:  # part of the lab
            print(f"    {command} demo                     a puppet's face")
        print(f"    {command} token --photo me.jpg     your own")
    print(flush=True)
