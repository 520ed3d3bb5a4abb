"""Reads submitted forms: within bounds, from our own pages only, as text."""

from __future__ import annotations

import asyncio
import io
import re
import secrets
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol
from urllib.parse import parse_qsl

import multipart  # type: ignore[import-untyped]
from starlette.requests import ClientDisconnect, Request

from renzheng.base import defaults
from renzheng.base.addresses import split_url

MAX_FORM = 64 * 1024
MAX_FIELDS = 200
MAX_PARTS = 2000
URLENCODED, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_MARK = re.compile(r"[A-Za-z0-9_-]{16}")
MAX_UPLOAD = 12 * 1024 * 1024
"""Most bytes of a form with a file: a photo of the API's largest size, and the form around it."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as it was sent. `name`: its name on the person's machine."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Form:
    """`many`: all files of a field; `files` has the last one."""

    fields: dict[str, str]
    files: dict[str, File]
    many: dict[str, list[File]] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        return self.fields.get(name, default)

    def __getitem__(self, name: str) -> str:
        return self.fields[name]


class FormError(Exception):
    """A form is refused. `status`: of the reply. `kind`: `foreign`, `large`, `form`, `sent` and others."""

    def __init__(self, status: int, kind: str) -> None:
        super().__init__(kind)
        self.status = status
        self.kind = kind


class SentForms(Protocol):
    """Remembers which forms were submitted, over all servers."""

    async def take_form(self, session: bytes, mark: str, now: float) -> bool: ...


def fresh_mark() -> str:
    """Return the mark of a shown form. It is accepted once, however often a browser sends it."""
    return secrets.token_urlsafe(12)


async def take_once(sent: SentForms, session: bytes, form: Form, now: float) -> None:
    """Record that this form of the session was submitted. Raises FormError if it was before, or has no mark."""
    mark = form.get("once")
    if not _MARK.fullmatch(mark) or not await sent.take_form(session, mark, now):
        raise FormError(409, "sent")


def check_origin(request: Request, public_origin: str) -> None:
    """Raise FormError unless the browser says that a page of this very origin sent the request.

    `public_origin`: scheme, host and port under which people reach the console behind a proxy; empty: those of Host.
    """
    own = public_origin or f"{request.url.scheme}://{request.headers.get('host', '')}"
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if origin is None or _plain(origin) != _plain(own) or site not in (None, "same-origin"):
        raise FormError(403, "foreign")


def _plain(origin: str) -> tuple[str, str | None, int | None]:
    parts = split_url(origin.lower())
    if parts is None:
        return origin, None, None
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


class Pace(NamedTuple):
    """How fast a form must arrive: within `seconds`, and one more for each `rate` bytes of its largest size."""

    seconds: float = defaults.BODY_SECONDS
    rate: float = defaults.BODY_RATE


USUAL_PACE = Pace()


async def read_body(request: Request, most: int, pace: Pace) -> bytes:
    """Read a body. Raises FormError if it is too long, too slow, or incomplete."""
    body = bytearray()
    try:
        async with asyncio.timeout(pace.seconds + most / pace.rate):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise FormError(413, "large")
    except ClientDisconnect:
        raise FormError(400, "form") from None
    except TimeoutError:
        raise FormError(408, "form") from None
    return bytes(body)


async def read_form(request: Request, files: int, pace: Pace) -> Form:
    """Read the fields, the last one of each name, and files of at most `files` bytes in all. Raises FormError."""
    kind, options = multipart.parse_options_header(request.headers.get("content-type", ""))
    if kind == MULTIPART and files:
        body = await read_body(request, files, pace)
        return await asyncio.to_thread(_read_parts, body, options.get("boundary", ""))  # may take megabytes
    if kind != URLENCODED:
        raise FormError(415, "form")
    body = await read_body(request, MAX_FORM, pace)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except (UnicodeDecodeError, ValueError):
        raise FormError(400, "form") from None
    return Form(dict(pairs), {})


def _read_parts(body: bytes, boundary: str) -> Form:
    limits = {"part_limit": MAX_PARTS, "memory_limit": 2 * len(body), "spool_limit": len(body)}
    form = Form({}, {})
    try:
        for part in multipart.MultipartParser(io.BytesIO(body), boundary, len(body), strict=True, **limits):
            if part.filename is None:
                form.fields[part.name] = part.value
            elif part.size:
                form.files[part.name] = file = File(part.filename, part.raw)
                form.many.setdefault(part.name, []).append(file)
    except (multipart.MultipartError, UnicodeDecodeError):
        raise FormError(400, "form") from None
    return form
