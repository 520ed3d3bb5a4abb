"""The start page in two languages, and the documentation as text: public, without script, the same for everybody."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from renzheng.web import files

PACKAGE = "renzheng.start"
MAX_LANGUAGES = 1000  # characters of Accept-Language that are read: 60 KB of commas take 20 ms
HEADERS = {
    **files.COMMON,
    "Cache-Control": "no-store",
    "Content-Security-Policy": files.policy("'none'", "'none'"),
    "Vary": "Accept, Accept-Language",
    "X-Robots-Tag": "noindex",
}
EXPLORER = re.compile(rb"<!-- explorer -->\n(.*?)<!-- end -->\n", re.DOTALL)
HERE = Path(__file__).resolve().parent
# In the wheel they are beside the package's other files; in a checkout, in its own `docs`.
FOLDERS = (HERE.parent / "docs", HERE.parent.parent.parent / "docs")


def routes(has_explorer: bool) -> list[BaseRoute]:
    """Return the routes `/`, `/start/start.css`, `/docs/` and its pages."""
    found = {path.name: path for folder in FOLDERS for path in folder.glob("*.md")}

    async def start(request: Request) -> Response:
        body = files.static_file(PACKAGE, f"start.{language(request)}.html").body
        return Response(EXPLORER.sub(rb"\1" if has_explorer else b"", body), 200, HEADERS, files.TYPES[".html"])

    async def style(request: Request) -> Response:
        return files.send(request, files.static_file(PACKAGE, "start.css"), files.OWN_FILE)

    async def listed(request: Request) -> Response:
        lines = "".join(f'<li><a href="/docs/{name}">{escape(name)}</a></li>\n' for name in sorted(found))
        body = (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>renzheng docs</title>\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<link rel="stylesheet" href="/static/colours.css">\n<link rel="stylesheet" href="/start/start.css">\n'
            f"</head>\n<body>\n<main>\n<h1>Documentation</h1>\n<ul>\n{lines}</ul>\n</main>\n</body>\n</html>\n"
        )
        return Response(body, 200, HEADERS, files.TYPES[".html"])

    async def page(request: Request) -> Response:
        path = found.get(request.path_params["name"])
        if path is None:
            return files.not_found()
        return Response(path.read_bytes(), 200, HEADERS, "text/plain; charset=utf-8")

    return [
        Route("/", start),
        Route("/start/start.css", style),
        Route("/docs/", listed),
        Route("/docs/{name}", page),
    ]


def language(request: Request) -> str:
    """Return the first of the browser's languages that the page has: `zh` or `en`."""
    for tag in request.headers.get("Accept-Language", "")[:MAX_LANGUAGES].split(","):
        wanted = tag.strip().lower()[:2]
        if wanted in ("zh", "en"):
            return wanted
    return "en"
