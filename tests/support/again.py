"""What the management service looks at a verification again with, over a real store; and one that is judged."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypedDict

from renzheng.actions.ports import Parts as FaceIdParts
from renzheng.capture.evidence import EvidenceShelf, NotMuxedError
from renzheng.delivery.deliverer import Addresses
from renzheng.engine import video
from renzheng.engine.measurement import Comparison, Frame, Measurement
from renzheng.engine.media import MediaError
from renzheng.management.desk import Answer, Rejudge, Video
from renzheng.server.second_looks import SecondLooks
from renzheng.store.open import Store
from renzheng.verification.decision import PASSED, Verdict
from renzheng.verification.policy import Policy
from renzheng.verification.session import CompareLib, Details, EndReason, FrameRecord, StepRecord
from tests.support.images import drawn
from tests.support.measured import compared, depth, live

MEASURED = live()
DETAILS = Details(CompareLib.LOCAL, "11204416541220243X", "韦小宝")
NONCES = (b"n" * 16, b"b" * 16)


@dataclass
class Found:
    """An engine that finds this, at every look."""

    measured: Measurement = MEASURED
    similarity: float = 99.0

    async def present(self, frames: Sequence[Frame]) -> tuple[Measurement, tuple[bytes, ...]]:
        return self.measured, (b"t",)

    async def compare(self, templates: Sequence[bytes], photo: bytes) -> Comparison:
        return compared(self.similarity)

    async def mux(self, frames: Sequence[tuple[float, bytes]]) -> bytes:
        """Make the video with the engine's own muxer, in this process."""
        try:
            return video.mux([(jpeg, at) for at, jpeg in frames])
        except MediaError as error:
            raise NotMuxedError(str(error)) from None


class Looks(TypedDict):
    answer: Answer
    rejudge: Rejudge
    video: Video


@dataclass
class Again:
    """`looks`: for `Parts`. `engine`: as it looks again."""

    store: Store
    engine: Found = field(default_factory=Found)

    def looks(self) -> Looks:
        store, shelf = self.store, EvidenceShelf(self.store.sessions, self.engine)
        faceid = FaceIdParts(
            sessions=store.sessions, accounts=store.keys, photos=self, shelf=shelf, deliveries=self, calls=store.calls,
            entropy=os.urandom, policy=Policy(), token_seconds=600, delivery_seconds=0,
        )  # fmt: skip
        looks = SecondLooks(store.sessions, faceid, shelf, self.engine, seen_frames=2, faults=list)
        return {"answer": looks.answer, "rejudge": looks.rejudge, "video": looks.video}

    async def fault(self, photo: bytes) -> tuple[str, str] | None:
        return None

    async def addresses(self, account_id: int, session_id: int, seconds: float) -> Addresses:
        """Return the addresses of the outbox; nothing is sent anywhere."""
        found = await self.store.deliveries.get(account_id, session_id)
        if found is None or found.place is None or found.video_key is None:
            return Addresses(None, None)
        return Addresses(found.place.address(found.video_key), None)


async def captured(store: Store, account_id: int, now: float, token: str, **given: Any) -> int:
    """A verification under way, with three pictures as its frames."""
    sessions = store.sessions
    number = await sessions.create(account_id, token, DETAILS, drawn(), Policy(), now, 600, **given)
    assert await sessions.begin_attempt(number, 0, ("blink",), now) == 1
    for step, action in enumerate(("neutral", "blink")):
        shown = StepRecord(step, action, NONCES[step], now + step, now + 6)
        assert await sessions.reveal(number, 1, shown, action == "blink", None)
    kept = [
        (FrameRecord(one, int(one > 0), NONCES[one > 0], now + one + 0.5, bytes([one]) * 32), drawn())
        for one in range(3)
    ]
    assert await sessions.store_frames(number, 1, kept)
    return number


async def judged(store: Store, account_id: int, now: float, token: str = "JUDGED", **given: Any) -> int:
    """A verification whose three frames are pictures, passed with what `Found` finds."""
    number, sessions = await captured(store, account_id, now, token, **given), store.sessions
    assert await sessions.submit(number, 1, EndReason.COMPLETED, now + 3)
    job = await sessions.claim_judging(now + 3, 15)
    assert job is not None
    numbers = {"transcript": [], "presentation": MEASURED.as_dict(), "comparison": {}}
    assert await sessions.record_verdict(number, job.epoch, Verdict(PASSED, 99.0), json.dumps(numbers), 0, now + 3)
    return number


def without_depth() -> Measurement:
    """Return the measurement as a changed engine would make it."""
    return replace(MEASURED, depth=replace(depth(False), residual=0.4))
