"""People who verify themselves at an installation whose processes come and go: token, capture, result."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.faceid.v20180301 import faceid_client, models

from renzheng.evaluation.crowd import Course, Member
from renzheng.evaluation.device import DeviceError, DeviceEvent, DeviceLimits
from renzheng.evaluation.rehearsal import FPS, Rehearsal
from tests.support.images import base64_of

CALL_SECONDS = 120.0
NO_CONNECTION_SECONDS = 1.0


@dataclass
class Journey:
    """One person's way. `result`: what GetFaceIdResult said, None without one; `errors`: calls that were tried again,
    by their code; `lines`: connections that were lost."""

    photo: bytes
    expected: str
    token: str = ""
    course: Course = field(default_factory=lambda: Course("", time.monotonic()))
    result: Any = None
    ended_at: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)
    lines: int = 0
    trouble: str = ""

    async def go(self, client: faceid_client.FaceidClient, server: str, person: Rehearsal, seconds: float) -> None:
        """Run to the result, for `seconds` at most."""
        try:
            async with asyncio.timeout(seconds):
                self.token = await self._again(lambda: _issue(client, self.photo))
                self.course = Course(self.token, time.monotonic())
                await self._capture(server, person, seconds)
                self.result = await self._again(lambda: _result(client, self.token))
        except (TimeoutError, DeviceError, TencentCloudSDKException) as error:
            self.trouble = f"{type(error).__name__}: {error}"
        self.ended_at = time.monotonic()

    async def _capture(self, server: str, person: Rehearsal, seconds: float) -> None:
        limits = DeviceLimits(fps=FPS, seconds=seconds, silence=120, reconnects=1000)
        while True:
            member = Member(server, self.token, person, self._hear, limits)
            try:
                self.course.outcome = await member.run()
                return
            except DeviceError as error:
                if error.code is not None:  # without one it never came in: nobody answered
                    self.course.close = error.code
                    raise
                await asyncio.sleep(NO_CONNECTION_SECONDS)
            finally:
                self.course.ended, self.course.late = time.monotonic(), member.late

    def _hear(self, event: DeviceEvent) -> None:
        self.lines += event.kind == "reconnect"
        self.course.hear(event)

    async def _again(self, call: Callable[[], Any]) -> Any:
        """Repeat a call like an SDK's user whose call met a server that died."""
        end = time.monotonic() + CALL_SECONDS
        while True:
            try:
                return await asyncio.to_thread(call)
            except TencentCloudSDKException as error:
                self.errors[str(error.code)] += 1
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(0.5)


def _issue(client: faceid_client.FaceidClient, photo: bytes) -> str:
    request = models.GetFaceIdTokenRequest()
    request.from_json_string(json.dumps({"CompareLib": "LOCAL", "ImageBase64": base64_of(photo), "UseCos": True}))
    return str(client.GetFaceIdToken(request).FaceIdToken)


def _result(client: faceid_client.FaceidClient, token: str) -> Any:
    request = models.GetFaceIdResultRequest()
    request.from_json_string(json.dumps({"FaceIdToken": token, "IsNeedVideo": True, "IsNeedBestFrame": True}))
    return client.GetFaceIdResult(request)


async def travel(
    journeys: Sequence[Journey],
    client: faceid_client.FaceidClient,
    server: str,
    person: Rehearsal,
    apart: float,
    seconds: float,
    beside: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """All of them, each `apart` seconds after the one before; `beside` meanwhile."""

    async def one(number: int, journey: Journey) -> None:
        await asyncio.sleep(number * apart)
        await journey.go(client, server, person, seconds - number * apart)

    other = [beside()] if beside is not None else []
    await asyncio.gather(*(one(number, journey) for number, journey in enumerate(journeys)), *other)
