"""Threads for work that waits for a server which is not ours: it holds up nothing that other threads are there for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class OwnThreads:
    """So many threads; who asks bounds how much waits for them."""

    def __init__(self, name: str, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, thread_name_prefix=f"renzheng-{name}")

    async def run(self, work: Callable[..., T], *arguments: object, ended: Callable[[], None]) -> T:
        """`work(*arguments)` in one of them. `ended` is called when it is over: whoever leaves before does not free
        the thread."""
        asked = asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

        def over(asked: asyncio.Future[Any]) -> None:
            ended()
            if not asked.cancelled():
                asked.exception()  # nobody else asks for it where the caller has left

        asked.add_done_callback(over)
        return await asyncio.shield(asked)

    def stop(self) -> None:
        """Waits for nobody; what has not begun is cancelled."""
        self._threads.shutdown(wait=False, cancel_futures=True)
