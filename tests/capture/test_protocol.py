"""Each rule of the capture protocol, broken: the documented close code comes, and the server goes on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from renzheng.store.open import open_store
from renzheng.verification.session import StepRecord
from tests.capture.conftest import BUSINESS
from tests.support.images import base64_of, drawn, sample
from tests.support.mutations import FLOOD
from tests.support.server import PATIENCE, Server, result, until
from tests.support.server import token as issue
from tests.support.wire import Wire


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    with Wire(server) as opened:
        yield opened


def begun(wire: Wire, token: str) -> str:
    """An attempt begun; the nonce of its neutral step."""
    wire.hello(token)
    assert wire.until("welcome")["state"] == "ready"
    wire.say("start")
    step = wire.until("step")
    assert (step["index"], step["action"]) == (0, "neutral")
    return str(step["nonce"])


def judges(server: Server) -> list[psutil.Process]:
    """The processes that look at photos."""
    assert server.process is not None
    found = []
    for child in psutil.Process(server.process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.cmdline()[2:4] == ["renzheng.engine.worker", "judge"]:
                found.append(child)
    return found


def test_a_device_may_be_silent_while_the_server_looks_at_its_photo(server: Server, wire: Wire) -> None:
    token, step = issue(server.sdk(), CompareLib="LOCAL", ImageBase64=base64_of(sample())), None
    try:
        for judge in judges(server):
            judge.suspend()
        wire.hello(token)
        idle = wire.until("welcome")["limits"]["idle_seconds"]
        wire.say("start")
        ends = time.monotonic() + 1.5 * idle
        while step is None and time.monotonic() < ends:
            for judge in judges(server):  # also one that took the place of another, which stood still for too long
                judge.suspend()
            with contextlib.suppress(TimeoutError):
                step = wire.until("step", within=0.1)
    finally:
        for judge in judges(server):
            judge.resume()
    assert (step or wire.until("step"))["action"] == "neutral"


def test_welcome_tells_what_a_device_needs(wire: Wire, token: str) -> None:
    wire.hello(token)
    welcome = wire.next()
    assert welcome["type"] == "welcome"
    assert len(bytes.fromhex(welcome["device"])) == 16
    assert welcome["state"] == "ready"
    assert welcome["attempts_left"] == 3
    assert 590 < welcome["expires_in"] <= 600
    assert welcome["compares"] == "BUSINESS"
    assert set(welcome["limits"]) == {"frame_bytes", "frame_pixels", "min_fps", "max_fps", "idle_seconds"}


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "[]",
        "{}",
        '{"type":"dance"}',
        '{"type":"cancel","reason":"bored"}',
        '{"type":"hello","protocol":"1","token":"x"}',
        "[" * 2000,
        "\x00",
    ],
)
def test_text_that_is_no_message_closes_with_4400(wire: Wire, text: str) -> None:
    wire.socket.send(text)
    assert wire.closed() == 4400


def test_a_text_message_of_a_megabyte_closes_with_4400(wire: Wire) -> None:
    wire.socket.send(json.dumps({"type": "hello", "protocol": 1, "token": "x" * 1_000_000}))
    assert wire.closed() == 4400


def test_a_first_message_that_is_not_hello_closes_with_4400(wire: Wire) -> None:
    wire.say("start")
    assert wire.closed() == 4400


def test_another_protocol_closes_with_4406(wire: Wire, token: str) -> None:
    wire.say("hello", protocol=2, token=token)
    assert wire.closed() == 4406


def test_an_unknown_token_closes_with_4401(wire: Wire) -> None:
    wire.hello("CE661F1A-0F1E-45BD-BE13-34C05CEA7681")
    assert wire.closed() == 4401


def test_no_hello_closes_with_4408(wire: Wire) -> None:
    assert wire.closed() == 4408


def test_silence_closes_with_4408(wire: Wire, token: str) -> None:
    wire.hello(token)
    wire.until("welcome")
    assert wire.closed() == 4408


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://127.0.0.1:1"])
def test_a_strange_origin_closes_with_4403(server: Server, token: str, origin: str) -> None:
    with Wire(server, origin=origin) as wire:
        wire.hello(token)
        assert wire.closed() == 4403


def test_own_and_listed_origins_are_welcome(server: Server, key: tuple[str, str]) -> None:
    server.command("account", "origins", "https://shop.example")
    server.follow()
    for origin in (server.url, "https://shop.example", None):
        with Wire(server, origin=origin) as wire:
            wire.hello(issue(server.sdk(key), **BUSINESS))
            assert wire.next()["type"] == "welcome"


def test_100_megabytes_end_the_connection(server: Server, key: tuple[str, str], wire: Wire, token: str) -> None:
    wire.hello(token)
    wire.until("welcome")
    with contextlib.suppress(ConnectionClosed):  # the server does not wait for the rest
        wire.socket.send(b"\x01" * 100_000_000)
    with contextlib.suppress(ConnectionClosed):  # a client that is still sending may lose the close code
        assert wire.closed() == 1009
    assert issue(server.sdk(key), **BUSINESS)


def test_frames_without_a_nonce_close(server: Server, key: tuple[str, str]) -> None:
    cases: list[tuple[bytes, int]] = [
        (drawn(), 4400),
        (b"\x01", 4400),
        (b"\x01" + bytes(20) + b"no jpeg", 4400),
        (b"\x01" + bytes(20) + drawn(), 4422),
        (b"", 4400),
    ]
    for data, code in cases:
        with Wire(server) as wire:
            begun(wire, issue(server.sdk(key), **BUSINESS))
            wire.socket.send(data)
            assert wire.closed() == code


@pytest.mark.parametrize("kind", ["bytes", "pixels", "truncated", "not decodable"])
def test_a_frame_that_cannot_be_used_closes(wire: Wire, token: str, kind: str) -> None:
    nonce = begun(wire, token)
    picture = np.random.default_rng(1).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    jpeg = bytes(cv2.imencode(".jpg", picture)[1])
    if kind == "bytes":
        jpeg, code = jpeg + bytes(600_000), 4413
    elif kind == "pixels":
        jpeg, code = bytes(cv2.imencode(".jpg", np.zeros((2000, 2000, 3), np.uint8))[1]), 4413
    elif kind == "truncated":
        jpeg, code = jpeg[: len(jpeg) // 3], 4400
    else:
        jpeg, code = b"\xff\xd8" + bytes(2000), 4400
    for _ in range(6):
        try:
            wire.frame(nonce, jpeg)
            time.sleep(0.1)
        except ConnectionClosed:
            break
    assert wire.closed() == code


def test_a_flood_of_frames_closes_with_4429(wire: Wire, token: str) -> None:
    nonce = begun(wire, token)
    jpeg = drawn()
    try:
        for _ in range(FLOOD):
            wire.frame(nonce, jpeg)
    except ConnectionClosed:
        pass
    assert wire.closed() == 4429


def test_a_flood_of_messages_closes_with_4429(wire: Wire, token: str) -> None:
    wire.hello(token)
    wire.until("welcome")
    try:
        for index in range(FLOOD):
            wire.say("pong", id=str(index))
    except ConnectionClosed:
        pass
    assert wire.closed() == 4429


@contextlib.contextmanager
def admitted(server: Server, token: str) -> Iterator[tuple[Wire, str]]:
    """A device that is let in once the grace of the last one is over, and its secret."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with Wire(server) as wire:
            wire.hello(token)
            device = ""
            with contextlib.suppress(ConnectionClosed):
                device = str(wire.until("welcome")["device"])
            if device:
                yield wire, device
                return
        time.sleep(0.2)
    raise AssertionError("nobody else is let in")


def test_another_device_is_refused_while_the_first_is_there_and_for_its_grace(server: Server, token: str) -> None:
    with Wire(server) as first:
        first.hello(token)
        device = first.until("welcome")["device"]
        with Wire(server) as second:
            second.hello(token)
            assert second.closed() == 4409
    with Wire(server) as same:
        same.hello(token, device=device)
        assert same.until("welcome")["device"] == device
    with Wire(server) as soon:
        soon.hello(token)
        assert soon.closed() == 4409
    time.sleep(2.5)
    with admitted(server, token) as (_, another):
        assert another != device
        with Wire(server) as void:
            void.hello(token, device=device)
            assert void.closed() == 4409


def test_a_hand_over_code_lets_another_device_in_and_closes_the_first(server: Server, token: str) -> None:
    with Wire(server) as first, Wire(server) as second, Wire(server) as third:
        first.hello(token)
        first.until("welcome")
        first.say("handover")
        offer = first.until("handover")
        assert {len(row) for row in offer["modules"]} == {len(offer["modules"])}
        second.hello(token, handover=offer["code"])
        second.until("welcome")
        assert first.closed() == 4412
        third.hello(token, handover=offer["code"])
        assert third.closed() == 4409


def test_who_asks_for_a_hand_over_again_is_told_the_same_code(server: Server, token: str) -> None:
    """A QR code costs milliseconds of the one thread; a device may send sixty messages a second."""
    with Wire(server) as wire:
        wire.hello(token)
        wire.until("welcome")
        offers = []
        for _ in range(3):
            wire.say("handover")
            offers.append(wire.until("handover"))
    assert len({offer["code"] for offer in offers}) == 1
    assert all(offer["modules"] == offers[0]["modules"] and 10 < offer["expires_in"] <= 20 for offer in offers)


@pytest.mark.parametrize("host", ["a" * 2000, "evil.example", "localhost.evil.example"])
def test_no_socket_is_opened_and_so_no_qr_code_made_under_a_strangers_name(server: Server, host: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        Wire(server, host=host)


@pytest.mark.parametrize("field", ["type", "camera"])
@pytest.mark.parametrize("text", ["MARKED\n2026-11-24T00:00:00.000Z info    judged", "标记" * 100])
def test_nothing_of_a_wrong_message_is_logged(server: Server, wire: Wire, field: str, text: str) -> None:
    """Whoever can write lines of their own into a log can say there what they like."""
    wire.socket.send(json.dumps({"type": "note", field: text}, ensure_ascii=False))
    assert wire.closed() == 4400
    until(lambda: f"value at `$.{field}`" in server.log.read_text())
    log = server.log.read_text()
    assert not any(mark in log for mark in ("MARKED", "标记", "Exception"))


def test_cancel_closes_with_1000_and_the_token_stays(server: Server, token: str) -> None:
    with Wire(server) as wire:
        wire.hello(token)
        device = wire.until("welcome")["device"]
        wire.say("start")
        wire.until("step")
        wire.say("cancel")
        assert wire.closed() == 1000
    with Wire(server) as again:
        again.hello(token, device=device)
        assert again.until("welcome")["attempts_left"] == 3


def test_an_expired_token_closes_with_4410(tmp_path: Any) -> None:
    server = Server(tmp_path, token_seconds=10).start()
    try:
        client = server.sdk()
        expiring = issue(client, **BUSINESS)
        with Wire(server) as wire:
            wire.hello(expiring)
            wire.until("welcome")
            for _ in range(4):  # whoever never starts holds the place no longer than the token lives
                time.sleep(2)
                wire.say("note", camera="granted")
            assert wire.closed() == 4410
        with Wire(server) as late:
            late.hello(expiring)
            assert late.closed() == 4410
        assert result(client, expiring).Result == "15"
    finally:
        server.stop()


def test_a_device_that_never_shows_a_face_is_not_counted(tmp_path: Any) -> None:
    server = Server(tmp_path, ready_seconds=5).start()
    try:
        with Wire(server) as wire:
            nonce = begun(wire, issue(server.sdk(), **BUSINESS))
            jpeg = drawn()
            hints = []
            while True:
                wire.frame(nonce, jpeg)
                try:
                    message = wire.next(0.1)
                except TimeoutError:
                    continue
                if message["type"] == "hint":
                    hints.append(message["code"])
                if message["type"] == "attempt_over":
                    break
            assert hints == ["no_face"]
            assert (message["reason"], message["counted"], message["attempts_left"]) == ("not_ready", False, 3)
    finally:
        server.stop()


def test_an_attempt_whose_action_was_shown_counts_also_where_it_ends_before_the_next(
    server: Server, token: str
) -> None:
    """A device that comes back has to be measured anew, and this one left no frames to do it by."""
    with Wire(server) as wire:
        wire.hello(token)
        device = wire.until("welcome")["device"]
        wire.say("start")
        wire.until("step")
    asyncio.run(reveal_first_action(server, token))
    with Wire(server) as again:
        again.hello(token, device=device)
        assert again.until("welcome")["state"] == "capturing"
        over = again.until("attempt_over")
        assert (over["reason"], over["counted"], over["attempts_left"]) == ("not_ready", True, 2)


async def reveal_first_action(server: Server, token: str) -> None:
    """Reveal the first action as the server does once it has seen a face."""
    store = open_store(server.data_dir, server.keys_dir, time.time, os.urandom)
    await store.start(serving=False)
    try:
        session = await store.sessions.find(token)
        assert session is not None
        attempt = await store.sessions.attempt(session.id, session.attempt)
        assert attempt is not None
        step = StepRecord(1, attempt.actions[0], os.urandom(16), time.time(), time.time() + 60)
        assert await store.sessions.reveal(session.id, attempt.number, step, True, None)
    finally:
        await store.stop()


def test_too_few_frames_are_told_and_counted_for_nothing(wire: Wire, token: str) -> None:
    nonce = begun(wire, token)
    for _ in range(4):
        wire.frame(nonce, drawn())
        time.sleep(0.9)
    assert wire.until("network") == {"type": "network", "ok": False, "reason": "too_few_frames"}


def test_a_slow_round_trip_is_told_before_anything_is_counted(server: Server, token: str) -> None:
    with Wire(server, auto=False) as wire:
        wire.hello(token)
        wire.until("welcome")
        wire.say("start")
        for _ in range(3):
            ping = wire.until("ping")
            time.sleep(1.6)
            wire.say("pong", id=ping["id"])
        assert wire.until("network") == {"type": "network", "ok": False, "reason": "slow_round_trip"}


def test_after_all_of_this_the_next_good_request_works(server: Server, key: tuple[str, str]) -> None:
    assert issue(server.sdk(key), **BUSINESS)


def test_the_funnel_counts_steps_by_reason_and_browser_family(server: Server, token: str) -> None:
    with Wire(server) as wire:
        wire.hello(token)
        wire.until("welcome")
        wire.say("note", camera="refused")
        wire.say("cancel")
        assert wire.closed() == 1000
    text = server.metrics()
    assert 'renzheng_capture_steps_total{browser="other",reason="",step="opened"}' in text
    assert 'renzheng_capture_steps_total{browser="other",reason="refused",step="camera"} 1.0' in text
    assert "_created" not in text
    assert token not in text


def test_a_device_that_comes_back_may_send_at_once(server: Server, token: str) -> None:
    with Wire(server) as wire:
        wire.hello(token)
        device = wire.until("welcome")["device"]
        wire.say("start")
        nonce = wire.until("step")["nonce"]
    with Wire(server) as again:
        again.hello(token, device=device)
        for _ in range(5):  # before anything was heard, as a camera that never stopped does
            again.frame(nonce, drawn())
        assert again.until("welcome")["state"] == "capturing"
        assert again.until("step")["nonce"] == nonce
        again.frame(nonce, drawn())
        assert again.until("hint")["code"] == "no_face"


def test_nobody_is_sent_to_the_host_that_a_request_names(server: Server) -> None:
    """A browser takes what stands behind # along wherever it is redirected to."""
    with contextlib.closing(HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)) as line:
        for host, status in (("elsewhere.example", 421), ("localhost", 404)):
            line.request("GET", "/verify/", headers={"Host": host})
            reply = line.getresponse()
            reply.read()
            assert (reply.status, reply.getheader("Location")) == (status, None)


def test_a_full_server_and_one_that_stops_say_so(tmp_path: Any) -> None:
    server = Server(
        tmp_path, captures_per_address=4, captures=1, place_seconds=0.1, trusted_proxies="127.0.0.1"
    ).start()
    try:
        client = server.sdk()
        with Wire(server) as first, Wire(server), Wire(server) as second:
            # Sockets without a token take nobody's place but their own address's.
            first.hello(issue(client, **BUSINESS))
            first.until("welcome")
            second.hello(issue(client, **BUSINESS))
            second.until("welcome")  # an open page takes no place, an attempt does
            first.say("start")
            first.until("step")
            second.say("start")
            assert second.closed() == 4503
            with Wire(server), Wire(server), Wire(server) as fifth:
                assert fifth.closed() == 4503
            with contextlib.ExitStack() as opened:
                # A /64 of IPv6 belongs to one subscriber, and counts as one address.
                for own in (":1", ":2", "a:b:c:d", "ffff::"):
                    opened.enter_context(Wire(server, forwarded=f"2001:db8:0:1:{own}"))
                sixth = opened.enter_context(Wire(server, forwarded="2001:db8:0:1::6"))
                assert sixth.closed() == 4503
                neighbour = opened.enter_context(Wire(server, forwarded="2001:db8:0:2::1"))
                neighbour.hello("0" * 32)
                assert neighbour.closed() == 4401
            server.stop()
            assert first.closed() == 1012
    finally:
        server.kill()
