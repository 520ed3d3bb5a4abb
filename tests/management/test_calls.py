"""What the actions do, from the first account to an erased verification, called as a client calls them."""

from __future__ import annotations

import base64
import json

import pytest

from renzheng.accounts.operators import Role
from renzheng.explorer.description import Limits, describe
from renzheng.gateway.manifest import error_texts
from renzheng.operations import people
from renzheng.store import ledger
from renzheng.store.engine import Transaction
from renzheng.verification.policy import Policy
from renzheng.verification.session import CompareLib, Details
from tests.gateway.support import NOW
from tests.management.conftest import PRODUCT, House

ID_CARD, NAME = "11204416541220243X", "韦小宝"


def test_every_action_and_every_parameter_has_its_sentence_in_both_languages() -> None:
    description = describe([PRODUCT], error_texts([PRODUCT]), Limits(1, 1, 1))
    assert len(description.actions) == len(PRODUCT.actions) > 40
    for action, manifest in zip(description.actions, PRODUCT.actions, strict=True):
        assert action.text.zh.endswith("。")
        assert action.text.en.endswith(".")
        assert set(manifest.parameters) == {parameter.name for parameter in action.parameters}, action.name
        for parameter in action.parameters:
            assert parameter.text.zh.endswith("。"), (action.name, parameter.name)
            assert parameter.text.en.endswith("."), (action.name, parameter.name)


async def test_an_account_is_made_changed_and_billed(house: House) -> None:
    made = (await house.do("CreateAccount", {"Name": "bank", "Prepaid": 5, "DisplayNameZh": "青禾银行"}))["Account"]
    number = made["Id"]
    assert (made["Balance"], made["Active"], made["DisplayNames"]["zh-CN"]) == (5, True, "青禾银行")
    assert await house.code("CreateAccount", {"Name": "bank"}) == "OperationDenied"
    changed = await house.do("ModifyAccount", {"AccountId": number, "Origins": ["https://shop.example"]})
    assert changed["Account"]["Origins"] == ["https://shop.example"]
    assert changed["Account"]["DisplayNames"]["zh-CN"] == "青禾银行"
    topped = await house.do("TopUpAccount", {"AccountId": number, "Amount": 7})
    assert topped["Account"]["Balance"] == 12
    off = await house.do("ModifyAccountBilling", {"AccountId": number, "Active": False, "Billing": "unlimited"})
    assert (off["Account"]["Active"], off["Account"]["Balance"]) == (False, None)
    limited = await house.do("ModifyAccountLimit", {"AccountId": number, "Name": "GetFaceIdToken", "Limit": 3})
    assert limited["Account"]["Limits"] == {"GetFaceIdToken": 3}
    assert await house.code("ModifyAccountLimit", {"AccountId": number, "Name": "Nothing"}) == "InvalidParameterValue"
    assert await house.code("DescribeAccount", {}) == "MissingParameter"
    assert await house.code("DescribeAccount", {"AccountId": 99}) == "ResourceNotFound"
    events = (await house.do("DescribeEvents", {"Subject": f"account {number}"}))["Events"]
    assert {event["Actor"] for event in events} == {"operator:the owner"}


async def test_a_key_is_shown_once_and_ends_when_it_is_deleted(house: House) -> None:
    own = {"AccountId": house.account.id}
    made = await house.do("CreateKey", {**own, "Addresses": ["10.0.0.0/8"]}, by="merchant")
    secret_id, secret_key = made["Key"]["SecretId"], made["SecretKey"]
    assert (len(secret_key), made["Key"]["Services"]) == (32, ["faceid"])
    listed = await house.do("DescribeKeys", own)
    assert secret_key not in json.dumps(listed)
    await house.do("DisableKey", {**own, "SecretId": secret_id})
    assert (await house.do("DescribeKeys", {**own, "Enabled": True}))["TotalCount"] == 0
    await house.do("EnableKey", {**own, "SecretId": secret_id})
    changed = await house.do("ModifyKey", {**own, "SecretId": secret_id, "Addresses": [], "UnsignedPayload": True})
    assert (changed["Key"]["Addresses"], changed["Key"]["UnsignedPayload"]) == ([], True)
    temporary = await house.do("CreateTemporaryKey", {**own, "DurationSeconds": 60})
    assert temporary["Token"]
    assert temporary["Key"]["ExpiresAt"] == pytest.approx(NOW + 60)
    await house.do("DeleteKey", {**own, "SecretId": secret_id})
    assert await house.code("DeleteKey", {**own, "SecretId": secret_id}) == "ResourceNotFound"
    await house.store.keys.refresh()
    assert house.store.keys.find(secret_id) is None


async def test_a_rule_is_reviewed_by_somebody_else_and_every_version_is_kept(house: House) -> None:
    own = {"AccountId": house.account.id}
    rule = (await house.do("CreateRule", {**own, "Name": "loans", "Threshold": 85.0}, by="owner"))["Rule"]
    one = {**own, "RuleId": rule["RuleId"]}
    await house.do("SubmitRule", one)
    assert await house.code("ApproveRule", one, by="owner") == "OperationDenied"
    assert await house.code("ModifyRule", {**one, "Attempts": 2}) == "OperationDenied"
    rejected = await house.do("RejectRule", {**one, "Note": "too strict"}, by="reviewer")
    assert (rejected["Rule"]["State"], rejected["Rule"]["Note"]) == ("rejected", "too strict")
    again = await house.do("ModifyRule", {**one, "Threshold": 80.0}, by="operator")
    assert (again["Rule"]["State"], again["Rule"]["Policy"]["Threshold"]) == ("draft", 80.0)
    await house.do("SubmitRule", one, by="operator")
    assert (await house.do("ApproveRule", one, by="owner"))["Rule"]["State"] == "approved"  # it is the operator's now
    await house.store.keys.refresh()
    assert house.store.keys.rule(house.account.id, rule["RuleId"]) is not None
    versions = (await house.do("DescribeRuleVersions", one))["Versions"]
    assert [(v["Version"], v["Author"], v["Decision"], v["DecidedBy"]) for v in versions] == [
        (2, "operator:the operator", "approved", "operator:the owner"),
        (1, "operator:the owner", "rejected", "operator:the reviewer"),
    ]
    assert versions[1]["Policy"]["Threshold"] == 85.0
    assert await house.code("ApproveRule", one, by="reviewer") == "OperationDenied"  # it is approved already
    assert (await house.do("DisableRule", one))["Rule"]["State"] == "disabled"
    assert await house.code("CreateRule", {**own, "Name": "x", "Threshold": 10.0}) == "OperationDenied"
    assert (await house.do("DescribeRules", {**own, "State": "disabled"}))["TotalCount"] == 1


async def test_who_is_alone_approves_their_own_rule(house: House) -> None:
    (reviewer,) = [one for one in await house.store.operators.all() if one.role is Role.REVIEWER]
    await house.store.operators.modify(reviewer.id, disabled=True)  # whoever is left may not review
    rule = (await house.do("CreateRule", {"AccountId": house.account.id, "Name": "mine"}))["Rule"]
    one = {"AccountId": house.account.id, "RuleId": rule["RuleId"]}
    await house.do("SubmitRule", one)
    assert (await house.do("ApproveRule", one))["Rule"]["State"] == "approved"


async def test_people_are_listed_by_page_masked_and_erased(house: House) -> None:
    own = {"AccountId": house.account.id}
    numbers = [
        (await house.do("PutIdentity", {**own, "IdCard": f"1120441654122{n:05d}"[:18], "Name": NAME}))["IdentityId"]
        for n in range(5)
    ]
    first = await house.do("DescribeIdentities", {**own, "Limit": 2})
    assert (first["TotalCount"], [one["Id"] for one in first["Identities"]]) == (5, numbers[:2])
    assert NAME not in json.dumps(first, ensure_ascii=False)
    second = await house.do("DescribeIdentities", {**own, "Limit": 2, "Cursor": first["NextCursor"]})
    assert [one["Id"] for one in second["Identities"]] == numbers[2:4]
    third = await house.do("DescribeIdentities", {**own, "Limit": 2, "Offset": 4})
    assert ([one["Id"] for one in third["Identities"]], third["NextCursor"]) == (numbers[4:], "")
    assert (await house.do("DescribeIdentities", {**own, "IdCard": ID_CARD}))["TotalCount"] == 0
    photo = base64.b64encode(b"\xff\xd8\xff" + bytes(100)).decode()
    put = {**own, "IdCard": ID_CARD, "Name": NAME, "ImageBase64": photo}
    house.look_fault = "it shows several faces"
    assert await house.code("PutIdentity", put) == "OperationDenied"
    house.look_fault = None
    await house.do("PutIdentity", put)
    assert await house.code("PutIdentity", put) == "OperationDenied"
    await house.do("PutIdentity", {**put, "Replace": True})
    assert (await house.do("DescribeIdentities", {**own, "IdCard": ID_CARD}))["Identities"][0]["HasPhoto"] is True
    assert await house.code("PutIdentity", {**put, "ImageBase64": "!!!!"}) == "InvalidParameter"
    await house.do("DeleteIdentity", {**own, "IdCard": ID_CARD})
    await house.do("DeleteIdentity", {**own, "IdentityId": numbers[0]})
    assert await house.code("DeleteIdentity", {**own, "IdentityId": numbers[0]}) == "ResourceNotFound"
    assert await house.code("DeleteIdentity", own) == "MissingParameter"


async def test_a_bucket_is_authorised_only_with_a_key_that_works(house: House) -> None:
    bucket = {
        "AccountId": house.account.id,
        "Bucket": "faces-1250000000",
        "Region": "ap-guangzhou",
        "KeyId": "KEYID",
        "KeySecret": "very secret",
    }
    assert await house.code("AuthoriseBucket", bucket | {"KeySecret": "wrong"}) == "OperationDenied"
    for name in ("KeyId", "KeySecret", "Endpoint", "PublicBase"):
        refused = await house.call("AuthoriseBucket", bucket | {name: "https://" + "a" * 500})
        assert (refused.code, "aaa" in refused.message) == ("InvalidParameterValue", False)
    assert (await house.do("DescribeBuckets"))["TotalCount"] == 0
    assert await house.code("CheckBucket", {"AccountId": house.account.id}) == "ResourceNotFound"
    made = await house.do("AuthoriseBucket", bucket)
    assert made["Bucket"]["Bucket"] == "faces-1250000000"
    shown = await house.do("DescribeBuckets")
    assert "very secret" not in json.dumps(shown)
    await house.do("CheckBucket", {"AccountId": house.account.id})
    await house.do("RevokeBucket", {"AccountId": house.account.id})
    assert await house.code("RevokeBucket", {"AccountId": house.account.id}) == "ResourceNotFound"
    assert await house.code("AuthoriseBucket", bucket | {"Bucket": "no appid"}) == "OperationDenied"


async def test_verifications_are_found_shown_masked_and_erased(house: House) -> None:
    store, own = house.store, house.account.id
    details = Details(CompareLib.BUSINESS, ID_CARD, NAME)
    ids = []
    for n in range(3):
        house.clock.now = NOW + n
        ids.append(await store.sessions.create(own, f"TOKEN{n}", details, None, Policy(), house.clock(), 600))
    await store.sessions.create(house.other.id, "OTHER", Details(CompareLib.LOCAL), None, Policy(), NOW + 5, 600)
    listed = await house.do("DescribeVerifications", {"AccountId": own, "Limit": 2})
    assert (listed["TotalCount"], [one["Id"] for one in listed["Verifications"]]) == (3, [ids[2], ids[1]])
    rest = await house.do("DescribeVerifications", {"AccountId": own, "Limit": 2, "Cursor": listed["NextCursor"]})
    assert ([one["Id"] for one in rest["Verifications"]], rest["NextCursor"]) == ([ids[0]], "")
    assert (await house.do("DescribeVerifications"))["TotalCount"] == 4
    by_number = {"AccountId": own, "IdCard": ID_CARD}
    assert (await house.do("DescribeVerifications", by_number))["TotalCount"] == 3
    assert (await house.do("DescribeVerifications", {"AccountId": house.other.id, "IdCard": ID_CARD}))[
        "TotalCount"
    ] == 0
    timed = {"Since": NOW + 1, "Until": NOW + 2}
    assert [one["Id"] for one in (await house.do("DescribeVerifications", timed))["Verifications"]] == [ids[1]]
    assert (await house.do("DescribeVerifications", {"State": "passed"}))["TotalCount"] == 0
    for given in ({"State": "nothing"}, {"Limit": 101}, {"Offset": 10_001}, {"Cursor": "x"}, {"RuleId": "x"}):
        assert await house.code("DescribeVerifications", given) == "InvalidParameterValue", given
    shown = (await house.do("DescribeVerification", {"VerificationId": "TOKEN0"}))["Verification"]
    assert (shown["Id"], [event["What"] for event in shown["Timeline"]]) == (ids[0], ["issued"])
    assert NAME not in json.dumps(shown, ensure_ascii=False)
    assert ID_CARD not in json.dumps(shown)
    (event,) = await store.audit.newest(1)
    assert (event.actor, event.verb) == ("operator:the owner", "verification shown")
    await house.do("EraseVerification", {"VerificationId": str(ids[0])})
    assert await house.code("DescribeVerification", {"VerificationId": "TOKEN0"}) == "ResourceNotFound"


async def test_a_verification_is_found_by_the_request_id_of_its_calls_and_says_who_fetched_it(house: House) -> None:
    store, own = house.store, house.account.id
    session = await store.sessions.create(own, "TOKEN", Details(CompareLib.LOCAL), None, Policy(), NOW, 600)
    store.calls.note(session, NOW + 8, "GetFaceIdResult", "AKIDshop", "request-1")
    store.calls.note(session, NOW + 9, "GetFaceIdResult", "AKIDother", "request-2")
    for _ in range(3):
        store.calls.count(own, "GetFaceIdToken", "")
    store.calls.count(house.other.id, "GetFaceIdToken", "LimitExceeded")
    for request_id in ("request-1", "request-2"):
        found = await house.do("DescribeVerifications", {"RequestId": request_id})
        assert [one["Id"] for one in found["Verifications"]] == [session]
    assert (await house.do("DescribeVerifications", {"RequestId": "another"}))["TotalCount"] == 0
    shown = (await house.do("DescribeVerification", {"VerificationId": str(session)}))["Verification"]
    assert [(event["What"], event["Detail"]) for event in shown["Timeline"]] == [
        ("issued", ""),
        ("fetched", "AKIDshop request-1"),
        ("fetched", "AKIDother request-2"),
    ]
    usage = await house.do("DescribeUsage", {"AccountId": own})
    assert [(row["Action"], row["Code"], row["Count"]) for row in usage["Calls"]] == [("GetFaceIdToken", "", 3)]
    store.calls.count(own, "GetFaceIdToken", "")
    assert (await house.do("DescribeUsage", by="merchant"))["Calls"][0]["Count"] == 4
    assert {row["AccountId"] for row in (await house.do("DescribeUsage"))["Calls"]} == {own, house.other.id}
    assert await store.calls.forget(NOW + 8.5) == 1
    assert [note.request_id for note in await store.calls.of_session(session)] == ["request-2"]


async def test_usage_is_counted_by_day_result_and_rule(house: House) -> None:
    async def write(tx: Transaction) -> None:
        for number, (at, result, billed) in enumerate(
            [(NOW, "0", True), (NOW, "0", True), (NOW, "2010", False), (NOW - 86_400, "0", True)]
        ):
            await ledger.add(tx, house.account.id, number, result, billed, at, billed)

    await house.store.database.write(write)
    counted = await house.do("DescribeUsage", {"AccountId": house.account.id})
    assert (counted["Verifications"], counted["Billed"], counted["Charged"]) == (4, 3, 3)
    assert [(row["Result"], row["Verifications"]) for row in counted["Usage"]] == [("0", 2), ("2010", 1), ("0", 1)]
    assert counted["Usage"][0]["Day"] > counted["Usage"][2]["Day"]
    assert (await house.do("DescribeUsage", by="merchant"))["Billed"] == 3
    assert (await house.do("DescribeUsage", {"AccountId": house.other.id}))["Usage"] == []
    assert await house.code("DescribeUsage", {"Since": 0.0}) == "InvalidParameterValue"


async def test_health_and_settings_are_shown(house: House) -> None:
    assert (await house.do("DescribeHealth", by="auditor"))["Ready"] is True
    assert (await house.do("DescribeSettings", by="reviewer"))["Settings"]["RENZHENG_PORT"] == 8400


async def test_a_person_is_added_with_a_key_of_their_own(house: House) -> None:
    made = await house.do("CreateOperator", {"Name": "wei", "Role": "operator"})
    secret = made["SignInLink"].rpartition("/")[2]
    assert await house.store.sign_in.link(secret, house.clock()) == made["Operator"]["Id"]
    assert made["Operator"]["SecretId"] == made["SecretId"]
    listed = await house.do("DescribeOperators", by="auditor")
    assert listed["TotalCount"] == 6
    assert made["SecretKey"] not in json.dumps(listed)
    for given in ({"Name": "wei", "Role": "operator"}, {"Name": "x", "Role": "merchant"}):
        assert await house.code("CreateOperator", given) == "OperationDenied"
    assert await house.code("CreateOperator", {"Name": "x", "Role": "king"}) == "InvalidParameterValue"
    assert await house.code("CreateOperator", {"Name": "x", "Role": "merchant", "AccountId": 9}) == "ResourceNotFound"
    operator = await house.store.operators.named("wei")
    assert people.actor_of(operator) == "operator:wei"
