"""The page that a person's device opens, its files, and the JavaScript SDK: served with strict headers.

The token is in the link's fragment, so the server does not know the account when it serves the page. Which site may
frame the page is therefore part of its address: `/verify` alone may not be framed at all, and
`/verify?origin=https://shop.example` may be framed by that one origin, if some account lists it. The page then talks to
that origin only, and tells it to the capture channel, which checks it against the list of the token's own account.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Collection

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from renzheng.web import files

Origins = Callable[[], Collection[str]]
"""All accounts' allowed origins, as `scheme://host` or `scheme://host:port`."""

PACKAGE = "renzheng.capture"
ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?|https?://\[[0-9A-Fa-f:]+\](:\d{1,5})?")
HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?")
ORIGIN_SLOT = b'<meta name="renzheng-origin" content="">'


def policy(host: str, ancestors: str) -> str:
    """Return the page's Content-Security-Policy, which allows its own files and its own socket."""
    # In browsers of 2021 and before, 'self' does not include the socket's scheme, so it is named.
    sockets = f" ws://{host} wss://{host}" if HOST.fullmatch(host) else ""
    return files.policy(f"'self'{sockets}", ancestors)


def page(request: Request, origins: Collection[str]) -> Response:
    """Serve `/verify`: to be framed by nobody, or by the one origin that the query names. 403 for any other origin."""
    asked = request.query_params.get("origin", "")
    host = request.headers.get("Host", "")
    own = f"{request.url.scheme}://{host}"
    listed = not asked or (ORIGIN.fullmatch(asked) is not None and (asked == own or asked in origins))
    ancestors = asked if asked and listed else "'none'"
    headers = {
        **files.COMMON,
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy(host, ancestors),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
        "X-Robots-Tag": "noindex",
    }
    if not listed:
        body = files.static_file(PACKAGE, "refused.html").body
        return Response(body, 403, headers, media_type=files.TYPES[".html"])
    slot = f'<meta name="renzheng-origin" content="{html.escape(asked)}">'.encode()
    body = files.static_file(PACKAGE, "verify.html").body.replace(ORIGIN_SLOT, slot)
    return Response(body, headers=headers, media_type=files.TYPES[".html"])


def routes(origins: Origins) -> list[BaseRoute]:
    """Return the routes `/verify`, `/static/{name}` and `/sdk/{name}`.

    `origins` is called for every page that names an origin, so it should answer from memory.
    """
    names = {"static": files.names(PACKAGE), "sdk": files.names(PACKAGE, "sdk")}

    async def verify(request: Request) -> Response:
        return page(request, origins() if "origin" in request.query_params else ())

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in names["static"] or name.endswith(".html"):
            return files.not_found()
        return files.send(request, files.static_file(PACKAGE, name), files.OWN_FILE)

    async def sdk(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in names["sdk"]:
            return files.not_found()
        # Public code. Merchants' pages import it as a module, which needs permission across origins.
        headers = {
            "Cache-Control": "no-cache",
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        return files.send(request, files.static_file(PACKAGE, f"sdk/{name}"), headers)

    return [
        Route("/verify", verify),
        Route("/static/{name}", static),
        Route("/sdk/{name}", sdk),
    ]
