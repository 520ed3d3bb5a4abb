from __future__ import annotations

import json
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from renzheng.accounts.keys import Key
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.quota import FixedWindowQuota
from tests.gateway.signing import signed_json, tc3_headers
from tests.gateway.support import NOW, SECRET_ID, SECRET_KEY, build, call, raw_request, read_answer, serving
from tests.support.server import PATIENCE

RESULT = {"FaceIdToken": "x"}


def request(**options: object) -> dict[str, object]:
    return signed_json(RESULT, action="GetFaceIdResult", **options)


async def test_exactly_a_hundred_of_three_hundred_pass_in_each_second() -> None:
    house = build()
    for second in range(3):
        codes = []
        for index in range(300):
            house.clock.now = NOW + second + index / 300
            codes.append((await call(house.gateway, **request())).code)  # type: ignore[arg-type]
        assert codes == [""] * 100 + ["RequestLimitExceeded"] * 200


async def test_the_limit_is_told_with_its_numbers_in_both_languages() -> None:
    house = build()
    for _ in range(102):
        await call(house.gateway, **request())  # type: ignore[arg-type]
    chinese = await call(house.gateway, **request(more={"X-TC-Language": "zh-CN"}))  # type: ignore[arg-type]
    english = await call(house.gateway, **request())  # type: ignore[arg-type]
    assert chinese.message == "您当前每秒请求 `103` 次，超过了每秒频率上限 `100`，请稍后重试。"
    assert english.message == (
        "Your current request times equals to `104` in a second, which exceeds the frequency limit `100` for a "
        "second. Please reduce the frequency of calls."
    )


async def test_accounts_and_actions_do_not_disturb_each_other_and_keys_of_one_account_share() -> None:
    house = build(Key(SECRET_ID, SECRET_KEY, 1), Key("AKIDsame", SECRET_KEY, 1), Key("AKIDother", SECRET_KEY, 2))
    for _ in range(100):
        assert (await call(house.gateway, **request())).code == ""  # type: ignore[arg-type]
    assert (await call(house.gateway, **request(secret_id="AKIDsame"))).code == "RequestLimitExceeded"  # type: ignore[arg-type]
    assert (await call(house.gateway, **request(secret_id="AKIDother"))).code == ""  # type: ignore[arg-type]
    business = {"CompareLib": "BUSINESS"}
    assert (await call(house.gateway, **signed_json(business))).code == ""


async def test_forged_requests_do_not_count_against_the_account() -> None:
    house = build()
    for _ in range(150):
        await call(house.gateway, **request(secret_key="no"))  # type: ignore[arg-type]
    assert (await call(house.gateway, **request())).code == ""  # type: ignore[arg-type]


async def test_an_account_may_have_a_limit_of_its_own() -> None:
    house = build(settings=GatewaySettings(per_second={(1, "GetFaceIdResult"): 2}))
    codes = [(await call(house.gateway, **request())).code for _ in range(3)]  # type: ignore[arg-type]
    assert codes == ["", "", "RequestLimitExceeded"]


async def test_a_quota_that_fails_lets_requests_pass_and_is_counted() -> None:
    class Broken:
        async def hit(self, account_id: int, action: str, now: float) -> int:
            raise ConnectionError("no quota today")

    class Counts:
        def __init__(self) -> None:
            self.open: list[str] = []
            self.requests: list[tuple[str, str, str]] = []

        def request(self, service: str, action: str, code: str, seconds: float, account_id: int) -> None:
            self.requests.append((service, action, code))

        def failed_open(self, part: str) -> None:
            self.open.append(part)

    counts = Counts()
    house = build(quota=Broken(), meter=counts)
    assert (await call(house.gateway, **request())).code == ""  # type: ignore[arg-type]
    assert counts.open == ["quota"]
    assert counts.requests == [("faceid", "GetFaceIdResult", "")]
    assert len(house.lines("quota failed open")) == 1


@pytest.mark.parametrize("back", [0.5, 1, 30])
async def test_a_time_that_lies_behind_opens_no_window_again(back: float) -> None:
    windows = FixedWindowQuota()
    assert [await windows.hit(1, "a", 1000.0) for _ in range(3)] == [1, 2, 3]
    assert await windows.hit(1, "a", 1000.0 - back) == 4
    assert await windows.hit(1, "a", 1001.0) == 1


async def test_a_clock_set_back_by_more_than_a_minute_starts_again() -> None:
    windows = FixedWindowQuota()
    await windows.hit(1, "a", 1000.0)
    assert await windows.hit(1, "a", 900.0) == 1


@pytest.mark.stress
@pytest.mark.overload
def test_live_no_second_of_the_server_lets_more_than_a_hundred_pass() -> None:
    passed: Counter[int] = Counter()

    class Kept(FixedWindowQuota):
        async def hit(self, account_id: int, action: str, now: float) -> int:
            count = await super().hit(account_id, action, now)
            if count <= 100:
                passed[int(now)] += 1
            return count

    house = build(quota=Kept())
    house.gateway._clock = house.gateway._wall = time.time
    answers: Counter[str] = Counter()
    end = time.time() + 5

    def flood(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            while time.time() < end:
                body = b'{"FaceIdToken":"x"}'
                headers = tc3_headers(body, action="GetFaceIdResult", timestamp=int(time.time()))
                connection.sendall(raw_request("POST", "/", headers, body))
                response = json.loads(read_answer(connection).partition(b"\r\n\r\n")[2])["Response"]
                answers[response.get("Error", {}).get("Code", "")] += 1

    with serving(house.gateway) as port, ThreadPoolExecutor(4) as pool:
        list(pool.map(flood, [port] * 4))
    assert answers.keys() == {"", "RequestLimitExceeded"}
    assert answers[""] == passed.total()
    assert max(passed.values()) == 100
