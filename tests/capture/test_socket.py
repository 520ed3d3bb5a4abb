"""The device's socket by itself."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.websockets import WebSocket, WebSocketState

from renzheng.capture.bounds import ChannelLimits
from renzheng.capture.messages import Close, ClosingError, FrameMessage, Message
from renzheng.capture.sight import FrameHead
from renzheng.capture.socket import BURST_SECONDS, DeviceGoneError, DeviceSocket
from tests.support.server import PATIENCE


async def dealt_with(message: Message) -> bool:
    return True


async def test_a_reader_that_is_cancelled_just_when_a_message_comes_ends() -> None:
    """Else a device that goes on sending would keep its own close code from itself."""
    arrived: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(message: MutableMapping[str, Any]) -> None:
        pass

    websocket = WebSocket({"type": "websocket"}, arrived.get, send)
    arrived.put_nowait({"type": "websocket.connect"})
    await websocket.accept()
    device = DeviceSocket(websocket, ChannelLimits(), lambda: 0.0)
    reading = asyncio.create_task(device.read(lambda jpeg: None, dealt_with))
    await asyncio.sleep(0.01)
    arrived.put_nowait({"type": "websocket.receive", "text": '{"type":"start"}'})
    for _ in range(2):  # until the message has woken the innermost of what the reader waits for
        await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(PATIENCE):
            await reading


async def test_a_device_that_does_not_read_is_given_up() -> None:
    """Else it would keep its place, and all that is held for it, for as long as it likes."""
    stuck = asyncio.Event()

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] != "websocket.accept":
            await stuck.wait()

    websocket = WebSocket({"type": "websocket"}, receive, send)
    await websocket.accept()
    device = DeviceSocket(websocket, ChannelLimits(send_seconds=0.05), lambda: 0.0)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(DeviceGoneError):
            await device.send("judging")
        await device.close(Close.SILENT)
        await device.close(Close.DONE)


NONCE, OLDER = b"n" * 16, b"o" * 16
JPEG = b"\xff\xd8\xff\xe0rest"


class Ticking:
    """A clock that stands until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def device_that_gets(
    frames: list[tuple[bytes, int]],
    clock: Ticking,
    head: FrameHead | None = FrameHead(640, 480),  # noqa: B008
    *,
    limits: ChannelLimits | None = None,
    welcomed: bool = True,
) -> tuple[DeviceSocket, list[bytes]]:
    """A socket that expects NONCE up to 10 s, after OLDER, and has read these (nonce, sequence), and what it probed."""
    arrived: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(message: MutableMapping[str, Any]) -> None:
        pass

    websocket = WebSocket({"type": "websocket"}, arrived.get, send)
    arrived.put_nowait({"type": "websocket.connect"})
    await websocket.accept()
    device = DeviceSocket(websocket, limits or ChannelLimits(), clock)
    device.welcomed = welcomed
    device.intake.remember(OLDER)
    device.intake.expect(1, NONCE, clock.now + 10)
    device.intake.keeping = True
    probed: list[bytes] = []

    def read_head(jpeg: bytes) -> FrameHead | None:
        probed.append(jpeg)
        return head

    for nonce, sequence in frames:
        arrived.put_nowait({"type": "websocket.receive", "bytes": b"\x01" + nonce + sequence.to_bytes(4, "big") + JPEG})
    arrived.put_nowait({"type": "websocket.disconnect", "code": 1006})
    with contextlib.suppress(DeviceGoneError):
        await device.read(read_head, dealt_with)
    return device, probed


def sequences(device: DeviceSocket) -> list[int]:
    return [record.sequence for record, _ in device.intake.pending]


async def test_a_frame_under_the_current_nonce_counts_with_its_step_and_time() -> None:
    clock = Ticking()
    device, probed = await device_that_gets([(NONCE, 5)], clock)
    record, jpeg = device.intake.pending[0]
    assert (record.sequence, record.step, record.nonce, record.received_at) == (5, 1, NONCE, clock.now)
    assert record.digest == hashlib.sha256(JPEG).digest()
    assert jpeg == JPEG
    assert probed == [JPEG]


async def test_frames_that_do_not_count_are_dropped_before_they_are_looked_at() -> None:
    """Older nonces, numbers that do not rise, more a second than allowed."""
    device, probed = await device_that_gets(
        [(OLDER, 1), (NONCE, 2), (OLDER, 3), (NONCE, 2), (NONCE, 1), (NONCE, 3)], Ticking()
    )
    assert sequences(device) == [2, 3]
    assert len(probed) == 2
    limits = ChannelLimits(max_frames_per_second=4)
    device, probed = await device_that_gets([(NONCE, n) for n in range(10)], Ticking(), limits=limits)
    assert sequences(device) == [0, 1, 2, 3]
    assert len(probed) == 4


async def test_a_frame_after_its_steps_deadline_does_not_count() -> None:
    for late, counts in ((10.0, 1), (10.001, 0)):
        clock = Ticking()
        device, _ = await device_that_gets([], clock)
        clock.now += late
        device._take_frame(FrameMessage(NONCE, 1, JPEG), lambda jpeg: FrameHead(640, 480))
        assert len(device.intake.pending) == counts


async def test_before_the_welcome_nothing_counts_and_no_nonce_is_known() -> None:
    device, probed = await device_that_gets([(NONCE, 1), (b"x" * 16, 2)], Ticking(), welcomed=False)
    assert (device.intake.pending, probed) == ([], [])


@pytest.mark.parametrize(
    ("frame", "head", "code"),
    [
        ((b"x" * 16, 1), FrameHead(640, 480), Close.UNKNOWN_NONCE),
        ((NONCE, 1), None, Close.MALFORMED),
        ((NONCE, 1), FrameHead(640, 480, progressive=True), Close.MALFORMED),
        ((NONCE, 1), FrameHead(1921, 1080), Close.TOO_LARGE),
    ],
)
async def test_frames_that_end_the_connection(frame: tuple[bytes, int], head: FrameHead | None, code: Close) -> None:
    with pytest.raises(ClosingError) as closing:
        await device_that_gets([frame], Ticking(), head)
    assert closing.value.code is code
    assert await device_that_gets([(NONCE, 1)], Ticking(), FrameHead(1920, 1080))  # the bound itself fits


async def test_an_attempt_keeps_as_many_frames_as_its_limit_says() -> None:
    limits = ChannelLimits(frames_per_attempt=3)
    device, _ = await device_that_gets([(NONCE, n) for n in range(5)], Ticking(), limits=limits)
    assert sequences(device) == [0, 1, 2]


async def test_after_a_new_attempt_began_no_nonce_of_before_counts() -> None:
    device, _ = await device_that_gets([(NONCE, 1)], Ticking())
    device.intake.pending.clear()
    device.intake.new_attempt()
    device.intake.keeping = True
    device._take_frame(FrameMessage(NONCE, 2, JPEG), lambda jpeg: FrameHead(640, 480))
    device.intake.expect(0, b"w" * 16, 2000.0)
    for nonce in (NONCE, OLDER):
        device._take_frame(FrameMessage(nonce, 3, JPEG), lambda jpeg: FrameHead(640, 480))
    assert device.intake.pending == []
    device._take_frame(FrameMessage(b"w" * 16, 0, JPEG), lambda jpeg: FrameHead(640, 480))
    assert sequences(device) == [0]


async def test_frames_that_wait_for_the_disk_are_held_up_to_a_bound() -> None:
    """What is over it is dropped whole: a frame that is not stored must not be seen to act either."""
    limits = ChannelLimits(pending_bytes=3 * len(JPEG))
    clock = Ticking()
    device, probed = await device_that_gets([(NONCE, n) for n in range(5)], clock, limits=limits)
    assert sequences(device) == [0, 1, 2]
    assert len(probed) == 3
    batch = device.intake.take_pending()
    device._take_frame(FrameMessage(NONCE, 7, JPEG), lambda jpeg: FrameHead(640, 480))
    assert device.intake.pending == []  # they are still held while they are written
    device.intake.let_go(batch)
    device._take_frame(FrameMessage(NONCE, 8, JPEG), lambda jpeg: FrameHead(640, 480))
    assert sequences(device) == [8]


async def test_an_attempt_keeps_as_many_bytes_as_its_limit_says() -> None:
    limits = ChannelLimits(attempt_bytes=3 * len(JPEG))
    device, _ = await device_that_gets([(NONCE, n) for n in range(5)], Ticking(), limits=limits)
    assert sequences(device) == [0, 1, 2]
    device.intake.new_attempt(kept_bytes=2 * len(JPEG))  # as after a reconnect
    device.intake.let_go(device.intake.take_pending())
    device.intake.expect(1, NONCE, 2000.0)
    device.intake.keeping = True
    for number in range(5):
        device._take_frame(FrameMessage(NONCE, number, JPEG), lambda jpeg: FrameHead(640, 480))
    assert sequences(device) == [0]


@pytest.mark.parametrize(
    ("waits", "dealt", "asked", "queued"), [(False, True, 1, 0), (False, False, 1, 1), (True, False, 0, 0)]
)
async def test_a_message_is_intercepted_or_queued_and_passed_over_while_the_outcome_is_awaited(
    waits: bool, dealt: bool, asked: int, queued: int
) -> None:
    device, _ = await device_that_gets([], Ticking())
    device.waits_for_outcome = waits
    seen: list[Message] = []

    async def intercept(message: Message) -> bool:
        seen.append(message)
        return dealt

    messages = [{"type": "websocket.receive", "text": '{"type":"start"}'}, {"type": "websocket.disconnect"}]

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop(0)

    device._socket = WebSocket({"type": "websocket"}, receive, receive)  # type: ignore[arg-type]
    device._socket.client_state = WebSocketState.CONNECTED
    with pytest.raises(DeviceGoneError):
        await device.read(lambda jpeg: None, intercept)
    assert (len(seen), device._messages.qsize()) == (asked, queued)


async def test_five_seconds_of_four_times_the_frames_at_once_are_a_flood_and_each_second_makes_room() -> None:
    limits, clock = ChannelLimits(max_frames_per_second=4), Ticking()
    most = 16 * BURST_SECONDS
    device, _ = await device_that_gets([(OLDER, n) for n in range(most)], clock, limits=limits)
    clock.now += 1
    for _ in range(16):
        device._bound_rate()
    with pytest.raises(ClosingError) as closing:
        device._bound_rate()
    assert closing.value.code is Close.FLOOD


async def test_what_a_device_sent_while_the_server_stood_still_is_no_flood() -> None:
    """Fifteen frames a second and what was answered beside them, of eighteen seconds, all at one moment."""
    await device_that_gets([(OLDER, n) for n in range(18 * 16)], Ticking())
