from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import pytest

from renzheng.accounts.keys import Key
from renzheng.gateway.body import InFlight
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.errors import AccountLimitExceeded, AddressLimitExceeded, ServiceUnavailable
from renzheng.gateway.parameters import text_of
from tests.gateway.signing import BUSINESS, signed_json, tc3_headers
from tests.gateway.support import (
    SECRET_ID,
    SECRET_KEY,
    build,
    call,
    raw_request,
    read_answer,
    serving,
    wait_for,
)

MIB = 1024 * 1024


def code_of(answer: bytes) -> str:
    code: str = json.loads(answer.partition(b"\r\n\r\n")[2])["Response"].get("Error", {}).get("Code", "")
    return code


def test_bytes_in_flight_are_bounded_over_all_by_key_and_by_address() -> None:
    flight = InFlight(GatewaySettings(in_flight_bytes=100, in_flight_share=0.25))
    flight.reserve("a", "1", 25)
    with pytest.raises(AccountLimitExceeded):
        flight.reserve("a", "2", 1)
    with pytest.raises(AddressLimitExceeded):
        flight.reserve("b", "1", 1)
    for name in ("b", "c", "d"):
        flight.reserve(name, name, 25)
    with pytest.raises(ServiceUnavailable):
        flight.reserve("e", "e", 1)
    flight.release("a", "1", 25)
    flight.reserve("e", "e", 25)
    assert flight.total == 100
    for name, address in (("b", "b"), ("c", "c"), ("d", "d"), ("e", "e")):
        flight.release(name, address, 25)
    assert flight.total == 0
    assert not flight._by_key
    assert not flight._by_address


async def test_a_body_above_the_limit_is_refused_whether_announced_or_not() -> None:
    house = build(settings=GatewaySettings(body_bytes=1000))
    headers = tc3_headers(b"")
    announced = [*headers, (b"Content-Length", b"1001")]
    answer = await call(house.gateway, headers=announced, body=b"x" * 1001)
    assert (answer.code, b"connection" in dict(answer.headers)) == ("RequestSizeLimitExceeded", False)
    assert "1000" in answer.message
    creeping = [*headers, (b"Transfer-Encoding", b"chunked")]
    answer = await call(house.gateway, headers=creeping, chunks=[b"x" * 300] * 5)
    assert answer.code == "RequestSizeLimitExceeded"
    body = json.dumps(BUSINESS | {"Extra": "x"}).encode().ljust(1000)
    answer = await call(house.gateway, **signed_json(body))
    assert answer.code == ""
    assert house.gateway.authentication.bytes_in_flight == 0


async def test_what_a_request_holds_is_given_back_however_it_ends() -> None:
    house = build(settings=GatewaySettings(in_flight_bytes=4000, in_flight_share=0.25))
    good = signed_json(json.dumps(BUSINESS).encode().ljust(900))
    bad = signed_json(b"[" * 900)
    forged = signed_json(json.dumps(BUSINESS).encode().ljust(900), secret_key="no")
    for request in (good, bad, forged) * 5:
        await call(house.gateway, **request)
    house.failing.append(RuntimeError())
    await call(house.gateway, **good)
    assert house.gateway.authentication.bytes_in_flight == 0
    assert (await call(house.gateway, **good)).code == ""


@pytest.mark.parametrize(
    ("first", "same", "other"),
    [("10.0.0.1", "10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")],
)
async def test_one_key_cannot_take_the_room_of_another(first: str, same: str, other: str) -> None:
    settings = GatewaySettings(in_flight_bytes=4000, in_flight_share=0.25)
    house = build(Key(SECRET_ID, SECRET_KEY, 1), Key("AKIDother", SECRET_KEY, 2), settings=settings)

    def announcing(**options: Any) -> dict[str, Any]:
        headers = [*tc3_headers(b"", **options), (b"Content-Length", b"900")]
        return {"headers": headers, "chunks": []}

    waiting = [asyncio.create_task(call(house.gateway, **announcing(), client=first))]
    await asyncio.sleep(0)
    crowded = await call(house.gateway, **announcing(), client=other)
    assert crowded.code == "RequestLimitExceeded.UinLimitExceeded"
    neighbour = await call(house.gateway, **announcing(secret_id="AKIDother"), client=same)
    assert neighbour.code == "RequestLimitExceeded.IPLimitExceeded"
    small = signed_json(json.dumps(BUSINESS).encode(), secret_id="AKIDother")
    assert (await call(house.gateway, **small, client=other)).code == ""
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert house.gateway.authentication.bytes_in_flight == 0


async def test_a_body_that_creeps_or_never_comes_is_refused_in_its_time() -> None:
    settings = GatewaySettings(body_grace=0.05, body_rate=1e6, body_seconds=0.2, linger_seconds=0.01)
    house = build(settings=settings)
    answer = await call(house.gateway, headers=[*tc3_headers(b""), (b"Content-Length", b"900")], chunks=[])
    assert answer.code == "InvalidRequest"
    assert answer.message == "The request body did not arrive in time."
    assert house.gateway.authentication.bytes_in_flight == 0


def test_a_slow_sender_on_a_socket_is_refused_while_a_quick_one_is_served() -> None:
    settings = GatewaySettings(body_grace=0.2, body_rate=1e6, body_seconds=5, linger_seconds=0.2)
    house = build(settings=settings)
    body = json.dumps(BUSINESS).encode()
    whole = raw_request("POST", "/", tc3_headers(body), body)
    with serving(house.gateway) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
        slow.sendall(whole[:-20])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as quick:
            quick.sendall(whole)
            assert code_of(read_answer(quick)) == ""
        assert code_of(read_answer(slow)) == "InvalidRequest"


def test_a_body_cut_off_leaves_nothing_behind_and_the_next_request_works() -> None:
    house = build()
    body = json.dumps(BUSINESS).encode()
    whole = raw_request("POST", "/", tc3_headers(body), body)
    with serving(house.gateway) as port:
        for cut in (len(whole) - 1, len(whole) - len(body), len(whole) - len(body) // 2):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(whole[:cut])
        wait_for(lambda: len(house.lines("client left")) == 3)
        assert house.gateway.authentication.bytes_in_flight == 0
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(whole)
            assert code_of(read_answer(connection)) == ""
    assert not house.lines("gateway failed")


def test_a_client_that_sends_far_too_much_still_gets_to_read_why() -> None:
    house = build()
    body = b"x" * (12 * MIB)
    with serving(house.gateway) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(raw_request("POST", "/", tc3_headers(body), body))
        answer = read_answer(connection)
    assert code_of(answer) == "RequestSizeLimitExceeded"
    assert b"connection: close" in answer.lower()


def test_a_client_that_never_stops_sending_is_cut_off() -> None:
    house = build(settings=GatewaySettings(linger_bytes=MIB, linger_seconds=2))
    head = raw_request("POST", "/", [*tc3_headers(b""), (b"Content-Length", b"9" * 12)], b"")
    with serving(house.gateway) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head)
        with pytest.raises(OSError, match=r"reset|[Pp]ipe|closed"):
            connection.sendall(b"x" * (100 * MIB))


def test_small_refusals_keep_the_connection() -> None:
    house = build()
    body = json.dumps(BUSINESS).encode()
    refused = raw_request("POST", "/", tc3_headers(body, secret_id="AKIDother"), body)
    good = raw_request("POST", "/", tc3_headers(body), body)
    with serving(house.gateway) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for request, code in ((refused, "AuthFailure.SecretIdNotFound"), (good, ""), (refused, None), (good, "")):
            connection.sendall(request)
            answer = code_of(read_answer(connection))
            assert code is None or answer == code


def test_the_biggest_allowed_photo_arrives_whole_announced_and_in_chunks() -> None:
    house = build()
    photo = b"QUJD" * (2 * MIB)
    body = b'{"CompareLib":"LOCAL","ImageBase64":"' + photo + b'"}'
    head = raw_request("POST", "/", tc3_headers(body), b"", length=False)
    with serving(house.gateway) as port, socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(raw_request("POST", "/", tc3_headers(body), body))
        assert code_of(read_answer(connection)) == ""
        connection.sendall(head[:-2] + b"Transfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(body), MIB):
            piece = body[start : start + MIB]
            connection.sendall(b"%x\r\n" % len(piece) + piece + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        assert code_of(read_answer(connection)) == ""
    for _, message in house.seen:
        assert text_of(message.image_base64) == photo


async def test_a_body_shorter_than_announced_is_read_as_it_is() -> None:
    body = json.dumps(BUSINESS).encode()
    headers = [*tc3_headers(body), (b"Content-Length", b"500")]
    for chunks in ([body[:9], body[9:]], [body, b""], [body[:9], body[9:], b""]):
        assert (await call(build().gateway, headers=headers, chunks=chunks)).code == ""
