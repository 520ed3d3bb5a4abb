"""A process that stands still is ended within seconds; one that only gets no processor is not."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from renzheng.engine.limits import EngineLimits
from renzheng.engine.messages import PhotoQuestion
from renzheng.engine.silence import CHECK_SECONDS, SILENT_CHECKS, CpuUse, Silence, sample
from renzheng.engine.supervision import Pool, WorkerDiedError
from tests.support.images import drawn
from tests.support.server import PATIENCE


def test_it_takes_some_checks_in_a_row_without_any_work() -> None:
    silence = Silence()
    assert CHECK_SECONDS * SILENT_CHECKS <= 3
    still = CpuUse(7, at_work=False)
    assert [silence.lasts(still) for _ in range(SILENT_CHECKS + 1)] == [False] * SILENT_CHECKS + [True]
    for moved in (CpuUse(8, at_work=False), CpuUse(7, at_work=True), None):
        silence = Silence()
        for _ in range(SILENT_CHECKS):
            silence.lasts(still)
        assert not silence.lasts(moved)
        assert not silence.lasts(still)
    silence.ended()
    assert not silence.lasts(still)


def test_a_starved_process_is_at_work_for_all_its_ticks() -> None:
    silence = Silence()
    assert not any(silence.lasts(CpuUse(7, at_work=True)) for _ in range(100))


def test_this_process_works_and_one_that_is_no_more_tells_nothing() -> None:
    before = sample(os.getpid())
    assert before is not None
    assert before.at_work
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    after = sample(os.getpid())
    assert after is not None
    assert after.ticks > before.ticks
    assert sample(2**22 + 1) is None


@pytest.mark.parametrize("stopped", [True, False])
async def test_a_stopped_process_is_ended_and_replaced_and_an_idle_one_is_left_alone(stopped: bool) -> None:
    pool = Pool("decode", 1, EngineLimits(), [], 2**40)
    await pool.start()
    try:
        (pid,) = pool.pids
        if not stopped:
            for _ in range(2 * SILENT_CHECKS):
                pool.end_silent()
            assert pool.pids == [pid]
            return
        os.kill(pid, signal.SIGSTOP)
        async with pool.lease() as worker:
            call = asyncio.create_task(worker.call(PhotoQuestion(0), drawn(), seconds=60))
            while not call.done():
                await asyncio.sleep(0.01)
                pool.end_silent()
            with pytest.raises(WorkerDiedError, match="stood still"):
                await call
        async with asyncio.timeout(PATIENCE), pool.lease() as worker:
            assert worker.pid not in (None, pid)
        assert pool.restarts == 1
    finally:
        await pool.stop()
