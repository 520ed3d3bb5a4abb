"""Judging: claims a session whose capture is complete, measures its stored frames, and records the verdict.

It reads only what was stored, so it can be repeated with the same numbers. A lease with an epoch guards it: a judge
that died, or was thought dead, records nothing.
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
"""Frames of earlier verifications that a session may contain: a camera that sometimes shows a test picture is no
replay."""

LOST_SECONDS = 1.0
"""Seconds after which another judge tries a session whose examination was lost."""

BUSY_SECONDS = 1.0
"""Seconds for which a judge pauses after the engine had no room or the store did not answer."""

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
    """The engine's judging side, at low priority. Raises ExaminerLostError if its process died or took too long.

    `present` also returns the templates of the frames to compare. They are for `compare` alone and kept nowhere.
    """

    async def present(self, frames: Sequence[Frame]) -> tuple[Measurement, tuple[bytes, ...]]: ...
    async def compare(self, templates: Sequence[bytes], photo: bytes) -> Comparison: ...


class ExaminerLostError(Exception):
    """The engine gave no answer. The lease counts as lost, and another judge tries again."""


class ExaminerBusyError(ExaminerLostError):
    """The engine had no room, and nothing was begun. The session is given back, and its lease does not count as
    lost."""


class Judge:
    """Judges the sessions that wait, `at_once` of them at a time."""

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
        """`max_excused`: most attempts of a token that do not count because the server could not watch them. `meter`:
        measures each judgement."""
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
                    self._served = job.session.account_id  # the next claim prefers other accounts
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
        """Claim a session. None also if the store does not answer; judgements under way go on."""
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
            # The server stops regularly, so the lease does not count as lost.
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
                # The lease counts as lost, but it is shortened, so that another judge need not wait for its end.
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
        """Give a session back without a lost lease. If the store does not answer either, the lease runs out."""
        with contextlib.suppress(UnavailableError):
            await self._sessions.release_judging(job.session.id, job.epoch)
        await asyncio.sleep(BUSY_SECONDS)  # this place takes no other session meanwhile

    async def _renew(self, job: JudgingJob) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            with contextlib.suppress(UnavailableError):  # the next renewal may come in time
                if not await self._sessions.renew_judging(job.session.id, job.epoch, self._clock() + self._lease):
                    return

    async def judge(self, job: JudgingJob) -> bool:
        """Examine the session, decide, and record. True if this judge's verdict is the one that was recorded."""
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
            with contextlib.suppress(Exception):  # leftovers are swept later
                await self._sessions.forget_measured(session_id, attempt)
        return recorded

    async def _may_begin(self, session: Session, excused: bool) -> bool:
        """Return whether the token, and the day of its ID number, allow another attempt.

        `excused`: this attempt does not count.
        """
        if session.excused >= self._max_excused if excused else session.attempts_left(session.policy.attempts) == 0:
            return False
        most = session.policy.attempts_a_day
        if not most or session.id_hash is None:
            return True
        return await self._sessions.attempts_today(session.account_id, session.id_hash, self._day(self._clock())) < most


@dataclass(frozen=True, slots=True)
class RecordedVerdict:
    """A verdict and the numbers behind it. `best_frame`: a frame's sequence. `failed_layers`: of liveness, for the
    operator."""

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
    """Measure what was stored, and decide. It only reads, so it can be repeated: same frames, same numbers.

    `measured`: what was measured of the frames live, by their digests. The numbers are the same without it.
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
            measurement, templates = await examiner.present(_frames_to_measure(attempt, frames, measured or {}))
    told = attempt or Attempt(session.id, session.attempt, session.created_at, ())
    faults = transcript.faults(told.actions, told.steps, [record for record, _ in frames])
    if frames and await sessions.seen_before(session.id, number) > seen_frames:
        faults = (*faults, transcript.TranscriptFault.SEEN)
    unwatched = attempt is not None and attempt.unwatched
    evidence = partial(_evidence, ending, measurement, session.policy.light, not faults, unwatched)
    if evidence().is_live and measurement is not None:
        enrolment, photo = await _photo(session, sessions, identities)
        # Without a photo, compare the person with themself, so that a miss takes as long as a hit.
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
    """Return the photo to compare with. Called for live people only."""
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


def _frames_to_measure(
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
    """Return all numbers behind a verdict as one JSON text, which the store seals."""
    numbers = {
        "transcript": [str(fault) for fault in faults],
        "presentation": measurement.as_dict() if measurement else None,
        "comparison": asdict(comparison) if comparison else None,
    }
    return json.dumps(numbers)
