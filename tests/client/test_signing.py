"""Signed requests against the bytes of the official clients and the official signer."""

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from renzheng.client import Credential, sign

GOLDEN = Path(__file__).parent.parent / "golden"
V1 = ["node_hmacsha1_get", "node_hmacsha256_post_form", "py_hmacsha1_get", "py_hmacsha1_post",
      "py_hmacsha256_post_form"]  # fmt: skip
TC3 = ["node_tc3_post_json", "node_tc3_post_token", "node_tc3_post_empty", "node_tc3_result"]


def golden(name: str) -> dict[str, Any]:
    vector: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text())
    return vector


@pytest.mark.parametrize("name", V1)
def test_the_v1_methods_sign_as_the_official_clients_do(name: str) -> None:
    vector = golden(name)
    expect, request = vector["expect"], vector["request"]
    sent = dict(parse_qsl(request["body_utf8"] or request["target"][2:], keep_blank_values=True))
    credential = Credential(*next(iter(vector["keys"].items())))
    signed = sign(
        credential,
        expect["action"],
        expect["params"] | {"RequestClient": sent["RequestClient"]},
        host=vector["derivation"]["host_used"],
        signature_method=expect["signature_method"],
        http_method=request["method"],
        region=expect["region"],
        language=expect.get("language"),
        timestamp=int(expect["timestamp"]),
        nonce=int(expect["nonce"]),
    )
    text = signed.body.decode() or signed.target.removeprefix("/?")
    assert dict(parse_qsl(text, keep_blank_values=True)) == sent


@pytest.mark.parametrize("name", TC3)
def test_tc3_signs_the_official_clients_bytes_as_the_official_signer_does(name: str) -> None:
    from tencentcloud.common.sign import Sign

    vector = golden(name)
    expect = vector["expect"]
    secret_id, secret_key = next(iter(vector["keys"].items()))
    signed = sign(
        Credential(secret_id, secret_key, expect.get("token")),
        expect["action"],
        expect.get("params", {}),
        host="faceid.tencentcloudapi.com",
        region=expect.get("region"),
        timestamp=vector["clock_unix"],
    )
    assert signed.body.decode() == vector["request"]["body_utf8"]
    digest = hashlib.sha256(signed.body).hexdigest()
    canonical = (
        "POST\n/\n\ncontent-type:application/json\nhost:faceid.tencentcloudapi.com\n\ncontent-type;host\n" + digest
    )
    scope = f"{vector['derivation']['string_to_sign'].splitlines()[2].split('/')[0]}/faceid/tc3_request"
    text = "\n".join(
        [
            "TC3-HMAC-SHA256",
            str(vector["clock_unix"]),
            scope,
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    expected = Sign.sign_tc3(secret_key, scope.split("/")[0], "faceid", text)
    assert signed.headers["Authorization"] == (
        f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders=content-type;host, Signature={expected}"
    )
    assert signed.headers.get("X-TC-Token") == expect.get("token")


def test_a_method_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="TC3-HMAC-SHA256"):
        sign(Credential("i", "k"), "A", {}, host="h", signature_method="HmacMD5")  # type: ignore[arg-type]


def test_a_credential_does_not_show_its_secrets() -> None:
    assert repr(Credential("id", "secret", "token")) == "Credential(secret_id='id')"
