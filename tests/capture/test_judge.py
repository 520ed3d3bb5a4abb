"""The judge by itself: whose turn it is, what a lost lease leads to, and what it leaves undone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from renzheng.base.unavailable import UnavailableError
from renzheng.capture.judging import ExaminerBusyError, ExaminerLostError, Judge
from renzheng.capture.verdicts import Verdicts
from renzheng.verification import decision
from renzheng.verification.decision import Verdict
from renzheng.verification.policy import Policy
from renzheng.verification.records import JudgingJob
from renzheng.verification.session import Session, State
from tests.support.measured import depth
from tests.support.server import PATIENCE

from .test_examining import ATTEMPT, GOOD, RECORDS, SESSION, Engine, Stored


class Sessions(Stored):
    """A store with sessions that wait to be judged."""

    def __init__(self, *waiting: Session) -> None:
        super().__init__()
        self.waiting = list(waiting)
        self.asked_after: list[int] = []
        self.verdicts: list[Verdict] = []
        self.released: list[int] = []
        self.stands = True
        self.offered: list[Verdict] = []
        self.excused: list[bool] = []
        self.renewed: list[float] = []
        self.today = 0
        self.live: dict[bytes, bytes] = {}
        self.forgotten: list[tuple[int, int]] = []

    async def find(self, token: str) -> Session | None:
        return None

    async def measured(self, session_id: int, attempt: int) -> dict[bytes, bytes]:
        return self.live

    async def forget_measured(self, session_id: int, attempt: int) -> None:
        self.forgotten.append((session_id, attempt))
        raise OSError("the folder is away")

    async def claim_judging(self, now: float, lease: float, after: int = 0) -> JudgingJob | None:
        self.asked_after.append(after)
        return JudgingJob(self.waiting.pop(0), ATTEMPT, 1, 0) if self.waiting else None

    async def renew_judging(self, session_id: int, epoch: int, until: float) -> bool:
        self.renewed.append(until)
        return True

    async def release_judging(self, session_id: int, epoch: int) -> bool:
        self.released.append(session_id)
        return True

    async def record_verdict(
        self, session_id: int, epoch: int, verdict: Verdict, measurement: str, best_frame: int | None, now: float
    ) -> bool:
        self.verdicts.append(verdict)
        return self.stands

    async def again(
        self,
        session_id: int,
        epoch: int,
        verdict: Verdict,
        measurement: str,
        best_frame: int | None,
        now: float,
        excused: bool = False,
    ) -> bool:
        self.offered.append(verdict)
        self.excused.append(excused)
        return self.stands

    async def attempts_today(self, account_id: int, id_hash: bytes, day: str) -> int:
        return self.today


class Steps:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def step(self, name: str, reason: str = "", browser: str = "") -> None:
        self.seen.append((name, reason))


def judge_over(sessions: Sessions, engine: Any = None, steps: Steps | None = None, **more: Any) -> Judge:
    verdicts = Verdicts(sessions, poll=0.01)
    parts = (sessions, sessions, engine or Engine(), verdicts, steps or Steps())
    return Judge(*parts, lambda: 1000.0, lambda now: "today", lost_leases=3, **more)


async def test_a_judge_measures_what_was_not_measured_live_and_then_forgets_it() -> None:
    """A frame is known by its digest. What cannot be deleted is swept, and costs nobody their verdict."""
    sessions, engine = Sessions(), Engine()
    sessions.records = [RECORDS[0], replace(RECORDS[1], digest=b"e")]
    sessions.live = {b"e": b"measured", b"of no frame": b"x"}
    assert await judge_over(sessions, engine).judge(JudgingJob(SESSION, ATTEMPT, 1, 0))
    assert [shown.measured for shown in engine.shown] == [None, b"measured"]
    assert sessions.forgotten == [(SESSION.id, SESSION.attempt)]
    sessions.stands = False
    assert not await judge_over(sessions, engine).judge(JudgingJob(SESSION, ATTEMPT, 1, 0))
    assert len(sessions.forgotten) == 1  # another judge may need it


@pytest.mark.parametrize(("lost", "result"), [(0, "0"), (2, "0"), (3, "1001"), (4, "1001")])
async def test_the_third_lost_lease_ends_it_unbilled(lost: int, result: str) -> None:
    sessions = Sessions()
    assert await judge_over(sessions).judge(JudgingJob(SESSION, ATTEMPT, 1, lost))
    assert sessions.verdicts[0].result.code == result
    assert sessions.verdicts[0].result.billed is (result == "0")


async def test_a_verdict_that_does_not_stand_is_counted_nowhere() -> None:
    sessions, steps = Sessions(), Steps()
    sessions.stands = False
    assert not await judge_over(sessions, steps=steps).judge(JudgingJob(SESSION, ATTEMPT, 1, 0))
    assert steps.seen == []
    sessions.stands = True
    assert await judge_over(sessions, steps=steps).judge(JudgingJob(SESSION, ATTEMPT, 1, 0))
    assert steps.seen == [("verdict", "0")]


NOT_LIVE = Engine(replace(GOOD, depth=depth(False)))


@pytest.mark.parametrize(
    ("left", "most_a_day", "today", "offered"),
    [(1, 0, 99, True), (0, 0, 0, False), (1, 5, 4, True), (1, 5, 5, False), (1, 5, 6, False)],
)
async def test_who_failed_liveness_may_try_again_while_the_token_and_the_day_have_attempts(
    left: int, most_a_day: int, today: int, offered: bool
) -> None:
    sessions = Sessions()
    sessions.today = today
    policy = Policy(attempts=2, attempts_a_day=most_a_day)
    session = replace(SESSION, policy=policy, counted=2 - left, id_hash=b"h")
    await judge_over(sessions, NOT_LIVE).judge(JudgingJob(session, ATTEMPT, 1, 0))
    assert [len(sessions.offered), len(sessions.verdicts)] == [int(offered), int(not offered)]


@pytest.mark.parametrize(("given_back", "offered"), [(0, True), (1, True), (2, False)])
async def test_what_fails_in_an_attempt_that_the_server_did_not_watch_is_given_back_so_often(
    given_back: int, offered: bool
) -> None:
    """Though no attempt is left: this one is not to count. After that it ends as the server's fault, unbilled."""
    sessions = Sessions()
    session = replace(SESSION, policy=Policy(attempts=1), counted=1, excused=given_back)
    await judge_over(sessions, NOT_LIVE).judge(JudgingJob(session, replace(ATTEMPT, unwatched=True), 1, 0))
    assert [verdict.result.code for verdict in sessions.offered + sessions.verdicts] == ["1001"]
    assert sessions.excused == ([True] if offered else [])
    assert not any(verdict.result.billed for verdict in sessions.offered + sessions.verdicts)


async def test_who_passes_in_an_attempt_that_was_not_watched_has_passed() -> None:
    sessions = Sessions()
    await judge_over(sessions).judge(JudgingJob(SESSION, replace(ATTEMPT, unwatched=True), 1, 0))
    assert [verdict.result.code for verdict in sessions.verdicts] == ["0"]


async def test_a_lost_judgement_is_tried_again_within_a_second_and_counts_as_lost() -> None:
    class Lost(Engine):
        async def present(self, frames: Any) -> Any:
            raise ExaminerLostError("the judge process died")

    sessions = Sessions(SESSION)
    judge = judge_over(sessions, Lost())
    await run_until(judge, lambda: sessions.renewed)
    assert sessions.renewed == [1001.0]
    assert sessions.released == [], "that would be no lost lease, and a session that kills judges would never end"


async def run_until(judge: Judge, done: Any) -> None:
    running = asyncio.create_task(judge.run())
    async with asyncio.timeout(PATIENCE):
        while not done():  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_next_turn_is_asked_for_behind_the_account_that_had_the_last() -> None:
    sessions = Sessions(replace(SESSION, account_id=3), replace(SESSION, account_id=9))
    await run_until(judge_over(sessions), lambda: len(sessions.verdicts) == 2 and len(sessions.asked_after) > 2)
    seen = list(dict.fromkeys(sessions.asked_after))
    assert seen == [0, 3, 9]


class Lost(Engine):
    """An engine whose process dies."""

    async def present(self, frames: Any) -> Any:
        raise ExaminerLostError("the judge process died")


async def test_an_engine_that_is_lost_leaves_no_verdict_and_the_lease_runs_out() -> None:
    sessions, steps = Sessions(SESSION), Steps()
    await run_until(judge_over(sessions, Lost(), steps), lambda: steps.seen)
    assert steps.seen == [("judging_lost", "")]
    assert sessions.verdicts == []
    assert sessions.released == []


class Full(Engine):
    """An engine without room; it is asked for `asked` judgements."""

    asked = 0

    async def present(self, frames: Any) -> Any:
        self.asked += 1
        raise ExaminerBusyError("no room")


async def test_an_engine_without_room_costs_no_lease_and_is_left_alone_for_a_moment() -> None:
    """An hour without room must not end a verification as one that kills judges."""
    sessions, steps, engine = Sessions(SESSION, SESSION), Steps(), Full()
    await run_until(judge_over(sessions, engine, steps), lambda: sessions.released)
    assert (steps.seen, sessions.verdicts, sessions.renewed) == ([("judging_refused", "")], [], [])
    assert (sessions.released, engine.asked) == ([SESSION.id], 1)


class Away(Sessions):
    """A store whose evidence is away, and whose records are for the first `failing` claims and renewals."""

    failing = 0

    async def frames(self, session_id: int, attempt: int) -> Any:
        raise UnavailableError("the object store is away")

    async def claim_judging(self, now: float, lease: float, after: int = 0) -> JudgingJob | None:
        self._fail()
        return await super().claim_judging(now, lease, after)

    async def renew_judging(self, session_id: int, epoch: int, until: float) -> bool:
        self._fail()
        return await super().renew_judging(session_id, epoch, until)

    def _fail(self) -> None:
        if self.failing:
            self.failing -= 1
            raise UnavailableError("the records are away")


async def test_evidence_that_is_away_costs_no_lease() -> None:
    """An hour without the object store must not end a verification as one that kills judges."""
    sessions, steps = Away(SESSION), Steps()
    await run_until(judge_over(sessions, steps=steps), lambda: sessions.released)
    assert (steps.seen, sessions.verdicts, sessions.renewed) == ([("judging_put_off", "")], [], [])
    assert sessions.released == [SESSION.id]


async def test_records_that_are_away_for_a_moment_end_no_judgement_and_no_heartbeat() -> None:
    class Slow(Engine):
        async def present(self, frames: Any) -> Any:
            sessions.failing = 2  # the next claim and the next renewal
            while len(sessions.renewed) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            return await super().present(frames)

    sessions = Away(SESSION)
    sessions.frames = Stored.frames.__get__(sessions)  # type: ignore[method-assign]
    judge = judge_over(sessions, Slow(), lease_seconds=0.03)
    await run_until(judge, lambda: sessions.verdicts)
    assert (sessions.failing, sessions.released) == (0, [])
    assert len(sessions.verdicts) == 1


class LostAtTheComparison(Engine):
    async def compare(self, templates: Any, photo: bytes) -> Any:
        raise ExaminerLostError("the decode process died")


async def test_an_engine_that_is_lost_at_the_photo_is_no_fault_of_the_photos() -> None:
    sessions, steps = Sessions(SESSION), Steps()
    await run_until(judge_over(sessions, LostAtTheComparison(), steps), lambda: steps.seen)
    assert (steps.seen, sessions.verdicts) == ([("judging_lost", "")], [])


class Endless(Engine):
    async def present(self, frames: Any) -> Any:
        await asyncio.Event().wait()


async def test_a_server_that_stops_gives_the_session_back() -> None:
    sessions = Sessions(SESSION)
    await run_until(judge_over(sessions, Endless()), lambda: len(sessions.asked_after) > 0)
    assert sessions.released == [SESSION.id]
    assert sessions.verdicts == []


def test_the_result_of_a_lost_engine_is_the_servers_affair() -> None:
    assert decision.ENGINE_LOST.code == "1001"
    assert not decision.ENGINE_LOST.billed


async def test_who_waits_for_a_verdict_is_told_when_there_is_one_or_the_token_is_gone() -> None:
    sessions = Sessions()
    verdicts = Verdicts(sessions, poll=60)
    assert await verdicts.decided("T") is None  # gone
    found: list[Session | None] = [SESSION, SESSION, replace(SESSION, state=State.PASSED)]

    async def find(token: str) -> Session | None:
        return found.pop(0)

    sessions.find = find  # type: ignore[method-assign]
    waiting = asyncio.create_task(verdicts.decided("T"))
    for left in (2, 1):
        await asyncio.sleep(0)
        assert not waiting.done()
        assert len(found) == left
        verdicts.publish(SESSION.id)
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        session = await waiting
    assert session is not None
    assert session.state is State.PASSED
