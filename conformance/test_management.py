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
from pathlib import Path
from typing import Any

import pytest
from tencentcloud.common import credential
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from typer.testing import CliRunner

from renzheng.cli import build
from renzheng.cli.remote_commands import REMOTE
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
    """A way to make the calls. Each begins with a server of its own."""
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


@pytest.fixture
def elsewhere(managed: Server, owner: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs a command as on another machine, with a key of its own; its JSON, or its text."""
    made = owner("CreateOperator", Name=f"at {tmp_path.name}", Role="owner")
    managed.follow()
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", made["SecretId"])
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", made["SecretKey"])
    for name in ("DATA", "KEYS"):
        monkeypatch.setenv(f"RENZHENG_{name}_DIR", str(tmp_path / "nothing"))
    used.clear()

    def run(*words: str, code: int = 0, given: str | None = None) -> Any:
        name = next(name for name in (" ".join(words[:2]), words[0]) if name in REMOTE)
        used.add(name)
        done = CliRunner().invoke(COMMANDS, [*words, "--server", managed.operator_url], input=given)
        assert done.exit_code == code, (words, done.output)
        return json.loads(done.stdout) if "--json" in words else done.stdout

    return run


COMMANDS = build(["account", "key", "rule", "bucket", "identity", "operator", "audit", "session", "rejudge"])
used: set[str] = set()


@pytest.mark.parametrize("way", ["sdk"], indirect=True, scope="module")  # commands call in one way alone
def test_every_command_that_has_an_endpoint_works_by_it(
    managed: Server, elsewhere: Callable[..., Any], tmp_path: Path
) -> None:
    run = elsewhere
    assert run("account", "create", "elsewhere", "--prepaid", "3", "--json")["balance"] == 3
    own = ("--account", "elsewhere")
    assert "elsewhere" in [one["name"] for one in run("account", "list", "--json")]
    assert "elsewhere" in run("account", "list")
    assert run("account", "origins", "https://shop.example", *own, "--json")["origins"] == ["https://shop.example"]
    assert run("account", "origins", *own, "--json")["origins"] == ["https://shop.example"]
    names = run("account", "rename", *own, "--display-name", "zh-CN=青禾", "--json")["display_names"]
    assert names["zh-CN"] == "青禾"
    assert run("account", "set", "--contact", "400", *own, "--json")["contact"] == "400"
    assert run("account", "deactivate", *own, "--json") == {
        "account": "elsewhere", "active": False, "balance": 3, "billed": 0,
    }  # fmt: skip
    assert run("account", "activate", *own, "--json")["active"] is True
    assert run("account", "topup", "2", *own, "--json")["balance"] == 5
    assert run("account", "balance", "--unlimited", *own, "--json")["balance"] is None
    assert run("account", "limit", "GetFaceIdToken", "9", *own, "--json") == {"GetFaceIdToken": 9}
    assert run("account", "limit", *own, "--json") == {"GetFaceIdToken": 9}

    key = run("key", "create", *own, "--json")
    assert run("key", "temporary", "--seconds", "60", *own, "--json")["token"]
    one = key["secret_id"]
    assert {row["secret_id"] for row in run("key", "list", *own, "--json")} > {one}
    assert run("key", "addresses", one, "127.0.0.0/8", "--json")["addresses"] == ["127.0.0.0/8"]
    assert run("key", "addresses", one, "--clear", "--json")["addresses"] == []
    assert run("key", "services", one, "faceid", "renzheng", "--json")["services"] == ["faceid", "renzheng"]
    assert run("key", "unsigned-payload", one, "--allow", "--json")["unsigned_payload"] is True
    assert run("key", "disable", one, "--json")["enabled"] is False
    assert run("key", "enable", one, "--json")["enabled"] is True
    shown = run("account", "show", *own, "--json")
    assert {"secret_id": one, "enabled": True} in shown["keys"]

    rule = run("rule", "create", "loans", "--threshold", "85", "--challenge-length", "2", *own, "--json")
    assert rule["policy"]["threshold"] == 85
    number = rule["rule_id"]
    assert run("rule", "submit", number, *own, "--json")["state"] == "submitted"
    run("rule", "reject", number, "--note", "no", *own, code=1)  # of one's own making
    assert managed.json("rule", "approve", number, *own)["state"] == "approved"
    run("rule", "approve", number, *own, code=1)  # it is approved
    assert run("rule", "disable", number, *own, "--json")["state"] == "disabled"
    assert [row["rule_id"] for row in run("rule", "list", *own, "--json")] == [number]
    assert run("rule", "show", number, *own, "--json")["name"] == "loans"

    store = ("--endpoint", f"http://cos.{REGION}.myqcloud.com", "--style", "virtual")
    given = ("bucket", "authorise", NAME, "--region", REGION, "--key-id", KEY_ID, *store, *own)
    assert NAME in run(*given, given=f"{SECRET}\n")
    assert run("bucket", "show", *own, "--json")["bucket"] == NAME
    assert "written, read and deleted" in run("bucket", "check", *own)
    assert "revoked" in run("bucket", "revoke", *own)

    photo = tmp_path / "a.png"
    photo.write_bytes(sample())
    who = ("--id-card", ID_CARD, "--name", PERSON, "--photo", str(photo))
    number = str(run("identity", "add", *who, *own, "--json")["id"])
    assert [row["has_photo"] for row in run("identity", "list", *own, "--json")] == [True]
    assert run("identity", "remove", number, *own, "--json")["id"] == int(number)
    table = tmp_path / "people.csv"
    table.write_text(f"id_card,name,photo\n{ID_CARD},{PERSON},a.png\n12,{PERSON},\n")
    faulty = run("identity", "import", str(table), "--photos", str(tmp_path), *own, "--json", code=1)
    assert (faulty["good"], faulty["stored"], faulty["problems"][0]["row"]) == (1, 0, 3)
    told = run("identity", "import", str(table), "--photos", str(tmp_path), *own, code=1)
    assert told.startswith("row 3, ")
    assert "good rows: 1, bad rows: 1, people enrolled: 0" in told
    table.write_text(f"id_card,name,photo\n{ID_CARD},{PERSON},a.png\n")
    done = run("identity", "import", str(table), "--photos", str(tmp_path), *own, "--json")
    assert (done["good"], done["stored"], done["problems"]) == (1, 1, [])

    added = run("operator", "add", "far away", "--role", "auditor", "--show-key", "--json")
    assert added["secret_key"]
    assert f"{managed.operator_url}/console/welcome/" in added["link"]
    assert "disabled" in run("operator", "modify", "far away", "--disable")
    assert "far away" in [row["name"] for row in run("operator", "list", "--json")]
    events = run("audit", "list", "--limit", "5", "--json")
    assert [row["id"] for row in events] == sorted(row["id"] for row in events)
    assert len(events) == 5
    assert run("audit", "list", "--after", str(events[1]["id"]), "--limit", "3", "--json") == events[2:]

    issued = token(managed.sdk(managed.key()), CompareLib="LOCAL", ImageBase64=base64_of(sample()))
    listed = run("session", "list", "--limit", "1", "--json")
    assert (listed[0]["state"], listed[0]["account"]) == ("issued", "default")
    assert run("session", "show", issued, "--json")["number"] == listed[0]["id"]
    run("rejudge", issued, code=1)  # it has no verdict
    assert "erased" in run("session", "erase", issued, "--yes")
    assert not (tmp_path / "nothing").exists()
    assert used == set(REMOTE)


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
