"""Waits at start for PostgreSQL, the object store or the KMS: containers, and machines after a power cut, start in any
order."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from starlette.types import ASGIApp

from renzheng.cli import listeners
from renzheng.server.hosts import HostGuard, Hosts
from renzheng.server.operator import operator_app
from renzheng.server.readiness import Phase, Readiness
from renzheng.settings import Settings
from renzheng.store.engine import AwayError

log = structlog.get_logger("renzheng")

T = TypeVar("T")
PAUSE = 0.5
"""Seconds between two tries."""


async def once_there(work: Callable[[], Awaitable[T]], settings: Settings, operator: socket.socket | None) -> T:
    """Return the result of `work`, repeated while what it needs does not answer.

    Raises its AwayError when `start_seconds` are over. `operator`: the bound socket on which `/healthz` and `/readyz`
    answer meanwhile, or None. It stays open.
    """
    loop = asyncio.get_running_loop()
    end, phase = loop.time() + settings.start_seconds, Phase(None)
    async with contextlib.AsyncExitStack() as stack:
        while True:
            try:
                return await work()
            except AwayError as error:
                left = end - loop.time()
                if left <= 0:
                    raise
                if operator is not None and phase.trouble is None:
                    app = _meanwhile(phase, settings)
                    await stack.enter_async_context(listeners.answering(app, operator.dup(), settings))
                if phase.trouble != str(error):
                    phase.trouble = str(error)
                    log.warning("start_waits", why=phase.trouble, seconds=round(left))
            await asyncio.sleep(min(PAUSE, left))


def _meanwhile(phase: Phase, settings: Settings) -> ASGIApp:
    readiness = Readiness()

    async def server() -> str | None:
        return f"the start waits: {phase.trouble}"

    readiness.add("server", server)
    return HostGuard(operator_app(readiness), Hosts(settings.operator_host, allowed=settings.allowed_hosts))
