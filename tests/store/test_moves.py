"""The store carries out the moves of the domain's table, and no other."""

from __future__ import annotations

import pytest

from renzheng.verification.decision import NOT_LIVE, PASSED, Verdict
from renzheng.verification.policy import Policy
from renzheng.verification.records import SessionOutcome
from renzheng.verification.session import MOVES, EndReason, State

from .conftest import DETAILS, World


async def attempt_move(world: World, session_id: int, name: str) -> bool:
    """Ask the store for a move with everything right but, maybe, the state and the time."""
    sessions, now = world.store.sessions, world.clock()
    if name in ("begin", "retry"):
        number = 0 if name == "begin" else 1
        return await sessions.begin_attempt(session_id, number, ("blink", "turn_left"), now) is not None
    if name == "submit":
        return await sessions.submit(session_id, 1, EndReason.COMPLETED, now)
    if name == "expire":
        return await sessions.expire(now, 10) == 1
    if name == "lapse":
        return await sessions.lapse(now, 10) == 1
    if name == "again":
        return await sessions.again(session_id, 1, NOT_ALIVE, "{}", None, now)
    verdict = Verdict(PASSED, 80.0) if name == "accept" else Verdict(NOT_LIVE, 0.0)
    return await sessions.record_verdict(session_id, 1, verdict, "{}", None, now)


NOT_ALIVE = Verdict(NOT_LIVE, 0.0, ("02",), "light", may_retry=True)


async def sign_a_verdict(world: World, session_id: int) -> None:
    """Leave a verdict as a judged attempt does."""
    world.force(
        "INSERT INTO verdicts (session_id, result, description, similarity, tags, attempt, judged_at, billed)"
        " VALUES (?, '1005', '', 0, '', 1, 0, 0)",
        session_id,
    )
    authenticity = world.store.sessions._authenticity
    await world.store.database.write(lambda tx: authenticity.sign(tx, "verdicts", session_id))


@pytest.mark.parametrize("name", MOVES)
async def test_a_move_is_made_from_its_sources_and_from_no_other_state(world: World, name: str) -> None:
    move = MOVES[name]
    for state in State:
        session_id = await world.capture(f"T{state}", frames=1)
        attempt = 0 if name == "begin" else 1
        if name == "begin":
            world.force("DELETE FROM attempts")
        world.force(
            "UPDATE sessions SET state = ?, attempt = ?, epoch = 1, counted = 0, judged = ? WHERE id = ?",
            *(state.value, attempt, int(name == "lapse"), session_id),
        )
        if name == "lapse":
            await sign_a_verdict(world, session_id)
        world.clock.now += 600 if name in ("expire", "lapse") else 0
        allowed = state in move.sources
        assert await attempt_move(world, session_id, name) is allowed, state
        assert world.state(session_id) == (move.target.value if allowed else state.value)
        raised = 1 if allowed and move.new_attempt else 0
        assert world.count("SELECT attempt FROM sessions WHERE id = ?", session_id) == attempt + raised


@pytest.mark.parametrize("name", [name for name, move in MOVES.items() if move.while_alive])
async def test_expiry_guards_the_moves_that_need_a_live_token(world: World, name: str) -> None:
    session_id = await world.capture()
    state = min(MOVES[name].sources)
    if name == "begin":
        world.force("DELETE FROM attempts")
    world.force("UPDATE sessions SET state = ?, attempt = ?, epoch = 1", state.value, 0 if name == "begin" else 1)
    world.clock.now += 600
    assert not await attempt_move(world, session_id, name)
    world.clock.now -= 0.5
    assert await attempt_move(world, session_id, name)


async def test_a_verdict_that_began_in_time_is_finished_after_the_token_has_died(world: World) -> None:
    session_id = await world.hand_in()
    world.clock.now += 3600
    assert await world.store.sessions.expire(world.clock(), 10) == 0
    job = await world.store.sessions.claim_judging(world.clock(), 15)
    assert job is not None
    assert await world.store.sessions.record_verdict(
        session_id, job.epoch, Verdict(PASSED, 88.5, ("01",)), '{"a":1}', 2, world.clock()
    )
    outcome = await world.store.sessions.result(world.account.id, "TOKEN")
    assert isinstance(outcome, SessionOutcome)
    assert outcome.session.state is State.PASSED
    assert outcome.verdict is not None
    assert (outcome.verdict.result, outcome.verdict.similarity, outcome.verdict.tags) == ("0", 88.5, ("01",))
    assert (outcome.verdict.best_frame, outcome.verdict.attempt, outcome.verdict.billed) == (2, 1, True)
    assert await world.store.sessions.measurement(session_id) == '{"a":1}'


async def test_a_live_token_is_not_expired_and_a_dead_one_is_in_bounded_portions(world: World) -> None:
    for number in range(3):
        await world.issue(f"T{number}")
    assert await world.store.sessions.expire(world.clock() + 599, 10) == 0
    assert await world.store.sessions.expire(world.clock() + 600, 2) == 2
    assert await world.store.sessions.expire(world.clock() + 600, 2) == 1


@pytest.mark.sqlite
async def test_expiry_and_claims_read_an_index_and_not_the_whole_table(world: World) -> None:
    from renzheng.store.judgements import _CLAIMABLE
    from renzheng.store.records import move_where

    queries = {
        f"SELECT id FROM sessions WHERE {move_where('expire')} AND expires_at <= 1 ORDER BY expires_at LIMIT 9": (
            "_open"
        ),
        f"SELECT id FROM sessions WHERE {move_where('lapse')} AND judged > 0 AND expires_at <= 1 ORDER BY expires_at": (
            "_lapsing"
        ),
        f"SELECT id FROM sessions WHERE {_CLAIMABLE} ORDER BY submitted_at, id LIMIT 1": "_judging",
    }
    for query, index in queries.items():
        plan = await world.store.database.all("EXPLAIN QUERY PLAN " + query, now=1.0)
        assert any(f"USING INDEX sessions{index}" in row[3] for row in plan), plan


async def test_of_dead_tokens_those_that_died_first_are_ended_first(world: World) -> None:
    sessions, own, now = world.store.sessions, world.account.id, world.clock()
    made = [
        await sessions.create(own, f"T{lifetime}", DETAILS, None, Policy(), now, lifetime) for lifetime in (30, 10, 20)
    ]
    assert await sessions.expire(now + 60, 1) == 1
    assert [world.state(number) for number in made] == ["issued", "expired", "issued"]
    assert await sessions.expire(now + 60, 1) == 1
    assert [world.state(number) for number in made] == ["issued", "expired", "expired"]
