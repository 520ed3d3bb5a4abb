"""The device's socket by itself."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.websockets import WebSocket

from renzheng.capture.messages import Message
from renzheng.capture.socket import ChannelLimits, DeviceSocket


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
