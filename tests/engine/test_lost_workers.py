"""A lost process is never the person's fault nor the merchant's; what a stranger's bytes may cost is bounded."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Sequence
from typing import cast, get_args

import pytest

from renzheng.engine.duties import Duty
from renzheng.engine.limits import EngineLimits, WorkerLimits
from renzheng.engine.media import MediaError
from renzheng.engine.messages import (
    Answer,
    AnyQuestion,
    BeginVideoQuestion,
    FailureAnswer,
    PhotoQuestion,
    Pixels,
    Question,
    RefusalAnswer,
)
from renzheng.engine.supervision import HEAD, Worker, WorkerDiedError
from renzheng.engine.worker import _safely
from renzheng.engine.workers import MAX_LOST_FRAMES, EngineWorkers, _Job

PLACE = Pixels(2, 3, 0)
AREA = 2 * 3 * 3


class Decoder(EngineWorkers):
    """Its processes die of frames that are `deadly`, alone or in a chunk, as often as they are tried."""

    def __init__(self, deadly: Sequence[bytes] = (), seconds: float = 0.5, dies_first: int = 0) -> None:
        super().__init__(EngineLimits(workers=WorkerLimits(attempt_decode_seconds=2.0)))
        self.deadly, self.seconds, self.dies_first = deadly, seconds, dies_first
        self.offsets: list[int] = []
        self.calls = 0

    async def _decode(
        self, jpegs: Sequence[bytes], slot: int, *, urgent: bool = False, strict: bool = False, offset: int = 0
    ) -> tuple[list[Pixels | None], float]:
        self.calls += 1
        if self.calls <= self.dies_first or any(jpeg in self.deadly for jpeg in jpegs):
            raise WorkerDiedError("the decode process died")
        self.offsets.append(offset)
        return [Pixels(2, 3, offset + AREA * n) for n in range(len(jpegs))], self.seconds

    def job(self) -> _Job:
        return _Job(Worker("judge", self.limits, []), 0.0, self.limits, lambda: 0.0)


async def test_a_process_that_dies_once_costs_no_frame() -> None:
    engine = Decoder(dies_first=1)
    places = await engine._decode_for(engine.job(), [b"a", b"b", b"c"], 0)
    assert places == [PLACE, Pixels(2, 3, AREA), Pixels(2, 3, 2 * AREA)]  # each behind the one before
    engine = Decoder(dies_first=1)
    assert await engine._decode_for(engine.job(), [b"a"], 0) == [PLACE]


async def test_a_frame_of_which_the_process_dies_twice_is_left_out_and_the_others_stay() -> None:
    engine = Decoder(deadly=[b"b"])
    assert await engine._decode_for(engine.job(), [b"a", b"b", b"c"], 0) == [PLACE, None, Pixels(2, 3, AREA)]


async def test_a_process_that_dies_of_everything_is_a_fault_of_ours() -> None:
    """Else a machine without memory would take every person for nobody."""
    deadly = [b"%d" % n for n in range(9)]
    engine = Decoder(deadly=deadly)
    job = engine.job()
    assert await engine._decode_for(job, deadly[:MAX_LOST_FRAMES], 0) == [None] * MAX_LOST_FRAMES
    with pytest.raises(WorkerDiedError):
        await engine._decode_for(job, [b"8"], 0)


async def test_an_attempt_has_a_budget_of_decoding_time() -> None:
    engine = Decoder(seconds=0.8)
    job = engine.job()
    found = [await engine._decode_for(job, [b"a", b"b"], 0) for _ in range(5)]
    assert [places == [None, None] for places in found] == [False, False, False, True, True]
    assert engine.calls == 3
    assert (await engine._decode_for(engine.job(), [b"a"], 0)) == [PLACE]  # another attempt has its own


async def test_the_budget_is_spent_by_frames_that_are_tried_alone_too() -> None:
    engine = Decoder(seconds=0.8, dies_first=1)
    job = engine.job()
    await engine._decode_for(job, [b"a", b"b", b"c"], 0)
    assert job.decoded_seconds == pytest.approx(2.4)


class Failing:
    """A duty that raises this of whatever it is asked."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def answer(self, request: AnyQuestion, payload: bytes) -> tuple[Answer, bytes]:
        raise self.error


def answered(error: Exception, *, confined: bool = False) -> Answer:
    reply, payload = _safely(cast(Duty, Failing(error)), BeginVideoQuestion(), b"MARKED", confined=confined)
    assert payload == b""
    return reply


@pytest.mark.parametrize("confined", [True, False])
def test_only_in_a_small_process_is_a_lack_of_memory_the_pictures_fault(confined: bool) -> None:
    assert isinstance(answered(MemoryError(), confined=confined), RefusalAnswer if confined else FailureAnswer)


def test_a_fault_of_ours_is_told_as_that_and_names_nothing_that_was_sent() -> None:
    assert answered(ValueError("MARKED"), confined=True) == FailureAnswer("ValueError")
    assert answered(MediaError("corrupt", "the JPEG is damaged")) == RefusalAnswer("corrupt", "the JPEG is damaged")


@pytest.mark.parametrize(
    "head",
    [
        b"{}",
        b"not JSON",
        b'{"type":"DoneAnswer"}',
        b'{"type":"PhotoAnswer","place":[1,2],"scale":1}',
        b'{"type":"LookAnswer"}',
    ],
)
async def test_a_reply_of_another_form_ends_the_process(head: bytes) -> None:
    """What opens strangers' bytes may have been taken over: its words are believed in their form alone."""
    ours, theirs = socket.socketpair()
    worker = Worker("decode", EngineLimits(), [])
    worker._socket = ours
    ours.setblocking(False)
    with theirs:
        theirs.sendall(HEAD.pack(len(head), 0) + head)
        with pytest.raises(WorkerDiedError, match="nonsense"):
            await worker.call(PhotoQuestion(0), b"photo", seconds=5)
    assert worker._socket is None


@pytest.mark.parametrize("request_", get_args(AnyQuestion), ids=lambda one: one.__name__)
def test_each_request_names_its_reply(request_: type[Question[Answer]]) -> None:
    (base,) = request_.__orig_bases__  # type: ignore[attr-defined]
    assert issubclass(get_args(base)[0], Answer)


@pytest.mark.parametrize("kind", ["decode", "mux"])
async def test_processes_that_open_strangers_bytes_have_so_much_memory(kind: str) -> None:
    bound = 700 * 1024 * 1024
    worker = Worker(kind, EngineLimits(workers=WorkerLimits(decode_memory=bound)), [])
    async with asyncio.timeout(60):
        await worker.start()
    try:
        assert worker.pid is not None
        assert resource.prlimit(worker.pid, resource.RLIMIT_AS) == (bound, bound)
        assert resource.prlimit(worker.pid, resource.RLIMIT_CORE) == (0, 0)
    finally:
        worker.kill()
