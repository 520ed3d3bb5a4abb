"""A device that plays a recorded performance over the real channel, with one mutation in it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass, field
from typing import Any

import simplejpeg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from renzheng.evaluation.performance import Performance
from renzheng.verification.challenge import NEUTRAL, OTHERS, TURNS
from tests.support.mutations import FAILED, GONE, OVER, PASSED, End, Mutation, Shot
from tests.support.puppets import sample_puppet

FPS = 12.0
MAX_STREAM_SECONDS = 300.0  # seconds for a whole stream, on the busiest machine
RAW: dict[str, bytes] = {
    "unmasked": b"\x82\x05hello",
    "opcode": b"\x83\x80\x00\x00\x00\x00",
    "utf8": b"\x81\x82\x00\x00\x00\x00\xff\xfe",
}

Tape = dict[str, list[bytes]]


def record() -> Tape:
    """What a puppet shows for each instruction, ten frames a second from the moment it is given, as JPEG."""
    performance = Performance(sample_puppet(), "head", seed=11)
    tape: Tape = {}
    for action in (NEUTRAL, *TURNS, *OTHERS):
        pictures = [performance.frame(action, number / 10) for number in range(10 if action == NEUTRAL else 24)]
        tape[action] = [bytes(simplejpeg.encode_jpeg(picture, quality=70, colorspace="BGR")) for picture in pictures]
    return tape


@dataclass
class Stream:
    """One verification. `run` gives its end and leaves the token's session however it then is."""

    url: str
    token: str
    tape: Tape
    mutation: Mutation
    seed: int
    sent: list[Shot] = field(default_factory=list)
    _dice: random.Random = field(init=False)
    _secret: str = ""
    _nonce: bytes = b""
    _queue: list[bytes] = field(default_factory=list)
    _sequence: int = 0
    _left: bool = False  # this side ended the line
    _twin: asyncio.Task[End] | None = None

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)

    async def run(self) -> End:
        """Raises TimeoutError where neither an outcome nor a close comes."""
        async with asyncio.timeout(MAX_STREAM_SECONDS):
            line, cut_at = self.mutation.line, self._dice.randint(3, 25)
            end = await self._socket(cut_at if line else 0)
            if end == GONE and line in ("return", "stranger"):
                self._secret = "" if line == "stranger" else self._secret
                self._left = False
                end = await self._socket(0)
            if end == 4412 and self._twin is not None:
                end = await self._twin
            return end

    async def _socket(self, cut_at: int) -> End:
        async with connect(
            self.url.replace("http", "ws") + "/capture/v1", max_size=1 << 20, ping_interval=None, compression=None
        ) as socket:
            camera = asyncio.create_task(self._film(socket, cut_at))
            try:
                hello = {"type": "hello", "protocol": 1, "token": self.token}
                await self._say(socket, "hello", **hello, **({"device": self._secret} if self._secret else {}))
                return await self._listen(socket)
            except ConnectionClosed as closed:
                if self._left:
                    return GONE
                return int(closed.rcvd.code) if closed.rcvd else 1006
            finally:
                camera.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                    await camera

    async def _listen(self, socket: ClientConnection) -> End:
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            match message["type"]:
                case "welcome":
                    self._secret = message["device"]
                    if message["state"] == "ready":
                        await self._say(socket, "start")
                case "ping":
                    await self._say(socket, "pong", id=message["id"])
                case "step":
                    self._nonce = bytes.fromhex(message["nonce"])
                    self._queue += self.tape[message["action"]]  # after what is still under way
                case "attempt_over" if message["attempts_left"]:
                    return OVER
                case "judging":
                    self._nonce = b""
                case "outcome":
                    return PASSED if message["passed"] else FAILED

    async def _say(self, socket: ClientConnection, kind: str, **fields: Any) -> None:
        text = json.dumps({"type": kind, **fields})
        for part in self.mutation.text(kind, text, self._dice) if self.mutation.text else [text]:
            await socket.send(part)

    async def _film(self, socket: ClientConnection, cut_at: int) -> None:
        filmed = 0
        while True:
            await asyncio.sleep(1 / FPS)
            if not self._nonce:
                continue
            jpeg = self._queue.pop(0) if self._queue else self.tape[NEUTRAL][self._sequence % 10]
            self._sequence += 1
            filmed += 1
            self.sent.append(Shot(self._nonce, self._sequence, jpeg))
            for part in self.mutation.shots(self.sent, self._dice) if self.mutation.shots else [self.sent[-1].message]:
                await socket.send(part)
            if filmed == cut_at:
                await self._befall(socket)

    async def _befall(self, socket: ClientConnection) -> None:
        line, transport = self.mutation.line, socket.transport
        self._left = line in ("abort", "return", "stranger", "half", "close")
        if line in ("abort", "return", "stranger"):
            transport.abort()
        elif line == "half":
            transport.write(b"\x82\xfe\x80\x00\x00\x00\x00\x00" + b"\x01" * 900)
            await asyncio.sleep(0.05)
            transport.abort()
        elif line == "close":
            await socket.close()
        elif line == "twice":
            twin = Stream(self.url, self.token, self.tape, Mutation(frozenset()), self.seed)
            twin._secret = self._secret
            self._twin = asyncio.create_task(twin.run())
        elif line == "fragments":
            transport.write(
                b"\x01\x81\x00\x00\x00\x00[" + b"\x00\x81\x00\x00\x00\x00[" * 998 + b"\x80\x81\x00\x00\x00\x00["
            )
        elif line == "pings":
            transport.write(b"\x89\x80\x00\x00\x00\x00" * 20_000)
        elif line == "garbage":
            transport.write(b"\xf3" + self._dice.randbytes(5000))
        else:
            transport.write(RAW[line])
