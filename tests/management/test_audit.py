"""Whoever changes something is in the audit: each deed of the service with actor, verb and what it was done to."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from tests.management.conftest import House
from tests.support.again import judged

ID_CARD = "11204416541220243X"


class Deeds:
    """Does one after the other, and tells what each left in the audit."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.reply: Any = None

    async def left(self, action: str, content: dict[str, Any] | None = None, *, by: str = "owner") -> list[str]:
        """Verbs and subjects, as `verb: subject`."""
        before = [event.id for event in await self.house.store.audit.newest(1)]
        self.reply = await self.house.do(action, content, by=by)
        await asyncio.gather(*self.house.tasks)
        events = await self.house.store.audit.events(after=before[0] if before else 0)
        assert {event.actor for event in events} <= {f"operator:the {by}"}, action
        return [f"{event.verb}: {event.subject}" for event in events]


async def test_of_an_account_and_its_money(house: House) -> None:
    deeds = Deeds(house)
    given = {"Name": "bank", "Contact": "us", "Active": False, "Prepaid": 5}
    made = await deeds.left("CreateAccount", given, by="operator")
    number = deeds.reply["Account"]["Id"]
    own, it = {"AccountId": number}, f"account {number}"
    assert [one for one in made if not one.startswith("key pairs made: ")] == [
        f"account created: {it}", f"account's display set: {it}", f"account deactivated: {it}",
        f"balance prepaid: {it}", f"balance changed by 5: {it}",
    ]  # fmt: skip
    assert sum(one.startswith("key pairs made: ") and one.endswith(f" of {it}") for one in made) == 1
    for action, content, verbs in (
        ("ModifyAccount", {"Name": "other bank"}, ["account renamed"]),
        ("ModifyAccount", {"Origins": ["https://bank.example"]}, ["origins set"]),
        ("ModifyAccount", {"Contact": "others"}, ["account's display set"]),
        ("ModifyAccountBilling", {"Active": True}, ["account activated"]),
        ("ModifyAccountBilling", {"Billing": "unlimited"}, ["balance unlimited"]),
        ("ModifyAccountBilling", {"Billing": "prepaid"}, ["balance prepaid"]),
        ("TopUpAccount", {"Amount": 7}, ["balance changed by 7"]),
        ("TopUpAccount", {"Amount": -2}, ["balance changed by -2"]),
        ("ModifyAccountLimit", {"Name": "GetFaceIdToken", "Limit": 3}, ["limit of GetFaceIdToken set"]),
    ):
        assert await deeds.left(action, own | content) == [f"{verb}: {it}" for verb in verbs], action


async def test_of_a_key(house: House) -> None:
    deeds, own = Deeds(house), {"AccountId": house.account.id}
    made = await deeds.left("CreateKey", own, by="merchant")
    key = deeds.reply["Key"]["SecretId"]
    it = f"key {key} of account {house.account.id}"
    assert made == [f"key created: {it}"]
    for action, content, verb in (
        ("DisableKey", {}, "key disabled"),
        ("EnableKey", {}, "key enabled"),
        ("ModifyKey", {"Addresses": ["10.0.0.0/8"]}, "addresses set"),
        ("ModifyKey", {"UnsignedPayload": True}, "unsigned payload allowed"),
        ("ModifyKey", {"UnsignedPayload": False}, "unsigned payload forbidden"),
        ("ModifyKeyScope", {"Services": ["faceid", "renzheng"]}, "key is for faceid and renzheng"),
        ("DeleteKey", {}, "key deleted"),
    ):
        assert await deeds.left(action, {**own, "SecretId": key, **content}) == [f"{verb}: {it}"], action
    (temporary,) = await deeds.left("CreateTemporaryKey", own)
    assert temporary == f"key created: key {deeds.reply['Key']['SecretId']} of account {house.account.id}"


async def test_of_a_rule_and_who_decided_it(house: House) -> None:
    deeds, own = Deeds(house), {"AccountId": house.account.id}
    made = await deeds.left("CreateRule", {**own, "Name": "loans"}, by="operator")
    one = {**own, "RuleId": deeds.reply["Rule"]["RuleId"]}
    it = f"rule {one['RuleId']} of account {house.account.id}"
    assert made == [f"rule created: {it}"]
    for action, by, verb in (
        ("SubmitRule", "operator", "submitted"), ("RejectRule", "reviewer", "rejected"),
        ("ModifyRule", "operator", "modified"), ("SubmitRule", "operator", "submitted"),
        ("ApproveRule", "owner", "approved"), ("DisableRule", "operator", "disabled"),
    ):  # fmt: skip
        assert await deeds.left(action, one, by=by) == [f"rule {verb}: {it}"], action


async def test_of_people_who_are_enrolled(house: House) -> None:
    deeds, own = Deeds(house), {"AccountId": house.account.id}
    made = await deeds.left("PutIdentity", {**own, "IdCard": ID_CARD, "Name": "韦小宝"})
    it = f"person {deeds.reply['IdentityId']} of account {house.account.id}"
    assert made == [f"person enrolled: {it}"]
    assert await deeds.left("DeleteIdentity", {**own, "IdCard": ID_CARD}) == [f"person erased: {it}"]
    assert await deeds.left("CreateImport", own) == []
    one = {**own, "ImportId": deeds.reply["Import"]["ImportId"]}
    table = base64.b64encode(f"id_card,name,photo\n{ID_CARD},韦小宝,\n".encode()).decode()
    assert await deeds.left("PutImportPart", {**one, "PartNumber": 1, "Kind": "table", "Data": table}) == []
    enrolled, done = await deeds.left("CommitImport", one)
    assert enrolled.startswith("person enrolled: person ")
    assert done == f"import done: import {one['ImportId']} of account {house.account.id}"
    await deeds.left("CreateImport", own)
    number = deeds.reply["Import"]["ImportId"]
    cancelled = await deeds.left("CancelImport", {**own, "ImportId": number})
    assert cancelled == [f"import cancelled: import {number} of account {house.account.id}"]


async def test_of_buckets_verifications_and_operators(house: House) -> None:
    deeds, own, it = Deeds(house), {"AccountId": house.account.id}, f"account {house.account.id}"
    bucket = {"Bucket": "faces-1250000000", "Region": "ap-guangzhou", "KeyId": "K", "KeySecret": "S"}
    assert await deeds.left("AuthoriseBucket", own | bucket) == [f"bucket authorised: {it}"]
    assert await deeds.left("RevokeBucket", own) == [f"bucket revoked: {it}"]
    number = await judged(house.store, house.account.id, house.clock())
    erased = await deeds.left("EraseVerification", {"VerificationId": str(number)}, by="merchant")
    assert erased == [f"session erased: session {number} of {it}"]
    made = await deeds.left("CreateOperator", {"Name": "wei", "Role": "auditor"})
    one = {"OperatorId": deeds.reply["Operator"]["Id"]}
    person = f"operator {one['OperatorId']}"
    assert made == [f"operator added: {person}", f"operator's key made: {person}"]
    for action, content, verb in (
        ("ModifyOperator", {"Role": "reviewer"}, "operator is reviewer"),
        ("ModifyOperator", {"Disabled": True}, "operator is reviewer, disabled"),
        ("ModifyOperator", {"Disabled": False}, "operator is reviewer"),
        ("RenewOperatorKey", {}, "operator's key made"),
    ):
        assert await deeds.left(action, one | content) == [f"{verb}: {person}"], action
