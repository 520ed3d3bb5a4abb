"""Who may call what: every action with every role, and every denied call in the audit."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from renzheng.accounts.operators import Role
from renzheng.management.desk import REVIEWERS, person_of
from tests.gateway.signing import signed_json
from tests.gateway.support import call
from tests.management.conftest import PRODUCT, House

# What each role may call, written down by hand: a change of a manifest has to be a change here.
READS = {
    "DescribeAccounts", "DescribeAccount", "DescribeKeys", "DescribeRules", "DescribeRuleVersions",
    "DescribeIdentities", "DescribeImport", "DescribeBuckets", "DescribeVerifications", "DescribeVerification",
    "DescribeUsage", "DescribeResult",
}  # fmt: skip
STAFF_READS = {"DescribeHealth", "DescribeSettings"}
TENANTS_WRITES = {
    "ModifyAccount", "CreateKey", "CreateTemporaryKey", "EnableKey", "DisableKey", "DeleteKey", "ModifyKey",
    "CreateRule", "ModifyRule", "SubmitRule", "DisableRule", "PutIdentity", "DeleteIdentity", "CreateImport",
    "PutImportPart", "CheckImport", "CommitImport", "CancelImport", "AuthoriseBucket", "CheckBucket", "RevokeBucket",
    "EraseVerification", "DeliverVerification",
}  # fmt: skip
WORKERS_WRITES = {"CreateAccount", "ModifyAccountBilling", "TopUpAccount", "ModifyAccountLimit", "ModifyKeyScope"}
REVIEWS = {"ApproveRule", "RejectRule"}
OWNERS = {"CreateOperator", "ModifyOperator", "RenewOperatorKey"}
SEES_FACES = {"DescribeEvidence", "DescribeEvidenceVideo", "RejudgeVerification"}
AUDITS = {"DescribeOperators", "DescribeEvents"}
TABLE: dict[str, set[str]] = {
    "owner": READS | STAFF_READS | TENANTS_WRITES | WORKERS_WRITES | REVIEWS | OWNERS | AUDITS | SEES_FACES,
    "operator": READS | STAFF_READS | TENANTS_WRITES | WORKERS_WRITES | SEES_FACES,
    "reviewer": READS | STAFF_READS | REVIEWS | SEES_FACES,
    "auditor": READS | STAFF_READS | AUDITS,
    "merchant": READS | TENANTS_WRITES,
}
NAMES = [action.name for action in PRODUCT.actions]


def test_the_table_of_actions_and_roles_is_as_it_is_written_here() -> None:
    assert TABLE.keys() == {role.value for role in Role}
    assert set().union(*TABLE.values()) == set(NAMES)
    for action in PRODUCT.actions:
        assert action.roles == {role for role, actions in TABLE.items() if action.name in actions}, action.name
    assert len(NAMES) == len(set(NAMES))
    assert {"owner", "reviewer"} == REVIEWERS


async def test_every_role_is_admitted_to_its_own_actions_and_turned_away_from_all_others(house: House) -> None:
    denied = 0
    for role, actions in TABLE.items():
        for name in NAMES:
            # An unknown parameter stops whoever is admitted before anything happens.
            answer = await house.call(name, {"NoSuchParameter": 1}, by=role)
            expected = "UnknownParameter" if name in actions else "UnauthorizedOperation.RoleDenied"
            assert answer.code == expected, (role, name)
            denied += expected != "UnknownParameter"
    events = [event for event in await house.store.audit.newest(1000) if event.verb.startswith("denied: ")]
    assert len(events) == denied > 50
    assert {event.actor for event in events} == {f"operator:the {role}" for role in TABLE if role != "owner"}


async def test_a_merchants_key_is_let_in_once_the_service_was_granted_to_it(house: House) -> None:
    key = await house.store.accounts.create_key(house.account.id, house.clock())
    assert await house.code("DescribeAccounts", by=key) == "AuthFailure.UnauthorizedOperation"
    (event,) = await house.store.audit.newest(1)
    assert (event.actor, event.verb) == (f"key:{key.secret_id}", "denied: DescribeAccounts")
    given = {"AccountId": house.account.id, "SecretId": key.secret_id, "Services": ["faceid", "renzheng"]}
    assert (await house.do("ModifyKeyScope", given, by="operator"))["Key"]["Services"] == ["faceid", "renzheng"]
    assert (await house.do("DescribeAccounts", by=key))["TotalCount"] == 1
    assert await house.code("DescribeHealth", by=key) == "UnauthorizedOperation.RoleDenied"
    assert await house.code("DescribeKeys", {"AccountId": house.other.id}, by=key) == "ResourceNotFound"


async def test_who_is_disabled_calls_nothing_any_more(house: House) -> None:
    people = (await house.do("DescribeOperators"))["Operators"]
    number = {one["Role"]: one["Id"] for one in people}
    await house.do("ModifyOperator", {"OperatorId": number["auditor"], "Disabled": True})
    assert await house.code("DescribeEvents", by="auditor") == "AuthFailure.SecretIdNotFound"
    assert person_of(house.store, house.keys["auditor"]) is None, "whatever key somebody still holds"
    await house.do("ModifyOperator", {"OperatorId": number["auditor"], "Disabled": False})
    await house.do("DescribeEvents", by="auditor")
    assert await house.code("ModifyOperator", {"OperatorId": number["owner"], "Disabled": True}) == "OperationDenied"
    assert await house.code("ModifyOperator", {"OperatorId": number["owner"], "Role": "auditor"}) == "OperationDenied"


async def test_a_renewed_key_ends_the_old_one(house: House) -> None:
    people = (await house.do("DescribeOperators", {"Role": "reviewer"}))["Operators"]
    made = await house.do("RenewOperatorKey", {"OperatorId": people[0]["Id"]})
    assert await house.code("DescribeRules", by="reviewer") == "AuthFailure.SecretIdNotFound"
    new = replace(house.keys["reviewer"], secret_id=made["SecretId"], secret_key=made["SecretKey"])
    await house.do("DescribeRules", by=new)


SECRETS = [action.name for action in PRODUCT.actions if action.secret]


@pytest.mark.parametrize("name", SECRETS)
async def test_a_reply_with_a_secret_is_refused_over_plain_http_from_elsewhere(house: House, name: str) -> None:
    await house.store.keys.refresh()
    key = house.keys["owner"]
    signed = signed_json(
        {"NoSuchParameter": 1},
        action=name,
        service="renzheng",
        version=PRODUCT.version,
        secret_id=key.secret_id,
        secret_key=key.secret_key,
        host="renzheng.example",
    )
    answer = await call(house.gateway, **signed, client="203.0.113.9")
    assert answer.code == "UnauthorizedOperation.NotPrivate"
    assert await house.code(name, {"NoSuchParameter": 1}) == "UnknownParameter"


def test_actions_whose_reply_has_a_secret_say_so() -> None:
    assert set(SECRETS) == {"CreateKey", "CreateTemporaryKey", "CreateOperator", "RenewOperatorKey"}
    for action in PRODUCT.actions:
        fields = {field.encode_name for field in msgspec.structs.fields(action.reply)}
        assert ("SecretKey" in fields) == action.secret, action.name
