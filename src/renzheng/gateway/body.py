"""Reading request bodies from strangers: bounded in size, in time, and over all requests together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

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


class Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


class ClientGone(Exception):
    """The client left before its body was whole: there is nobody to answer."""


class InFlight:
    """The bytes of bodies that are held now, over all requests, by SecretId and by address."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._total_limit = settings.in_flight_bytes
        self._share_limit = int(settings.in_flight_bytes * settings.in_flight_share)
        self._total = 0
        self._by_holder: dict[tuple[str, str], int] = {}

    @property
    def total(self) -> int:
        """Bytes that are reserved now."""
        return self._total

    def reserve(self, secret_id: str, address: str, count: int) -> None:
        """Take `count` bytes, or raise at once. `secret_id` is empty where it is not known yet."""
        if self._total + count > self._total_limit:
            raise ServiceUnavailable("bodies in flight are at their limit")
        holders = self._by_holder
        if secret_id and holders.get(("key", secret_id), 0) + count > self._share_limit:
            raise AccountLimitExceeded("this SecretId's bodies in flight are at their share")
        if holders.get(("address", address), 0) + count > self._share_limit:
            raise AddressLimitExceeded("this address's bodies in flight are at their share")
        self._move(secret_id, address, count)

    def release(self, secret_id: str, address: str, count: int) -> None:
        """Give back what was reserved with the same names."""
        self._move(secret_id, address, -count)

    def _move(self, secret_id: str, address: str, count: int) -> None:
        self._total += count
        for holder in (("key", secret_id), ("address", address)):
            held = self._by_holder.get(holder, 0) + count
            if held:
                self._by_holder[holder] = held
            else:
                self._by_holder.pop(holder, None)


class Body:
    """One request's body and what it holds of the bytes in flight, from the first byte until `release`."""

    def __init__(self, in_flight: InFlight, settings: GatewaySettings, address: str) -> None:
        self._in_flight = in_flight
        self._settings = settings
        self._address = address
        self._secret_id = ""
        self._reserved = 0
        self.data: bytes | bytearray = b""
        self.size = 0
        self.complete = False

    async def read(
        self,
        receive: Receive,
        *,
        announced: int | None,
        limit: int,
        too_large: Callable[[], ApiError],
        secret_id: str,
        digest: Hash | None,
    ) -> None:
        """Read all of it into `data`, feeding `digest` on the way.

        `announced`: Content-Length, None where there is none; that much is reserved before the first byte is
        awaited. ApiError where a bound is passed, ClientGone where the client left.
        """
        if announced is not None and announced > limit:
            raise too_large()
        self._secret_id = secret_id
        self._reserve(announced or 0)
        settings = self._settings
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            async with asyncio.timeout_at(start + settings.body_grace) as deadline:
                while not self.complete:
                    await self._read_chunk(receive, limit, too_large, digest)
                    if not self.complete:
                        allowed = settings.body_grace + self.size / settings.body_rate
                        deadline.reschedule(start + min(allowed, settings.body_seconds))
        except TimeoutError:
            raise BodyTooSlow(f"{self.size} bytes of the body arrived in time") from None

    async def _read_chunk(
        self, receive: Receive, limit: int, too_large: Callable[[], ApiError], digest: Hash | None
    ) -> None:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        self.complete = not message.get("more_body", False)
        if not chunk:
            return
        if self.size + len(chunk) > limit:
            raise too_large()
        if self.size + len(chunk) > self._reserved:
            self._reserve(self.size + len(chunk) - self._reserved)
        if digest is not None:
            digest.update(chunk)
        if self.size == 0 and self.complete:
            self.data = chunk
        elif self.size == 0:
            self.data = bytearray(chunk)
        else:
            # A bytearray grows in place; bytes would be copied whole at each chunk.
            self.data += chunk
        self.size += len(chunk)

    def _reserve(self, count: int) -> None:
        if count:
            self._in_flight.reserve(self._secret_id, self._address, count)
            self._reserved += count

    def drop(self) -> None:
        """Let go of the bytes; what still refers to them is counted until `release`."""
        self.data = b""

    def release(self) -> None:
        """Give the reservation back; the request is over."""
        self.data = b""
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
