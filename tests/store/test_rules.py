"""Rules in the store: moves are compare-and-set, accounts are apart, a session keeps what it began with."""

from __future__ import annotations

import asyncio

import pytest

from renzheng.accounts.rules import RULE_MOVES, Rule, RuleState, RuleTerms
from renzheng.store import rules
from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.engine import ConflictError
from renzheng.store.sweeper import DAY, Retention
from renzheng.verification.decision import PASSED, Verdict
from renzheng.verification.policy import Policy

from .conftest import DETAILS, PHOTO, OpenWorld, World

TERMS = RuleTerms(Policy(threshold=80, attempts=1, challenge_kinds=("turn_left", "blink")), 1.5)
WAYS = {
    RuleState.DRAFT: [],
    RuleState.SUBMITTED: ["submit"],
    RuleState.APPROVED: ["submit", "approve"],
    RuleState.REJECTED: ["submit", "reject"],
    RuleState.DISABLED: ["disable"],
}


async def rule_in(world: World, state: RuleState) -> Rule:
    made = await world.store.rules.create(world.account.id, f"in {state}", TERMS, world.clock())
    for move in WAYS[state]:
        made = await world.store.rules.move(world.account.id, made.id, move, world.clock())
    assert made.state is state
    return made


@pytest.mark.parametrize("state", list(RuleState))
@pytest.mark.parametrize("move", list(RULE_MOVES))
async def test_a_move_is_made_from_its_own_states_only(world: World, state: RuleState, move: str) -> None:
    made = await rule_in(world, state)
    sources, target = RULE_MOVES[move]
    if state in sources:
        moved = await world.store.rules.move(world.account.id, made.id, move, world.clock(), "why")
        assert (moved.state, moved.note, moved.terms) == (target, "why", TERMS)
    else:
        with pytest.raises(RefusedError, match=f"is {state.value}"):
            await world.store.rules.move(world.account.id, made.id, move, world.clock())
        assert await world.store.rules.get(world.account.id, made.id) == made


async def test_an_account_has_so_many_rules_and_a_rule_so_many_versions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each list is read, and every row of it checked, as a whole."""
    assert (rules.MAX_RULES, rules.MAX_VERSIONS) <= (200, 200)
    monkeypatch.setattr(rules, "MAX_RULES", 2)
    monkeypatch.setattr(rules, "MAX_VERSIONS", 3)
    made = [await world.store.rules.create(world.account.id, f"rule {n}", TERMS, world.clock()) for n in range(2)]
    with pytest.raises(RefusedError, match="at most 2 rules"):
        await world.store.rules.create(world.account.id, "third", TERMS, world.clock())
    other = await world.store.accounts.create("other", world.clock())
    await world.store.rules.create(other.id, "third", TERMS, world.clock())
    for name in ("second", "third"):
        await world.store.rules.modify(world.account.id, made[0].id, name, TERMS, world.clock())
    with pytest.raises(RefusedError, match="at most 3 versions"):
        await world.store.rules.modify(world.account.id, made[0].id, "fourth", TERMS, world.clock())
    assert (await world.store.rules.get(world.account.id, made[0].id)).name == "third"
    assert len(await world.store.rules.versions(world.account.id, made[0].id)) == 3


@pytest.mark.parametrize("state", list(RuleState))
async def test_only_an_approved_rule_of_the_own_account_is_found_by_requests(world: World, state: RuleState) -> None:
    made = await rule_in(world, state)
    other = await world.store.accounts.create("other", world.clock())
    cache = world.store.keys
    await cache.refresh()
    assert cache.rule(world.account.id, made.rule_id) == (made if state is RuleState.APPROVED else None)
    for account_id, text in ((other.id, made.rule_id), (world.account.id, "0"), (world.account.id, " 1"), (0, "")):
        assert cache.rule(account_id, text) is None


async def test_approving_and_disabling_reach_a_server_by_the_change_counter(world: World) -> None:
    made = await rule_in(world, RuleState.SUBMITTED)
    cache = world.store.keys
    await cache.refresh()
    assert not await cache.refresh()
    for move, found in (("approve", True), ("disable", False)):
        await world.store.rules.move(world.account.id, made.id, move, world.clock())
        assert await cache.refresh()
        assert (cache.rule(world.account.id, made.rule_id) is not None) is found


async def test_another_accounts_rule_is_as_an_unknown_one(world: World) -> None:
    made = await rule_in(world, RuleState.SUBMITTED)
    rules, other = world.store.rules, await world.store.accounts.create("other", world.clock())
    assert await rules.of_account(other.id) == []
    with pytest.raises(NotFoundError):
        await rules.get(other.id, made.id)
    with pytest.raises(NotFoundError):
        await rules.move(other.id, made.id, "approve", world.clock())
    assert await rules.of_account(world.account.id) == [made]
    with pytest.raises(ConflictError):
        await rules.create(99, "nobody's", TERMS, world.clock())


async def test_names_are_the_accounts_own_and_have_a_form(world: World) -> None:
    rules = world.store.rules
    await rules.create(world.account.id, "开户", TERMS, world.clock())
    other = await world.store.accounts.create("other", world.clock())
    await rules.create(other.id, "开户", TERMS, world.clock())
    for name in ("开户", "", "  ", "x" * 65, "a\nb"):
        with pytest.raises(RefusedError):
            await rules.create(world.account.id, name, TERMS, world.clock())


async def test_one_reviewer_of_sixteen_decides(world: World) -> None:
    made = await rule_in(world, RuleState.SUBMITTED)
    moves = ["approve", "reject"] * 8
    results = await asyncio.gather(
        *(world.store.rules.move(world.account.id, made.id, move, world.clock()) for move in moves),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Rule) for result in results) == 1
    assert sum(isinstance(result, RefusedError) for result in results) == 15


async def test_a_session_keeps_the_policy_and_the_retention_that_it_began_with(open_world: OpenWorld) -> None:
    world = await open_world(retention=Retention(evidence_days=3))
    made = await rule_in(world, RuleState.APPROVED)
    sessions, start = world.store.sessions, world.clock()
    ids = {
        token: await sessions.create(world.account.id, token, DETAILS, PHOTO, made.terms.policy, start, 600, made.id, d)
        for token, d in (("LESS", 1.5), ("MORE", 3.5))
    }
    await world.store.rules.move(world.account.id, made.id, "disable", start)
    found = await sessions.find("LESS")
    assert found is not None
    assert (found.policy, found.evidence_until) == (TERMS.policy, start + 1.5 * DAY)
    assert world.count("SELECT rule_id FROM sessions WHERE id = ?", ids["LESS"]) == made.id
    for session_id in ids.values():
        world.force("UPDATE sessions SET state = 'judging' WHERE id = ?", session_id)
        assert await sessions.record_verdict(session_id, 0, Verdict(PASSED, 90.0), "{}", None, start)
    sweep = world.store.sweeper.sweep
    assert (await sweep(start + 1.5 * DAY - 1)).evidence == 0
    assert (await sweep(start + 1.5 * DAY)).evidence == 1
    assert await sessions.photo(ids["LESS"]) is None
    assert (await sweep(start + 3.5 * DAY - 1)).evidence == 0
    assert await sessions.photo(ids["MORE"]) == PHOTO
    assert (await sweep(start + 3.5 * DAY)).evidence == 1
