"""Connects the management service with the engine, the buckets and the settings: makes the parts that it is given."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from renzheng import __version__
from renzheng.base.environment import PREFIX
from renzheng.base.faults import fault_name
from renzheng.base.unavailable import UnavailableError
from renzheng.delivery.client import Clients
from renzheng.delivery.hosts import AllowedHosts
from renzheng.engine import packs
from renzheng.engine.interface import Engine
from renzheng.engine.media import MediaError
from renzheng.engine.supervision import BusyError, WorkerDiedError
from renzheng.gateway.manifest import Product, Service
from renzheng.management.desk import Parts, RoleGuard
from renzheng.server.bucket_probes import BucketProbes
from renzheng.server.engine_adapters import EnginePhotos
from renzheng.server.key_pairs import make_first_key_pairs
from renzheng.server.readiness import Readiness
from renzheng.server.second_looks import SecondLooks
from renzheng.server.sign_in_links import offer_link
from renzheng.settings import Settings
from renzheng.store.accounts import RefusedError
from renzheng.store.engine import StoreError
from renzheng.store.open import Store
from renzheng.verification.records import NoRoomError
from renzheng.verification.session import DAY_SECONDS, RESULT_SECONDS

log = structlog.get_logger("renzheng")

FACE_FAULTS = {
    "no_face": "no face is found in it",
    "several_faces": "it shows several faces",
    "cut": "the face is cut off",
    "too_small": "the face is too small",
    "poor": "the face is turned away or blurred, or light or noise has left too little of it",
}
BUSY_PAUSE, BUSY_TRIES = 0.2, 300
CALLS_SECONDS = 2.0
FORGET_TIMES = 20
"""Most deletions in a sweep, of some thousand notes each: enough for a busy day's calls between two sweeps."""


async def look_at(engine: Engine, content: bytes) -> str | None:
    """Return what is wrong with a photo for enrolment, as the judge would see it; None if nothing is.

    Raises WorkerDiedError if two workers die, as a failure of our own processes is no fault of the photo.
    """
    try:
        try:
            report = await engine.examine(content)
        except WorkerDiedError:
            report = await engine.examine(content)
    except MediaError as error:
        return error.message
    return FACE_FAULTS.get(report.status)


class Management:
    """The management service of a running server: its parts, and its background work."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        engine: Engine,
        readiness: Readiness,
        clock: Callable[[], float],
        entropy: Callable[[int], bytes],
        actions: tuple[str, ...],
        looks: SecondLooks,
    ) -> None:
        self._settings = settings
        self._store = store
        self._engine = engine
        self._readiness = readiness
        self._clock = clock
        self._entropy = entropy
        self._actions = actions
        self._looks = looks
        self._tasks: set[asyncio.Future[Any]] = set()
        self._probes = BucketProbes(lambda: Clients(AllowedHosts(settings.bucket_hosts), settings.bucket_proxy))

    def service(self, product: Product) -> Service:
        parts = Parts(
            store=self._store,
            policy=self._settings.policy,
            photos=EnginePhotos(self._engine),
            answer=self._looks.answer,
            rejudge=self._looks.rejudge,
            video=self._looks.video,
            look=self._look,
            make_key_pairs=self._make_key_pairs,
            probe=self._probes.probe,
            health=self._health,
            settings=self._shown_settings,
            spawn=self._spawn,
            offer_link=self._offer_link,
            utc_offset=self._settings.day_utc_offset,
            actions=self._actions,
            version=__version__,
        )
        return Service.of(product, parts, RoleGuard(self._store))

    async def run(self) -> None:
        """Write the noted calls to the store, every few seconds."""
        while True:
            await asyncio.sleep(CALLS_SECONDS)
            await self._store.calls.flush(self._clock())

    async def start(self) -> None:
        """Start after the store has started."""
        self._store.calls.utc_offset = self._settings.day_utc_offset
        await self._store.imports.interrupt()

    async def sweep(self) -> None:
        now = self._clock()
        if self._store.is_shared:
            await self._store.imports.interrupt()
        await self._store.imports.end_stale(now - 3600 * self._settings.import_hours)
        for _ in range(FORGET_TIMES):
            if not await self._store.calls.forget(now - RESULT_SECONDS - DAY_SECONDS):
                break

    async def stop(self) -> None:
        """Stop running enrolments. They can be committed again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._probes.stop()
        with contextlib.suppress(StoreError, NoRoomError):
            await self._store.calls.flush(self._clock())

    # -- parts for the actions

    async def _look(self, photo: bytes) -> str | None:
        if packs.faults():
            raise RefusedError("models are missing: run renzheng models install, or send Look as false")
        for _ in range(BUSY_TRIES):
            try:
                return await look_at(self._engine, photo)
            except BusyError:  # verifications have priority
                await asyncio.sleep(BUSY_PAUSE)
            except WorkerDiedError:
                raise RefusedError("the photos cannot be checked now; try again, or send Look as false") from None
        raise UnavailableError("the engine had no room for a photo to look at, for a minute")

    async def _make_key_pairs(self, store: Store, account_id: int) -> None:
        bits = self._settings.encryption_rsa_bits
        await make_first_key_pairs(store.encryption_keys, account_id, bits, self._clock, self._entropy)

    async def _offer_link(self, operator_id: int) -> str:
        return await offer_link(self._settings, self._store, operator_id, self._clock)

    async def _health(self) -> dict[str, str]:
        return dict(await self._readiness.reasons())

    def _shown_settings(self) -> dict[str, Any]:
        """Return the settings in force, by variable. Addresses are shown without anything before an @."""
        plain = self._settings.model_dump(mode="json")
        return {
            f"{PREFIX}{name.upper()}": value.rpartition("@")[2] if isinstance(value, str) else value
            for name, value in plain.items()
        }

    def _spawn(self, work: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(self._to_its_end(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _to_its_end(self, work: Awaitable[Any]) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            try:
                await work
            except Exception as error:
                log.error("import_failed", error=fault_name(error))
