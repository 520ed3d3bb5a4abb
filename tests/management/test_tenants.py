"""A merchant's person sees one account: every action that takes an account, and every list, is tried on another's."""

from __future__ import annotations

from typing import Any

import msgspec

from renzheng.verification.policy import Policy
from renzheng.verification.session import CompareLib, Details
from tests.management.conftest import PRODUCT, House

MERCHANTS = [action for action in PRODUCT.actions if "merchant" in action.roles]
# The other parameters that an action needs, with whatever ids: another account's thing is named by `Foreign` ids.
NEEDED: dict[str, dict[str, Any]] = {
    "ModifyAccount": {"Contact": "mine"},
    "EnableKey": {"SecretId": "KEY"}, "DisableKey": {"SecretId": "KEY"}, "DeleteKey": {"SecretId": "KEY"},
    "ModifyKey": {"SecretId": "KEY", "Addresses": ["10.0.0.0/8"]},
    "CreateRule": {"Name": "rule"},
    "ModifyRule": {"RuleId": "RULE"}, "SubmitRule": {"RuleId": "RULE"}, "DisableRule": {"RuleId": "RULE"},
    "DescribeRuleVersions": {"RuleId": "RULE"},
    "PutIdentity": {"IdCard": "11204416541220243X", "Name": "韦小宝"},
    "DeleteIdentity": {"IdentityId": 0},
    "PutImportPart": {"ImportId": 0, "PartNumber": 1, "Kind": "table", "Data": "aWRfY2FyZA=="},
    "CheckImport": {"ImportId": 0}, "CommitImport": {"ImportId": 0}, "DescribeImport": {"ImportId": 0},
    "CancelImport": {"ImportId": 0},
    "AuthoriseBucket": {"Bucket": "faces-1250000000", "Region": "ap-guangzhou", "KeyId": "K", "KeySecret": "S"},
}  # fmt: skip


async def _foreign(house: House) -> dict[str, Any]:
    """Things of the other account, by what they are named as above."""
    store, other = house.store, house.other.id
    key = await store.accounts.create_key(other, house.clock())
    rule = await house.do("CreateRule", {"AccountId": other, "Name": "theirs"})
    person = await house.do("PutIdentity", {"AccountId": other, "IdCard": "11204416541220243X", "Name": "韦小宝"})
    begun = await house.do("CreateImport", {"AccountId": other})
    details = Details(CompareLib.BUSINESS, "11204416541220243X", "韦小宝")
    session = await store.sessions.create(other, "TOKEN", details, None, Policy(), house.clock(), 600)
    return {
        "SecretId": key.secret_id,
        "RuleId": rule["Rule"]["RuleId"],
        "IdentityId": person["IdentityId"],
        "ImportId": begun["Import"]["ImportId"],
        "VerificationId": str(session),
    }


async def test_no_action_of_a_merchants_reaches_another_account_by_its_number(house: House) -> None:
    foreign = await _foreign(house)
    for action in MERCHANTS:
        fields = {field.encode_name for field in msgspec.structs.fields(action.request)}
        if "AccountId" not in fields:
            assert action.name in {
                "DescribeAccounts", "DescribeVerification", "EraseVerification", "DescribeResult",
                "DeliverVerification",
            }, action.name  # fmt: skip
            continue
        given = NEEDED.get(action.name, {}) | {"AccountId": house.other.id}
        given |= {name: value for name, value in foreign.items() if name in given}
        assert await house.code(action.name, given, by="merchant") == "ResourceNotFound", action.name
        event = (await house.store.audit.newest(1))[0]
        assert (event.verb, event.subject) == ("denied: another account", f"account {house.other.id}"), action.name


async def test_no_action_of_a_merchants_reaches_another_accounts_things_by_their_ids(house: House) -> None:
    foreign = await _foreign(house)
    tried = set()
    for action in MERCHANTS:
        fields = {field.encode_name for field in msgspec.structs.fields(action.request)}
        named = {name: value for name, value in foreign.items() if name in fields}
        if not named or action.name.startswith(("DescribeVerifications", "DescribeKeys")):
            continue
        tried.add(action.name)
        given = {**NEEDED.get(action.name, {}), **named}
        assert await house.code(action.name, given, by="merchant") == "ResourceNotFound", action.name
    assert len(tried) >= 15
    # and all of it is still there
    assert (await house.do("DescribeKeys", {"AccountId": house.other.id}))["Keys"][0]["Enabled"] is True
    assert (await house.do("DescribeIdentities", {"AccountId": house.other.id}))["TotalCount"] == 1
    await house.do("DescribeVerification", {"VerificationId": foreign["VerificationId"]})


async def test_a_merchants_lists_hold_nothing_of_another_account(house: House) -> None:
    foreign = {name: value for name, value in (await _foreign(house)).items() if len(str(value)) > 8}
    for name in ("DescribeAccounts", "DescribeKeys", "DescribeRules", "DescribeIdentities", "DescribeBuckets",
                 "DescribeVerifications", "DescribeUsage"):  # fmt: skip
        reply = await house.do(name, by="merchant")
        text = msgspec.json.encode(reply).decode()
        assert not any(f'"{value}"' in text or f":{value}," in text for value in foreign.values()), name
        assert f'"AccountId":{house.other.id}' not in text, name
    assert (await house.do("DescribeAccounts", by="merchant"))["Accounts"][0]["Name"] == "shop"
    assert (await house.do("DescribeAccounts"))["TotalCount"] == 2
    given = {"AccountIds": [house.other.id]}
    assert (await house.do("DescribeAccounts", given, by="merchant"))["Accounts"] == []
