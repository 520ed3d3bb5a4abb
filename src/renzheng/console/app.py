"""The console's routes, and what every request passes through: sign-in, permissions, and error pages."""

from __future__ import annotations

import asyncio
import datetime
import math
import secrets
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from renzheng.base.unavailable import UnavailableError
from renzheng.console import sign_in
from renzheng.console.actions import read_action
from renzheng.console.button_forms import ButtonForms, PlacedButton, placed_buttons
from renzheng.console.calls import CallError, Calls
from renzheng.console.door import WHOLE, Door, Visitor
from renzheng.console.explorer import EXPLORER, ExplorerPages
from renzheng.console.forms import FormError
from renzheng.console.frame import MenuItem, PageFrame
from renzheng.console.imports import ACTIONS, IMPORT, ImportPages
from renzheng.console.inspector import InspectorPages
from renzheng.console.listed import RECORDS, TABLES
from renzheng.console.overview import OverviewPages
from renzheng.console.own import FACTOR, OWN, OwnPages
from renzheng.console.parts import ConsoleParts
from renzheng.console.people import LINK, LinkPages
from renzheng.console.rendering import (
    LANGUAGE_COOKIE,
    LANGUAGES,
    PACKAGE,
    ROOT,
    compile_templates,
    go,
    own_path,
    render,
)
from renzheng.console.requests import REQUESTS, RequestPages
from renzheng.console.sign_in import CODE, SIGN_IN, SignInPages
from renzheng.console.single_sign_on import BACK, BEGIN, SingleSignOnPages
from renzheng.console.tables import DO, ManagementPages, TablePages
from renzheng.web import files

log = structlog.get_logger("renzheng.console")
Page = Callable[[Request, Visitor], Awaitable[Response]]
Open = Callable[[Request], Awaitable[Response]]
YEAR = 365 * 86400
FOREIGN_SECONDS = 60.0


class Console:
    """`routes`: for the operator's listener."""

    def __init__(self, parts: ConsoleParts) -> None:
        self._parts = parts
        self._door = Door(parts)
        self._foreign_at = -math.inf
        self._has_templates = False
        self._management, frame = _management(parts)
        self._placed: dict[str, PlacedButton] = {}
        if self._management is not None and parts.management is not None:
            self._placed = placed_buttons(TABLES, RECORDS, self._management.actions)
            self._inspector = InspectorPages(self._management.calls, frame)
            self._requests = RequestPages(
                parts.refusals, parts.request_lines, parts.clock, self._management.calls, frame
            )
            self._explorer = ExplorerPages(self._management, parts, self._door, frame)
            self._imports = ImportPages(self._management, self._door, frame, parts.settings.upload_bytes)
            self._links = LinkPages(self._management, parts.people, self._door, frame, parts.reset_link)
            self._tables = TablePages(self._management, self._door, frame)
            self._button_forms = ButtonForms(self._management, self._placed, self._door, frame, parts)
        self._outside = SignInPages(parts, self._door)
        self._own = OwnPages(parts, self._door, frame)
        self._overview = OverviewPages(*(parts.counts, parts.health, parts.clock, parts.settings.utc_offset, frame))

    def routes(self) -> list[BaseRoute]:
        outside, own = self._outside, self._own
        first = f"{ROOT}/welcome/{{secret}}"
        return [
            Route(f"{ROOT}/static/{{name}}", static),
            Route(f"{ROOT}/language/{{language}}", self._open(self._choose_language)),
            Route(SIGN_IN, self._open(outside.ask_password), methods=["GET"]),
            Route(SIGN_IN, self._open(outside.take_password), methods=["POST"]),
            Route(CODE, self._open(outside.ask_code), methods=["GET"]),
            Route(CODE, self._open(outside.take_code), methods=["POST"]),
            Route(first, self._open(outside.ask_first_password), methods=["GET"]),
            Route(first, self._open(outside.take_first_password), methods=["POST"]),
            Route(f"{ROOT}/sign-out", self._open(outside.sign_out), methods=["POST"]),
            Route(ROOT, self._for_people(self._overview.show)),
            Route(OWN, self._for_people(own.show), methods=["GET"]),
            Route(f"{OWN}/password", self._for_people(own.set_password), methods=["POST"]),
            Route(FACTOR, self._for_people(own.offer_factor), methods=["GET"]),
            Route(FACTOR, self._for_people(own.set_factor), methods=["POST"]),
            Route(f"{FACTOR}/remove", self._for_people(own.remove_factor), methods=["POST"]),
            Route(f"{OWN}/codes", self._for_people(own.renew_codes), methods=["POST"]),
            Route(f"{OWN}/sessions/end", self._for_people(own.end_session), methods=["POST"]),
            *self._over_provider(),
            *self._over_management(),
            Route(f"{ROOT}/{{rest:path}}", self._open(self._not_there)),
        ]

    def _over_provider(self) -> Iterator[BaseRoute]:
        """Yield the routes of single sign-on, if an identity provider is set."""
        if self._parts.provider is not None:
            pages = SingleSignOnPages(self._parts, self._door, self._parts.provider)
            yield Route(BEGIN, self._open(pages.begin), methods=["GET"])
            yield Route(BACK, self._open(pages.come_back), methods=["GET"])

    def _over_management(self) -> Iterator[BaseRoute]:
        """Yield the routes of lists, records and buttons, for the actions that the API has."""
        if self._management is None:
            return
        for table in TABLES:
            if table.action in self._management.actions:
                yield Route(table.path, self._for_people(partial(_with, self._tables.show, table)), methods=["GET"])
                if table.private_filter:
                    find = partial(_with, self._tables.find, table)
                    yield Route(table.path, self._for_people(find), methods=["POST"])
        for record in RECORDS:
            if record.action in self._management.actions:
                yield Route(
                    record.path, self._for_people(partial(_with, self._tables.show_one, record)), methods=["GET"]
                )
        if set(ACTIONS) <= set(self._management.actions):
            one = f"{IMPORT}/{{account:number}}/{{number:number}}"
            yield Route(IMPORT, self._for_people(self._imports.ask), methods=["GET"])
            yield Route(IMPORT, self._for_people(self._imports.begin), methods=["POST"])
            yield Route(one, self._for_people(self._imports.show), methods=["GET"])
            yield Route(one, self._for_people(self._imports.act), methods=["POST"])
        if "RenewOperatorKey" in self._management.actions:
            yield Route(LINK, self._for_people(self._links.ask), methods=["GET"])
            yield Route(LINK, self._for_people(self._links.make), methods=["POST"])
        yield Route(f"{ROOT}/calls/{{request_id}}", self._for_people(self._inspector.show), methods=["GET"])
        yield Route(REQUESTS, self._for_people(self._requests.show), methods=["GET"])
        yield Route(EXPLORER, self._for_people(self._explorer.find), methods=["GET"])
        one = f"{EXPLORER}/{{service}}/{{action}}"
        yield Route(one, self._for_people(self._explorer.ask), methods=["GET"])
        yield Route(one, self._for_people(self._explorer.call), methods=["POST"])
        yield Route(f"{DO}/{{action}}", self._for_people(self._button_forms.ask), methods=["GET"])
        yield Route(f"{DO}/{{action}}", self._for_people(self._button_forms.do), methods=["POST"])

    async def sweep(self) -> None:
        """Delete ended sessions, expired links and old notes."""
        now, settings = self._parts.clock(), self._parts.settings
        await self._parts.sign_in.forget(now - settings.idle_seconds, now - settings.life_seconds, now)
        await self._parts.notes.forget(now - settings.tries_seconds, now)

    def stop(self) -> None:
        self._parts.passwords.stop()
        if self._parts.provider is not None:
            self._parts.provider.stop()

    def _open(self, page: Open) -> Open:
        """Wrap a page for everybody. Its errors are shown on a page too."""

        async def answer(request: Request) -> Response:
            if not self._has_templates:
                await asyncio.to_thread(compile_templates)
                self._has_templates = True
            try:
                return await page(request)
            except CallError as refused:
                return self._refused_call(request, refused)
            except FormError as refused:
                if refused.kind == "foreign":
                    await self._note_foreign()
                return self._refusal(request, refused.status, refused.kind)
            except UnavailableError as error:
                log.warning("console_unavailable", why=str(error))
                return self._refusal(request, 503, "away")
            except Exception:
                mark = secrets.token_hex(4)
                log.exception("console_failed", mark=mark)  # without the path, which may contain a link's secret
                return self._refusal(request, 500, "failed", mark)

        return answer

    async def _note_foreign(self) -> None:
        """Write at most one line of the audit in a while, as anybody can send such forms, as often as they like."""
        now = self._parts.clock()
        if not 0 <= now - self._foreign_at < FOREIGN_SECONDS:
            self._foreign_at = now
            await self._parts.record("form of another page refused", "console")

    def _for_people(self, page: Page) -> Open:
        """Wrap a page for signed-in people. Everybody else is sent to the sign-in first."""

        async def answer(request: Request) -> Response:
            visitor = await self._door.visitor(request)
            if visitor is None or visitor.session.stage != WHOLE:
                if request.method != "GET":
                    return self._refusal(request, 403, "over")
                here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                return go(f"{sign_in.SIGN_IN}?next={quote(own_path(here), safe='/')}")
            return await page(request, visitor)

        return self._open(answer)

    def _refusal(self, request: Request, status: int, kind: str, mark: str = "") -> Response:
        values: dict[str, Any] = {"kind": kind, "mark": mark}
        return render("refused.html", request, self._parts.settings.utc_offset, values, status)

    def _refused_call(self, request: Request, refused: CallError) -> Response:
        if refused.code.startswith(("UnauthorizedOperation", "AuthFailure")):
            return self._refusal(request, 403, "role")
        if refused.code.startswith(("ResourceNotFound", "InvalidParameter")):
            return self._refusal(request, 404, "missing")
        return self._refusal(request, 503, "call", f"{refused.message} ({refused.code}, {refused.request_id})")

    async def _not_there(self, request: Request) -> Response:
        return self._refusal(request, 404, "missing")

    async def _choose_language(self, request: Request) -> Response:
        chosen = request.path_params["language"]
        response = go(own_path(request.query_params.get("next", "")))
        if chosen in LANGUAGES:
            response.set_cookie(LANGUAGE_COOKIE, chosen, YEAR, path=ROOT, samesite="strict", httponly=True)
        return response


async def _with(page: Callable[..., Awaitable[Response]], what: object, request: Request, visitor: Visitor) -> Response:
    return await page(request, visitor, what)


def _management(parts: ConsoleParts) -> tuple[ManagementPages | None, PageFrame]:
    """Return the pages of the management API, if there is one, and the frame with their menu."""
    given = parts.management
    if given is None:
        return None, PageFrame(parts.settings)
    zone = datetime.timezone(datetime.timedelta(hours=parts.settings.utc_offset))
    actions = {manifest.name: read_action(manifest, zone) for manifest in given.manifests}
    alone = [record.table for record in RECORDS if not record.parameter]
    menu = [
        MenuItem(table.path, *table.title, table.icon, actions[table.action].roles)
        for table in (*TABLES, *alone)
        if table.above is None and table.action in actions
    ]
    menu.append(MenuItem(EXPLORER, "API Explorer", "API Explorer", "inspect"))
    frame = PageFrame(parts.settings, menu)
    services = [given.service, *([parts.keyed.service] if parts.keyed else [])]
    return ManagementPages(Calls(given.send, services, parts.notes, parts.clock), actions, parts.record), frame


NAMES = frozenset(files.names(PACKAGE))
# Shared with the server's other pages: its mark, its colours.
SHARED = frozenset({"colours.css", "icon.svg"})


async def static(request: Request) -> Response:
    name = request.path_params["name"]
    if name in SHARED:
        return files.send(request, files.static_file("renzheng.capture", name), files.OWN_FILE)
    if name not in NAMES:
        return files.not_found()
    return files.send(request, files.static_file(PACKAGE, name), files.OWN_FILE)
