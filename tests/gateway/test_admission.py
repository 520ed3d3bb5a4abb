"""More requests than the server carries: refused at once, and by accounts."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from renzheng.accounts.keys import Key
from renzheng.gateway.contract import GatewaySettings
from tests.gateway.signing import BUSINESS, signed_json
from tests.gateway.support import SECRET_ID, SECRET_KEY, House, build, call

OTHER = "AKIDother"


class Busy:
    """A house whose requests stay at work until they are let go."""

    def __init__(self, places: int) -> None:
        keys = Key(SECRET_ID, SECRET_KEY, 1), Key(OTHER, SECRET_KEY, 2)
        self.house: House = build(*keys, settings=GatewaySettings(request_places=places))
        self.going_on = asyncio.Event()
        gateway = self.house.gateway
        at = gateway.handlers.index(gateway.decode_message)

        async def wait(_: Any) -> None:
            await self.going_on.wait()

        gateway.handlers = (*gateway.handlers[:at], wait, *gateway.handlers[at:])

    async def send(self, count: int, secret_id: str = SECRET_ID, size: int = 0) -> list[asyncio.Task[Any]]:
        body = json.dumps(BUSINESS | {"Extra": "x" * size}).encode()
        request = signed_json(body, secret_id=secret_id)
        tasks = [asyncio.create_task(call(self.house.gateway, **request)) for _ in range(count)]
        for _ in range(10):
            await asyncio.sleep(0)
        return tasks


def refused(tasks: list[asyncio.Task[Any]]) -> int:
    done = [task.result() for task in tasks if task.done()]
    assert {answer.code for answer in done} <= {"ServiceUnavailable"}
    assert {answer.message for answer in done} <= {"当前请求过多，请稍后重试。"} | {
        "There are more requests than the server can carry. Please try again later."
    }
    return len(done)


async def test_requests_without_a_place_are_refused_at_once_and_another_account_finds_one() -> None:
    busy = Busy(8)
    crowd = await busy.send(20)
    assert refused(crowd) == 16
    others = await busy.send(2, OTHER)
    assert refused(others) == 0
    busy.going_on.set()
    answers = [await task for task in crowd + others]
    assert sum(answer.code == "" for answer in answers) == 6
    assert busy.house.gateway._shares.taken == 0
    assert [(await task).code for task in await busy.send(4)] == [""] * 4


async def test_a_large_request_takes_places_by_its_bytes() -> None:
    busy = Busy(16)
    large = await busy.send(3, size=1024 * 1024)
    assert refused(large) == 1, "each takes five of sixteen"
    assert refused(await busy.send(8)) == 8
    assert refused(await busy.send(8, OTHER)) == 5, "six are free, and an account holds as many as are left"
    busy.going_on.set()
    assert (await large[0]).code == ""


async def test_one_larger_than_half_of_the_places_is_served_alone() -> None:
    busy = Busy(4)
    busy.going_on.set()
    (task,) = await busy.send(1, size=2 * 1024 * 1024)
    assert (await task).code == ""


async def test_a_wrong_signature_takes_no_place() -> None:
    busy = Busy(4)
    forged = signed_json(BUSINESS, secret_key="no")
    for _ in range(10):
        assert (await call(busy.house.gateway, **forged)).code == "AuthFailure.SignatureFailure"
    assert busy.house.gateway._shares.taken == 0
