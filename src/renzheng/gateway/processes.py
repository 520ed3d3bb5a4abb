"""Processes for work that holds the interpreter, as SM2 in pure Python does: in threads it would slow everybody."""

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

NICENESS = 5  # more than the server's: whoever answers everybody goes first where processors are few


class WorkLostError(Exception):
    """The process that did the work died, and so did the one that was given it next."""


class ProcessPool:
    """A pool that begins with its first work, and heals: what a dead process was given is given to another once."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool: ProcessPoolExecutor | None = None
        self._beginning = threading.Lock()

    async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """`work(*arguments)` in one of them. WorkLostError."""
        for _ in range(2):
            pool = self._pool or await self._begin_apart()
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

    async def _begin_apart(self) -> ProcessPoolExecutor:
        """In a thread, as starting a process takes a while. In one of its own, as processes inherit its niceness: they
        load their modules when requests are waiting, and not only their work comes after the loop."""
        beginner = ThreadPoolExecutor(1, thread_name_prefix="renzheng-begin")
        try:
            return await asyncio.get_running_loop().run_in_executor(beginner, self._begun)
        finally:
            beginner.shutdown(wait=False)

    def _begun(self) -> ProcessPoolExecutor:
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
    """Nothing to do: a process is started for it."""


def _begin(parent: int) -> None:
    """Ends with the server, leaves its signals to it, and is not dumped: keys pass through here."""
    become_child(parent)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
