"""A real store in a folder of its own, with a clock that tests move."""

from __future__ import annotations

import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from renzheng.accounts.keys import Account
from renzheng.store import postgres_sync
from renzheng.store.engine import run_to_end
from renzheng.store.engines import PostgresPlace
from renzheng.store.open import Store, open_store
from renzheng.store.postgres_session import PostgresSettings
from renzheng.store.postgres_sync import SyncTransaction
from renzheng.store.postgres_vault import PostgresVault
from renzheng.store.sqlite import SqliteTransaction, connect
from renzheng.store.sweeper import Retention
from renzheng.verification.policy import Policy
from renzheng.verification.session import CompareLib, Details, EndReason, FrameRecord, StepRecord
from tests.support.postgres import cluster, migrated
from tests.support.stores import sqlite_of

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
    postgres: PostgresPlace | None = None

    async def beside(self) -> Store:
        """A second store over the same records, as another process has one. The caller stops it."""
        store = open_store(
            self.root / "data", self.root / "keys", self.clock, os.urandom, actor="test", postgres=self.postgres
        )
        await store.start(serving=False)
        return store

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
        assert await self.store.sessions.submit(session_id, 1, EndReason.COMPLETED, self.clock())
        return session_id

    def frame(self, sequence: int) -> tuple[FrameRecord, bytes]:
        return FrameRecord(sequence, 1, NONCE, self.clock(), b"d" * 32), jpeg(sequence)

    def state(self, session_id: int) -> str:
        return str(self._one("SELECT state FROM sessions WHERE id = ?", session_id))

    def force(self, sql: str, *parameters: object) -> None:
        """Put the database into a state that the store would not bring about."""
        with closing(self._connect()) as connection:
            connection.execute(self._spoken(sql), parameters)

    def vouch(self) -> None:
        """Sign all rows as they are, after `force` changed what is signed."""
        with closing(self._connect()) as connection:
            vault = self.store.vault
            if isinstance(vault, PostgresVault):
                with vault.at_once():
                    run_to_end(self.store.authenticity.sign_all(SyncTransaction(connection)))
            else:
                run_to_end(self.store.authenticity.sign_all(SqliteTransaction(connection)))

    def count(self, sql: str, *parameters: object) -> int:
        return int(self._one(sql, *parameters))

    def row(self, sql: str, *parameters: object) -> tuple[Any, ...]:
        with closing(self._connect()) as connection:
            found = connection.execute(self._spoken(sql), parameters).fetchone()
        assert found is not None
        return tuple(found)

    def _one(self, sql: str, *parameters: object) -> Any:
        return self.row(sql, *parameters)[0]

    def _connect(self) -> Any:
        """A connection of the test's own, in autocommit."""
        if self.postgres is None:
            return connect(sqlite_of(self.store).path, busy_timeout=5)
        return postgres_sync.connect(self.postgres.records, PostgresSettings())

    def _spoken(self, sql: str) -> str:
        if self.postgres is None:
            return sql
        words = sql.replace("?", "%s").replace("9e999", "'infinity'")
        return re.sub(r"\bx'([0-9a-f]*)'", r"'\\x\1'::bytea", words)


def jpeg(sequence: int) -> bytes:
    return b"\xff\xd8\xffMARKEDFRAME%d" % sequence * 20


ENGINES = ["sqlite", "postgres"]
OpenWorld = Callable[..., Awaitable[World]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test of a store runs over both engines, but for those that are about the files of one of them."""
    if "engine" in metafunc.fixturenames:
        alone = [mark.name for mark in metafunc.definition.iter_markers() if mark.name in ENGINES]
        metafunc.parametrize("engine", alone or ENGINES)


@pytest.fixture
async def open_world(tmp_path: Path, engine: str) -> AsyncIterator[OpenWorld]:
    opened: list[Store] = []
    places: dict[str, PostgresPlace] = {}

    async def build(
        name: str = "one", *, serving: bool = False, retention: Retention | None = None, clock: Clock | None = None
    ) -> World:
        root = tmp_path / name
        clock = clock or Clock()
        if engine == "postgres" and name not in places:
            places[name] = PostgresPlace(cluster().create(migrated()), cluster().create())
        store = open_store(
            *(root / "data", root / "keys", clock, os.urandom),
            retention=retention, actor="test", postgres=places.get(name),
        )  # fmt: skip
        opened.append(store)
        await store.start(serving=serving)
        known = await store.accounts.all()
        account = known[0] if known else await store.accounts.create("shop", clock())
        return World(root, clock, store, account, places.get(name))

    yield build
    for store in opened:
        await store.stop()
    for place in places.values():
        cluster().drop(place.records)
        cluster().drop(place.keys)


@pytest.fixture
async def world(open_world: OpenWorld) -> World:
    return await open_world()
