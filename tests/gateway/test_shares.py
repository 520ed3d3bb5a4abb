"""Places that accounts share, and processes that heal."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renzheng.accounts.keys import Key
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.encryption import KeyPairs, SealingKey
from renzheng.gateway.processes import NICENESS, ProcessPool, WorkLostError
from renzheng.gateway.shares import FairShares
from tests.gateway.signing import signed_json
from tests.gateway.support import SECRET_ID, SECRET_KEY, build, call
from tests.gateway.test_sealing import KEYS, sealed
from tests.support.server import PATIENCE


def test_one_account_has_half_and_the_next_finds_a_place() -> None:
    shares = FairShares(8)
    assert [shares.take(1) for _ in range(8)] == [True] * 4 + [False] * 4
    assert [shares.take(2) for _ in range(4)] == [True] * 2 + [False] * 2
    assert shares.take(3)
    assert shares.take(4), "the last place goes to whoever has none"
    assert not shares.take(5)
    for account, count in ((1, 4), (2, 2), (3, 1), (4, 1)):
        shares.release(account, count)
    assert (shares.taken, shares._by_account) == (0, {})


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 9), st.booleans()), max_size=60))
def test_places_are_never_more_than_there_are_nor_lost(moves: list[tuple[int, int, bool]]) -> None:
    shares, held = FairShares(8), dict.fromkeys(range(1, 6), 0)
    for account, count, is_taking in moves:
        if is_taking:
            held[account] += count if shares.take(account, count) else 0
        elif held[account]:
            shares.release(account, held[account])
            held[account] = 0
        assert shares.taken == sum(held.values()) <= 8


@pytest.fixture
def processes() -> Iterator[ProcessPool]:
    pool = ProcessPool(1)
    yield pool
    pool.stop()


def dies(_: object = None) -> None:
    os._exit(3)


async def test_sm2_is_done_in_another_process_which_may_die(processes: ProcessPool) -> None:
    assert await processes.run(os.getpid) != os.getpid()
    with pytest.raises(WorkLostError):
        await processes.run(dies)
    rooms = build(key_pairs=lambda _: KEYS, processes=processes)
    key = SealingKey.make(KEYS.public.sm2)
    request = sealed(key, {"Name": "韦小宝"}, {"CompareLib": "BUSINESS"})
    assert (await call(rooms.gateway, **signed_json(request))).code == ""
    assert rooms.seen[0][1].name == "韦小宝"
    stranger = SealingKey.make(KeyPairs.generate(1024).public.sm2)
    request = sealed(stranger, {"Name": "韦小宝"}, {"CompareLib": "BUSINESS"})
    assert (await call(rooms.gateway, **signed_json(request))).code == "FailedOperation.DecryptSystemError"


def ends_with_parent() -> int:
    """The signal that this process gets when its parent ends."""
    found = ctypes.c_int()
    assert ctypes.CDLL(None).prctl(2, ctypes.byref(found)) == 0  # PR_GET_PDEATHSIG
    return found.value


async def test_such_a_process_ends_with_the_server_or_its_pool_and_comes_after_it(processes: ProcessPool) -> None:
    ProcessPool(1).stop()  # one that was never begun
    assert await processes.run(ends_with_parent) == signal.SIGKILL
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    assert await processes.run(os.getpriority, os.PRIO_PROCESS, 0) == min(19, niceness + NICENESS)
    pid = await processes.run(os.getpid)
    processes.stop()
    await until(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split())
    processes.stop()


async def until(holds: Callable[[], bool]) -> None:
    """Returns once something holds, however busy the machine is."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.001)


class Waiting(ProcessPool):
    """Work that begins when it is told to."""

    def __init__(self) -> None:
        super().__init__(1)
        self.going_on = asyncio.Event()
        self.begun = 0

    async def run(self, work: Any, *arguments: Any) -> Any:
        self.begun += 1
        await self.going_on.wait()
        return work(*arguments)


async def test_pending_sealed_work_is_bounded_and_one_account_leaves_places_to_others() -> None:
    processes = Waiting()
    rooms = build(
        Key(SECRET_ID, SECRET_KEY, 1),
        Key("AKIDother", SECRET_KEY, 2),
        key_pairs=lambda _: KEYS,
        processes=processes,
        settings=GatewaySettings(sealing_places=4),
    )
    request = sealed(SealingKey.make(KEYS.public.sm2), {"Name": "韦小宝"}, {"CompareLib": "BUSINESS"})
    many = [asyncio.create_task(call(rooms.gateway, **signed_json(request))) for _ in range(5)]
    await until(lambda: sum(task.done() for task in many) == 3)
    assert processes.begun == 2
    refused = [task for task in many if task.done()]
    assert [task.result().code for task in refused] == ["ServiceUnavailable"] * 3
    other = asyncio.create_task(call(rooms.gateway, **signed_json(request, secret_id="AKIDother")))
    await until(lambda: processes.begun == 3)
    processes.going_on.set()
    assert (await other).code == ""
    await asyncio.gather(*many)
    assert (await call(rooms.gateway, **signed_json(request))).code == ""
