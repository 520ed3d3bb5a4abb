"""Both actions on a real store: who is served, which policy a token gets, and that none of it asks the database."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from renzheng.accounts.buckets import BucketKey, cos_bucket
from renzheng.accounts.keys import Account
from renzheng.accounts.rules import RuleTerms
from renzheng.actions import get_face_id_result
from renzheng.actions.errors import ArrearsError, BizTokenExpiredError, BizTokenIllegalError, NonactivatedError
from renzheng.actions.get_face_id_token import GetFaceIdToken, Request
from renzheng.actions.ports import Parts
from renzheng.base.unavailable import UnavailableError
from renzheng.gateway.contract import Caller
from renzheng.gateway.errors import (
    ApiError,
    InvalidParameterError,
    LimitExceededError,
)
from renzheng.store.open import Store, open_store
from renzheng.verification.policy import Policy
from renzheng.verification.session import RESULT_SECONDS

NOW = 1_795_497_000.0
DEFAULT = Policy()
OWN = Policy(threshold=85, challenge_length=1, challenge_kinds=("turn_left",), attempts=1, attempts_a_day=2)


class AnyPhoto:
    """What a photo shows is nothing to these requests."""

    async def fault(self, photo: bytes) -> tuple[str, str] | None:
        return None


@dataclass
class Rooms:
    store: Store
    account: Account

    def caller(self, account_id: int | None = None, now: float = NOW) -> Caller:
        return Caller(account_id or self.account.id, "AKID", "id", "zh-CN", None, now, "127.0.0.1")

    @property
    def parts(self) -> Parts:
        nothing: Any = None  # nothing is asked for that a shelf or a bucket holds
        return Parts(
            sessions=self.store.sessions,
            accounts=self.store.keys,
            photos=AnyPhoto(),
            shelf=nothing,
            deliveries=nothing,
            calls=self.store.calls,
            entropy=os.urandom,
            policy=DEFAULT,
            token_seconds=600,
            delivery_seconds=0,
        )

    async def issue(self, account_id: int | None = None, **fields: Any) -> str:
        await self.store.keys.refresh()
        run = GetFaceIdToken(self.parts)
        sent = {"compare_lib": "BUSINESS", "id_card": "11204416541220243X", "name": "韦小宝", **fields}
        request = Request(**sent)
        request.check()
        return (await run(self.caller(account_id), request)).face_id_token

    async def fetch(self, token: str, now: float = NOW) -> get_face_id_result.Reply:
        await self.store.keys.refresh()
        run = get_face_id_result.GetFaceIdResult(self.parts)
        return await run(self.caller(now=now), get_face_id_result.Request(token))

    async def approved(self, account_id: int, terms: RuleTerms) -> str:
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
    rule_id = await rooms.approved(rooms.account.id, RuleTerms(OWN, 2.0))
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
    foreign = await rooms.approved(other.id, RuleTerms(OWN))
    draft = await rooms.store.rules.create(rooms.account.id, "draft", RuleTerms(OWN), NOW)
    disabled = await rooms.approved(rooms.account.id, RuleTerms(OWN))
    await rooms.store.rules.move(rooms.account.id, int(disabled), "disable", NOW)
    answers = set()
    for rule_id in (foreign, draft.rule_id, disabled, "12345", "0x1", " 1", "壹", "1" * 500):
        with pytest.raises(InvalidParameterError) as refused:
            await rooms.issue(rule_id=rule_id)
        answers.add((type(refused.value), refused.value.message("zh-CN"), refused.value.cause))
    assert answers == {(InvalidParameterError, "参数错误。", next(iter(answers))[2])}
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
    assert await answers() == [NonactivatedError, NonactivatedError]
    await billing.set_active(mine, True)
    await billing.set_prepaid(mine)
    assert await answers() == [ArrearsError, None]
    await billing.top_up(mine, -1, NOW)
    assert await answers() == [ArrearsError, ArrearsError]
    await billing.top_up(mine, 2, NOW)
    assert await answers() == [None, None]


async def test_use_cos_needs_an_authorised_bucket_and_is_told_so_in_both_languages(rooms: Rooms) -> None:
    other = await rooms.store.accounts.create("other", NOW)
    bucket = cos_bucket("faces-1250000000", "ap-guangzhou")
    await rooms.store.buckets.authorise(other.id, bucket, BucketKey("AKID", "secret"), NOW)
    with pytest.raises(InvalidParameterError) as refused:
        await rooms.issue(use_cos=True)
    assert "UseCos" in refused.value.message("zh-CN")
    assert "存储桶" in refused.value.message("zh-CN")
    assert "bucket" in refused.value.message("en-US")
    for asked in (True, False, None):
        session = await rooms.store.sessions.find(await rooms.issue(other.id, use_cos=asked))
        assert session is not None
        assert session.to_bucket is bool(asked)


async def test_a_malformed_request_is_told_so_before_money_is_spoken_of(rooms: Rooms) -> None:
    await rooms.store.billing.set_active(rooms.account.id, False)
    with pytest.raises(InvalidParameterError):
        await rooms.issue(id_card="1")


async def test_a_result_is_there_for_three_days_and_expired_from_then_on(rooms: Rooms) -> None:
    token, end = await rooms.issue(), NOW + RESULT_SECONDS
    assert (await rooms.fetch(token, end - 1)).result == "15"
    with pytest.raises(BizTokenExpiredError):
        await rooms.fetch(token, end)
    await rooms.store.sweeper.sweep(end)
    with pytest.raises(BizTokenExpiredError):
        await rooms.fetch(token, end)
    await rooms.store.sweeper.sweep(end + 31 * 86400)
    with pytest.raises(BizTokenIllegalError):
        await rooms.fetch(token, end + 31 * 86400)


@pytest.mark.parametrize(
    "id_card",
    [
        "１１２０４４１６５４１２２０２４３Ｘ",
        "1120441654122024３X",
        " 11204416541220243X",
        "11204416541220243X\n",
        "112044165412\u200b20243X",
        "\ufeff11204416541220243X",
        "1120441654 1220243X",
    ],
)
@pytest.mark.parametrize("compare_lib", ["LOCAL", "BUSINESS"])
async def test_an_id_number_spelled_with_other_characters_is_refused_and_told_so(
    rooms: Rooms, compare_lib: str, id_card: str
) -> None:
    """What the documentation calls 18 characters: a caller that passes here must not fail there."""
    with pytest.raises(InvalidParameterError) as caught:
        await rooms.issue(compare_lib=compare_lib, id_card=id_card)
    assert caught.value.why is not None
    assert "full-width" in caught.value.why[0]
    assert "全角" in caught.value.why[1]
    assert "204" not in str(caught.value) + "".join(caught.value.why)


@pytest.mark.parametrize("id_card", ["1", "112044165412202", "1120441654122024311", "１1204416541220243X"])
@pytest.mark.parametrize("compare_lib", ["LOCAL", "BUSINESS"])
async def test_an_id_number_of_another_form_is_refused_whatever_it_is_for(
    rooms: Rooms, compare_lib: str, id_card: str
) -> None:
    with pytest.raises(InvalidParameterError) as refused:
        await rooms.issue(compare_lib=compare_lib, id_card=id_card)
    assert refused.value.message("zh-CN") == "参数错误。"


async def test_storing_results_in_the_vendors_object_store_is_refused_by_name(rooms: Rooms) -> None:
    assert await rooms.issue(use_cos=False)
    with pytest.raises(InvalidParameterError) as refused:
        await rooms.issue(use_cos=True)
    assert "`UseCos`" in refused.value.message("zh-CN")
    assert "`UseCos`" in refused.value.message("en-US")


async def test_the_checks_ask_memory_and_not_the_database(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    rule_id = await rooms.approved(rooms.account.id, RuleTerms(OWN))
    await rooms.store.keys.refresh()
    asked: list[str] = []
    database = rooms.store.database

    def watched(real: Any) -> Any:
        def ask(sql: str, **values: Any) -> Any:
            asked.append(sql)
            return real(sql, **values)

        return ask

    for name in ("one", "all"):
        monkeypatch.setattr(database, name, watched(getattr(database, name)))
    assert await database.one("SELECT 1") == (1,)
    run = GetFaceIdToken(rooms.parts)
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


async def test_a_full_disk_is_no_fault_of_the_caller_and_an_accounts_own_limit_is(rooms: Rooms) -> None:
    photo: dict[str, Any] = {"compare_lib": "LOCAL", "image_base64": msgspec.Raw(b'"QUJD"')}
    free = rooms.store.room._statvfs
    rooms.store.room._statvfs = lambda _: os.statvfs_result((4096, 4096, 1000, 40, 40, 0, 0, 0, 0, 255))
    with pytest.raises(UnavailableError) as refused:  # the gateway answers ServiceUnavailable
        await rooms.issue(**photo)
    assert str(refused.value) == "the disk of the data folder has 163840 bytes left, and 204800 are kept free"
    assert await rooms.issue()  # without a photo
    rooms.store.room._statvfs = free
    await rooms.store.billing.set_limit(rooms.account.id, "EvidenceBytes", 10)
    with pytest.raises(LimitExceededError):
        await rooms.issue(**photo)
    await rooms.store.billing.set_limit(rooms.account.id, "EvidenceBytes", 100)
    assert await rooms.issue(**photo)
