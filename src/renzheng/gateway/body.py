"""Reading request bodies from strangers: bounded in size, in time, and over all requests together."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any

from renzheng.addresses import subscriber
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.errors import (
    AccountLimitExceeded,
    AddressLimitExceeded,
    ApiError,
    BodyTooSlow,
    ServiceUnavailable,
)

AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
ReadInto = Callable[[memoryview], AsyncGenerator[int, None]]
"""Fills a buffer of the announced length and says how much is there, where the server offers that."""


class ClientGone(Exception):
    """The client left before its body was whole: there is nobody to answer."""


class InFlight:
    """The bytes of bodies that are held now, over all requests, by SecretId and by address."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._total_limit = settings.in_flight_bytes
        self._share_limit = int(settings.in_flight_bytes * settings.in_flight_share)
        self._total = 0
        self._by_key: dict[str, int] = {}
        self._by_address: dict[str, int] = {}

    @property
    def total(self) -> int:
        """Bytes that are reserved now."""
        return self._total

    def reserve(self, secret_id: str, address: str, count: int) -> None:
        """Take `count` bytes, or raise at once. `secret_id` is empty where it is not known yet."""
        if self._total + count > self._total_limit:
            raise ServiceUnavailable("bodies in flight are at their limit")
        by_key = self._by_key.get(secret_id, 0) + count
        by_address = self._by_address.get(address, 0) + count
        if by_key > self._share_limit and secret_id:
            raise AccountLimitExceeded("this SecretId's bodies in flight are at their share")
        if by_address > self._share_limit:
            raise AddressLimitExceeded("this address's bodies in flight are at their share")
        self._total += count
        self._by_key[secret_id] = by_key
        self._by_address[address] = by_address

    def release(self, secret_id: str, address: str, count: int) -> None:
        """Give back what was reserved with the same names."""
        self._total -= count
        for holders, holder in ((self._by_key, secret_id), (self._by_address, address)):
            if holders[holder] == count:
                del holders[holder]
            else:
                holders[holder] -= count


class Watch:
    """Ends reads that are too slow, with one timer for all of them: one a request costs 5 µs, as much as its HMACs."""

    def __init__(self, interval: float = 0.1) -> None:
        self._interval = interval
        self._reading: set[Body] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def add(self, body: Body) -> float:
        """Watch a read that begins now, which is returned in the event loop's seconds."""
        # Kept: Python 3.11 asks the kernel for the process's number each time that it is asked for the loop.
        loop = self._loop = self._loop or asyncio.get_running_loop()
        self._reading.add(body)
        if self._timer is None:
            self._timer = loop.call_later(self._interval, self._look, loop)
        return loop.time()

    def remove(self, body: Body) -> None:
        self._reading.discard(body)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for body in [body for body in self._reading if body.is_late(now)]:
            self._reading.discard(body)
            body.stop()
        self._timer = loop.call_later(self._interval, self._look, loop) if self._reading else None


class Body:
    """One request's body and what it holds of the bytes in flight, from the first byte until `release`."""

    __slots__ = (
        "_address",
        "_chunks",
        "_digest",
        "_in_flight",
        "_reserved",
        "_secret_id",
        "_settings",
        "_started",
        "_stopped",
        "_task",
        "_watch",
        "complete",
        "data",
        "size",
    )

    def __init__(self, in_flight: InFlight, watch: Watch, settings: GatewaySettings, address: str) -> None:
        self._in_flight = in_flight
        self._watch = watch
        self._settings = settings
        self._address = subscriber(address)
        self._secret_id = ""
        self._reserved = 0
        self._started = 0.0
        self._stopped = False
        self._task: asyncio.Task[Any] | None = None
        self._digest: Any = None
        self._chunks: list[bytes] = []
        self.data: bytes | bytearray = b""
        self.size = 0
        self.complete = False

    async def read(
        self,
        receive: Receive,
        read_into: ReadInto | None = None,
        *,
        announced: int | None,
        limit: int,
        too_large: Callable[[], ApiError],
        secret_id: str,
    ) -> None:
        """Read all of it into `data`, hashing on the way.

        `announced`: Content-Length, None where there is none; that much is reserved before the first byte is
        awaited. ApiError where a bound is passed, ClientGone where the client left.
        """
        if announced is not None and announced > limit:
            raise too_large()
        self._secret_id = secret_id
        if announced:
            self._reserve(announced)
        self._task = task = asyncio.current_task()
        cancelling = task.cancelling() if task else 0
        self._started = self._watch.add(self)
        try:
            if read_into is not None and announced:
                await self._fill(read_into, announced)
            else:
                await self._gather(receive, limit, too_large)
        except asyncio.CancelledError:
            if self._stopped and task is not None and task.uncancel() <= cancelling:
                raise BodyTooSlow(f"{self.size} bytes of the body arrived in time") from None
            raise
        finally:
            self._watch.remove(self)

    async def _fill(self, read_into: ReadInto, announced: int) -> None:
        """Read into the place where it stays, of the announced size."""
        data = bytearray(announced)
        view, self._digest = memoryview(data), hashlib.sha256()
        async with contextlib.aclosing(read_into(view)) as arrivals:
            async for size in arrivals:
                self._digest.update(view[self.size : size])
                self.size = size
        if self.size < announced:
            raise ClientGone
        self.data, self.complete = data, True

    async def _gather(self, receive: Receive, limit: int, too_large: Callable[[], ApiError]) -> None:
        """Read part by part, and join once: a buffer that grows is moved again and again."""
        while not self.complete:
            self._take(await receive(), limit, too_large)
        self.data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()

    def _take(self, message: AsgiMessage, limit: int, too_large: Callable[[], ApiError]) -> None:
        if message["type"] != "http.request":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        self.complete = not message.get("more_body", False)
        if not chunk:
            return
        size = self.size + len(chunk)
        if size > limit:
            raise too_large()
        if size > self._reserved:
            self._reserve(size - self._reserved)
        if not self.complete or self.size:
            if self._digest is None:
                self._digest = hashlib.sha256()
            self._digest.update(chunk)
        self._chunks.append(chunk)
        self.size = size

    @property
    def sha256(self) -> str:
        """The hash of the whole body in lower-case hex, before `drop`."""
        if self._digest is not None:
            digest: str = self._digest.hexdigest()
            return digest
        return hashlib.sha256(self.data).hexdigest()

    def is_late(self, now: float) -> bool:
        """Whether less has arrived by `now`, of the event loop's clock, than the settings ask for."""
        settings = self._settings
        allowed = settings.body_grace + self.size / settings.body_rate
        return now - self._started > min(allowed, settings.body_seconds)

    def stop(self) -> None:
        """End the read that is going on, as too slow."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()

    def _reserve(self, count: int) -> None:
        self._in_flight.reserve(self._secret_id, self._address, count)
        self._reserved += count

    def drop(self) -> None:
        """Let go of the bytes; what still refers to them is counted until `release`."""
        self.data = b""

    def release(self) -> None:
        """Give the reservation back; the request is over."""
        self.data = b""
        self._chunks.clear()
        if self._reserved:
            self._in_flight.release(self._secret_id, self._address, self._reserved)
            self._reserved = 0


async def discard_rest(receive: Receive, settings: GatewaySettings) -> None:
    """Throw away what still arrives of a refused body, up to the settings' bounds.

    A connection that is closed while bytes arrive is reset, and the client would lose the answer.
    """
    left = settings.linger_bytes
    try:
        async with asyncio.timeout(settings.linger_seconds):
            while left > 0:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))
    except TimeoutError:
        return
