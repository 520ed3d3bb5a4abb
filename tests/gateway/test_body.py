from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from renzheng.accounts.keys import Key
from renzheng.gateway.body import BytesInFlight, RequestBody, SlowReadTimer
from renzheng.gateway.buffers import BodyBuffers
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.errors import AccountLimitExceededError, AddressLimitExceededError, ServiceUnavailableError
from renzheng.gateway.parameters import text_of
from tests.gateway.signing import BUSINESS, signed_json, tc3_headers
from tests.gateway.support import (
    SECRET_ID,
    SECRET_KEY,
    House,
    build,
    call,
    raw_request,
    read_answer,
    serving,
    wait_for,
)
from tests.support.server import PATIENCE

MIB = 1024 * 1024


def code_of(answer: bytes) -> str:
    code: str = json.loads(answer.partition(b"\r\n\r\n")[2])["Response"].get("Error", {}).get("Code", "")
    return code


def test_bytes_in_flight_are_bounded_over_all_by_account_and_by_address() -> None:
    flight = BytesInFlight(GatewaySettings(bytes_in_flight=100, in_flight_share=0.25))
    flight.take(1, 25)
    with pytest.raises(AccountLimitExceededError):
        flight.take(1, 1)
    flight.take("10.0.0.1", 25)
    with pytest.raises(AddressLimitExceededError):
        flight.take("10.0.0.1", 1)
    flight.take(2, 25)
    flight.take(3, 25)
    with pytest.raises(ServiceUnavailableError):
        flight.take(4, 1)
    flight.release(1, 24)
    flight.take(4, 24)
    assert flight.total == 100
    for holder, count in ((1, 1), ("10.0.0.1", 25), (2, 25), (3, 25), (4, 24)):
        flight.release(holder, count)
    assert flight.total == 0
    assert not flight._by_holder


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
    house = build(settings=GatewaySettings(bytes_in_flight=4000, in_flight_share=0.25, uncounted_bytes=0))
    good = signed_json(json.dumps(BUSINESS).encode().ljust(900))
    bad = signed_json(b"[" * 900)
    forged = signed_json(json.dumps(BUSINESS).encode().ljust(900), secret_key="no")
    for request in (good, bad, forged) * 5:
        await call(house.gateway, **request)
    house.failing.append(RuntimeError())
    await call(house.gateway, **good)
    assert house.gateway.authentication.bytes_in_flight == 0
    assert (await call(house.gateway, **good)).code == ""


class Arriving:
    """A request of which so much has arrived, and no more comes until it is let."""

    def __init__(self, house: House, client: str, announced: int, arrived: int, **options: Any) -> None:
        headers = [*tc3_headers(b"", **options), (b"Content-Length", b"%d" % announced)]
        self.sent: list[Any] = []
        self._parts = [{"type": "http.request", "body": b"x" * arrived, "more_body": True}] if arrived else []
        self._gone = asyncio.Event()
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/",
            "query_string": b"",
            "headers": [(name.lower(), value) for name, value in headers],
            "client": (client, 1),
        }
        self.task = asyncio.create_task(house.gateway(scope, self._receive, self._send))

    async def _receive(self) -> Any:
        if self._parts:
            return self._parts.pop()
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    async def leave(self) -> None:
        self._gone.set()
        await self.task


BIG = GatewaySettings(bytes_in_flight=4 * MIB, in_flight_share=0.25)


async def held(house: House, count: int) -> bool:
    """Whether so many bytes are held, once what has been sent was read."""
    for _ in range(10):
        await asyncio.sleep(0)
    return house.gateway.authentication.bytes_in_flight == count


async def test_heads_hold_nothing_whatever_they_announce_and_whomever_they_name() -> None:
    """Seven of them locked the owner of the SecretId out."""
    house = build(settings=BIG)
    strangers = [Arriving(house, f"10.0.0.{n}", 10 * MIB, 0) for n in range(20)]
    assert await held(house, 0)
    photo = signed_json(json.dumps(BUSINESS | {"Extra": "x" * 900_000}).encode())
    assert (await call(house.gateway, **photo, client="10.0.1.1")).code == ""
    for stranger in strangers:
        await stranger.leave()


@pytest.mark.parametrize(
    ("first", "same", "other"),
    [("10.0.0.1", "10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")],
)
async def test_unproved_bytes_are_the_address_s_as_they_arrive(first: str, same: str, other: str) -> None:
    house = build(settings=BIG)
    stranger = Arriving(house, first, 10 * MIB, 900_000)
    assert await held(house, 900_000)
    photo = signed_json(json.dumps(BUSINESS | {"Extra": "x" * 300_000}).encode())
    assert (await call(house.gateway, **photo, client=same)).code == "RequestLimitExceeded.IPLimitExceeded"
    assert (await call(house.gateway, **photo, client=other)).code == ""
    assert (await call(house.gateway, **signed_json(BUSINESS), client=same)).code == "", "small ones need no room"
    await stranger.leave()
    assert await held(house, 0)
    assert (await call(house.gateway, **photo, client=same)).code == ""


async def test_a_body_up_to_64_kib_is_not_counted_and_a_larger_one_wholly() -> None:
    house = build(settings=BIG)
    small = Arriving(house, "10.0.0.1", MIB, 64 * 1024)
    assert await held(house, 0)
    large = Arriving(house, "10.0.0.1", MIB, 64 * 1024 + 1)
    assert await held(house, 64 * 1024 + 1)
    await small.leave()
    await large.leave()


async def test_proved_bytes_are_the_account_s_and_its_address_has_room_again() -> None:
    house = build(Key(SECRET_ID, SECRET_KEY, 1), Key("AKIDother", SECRET_KEY, 2), settings=BIG)
    going_on, entered = asyncio.Event(), asyncio.Event()

    async def wait(_: Any) -> None:
        entered.set()
        await going_on.wait()

    handlers = house.gateway.handlers
    at = handlers.index(house.gateway.decode_message)
    house.gateway.handlers = (*handlers[:at], wait, *handlers[at:])
    photo = json.dumps(BUSINESS | {"Extra": "x" * 700_000}).encode()
    first = asyncio.create_task(call(house.gateway, **signed_json(photo), client="10.0.0.1"))
    await entered.wait()
    assert (await call(house.gateway, **signed_json(photo), client="10.0.0.1")).code == (
        "RequestLimitExceeded.UinLimitExceeded"
    )
    going_on.set()
    assert (await call(house.gateway, **signed_json(photo, secret_id="AKIDother"), client="10.0.0.1")).code == ""
    assert (await first).code == ""
    assert await held(house, 0)


async def test_a_refused_body_holds_nothing_while_the_rest_of_it_is_thrown_away() -> None:
    house = build(settings=BIG)
    refused = Arriving(house, "10.0.0.1", 2 * MIB, MIB + 1)
    assert await held(house, 0)
    assert refused.sent, "it was answered at once"
    assert not refused.task.done(), "and what still comes is read"
    await refused.leave()


def test_a_body_is_late_from_the_moment_that_the_settings_say() -> None:
    settings = GatewaySettings(body_grace=2, body_rate=1000, body_seconds=10)
    body = RequestBody(BytesInFlight(settings), SlowReadTimer(), settings, "10.0.0.1", BodyBuffers())
    for size, last in ((0, 2.0), (1000, 3.0), (7000, 9.0), (9000, 10.0)):
        body.size = size
        assert not body.is_late(last), size
        assert body.is_late(last + 0.01), size


async def test_a_body_that_creeps_or_never_comes_is_refused_in_its_time() -> None:
    settings = GatewaySettings(body_grace=0.05, body_rate=1e6, body_seconds=0.2, linger_seconds=0.01)
    house = build(settings=settings)
    answer = await call(house.gateway, headers=[*tc3_headers(b""), (b"Content-Length", b"900")], chunks=[])
    assert answer.code == "InvalidRequest"
    assert answer.message == "The request body did not arrive in time."
    assert house.gateway.authentication.bytes_in_flight == 0


class Loop:
    """An event loop's clock, which a test turns."""

    def __init__(self) -> None:
        self.now = 100.0
        self._timers: list[tuple[float, Callable[..., None], tuple[Any, ...]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[..., None], *given: Any) -> object:
        self._timers.append((self.now + delay, callback, given))
        return self

    def turn(self, seconds: float) -> None:
        """Stand still for so long, and then call what was due."""
        self.now += seconds
        due = [timer for timer in self._timers if timer[0] <= self.now]
        self._timers = [timer for timer in self._timers if timer not in due]
        for _, callback, given in due:
            callback(*given)


def test_a_server_that_stood_still_does_not_hold_it_against_the_sender() -> None:
    settings = GatewaySettings(body_grace=2, body_rate=1000, body_seconds=10)
    loop, watch = Loop(), SlowReadTimer()
    watch.loop = loop  # type: ignore[assignment]
    body = RequestBody(BytesInFlight(settings), watch, settings, "10.0.0.1", BodyBuffers())
    body._started = watch.add(body)
    loop.turn(0.2)
    loop.turn(60)
    assert not body._stopped, "what it sent in that minute was not read yet"
    for _ in range(15):
        loop.turn(0.11)
    assert not body._stopped
    loop.turn(0.11)
    assert body._stopped, "two seconds of the server's own have passed"


def test_a_busy_loop_is_no_excuse() -> None:
    settings = GatewaySettings(body_grace=2, body_rate=1000, body_seconds=10)
    loop, watch = Loop(), SlowReadTimer()
    watch.loop = loop  # type: ignore[assignment]
    body = RequestBody(BytesInFlight(settings), watch, settings, "10.0.0.1", BodyBuffers())
    body._started = watch.add(body)
    loop.turn(1.0)
    loop.turn(1.0)
    assert not body._stopped
    loop.turn(0.2)
    assert body._stopped


def test_a_slow_sender_on_a_socket_is_refused_while_a_quick_one_is_served() -> None:
    settings = GatewaySettings(body_grace=0.2, body_rate=1e6, body_seconds=5, linger_seconds=0.2)
    house = build(settings=settings)
    body = json.dumps(BUSINESS).encode()
    whole = raw_request("POST", "/", tc3_headers(body), body)
    with serving(house.gateway) as port, socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as slow:
        slow.sendall(whole[:-20])
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as quick:
            quick.sendall(whole)
            assert code_of(read_answer(quick)) == ""
        assert code_of(read_answer(slow)) == "InvalidRequest"


def test_a_body_cut_off_leaves_nothing_behind_and_the_next_request_works() -> None:
    house = build()
    body = json.dumps(BUSINESS).encode()
    whole = raw_request("POST", "/", tc3_headers(body), body)
    with serving(house.gateway) as port:
        for cut in (len(whole) - 1, len(whole) - len(body), len(whole) - len(body) // 2):
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
                connection.sendall(whole[:cut])
        wait_for(lambda: len(house.lines("client left")) == 3)
        assert house.gateway.authentication.bytes_in_flight == 0
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
            connection.sendall(whole)
            assert code_of(read_answer(connection)) == ""
    assert not house.lines("gateway failed")


def test_a_client_that_sends_far_too_much_still_gets_to_read_why() -> None:
    house = build()
    body = b"x" * (12 * MIB)
    with serving(house.gateway) as port, socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(raw_request("POST", "/", tc3_headers(body), body))
        answer = read_answer(connection)
    assert code_of(answer) == "RequestSizeLimitExceeded"
    assert b"connection: close" in answer.lower()


def test_a_client_that_never_stops_sending_is_cut_off() -> None:
    house = build(settings=GatewaySettings(linger_bytes=MIB, linger_seconds=2))
    head = raw_request("POST", "/", [*tc3_headers(b""), (b"Content-Length", b"9" * 12)], b"")
    with serving(house.gateway) as port, socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(head)
        with pytest.raises(OSError, match=r"reset|[Pp]ipe|closed"):
            connection.sendall(b"x" * (100 * MIB))


def test_small_refusals_keep_the_connection() -> None:
    house = build()
    body = json.dumps(BUSINESS).encode()
    refused = raw_request("POST", "/", tc3_headers(body, secret_id="AKIDother"), body)
    good = raw_request("POST", "/", tc3_headers(body), body)
    with serving(house.gateway) as port, socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        for request, code in ((refused, "AuthFailure.SecretIdNotFound"), (good, ""), (refused, None), (good, "")):
            connection.sendall(request)
            answer = code_of(read_answer(connection))
            assert code is None or answer == code


def test_the_biggest_allowed_photo_arrives_whole_announced_and_in_chunks() -> None:
    house = build()
    photo = b"QUJD" * (2 * MIB)
    body = b'{"CompareLib":"LOCAL","ImageBase64":"' + photo + b'"}'
    head = raw_request("POST", "/", tc3_headers(body), b"", length=False)
    with serving(house.gateway) as port, socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
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
