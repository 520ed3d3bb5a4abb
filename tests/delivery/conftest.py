"""A store, COS over a real S3, and the deliverer between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from renzheng.accounts.buckets import Bucket, BucketKey, cos_bucket
from renzheng.capture.evidence import EvidenceShelf
from renzheng.delivery.client import Clients
from renzheng.delivery.deliverer import Deliverer, DeliveryParts
from renzheng.delivery.hosts import AllowedHosts
from renzheng.engine import video
from renzheng.verification.decision import PASSED, Verdict
from renzheng.verification.policy import Policy
from renzheng.verification.session import EndReason, FrameRecord
from tests.store.conftest import DETAILS, NONCE, OpenWorld, World, open_world, pytest_generate_tests, world
from tests.support.cos import KEY_ID, NAME, REGION, SECRET, CosFront
from tests.support.images import drawn

__all__ = ["open_world", "pytest_generate_tests", "world"]

KEY = BucketKey(KEY_ID, SECRET)
BUCKET = cos_bucket(NAME, REGION, prefix="faceid/test")


def plain(bucket: Bucket = BUCKET) -> Bucket:
    """The same bucket over http, as the front speaks it."""
    return replace(bucket, secure=False)


class RealMuxer:
    async def mux(self, frames: Sequence[tuple[float, bytes]]) -> bytes:
        return video.mux([(jpeg, at) for at, jpeg in frames])


@dataclass
class Counted:
    outcomes: Counter[str] = field(default_factory=Counter)

    def delivery(self, outcome: str) -> None:
        self.outcomes[outcome] += 1


@dataclass
class Scene:
    """A world whose account has a bucket at the front."""

    world: World
    front: CosFront
    deliverer: Deliverer
    counted: Counted

    async def authorise(self, bucket: Bucket | None = None, key: BucketKey = KEY) -> None:
        await self.world.store.buckets.authorise(self.world.account.id, bucket or plain(), key, self.world.clock())
        await self.world.store.keys.refresh()

    async def judge(self, token: str = "TOKEN", *, to_bucket: bool = True, frames: int = 3) -> int:
        """A session whose frames are real pictures, passed; its delivery is due."""
        world, sessions, now = self.world, self.world.store.sessions, self.world.clock
        number = await sessions.create(
            world.account.id, token, DETAILS, None, Policy(), now(), 600, to_bucket=to_bucket
        )
        await sessions.begin_attempt(number, 0, ("blink",), now())
        await sessions.reveal(number, 1, world.step(0), False, None)
        await sessions.reveal(number, 1, world.step(1), True, None)
        kept = [(FrameRecord(n, 1, NONCE, now() + n / 10, b"d" * 32), drawn()) for n in range(frames)]
        if kept:
            assert await sessions.store_frames(number, 1, kept)
        assert await sessions.submit(number, 1, EndReason.COMPLETED, now())
        job = await sessions.claim_judging(now(), 15)
        assert job is not None
        verdict = Verdict(PASSED, 99.0, ())
        assert await sessions.record_verdict(number, job.epoch, verdict, "{}", 1 if frames else None, now())
        return number

    def row(self, session_id: int) -> dict[str, Any]:
        names = ("state", "tries", "trouble", "folder", "due_at")
        found = self.world.row(f"SELECT {', '.join(names)} FROM deliveries WHERE session_id = ?", session_id)
        return dict(zip(names, found, strict=True))


@pytest.fixture(scope="module")
def cos() -> Iterator[CosFront]:
    front = CosFront()
    yield front
    front.stop()


@pytest.fixture
def front(cos: CosFront) -> Iterator[CosFront]:
    """A server in front of an empty bucket."""
    cos.fault = ""
    cos.puts.clear()
    cos.make_bucket()
    yield cos
    cos.fault = ""
    cos.drop_bucket()


@pytest.fixture
async def scene(open_world: OpenWorld, front: CosFront) -> AsyncIterator[Scene]:
    world = await open_world()
    store, counted = world.store, Counted()
    parts = DeliveryParts(
        outbox=store.deliveries,
        shelf=EvidenceShelf(store.sessions, RealMuxer()),
        buckets=store.keys.buckets,
        has_frames=store.sessions.has_frames,
        clients=Clients(AllowedHosts(["*.myqcloud.com"]), front.proxy),
        counter=counted,
        clock=world.clock,
        entropy=lambda size: b"\x80" * size,
    )
    deliverer = Deliverer(parts)
    made = Scene(world, front, deliverer, counted)
    await made.authorise()
    yield made
    deliverer.close()
