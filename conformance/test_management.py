"""Every action of the management service, called on a running server by the official Python SDK's generic client.

And all of it once more by curl: by the Inspector's sample of each call, as it stands.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tencentcloud.common import credential
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from renzheng.console.actions import Service as Sampled
from renzheng.console.inspector import sample as sample_of
from renzheng.management.product import SERVICE, VERSION, make_product
from renzheng.verification.decision import UNFINISHED
from tests.support.cos import KEY_ID, NAME, REGION, SECRET, CosFront
from tests.support.images import base64_of, sample
from tests.support.server import Server, result, token

ID_CARD, PERSON = "11204416541220243X", "韦小宝"


@pytest.fixture(scope="module", params=["sdk", "curl"])
def way(request: pytest.FixtureRequest) -> str:
    """By what the people call. Each begins with a server of its own."""
    called.clear()
    return str(request.param)


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory, way: str, front: CosFront) -> Iterator[Server]:
    """A server whose customers' bucket is COS by a proxy."""
    running = Server(tmp_path_factory.mktemp("management"), bucket_proxy=front.proxy, management_public=True).start()
    yield running
    running.stop()


Client = Callable[..., Any]


def client_of(endpoint: str, key: tuple[str, str], sign: str = "TC3-HMAC-SHA256", http: str = "POST") -> Client:
    """Calls an action by the SDK's generic client; its reply."""
    profile = ClientProfile(
        signMethod=sign,
        language="en-US",
        httpProfile=HttpProfile(protocol="http", endpoint=endpoint, reqMethod=http, reqTimeout=60),
    )
    client = CommonClient(SERVICE, VERSION, credential.Credential(*key), "ap-guangzhou", profile)

    def call(action: str, **given: Any) -> Any:
        called.add(action)
        return client.call_json(action, given)["Response"]

    return call


def curl_of(endpoint: str, key: tuple[str, str]) -> Client:
    """Calls an action by the code that the Inspector shows for curl; its reply."""
    service = Sampled(SERVICE, VERSION, "http", endpoint)
    environment = {**os.environ, "TENCENTCLOUD_SECRET_ID": key[0], "TENCENTCLOUD_SECRET_KEY": key[1]}

    def call(action: str, **given: Any) -> Any:
        called.add(action)
        code = sample_of("curl", service, action, given)
        done = subprocess.run(["bash"], input=code, env=environment, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, done.stderr
        response = json.loads(done.stdout)["Response"]
        if error := response.get("Error"):
            raise TencentCloudSDKException(error["Code"], error["Message"], response["RequestId"])
        return response

    return call


WAYS = {"sdk": client_of, "curl": curl_of}
called: set[str] = set()


def person(server: Server, name: str, role: str) -> tuple[str, str]:
    made = server.json("operator", "add", name, "--role", role, "--show-key")
    return made["secret_id"], made["secret_key"]


@pytest.fixture(scope="module")
def owner(managed: Server, way: str) -> Client:
    made = person(managed, "the owner", "owner")
    managed.follow()
    return WAYS[way](f"127.0.0.1:{managed.operator_port}", made)


@pytest.fixture(scope="module")
def reviewer(managed: Server, owner: Client, way: str) -> Client:
    made = owner("CreateOperator", Name="the reviewer", Role="reviewer")
    managed.follow()
    return WAYS[way](f"127.0.0.1:{managed.operator_port}", (made["SecretId"], made["SecretKey"]))


def test_accounts_and_keys(managed: Server, owner: Client) -> None:
    made = owner("CreateAccount", Name="bank", Prepaid=3, DisplayNameEn="Qinghe Bank")["Account"]
    own = {"AccountId": made["Id"]}
    assert owner("DescribeAccounts", Name="bank")["TotalCount"] == 1
    assert owner("DescribeAccount", **own)["Account"]["Balance"] == 3
    owner("ModifyAccount", **own, Contact="400-000-0000")
    owner("TopUpAccount", **own, Amount=2)
    owner("ModifyAccountBilling", **own, Billing="unlimited")
    owner("ModifyAccountLimit", **own, Name="GetFaceIdToken", Limit=50)
    key = owner("CreateKey", **own)
    one = {**own, "SecretId": key["Key"]["SecretId"]}
    owner("CreateTemporaryKey", **own, DurationSeconds=60)
    assert owner("DescribeKeys", **own)["TotalCount"] == 2
    owner("ModifyKey", **one, Addresses=["127.0.0.0/8"])
    owner("DisableKey", **one)
    owner("EnableKey", **one)
    owner("ModifyKeyScope", **one, Services=["faceid", "renzheng"])
    managed.follow()
    # The merchant's own program manages its account on the public listener, by every signature.
    for sign, http in (("TC3-HMAC-SHA256", "POST"), ("TC3-HMAC-SHA256", "GET"), ("HmacSHA256", "POST")):
        merchant = client_of(f"127.0.0.1:{managed.port}", (one["SecretId"], key["SecretKey"]), sign, http)
        assert [account["Name"] for account in merchant("DescribeAccounts")["Accounts"]] == ["bank"]
    with pytest.raises(TencentCloudSDKException) as denied:
        merchant("CreateAccount", Name="mine")
    assert denied.value.code == "UnauthorizedOperation.RoleDenied"
    owner("DeleteKey", **one)


def test_people(owner: Client) -> None:
    made = owner("CreateOperator", Name="somebody", Role="auditor")["Operator"]
    assert owner("DescribeOperators", Role="auditor")["TotalCount"] == 1
    owner("ModifyOperator", OperatorId=made["Id"], Disabled=True)
    assert owner("RenewOperatorKey", OperatorId=made["Id"])["SecretKey"]


def test_rules(owner: Client, reviewer: Client) -> None:
    first = owner("DescribeAccounts", Name="default")["Accounts"][0]["Id"]
    rule = owner("CreateRule", AccountId=first, Name="loans", Threshold=85.0)["Rule"]
    one = {"AccountId": first, "RuleId": rule["RuleId"]}
    owner("SubmitRule", **one)
    with pytest.raises(TencentCloudSDKException, match="another person"):
        owner("ApproveRule", **one)
    reviewer("RejectRule", **one, Note="too strict")
    owner("ModifyRule", **one, Threshold=80.0)
    owner("SubmitRule", **one)
    assert reviewer("ApproveRule", **one)["Rule"]["State"] == "approved"
    assert owner("DescribeRuleVersions", **one)["TotalCount"] == 2
    assert owner("DescribeRules", State="approved")["TotalCount"] == 1
    owner("DisableRule", **one)


def test_identities_and_imports(owner: Client) -> None:
    own = {"AccountId": owner("DescribeAccounts", Name="default")["Accounts"][0]["Id"]}
    photo = base64_of(sample())
    put = owner("PutIdentity", **own, IdCard=ID_CARD, Name=PERSON, ImageBase64=photo)
    assert owner("DescribeIdentities", **own, IdCard=ID_CARD)["Identities"][0]["HasPhoto"] is True
    owner("DeleteIdentity", **own, IdentityId=put["IdentityId"])
    one = {**own, "ImportId": owner("CreateImport", **own)["Import"]["ImportId"]}
    table = base64.b64encode(f"id_card,name,photo\n{ID_CARD},{PERSON},a.jpg\n".encode()).decode()
    owner("PutImportPart", **one, PartNumber=1, Kind="table", Data=table)
    owner("PutImportPart", **one, PartNumber=2, Kind="photo", Name="a.jpg", Data=photo)
    assert owner("CheckImport", **one)["Good"] == 1
    owner("CommitImport", **one)
    deadline = time.monotonic() + 60
    while (found := owner("DescribeImport", **one)["Import"])["State"] == "committing":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert (found["State"], found["Done"]) == ("done", 1), found
    owner("CancelImport", **own, ImportId=owner("CreateImport", **own)["Import"]["ImportId"])


def test_buckets(owner: Client) -> None:
    own = {"AccountId": owner("DescribeAccounts", Name="default")["Accounts"][0]["Id"]}
    front = {"Endpoint": f"http://cos.{REGION}.myqcloud.com", "Style": "virtual"}  # over plain HTTP, to the front
    bucket = {"Bucket": NAME, "Region": REGION, "KeyId": KEY_ID, **front}
    with pytest.raises(TencentCloudSDKException) as refused:
        owner("AuthoriseBucket", **own, **bucket, KeySecret="wrong")
    assert refused.value.code == "OperationDenied"
    assert owner("AuthoriseBucket", **own, **bucket, KeySecret=SECRET)["Bucket"]["Bucket"] == NAME
    assert owner("DescribeBuckets")["TotalCount"] == 1
    owner("CheckBucket", **own)
    owner("RevokeBucket", **own)


def test_verifications_and_records(managed: Server, owner: Client) -> None:
    issued = token(managed.sdk(managed.key()), CompareLib="LOCAL", ImageBase64=base64_of(sample()))
    result(managed.sdk(managed.key()), issued)
    shown = owner("DescribeVerification", VerificationId=issued)["Verification"]
    listed = owner("DescribeVerifications", State="issued")
    assert listed["TotalCount"] >= 1
    assert [event["What"] for event in shown["Timeline"]] == ["issued"]  # no result yet that the call could fetch
    seen = owner("DescribeEvidence", VerificationId=issued, Reason="complaint 4711")
    assert (seen["TotalCount"], seen["Frames"]) == (0, [])  # nobody has filmed yet
    assert owner("DescribeEvidenceVideo", VerificationId=issued, Reason="complaint 4711")["VideoBase64"] == ""
    given = owner("DescribeResult", VerificationId=issued)["Given"]
    assert (given["Code"], given["Result"]) == ("", UNFINISHED.code)
    for action in ("DeliverVerification", "RejudgeVerification"):  # it has no verdict, and no bucket
        with pytest.raises(TencentCloudSDKException, match="verification has no"):
            owner(action, VerificationId=issued)
    owner("EraseVerification", VerificationId=str(shown["Id"]))
    usage = owner("DescribeUsage")
    assert usage["Verifications"] == 0
    assert {(row["Action"], row["Code"], row["Count"]) for row in usage["Calls"]} >= {
        ("GetFaceIdToken", "", 1),
        ("GetFaceIdResult", "", 1),
    }
    assert owner("DescribeHealth")["Ready"] is True
    assert owner("DescribeSettings")["Settings"]["RENZHENG_MANAGEMENT_PUBLIC"] is True
    events = owner("DescribeEvents", Limit=100)["Events"]
    assert {"operator:the owner", "operator:the reviewer"} <= {event["Actor"] for event in events}


def test_every_action_was_called(way: str) -> None:
    assert called == {action.name for action in make_product().actions}


def test_the_command(managed: Server, owner: Client) -> None:
    shown = json.loads(managed.command("call", "DescribeAccounts", "Limit=1", "--as", "the owner"))
    assert len(shown["Accounts"]) == 1
    made = owner("CreateOperator", Name="from elsewhere", Role="auditor")
    managed.follow()
    names = ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY")
    managed.environment |= dict(zip(names, (made["SecretId"], made["SecretKey"]), strict=True))
    shown = json.loads(managed.command("call", "DescribeEvents", "Limit=2", "--endpoint", managed.operator_url))
    assert len(shown["Events"]) == 2
    words = ("call", "CreateAccount", "Name=mine", "--endpoint", managed.operator_url)
    with pytest.raises(AssertionError, match="RoleDenied"):
        managed.command(*words)
