"""The page of refused requests: what it says of each, and to whom."""

from __future__ import annotations

import asyncio
from typing import Any

from renzheng.accounts.keys import Key
from renzheng.accounts.operators import Role
from renzheng.console.actions import Service
from renzheng.server.console_calls import ask
from renzheng.server.logs import RequestLine

from .conftest import House

SERVICE = Service("faceid", "2018-03-01", "http", "127.0.0.1:8400")


async def refused(house: House, account: str, secret: str | None = None, action: str = "GetFaceIdResult") -> str:
    """A request of an account that is answered with an error; its RequestId. `secret`: another SecretKey."""
    key = await house.store.accounts.create_key(await number_of(house, account), house.clock())
    await house.store.keys.refresh()
    used = Key(key.secret_id, secret or key.secret_key, key.account_id)
    answer = await ask(house.faceid, SERVICE, used, action, {}, "en", int(house.clock()))
    assert "Error" in answer.response
    return str(answer.response["RequestId"])


async def number_of(house: House, name: str) -> int:
    known = {one.name: one.id for one in await house.store.accounts.all()}
    return known[name] if name in known else (await house.store.accounts.create(name, house.clock())).id


async def test_a_request_is_found_by_its_id_with_why_it_was_refused(house: House) -> None:
    wrong, other = await refused(house, "shop", "w" * 32), await refused(house, "shop")
    for _ in range(100):
        if "SecretKey" in (shown := await _page(house, f"?RequestId={wrong}")):
            break
        await asyncio.sleep(0.05)  # a signature is examined behind the reply
    assert "AuthFailure.SignatureFailure" in shown
    assert "SecretKey" in shown
    assert other not in shown
    assert "w" * 32 not in shown
    assert "has this RequestId" in await _page(house, "?RequestId=nothing")


async def _page(house: House, query: str = "", name: str = "li.wei") -> str:
    if await house.store.accounts.all() and not any(one.name == name for one in await house.store.operators.all()):
        await house.person(name)
    browser = house.browser()
    await browser.sign_in(name)
    return (await browser.get(f"/console/requests{query}")).text


async def test_a_merchants_person_sees_those_of_one_account_alone(house: House) -> None:
    mine, foreign = await refused(house, "shop"), await refused(house, "bank")
    await house.person("shopkeeper", Role.MERCHANT, await number_of(house, "shop"))
    shown = await _page(house, name="shopkeeper")
    assert mine in shown
    assert foreign not in shown
    assert mine in await _page(house)
    assert foreign in await _page(house)


async def test_what_is_older_than_an_hour_is_gone(house: House) -> None:
    request_id = await refused(house, "shop")
    assert request_id in await _page(house)
    house.clock.now += 3601
    assert request_id not in await _page(house)


def line(house: House, request_id: str, account_id: int | None, event: str = "request", **values: Any) -> RequestLine:
    return RequestLine(house.clock(), "info", event, request_id, account_id, values)


async def test_all_lines_of_a_request_are_found_by_its_id(house: House) -> None:
    shop = await number_of(house, "shop")
    house.lines = [
        line(house, "one", shop, action="GetFaceIdToken", ms=1.5),
        line(house, "one", None, "signature explained", cause="<b>other key</b>"),
        line(house, "two", shop, action="GetFaceIdResult", code="InvalidParameter", ms=2.5),
    ]
    shown = await _page(house, "?RequestId=one")
    assert "signature explained" in shown
    assert "<b>other key</b>" in shown  # as text
    assert "GetFaceIdResult" not in shown
    listed = await _page(house, "?All=1")
    assert "InvalidParameter" in listed
    assert "success" in listed
    assert "signature explained" not in listed
    house.lines.append(line(house, "own", -1, action="DescribeKeys"))  # as each page of the console makes some
    assert "DescribeKeys" not in await _page(house, "?All=1")
    assert "DescribeKeys" in await _page(house, "?RequestId=own")


async def test_a_merchants_person_reads_lines_of_one_account_alone(house: House) -> None:
    shop, bank = await number_of(house, "shop"), await number_of(house, "bank")
    house.lines = [
        line(house, "mine", shop, action="GetFaceIdToken"),
        line(house, "mine", None, "signature explained"),
        line(house, "theirs", bank, action="GetFaceIdToken"),
        line(house, "theirs", None, "action failed"),
        line(house, "nobodys", None, action=""),
        line(house, "persons", -1, action="DescribeKeys"),
    ]
    await house.person("shopkeeper", Role.MERCHANT, shop)
    listed = await _page(house, "?All=1", name="shopkeeper")
    assert "mine" in listed
    for foreign in ("theirs", "nobodys", "persons"):
        assert foreign not in listed
        assert "What the log says" not in await _page(house, f"?RequestId={foreign}", name="shopkeeper")
    assert "signature explained" in await _page(house, "?RequestId=mine", name="shopkeeper")


async def test_lines_older_than_an_hour_are_not_shown(house: House) -> None:
    house.lines = [line(house, "one", await number_of(house, "shop"), action="GetFaceIdToken")]
    assert "GetFaceIdToken" in await _page(house, "?All=1")
    house.clock.now += 3601
    assert "GetFaceIdToken" not in await _page(house, "?All=1")
