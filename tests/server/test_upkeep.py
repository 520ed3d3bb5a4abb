"""What a server does by itself: warns, tells of the disk once, sweeps before it hands over."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from starlette.applications import Starlette

from renzheng.accounts.operators import Role
from renzheng.operations import people
from renzheng.server import lifespan, upkeep
from renzheng.server.app import App
from renzheng.server.gauges import metrics_page
from renzheng.server.key_pairs import CurrentKeyPairs
from renzheng.server.lifespan import prepare_key_pairs
from renzheng.server.parts import ServerParts
from renzheng.server.readiness import store_trouble
from renzheng.server.upkeep import Upkeep
from renzheng.settings import load_settings
from renzheng.store.engine import AwayError
from renzheng.store.imports import TAKES_PARTS, ImportState
from renzheng.store.nodes import JUDGE, Report
from renzheng.store.sqlite import SqliteTransaction, connect
from renzheng.store.sweeper import Swept
from renzheng.verification.policy import Policy
from renzheng.verification.records import NoRoomError
from renzheng.verification.session import CompareLib, Details, StepRecord
from tests.support.stores import sqlite_of


class Said:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def warning(self, event: str, **values: Any) -> None:
        self.lines.append((event, values))

    info = error = exception = warning

    def of(self, event: str) -> list[dict[str, Any]]:
        return [values for name, values in self.lines if name == event]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[ServerParts]:
    settings = load_settings(data_dir=tmp_path / "data", keys_dir=tmp_path / "keys", encryption_rsa_bits=1024)
    built = ServerParts(settings, time.time, os.urandom)
    await built.store.start(serving=False)
    yield built
    await built.store.stop()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    lines = Said()
    for module in (lifespan, upkeep):
        monkeypatch.setattr(module, "log", lines)
    return lines


class Clock:
    now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def whole(tmp_path: Path) -> App:
    """All rooms together, not started, with a clock of their own."""
    folders = {"data_dir": tmp_path / "data", "keys_dir": tmp_path / "keys"}
    return App(load_settings(**folders, encryption_rsa_bits=1024, judge_here=False), Clock())


async def test_a_sweep_forgets_what_is_over_in_every_room(whole: App) -> None:
    store, clock = whole.parts.store, cast(Clock, whole.parts.clock)
    await store.start(serving=False)
    account = await store.accounts.create("shop", clock())
    operator, _ = await people.add(store, "li.wei", Role.OWNER, clock())
    secret = await store.sign_in.begin(operator.id, "whole", "a browser", clock())
    begun = await store.imports.create(account.id, False)
    store.calls.note(1, clock(), "GetFaceIdResult", "AKIDshop", "a request")
    await store.calls.flush(clock())
    await whole._lifespan._upkeep._sweep()
    assert await store.sign_in.session(secret) is not None
    assert (await store.imports.get(account.id, begun.id)).state is ImportState.OPEN
    assert len(await store.calls.of_session(1)) == 1
    clock.now += 30 * 86400
    await whole._lifespan._upkeep._sweep()
    assert await store.sign_in.session(secret) is None
    assert (await store.imports.get(account.id, begun.id)).state is ImportState.CANCELLED
    assert await store.calls.of_session(1) == []
    await store.stop()


async def test_a_start_takes_up_what_the_last_end_cut_off(whole: App, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing() -> None:
        pass

    for name in ("start", "stop"):
        monkeypatch.setattr(whole.parts.engine, name, nothing)  # whose processes take long
    store, now = whole.parts.store, whole.parts.clock()
    account = await store.accounts.create("shop", now)
    begun = await store.imports.create(account.id, False)
    await store.imports.move(account.id, begun.id, TAKES_PARTS, ImportState.COMMITTING)
    sessions = store.sessions
    number = await sessions.create(account.id, "TOKEN", Details(CompareLib.BUSINESS), None, Policy(), now, 600)
    assert await sessions.claim_device(number, "device", now, 10, None)
    assert await sessions.begin_attempt(number, 0, ("blink",), now) == 1
    assert await sessions.reveal(number, 1, StepRecord(1, "blink", b"n" * 16, now, now + 6), True, None)
    async with whole._lifespan(Starlette()):
        assert (await store.imports.get(account.id, begun.id)).state is ImportState.FAILED
        attempt = await sessions.attempt(number, 1)
        assert attempt is not None
        assert attempt.is_server_fault


async def test_every_account_has_pairs_at_the_start_and_who_shares_them_is_told(house: ServerParts, said: Said) -> None:
    store = house.store
    one = await store.accounts.create("one", time.time())
    await prepare_key_pairs(house)
    own = await store.encryption_keys.usable(one.id)
    assert len(own) == 1
    connection = connect(sqlite_of(store).path, busy_timeout=5)
    connection.execute("UPDATE accounts SET shared_until = 9e999")
    await store.authenticity.sign_all(SqliteTransaction(connection))
    connection.close()
    await prepare_key_pairs(house)
    assert said.of("key_pairs_are_shared") == []  # with nobody
    two = await store.accounts.create("two", time.time())
    await prepare_key_pairs(house)
    assert [values["accounts"] for values in said.of("key_pairs_are_shared")] == ["one"]
    assert await store.encryption_keys.usable(one.id) == own
    assert len(await store.encryption_keys.usable(two.id)) == 1
    pairs = CurrentKeyPairs(store.keys, time.time)
    first, second = pairs(one.id), pairs(two.id)
    assert first is not None
    assert second is not None
    assert first.public.sm2_hex != second.public.sm2_hex
    assert pairs(one.id) is first  # read anew only where it has changed
    assert pairs(99) is None


async def test_a_server_that_does_not_judge_is_not_ready_and_admits_nobody_while_no_judge_is_there(
    tmp_path: Path,
) -> None:
    settings = load_settings(data_dir=tmp_path / "data", keys_dir=tmp_path / "keys", judge_here=False)
    server = ServerParts(settings, time.time, os.urandom)
    try:
        await server.membership.join()
        assert "start renzheng judge" in (await server.readiness.reasons())["judges"]
        assert server.capacity.places(server.clock(), await server.channel._load()) == 0
        judge = server.store.membership(JUDGE, lambda: Report(2.0))
        await judge.join()
        await judge.beat()
        await server.membership.beat()
        assert "judges" not in await server.readiness.reasons()
        assert server.capacity.places(server.clock(), await server.channel._load()) > 0
    finally:
        await server.store.stop()


async def test_a_sweep_that_could_not_reach_all_is_told_once_and_its_end_too(house: ServerParts, said: Said) -> None:
    kept = Upkeep(house)
    for away in (None, AwayError("gone"), AwayError("gone"), None, None):
        kept.tell_of_outage(away)
    assert [values["why"] for values in said.of("sweep_incomplete")] == ["gone"]
    assert len(said.of("sweep_is_complete")) == 1


async def test_a_short_disk_is_told_once_and_its_end_too(house: ServerParts, said: Said) -> None:
    whole = os.statvfs_result((4096, 4096, 1_000_000, 900_000, 900_000, 0, 0, 0, 0, 255))
    short = os.statvfs_result((4096, 4096, 1_000_000, 40_000, 40_000, 0, 0, 0, 0, 255))
    nothing = os.statvfs_result((4096, 4096, 1_000_000, 5_000, 5_000, 0, 0, 0, 0, 255))
    room, kept = house.store.room, Upkeep(house)
    folders = (house.settings.data_dir, house.settings.keys_dir)
    for told in (whole, short, short):
        room._statvfs = lambda _, told=told: told  # type: ignore[misc]
        kept.tell_of_room(None)
    assert [values["error"] for values in said.of("disk_is_short")] == [None]
    assert store_trouble(house.store, folders) is None  # frames and results can still be stored
    kept.tell_of_room(NoRoomError("full"))
    room._statvfs = lambda _: nothing
    assert "are kept free" in (store_trouble(house.store, folders) or "")
    assert len(said.of("disk_is_short")) == 2
    assert said.of("disk_has_room") == []
    room._statvfs = lambda _: whole
    kept.tell_of_room(None)
    kept.tell_of_room(None)
    assert len(said.of("disk_has_room")) == 1
    sqlite_of(house.store).trouble = "the last transaction failed"
    assert store_trouble(house.store, folders) == "the last transaction failed"


async def test_a_hand_over_that_fails_for_want_of_room_keeps_nobody_from_sweeping(
    house: ServerParts, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[float] = []

    async def sweep(now: float) -> Swept:
        swept.append(now)
        return Swept()

    async def fail(*_: object) -> None:
        raise NoRoomError("full")

    monkeypatch.setattr(house.store.sweeper, "sweep", sweep)
    monkeypatch.setattr(house.store.sessions, "run_out", fail)
    with pytest.raises(NoRoomError):
        await Upkeep(house).run()
    assert len(swept) == 1


async def test_erased_keys_in_the_log_are_told_once_and_when_they_are_gone(house: ServerParts, said: Said) -> None:
    kept = Upkeep(house)
    for is_soiled in (False, True, True, False, False):
        kept.tell_of_log(is_soiled)
    assert [name for name, _ in said.lines] == ["erased_keys_in_log", "erased_keys_gone"]


async def test_the_metrics_say_what_is_free_and_what_was_changed(house: ServerParts) -> None:
    house.store.authenticity.note("keys", "AKIDx")
    page = (await metrics_page(house)).decode()
    assert 'renzheng_changed_rows{table="keys"} 1.0' in page
    assert 'renzheng_free_bytes{folder="keys"}' in page
    assert 'renzheng_kept_free_bytes{folder="keys"}' in page
    assert 'renzheng_followed_changes{of="accounts"}' in page
    assert 'renzheng_ready{check="store"} 1.0' in page
    assert 'renzheng_ready{check="server"} 0.0' in page, "it was not started"
