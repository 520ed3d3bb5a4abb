"""Who gets the next free process of a pool."""

from __future__ import annotations

import asyncio
import math

import pytest

from renzheng.engine.limits import EngineLimits
from renzheng.engine.supervision import Pool


@pytest.mark.parametrize(
    ("max_urgent", "order"),
    [(math.inf, "UUUUUPP"), (2, "UUPUUPU"), (1, "UPUPUUU")],
)
async def test_the_urgent_go_first_and_hold_nobody_up_for_ever(max_urgent: float, order: str) -> None:
    """An early look at a photo must not wait behind all that is to be judged, nor the other way round."""
    pool = Pool("decode", 1, EngineLimits(), [], 2**40, max_urgent)
    await pool.start()
    served: list[str] = []

    async def ask(name: str) -> None:
        async with pool.lease(urgent=name == "U"):
            served.append(name)

    try:
        async with pool.lease():
            waiting = [asyncio.create_task(ask(name)) for name in "PPUUUUU"]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
    finally:
        await pool.stop()
    assert "".join(served) == order


async def test_who_waits_no_more_is_passed_over() -> None:
    pool = Pool("decode", 1, EngineLimits(), [], 2**40)
    await pool.start()
    try:
        async with pool.lease() as worker:
            waiting = [asyncio.create_task(pool._take(urgent)) for urgent in (True, False)]
            await asyncio.sleep(0)
            waiting[0].cancel()
        assert await waiting[1] is worker
    finally:
        await pool.stop()
