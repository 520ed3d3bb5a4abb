"""The two listeners of `renzheng serve`: the public one, and the operator's on the same event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from renzheng.server.app import App
from renzheng.server.connections import Connections, raise_limit, room_for
from renzheng.server.http_check import http_way
from renzheng.server.tls import TlsEntry, context_of
from renzheng.server.websocket import DeviceProtocol
from renzheng.settings import Settings
from renzheng.settings.listeners import ListenerSection

OPERATOR_CONNECTIONS = 64
"""Most connections of the operator's listener: some browsers, a metrics reader, probes."""


class CannotListenError(Exception):
    """An address cannot be listened on. The text is a sentence that names the settings."""


def free_port(settings: ListenerSection) -> int:
    """Return the public port after checking that it is free. Raises CannotListenError."""
    with _bind(settings.host, settings.port, "RENZHENG_HOST and RENZHENG_PORT") as probe:
        return int(probe.getsockname()[1])


def operator_socket(settings: ListenerSection) -> socket.socket:
    """Bind and return the operator's socket. Raises CannotListenError."""
    names = "RENZHENG_OPERATOR_HOST and RENZHENG_OPERATOR_PORT"
    return _bind(settings.operator_host, settings.operator_port, names)


def _bind(host: str, port: int, names: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError as error:
        made.close()
        reason = error.strerror or str(error)
        raise CannotListenError(f"Cannot listen on {host}:{port} ({reason}): set {names} to others.") from None
    return made


class _Public(uvicorn.Server):
    """Tells the application that it is stopping before it stops listening."""

    def __init__(self, config: uvicorn.Config, app: App) -> None:
        super().__init__(config)
        self._app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start. Raises the application's own error, where uvicorn would only return an exit code."""
        try:
            await super().startup(sockets)
        except SystemExit:
            if self._app.start_error is not None:
                raise self._app.start_error from None
            raise

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._app.drain()
        await super().shutdown(sockets)


class _Beside(uvicorn.Server):
    """A server that leaves signals to the public one."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def answering(app: ASGIApp, operator: socket.socket, settings: ListenerSection) -> AsyncIterator[None]:
    """Run the operator's listener alone during the block."""
    bounds = {"head_seconds": settings.head_seconds, "head_bytes": settings.head_bytes}
    way = await asyncio.to_thread(http_way, bounds, structlog.get_logger("renzheng.http"))
    beside = _Beside(_operator_config(app, settings, way))
    running = asyncio.create_task(beside.serve([operator]))
    try:
        yield
    finally:
        beside.should_exit = True
        await running


def run(app: App, tls: tuple[Path, Path] | None, operator: socket.socket) -> None:
    """Serve until a signal comes. `tls`: the files of a certificate and its key."""
    public = _Public(_public_config(app, tls), app)
    with asyncio.Runner(loop_factory=public.config.get_loop_factory()) as runner:
        runner.run(_serve(public, app, operator))


async def _serve(public: uvicorn.Server, app: App, operator: socket.socket) -> None:
    """Serve both. The operator's listener starts first and stops last, so it answers while the server starts and
    ends."""
    async with answering(app.operator, operator, app.settings):
        await public.serve()


def _public_config(app: App, tls: tuple[Path, Path] | None) -> uvicorn.Config:
    settings = app.settings
    most, backlog = room_for(settings.connections, raise_limit(), settings.min_free_descriptors + OPERATOR_CONNECTIONS)
    per_address = max(1, min(settings.connections_per_address, most // 2))
    connections = Connections(most, per_address, settings.trusted_proxies)
    way = _counting(http_way(_bounds(settings), structlog.get_logger("renzheng.http")), connections)
    if tls:
        way = partial(TlsEntry, context_of(*tls), settings.handshake_seconds, way, connections)
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=way,
        backlog=backlog,
        ws=DeviceProtocol,
        ws_max_size=4 * settings.frame_bytes,
        ws_max_queue=4,  # a socket's messages that wait in memory for the channel
        ws_per_message_deflate=False,  # JPEGs do not compress, but decompression bombs do
        access_log=False,
        log_config=None,
        server_header=False,
        lifespan="on",
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=10,
    )


def _bounds(settings: Settings) -> dict[str, Any]:
    return {
        "head_seconds": settings.head_seconds,
        "head_bytes": settings.head_bytes,
        "max_headers": settings.max_headers,
    }


def _counting(way: Any, connections: Connections) -> Any:
    """Return that protocol with its connections counted; uvicorn's own, given by name, counts none."""
    return way if isinstance(way, str) else partial(way, connections=connections)


def _operator_config(app: ASGIApp, settings: ListenerSection, way: Any) -> uvicorn.Config:
    """Configure the operator's listener: without WebSockets, and without a lifespan of its own.

    A trusted proxy says whether a call came over TLS. Clients are limited as on the public listener.
    """
    connections = Connections(OPERATOR_CONNECTIONS, OPERATOR_CONNECTIONS // 2, settings.trusted_proxies)
    return uvicorn.Config(
        app,
        http=_counting(way, connections),
        backlog=OPERATOR_CONNECTIONS,
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        lifespan="off",
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=2,
    )
