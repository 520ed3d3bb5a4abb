"""Activation, balance, limits, rules and keys against the running server, by commands beside it."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.faceid.v20180301 import faceid_client

from renzheng.evaluation.device import Device
from renzheng.evaluation.performance import Performance
from tests.support.images import base64_of, sample
from tests.support.puppets import sample_puppet
from tests.support.server import PATIENCE, REGION, Server, result, token, until

BUSINESS = {"CompareLib": "BUSINESS", "IdCard": "11204416541220243X", "Name": "韦小宝"}


def code(call: Any, *args: Any, **fields: Any) -> tuple[str, str]:
    """Code and message of the error; two empty texts for a success."""
    try:
        call(*args, **fields)
    except TencentCloudSDKException as error:
        return error.code, error.message
    return "", ""


def new_account(server: Server, name: str, *options: str) -> Any:
    """A client that signs for a new account."""
    server.command("account", "create", name, *options)
    made = server.json("key", "create", "--account", name)
    server.follow()
    return server.sdk((made["secret_id"], made["secret_key"]))


def test_an_account_is_refused_until_it_is_activated_and_while_it_owes(server: Server, key: tuple[str, str]) -> None:
    client = new_account(server, "paying", "--inactive", "--prepaid", "0")
    neighbour = server.sdk(key)
    not_activated = ("UnauthorizedOperation.Nonactivated", "未开通服务。")
    arrears = ("UnauthorizedOperation.Arrears", "账号已欠费。")
    assert code(token, client, **BUSINESS) == not_activated
    assert code(result, client, "00000000-0000-0000-0000-000000000000") == not_activated
    assert server.json("account", "activate", "--account", "paying") == {
        "account": "paying", "active": True, "balance": 0, "billed": 0,
    }  # fmt: skip
    server.follow()
    assert code(token, client, **BUSINESS) == arrears
    assert code(result, client, "00000000-0000-0000-0000-000000000000")[0] == "InvalidParameterValue.BizTokenIllegal"
    assert server.json("account", "topup", "2", "--account", "paying")["balance"] == 2
    server.follow()
    issued = token(client, **BUSINESS)
    server.command("account", "topup", "--account", "paying", "--", "-3")
    server.follow()
    assert code(result, client, issued) == arrears
    assert token(neighbour, **BUSINESS)
    server.command("account", "balance", "--unlimited", "--account", "paying")
    server.follow()
    assert result(client, issued).Result == "17"
    shown = server.json("account", "show", "--account", "paying")
    assert (shown["active"], shown["balance"], shown["billed"]) == (True, None, 0)


def test_one_verification_costs_one_and_its_result_can_still_be_fetched(server: Server) -> None:
    client = new_account(server, "one", "--prepaid", "1")
    for seed in (5, 6, 7):  # a machine under load may miss a step; a failure of liveness is not billed
        issued = token(client, CompareLib="LOCAL", ImageBase64=base64_of(sample()))
        asyncio.run(Device(server.url, issued, Performance(sample_puppet(), "head", seed=seed)).run())
        fetched = result(client, issued)
        if fetched.Result == "0":
            break
        left = {"account": "one", "active": True, "balance": 1, "billed": 0}
        assert server.json("account", "balance", "--account", "one") == left
    assert fetched.Result == "0"
    left = {"account": "one", "active": True, "balance": 0, "billed": 1}
    assert server.json("account", "balance", "--account", "one") == left
    server.follow()
    assert code(token, client, **BUSINESS)[0] == "UnauthorizedOperation.Arrears"
    assert result(client, issued).Similarity == fetched.Similarity


def test_a_limit_of_its_own_holds_for_one_account_and_action(server: Server, key: tuple[str, str]) -> None:
    client, neighbour = new_account(server, "slow"), server.sdk(key)
    assert server.json("account", "limit", "GetFaceIdToken", "0", "--account", "slow") == {"GetFaceIdToken": 0}
    server.follow()
    assert code(token, client, **BUSINESS) == (
        "RequestLimitExceeded",
        "您当前每秒请求 `1` 次，超过了每秒频率上限 `0`，请稍后重试。",
    )
    assert code(result, client, "00000000-0000-0000-0000-000000000000")[0] == "InvalidParameterValue.BizTokenIllegal"
    assert token(neighbour, **BUSINESS)
    assert server.json("account", "limit", "GetFaceIdToken", "--account", "slow") == {}
    server.follow()
    assert token(client, **BUSINESS)
    assert "there is no limit GetFaceId" in refused(server, "account", "limit", "GetFaceId", "1", "--account", "slow")


def refused(server: Server, *words: str) -> str:
    """What a command says that does not end well."""
    with pytest.raises(AssertionError) as caught:
        server.command(*words)
    return str(caught.value)


def test_a_rule_is_usable_from_its_approval_to_its_disabling(server: Server, key: tuple[str, str]) -> None:
    client, wrong = server.sdk(key), ("InvalidParameter", "参数错误。")
    mine = ("--account", "default")
    made = server.json("rule", "create", "loan", "--threshold", "85", "--evidence-days", "2", *mine)
    number = made["rule_id"]
    assert (made["state"], made["policy"]["threshold"], made["evidence_days"]) == ("draft", 85, 2)
    assert "1 token of 19 " in server.command("rule", "show", str(number), *mine).replace("\n", " ") + " "
    assert code(token, client, **BUSINESS, RuleId="999") == wrong
    assert code(token, client, **BUSINESS, RuleId=number) == wrong
    moves = {"submit": "submitted", "reject": "rejected", "approve": "approved"}
    for move in ("submit", "reject", "submit", "approve"):
        note = ("--note", "why") if move in ("reject", "approve") else ()
        assert server.json("rule", move, number, *note, *mine)["state"] == moves[move]
    server.follow()
    assert token(client, **BUSINESS, RuleId=number)
    foreign = new_account(server, "without-rules")
    assert code(token, foreign, **BUSINESS, RuleId=number) == wrong
    assert "can become approved" in refused(server, "rule", "approve", number, *mine)
    assert [rule["note"] for rule in server.json("rule", "list", *mine)] == ["why"]
    assert server.json("rule", "disable", number, *mine)["state"] == "disabled"
    server.follow()
    assert code(token, client, **BUSINESS, RuleId=number) == wrong
    assert "60 to 100" in refused(server, "rule", "create", "weak", "--threshold", "50", *mine)
    assert server.json("rule", "create", "bright", "--light", *mine)["policy"]["light"] is True
    assert "no rule" in refused(server, "rule", "show", number, "--account", "without-rules")


def sdk_with_token(server: Server, made: dict[str, Any], method: str = "TC3-HMAC-SHA256") -> Any:
    profile = ClientProfile(
        signMethod=method,
        httpProfile=HttpProfile(protocol="http", endpoint=f"127.0.0.1:{server.port}", reqTimeout=round(PATIENCE)),
    )
    given = credential.Credential(made["secret_id"], made["secret_key"], made["token"])
    return faceid_client.FaceidClient(given, REGION, profile)


@pytest.fixture(scope="module", autouse=True)
def temporary(server: Server) -> tuple[dict[str, Any], float]:
    """Temporary credentials, which work, and when they end by the monotonic clock: other tests run meanwhile."""
    made = server.json("key", "temporary", "--account", "default", "--seconds", "15")
    ends = time.monotonic() + 15.5
    server.follow()
    for method in ("TC3-HMAC-SHA256", "HmacSHA256"):
        assert token(sdk_with_token(server, made, method), **BUSINESS)
    return made, ends


def test_temporary_credentials_work_with_their_token_until_they_end(
    server: Server, temporary: tuple[dict[str, Any], float]
) -> None:
    made, ends = temporary
    for other in (None, "x" * 64):
        assert code(token, sdk_with_token(server, made | {"token": other}), **BUSINESS)[0] == "AuthFailure.TokenFailure"
    time.sleep(max(0.0, ends - time.monotonic()))
    assert code(token, sdk_with_token(server, made), **BUSINESS)[0] == "AuthFailure.TokenFailure"
    (listed,) = [entry for entry in server.json("key", "list") if entry["secret_id"] == made["secret_id"]]
    assert listed["expires_at"] == made["expires_at"]
    assert made["token"] not in json.dumps(listed)


def test_a_keys_networks_and_its_unsigned_bodies_follow_commands(server: Server) -> None:
    made = server.json("key", "create", "--account", "default")
    client = server.sdk((made["secret_id"], made["secret_key"]))
    shown = server.json("key", "addresses", made["secret_id"], "10.0.0.7/8", "2001:db8::1")
    assert shown["addresses"] == ["10.0.0.0/8", "2001:db8::1/128"]
    server.follow()
    assert code(token, client, **BUSINESS)[0] == "IpNotInWhitelist"
    server.command("key", "addresses", made["secret_id"], "127.0.0.1")
    server.follow()
    assert token(client, **BUSINESS)
    assert server.json("key", "addresses", made["secret_id"], "--clear")["addresses"] == []
    assert "is not a network" in refused(server, "key", "addresses", made["secret_id"], "everywhere")
    assert server.json("key", "unsigned-payload", made["secret_id"], "--allow")["unsigned_payload"] is True
    assert server.json("key", "unsigned-payload", made["secret_id"], "--forbid")["unsigned_payload"] is False


def test_the_running_servers_last_failures_are_explained_and_masked(server: Server, key: tuple[str, str]) -> None:
    before = len(server.json("explain", "--recent"))
    assert code(token, server.sdk((key[0], "x" * 32)), **BUSINESS)[0] == "AuthFailure.SignatureFailure"
    until(lambda: len(server.json("explain", "--recent")) > before)
    failures = server.json("explain", "--recent")
    newest = failures[0]
    assert newest["explanation"]["cause"]
    text = json.dumps(failures, ensure_ascii=False)
    assert key[0] not in text
    assert key[1] not in text
    assert BUSINESS["IdCard"] not in text


def test_why_a_signature_is_wrong_is_in_the_reply_only_where_a_setting_says_so(
    server: Server, key: tuple[str, str], tmp_path: Path
) -> None:
    plain = "请求签名验证失败，请检查您的签名计算是否正确。"
    assert code(token, server.sdk((key[0], "x" * 32)), **BUSINESS)[1] == plain
    telling = Server(tmp_path, explain_in_reply=True, recent_failures=0).start()
    try:
        secret_id, _ = telling.key()
        message = code(token, telling.sdk((secret_id, "x" * 32)), **BUSINESS)[1]
        assert message.startswith(plain)
        assert len(message) > len(plain)
        assert not list(telling.data_dir.glob("*failures*"))
    finally:
        telling.stop()
