"""Processes for work that blocks the interpreter, such as SM2 in pure Python. In threads it would delay all
requests."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from renzheng.base.child import become_child

NICENESS = 5  # more than the server's, which answers everybody and must go first if there are few processors


class WorkLostError(Exception):
    """The process that did the work died, and so did the next one that got it."""


class ProcessPool:
    """A pool that starts with its first work and heals: the work of a dead process is given to another one, once."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ProcessPoolExecutor | None = None
        self._beginning = threading.Lock()

    async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run `work(*arguments)` in one of the processes. WorkLostError."""
        for _ in range(2):
            pool = self._pool or await self._start_apart()
            try:
                return await asyncio.wrap_future(pool.submit(work, *arguments))
            except BrokenProcessPool:
                if self._pool is pool:
                    self._pool = None
                    pool.shutdown(wait=False)
        raise WorkLostError

    def stop(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    async def _start_apart(self) -> ProcessPoolExecutor:
        """Start the pool in a thread, as starting a process takes a while.

        The thread has its own niceness and the processes inherit it, since they load their modules while requests wait.
        """
        beginner = ThreadPoolExecutor(1, thread_name_prefix="renzheng-begin")
        try:
            return await asyncio.get_running_loop().run_in_executor(beginner, self._start_pool)
        finally:
            beginner.shutdown(wait=False)

    def _start_pool(self) -> ProcessPoolExecutor:
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, min(19, os.getpriority(os.PRIO_PROCESS, own) + NICENESS))
        with self._beginning:
            if self._pool is None:
                context = multiprocessing.get_context("spawn")
                pool = ProcessPoolExecutor(self._count, context, initializer=_begin, initargs=(os.getpid(),))
                for _ in range(self._count):
                    pool.submit(_ready)
                self._pool = pool
            return self._pool


def _ready() -> None:
    """Do nothing: submitting this starts a process."""


def _begin(parent: int) -> None:
    """Prepare a process: it ends with the server, leaves signals to it, and writes no core dump, as it handles keys."""
    become_child(parent)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
