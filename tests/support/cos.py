"""Tencent COS's S3 interface over a real S3 server (moto): virtual-hosted style only, and signatures are checked."""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

REGION, NAME = "ap-guangzhou", "faces-1250000000"
KEY_ID, SECRET = "AKIDcosfront", "secret-of-the-front"
_HOST = re.compile(r"([a-z0-9-]+)\.cos\.([a-z0-9-]+)\.myqcloud\.com")

Start = Callable[..., Any]


class Buckets:
    """What is in a front, at the address `proxy`, past its rules: for setting up and looking."""

    def __init__(self, proxy: str) -> None:
        self.proxy = proxy
        self._client: Any = None

    def make_bucket(self, name: str = NAME) -> None:
        self._own().create_bucket(Bucket=name)

    def drop_bucket(self, name: str = NAME) -> None:
        client = self._own()
        for key in self.keys(name):
            client.delete_object(Bucket=name, Key=key)
        client.delete_bucket(Bucket=name)

    def keys(self, name: str = NAME) -> list[str]:
        pages = self._own().get_paginator("list_objects_v2").paginate(Bucket=name)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def objects(self, name: str = NAME) -> dict[str, bytes]:
        """Every object by its key."""
        client = self._own()
        return {key: client.get_object(Bucket=name, Key=key)["Body"].read() for key in self.keys(name)}

    def _own(self) -> Any:
        """A client in moto's path style."""
        if self._client is None:
            self._client = boto3.client(
                "s3",
                endpoint_url=self.proxy,
                region_name="us-east-1",
                aws_access_key_id="own",
                aws_secret_access_key="own",
            )
        return self._client


class CosFront(Buckets):
    """Takes requests for `<bucket>.cos.<region>.myqcloud.com` as an HTTP proxy on loopback.

    `fault`: an S3 error code to answer to everything, `down` to break every connection off, `changed` to give back
    something else than was put.
    """

    def __init__(self, port: int = 0) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", port, self, threaded=True)
        self.fault = ""
        self.puts: Counter[str] = Counter()
        self.port = int(self._server.server_port)
        super().__init__(f"http://127.0.0.1:{self.port}")
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()

    def __call__(self, environ: dict[str, Any], start: Start) -> Any:
        host = environ["HTTP_HOST"].split(":")[0]
        if host == "127.0.0.1":
            environ["HTTP_HOST"] = "s3.amazonaws.com"
            return self._moto(environ, start)
        if self.fault == "down":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError
        if self.fault == "redirect":
            return Response(status=307, headers={"Location": "http://127.0.0.1:1/"})(environ, start)
        if self.fault == "changed" and environ["REQUEST_METHOD"] == "GET":
            return Response(b"something else")(environ, start)
        if self.fault and self.fault != "changed":
            return _error(self.fault)(environ, start)
        found = _HOST.fullmatch(host)
        if found is None:
            return _error("PathStyleDomainForbidden")(environ, start)
        if (code := _signature_fault(environ, found[2])) is not None:
            return _error(code)(environ, start)
        if environ["REQUEST_METHOD"] == "PUT":
            self.puts[environ["PATH_INFO"].lstrip("/")] += 1
        environ["HTTP_HOST"] = f"{found[1]}.s3.amazonaws.com"
        return self._moto(environ, start)


@contextlib.contextmanager
def cos_front() -> Iterator[CosFront]:
    """One with its bucket."""
    front = CosFront()
    front.make_bucket()
    try:
        yield front
    finally:
        front.stop()


def _error(code: str) -> Response:
    body = f"<?xml version='1.0' encoding='utf-8'?><Error><Code>{code}</Code><Message>no</Message></Error>"
    return Response(body, status=403, content_type="application/xml")


def _signature_fault(environ: dict[str, Any], region: str) -> str | None:
    """botocore's signer works the signature out again. COS's own scheme, which its SDK signs by, is let pass."""
    given = environ.get("HTTP_AUTHORIZATION", "")
    if given.startswith("q-sign-algorithm="):
        environ["HTTP_AUTHORIZATION"] = f"AWS4-HMAC-SHA256 Credential={KEY_ID}/20260101/us-east-1/s3/aws4_request"
        return None
    if "X-Amz-Signature" in environ["QUERY_STRING"]:
        return None
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d+)/([^/]+)/s3/aws4_request, *SignedHeaders=([^,]+), *Signature=(\w+)",
        given,
    )
    if found is None or found[1] != KEY_ID:
        return "InvalidAccessKeyId"
    names = found[4].split(";")
    headers = {name: environ.get("HTTP_" + name.upper().replace("-", "_"), "") for name in names}
    if "content-type" in headers:
        headers["content-type"] = environ["CONTENT_TYPE"]
    if "content-length" in headers:
        headers["content-length"] = environ["CONTENT_LENGTH"]
    path = urlsplit(environ.get("REQUEST_URI", environ["PATH_INFO"])).path
    url = f"http://{environ['HTTP_HOST']}{path}"
    if environ["QUERY_STRING"]:
        url += f"?{environ['QUERY_STRING']}"
    request = AWSRequest(environ["REQUEST_METHOD"], url, headers=headers)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = S3SigV4Auth(Credentials(KEY_ID, SECRET), "s3", region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return None if signer.signature(text, request) == found[5] else "SignatureDoesNotMatch"


if __name__ == "__main__":  # a process of its own: the port
    CosFront(int(sys.argv[1]))
    threading.Event().wait()
