"""Reads request bodies from strangers within bounds: of size, of time, and of memory over all requests."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import mmap
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any

from renzheng.base.addresses import subscriber
from renzheng.gateway.buffers import BodyBuffers
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.errors import (
    AccountLimitExceededError,
    AddressLimitExceededError,
    ApiError,
    BodyTooSlowError,
    ServiceUnavailableError,
)

Bytes = bytes | bytearray | memoryview
MIN_STANDSTILL = 1.0
"""If a timer is late by more seconds than this, the process stood still: its machine was paused or out of memory. A
busy event loop is late by less."""
AsgiMessage = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[AsgiMessage]]
ReadInto = Callable[[memoryview], AsyncGenerator[int, None]]
"""Fills a buffer of the announced length and returns how much was read. Not every server offers this."""
TakeWhole = Callable[[], bytes | None]
"""Returns the body if all of it is already there, else None. Not every server offers this."""


class ClientGoneError(Exception):
    """The client disconnected before its body was complete, so nobody can be answered."""


Holder = int | str
"""Who the bytes are counted for: an account by its number, or an address until a key is proved."""


class BytesInFlight:
    """Counts the bytes of bodies that are held now, over all requests and by holder, as they arrive.

    Until a key is proved they count for the address, as anybody can name a SecretId; then for the account.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._total_limit = settings.bytes_in_flight
        self._share_limit = int(settings.bytes_in_flight * settings.in_flight_share)
        self._by_holder: dict[Holder, int] = {}
        self.total = 0
        """The bytes that are held now."""

    def take(self, holder: Holder, count: int) -> None:
        """Count `count` more bytes for a holder, or raise at once."""
        if self.total + count > self._total_limit:
            raise ServiceUnavailableError("bodies in flight are at their limit")
        held = self._by_holder.get(holder, 0) + count
        if held > self._share_limit:
            if isinstance(holder, int):
                raise AccountLimitExceededError("this account's bodies in flight are at their share")
            raise AddressLimitExceededError("this address's bodies in flight are at their share")
        self.total += count
        self._by_holder[holder] = held

    def release(self, holder: Holder, count: int) -> None:
        """Give back what was taken."""
        self.total -= count
        if self._by_holder[holder] == count:
            del self._by_holder[holder]
        else:
            self._by_holder[holder] -= count


class SlowReadTimer:
    """Ends reads that are too slow, with one timer for all. A timer per request costs 5 µs, as much as its HMACs.

    Time in which this process stood still does not count: what was sent meanwhile waits unread in the kernel.
    """

    def __init__(self, interval: float = 0.1) -> None:
        self._interval = interval
        self._due = 0.0
        self._reading: set[RequestBody] = set()
        self.loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def add(self, body: RequestBody) -> float:
        """Watch a read that begins now. Returns its start, in the event loop's seconds."""
        # Kept, because Python 3.11 makes a system call (getpid) each time that it is asked for the running loop.
        loop = self.loop = self.loop or asyncio.get_running_loop()
        self._reading.add(body)
        if self._timer is None:
            self._wait(loop)
        return loop.time()

    def remove(self, body: RequestBody) -> None:
        self._reading.discard(body)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        if now - self._due >= MIN_STANDSTILL:
            for body in self._reading:
                body.excuse(now - self._due)
        for body in [body for body in self._reading if body.is_late(now)]:
            self._reading.discard(body)
            body.stop()
        self._timer = None
        if self._reading:
            self._wait(loop)

    def _wait(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + self._interval
        self._timer = loop.call_later(self._interval, self._look, loop)


class RequestBody:
    """One request's body and its share of the bytes in flight, from the first byte until `release`."""

    __slots__ = (
        "_address",
        "_buffers",
        "_chunks",
        "_digest",
        "_held",
        "_holder",
        "_in_flight",
        "_pages",
        "_settings",
        "_started",
        "_stopped",
        "_task",
        "_watch",
        "complete",
        "data",
        "size",
    )

    def __init__(
        self,
        in_flight: BytesInFlight,
        watch: SlowReadTimer,
        settings: GatewaySettings,
        address: str,
        buffers: BodyBuffers,
    ) -> None:
        self._in_flight = in_flight
        self._buffers = buffers
        self._pages: mmap.mmap | None = None
        self._watch = watch
        self._settings = settings
        self._address = address
        self._holder: Holder | None = None
        self._held = 0
        self._started = 0.0
        self._stopped = False
        self._task: asyncio.Task[Any] | None = None
        self._digest: Any = None
        self._chunks: list[bytes] = []
        self.data: Bytes = b""
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
    ) -> None:
        """Read the whole body into `data`, and hash it on the way.

        `announced`: Content-Length, None if there is none. Raises ApiError if a bound is passed, ClientGoneError if the
        client disconnected.
        """
        if announced is not None and announced > limit:
            raise too_large()
        self._started = self._watch.add(self)
        self._task = task = asyncio.current_task(self._watch.loop)
        cancelling = task.cancelling() if task else 0
        try:
            if read_into is not None and announced:
                await self._fill(read_into, announced)
            else:
                await self._gather(receive, limit, too_large)
        except asyncio.CancelledError:
            if self._stopped and task is not None and task.uncancel() <= cancelling:
                raise BodyTooSlowError(f"{self.size} bytes of the body arrived in time") from None
            raise
        finally:
            self._watch.remove(self)

    def take(self, content: bytes, *, limit: int, too_large: Callable[[], ApiError]) -> None:
        """Take a body that is already complete, without waiting or timing. Raises ApiError as `read` does."""
        size = len(content)
        if size > limit:
            raise too_large()
        self._hold(size)
        self.data, self.size, self.complete = content, size, True

    async def _fill(self, read_into: ReadInto, announced: int) -> None:
        """Read into a buffer of the announced size. Memory that no bytes arrive for is never touched."""
        self._pages = self._buffers.take(announced)
        view, self._digest = memoryview(self._pages)[:announced], hashlib.sha256()
        async with contextlib.aclosing(read_into(view)) as arrivals:
            async for size in arrivals:
                self._hold(size)
                self._digest.update(view[self.size : size])
                self.size = size
        if self.size < announced:
            raise ClientGoneError
        self.data, self.complete = view, True

    async def _gather(self, receive: Receive, limit: int, too_large: Callable[[], ApiError]) -> None:
        """Read part by part and join once at the end, as a growing buffer is moved again and again."""
        while not self.complete:
            self._take(await receive(), limit, too_large)
        self.data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()

    def _take(self, message: AsgiMessage, limit: int, too_large: Callable[[], ApiError]) -> None:
        if message["type"] != "http.request":
            raise ClientGoneError
        chunk: bytes = message.get("body", b"")
        self.complete = not message.get("more_body", False)
        if not chunk:
            return
        size = self.size + len(chunk)
        if size > limit:
            raise too_large()
        self._hold(size)
        if not self.complete or self.size:
            if self._digest is None:
                self._digest = hashlib.sha256()
            self._digest.update(chunk)
        self._chunks.append(chunk)
        self.size = size

    @property
    def sha256(self) -> str:
        """The hash of the whole body in lower-case hex. To be read before `drop`."""
        if self._digest is not None:
            digest: str = self._digest.hexdigest()
            return digest
        return hashlib.sha256(self.data).hexdigest()

    def is_late(self, now: float) -> bool:
        """Return whether less has arrived by `now`, on the event loop's clock, than the settings demand."""
        settings = self._settings
        allowed = settings.body_grace + self.size / settings.body_rate
        return now - self._started > min(allowed, settings.body_seconds)

    def excuse(self, seconds: float) -> None:
        """Leave this many seconds out of the time since the read began."""
        self._started += seconds

    def stop(self) -> None:
        """End the current read as too slow."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()

    def _hold(self, size: int) -> None:
        """Count `size` bytes as held, if this body is large enough to count."""
        if size > max(self._held, self._settings.uncounted_bytes):
            if self._holder is None:
                self._holder = subscriber(self._address)
            self._in_flight.take(self._holder, size - self._held)
            self._held = size

    def prove(self, account_id: int) -> None:
        """Count the held bytes for this account from now on. Raises AccountLimitExceededError."""
        if self._held and self._holder is not None:
            held = self._held
            self._in_flight.release(self._holder, held)
            self._holder, self._held = account_id, 0
            self._in_flight.take(account_id, held)
            self._held = held

    def drop(self) -> None:
        """Drop the bytes. They stay counted until `release`, as others may still refer to them."""
        self.data = b""

    def release(self) -> None:
        """Drop everything and stop counting it: the request is over or refused."""
        self.data = b""
        self._chunks.clear()
        if self._pages is not None:
            self._buffers.give_back(self._pages)
            self._pages = None
        if self._held and self._holder is not None:
            self._in_flight.release(self._holder, self._held)
            self._held = 0


async def discard_rest(receive: Receive, settings: GatewaySettings) -> None:
    """Read and discard the rest of a refused body, up to the settings' bounds.

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
