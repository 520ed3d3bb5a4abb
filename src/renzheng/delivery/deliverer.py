"""Carries out due deliveries to customers' buckets: delivers a verdict's evidence, or deletes it again.

A try that fails is repeated later, after longer and longer pauses, and loses nothing: our own sealed evidence stays for
its days. Every try of a delivery writes the same keys, so however often it is tried, there is one object under each.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import structlog

from renzheng.accounts.buckets import BEST_FRAME, VIDEO, Bucket, BucketKey
from renzheng.accounts.deliveries import Delivery, DeliveryState
from renzheng.base.unavailable import UnavailableError
from renzheng.delivery.client import BucketClient, BucketError, BucketProblem, Clients

log = structlog.get_logger("renzheng.delivery")

FIRST_DELAY, MAX_DELAY = 2.0, 900.0
"""Seconds until a failed delivery is tried again: doubled each time, and varied by a quarter."""
LEASE_SECONDS = 180.0
"""Longer than making a video and two requests can take."""
POLL_SECONDS = 0.5
MAX_AT_ONCE, MAX_OF_ACCOUNT = 8, 2
"""Deliveries under way in one process, and for one account in all."""
REST = 4.0
"""After a failed try, the account's bucket rests for this many times the duration of the try. So a slow bucket takes a
small part of the time, however much is due there."""
MAX_VIDEO_TRIES = 6
"""After so many tries the best frame is delivered without the video, as none can be made from these frames."""
MAX_ERASURE_TRIES = 12
"""After about two hours erasing is given up: the copy stays with the customer, and the operator is told."""


class AuthorisedBucket(Protocol):
    @property
    def bucket(self) -> Bucket: ...
    @property
    def key(self) -> BucketKey: ...


class Outbox(Protocol):
    async def claim(self, now: float, lease: float, share: int) -> Delivery | None: ...
    async def rest(self, account_id: int, now: float, until: float) -> None: ...
    async def finish(
        self,
        taken: Delivery,
        state: DeliveryState,
        now: float,
        place: Bucket | None = None,
        video_key: str | None = None,
        frame_key: str | None = None,
        trouble: str = "",
    ) -> bool: ...
    async def put_off(self, taken: Delivery, due_at: float, trouble: str) -> bool: ...
    async def get(self, account_id: int, session_id: int) -> Delivery | None: ...


class Shelf(Protocol):
    async def best_frame(self, session_id: int, attempt: int, sequence: int) -> bytes | None: ...
    async def video(self, session_id: int, attempt: int) -> bytes | None: ...


class DeliveryCounter(Protocol):
    def delivery(self, outcome: str) -> None: ...


class Addresses(NamedTuple):
    """Complete addresses in the customer's bucket; None for what was not delivered."""

    video: str | None
    best_frame: str | None


NO_ADDRESSES = Addresses(None, None)


@dataclass(frozen=True, slots=True)
class DeliveryParts:
    """`buckets()`: the buckets that accounts have authorised now. `has_frames(session, attempt)`: whether any frames
    are left."""

    outbox: Outbox
    shelf: Shelf
    buckets: Callable[[], Mapping[int, AuthorisedBucket]]
    has_frames: Callable[[int, int], Awaitable[bool]]
    clients: Clients
    counter: DeliveryCounter
    clock: Callable[[], float]
    entropy: Callable[[int], bytes]


class Deliverer:
    def __init__(self, parts: DeliveryParts) -> None:
        self._parts = parts
        self._threads = ThreadPoolExecutor(max_workers=MAX_AT_ONCE, thread_name_prefix="renzheng-delivery")
        self._finished = asyncio.Condition()

    async def run(self) -> None:
        """Carry out deliveries, a few at a time, until cancelled."""
        under_way: set[asyncio.Task[None]] = set()
        try:
            while True:
                taken = await self._claim() if len(under_way) < MAX_AT_ONCE else None
                if taken is not None:
                    under_way.add(asyncio.create_task(self._carry_out(taken)))
                elif under_way:
                    done, under_way = await asyncio.wait(
                        under_way, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done:
                        task.result()
                else:
                    await asyncio.sleep(POLL_SECONDS)
        finally:
            for task in under_way:
                task.cancel()

    async def step(self) -> bool:
        """Carry out one due delivery. False if none is due."""
        taken = await self._claim()
        if taken is not None:
            await self._carry_out(taken)
        return taken is not None

    async def _claim(self) -> Delivery | None:
        return await self._parts.outbox.claim(self._parts.clock(), LEASE_SECONDS, MAX_OF_ACCOUNT)

    async def _carry_out(self, taken: Delivery) -> None:
        begin = self._parts.clock()
        try:
            if taken.state is DeliveryState.ERASING:
                await self._delete(taken)
            else:
                await self._deliver(taken)
        except BucketError as error:
            await self._put_off(taken, error, begin)
        except UnavailableError as error:  # the evidence cannot be read
            await self._put_off(taken, BucketError(BucketProblem.OTHER, str(error)), begin)
        except Exception:
            log.exception("delivery_failed", session=taken.session_id, account=taken.account_id)
            await self._put_off(taken, BucketError(BucketProblem.OTHER, "a fault of the server's own"), begin)
        async with self._finished:
            self._finished.notify_all()

    async def addresses(self, account_id: int, session_id: int, seconds: float) -> Addresses:
        """Return where a verdict's evidence is, waiting up to `seconds` for a delivery that is under way."""
        found = await self._parts.outbox.get(account_id, session_id)
        if found is not None and found.state is DeliveryState.WAITING:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    found = await self._finished_delivery(account_id, session_id)
        if found is None or found.state is DeliveryState.WAITING:
            return NO_ADDRESSES
        return self._addresses_of(found)

    async def _finished_delivery(self, account_id: int, session_id: int) -> Delivery | None:
        """Read the delivery while holding the condition, so that no end is missed between the read and the wait."""
        async with self._finished:
            while (found := await self._parts.outbox.get(account_id, session_id)) is not None:
                if found.state is not DeliveryState.WAITING:
                    break
                with contextlib.suppress(TimeoutError):  # another node's deliverer may have it
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._finished.wait()
        return found

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._parts.clients.close()

    # -- one delivery

    async def _deliver(self, taken: Delivery) -> None:
        authorised = self._authorised_bucket(taken.account_id)
        shelf, session_id = self._parts.shelf, taken.session_id
        frame = None
        if taken.best_frame is not None:
            frame = await shelf.best_frame(session_id, taken.attempt, taken.best_frame)
        video = await shelf.video(session_id, taken.attempt)
        if video is None and taken.tries <= MAX_VIDEO_TRIES and await self._has_frames(taken):
            raise BucketError(BucketProblem.OTHER, "the video cannot be made now")
        bucket = taken.place or authorised.bucket  # delivered again: existing objects are overwritten
        client = self._parts.clients.of(bucket, authorised.key)
        video_key = await self._put(client, bucket.key(taken.folder, VIDEO), video, "video/mp4")
        frame_key = await self._put(client, bucket.key(taken.folder, BEST_FRAME), frame, "image/jpeg")
        # Objects of an earlier delivery stay, and an erasure must find them.
        has_any = video_key or frame_key or taken.video_key or taken.frame_key
        state = DeliveryState.DELIVERED if has_any else DeliveryState.NOTHING
        now = self._parts.clock()
        if await self._parts.outbox.finish(taken, state, now, bucket, video_key, frame_key):
            self._parts.counter.delivery(state.value)
            log.info("delivered", session=session_id, account=taken.account_id, tries=taken.tries, state=state.value)
        else:  # erased meanwhile, so these objects must not stay
            await self._delete_keys(client, (video_key, frame_key))

    async def _delete(self, taken: Delivery) -> None:
        authorised = self._authorised_bucket(taken.account_id)
        bucket = taken.place or authorised.bucket
        client = self._parts.clients.of(bucket, authorised.key)
        keys = (taken.video_key, taken.frame_key) if taken.place else _both(bucket, taken.folder)
        await self._delete_keys(client, keys)
        if await self._parts.outbox.finish(taken, DeliveryState.ERASED, self._parts.clock()):
            self._parts.counter.delivery("erased")
            log.info("delivered_evidence_erased", session=taken.session_id, account=taken.account_id)

    async def _put(self, client: BucketClient, key: str, content: bytes | None, media_type: str) -> str | None:
        if content is None:
            return None
        await self._in_thread(client.put, key, content, media_type)
        return key

    async def _delete_keys(self, client: BucketClient, keys: tuple[str | None, ...]) -> None:
        for key in keys:
            if key is not None:
                await self._in_thread(client.delete, key)

    async def _in_thread(self, work: Callable[..., None], *arguments: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def _has_frames(self, taken: Delivery) -> bool:
        return await self._parts.has_frames(taken.session_id, taken.attempt)

    def _authorised_bucket(self, account_id: int) -> AuthorisedBucket:
        found = self._parts.buckets().get(account_id)
        if found is None:
            raise BucketError(BucketProblem.NOT_AUTHORISED, "the account has no bucket authorised now")
        return found

    async def _put_off(self, taken: Delivery, error: BucketError, begin: float) -> None:
        now, word = self._parts.clock(), error.trouble.value
        await self._parts.outbox.rest(taken.account_id, now, now + REST * (now - begin))
        self._parts.counter.delivery(word)
        given = {"session": taken.session_id, "account": taken.account_id, "tries": taken.tries, "why": str(error)}
        if taken.state is DeliveryState.ERASING and taken.tries >= MAX_ERASURE_TRIES:
            await self._parts.outbox.finish(taken, DeliveryState.LEFT, now, trouble=word)
            log.error("delivered_evidence_left", **given)
            return
        delay = min(MAX_DELAY, FIRST_DELAY * 2 ** min(taken.tries - 1, 20))
        delay *= 0.75 + self._parts.entropy(1)[0] / 510
        await self._parts.outbox.put_off(taken, now + delay, word)
        log.warning("delivery_put_off", seconds=round(delay, 1), **given)

    def _addresses_of(self, found: Delivery) -> Addresses:
        place = found.place
        if found.state is not DeliveryState.DELIVERED or place is None:
            return NO_ADDRESSES
        authorised = self._parts.buckets().get(found.account_id)

        def address(key: str | None) -> str | None:
            if key is None:
                return None
            if place.link_hours and authorised is not None:
                return self._parts.clients.of(place, authorised.key).signed_address(key, place.link_hours)
            return place.address(key)

        return Addresses(address(found.video_key), address(found.frame_key))


def _both(bucket: Bucket, folder: str) -> tuple[str, str]:
    return bucket.key(folder, VIDEO), bucket.key(folder, BEST_FRAME)
