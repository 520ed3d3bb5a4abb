"""The composition root: builds every part, mounts them, starts and stops them. Only here does everything meet."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from renzheng.actions import get_face_id_result, get_face_id_token
from renzheng.actions.common import MOST_IMAGE_BASE64, REGIONS
from renzheng.adapters import (
    AccountsOfKeys,
    CurrentKeyPairs,
    EngineExaminer,
    EngineLookout,
    device_key,
    device_proves,
    make_first_key_pairs,
    qr_rows,
)
from renzheng.capture import pages
from renzheng.capture.channel import Channel
from renzheng.capture.course import CoursePace
from renzheng.capture.evidence import EvidenceShelf
from renzheng.capture.judging import Judge, Verdicts
from renzheng.capture.parts import ChannelParts, ChannelSettings
from renzheng.capture.socket import ChannelLimits
from renzheng.engine.limits import EngineLimits, MediaLimits, WorkerLimits
from renzheng.engine.media import is_photo
from renzheng.engine.workers import EngineWorkers
from renzheng.explorer import pages as explorer
from renzheng.explorer.description import Limits, describe
from renzheng.gateway.contract import SERVICE, Action, GatewaySettings, Log, Where
from renzheng.gateway.errors import texts_by_code
from renzheng.gateway.failures import FILE_NAME, RecentFailures
from renzheng.gateway.pipeline import Gateway
from renzheng.metrics import Metrics
from renzheng.settings import Settings
from renzheng.store.open import Store, open_store
from renzheng.store.sweeper import Retention
from renzheng.verification.session import RESULT_SECONDS, Ending

log = structlog.get_logger("renzheng")

Scope = MutableMapping[str, Any]
Clock = Callable[[], float]


class App:
    """The whole server as one ASGI application. Randomness comes in here and nowhere else."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock = time.time,
        entropy: Callable[[int], bytes] = os.urandom,
        request_log: Log | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.entropy = entropy
        self.metrics = Metrics()
        self.store: Store = open_server_store(settings, clock, entropy)
        self.engine = EngineWorkers(engine_limits(settings))
        self.verdicts = Verdicts(self.store.sessions)
        self.judge = Judge(
            self.store.sessions,
            self.store.identities,
            EngineExaminer(self.engine),
            self.verdicts,
            self.metrics,
            clock,
            settings.lease_seconds,
            settings.lost_leases,
            settings.judge_processes,
        )
        actions = self._actions(entropy)
        self.gateway = Gateway(
            keys=self.store.keys,
            actions=actions,
            clock=clock,
            entropy=entropy,
            log=request_log or structlog.get_logger("renzheng.gateway"),
            settings=replace(gateway_settings(settings), per_second=self.store.keys.limits),
            meter=self.metrics,
            key_pairs=CurrentKeyPairs(self.store.keys),
            executor=ThreadPoolExecutor(settings.encryption_threads, "renzheng-sealing"),
            failures=self._failures(),
        )
        self.channel = self._channel(entropy)
        self._web = Starlette(
            routes=[
                WebSocketRoute("/capture/v1", self.channel.serve),
                *pages.routes(self.store.keys.origins),
                *self._explorer(actions),
                Route("/metrics", self._metrics_page),
                Route("/healthz", self._health),
            ],
            lifespan=self._lifespan,
        )
        # A redirect would go to whatever Host and scheme the request came with, and browsers take a token along.
        self._web.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """`/` is the signed API; everything else is the capture's and the operator's."""
        if scope["type"] == "http" and scope["path"] == "/":
            await self.gateway(scope, receive, send)  # type: ignore[arg-type]
        else:
            await self._web(scope, receive, send)

    # -- parts --

    def _actions(self, entropy: Callable[[int], bytes]) -> list[Action]:
        settings = self.settings
        issue = get_face_id_token.GetFaceIdToken(
            self.store.sessions,
            self.store.keys,
            lambda photo: is_photo(photo, settings.photo_pixels),
            entropy,
            settings.policy,
            settings.token_seconds,
        )
        fetch = get_face_id_result.GetFaceIdResult(
            self.store.sessions, self.store.keys, EvidenceShelf(self.store.sessions, EngineExaminer(self.engine))
        )
        limit = settings.requests_per_second
        return [
            Action(
                "GetFaceIdToken",
                get_face_id_token.Request,
                issue,
                regions=REGIONS,
                per_second=limit,
                sealable=get_face_id_token.SEALABLE,
                check_sealed=get_face_id_token.check_sealed,
            ),
            Action(
                "GetFaceIdResult",
                get_face_id_result.Request,
                fetch,
                per_second=limit,
                sealed_reply=get_face_id_result.SEALED,
            ),
        ]

    def _failures(self) -> RecentFailures | None:
        """What `renzheng explain --recent` reads."""
        if not self.settings.recent_failures:
            return None
        return RecentFailures(
            self.store.keys.secret_keys,
            structlog.get_logger("renzheng.gateway"),
            path=self.settings.data_dir / FILE_NAME,
            size=self.settings.recent_failures,
        )

    def _channel(self, entropy: Callable[[int], bytes]) -> Channel:
        settings = self.settings
        offset = timedelta(hours=settings.day_utc_offset)
        parts = ChannelParts(
            sessions=self.store.sessions,
            accounts=AccountsOfKeys(self.store.keys),
            lookout=EngineLookout(self.engine),
            verdicts=self.verdicts,
            counter=self.metrics,
            clock=self.clock,
            entropy=entropy,
            day=lambda now: (datetime.fromtimestamp(now, UTC) + offset).date().isoformat(),
            bound_key=device_key,
            proves=device_proves,
            qr=qr_rows,
        )
        return Channel(parts, channel_settings(settings))

    def _explorer(self, actions: list[Action]) -> list[BaseRoute]:
        if not self.settings.explorer:
            return []
        limits = Limits(MOST_IMAGE_BASE64, self.settings.body_bytes, self.settings.clock_window)
        return explorer.routes(describe(SERVICE, actions, texts_by_code(), limits))

    # -- running --

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await self.store.start()
        bits = self.settings.encryption_rsa_bits
        await make_first_key_pairs(self.store.encryption_keys, bits, self.clock, self.entropy)
        self.store.keys.refresh()
        tasks: list[asyncio.Task[Any]] = []
        try:
            await self.engine.start()
            tasks = [
                asyncio.create_task(_forever("judge", self.judge.run)),
                asyncio.create_task(_forever("sweeper", self._sweep)),
            ]
            # What was imported and built so far is never garbage: it need not be gone through again and again.
            gc.collect()
            gc.freeze()
            log.info("started", address=f"{self.settings.host}:{self.settings.port}")
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.engine.stop()
            await self.store.stop()
            log.info("stopped")

    async def _end_abandoned(self) -> None:
        """Hand over to judging what no device came back to after its last attempt had run out."""
        now = self.clock()
        for session_id, attempt in await self.store.sessions.run_out(now, self.settings.device_grace_seconds):
            if await self.store.sessions.submit(session_id, attempt, Ending.ATTEMPTS_USED, now):
                self.metrics.step("captured", str(Ending.ATTEMPTS_USED))
                self.verdicts.wake()

    async def _sweep(self) -> None:
        while True:
            await self._end_abandoned()
            more = (await self.store.sweeper.sweep(self.clock())).more
            self.metrics.waiting.set(await self.store.sessions.waiting(self.clock()))
            await asyncio.sleep(0 if more else self.settings.sweep_seconds)

    # -- the operator's pages --

    async def _metrics_page(self, _: Request) -> Response:
        self.metrics.worker_restarts(self.engine.restarts)
        return Response(self.metrics.page(), media_type="text/plain; version=0.0.4")

    async def _health(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")


async def _forever(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a background part; one that fails is logged and begun again a second later."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("background_failed", part=name)
        await asyncio.sleep(1)


def open_server_store(settings: Settings, clock: Clock, entropy: Callable[[int], bytes]) -> Store:
    """The store as the server opens it. Raises StoreError with a sentence for the operator."""
    return open_store(
        settings.data_dir,
        settings.keys_dir,
        clock,
        entropy,
        settings.evidence_url,
        retention=Retention(evidence_days=settings.evidence_days, tombstone_days=settings.tombstone_days),
    )


def _where(choice: bool | None) -> Where:
    return "loopback" if choice is None else "always" if choice else "never"


def gateway_settings(settings: Settings) -> GatewaySettings:
    return GatewaySettings(
        clock_skew=settings.clock_window,
        query_bytes=settings.query_bytes,
        form_bytes=settings.v1_body_bytes,
        body_bytes=settings.body_bytes,
        in_flight_bytes=settings.bytes_in_flight,
        body_seconds=settings.body_seconds,
        body_rate=settings.body_rate,
        body_grace=settings.body_grace,
        region_required=settings.region_required,
        endpoint_service=_where(settings.local_services),
        unsigned_payload=_where(settings.unsigned_payload),
        explain_in_reply=settings.explain_in_reply,
    )


def engine_limits(settings: Settings) -> EngineLimits:
    return EngineLimits(
        media=MediaLimits(max_pixels=settings.photo_pixels, frame_pixels=settings.frame_pixels),
        workers=WorkerLimits(
            decode_processes=settings.decode_processes,
            hint_processes=settings.hint_processes,
            judge_processes=settings.judge_processes,
            decode_memory=settings.decode_memory,
            decode_seconds=settings.decode_seconds,
            hint_queue=settings.hint_queue,
            judge_queue=settings.judge_queue,
            judge_seconds=settings.judge_seconds,
            judge_raise_seconds=settings.judge_raise_seconds,
        ),
    )


def channel_settings(settings: Settings) -> ChannelSettings:
    return ChannelSettings(
        ChannelLimits(
            settings.frame_bytes,
            settings.frame_pixels,
            settings.frames_per_second_least,
            settings.frames_per_second_most,
            settings.frames_per_attempt,
            settings.round_trip_seconds,
            settings.hello_seconds,
            settings.send_seconds,
            settings.idle_seconds,
            settings.captures,
            settings.captures_per_address,
        ),
        CoursePace(
            settings.neutral_seconds,
            settings.step_seconds,
            settings.ready_seconds,
            settings.light_warning_seconds,
            settings.light_seconds,
        ),
        settings.device_grace_seconds,
        settings.handover_seconds,
        settings.evidence_days,
        RESULT_SECONDS,
        settings.public_url,
        settings.light_colours,
    )
