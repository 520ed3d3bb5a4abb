"""The composition root: builds every part, mounts them, starts and stops them. Only here does everything meet."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute

from renzheng.actions.common import MAX_IMAGE_BASE64
from renzheng.actions.ports import Parts
from renzheng.actions.product import make_product
from renzheng.base import defaults
from renzheng.base.faults import fault_name
from renzheng.capture import pages
from renzheng.capture.capacity import Capacity
from renzheng.capture.channel import Channel
from renzheng.capture.evidence import EvidenceShelf
from renzheng.capture.judging import Judge, Verdicts
from renzheng.capture.parts import ChannelParts
from renzheng.capture.photos import PhotoDesk
from renzheng.capture.watching import Pulse
from renzheng.console.app import Console
from renzheng.console.figures import Health, Trouble
from renzheng.delivery.client import Clients
from renzheng.delivery.deliverer import Deliverer, DeliveryParts
from renzheng.delivery.hosts import AllowedHosts
from renzheng.engine import packs
from renzheng.engine.workers import EngineWorkers
from renzheng.explorer import pages as explorer
from renzheng.explorer.description import Limits, describe
from renzheng.gateway.contract import Log
from renzheng.gateway.failures import FILE_NAME, RecentRefusals
from renzheng.gateway.manifest import Product, Service, error_texts
from renzheng.gateway.pipeline import Gateway
from renzheng.gateway.processes import ProcessPool
from renzheng.management.product import make_product as make_management
from renzheng.server.adapters import (
    AccountsOfKeys,
    CurrentKeyPairs,
    EngineExaminer,
    EngineLookout,
    EnginePhotos,
    device_proof,
    make_first_key_pairs,
    qr_rows,
    sharers,
)
from renzheng.server.calls import is_call, nothing_here
from renzheng.server.clock import SteadyClock
from renzheng.server.console_parts import KeyedCalls, SignedCalls, make_console
from renzheng.server.hosts import HostGuard, Hosts
from renzheng.server.management_parts import Management, RequestCounters
from renzheng.server.memory import give_back_what_is_free, trim
from renzheng.server.metrics import Metrics
from renzheng.server.operator import health_route, operator_app, with_calls
from renzheng.server.readiness import Readiness
from renzheng.server.room_settings import (
    capacity_limits,
    channel_settings,
    engine_limits,
    gateway_settings,
    open_server_store,
)
from renzheng.settings import Settings
from renzheng.start import pages as start
from renzheng.store.attempts import ATTEMPT_BYTES
from renzheng.store.open import Store
from renzheng.store.room import BEGUN
from renzheng.verification.session import EndReason

log = structlog.get_logger("renzheng")

TRIM_SECONDS = 20.0
Scope = MutableMapping[str, Any]
Clock = Callable[[], float]


def _tell_step(seconds: float) -> None:
    log.warning("clock_was_set", seconds=round(seconds, 1), why="followed slowly; a restart follows it at once")


class App:
    """The whole server as one ASGI application. Randomness comes in here and nowhere else."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
        request_log: Log | None = None,
        troubles: Callable[[], Sequence[Trouble]] = tuple,
    ) -> None:
        self.settings = settings
        give_back_what_is_free()
        wall = clock or time.time
        self.clock = clock = clock or SteadyClock(told=_tell_step)
        self.entropy = entropy
        self.metrics = Metrics()
        self._is_soiled = False
        self._room = ""
        self.store: Store = open_server_store(settings, clock, entropy)
        self.engine = EngineWorkers(engine_limits(settings))
        self.verdicts = Verdicts(self.store.sessions)
        self.capacity = Capacity(capacity_limits(settings))
        self.pulse = Pulse(clock)
        self.judge = Judge(
            self.store.sessions,
            self.store.identities,
            EngineExaminer(self.engine),
            self.verdicts,
            self.metrics,
            clock,
            self._day,
            settings.lease_seconds,
            settings.lost_leases,
            settings.judge_processes,
            settings.max_seen_frames,
            settings.max_excused_attempts,
            self.capacity.judgements,
        )
        self.shelf = EvidenceShelf(
            self.store.sessions,
            EngineExaminer(self.engine),
            settings.mux_processes,
            defaults.MUX_QUEUE,
            settings.video_wait_seconds,
        )
        self.deliverer = self._deliverer()
        product, managed = make_product(), make_management()
        self._sm2 = ProcessPool(settings.sm2_processes)
        self._sealing_threads = ThreadPoolExecutor(settings.encryption_threads, "renzheng-sealing")
        self._request_log = request_log or structlog.get_logger("renzheng.gateway")
        self._wall, self._failures = wall, self._recent_failures()
        self._phase: str | None = "the server is starting"
        self.start_error: Exception | None = None
        self.readiness = self._readiness()
        names = tuple(action.name for action in product.actions)
        self.management = Management(settings, self.store, self.engine, self.readiness, clock, entropy, names)
        management = self.management.service(managed)
        public = [self._service(product), *([management] if settings.management_public else [])]
        self.gateway = self._gateway(public)
        self.channel = self._channel(entropy)
        web = Starlette(
            routes=[
                WebSocketRoute("/capture/v1", self.channel.serve),
                Route("/capture/v1", self.channel.refuse),
                *pages.routes(self.store.keys.origins),
                *self._explorer([product]),
                *start.routes(settings.explorer),
                health_route(),
            ],
            lifespan=self._lifespan,
            exception_handlers={404: nothing_here},
        )
        # A redirect would go to whatever Host and scheme the request came with, and browsers take a token along.
        web.router.redirect_slashes = False
        self._pages = web.routes
        self._web = HostGuard(web, Hosts(settings.host, settings.public_url, settings.allowed_hosts))
        named = (*settings.allowed_hosts, *filter(None, [urlsplit(settings.console_url).hostname]))
        hosts = Hosts(settings.operator_host, allowed=named)
        calls = self._gateway([management])
        self._console = self._make_console(troubles, calls, managed, product)
        more = self._console.routes() if self._console else []
        pages_of_operator = operator_app(self.readiness, self._metrics_page, more)
        self.operator = HostGuard(with_calls(pages_of_operator, calls), hosts)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Calls of the signed API, at whatever path, are the gateway's; everything else is for browsers."""
        if scope["type"] == "http" and is_call(scope, self._pages):
            await self.gateway(scope, receive, send)  # type: ignore[arg-type]
        else:
            await self._web(scope, receive, send)

    # -- parts --

    def _gateway(self, services: Sequence[Service]) -> Gateway:
        return Gateway(
            keys=self.store.keys,
            services=services,
            clock=self.clock,
            entropy=self.entropy,
            log=self._request_log,
            settings=replace(gateway_settings(self.settings), per_second=self.store.keys.limits),
            meter=RequestCounters(self.metrics, self.store.calls),
            key_pairs=CurrentKeyPairs(self.store.keys, self.clock),
            executor=self._sealing_threads,
            processes=self._sm2,
            failures=self._failures,
            wall=self._wall,
        )

    def _service(self, product: Product) -> Service:
        settings = self.settings
        parts = Parts(
            sessions=self.store.sessions,
            accounts=self.store.keys,
            photos=EnginePhotos(self.engine),
            shelf=self.shelf,
            deliveries=self.deliverer,
            calls=self.store.calls,
            entropy=self.entropy,
            policy=settings.policy,
            token_seconds=settings.token_seconds,
            delivery_seconds=settings.delivery_wait_seconds,
        )
        return Service.of(product, parts)

    def _deliverer(self) -> Deliverer:
        store, settings = self.store, self.settings
        parts = DeliveryParts(
            outbox=store.deliveries,
            shelf=self.shelf,
            buckets=store.keys.buckets,
            has_frames=store.sessions.has_frames,
            clients=Clients(AllowedHosts(settings.bucket_hosts), settings.bucket_proxy),
            counter=self.metrics,
            clock=self.clock,
            entropy=self.entropy,
        )
        return Deliverer(parts)

    def _recent_failures(self) -> RecentRefusals | None:
        """What `renzheng explain --recent` reads."""
        if not self.settings.recent_failures:
            return None
        return RecentRefusals(
            self.store.keys.secret_keys,
            structlog.get_logger("renzheng.gateway"),
            path=self.settings.data_dir / FILE_NAME,
            size=self.settings.recent_failures,
        )

    def _day(self, now: float) -> str:
        """The day under which attempts are counted."""
        return (datetime.fromtimestamp(now, UTC) + timedelta(hours=self.settings.day_utc_offset)).date().isoformat()

    def _channel(self, entropy: Callable[[int], bytes]) -> Channel:
        settings = self.settings
        parts = ChannelParts(
            sessions=self.store.sessions,
            accounts=AccountsOfKeys(self.store.keys),
            lookout=EngineLookout(self.engine),
            photos=PhotoDesk(self.store.sessions, EnginePhotos(self.engine), settings.photo_wait_seconds),
            verdicts=self.verdicts,
            counter=self.metrics,
            clock=self.clock,
            entropy=entropy,
            day=self._day,
            device_proof=device_proof,
            qr=qr_rows,
            capacity=self.capacity,
            pulse=self.pulse,
        )
        return Channel(parts, channel_settings(settings))

    def _explorer(self, products: list[Product]) -> list[BaseRoute]:
        if not self.settings.explorer:
            return []
        limits = Limits(MAX_IMAGE_BASE64, self.settings.body_bytes, self.settings.clock_window)
        return explorer.routes(describe(products, error_texts(products), limits))

    def _make_console(
        self, troubles: Callable[[], Sequence[Trouble]], calls: Gateway, managed: Product, product: Product
    ) -> Console | None:
        if not self.settings.console:
            return None
        return make_console(
            self.settings,
            self.store,
            self._health(troubles),
            self.clock,
            self.entropy,
            self.metrics.sign_in,
            SignedCalls(self.store, calls, managed, self.settings, self._wall, self.clock),
            keyed=KeyedCalls(
                self.store, self.gateway, product, error_texts([product, managed]), self._public_address(), self._wall
            ),
            refusals=self._failures.recent if self._failures else tuple,
        )

    def _public_address(self) -> str:
        """Scheme, host and port at which programs reach the signed API."""
        settings = self.settings
        host = settings.host if settings.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - compared alone
        return settings.public_url or f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"

    def _health(self, troubles: Callable[[], Sequence[Trouble]]) -> Callable[[], Awaitable[Health]]:
        """How the server is, as the console's overview shows it."""

        async def health() -> Health:
            return Health(
                reasons=await self.readiness.reasons(),
                free=self.store.room.free(),
                waiting={
                    "judging": await self.store.sessions.waiting(self.clock()),
                    "deliveries": await self.store.deliveries.waiting(),
                },
                restarts=sum(self.engine.restarts.values()),
                steps=self.metrics.steps(),
                latencies=self.metrics.latencies(),
                troubles=troubles(),
            )

        return health

    def _readiness(self) -> Readiness:
        readiness = Readiness()

        async def server() -> str | None:
            return self._phase

        async def models() -> str | None:
            faults = await asyncio.to_thread(packs.faults)
            return "; ".join(faults) or None

        async def workers() -> str | None:
            down = self.engine.down()
            return f"no process is up for: {', '.join(down)}" if down else None

        async def store() -> str | None:
            return await asyncio.to_thread(self._store_trouble)

        for check in (server, models, workers, store):
            readiness.add(check.__name__, check)
        return readiness

    def _store_trouble(self) -> str | None:
        """Why the store cannot write, if it cannot: its folders, its last transaction, or no room even for frames."""
        folders = (self.settings.data_dir, self.settings.keys_dir)
        faults = (fault for fault in map(unwritable, folders) if fault is not None)
        return next(faults, None) or self.store.database.trouble or self.store.room.shortage(part=BEGUN)

    def stopping(self) -> None:
        """From now on the server is not ready: it serves what has begun, and ends."""
        self._phase = "the server is stopping"

    # -- running --

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """What keeps the server from starting is kept in `start_error`, as the HTTP server would only print it."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._running())
            except Exception as error:
                self.start_error = error
                raise
            yield

    @contextlib.asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        await self.store.start()
        await self.management.start()
        if interrupted := await self.store.sessions.mark_interrupted():
            log.warning("attempts_were_interrupted", count=interrupted)
        await self._prepare_key_pairs()
        tasks: list[asyncio.Task[Any]] = []
        try:
            await self.engine.start()
            tasks = [
                asyncio.create_task(_forever("pulse", self.pulse.run)),
                asyncio.create_task(_forever("judge", self.judge.run)),
                asyncio.create_task(_forever("sweeper", self._sweep)),
                asyncio.create_task(_forever("deliverer", self.deliverer.run)),
                asyncio.create_task(_forever("calls", self.management.run)),
                asyncio.create_task(_forever("memory", self._trim)),
            ]
            # What was imported and built so far is never garbage: it need not be gone through again and again.
            gc.collect()
            gc.freeze()
            self._phase = None
            log.info(
                "started",
                address=f"{self.settings.host}:{self.settings.port}",
                operator=f"{self.settings.operator_host}:{self.settings.operator_port}",
            )
            yield
        finally:
            self.stopping()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.management.stop()
            self.deliverer.close()
            if self._console:
                self._console.stop()
            self._sm2.stop()
            await self.shelf.stop()
            await self.engine.stop()
            await self.store.stop()
            log.info("stopped")

    async def _trim(self) -> None:
        """What judged frames and videos leave behind in the heaps goes back to the system within a few seconds."""
        while True:
            await asyncio.sleep(TRIM_SECONDS)
            await asyncio.to_thread(trim)

    async def _prepare_key_pairs(self) -> None:
        """Every account has key pairs for sealed fields; who still shares them is told."""
        keys, bits = self.store.encryption_keys, self.settings.encryption_rsa_bits
        for account in await self.store.accounts.all():
            await make_first_key_pairs(keys, account.id, bits, self.clock, self.entropy)
        await self.store.keys.refresh()
        if shared := await sharers(self.store):
            log.warning("key_pairs_are_shared", accounts=", ".join(shared), run="renzheng account own-keys")

    async def _end_abandoned(self) -> None:
        """Hand over to judging what no device came back to after its last attempt had run out."""
        now = self.clock()
        for session_id, attempt in await self.store.sessions.run_out(now, self.settings.device_grace_seconds):
            if self.channel.is_open(session_id):
                continue  # its own visit ends it, however long that takes on a busy server
            known = await self.store.sessions.attempt(session_id, attempt)
            ending = EndReason.SERVER_LOST if known and known.is_server_fault else EndReason.ATTEMPTS_USED
            if await self.store.sessions.submit(session_id, attempt, ending, now):
                self.metrics.step("captured", str(ending))
                self.verdicts.wake()

    async def _sweep(self) -> None:
        while True:
            if self._console:
                await self._console.sweep()
            await self.management.sweep()
            swept = await self.store.sweeper.sweep(self.clock())
            self._tell_of_log(swept.soiled)
            self._tell_of_room(swept.full)
            await self._end_abandoned()  # after the sweep, as on a full disk it may fail
            self.metrics.waiting.set(await self.store.sessions.waiting(self.clock()))
            self.metrics.longest_wait.set(await self.store.sessions.longest_wait(self.clock()))
            self.metrics.deliveries_waiting.set(await self.store.deliveries.waiting())
            pause = 1.0 if swept.full else 0 if swept.more else self.settings.sweep_seconds
            await asyncio.sleep(pause)

    def _tell_of_room(self, failed: BaseException | None) -> None:
        """Once when room becomes short, or shorter, and once when there is enough again."""
        why = self.store.room.shortage(ATTEMPT_BYTES)
        state = "full" if failed else "short" if why else ""
        if state and state != self._room:
            error = fault_name(failed.__cause__ or failed) if failed else None
            log.warning("disk_is_short", why=why, error=error, refused="new photos and attempts")
        elif self._room and not state:
            log.info("disk_has_room")
        self._room = state

    def _tell_of_log(self, is_soiled: bool) -> None:
        """Once when it begins and once when it ends: erased keys whose wrapped bytes another process holds up."""
        if is_soiled and not self._is_soiled:
            log.warning("erased_keys_in_log", file="keys.db-wal", why="another process is reading keys.db")
        elif self._is_soiled and not is_soiled:
            log.info("erased_keys_gone")
        self._is_soiled = is_soiled
        self.metrics.erased_in_log.set(int(is_soiled))

    # -- the operator's pages --

    async def _metrics_page(self) -> bytes:
        reasons = await self.readiness.reasons()
        self.metrics.ready({name: name not in reasons for name in self.readiness.names})
        self.metrics.kept_free_bytes(self.store.room.kept())
        self.metrics.worker_restarts(self.engine.restarts)
        places = self.channel.places
        self.metrics.attempts(places.taken, places.waiting, places.carried())
        self.metrics.free_bytes(self.store.room.free())
        self.metrics.changed_rows({table: len(rows) for table, rows in self.store.authenticity.found.items()})
        self.metrics.followed_changes(self.store.keys.followed)
        return self.metrics.page()


async def _forever(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a background part; one that fails is logged and begun again a second later."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("background_failed", part=name)
        await asyncio.sleep(1)


def unwritable(folder: Path) -> str | None:
    """A sentence where a few kilobytes cannot be written into a folder now, None where they can."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return f"{folder} cannot be written: {fault_name(error)}"
    return None
