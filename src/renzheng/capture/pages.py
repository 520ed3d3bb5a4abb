"""The page that a person's device opens, its files, and the JavaScript SDK: served with strict headers.

The token is in the link's fragment, so the server does not know the account when it serves the page. Who may frame
it is therefore asked for by name: `/verify` alone may not be framed at all, and `/verify?origin=https://shop.example`
may be framed by that one origin, if some account lists it. The page then speaks with that origin only, and tells it
to the capture channel, which checks it against the list of the token's own account.
"""

from __future__ import annotations

import gzip
import hashlib
import html
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

Origins = Callable[[], Collection[str]]
"""All accounts' allowed origins, as `scheme://host` or `scheme://host:port`."""

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
}
ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?|https?://\[[0-9A-Fa-f:]+\](:\d{1,5})?")
HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?")
ORIGIN_SLOT = b'<meta name="renzheng-origin" content="">'
COMMENT = re.compile(rb"^[ \t]*/\*.*?\*/[ \t]*\n", re.DOTALL | re.MULTILINE)
COMMON = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    body: bytes
    packed: bytes  # gzip
    tag: str
    media_type: str


@cache
def static_file(name: str) -> StaticFile:
    """A file of `static/` by its path there. Raises FileNotFoundError.

    The page's own scripts and styles go without comments on lines of their own, which are for readers of the source;
    the SDK, which merchants read, keeps them.
    """
    body = (files("renzheng.capture") / "static" / name).read_bytes()
    if name.endswith((".js", ".css")) and not name.startswith("sdk/"):
        body = COMMENT.sub(b"", body)
    suffix = name[name.rindex(".") :]
    return StaticFile(
        body=body,
        packed=gzip.compress(body, mtime=0),
        tag=f'"{hashlib.sha256(body).hexdigest()[:20]}"',
        media_type=TYPES[suffix],
    )


def _names(folder: str) -> tuple[str, ...]:
    root = files("renzheng.capture") / "static"
    for part in filter(None, folder.split("/")):
        root = root / part
    return tuple(sorted(entry.name for entry in root.iterdir() if entry.is_file()))


def _send(request: Request, file: StaticFile, headers: dict[str, str]) -> Response:
    headers = {"ETag": file.tag, "Vary": "Accept-Encoding", **COMMON, **headers}
    if file.tag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return Response(file.packed, media_type=file.media_type, headers={**headers, "Content-Encoding": "gzip"})
    return Response(file.body, media_type=file.media_type, headers=headers)


def policy(host: str, ancestors: str) -> str:
    """The page's Content-Security-Policy: its own files and its own socket, and no markup made from strings."""
    # Browsers of 2021 and before do not take 'self' to include the socket's scheme, so it is named.
    sockets = f" ws://{host} wss://{host}" if HOST.fullmatch(host) else ""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            f"connect-src 'self'{sockets}",
            "base-uri 'none'",
            "form-action 'none'",
            f"frame-ancestors {ancestors}",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def page(request: Request, origins: Collection[str]) -> Response:
    """`/verify`, for nobody's frame or for that of the one origin that the query names. 403 for any other origin."""
    asked = request.query_params.get("origin", "")
    host = request.headers.get("Host", "")
    own = f"{request.url.scheme}://{host}"
    listed = not asked or (ORIGIN.fullmatch(asked) is not None and (asked == own or asked in origins))
    ancestors = asked if asked and listed else "'none'"
    headers = {
        **COMMON,
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy(host, ancestors),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
        "X-Robots-Tag": "noindex",
    }
    if not listed:
        body = static_file("refused.html").body
        return Response(body, 403, headers, media_type=TYPES[".html"])
    slot = f'<meta name="renzheng-origin" content="{html.escape(asked)}">'.encode()
    body = static_file("verify.html").body.replace(ORIGIN_SLOT, slot)
    return Response(body, headers=headers, media_type=TYPES[".html"])


def routes(origins: Origins) -> list[BaseRoute]:
    """`/verify`, `/static/{name}` and `/sdk/{name}`.

    `origins` is called once a page is asked for by an origin; it should answer from memory.
    """
    names = {"static": _names(""), "sdk": _names("sdk")}

    async def verify(request: Request) -> Response:
        return page(request, origins() if "origin" in request.query_params else ())

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in names["static"] or name.endswith(".html"):
            return Response("Not Found", 404, COMMON, media_type="text/plain")
        # Asked anew each time and answered 304: after an update all files are of one version.
        headers = {"Cache-Control": "no-cache", "Cross-Origin-Resource-Policy": "same-origin"}
        return _send(request, static_file(name), headers)

    async def sdk(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in names["sdk"]:
            return Response("Not Found", 404, COMMON, media_type="text/plain")
        # Public code that merchants' pages import as a module, which takes leave across origins.
        headers = {
            "Cache-Control": "no-cache",
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        return _send(request, static_file(f"sdk/{name}"), headers)

    return [
        Route("/verify", verify),
        Route("/static/{name}", static),
        Route("/sdk/{name}", sdk),
    ]
