"""A shop that asks its customers for a face check, in one file.

The browser gets a token from this server and runs the check; this server then fetches the result itself. What the
browser says about the outcome is never believed.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from tencentcloud.common import credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.faceid.v20180301 import faceid_client, models

HERE = Path(__file__).parent
RENZHENG = os.environ.get("RENZHENG_URL", "http://127.0.0.1:8400")
FACEID = urlsplit(RENZHENG)
# Whom the shop expects, by photo; without it, by the photo that the customer registers.
EXPECTED = ""
if photo := os.environ.get("SHOP_PHOTO"):
    try:
        EXPECTED = base64.b64encode(Path(photo).read_bytes()).decode()
    except OSError as error:
        sys.exit(f"SHOP_PHOTO={photo} cannot be read: {error.strerror}")

# One customer's check by the cookie of the browser; a real shop keeps this with the customer's account.
checks: dict[str, str] = {}


def keys() -> tuple[str, str]:
    """Return the keys of the environment, as in production; on one machine with renzheng, its own."""
    if "TENCENTCLOUD_SECRET_ID" in os.environ:
        return os.environ["TENCENTCLOUD_SECRET_ID"], os.environ["TENCENTCLOUD_SECRET_KEY"]
    shown = subprocess.run(
        [sys.executable, "-m", "renzheng", "key", "show", "--json"], check=True, capture_output=True, text=True
    )
    key = json.loads(shown.stdout)
    return key["secret_id"], key["secret_key"]


@cache
def faceid() -> faceid_client.FaceidClient:
    """The official SDK. Only protocol and endpoint differ from calling Tencent Cloud."""
    profile = ClientProfile(httpProfile=HttpProfile(protocol=FACEID.scheme, endpoint=FACEID.netloc))
    return faceid_client.FaceidClient(credential.Credential(*keys()), "ap-guangzhou", profile)


def new_token(photo: str, meta: str) -> str:
    request = models.GetFaceIdTokenRequest()
    request.from_json_string(json.dumps({"CompareLib": "LOCAL", "ImageBase64": photo, "Meta": meta}))
    return str(faceid().GetFaceIdToken(request).FaceIdToken)


def fetch_result(token: str) -> Any:
    request = models.GetFaceIdResultRequest()
    request.FaceIdToken = token
    return faceid().GetFaceIdResult(request)


async def page(request: Request) -> Response:
    body = (HERE / "shop.html").read_text(encoding="utf-8").replace("RENZHENG_URL", RENZHENG)
    # All that an embedding page's policy has to allow: the SDK's file, and the frame.
    policy = f"default-src 'self'; script-src 'self' {RENZHENG}; frame-src {RENZHENG}; img-src 'self' data:"
    response = Response(body, media_type="text/html", headers={"Content-Security-Policy": policy})
    if "shop" not in request.cookies:
        response.set_cookie("shop", secrets.token_urlsafe(18), httponly=True, samesite="strict")
    return response


async def begin(request: Request) -> Response:
    """The browser's Meta, and the customer's photo where the shop has none, become a token."""
    sent = await request.json()
    try:
        token = await run_in_threadpool(new_token, EXPECTED or str(sent.get("photo", "")), str(sent.get("meta", "")))
    except TencentCloudSDKException as error:
        return JSONResponse({"error": error.get_message()}, 400)
    checks[request.cookies.get("shop", "")] = token
    return JSONResponse({"token": token})


async def finish(request: Request) -> Response:
    """The verdict, server to server, for the token that this browser was given."""
    token = checks.get(request.cookies.get("shop", ""))
    if token is None:
        return JSONResponse({"error": "no check was begun"}, 400)
    found = await run_in_threadpool(fetch_result, token)
    return JSONResponse({"paid": found.Result == "0", "result": found.Result, "description": found.Description})


app = Starlette(
    routes=[
        Route("/", page),
        Route("/begin", begin, methods=["POST"]),
        Route("/finish", finish, methods=["POST"]),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ.get("SHOP_PORT", "8600")))
