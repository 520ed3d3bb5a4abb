"""The judge, in a server or in a process of its own: any number of them, with access to records, keys and evidence.

Each claims the session that has waited longest. If one dies, it loses its lease to another.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from renzheng.base.unavailable import UnavailableError
from renzheng.capture.capacity import Capacity, CapacityLimits, OtherNodes
from renzheng.capture.judging import Judge
from renzheng.capture.verdicts import Verdicts
from renzheng.engine.interface import Engine
from renzheng.server.background import end_in_order, forever, give_memory_back
from renzheng.server.clock import SteadyClock
from renzheng.server.engine_adapters import EngineExaminer
from renzheng.server.engines import make_engine
from renzheng.server.memory import set_up_heaps
from renzheng.server.metrics import Metrics
from renzheng.server.readiness import Phase, server_readiness
from renzheng.server.room_settings import open_server_store
from renzheng.settings import Settings
from renzheng.settings.verification import VerificationSection
from renzheng.store.nodes import JUDGE, Node, Report
from renzheng.store.open import Store

log = structlog.get_logger("renzheng")


def day_of(settings: VerificationSection, now: float) -> str:
    """Return the name of the day under which attempts are counted."""
    return (datetime.fromtimestamp(now, UTC) + timedelta(hours=settings.day_utc_offset)).date().isoformat()


def make_judge(
    settings: Settings,
    store: Store,
    engine: Engine,
    verdicts: Verdicts,
    metrics: Metrics,
    clock: Callable[[], float],
    capacity: Capacity,
) -> Judge:
    return Judge(
        store.sessions,
        store.identities,
        EngineExaminer(engine),
        verdicts,
        metrics,
        clock,
        lambda now: day_of(settings, now),
        settings.lease_seconds,
        settings.lost_leases,
        settings.judge_processes,
        settings.max_seen_frames,
        settings.max_excused_attempts,
        capacity.judgements,
    )


def elsewhere(others: tuple[Node, ...]) -> OtherNodes:
    """Return what the other processes do together."""
    return OtherNodes(sum(node.judged_per_second for node in others), sum(node.attempts for node in others))


class JudgeProcess:
    """`renzheng judge`: the store, the engine's judging side, and the operator's listener only."""

    def __init__(self, settings: Settings, entropy: Callable[[int], bytes] = os.urandom) -> None:
        """Raises StoreError or EngineUnusableError with a sentence."""
        set_up_heaps()
        self.clock = SteadyClock()
        self.metrics = Metrics()
        self.store = open_server_store(settings, self.clock, entropy)
        self.engine = make_engine(settings, kinds=("decode", "judge"))
        self.capacity = Capacity(
            CapacityLimits(judge_processes=settings.judge_processes), lambda: self.engine.can_judge
        )
        self.verdicts = Verdicts(self.store.sessions, news=self.store.database.news)
        self.judge = make_judge(
            *(settings, self.store, self.engine, self.verdicts, self.metrics, self.clock, self.capacity)
        )
        self.membership = self.store.membership(JUDGE, lambda: Report(self._rate()), end_in_order)
        self.phase = Phase()
        self.readiness = server_readiness(self.phase, self.engine, self.store, self.membership, (settings.keys_dir,))

    async def metrics_page(self) -> bytes:
        reasons = await self.readiness.reasons()
        self.metrics.ready({name: name not in reasons for name in self.readiness.names})
        self.metrics.worker_restarts(self.engine.restarts)
        with contextlib.suppress(UnavailableError):  # the previous ones stay then, and /readyz says why
            self.metrics.waiting.set(await self.store.sessions.waiting(self.clock()))
            self.metrics.longest_wait.set(await self.store.sessions.longest_wait(self.clock()))
        rate = self._rate() + elsewhere(self.membership.others).judged_per_second
        self.metrics.nodes(self.membership.counts(), rate)
        return self.metrics.page()

    async def run(self, stop: asyncio.Event, started: Callable[[], None]) -> None:
        """Judge until `stop` is set, over a started store. Sessions that are being judged then are given back.

        Raises StoreError, WorkerDiedError, EngineUnusableError.
        """
        tasks: list[asyncio.Task[None]] = []
        try:
            await self.engine.start()
            await self.membership.join()
            self.verdicts.start()
            tasks = [
                asyncio.create_task(forever("judge", self.judge.run)),
                asyncio.create_task(forever("membership", self.membership.run)),
                asyncio.create_task(forever("memory", give_memory_back)),
            ]
            await self.membership.beat()
            self.phase.trouble = None
            log.info("judge_started", processes=self.engine.limits.workers.judge_processes)
            started()
            await stop.wait()
        finally:
            self.phase.trouble = "the judge is stopping"
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.membership.leave()
            await self.engine.stop()
            await self.store.stop()
            log.info("judge_stopped")

    def _rate(self) -> float:
        return self.capacity.judged_per_second(self.clock())
