"""A real store in a folder of its own, with a clock that tests move."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from renzheng.accounts.keys import Account
from renzheng.store.open import Store, open_store
from renzheng.store.sweeper import Retention
from renzheng.verification.policy import Policy
from renzheng.verification.session import CompareLib, Details, Ending, FrameRecord, StepRecord

NAME = "韦小宝标记MARKEDNAME"
ID_CARD = "11204416541220243X"
PHOTO = b"\xff\xd8\xffMARKEDPHOTO" * 50
DETAILS = Details(CompareLib.BUSINESS, ID_CARD, NAME, "MARKEDEXTRA")
NONCE = b"n" * 16


@dataclass
class Clock:
    """Starts at the real time, as the files' times are the system's."""

    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    """One store, its clock, an account, and the short ways that tests go."""

    root: Path
    clock: Clock
    store: Store
    account: Account

    async def issue(
        self, token: str = "TOKEN", details: Details = DETAILS, photo: bytes | None = None, policy: Policy | None = None
    ) -> int:
        return await self.store.sessions.create(
            self.account.id, token, details, photo, policy or Policy(), self.clock(), 600
        )

    def step(self, index: int) -> StepRecord:
        now = self.clock()
        return StepRecord(index, "neutral" if index == 0 else "blink", NONCE, now, now + 6)

    async def capture(self, token: str = "TOKEN", frames: int = 3, photo: bytes | None = None) -> int:
        """A session in `capturing`, its first attempt counted, with frames."""
        session_id = await self.issue(token, photo=photo)
        sessions = self.store.sessions
        assert await sessions.begin_attempt(session_id, 0, ("blink", "turn_left"), self.clock()) == 1
        assert await sessions.reveal(session_id, 1, self.step(0), False, None)
        assert await sessions.reveal(session_id, 1, self.step(1), True, None)
        assert await sessions.store_frames(session_id, 1, [self.frame(n) for n in range(frames)])
        return session_id

    async def hand_in(self, token: str = "TOKEN", photo: bytes | None = None) -> int:
        """A session in `judging`."""
        session_id = await self.capture(token, photo=photo)
        assert await self.store.sessions.submit(session_id, 1, Ending.COMPLETED, self.clock())
        return session_id

    def frame(self, sequence: int) -> tuple[FrameRecord, bytes]:
        return FrameRecord(sequence, 1, NONCE, self.clock(), b"d" * 32), jpeg(sequence)

    def state(self, session_id: int) -> str:
        row = self.store.database.fetch_one("SELECT state FROM sessions WHERE id = ?", (session_id,))
        assert row is not None
        return str(row[0])

    def force(self, sql: str, *parameters: object) -> None:
        """Put the database into a state that the store would not bring about."""
        from renzheng.store.database import connect

        connection = connect(self.store.database.path, busy_timeout=5)
        connection.execute(sql, parameters)
        connection.close()

    def count(self, sql: str, *parameters: object) -> int:
        row = self.store.database.fetch_one(sql, parameters)
        assert row is not None
        return int(row[0])


def jpeg(sequence: int) -> bytes:
    return b"\xff\xd8\xffMARKEDFRAME%d" % sequence * 20


OpenWorld = Callable[..., Awaitable[World]]


@pytest.fixture
async def open_world(tmp_path: Path) -> AsyncIterator[OpenWorld]:
    opened: list[Store] = []

    async def build(
        name: str = "one", *, serving: bool = False, retention: Retention | None = None, clock: Clock | None = None
    ) -> World:
        root = tmp_path / name
        clock = clock or Clock()
        store = open_store(root / "data", root / "keys", clock, os.urandom, retention=retention, actor="test")
        opened.append(store)
        await store.start(serving=serving)
        known = await store.accounts.all()
        account = known[0] if known else await store.accounts.create("shop", clock())
        return World(root, clock, store, account)

    yield build
    for store in opened:
        await store.stop()


@pytest.fixture
async def world(open_world: OpenWorld) -> World:
    return await open_world()
