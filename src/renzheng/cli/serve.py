"""`renzheng serve`: set up on first start, say where to click and which key to use, and serve."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Annotated

import typer
import uvicorn

from renzheng.app import App
from renzheng.engine import packs
from renzheng.settings import Settings, SettingsError, load_settings
from renzheng.store.open import StoreError, open_store
from renzheng.telemetry import configure_logs


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[int, typer.Option(help="Server processes; SQLite admits one.")] = 1,
) -> None:
    """Start the server on embedded defaults: SQLite and a folder, no account, no network."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    try:
        settings = load_settings(**given)
    except SettingsError as error:
        _refuse(str(error))
    if workers != 1:
        _refuse("SQLite admits one server process: start with --workers 1.")
    missing = packs.missing()
    if missing:
        _refuse(f"Models are missing ({', '.join(missing)}): run `renzheng models install` first.")
    configure_logs(settings.log_level, settings.log_json)
    try:
        asyncio.run(_welcome(settings))
        _run(settings)
    except StoreError as error:
        _refuse(str(error))


def _refuse(sentence: str) -> None:
    typer.echo(sentence, err=True)
    raise typer.Exit(2)


async def _welcome(settings: Settings) -> None:
    """Make the first account and key where there are none, and print what a newcomer needs."""
    store = open_store(settings.data_dir, settings.keys_dir, time.time, os.urandom)
    await store.start(serving=False)
    try:
        secret_key = None
        keys = await store.accounts.list_keys()
        if not keys:
            account = await store.accounts.create("default", time.time())
            key = await store.accounts.create_key(account.id, time.time())
            secret_id, secret_key = key.secret_id, key.secret_key
        else:
            secret_id = keys[0].secret_id
    finally:
        await store.stop()
    base = settings.public_url or f"http://{settings.host}:{settings.port}"
    print(f"\n  renzheng is starting on {base}\n")
    print(f"  SecretId   {secret_id}")
    if secret_key and sys.stdout.isatty():
        print(f"  SecretKey  {secret_key}")
    else:
        print("  SecretKey  by: renzheng key show")
    print("\n  Try it from another terminal:  .venv/bin/renzheng demo\n", flush=True)


def _run(settings: Settings) -> None:
    config = uvicorn.Config(
        App(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=4 * settings.frame_bytes,
        access_log=False,
        log_config=None,
        server_header=False,
        lifespan="on",
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=10,
    )
    uvicorn.Server(config).run()
