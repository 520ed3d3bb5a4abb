"""TLS connections: counted from their first moment like any other, and with a time limit for the handshake.

With TLS of its own, the event loop reports a connection only after its handshake. A client that never finishes one
would be counted nowhere and stay for a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.importer import import_from_string
from uvicorn.server import ServerState

from renzheng.server.connections import Connections


def context_of(chain: Path, secret: Path) -> ssl.SSLContext:
    """Return the server's TLS context. Raises OSError, of which ssl.SSLError is one."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(chain, secret)
    return made


class TlsEntry(asyncio.Protocol):
    """The begin of a connection: its handshake. Then it becomes a connection of `way` over TLS.

    `way`: makes that connection's protocol from uvicorn's arguments. `seconds`: for the handshake, and at the end for
    the client's part of the closing. `connections`: counts it as idle until the handshake is done; after that, `way`
    counts it.
    """

    transport: Any

    def __init__(
        self,
        context: ssl.SSLContext,
        seconds: float,
        way: Callable[..., asyncio.Protocol] | str,
        connections: Connections,
        **named: Any,
    ) -> None:
        self._context = context
        self._seconds = seconds
        make: Callable[..., asyncio.Protocol] = import_from_string(HTTP_PROTOCOLS[way]) if isinstance(way, str) else way
        self._inner = make(**named)
        self._state: ServerState = named["server_state"]
        self._connections = connections
        self._handshake: asyncio.Task[None] | None = None
        self._early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        peer = transport.get_extra_info("peername")
        if not self._connections.opened(self, peer[0] if isinstance(peer, tuple) else ""):
            self.transport.abort()
            return
        self._state.connections.add(self)  # type: ignore[arg-type]
        self._handshake = asyncio.get_running_loop().create_task(self._shake_hands())

    def data_received(self, data: bytes) -> None:
        self._early += data  # the loop would read before the handshake can begin

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle a loss before the handshake has begun; after that, the loop tells the handshake."""
        if self._handshake is not None:
            self._handshake.cancel()
        self._leave()

    def shutdown(self) -> None:
        """End with the server: a client that has not sent a request yet is not waited for."""
        self.transport.abort()

    async def _shake_hands(self) -> None:
        if self.transport.is_closing():  # its place was needed meanwhile
            return
        asyncio.get_running_loop().call_soon(self._pass_on)  # after start_tls waits, and before it reads on
        made: asyncio.Transport | None = None
        with contextlib.suppress(OSError):  # anything that the client did; ssl.SSLError and TimeoutError are OSErrors
            made = await asyncio.get_running_loop().start_tls(
                self.transport,
                self._inner,
                self._context,
                server_side=True,
                ssl_handshake_timeout=self._seconds,
                ssl_shutdown_timeout=self._seconds,
            )
        self._leave()
        if made is None or self.transport.is_closing():  # a connection that ends without an error is handed over too
            self.transport.abort()
        else:
            self._inner.connection_made(made)

    def _pass_on(self) -> None:
        """Give the handshake the bytes that came before it."""
        handshake = self.transport.get_protocol()
        while self._early:
            buffer = handshake.get_buffer(len(self._early))
            size = min(len(buffer), len(self._early))
            buffer[:size] = self._early[:size]
            self._early = self._early[size:]
            handshake.buffer_updated(size)

    def _leave(self) -> None:
        self._connections.closed(self)
        self._state.connections.discard(self)
