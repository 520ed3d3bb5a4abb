"""The device's socket by itself."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.websockets import WebSocket

from renzheng.capture.messages import Close, Message
from renzheng.capture.socket import ChannelLimits, DeviceGone, DeviceSocket


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
        async with asyncio.timeout(2):
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
    async with asyncio.timeout(20):
        with pytest.raises(DeviceGone):
            await device.send("judging")
        await device.close(Close.SILENT)
        await device.close(Close.DONE)
