"""The merchant's side with the official SDK, unmodified: fetch a token, fetch the result."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pybase64
from tencentcloud.common import credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.faceid.v20180301 import faceid_client, models

REGION = "ap-guangzhou"


@dataclass(frozen=True, slots=True)
class MerchantCall:
    """One call: the action's name, its request and its reply as the wire's JSON."""

    action: str
    request: dict[str, Any]
    reply: dict[str, Any]


class Merchant:
    """`server`: http(s) address; the SDK raises TencentCloudSDKException for every error reply."""

    def __init__(self, server: str, secret_id: str, secret_key: str, *, timeout: int = 60) -> None:
        parts = urlsplit(server if "//" in server else f"http://{server}")
        profile = HttpProfile(protocol=parts.scheme, endpoint=parts.netloc, reqTimeout=timeout)
        keys = credential.Credential(secret_id, secret_key)
        self._client = faceid_client.FaceidClient(keys, REGION, ClientProfile(httpProfile=profile))

    def token(self, photo: bytes, extra: str = "renzheng demo") -> MerchantCall:
        """Call GetFaceIdToken to compare with a photo, JPEG or PNG bytes."""
        fields = {"CompareLib": "LOCAL", "ImageBase64": pybase64.b64encode(photo).decode(), "Extra": extra}
        request = models.GetFaceIdTokenRequest()
        request.from_json_string(json.dumps(fields))
        return MerchantCall("GetFaceIdToken", fields, _reply(self._client.GetFaceIdToken(request)))

    def result(self, token: str, *, video: bool = False, best_frame: bool = False) -> MerchantCall:
        """Call GetFaceIdResult."""
        fields = {"FaceIdToken": token, "IsNeedVideo": video, "IsNeedBestFrame": best_frame}
        request = models.GetFaceIdResultRequest()
        request.from_json_string(json.dumps(fields))
        return MerchantCall("GetFaceIdResult", fields, _reply(self._client.GetFaceIdResult(request)))


def _reply(response: Any) -> dict[str, Any]:
    return dict(json.loads(response.to_json_string()))


def printable(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields as they may be shown: pictures by their size, tokens by their first digits."""
    shown = {}
    for name, value in fields.items():
        if name.endswith("Base64") and isinstance(value, str) and value:
            shown[name] = f"<{len(value):,} characters>"
        elif name == "FaceIdToken" and isinstance(value, str):
            shown[name] = value[:8] + "..."
        else:
            shown[name] = value
    return shown
