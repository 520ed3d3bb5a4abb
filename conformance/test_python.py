"""tencentcloud-sdk-python, live: all three signature methods, GET and POST."""

from __future__ import annotations

import json

import pytest
from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.faceid.v20180301 import faceid_client, models

from conformance.calls import Call, signed_calls, with_token
from tests.support.server import REGION, Server


@pytest.mark.parametrize(("call", "sign", "http"), signed_calls(), ids=lambda value: getattr(value, "name", value))
def test_python(server: Server, key: tuple[str, str], issued: str, call: Call, sign: str, http: str) -> None:
    profile = ClientProfile(
        signMethod=sign,
        language=call.language,
        httpProfile=HttpProfile(protocol="http", endpoint=f"127.0.0.1:{server.port}", reqMethod=http, reqTimeout=60),
    )
    client = faceid_client.FaceidClient(credential.Credential(*key), REGION, profile)
    request = getattr(models, f"{call.action}Request")()
    request.from_json_string(json.dumps(with_token(call.fields, issued)))
    if call.code:
        with pytest.raises(TencentCloudSDKException) as caught:
            getattr(client, call.action)(request)
        assert (caught.value.code, caught.value.message) == (call.code, call.message)
    else:
        assert getattr(getattr(client, call.action)(request), call.has)
