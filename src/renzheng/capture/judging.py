"""Judging: claims a session whose capture is complete, measures its stored frames, and records the verdict.

Reads nothing but what was stored, so it can be repeated and gives the same numbers. A lease with an epoch guards
it: a judge that died, or was thought dead, records nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import structlog

from renzheng.capture.ports import Clock, Counter
from renzheng.verification import identity
from renzheng.verification.decision import Enrolment, Evidence, Frames, Reference, Verdict, decide
from renzheng.verification.records import Enrolled, Job
from renzheng.verification.session import FINISHED, Attempt, CompareLib, Ending, FrameRecord, Session

log = structlog.get_logger("renzheng.judging")


class FrameSource(Protocol):
    async def frames(self, session_id: int, attempt: int) -> list[tuple[FrameRecord, bytes]]: ...
    async def photo(self, session_id: int) -> bytes | None: ...


class Sessions(FrameSource, Protocol):
    async def find(self, token: str) -> Session | None: ...
    async def claim_judging(self, now: float, lease: float) -> Job | None: ...
    async def renew_judging(self, session_id: int, epoch: int, until: float) -> bool: ...
    async def release_judging(self, session_id: int, epoch: int) -> bool: ...
    async def record_verdict(
        self, session_id: int, epoch: int, verdict: Verdict, measurement: str, best_frame: int | None, now: float
    ) -> bool: ...


class Identities(Protocol):
    async def lookup(self, account_id: int, id_card: str) -> Enrolled | None: ...


@dataclass(frozen=True, slots=True)
class Shown:
    """A stored frame as the engine measures it. `at`: unix seconds at which the server had it."""

    jpeg: bytes
    step: int
    action: str
    at: float


@dataclass(frozen=True, slots=True)
class Presentation:
    """What the frames showed. `best_frame`: an index into them. `templates`: of those to compare, for the examiner
    alone, and kept nowhere. `record`: all numbers, as JSON."""

    frames: Frames
    challenge_answered: bool
    answered_light: bool | None  # None: no colours were measured
    has_depth: bool
    is_continuous: bool
    best_frame: int | None
    templates: tuple[bytes, ...]
    tags: tuple[str, ...]
    record: str
    network_refuses: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """`similarity`: 0 to 100, None where none could be made. `record`: all numbers, as JSON."""

    reference: Reference
    similarity: float | None
    record: str


class Examiner(Protocol):
    """The engine's judging side, at low priority. Raises ExaminerLost where its process died or took too long."""

    async def present(self, frames: Sequence[Shown]) -> Presentation: ...
    async def compare(self, templates: Sequence[bytes], photo: bytes) -> Comparison: ...


class ExaminerLost(Exception):
    """The engine gave no answer; the lease is left to run out, and another judge tries again."""


class Verdicts:
    """Wakes the judge, and those who wait for a verdict. `poll` seconds: how often waiters look for themselves."""

    def __init__(self, sessions: Sessions, poll: float = 1.0) -> None:
        self._sessions = sessions
        self._poll = poll
        self._work = asyncio.Event()
        self._news = asyncio.Event()

    def wake(self) -> None:
        """There is a session to judge."""
        self._work.set()

    def publish(self) -> None:
        """A verdict was recorded."""
        self._news.set()
        self._news = asyncio.Event()

    async def work(self) -> None:
        """Returns when there may be work: when woken, or after the poll interval."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll):
                await self._work.wait()
        self._work.clear()

    async def decided(self, token: str) -> Session | None:
        """The session once it is finished; None where the token is gone."""
        while True:
            news = self._news
            session = await self._sessions.find(token)
            if session is None or session.state in FINISHED:
                return session
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll):
                    await news.wait()


class Judge:
    """Judges what waits, `at_once` sessions at a time."""

    def __init__(
        self,
        sessions: Sessions,
        identities: Identities,
        examiner: Examiner,
        verdicts: Verdicts,
        counter: Counter,
        clock: Clock,
        lease_seconds: float = 15.0,
        lost_leases: int = 3,
        at_once: int = 1,
    ) -> None:
        self._sessions = sessions
        self._identities = identities
        self._examiner = examiner
        self._verdicts = verdicts
        self._counter = counter
        self._clock = clock
        self._lease = lease_seconds
        self._lost_leases = lost_leases
        self._at_once = at_once

    async def run(self) -> None:
        """Judge until cancelled. A session whose judging failed is left to its lease."""
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                running = {task for task in running if not task.done()}
                job = None
                if len(running) < self._at_once:
                    job = await self._sessions.claim_judging(self._clock(), self._lease)
                if job is not None:
                    task = asyncio.create_task(self._judge_safely(job))
                    task.add_done_callback(lambda _: self._verdicts.wake())
                    running.add(task)
                else:
                    await self._verdicts.work()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _judge_safely(self, job: Job) -> None:
        session_id = job.session.id
        heartbeat = asyncio.create_task(self._renew(job))
        try:
            await self.judge(job)
        except asyncio.CancelledError:
            # The server stops in good order: that is no lost lease.
            await self._sessions.release_judging(session_id, job.epoch)
            raise
        except ExaminerLost as error:
            self._counter.step("judging_lost")
            log.warning("judging_lost", session=session_id, epoch=job.epoch, why=str(error))
        except Exception:
            self._counter.step("judging_failed")
            log.exception("judging_failed", session=session_id, epoch=job.epoch)
        finally:
            heartbeat.cancel()

    async def _renew(self, job: Job) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            if not await self._sessions.renew_judging(job.session.id, job.epoch, self._clock() + self._lease):
                return

    async def judge(self, job: Job) -> bool:
        """Examine, decide, record. True where this judge's verdict is the one that stands."""
        lost = job.lost_leases >= self._lost_leases
        judgement = await examine(job.session, job.attempt, self._sessions, self._identities, self._examiner, lost)
        verdict = judgement.verdict
        recorded = await self._sessions.record_verdict(
            job.session.id, job.epoch, verdict, judgement.record, judgement.best_frame, self._clock()
        )
        log.info(
            "judged",
            session=job.session.id,
            result=verdict.result.code,
            failed=",".join(judgement.failed_layers),
            epoch=job.epoch,
            recorded=recorded,
        )
        if recorded:
            self._counter.step("verdict", verdict.result.code)
            self._verdicts.publish()
        return recorded


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and the numbers behind it. `best_frame`: a sequence. `failed_layers`: of liveness, for the operator."""

    verdict: Verdict
    record: str
    best_frame: int | None
    failed_layers: tuple[str, ...]


async def examine(
    session: Session,
    attempt: Attempt | None,
    sessions: FrameSource,
    identities: Identities,
    examiner: Examiner,
    leases_lost: bool = False,
) -> Judgement:
    """Measure what was stored, and decide. Only reads, so that it can be repeated: same frames, same numbers."""
    ending = session.ending or Ending.COMPLETED
    frames: list[tuple[FrameRecord, bytes]] = []
    presentation: Presentation | None = None
    enrolment, comparison = Enrolment.NOT_ASKED, None
    if not leases_lost and ending is not Ending.TOO_MANY_TODAY:
        frames = await sessions.frames(session.id, session.attempt)
        presentation = await examiner.present(_shown(attempt, frames)) if frames else None
    evidence = partial(_evidence, ending, presentation, session.policy.light)
    if evidence().is_live and presentation is not None:
        enrolment, photo = await _photo(session, sessions, identities)
        # Without a photo the person is compared with themself, so that a miss takes as long as a hit.
        decoy = frames[presentation.best_frame or 0][1]
        comparison = await examiner.compare(presentation.templates, photo or decoy)
        if photo is None:
            comparison = None
    best = presentation.best_frame if presentation else None
    return Judgement(
        decide(evidence(leases_lost, enrolment, comparison), session.policy.threshold),
        _record(presentation, comparison),
        None if best is None else frames[best][0].sequence,
        _failed_layers(presentation, session.policy.light),
    )


async def _photo(session: Session, sessions: FrameSource, identities: Identities) -> tuple[Enrolment, bytes | None]:
    """The photo to compare with. Reached by live people only."""
    if session.details.compare_lib is CompareLib.LOCAL:
        return Enrolment.NOT_ASKED, await sessions.photo(session.id)
    enrolled = await identities.lookup(session.account_id, session.details.id_card)
    if enrolled is None:
        return Enrolment.UNKNOWN, None
    if identity.normal_name(enrolled.name) != identity.normal_name(session.details.name):
        return Enrolment.WRONG_NAME, None
    if enrolled.photo is None:
        return Enrolment.NO_PHOTO, None
    return Enrolment.FOUND, enrolled.photo


def _failed_layers(presentation: Presentation | None, light: bool) -> tuple[str, ...]:
    if presentation is None:
        return ()
    layers = {
        f"frames:{presentation.frames}": presentation.frames is Frames.USABLE,
        "challenge": presentation.challenge_answered,
        "depth": presentation.has_depth,
        "continuity": presentation.is_continuous,
        "passive": not presentation.network_refuses,
        "light": presentation.answered_light is True or not light,
    }
    return tuple(name for name, passed in layers.items() if not passed)


def _shown(attempt: Attempt | None, frames: Sequence[tuple[FrameRecord, bytes]]) -> list[Shown]:
    actions = {step.index: step.action for step in attempt.steps} if attempt else {}
    return [
        Shown(jpeg, record.step, actions.get(record.step, "neutral"), record.received_at) for record, jpeg in frames
    ]


def _evidence(
    ending: Ending,
    presentation: Presentation | None,
    light: bool,
    lost: bool = False,
    enrolment: Enrolment = Enrolment.NOT_ASKED,
    comparison: Comparison | None = None,
) -> Evidence:
    if presentation is None:
        return Evidence(ending, leases_lost=lost)
    return Evidence(
        ending,
        lost,
        presentation.frames,
        presentation.challenge_answered,
        presentation.has_depth,
        presentation.is_continuous,
        enrolment,
        comparison.reference if comparison else Reference.NONE,
        comparison.similarity if comparison else None,
        presentation.tags,
        presentation.network_refuses,
        presentation.answered_light is True if light else None,
    )


def _record(presentation: Presentation | None, comparison: Comparison | None) -> str:
    """All numbers behind a verdict as one JSON text; the store seals it."""
    return (
        f'{{"presentation":{presentation.record if presentation else "null"},'
        f'"comparison":{comparison.record if comparison else "null"}}}'
    )
