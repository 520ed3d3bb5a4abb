"""Renders pages from templates: both languages side by side in the text, all values escaped, strict headers."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from renzheng.console.verbs import chinese_verb
from renzheng.console.words import LABELS, RESULTS, ROLES
from renzheng.web import files
from renzheng.web.requests import cookie

PACKAGE = "renzheng.console"
ROOT = "/console"
LANGUAGE_COOKIE = "renzheng_language"
LANGUAGES = ("en", "zh")
MAX_LANGUAGES = 1000  # most characters of Accept-Language that are read: 60 KB of commas take 20 ms
HEADERS = {
    **files.COMMON,
    # With no-referrer, browsers would send forms with the Origin null.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Content-Security-Policy": files.policy("'self'", "'none'", forms="'self'", media="'self'"),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), display-capture=()",
    "X-Robots-Tag": "noindex",
}
# A page with frames or a video contains them, as no address of a face should stay in a browser's history.
WITH_FRAMES = {
    "Content-Security-Policy": HEADERS["Content-Security-Policy"]
    .replace("img-src", "img-src data:")
    .replace("media-src", "media-src data:")
}
_OWN_PATH = re.compile(r"/console(/[A-Za-z0-9._~-]+)*/?(\?[A-Za-z0-9._~=&%+:-]*)?")

templates = Environment(
    loader=PackageLoader(PACKAGE, "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


def compile_templates() -> None:
    """Compile all templates, once. They take a quarter of a second together, so not on the event loop."""
    for name in templates.list_templates():
        templates.get_template(name)


def plain_json(value: Any) -> str:
    """Return readable JSON. It is escaped when it is shown."""
    return json.dumps(value, ensure_ascii=False, indent=1)


templates.filters["tojson_plain"] = plain_json


def language(request: Request) -> str:
    """Return `zh` or `en`: the person's choice, else the first of the browser's languages that the console has."""
    chosen = cookie(request, LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    for tag in request.headers.get("accept-language", "")[:MAX_LANGUAGES].split(","):
        wanted = tag.strip().lower()[:2]
        if wanted in LANGUAGES:
            return wanted
    return "en"


def own_path(given: str) -> str:
    """Return a path of the console to go on to, with its query; the console's start if `given` is anything else."""
    return given if _OWN_PATH.fullmatch(given) and ".." not in given else ROOT


class Words:
    """`t`, `day`, `time` and `number` of the templates, in one language and one time zone."""

    def __init__(self, chosen: str, utc_offset: float) -> None:
        self.language = chosen
        self._zone = datetime.timezone(datetime.timedelta(hours=utc_offset))

    def t(self, english: str, chinese: str, **values: object) -> str | Markup:
        """Return the sentence in the page's language. `{name}` in it stands for a value, which is escaped."""
        sentence = chinese if self.language == "zh" else english
        return Markup(sentence).format(**values) if values else sentence  # noqa: S704 - the sentence is a template's

    def result(self, code: str) -> str:
        """Return what a Result means; empty if it is not known."""
        english, chinese = RESULTS.get(code, ("", ""))
        return str(self.t(english, chinese))

    def label(self, name: str) -> str:
        """Return what a parameter is called on a form."""
        return str(self.t(*LABELS.get(name, (name, name))))

    def local(self, at: float) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(at, self._zone)

    def time(self, at: float | None) -> Markup:
        """Return a time element, to the second."""
        if at is None:
            return Markup("–")
        local = self.local(at)
        return Markup('<time datetime="{}">{}</time>').format(
            local.isoformat(timespec="seconds"), local.strftime("%Y-%m-%d %H:%M:%S")
        )


def render(
    name: str,
    request: Request,
    utc_offset: float,
    values: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Render a page from its template. `values` are added to the words and the request's path."""
    words = Words(language(request), utc_offset)
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    body = templates.get_template(name).render(
        t=words.t, time=words.time, local=words.local, language=words.language, roles=ROLES,
        dig=dig, chinese_verb=chinese_verb, result=words.result, label=words.label,
        path=request.url.path, here=own_path(here), quote=quote, **values,
    )  # fmt: skip
    return Response(body, status, {**HEADERS, **(headers or {})}, files.TYPES[".html"])


def dig(row: Mapping[str, Any], name: str) -> Any:
    """Return a value of a reply by its name, through objects if it has dots; None if it is missing."""
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def go(path: str) -> Response:
    """Redirect with 303, so that a reload does not send the form again."""
    return RedirectResponse(path, 303, HEADERS)
