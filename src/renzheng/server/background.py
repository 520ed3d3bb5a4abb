"""Background work of a process during its life."""

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
"""If a part ran for so long before it failed again, the failure is another outage and is logged again."""


async def forever(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a background part. If it fails, it is logged and started again a second later. An outage is logged once."""
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
    """End this process as an operator's signal would, so that work under way is handed over."""
    os.kill(os.getpid(), signal.SIGTERM)


async def give_memory_back() -> None:
    """Return memory of judged frames and videos from the heaps to the system, every few seconds."""
    while True:
        await asyncio.sleep(TRIM_SECONDS)
        await asyncio.to_thread(trim)
