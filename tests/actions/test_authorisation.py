"""Both actions on a real store: who is served, which policy a token gets, and that none of it asks the database."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from renzheng.accounts.keys import Account
from renzheng.accounts.rules import Terms
from renzheng.actions import get_face_id_result, get_face_id_token
from renzheng.actions.get_face_id_token import GetFaceIdToken, Request
from renzheng.gateway.contract import Caller
from renzheng.gateway.errors import (
    ApiError,
    Arrears,
    BizTokenExpired,
    BizTokenIllegal,
    InvalidParameter,
    Nonactivated,
)
from renzheng.store.open import Store, open_store
from renzheng.verification.policy import Policy
from renzheng.verification.session import RESULT_SECONDS

NOW = 1_795_497_000.0
DEFAULT = Policy()
OWN = Policy(threshold=85, challenge_length=1, challenge_kinds=("turn_left",), attempts=1, attempts_a_day=2)


@dataclass
class Rooms:
    store: Store
    account: Account

    def caller(self, account_id: int | None = None, now: float = NOW) -> Caller:
        return Caller(account_id or self.account.id, "AKID", "id", "zh-CN", None, now, "127.0.0.1")

    async def issue(self, account_id: int | None = None, **fields: Any) -> str:
        self.store.keys.refresh()
        run = GetFaceIdToken(self.store.sessions, self.store.keys, lambda _: True, os.urandom, DEFAULT, 600)
        sent = {"compare_lib": "BUSINESS", "id_card": "11204416541220243X", "name": "韦小宝", **fields}
        return (await run(self.caller(account_id), Request(**sent))).face_id_token

    async def fetch(self, token: str, now: float = NOW) -> get_face_id_result.Reply:
        self.store.keys.refresh()
        shelf: Any = None  # nothing is asked for that it holds
        run = get_face_id_result.GetFaceIdResult(self.store.sessions, self.store.keys, shelf)
        return await run(self.caller(now=now), get_face_id_result.Request(token))

    async def approved(self, account_id: int, terms: Terms) -> str:
        made = await self.store.rules.create(account_id, "rule", terms, NOW)
        for move in ("submit", "approve"):
            made = await self.store.rules.move(account_id, made.id, move, NOW)
        return made.rule_id


@pytest.fixture
async def rooms(tmp_path: Path) -> AsyncIterator[Rooms]:
    store = open_store(tmp_path / "data", tmp_path / "keys", lambda: NOW, os.urandom)
    yield Rooms(store, await store.accounts.create("shop", NOW))
    await store.stop()


async def test_an_approved_rule_fixes_its_policy_and_retention_into_the_session(rooms: Rooms) -> None:
    rule_id = await rooms.approved(rooms.account.id, Terms(OWN, 2.0))
    token = await rooms.issue(rule_id=rule_id)
    await rooms.store.rules.move(rooms.account.id, int(rule_id), "disable", NOW)
    session = await rooms.store.sessions.find(token)
    assert session is not None
    assert (session.policy, session.evidence_until) == (OWN, NOW + 2 * 86400)


@pytest.mark.parametrize("rule_id", [None, ""])
async def test_without_a_rule_the_servers_policy_holds(rooms: Rooms, rule_id: str | None) -> None:
    session = await rooms.store.sessions.find(await rooms.issue(rule_id=rule_id))
    assert session is not None
    assert (session.policy, session.evidence_until) == (DEFAULT, None)


async def test_an_unknown_foreign_unapproved_or_disabled_rule_is_one_and_the_same_error(rooms: Rooms) -> None:
    other = await rooms.store.accounts.create("other", NOW)
    foreign = await rooms.approved(other.id, Terms(OWN))
    draft = await rooms.store.rules.create(rooms.account.id, "draft", Terms(OWN), NOW)
    disabled = await rooms.approved(rooms.account.id, Terms(OWN))
    await rooms.store.rules.move(rooms.account.id, int(disabled), "disable", NOW)
    answers = set()
    for rule_id in (foreign, draft.rule_id, disabled, "12345", "0x1", " 1", "壹", "1" * 500):
        with pytest.raises(InvalidParameter) as refused:
            await rooms.issue(rule_id=rule_id)
        answers.add((type(refused.value), refused.value.message("zh-CN"), refused.value.cause))
    assert answers == {(InvalidParameter, "参数错误。", next(iter(answers))[2])}
    assert await rooms.issue(other.id, rule_id=foreign)


async def test_who_is_not_activated_or_in_arrears_is_refused_by_both_actions(rooms: Rooms) -> None:
    token = await rooms.issue()
    billing, mine = rooms.store.billing, rooms.account.id

    async def answers() -> list[type[ApiError] | None]:
        found: list[type[ApiError] | None] = []
        for call in (rooms.issue(), rooms.fetch(token)):
            try:
                await call
                found.append(None)
            except ApiError as error:
                found.append(type(error))
        return found

    assert await answers() == [None, None]
    await billing.set_active(mine, False)
    assert await answers() == [Nonactivated, Nonactivated]
    await billing.set_active(mine, True)
    await billing.set_prepaid(mine)
    assert await answers() == [Arrears, None]
    await billing.top_up(mine, -1, NOW)
    assert await answers() == [Arrears, Arrears]
    await billing.top_up(mine, 2, NOW)
    assert await answers() == [None, None]


async def test_a_malformed_request_is_told_so_before_money_is_spoken_of(rooms: Rooms) -> None:
    await rooms.store.billing.set_active(rooms.account.id, False)
    with pytest.raises(InvalidParameter):
        await rooms.issue(id_card="1")


async def test_a_result_is_there_for_three_days_and_expired_from_then_on(rooms: Rooms) -> None:
    token, end = await rooms.issue(), NOW + RESULT_SECONDS
    assert (await rooms.fetch(token, end - 1)).result == "15"
    with pytest.raises(BizTokenExpired):
        await rooms.fetch(token, end)
    await rooms.store.sweeper.sweep(end)
    with pytest.raises(BizTokenExpired):
        await rooms.fetch(token, end)
    await rooms.store.sweeper.sweep(end + 31 * 86400)
    with pytest.raises(BizTokenIllegal):
        await rooms.fetch(token, end + 31 * 86400)


@pytest.mark.parametrize("id_card", ["1", "112044165412202", "1120441654122024311", "１1204416541220243X"])
@pytest.mark.parametrize("compare_lib", ["LOCAL", "BUSINESS"])
async def test_an_id_number_of_another_form_is_refused_whatever_it_is_for(
    rooms: Rooms, compare_lib: str, id_card: str
) -> None:
    with pytest.raises(InvalidParameter) as refused:
        await rooms.issue(compare_lib=compare_lib, id_card=id_card)
    assert refused.value.message("zh-CN") == "参数错误。"


async def test_storing_results_in_the_vendors_object_store_is_refused_by_name(rooms: Rooms) -> None:
    assert await rooms.issue(use_cos=False)
    with pytest.raises(InvalidParameter) as refused:
        await rooms.issue(use_cos=True)
    assert "`UseCos`" in refused.value.message("zh-CN")
    assert "`UseCos`" in refused.value.message("en-US")


async def test_the_checks_ask_memory_and_not_the_database(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    rule_id = await rooms.approved(rooms.account.id, Terms(OWN))
    rooms.store.keys.refresh()
    asked: list[str] = []
    database = rooms.store.database

    def watched(real: Any) -> Any:
        def ask(sql: str, *rest: Any) -> Any:
            asked.append(sql)
            return real(sql, *rest)

        return ask

    for name in ("fetch_one", "fetch_all"):
        monkeypatch.setattr(database, name, watched(getattr(database, name)))
    assert database.fetch_one("SELECT 1") == (1,)
    run = get_face_id_token.GetFaceIdToken(
        rooms.store.sessions, rooms.store.keys, lambda _: True, os.urandom, DEFAULT, 600
    )
    request = Request(compare_lib="BUSINESS", id_card="11204416541220243X", name="韦小宝", rule_id=rule_id)
    assert (await run(rooms.caller(), request)).face_id_token
    assert asked == ["SELECT 1"]


async def test_a_device_that_was_not_the_bound_one_is_shown_as_risky(rooms: Rooms) -> None:
    token = await rooms.issue()
    reply = await rooms.fetch(token)
    assert (reply.device_info_tag, reply.device_info_level) == (None, None)
    session = await rooms.store.sessions.find(token)
    assert session is not None
    await rooms.store.sessions.note_device_mismatch(session.id)
    reply = await rooms.fetch(token)
    assert (reply.device_info_tag, reply.device_info_level) == ("04", "3")
