"""Two processes that go for the same thing in one store at the same moment: a barrier lets both go.

Coroutines of one event loop cannot lose to each other within a job of the store; processes can, at every statement.
"""

from __future__ import annotations

import asyncio
import functools
import os
import traceback
from collections.abc import Awaitable, Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from renzheng.store.open import Store, open_store

from .conftest import World

CONTENDERS = 16
PATIENCE = 60.0
Contest = Callable[..., Awaitable[Any]]
"""What one contender does: (store, its number, the time, what the test gives) -> its result. A function of a module."""


class Racers:
    """Two processes with a store each. Make one for a whole module, as they take a second to begin."""

    def __init__(self) -> None:
        spawn = get_context("spawn")
        self._barrier = spawn.Barrier(2)  # kept, as it goes with its last holder before the processes have begun
        self._ends: list[Connection] = []
        self._processes = []
        for lane in range(2):
            here, there = spawn.Pipe()
            process = spawn.Process(target=_run, args=(lane, self._barrier, there), daemon=True)
            process.start()
            self._ends.append(here)
            self._processes.append(process)

    async def race(self, world: World, contest: Contest, *given: Any) -> list[Any]:
        """The results of all contenders, in the order of their numbers; every second one is of the other process."""
        for end in self._ends:
            end.send((world.root, world.postgres, world.clock(), contest, given))
        lanes = await asyncio.gather(*(asyncio.to_thread(self._answer, end) for end in self._ends))
        return [lanes[number % 2][number // 2] for number in range(CONTENDERS)]

    def _answer(self, end: Connection) -> list[Any]:
        assert end.poll(PATIENCE), "a racer does not answer"
        answer: list[Any] | str = end.recv()
        assert not isinstance(answer, str), answer
        return answer

    def stop(self) -> None:
        for end in self._ends:
            end.send(None)
        for process in self._processes:
            process.join(PATIENCE)


def _run(lane: int, barrier: Barrier, end: Connection) -> None:
    asyncio.run(_serve(lane, barrier, end))


async def _serve(lane: int, barrier: Barrier, end: Connection) -> None:
    store: Store | None = None
    opened: Path | None = None
    while (task := end.recv()) is not None:
        root, postgres, now, contest, given = task
        try:
            if store is None or root != opened:
                if store is not None:
                    await store.stop()
                clock = functools.partial(float, now)
                store = open_store(root / "data", root / "keys", clock, os.urandom, postgres=postgres)
                opened = root
                await store.start(serving=False)
            mine = [contest(store, number, now, *given) for number in range(lane, CONTENDERS, 2)]
            barrier.wait(PATIENCE)
            end.send(await asyncio.gather(*mine))
        except Exception:
            barrier.abort()
            end.send(traceback.format_exc())
    if store is not None:
        await store.stop()
