"""Judging: claims a session whose capture is complete, measures its stored frames, and records the verdict.

Reads nothing but what was stored, so it can be repeated and gives the same numbers. A lease with an epoch guards
it: a judge that died, or was thought dead, records nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Protocol

import structlog

from renzheng.base import defaults
from renzheng.base.unavailable import UnavailableError
from renzheng.capture.capacity import FIRST_JUDGEMENT, WorkMeter
from renzheng.capture.ports import Clock, FunnelCounter
from renzheng.capture.verdicts import Verdicts
from renzheng.engine.measurement import Comparison, Frame, Measurement
from renzheng.verification import identity, transcript
from renzheng.verification.decision import (
    ENGINE_LOST,
    NOT_CONTINUOUS,
    Evidence,
    FrameFitness,
    IdentityMatch,
    ReferenceFitness,
    Verdict,
    decide,
)
from renzheng.verification.records import EnrolledPerson, JudgingJob
from renzheng.verification.session import Attempt, CompareLib, EndReason, FrameRecord, Session

SEEN_FRAMES = 2
"""Frames of earlier verifications that one may hold: a camera that shows the same test picture now and then is none."""

LOST_SECONDS = 1.0
"""After which another judge tries what one has lost."""

BUSY_SECONDS = 1.0
"""For which a judge asks no more of an engine that had no room, or of a store that was away."""

log = structlog.get_logger("renzheng.judging")


class FrameSource(Protocol):
    async def frames(self, session_id: int, attempt: int) -> list[tuple[FrameRecord, bytes]]: ...
    async def photo(self, session_id: int) -> bytes | None: ...
    async def seen_before(self, session_id: int, attempt: int) -> int: ...


class Sessions(FrameSource, Protocol):
    async def measured(self, session_id: int, attempt: int) -> dict[bytes, bytes]: ...
    async def forget_measured(self, session_id: int, attempt: int) -> None: ...
    async def claim_judging(self, now: float, lease: float, after: int = 0) -> JudgingJob | None: ...
    async def renew_judging(self, session_id: int, epoch: int, until: float) -> bool: ...
    async def release_judging(self, session_id: int, epoch: int) -> bool: ...
    async def record_verdict(
        self, session_id: int, epoch: int, verdict: Verdict, measurement: str, best_frame: int | None, now: float
    ) -> bool: ...
    async def again(
        self,
        session_id: int,
        epoch: int,
        verdict: Verdict,
        measurement: str,
        best_frame: int | None,
        now: float,
        excused: bool = False,
    ) -> bool: ...
    async def attempts_today(self, account_id: int, id_hash: bytes, day: str) -> int: ...


class Identities(Protocol):
    async def lookup(self, account_id: int, id_card: str) -> EnrolledPerson | None: ...


class Examiner(Protocol):
    """The engine's judging side, at low priority. Raises ExaminerLostError where its process died or took too long.

    `present` also gives the templates of the frames to compare: for `compare` alone, and kept nowhere."""

    async def present(self, frames: Sequence[Frame]) -> tuple[Measurement, tuple[bytes, ...]]: ...
    async def compare(self, templates: Sequence[bytes], photo: bytes) -> Comparison: ...


class ExaminerLostError(Exception):
    """The engine gave no answer; the lease is given up as a lost one, and another judge tries again."""


class ExaminerBusyError(ExaminerLostError):
    """The engine had no room, and nothing was begun; the session is given back, and its lease is not a lost one."""


class Judge:
    """Judges what waits, `at_once` sessions at a time."""

    def __init__(
        self,
        sessions: Sessions,
        identities: Identities,
        examiner: Examiner,
        verdicts: Verdicts,
        counter: FunnelCounter,
        clock: Clock,
        day: Callable[[float], str],
        lease_seconds: float = 15.0,
        lost_leases: int = 3,
        at_once: int = 1,
        seen_frames: int = SEEN_FRAMES,
        max_excused: int = defaults.MAX_EXCUSED_ATTEMPTS,
        meter: WorkMeter | None = None,
    ) -> None:
        """`max_excused`: attempts a token that do not count as the server could not watch them. `meter`: is told of
        each judgement."""
        self._sessions = sessions
        self._identities = identities
        self._examiner = examiner
        self._verdicts = verdicts
        self._counter = counter
        self._clock = clock
        self._day = day
        self._lease = lease_seconds
        self._lost_leases = lost_leases
        self._at_once = at_once
        self._served = 0
        self._is_away = False
        self._seen_frames = seen_frames
        self._max_excused = max_excused
        self._meter = meter or WorkMeter(at_once, FIRST_JUDGEMENT, pieces=10)

    async def run(self) -> None:
        """Judge until cancelled. A session whose judging failed is left to its lease."""
        running: set[asyncio.Task[None]] = set()
        try:
            while True:
                running = {task for task in running if not task.done()}
                job = None
                if len(running) < self._at_once:
                    job = await self._claim()
                if job is not None:
                    self._served = job.session.account_id  # whose turn it was
                    task = asyncio.create_task(self._judge_safely(job))
                    task.add_done_callback(lambda _: self._verdicts.go_on())
                    running.add(task)
                else:
                    await self._verdicts.work()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _claim(self) -> JudgingJob | None:
        """None too while the store is away: what is being judged meanwhile goes on."""
        try:
            job = await self._sessions.claim_judging(self._clock(), self._lease, self._served)
        except UnavailableError as error:
            if not self._is_away:
                log.warning("judging_waits", why=str(error))
            self._is_away = True
            return None
        self._is_away = False
        return job

    async def _judge_safely(self, job: JudgingJob) -> None:
        session_id = job.session.id
        heartbeat = asyncio.create_task(self._renew(job))
        try:
            with self._meter.piece(self._clock):
                await self.judge(job)
        except asyncio.CancelledError:
            # The server stops in good order: that is no lost lease.
            await self._sessions.release_judging(session_id, job.epoch)
            raise
        except ExaminerBusyError as error:
            self._counter.step("judging_refused")
            log.warning("judging_refused", session=session_id, why=str(error))
            heartbeat.cancel()
            await self._give_back(job)
        except ExaminerLostError as error:
            self._counter.step("judging_lost")
            log.warning("judging_lost", session=session_id, epoch=job.epoch, why=str(error))
            heartbeat.cancel()
            with contextlib.suppress(UnavailableError):
                # It counts as lost, and nobody waits until it would have run out.
                await self._sessions.renew_judging(session_id, job.epoch, self._clock() + LOST_SECONDS)
        except UnavailableError as error:
            self._counter.step("judging_put_off")
            log.warning("judging_put_off", session=session_id, why=str(error))
            heartbeat.cancel()
            await self._give_back(job)
        except Exception:
            self._counter.step("judging_failed")
            log.exception("judging_failed", session=session_id, epoch=job.epoch)
        finally:
            heartbeat.cancel()

    async def _give_back(self, job: JudgingJob) -> None:
        """No lease is lost by what was no fault of the session's; where the records are away too, it runs out."""
        with contextlib.suppress(UnavailableError):
            await self._sessions.release_judging(job.session.id, job.epoch)
        await asyncio.sleep(BUSY_SECONDS)  # in which this place takes no other

    async def _renew(self, job: JudgingJob) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            with contextlib.suppress(UnavailableError):  # the next one may come in time
                if not await self._sessions.renew_judging(job.session.id, job.epoch, self._clock() + self._lease):
                    return

    async def judge(self, job: JudgingJob) -> bool:
        """Examine, decide, record. True where this judge's verdict is the one that stands."""
        lost = job.lost_leases >= self._lost_leases
        session_id, attempt = job.session.id, job.session.attempt
        measured = await self._sessions.measured(session_id, attempt)
        examined = (self._sessions, self._identities, self._examiner, lost, self._seen_frames, measured)
        judgement = await examine(job.session, job.attempt, *examined)
        verdict, again = judgement.verdict, False
        given = (job.session.id, job.epoch, verdict, judgement.record, judgement.best_frame)
        excused = verdict.may_retry and verdict.result is ENGINE_LOST
        if verdict.may_retry and await self._may_begin(job.session, excused):
            again = await self._sessions.again(*given, self._clock(), excused)
        recorded = again or await self._sessions.record_verdict(*given, self._clock())
        log.info(
            "judged",
            session=job.session.id,
            result=verdict.result.code,
            failed=",".join(judgement.failed_layers),
            epoch=job.epoch,
            recorded=recorded,
            again=again,
        )
        if recorded:
            self._counter.step("judged_again" if again else "verdict", verdict.result.code)
            if again and excused:
                self._counter.step("excused")
                log.warning("attempt_unwatched", session=job.session.id, attempt=job.session.attempt, excused=True)
            self._verdicts.publish(session_id)
            with contextlib.suppress(Exception):  # what is left over is swept
                await self._sessions.forget_measured(session_id, attempt)
        return recorded

    async def _may_begin(self, session: Session, excused: bool) -> bool:
        """Whether the token, and the day of its ID number, have another attempt. `excused`: without counting this."""
        if session.excused >= self._max_excused if excused else session.attempts_left(session.policy.attempts) == 0:
            return False
        most = session.policy.attempts_a_day
        if not most or session.id_hash is None:
            return True
        return await self._sessions.attempts_today(session.account_id, session.id_hash, self._day(self._clock())) < most


@dataclass(frozen=True, slots=True)
class RecordedVerdict:
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
    seen_frames: int = SEEN_FRAMES,
    measured: Mapping[bytes, bytes] | None = None,
) -> RecordedVerdict:
    """Measure what was stored, and decide. Only reads, so that it can be repeated: same frames, same numbers.

    `measured`: by frames' digests, what was measured of them live. The numbers are the same without it.
    """
    number = attempt.number if attempt else session.attempt
    ending = session.ending or EndReason.COMPLETED
    frames: list[tuple[FrameRecord, bytes]] = []
    measurement: Measurement | None = None
    templates: tuple[bytes, ...] = ()
    enrolment, comparison = IdentityMatch.NOT_ASKED, None
    if not leases_lost and ending not in (EndReason.TOO_MANY_TODAY, EndReason.PHOTO_UNUSABLE, EndReason.SERVER_LOST):
        frames = await sessions.frames(session.id, number)
        if frames:
            measurement, templates = await examiner.present(_shown(attempt, frames, measured or {}))
    told = attempt or Attempt(session.id, session.attempt, session.created_at, ())
    faults = transcript.faults(told.actions, told.steps, [record for record, _ in frames])
    if frames and await sessions.seen_before(session.id, number) > seen_frames:
        faults = (*faults, transcript.TranscriptFault.SEEN)
    unwatched = attempt is not None and attempt.unwatched
    evidence = partial(_evidence, ending, measurement, session.policy.light, not faults, unwatched)
    if evidence().is_live and measurement is not None:
        enrolment, photo = await _photo(session, sessions, identities)
        # Without a photo the person is compared with themself, so that a miss takes as long as a hit.
        decoy = frames[measurement.best_frame or 0][1]
        comparison = await examiner.compare(templates, photo or decoy)
        if photo is None:
            comparison = None
    if (
        not leases_lost
        and ending is EndReason.PHOTO_UNUSABLE
        and (sent := await sessions.photo(session.id)) is not None
    ):
        comparison = await examiner.compare((), sent)
    best = measurement.best_frame if measurement else None
    return RecordedVerdict(
        decide(evidence(leases_lost, enrolment, comparison), session.policy.threshold),
        _record(measurement, comparison, faults),
        None if best is None else frames[best][0].sequence,
        _failed_layers(measurement, session.policy.light, not faults),
    )


async def _photo(session: Session, sessions: FrameSource, identities: Identities) -> tuple[IdentityMatch, bytes | None]:
    """The photo to compare with. Reached by live people only."""
    if session.details.compare_lib is CompareLib.LOCAL:
        return IdentityMatch.NOT_ASKED, await sessions.photo(session.id)
    enrolled = await identities.lookup(session.account_id, session.details.id_card)
    if enrolled is None:
        return IdentityMatch.UNKNOWN, None
    if identity.normal_name(enrolled.name) != identity.normal_name(session.details.name):
        return IdentityMatch.WRONG_NAME, None
    if enrolled.photo is None:
        return IdentityMatch.NO_PHOTO, None
    return IdentityMatch.FOUND, enrolled.photo


def _failed_layers(measurement: Measurement | None, light: bool, transcript_holds: bool) -> tuple[str, ...]:
    if measurement is None:
        return ()
    layers = {
        f"frames:{measurement.frames_status}": measurement.frames_status == FrameFitness.USABLE,
        "transcript": transcript_holds,
        "challenge": measurement.challenge_passed,
        "depth": measurement.has_depth,
        "continuity": measurement.is_continuous,
        "doubt": not measurement.is_doubted,
        "passive": not measurement.network_refuses,
        "light": measurement.answered_light is True or not light,
    }
    return tuple(name for name, passed in layers.items() if not passed)


def _shown(
    attempt: Attempt | None, frames: Sequence[tuple[FrameRecord, bytes]], measured: Mapping[bytes, bytes]
) -> list[Frame]:
    actions = {step.index: step.action for step in attempt.steps} if attempt else {}
    return [
        Frame(
            jpeg,
            record.step,
            actions.get(record.step, "neutral"),
            record.received_at,
            measured.get(bytes(record.digest)),
        )
        for record, jpeg in frames
    ]


def _evidence(
    ending: EndReason,
    measurement: Measurement | None,
    light: bool,
    transcript_holds: bool,
    unwatched: bool,
    lost: bool = False,
    enrolment: IdentityMatch = IdentityMatch.NOT_ASKED,
    comparison: Comparison | None = None,
) -> Evidence:
    if measurement is None:
        reference = ReferenceFitness(comparison.reference) if comparison else ReferenceFitness.NONE
        return Evidence(ending, leases_lost=lost, reference=reference, is_unwatched=unwatched)
    return Evidence(
        ending,
        lost,
        FrameFitness(measurement.frames_status),
        measurement.challenge_passed,
        measurement.has_depth,
        measurement.is_continuous,
        enrolment,
        ReferenceFitness(comparison.reference) if comparison else ReferenceFitness.NONE,
        comparison.similarity if comparison else None,
        measurement.tags if transcript_holds else (*measurement.tags, NOT_CONTINUOUS),
        measurement.network_refuses,
        measurement.answered_light is True if light else None,
        measurement.is_doubted,
        transcript_holds,
        unwatched,
    )


def _record(
    measurement: Measurement | None, comparison: Comparison | None, faults: Sequence[transcript.TranscriptFault]
) -> str:
    """All numbers behind a verdict as one JSON text; the store seals it."""
    numbers = {
        "transcript": [str(fault) for fault in faults],
        "presentation": measurement.as_dict() if measurement else None,
        "comparison": asdict(comparison) if comparison else None,
    }
    return json.dumps(numbers)
