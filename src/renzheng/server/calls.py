"""Decides which requests are calls of the signed API: all to `/`, and signed ones to any path that is not a page's.

An endpoint may have a path of its own (`host/v2`): the official SDKs then call that path and sign `/`. API clients read
JSON, so anything that may be a call never gets a page or a text.
"""

from __future__ import annotations

import uuid
from collections.abc import MutableMapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match

_READING = ("GET", "HEAD", "OPTIONS")
_MARKS = (b"authorization", b"x-tc-action", b"x-tc-timestamp", b"x-tc-version")
_NAMES = (b"Action=", b"Signature=", b"SecretId=")


def is_call(scope: MutableMapping[str, Any], pages: Sequence[BaseRoute]) -> bool:
    """Return whether an HTTP request is for the gateway. `pages`: other routes, which are only read."""
    if scope["path"] == "/":
        return scope["method"] != "GET" or not _is_browser(scope)
    is_page = any(route.matches(scope)[0] is not Match.NONE for route in pages)
    if scope["method"] not in _READING:
        return not is_page or scope["method"] == "POST"
    if is_page:
        return False
    query: bytes = scope["query_string"]
    return any(name in _MARKS for name, _ in scope["headers"]) or any(name in query for name in _NAMES)


def _is_browser(scope: MutableMapping[str, Any]) -> bool:
    """Return whether a person opened the bare address: the request asks for HTML, is unsigned and names no action."""
    headers, query = scope["headers"], scope["query_string"]
    wants_html = any(name == b"accept" and b"text/html" in value for name, value in headers)
    return wants_html and not any(name in _MARKS for name, _ in headers) and not any(n in query for n in _NAMES)


async def nothing_here(request: Request, _: Exception) -> Response:
    """Answer 404: a text for a browser, and JSON in the API's form for everybody else."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if "text/html" in request.headers.get("Accept", ""):
        return PlainTextResponse("Not Found\n", 404, headers)
    error = {"Code": "ResourceNotFound", "Message": "There is nothing at this path. The API is at `/`."}
    return JSONResponse({"Response": {"Error": error, "RequestId": str(uuid.uuid4())}}, 404, headers)
