"""`/explorer`, its files and the description of the API: public, the same for everybody, with a policy of its own."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from renzheng.explorer.description import Description
from renzheng.web import files

PACKAGE = "renzheng.explorer"
DESCRIPTION = "description.json"
PAGE_HEADERS = {
    **files.OWN_FILE,
    "Content-Security-Policy": files.policy("'self'", "'none'"),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), display-capture=()",
    "X-Robots-Tag": "noindex",
}


def routes(description: Description) -> list[BaseRoute]:
    """Return the routes of the page and its files. Its mark, colours and small helpers come from `/static/`."""
    names = files.names(PACKAGE)
    described = files.make_file(msgspec.json.encode(description), ".json")

    async def page(request: Request) -> Response:
        return files.send(request, files.static_file(PACKAGE, "explorer.html"), PAGE_HEADERS)

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name == DESCRIPTION:
            return files.send(request, described, files.OWN_FILE)
        if name not in names or name.endswith(".html"):
            return files.not_found()
        return files.send(request, files.static_file(PACKAGE, name), files.OWN_FILE)

    return [Route("/explorer", page), Route("/explorer/{name}", static)]
