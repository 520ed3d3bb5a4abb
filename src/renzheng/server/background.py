"""What a process does behind its answers, for as long as it runs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import structlog

from renzheng.base.unavailable import UnavailableError
from renzheng.server.memory import trim

log = structlog.get_logger("renzheng")

TRIM_SECONDS = 20.0
TOLD_SECONDS = 60.0
"""A part that ran for so long before it failed again has met another outage."""


async def forever(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a background part; one that fails is logged and begun again a second later. An outage is told once."""
    loop, told = asyncio.get_running_loop(), ""
    while True:
        begun = loop.time()
        try:
            await run()
        except UnavailableError as error:
            if told != str(error) or loop.time() - begun > TOLD_SECONDS:
                told = str(error)
                log.warning("background_waits", part=name, why=told)
        except Exception:
            log.exception("background_failed", part=name)
        await asyncio.sleep(1)


def end_in_order() -> None:
    """As an operator asks this process to end, so that what goes on is handed over."""
    os.kill(os.getpid(), signal.SIGTERM)


async def give_memory_back() -> None:
    """What judged frames and videos leave behind in the heaps goes back to the system within a few seconds."""
    while True:
        await asyncio.sleep(TRIM_SECONDS)
        await asyncio.to_thread(trim)
