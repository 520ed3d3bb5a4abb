"""A second, independent signer, written from the documentation, for requests that the golden files do not hold."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from tests.gateway.support import NOW, SECRET_ID, SECRET_KEY


def tc3_headers(
    body: bytes,
    *,
    action: str = "GetFaceIdToken",
    version: str = "2018-03-01",
    region: str | None = "ap-guangzhou",
    timestamp: int = int(NOW),
    host: str = "faceid.tencentcloudapi.com",
    content_type: str = "application/json",
    secret_id: str = SECRET_ID,
    secret_key: str = SECRET_KEY,
    service: str = "faceid",
    date: str | None = None,
    method: str = "POST",
    query: str = "",
    signed_host: str | None = None,
    signed_type: str | None = None,
    payload: bytes | None = None,
    path: str = "/",
    more: dict[str, str] | None = None,
) -> list[tuple[bytes, bytes]]:
    """Headers of a signed request. `signed_*`, `payload` and `date` are what is signed where it differs."""
    hashed = hashlib.sha256(body if payload is None else payload).hexdigest()
    canonical = (
        f"{method}\n{path}\n{query}\ncontent-type:{signed_type or content_type}\nhost:{signed_host or host}\n\n"
        f"content-type;host\n{hashed}"
    )
    date = date or datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
    scope = f"{date}/{service}/tc3_request"
    text = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("TC3" + secret_key).encode()
    for part in (date, service, "tc3_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers = {
        "Host": host,
        "Content-Type": content_type,
        "X-TC-Action": action,
        "X-TC-Version": version,
        "X-TC-Timestamp": str(timestamp),
        "Authorization": f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders=content-type;host, "
        f"Signature={signature}",
    }
    if region is not None:
        headers["X-TC-Region"] = region
    headers |= more or {}
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def signed_json(content: Any, **options: Any) -> dict[str, Any]:
    """The arguments of `call` for a signed JSON request."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return {"headers": tc3_headers(body, **options), "body": body}


BUSINESS = {"CompareLib": "BUSINESS", "IdCard": "11204416541220243X", "Name": "韦小宝"}
