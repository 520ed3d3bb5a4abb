"""The capture channel in this process: the real store and channel, and a lookout that sees what a test says.

Seconds become hundredths, so that whole attempts take a moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from starlette.websockets import WebSocket

from renzheng.capture.asker import Asker
from renzheng.capture.bounds import AttemptPace, ChannelLimits, ChannelSettings
from renzheng.capture.channel import Channel
from renzheng.capture.parts import ChannelParts
from renzheng.capture.photos import PhotoDesk
from renzheng.capture.sight import FrameHead, SkippedError
from renzheng.capture.verdicts import Verdicts as RealVerdicts
from renzheng.server.engine_adapters import EngineLookout
from renzheng.store.engines import PostgresPlace
from renzheng.store.nodes import SERVER, Membership, Report
from renzheng.store.open import Store, open_store
from renzheng.verification.policy import Policy
from renzheng.verification.session import CompareLib, Details
from tests.support.server import PATIENCE

PACE = AttemptPace(neutral_seconds=0.02, step_seconds=0.3, ready_seconds=5, eased_seconds=0.6)
SETTINGS = ChannelSettings(ChannelLimits(min_frames_per_second=0, max_frames_per_second=1000), PACE)


class Lookout:
    """Every frame shows a face well; actions are seen where `sees`."""

    def __init__(self) -> None:
        self.sees = False
        self.loses = False

    async def look(self, jpeg: bytes, action: str) -> Any:
        if self.loses:
            raise SkippedError("the hint process died")
        return jpeg, b"measured"

    def hint(self, glance: Any, action: str) -> str | None:
        return None

    def baseline(self, glances: Sequence[Any]) -> Any:
        return glances

    def watcher(self, action: str, baseline: Any) -> Any:
        return self

    def feed(self, glance: Any, at_seconds: float) -> bool:
        return self.sees

    def head(self, jpeg: bytes) -> FrameHead | None:
        return EngineLookout.head(self, jpeg)  # type: ignore[arg-type]


class Verdicts:
    """Nobody judges here: a verification that is handed over ends the socket."""

    def wake(self) -> None:
        pass

    async def decided(self, token: str) -> None:
        return None


class AnyPhoto:
    async def is_usable(self, photo: bytes) -> bool | None:
        return True


class Accounts:
    asked_by = Asker({"zh-CN": "青禾银行", "en-US": "Qinghe Bank"}, "https://shop.example/privacy", "400 820 8820")

    def origins(self, account_id: int) -> Sequence[str]:
        return ()

    def asker(self, account_id: int) -> Asker:
        return self.asked_by


class Clock:
    """The real time, moved on by `ahead` seconds."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Steps:
    """The funnel."""

    seen: Counter[tuple[str, str]] = field(default_factory=Counter)

    def step(self, name: str, reason: str = "", browser: str = "") -> None:
        self.seen[name, reason] += 1


class Person:
    """A device: answers pings, and sends frames where a test says so."""

    def __init__(self) -> None:
        self.outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.incoming: asyncio.Queue[Any] = asyncio.Queue()
        self.sequence = 0
        self.jpeg = picture(640, 480)
        self.nonce: bytes | None = None
        self.answers = True

    def say(self, kind: str, **fields: Any) -> None:
        self.outgoing.put_nowait({"type": "websocket.receive", "text": json.dumps({"type": kind, **fields})})

    def frame(self) -> None:
        assert self.nonce is not None
        self.sequence += 1
        data = b"\x01" + self.nonce + self.sequence.to_bytes(4, "big") + self.jpeg
        self.outgoing.put_nowait({"type": "websocket.receive", "bytes": data})

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while (sent := await self.incoming.get())["type"] != "websocket.send":
                assert sent["type"] != "websocket.close", sent
        message: dict[str, Any] = json.loads(sent["text"])
        if message["type"] == "ping" and self.answers:
            self.say("pong", id=message["id"])
        if message["type"] == "step":
            self.nonce = bytes.fromhex(message["nonce"])
        return message

    async def until(self, kind: str) -> dict[str, Any]:
        while (message := await self.next())["type"] != kind:
            pass
        return message

    async def action(self) -> dict[str, Any]:
        """Begin an attempt, and wait for its first action."""
        self.say("start")
        assert (await self.until("step"))["index"] == 0
        for _ in range(6):
            self.frame()
            await asyncio.sleep(0.006)
        return await self.until("step")

    async def close_code(self) -> int:
        async with asyncio.timeout(PATIENCE):
            while (sent := await self.incoming.get())["type"] != "websocket.close":
                pass
        return int(sent["code"])

    async def over(self) -> tuple[Any, ...]:
        message = await self.until("attempt_over")
        return message["reason"], message["counted"], message["attempts_left"]


def picture(width: int, height: int) -> bytes:
    return bytes(cv2.imencode(".jpg", np.full((height, width, 3), 120, np.uint8))[1])


@dataclass
class World:
    store: Store
    channel: Channel
    lookout: Lookout
    steps: Steps
    clock: Clock
    policy: Policy
    verdicts: Any
    membership: Membership
    session: int = 0

    async def issue(self, token: str = "TOKEN") -> int:
        found = await self.store.accounts.all()
        account = found[0] if found else await self.store.accounts.create("shop", time.time())
        details = Details(CompareLib.BUSINESS, "11204416541220243X", "韦小宝")
        return await self.store.sessions.create(account.id, token, details, None, self.policy, time.time(), 600)

    @contextlib.asynccontextmanager
    async def person(self, token: str = "TOKEN", **hello: Any) -> AsyncIterator[Person]:
        person = Person()
        scope = {"type": "websocket", "path": "/capture/v1", "headers": [], "client": ("127.0.0.1", 1)}
        person.outgoing.put_nowait({"type": "websocket.connect"})
        person.say("hello", protocol=1, token=token, **hello)
        socket = WebSocket(scope, receive=person.outgoing.get, send=person.incoming.put)
        serving = asyncio.create_task(self.channel.serve(socket))
        try:
            yield person
        finally:
            person.outgoing.put_nowait({"type": "websocket.disconnect", "code": 1006})
            async with asyncio.timeout(PATIENCE):
                await serving


@contextlib.asynccontextmanager
async def world(
    folder: Path,
    policy: Policy | None = None,
    judged: bool = False,
    postgres: PostgresPlace | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """A channel over a new store; `settings`: of the channel, in place of `SETTINGS`.

    `judged`: whoever hands in waits for a verdict, which a test's judge gives. `postgres`: one node of several.
    """
    store = open_store(folder / "data", folder / "keys", time.time, os.urandom, postgres=postgres)
    membership = store.membership(SERVER, Report)
    lookout, steps, clock = Lookout(), Steps(), Clock()
    verdicts: Any = RealVerdicts(store.sessions, poll=0.01) if judged else Verdicts()
    parts = ChannelParts(
        sessions=store.sessions,
        accounts=Accounts(),
        lookout=lookout,
        photos=PhotoDesk(store.sessions, AnyPhoto(), 1.0),
        verdicts=verdicts,
        counter=steps,
        clock=clock,
        entropy=os.urandom,
        day=lambda _: "today",
        device_proof=lambda _: None,
        qr=lambda text: [text],
        nodes=membership,
        news=store.database.news,
    )
    try:
        await membership.join()
        channel = Channel(parts, replace(SETTINGS, **settings))
        channel.start()
        yield World(store, channel, lookout, steps, clock, policy or Policy(), verdicts, membership)
    finally:
        await membership.leave()
        await store.stop()
