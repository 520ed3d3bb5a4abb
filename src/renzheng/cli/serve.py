"""`renzheng serve`: set up on first start, say where to click and which key to use, and serve."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import socket
import sqlite3
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn, cast

import typer
import uvicorn

from renzheng.app import App
from renzheng.cli import lan
from renzheng.cli.local import refuse, unusable
from renzheng.engine import packs
from renzheng.http import ApiProtocol
from renzheng.logs import RequestLog, configure_logs
from renzheng.settings import MIB, Settings, SettingsError, load_settings
from renzheng.store.database import StoreError
from renzheng.store.open import open_store
from renzheng.websocket import DeviceProtocol

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h
EVERYWHERE = "0.0.0.0"  # noqa: S104 - what --lan asks for


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    workers: Annotated[int, typer.Option(help="Server processes; SQLite admits one.")] = 1,
    on_lan: Annotated[
        bool, typer.Option("--lan", help="Let phones on this network in, over https with a certificate of our own.")
    ] = False,
) -> None:
    """Start the server on embedded defaults: SQLite and a folder, no account, no network."""
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    if on_lan:
        given.setdefault("host", EVERYWHERE)
    try:
        settings = load_settings(**given)
    except SettingsError as error:
        _refuse(str(error))
    if workers != 1:
        _refuse("SQLite admits one server process: start with --workers 1.")
    try:
        missing = [pack.title for pack in packs.in_use() if packs.state(pack) != "ok"]
    except packs.PackError as error:
        _refuse(str(error))
    if missing:
        _refuse(f"Models are missing ({', '.join(missing)}): run `renzheng models install` first.")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would hold keys and faces
    request_log = configure_logs(settings.log_level, settings.log_json)
    try:
        settings = load_settings(**{**given, "port": _free_port(settings)})
        tls = _lan_certificate(settings) if on_lan else None
        asyncio.run(_welcome(settings, "https" if tls else "http"))
        _run(settings, request_log, tls)
    except StoreError as error:
        _refuse(str(error))
    except (OSError, sqlite3.Error) as error:
        _refuse(unusable(error))


def _refuse(sentence: str) -> NoReturn:
    refuse(sentence, 2)


def _free_port(settings: Settings) -> int:
    """The port to listen on, found free; ends the command where it is not, before anybody is told to go there."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            _refuse(
                f"Cannot listen on {settings.host}:{settings.port} ({error.strerror or error}): "
                "choose others by RENZHENG_HOST and RENZHENG_PORT."
            )
        return int(probe.getsockname()[1])


def _lan_certificate(settings: Settings) -> tuple[Path, Path]:
    found = lan.addresses()
    if not found:
        _refuse("This machine has no address that others could reach.")
    return lan.certificate(settings.keys_dir, found)


async def _welcome(settings: Settings, scheme: str) -> None:
    """Make the first account and key where there are none, and print what a newcomer needs."""
    store = open_store(settings.data_dir, settings.keys_dir, time.time, os.urandom, actor="first start")
    store.check_alone()
    await store.start(serving=False)
    try:
        secret_key = None
        keys = [key for key in await store.accounts.list_keys() if key.enabled and key.token is None]
        if not await store.accounts.all():
            account = await store.accounts.create("default", time.time())
            keys = [await store.accounts.create_key(account.id, time.time())]
            secret_key = keys[0].secret_key
    finally:
        await store.stop()
    secret_id = keys[0].secret_id if keys else "none: make one by renzheng key create"
    here = "127.0.0.1" if settings.host == EVERYWHERE else settings.host
    base = settings.public_url or f"{scheme}://{here}:{settings.port}"
    print(f"\n  renzheng is starting on {base}\n")
    print(f"  SecretId   {secret_id}")
    if secret_key and sys.stdout.isatty():
        print(f"  SecretKey  {secret_key}")
    else:
        print("  SecretKey  by: renzheng key show")
    if settings.explorer:
        print(f"\n  Try the API in a browser:      {base}/explorer")
    print("\n  Try it from another terminal:\n")
    own = Path(sys.argv[0])
    command = str(own) if own.name == "renzheng" else "renzheng"
    if scheme == "https":
        print(f"    {command} token --lan --photo me.jpg    your face, on a phone in this network")
    else:
        if find_spec("tencentcloud") is not None:  # the extra `lab`
            print(f"    {command} demo                     a puppet's face")
        print(f"    {command} token --photo me.jpg     your own")
    print(flush=True)


def _keep_large_buffers() -> None:
    """Let glibc give megabytes out again that it has, in place of fetching fresh pages for every photo."""
    with contextlib.suppress(OSError, AttributeError):  # another libc: no such setting, and no harm
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 32 * MIB)
        libc.mallopt(M_TRIM_THRESHOLD, 64 * MIB)


def _run(settings: Settings, request_log: RequestLog, tls: tuple[Path, Path] | None) -> None:
    _keep_large_buffers()
    config = uvicorn.Config(
        App(settings, request_log=request_log),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=cast("type[ApiProtocol]", partial(ApiProtocol, head_seconds=settings.head_seconds)),
        ws=DeviceProtocol,
        ws_max_size=4 * settings.frame_bytes,
        ws_per_message_deflate=False,  # JPEGs do not shrink, and bombs do
        access_log=False,
        log_config=None,
        server_header=False,
        lifespan="on",
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=10,
        ssl_certfile=tls[0] if tls else None,
        ssl_keyfile=tls[1] if tls else None,
    )
    uvicorn.Server(config).run()
