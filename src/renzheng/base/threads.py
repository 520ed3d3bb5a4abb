"""Threads for work that waits for servers of others, so that it delays nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class OwnThreads:
    """A fixed number of threads. The caller limits how much waits for them."""

    def __init__(self, name: str, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, thread_name_prefix=f"renzheng-{name}")

    async def run(self, work: Callable[..., T], *arguments: object, ended: Callable[[], None]) -> T:
        """Run `work(*arguments)` in one of the threads. `ended` is called when it is over, even if the caller is
        cancelled."""
        asked = asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

        def over(asked: asyncio.Future[Any]) -> None:
            ended()
            if not asked.cancelled():
                asked.exception()  # nobody else would fetch it after the caller was cancelled

        asked.add_done_callback(over)
        return await asyncio.shield(asked)

    def stop(self) -> None:
        """Stop without waiting. Work that has not begun is cancelled."""
        self._threads.shutdown(wait=False, cancel_futures=True)
