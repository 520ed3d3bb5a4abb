"""A server's regular work: it sweeps, and ends what was abandoned."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from renzheng.base.faults import fault_name
from renzheng.server.parts import ServerParts
from renzheng.store.attempts import MIN_ROOM_BYTES
from renzheng.store.sweeper import Swept
from renzheng.verification.session import EndReason

log = structlog.get_logger("renzheng")

Sweep = Callable[[], Awaitable[None]]


class Upkeep:
    """`sweeps`: of the other parts, before each sweep of the store."""

    def __init__(self, parts: ServerParts, sweeps: Sequence[Sweep] = ()) -> None:
        self._parts = parts
        self._sweeps = sweeps
        self._is_soiled = False
        self._room = ""
        self._is_away = False

    async def run(self) -> None:
        parts, metrics, sessions = self._parts, self._parts.metrics, self._parts.store.sessions
        while True:
            swept = await self._sweep() if parts.membership.leads else Swept()
            self.tell_of_room(swept.full)
            self.tell_of_outage(swept.away)
            await self.end_abandoned()  # after the sweep, as it may fail on a full disk
            metrics.waiting.set(await sessions.waiting(parts.clock()))
            metrics.longest_wait.set(await sessions.longest_wait(parts.clock()))
            metrics.deliveries_waiting.set(await parts.store.deliveries.waiting())
            pause = 1.0 if swept.full else 0 if swept.more else parts.settings.sweep_seconds
            await asyncio.sleep(pause)

    async def _sweep(self) -> Swept:
        """Do the work that one server does for all."""
        for sweep in self._sweeps:
            await sweep()
        swept = await self._parts.store.sweeper.sweep(self._parts.clock())
        self.tell_of_log(swept.soiled)
        return swept

    async def end_abandoned(self) -> None:
        """Submit captures to which no device came back after their last attempt ran out."""
        parts, sessions = self._parts, self._parts.store.sessions
        now = parts.clock()
        for session_id, attempt in await sessions.run_out(
            now, parts.settings.device_grace_seconds, parts.membership.number
        ):
            if parts.channel.is_open(session_id):
                continue  # its own visit ends it, even if that takes long on a busy server
            known = await sessions.attempt(session_id, attempt)
            ending = EndReason.SERVER_LOST if known and known.is_server_fault else EndReason.ATTEMPTS_USED
            if await sessions.submit(session_id, attempt, ending, now):
                parts.metrics.step("captured", str(ending))
                parts.verdicts.wake()

    def tell_of_room(self, failed: BaseException | None) -> None:
        """Log once when disk space becomes short or shorter, and once when there is enough again."""
        why = self._parts.store.room.shortage(MIN_ROOM_BYTES)
        state = "full" if failed else "short" if why else ""
        if state and state != self._room:
            error = fault_name(failed.__cause__ or failed) if failed else None
            log.warning("disk_is_short", why=why, error=error, refused="new photos and attempts")
        elif self._room and not state:
            log.info("disk_has_room")
        self._room = state

    def tell_of_outage(self, away: BaseException | None) -> None:
        """Log once when it begins and once when it ends: due data cannot be deleted."""
        if away is not None and not self._is_away:
            log.warning("sweep_incomplete", why=str(away))
        elif away is None and self._is_away:
            log.info("sweep_is_complete")
        self._is_away = away is not None

    def tell_of_log(self, is_soiled: bool) -> None:
        """Log once when it begins and once when it ends: another process keeps erased keys' bytes in the log."""
        if is_soiled and not self._is_soiled:
            log.warning("erased_keys_in_log", file="keys.db-wal", why="another process is reading keys.db")
        elif self._is_soiled and not is_soiled:
            log.info("erased_keys_gone")
        self._is_soiled = is_soiled
        self._parts.metrics.erased_in_log.set(int(is_soiled))
