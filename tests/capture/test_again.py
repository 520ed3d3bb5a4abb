"""A failed liveness with attempts left offers another with a new challenge; only the last verdict is final."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from renzheng.capture.judging import Judge
from renzheng.engine.measurement import Comparison, Frame, Measurement
from renzheng.verification.policy import Policy
from tests.capture.inside import PACE, Person, World, world
from tests.support.measured import compared, depth, live

UNHURRIED = replace(PACE, step_seconds=30)  # no step of these may run out, however busy the machine is


class Examiner:
    """Finds people alive where `lives` says so, and never the photo's."""

    def __init__(self) -> None:
        self.lives = False
        self.seen: list[set[str]] = []

    async def present(self, frames: Sequence[Frame]) -> tuple[Measurement, tuple[bytes, ...]]:
        self.seen.append({frame.action for frame in frames})
        return live(depth=depth(self.lives)), (b"t",)

    async def compare(self, templates: Sequence[bytes], photo: bytes) -> Comparison:
        return compared(12.0)


@pytest.fixture
async def inside(tmp_path: Path) -> AsyncIterator[World]:
    policy = Policy(challenge_length=1, challenge_kinds=("turn_left",), attempts=2, attempts_a_day=0)
    async with world(tmp_path, policy, judged=True, pace=UNHURRIED) as opened:
        await opened.issue()
        yield opened


def judge_of(inside: World, examiner: Examiner) -> Judge:
    store = inside.store
    return Judge(
        *(store.sessions, store.identities, examiner, inside.verdicts, inside.steps),
        *(inside.clock, lambda _: "today"),
    )


async def hand_in(person: Person, inside: World) -> None:
    """One attempt, every action of which is seen."""
    await person.action()
    inside.lookout.sees = True
    person.frame()
    while (message := await person.next())["type"] != "judging":
        if message["type"] == "step":
            person.frame()
    inside.lookout.sees = False


async def judge(inside: World, examiner: Examiner) -> None:
    job = await inside.store.sessions.claim_judging(inside.clock(), 15)
    assert job is not None
    assert await judge_of(inside, examiner).judge(job)


async def result_of(inside: World) -> Any:
    account = (await inside.store.accounts.all())[0]
    return await inside.store.sessions.result(account.id, "TOKEN")


async def test_who_was_not_found_alive_tries_again_and_the_last_verdict_counts(inside: World) -> None:
    examiner = Examiner()
    async with inside.person() as person:
        await person.until("welcome")
        await hand_in(person, inside)
        await judge(inside, examiner)
        over = await person.until("attempt_over")
        assert (over["reason"], over["counted"], over["attempts_left"], over["advice"]) == (
            "not_passed",
            True,
            1,
            "light",
        )
        found = await result_of(inside)
        assert (str(found.session.state), found.verdict) == ("capturing", None)
        await hand_in(person, inside)
        await judge(inside, examiner)
        assert (await person.until("outcome"))["passed"] is False
    found = await result_of(inside)
    assert (str(found.session.state), found.verdict.result, found.verdict.attempt) == ("failed", "1005", 3)
    assert examiner.seen == [{"neutral", "turn_left"}] * 2


async def test_a_failed_comparison_is_final_at_the_first_attempt(inside: World) -> None:
    examiner = Examiner()
    examiner.lives = True
    async with inside.person() as person:
        await person.until("welcome")
        await hand_in(person, inside)
        await judge(inside, examiner)
        assert (await person.until("outcome"))["passed"] is False
    assert str((await result_of(inside)).session.state) == "failed"


async def test_who_comes_back_while_the_first_attempt_is_judged_is_told_that_another_is_left(inside: World) -> None:
    async with inside.person() as person:
        device = (await person.until("welcome"))["device"]
        await hand_in(person, inside)
    async with inside.person(device=device) as person:
        assert (await person.until("welcome"))["state"] == "judging"
        await judge(inside, Examiner())
        assert await person.over() == ("not_passed", True, 1)
        await hand_in(person, inside)
    await judge(inside, Examiner())
    async with inside.person(device=device) as person:
        assert (await person.until("outcome"))["passed"] is False


async def test_the_days_attempts_bound_further_ones(tmp_path: Path) -> None:
    policy = Policy(challenge_length=1, challenge_kinds=("turn_left",), attempts=3, attempts_a_day=1)
    async with world(tmp_path, policy, judged=True, pace=UNHURRIED) as inside:
        await inside.issue()
        async with inside.person() as person:
            await person.until("welcome")
            await hand_in(person, inside)
            await judge(inside, Examiner())
            assert await person.until("outcome") == {
                "type": "outcome",
                "passed": False,
                "retry": "never",
                "advice": "light",
            }
        assert (await result_of(inside)).verdict.result == "1005"
