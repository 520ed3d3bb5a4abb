"""How a server starts and stops: the order of its parts, and the tasks that run meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import structlog
from starlette.applications import Starlette

from renzheng.base.faults import fault_name
from renzheng.console.app import Console
from renzheng.server.background import forever, give_memory_back
from renzheng.server.key_pairs import make_first_key_pairs, sharers
from renzheng.server.memory import settle_garbage
from renzheng.server.parts import ServerParts
from renzheng.server.services import Services
from renzheng.server.upkeep import Upkeep
from renzheng.store.engine import StoreError

log = structlog.get_logger("renzheng")

DRAIN_SECONDS = 2.0


class Lifespan:
    """The lifespan of the public application. `start_error`: what kept the server from starting."""

    def __init__(self, parts: ServerParts, services: Services, console: Console | None) -> None:
        self._parts = parts
        self._management = services.management
        self._console = console
        sweeps = [console.sweep] if console else []
        self._upkeep = Upkeep(parts, [*sweeps, self._management.sweep])
        self.start_error: Exception | None = None

    @contextlib.asynccontextmanager
    async def __call__(self, _: Starlette) -> AsyncIterator[None]:
        """Start and stop the server. An error at start is stored, as the HTTP server would only print it."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._running())
            except Exception as error:
                self.start_error = error
                raise
            yield

    def stopping(self) -> None:
        """Make the server not ready: it finishes what has begun, and ends."""
        self._parts.phase.trouble = "the server is stopping"

    async def drain(self) -> None:
        """Hand captures over to other servers, before the devices are sent away."""
        self.stopping()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._parts.membership.drain()
        except (StoreError, TimeoutError) as error:
            log.warning("not_handed_over", error=fault_name(error))

    @contextlib.asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        parts = self._parts
        await parts.store.start()
        await parts.membership.join()
        parts.verdicts.start()
        parts.channel.start()
        await self._management.start()
        if interrupted := await parts.store.sessions.mark_interrupted():
            log.warning("attempts_were_interrupted", count=interrupted)
        await prepare_key_pairs(parts)
        # Started first, as starting takes longer than a silent process is waited for.
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(forever("membership", parts.membership.run))]
        try:
            await parts.engine.start()
            tasks += [asyncio.create_task(forever(name, run)) for name, run in self._background().items()]
            settle_garbage()
            parts.phase.trouble = None
            if parts.store.is_shared and parts.shared is None:
                log.info(
                    "rates_are_per_server",
                    why="requests a second and sockets by address are counted over servers in RENZHENG_REDIS_URL",
                )
            log.info(
                "started",
                address=f"{parts.settings.host}:{parts.settings.port}",
                operator=f"{parts.settings.operator_host}:{parts.settings.operator_port}",
            )
            yield
        finally:
            self.stopping()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._stop()
            log.info("stopped")

    def _background(self) -> dict[str, Callable[[], Awaitable[None]]]:
        parts = self._parts
        return {
            "pulse": parts.pulse.run,
            **({"judge": parts.judge.run} if parts.settings.judge_here else {}),
            "sweeper": self._upkeep.run,
            "deliverer": parts.deliverer.run,
            **({"sockets": parts.shared.sockets.run} if parts.shared else {}),
            "calls": self._management.run,
            "memory": give_memory_back,
        }

    async def _stop(self) -> None:
        parts = self._parts
        await self._management.stop()
        parts.deliverer.close()
        if self._console:
            self._console.stop()
        parts.sm2.stop()
        await parts.shelf.stop()
        await parts.engine.stop()
        if parts.shared is not None:
            await parts.shared.redis.stop()
        await parts.membership.leave()
        await parts.store.stop()


async def prepare_key_pairs(parts: ServerParts) -> None:
    """Make missing key pairs for all accounts, and warn about those that still share them."""
    store, bits = parts.store, parts.settings.encryption_rsa_bits
    for account in await store.accounts.all():
        await make_first_key_pairs(store.encryption_keys, account.id, bits, parts.clock, parts.entropy)
    await store.keys.refresh()
    if shared := await sharers(store):
        log.warning("key_pairs_are_shared", accounts=", ".join(shared), run="renzheng account own-keys")
