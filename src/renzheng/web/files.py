"""Files that the server shows in a browser: compressed once, checked by ETag, with the same headers everywhere.

The rooms that have pages (capture, explorer) serve their folders `static/` with it and write their own policies.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".ts": "text/plain; charset=utf-8",
}
COMMENT = re.compile(rb"^[ \t]*/\*(?:(?!\*/).)*\*/[ \t]*\n", re.DOTALL | re.MULTILINE)
COMMON = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
# Checked each time and answered 304, so that after an update all files have the same version.
OWN_FILE = {"Cache-Control": "no-cache", "Cross-Origin-Resource-Policy": "same-origin"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    body: bytes
    packed: bytes  # gzip
    tag: str
    media_type: str


def make_file(body: bytes, suffix: str) -> StaticFile:
    """Prepare bytes to be served. `suffix`: one of `TYPES`."""
    return StaticFile(
        body=body,
        packed=gzip.compress(body, mtime=0),
        tag=f'"{hashlib.sha256(body).hexdigest()[:20]}"',
        media_type=TYPES[suffix],
    )


@cache
def static_file(package: str, name: str) -> StaticFile:
    """Return a file of the package's `static/` by its path there. Raises FileNotFoundError.

    Comment lines are removed from the pages' own scripts and styles, as they are for readers of the source. The SDK,
    which merchants read, keeps them.
    """
    body = (files(package) / "static" / name).read_bytes()
    if name.endswith((".js", ".css")) and not name.startswith("sdk/"):
        body = COMMENT.sub(b"", body)
    return make_file(body, name[name.rindex(".") :])


def names(package: str, folder: str = "") -> tuple[str, ...]:
    """Return the files in the package's `static/`, or in a folder there."""
    root = files(package) / "static"
    for part in filter(None, folder.split("/")):
        root = root / part
    return tuple(sorted(entry.name for entry in root.iterdir() if entry.is_file()))


def send(request: Request, file: StaticFile, headers: Mapping[str, str]) -> Response:
    """Answer with the file, compressed if the browser accepts that, or 304 if the browser has it."""
    given = {"ETag": file.tag, "Vary": "Accept-Encoding", **COMMON, **headers}
    if file.tag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=given)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return Response(file.packed, media_type=file.media_type, headers={**given, "Content-Encoding": "gzip"})
    return Response(file.body, media_type=file.media_type, headers=given)


def not_found() -> Response:
    return Response("Not Found", 404, COMMON, media_type="text/plain")


def policy(connect: str, ancestors: str, forms: str = "'none'", media: str = "") -> str:
    """Return a page's Content-Security-Policy: its own files, and no markup made from strings.

    `connect`: where its scripts may connect to. `ancestors`: who may frame it. `forms`: where its forms may be sent.
    `media`: where its videos may come from; empty if it has none.
    """
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            *((f"media-src {media}",) if media else ()),
            f"connect-src {connect}",
            "base-uri 'none'",
            f"form-action {forms}",
            f"frame-ancestors {ancestors}",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )
