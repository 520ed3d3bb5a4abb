"""The whole server as one ASGI application: the public listener's, and the operator's."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp

from renzheng.actions.common import MAX_IMAGE_BASE64
from renzheng.capture import pages
from renzheng.console.app import Console
from renzheng.console.figures import LoggedProblem
from renzheng.console.parts import RequestLine
from renzheng.explorer import pages as explorer
from renzheng.explorer.description import Limits, describe
from renzheng.gateway.contract import Log
from renzheng.gateway.manifest import error_texts
from renzheng.server.calls import is_call, nothing_here
from renzheng.server.clock import SteadyClock
from renzheng.server.console_calls import KeyedCalls, SignedCalls
from renzheng.server.console_parts import make_console
from renzheng.server.gauges import health_of, metrics_page
from renzheng.server.hosts import HostGuard, Hosts
from renzheng.server.lifespan import Lifespan
from renzheng.server.memory import set_up_heaps
from renzheng.server.operator import health_route, operator_app, with_calls
from renzheng.server.parts import ServerParts
from renzheng.server.queries import BoundedQueries
from renzheng.server.services import Services
from renzheng.server.urls import operator_url, public_url
from renzheng.settings import Settings
from renzheng.start import pages as start

log = structlog.get_logger("renzheng")

Scope = MutableMapping[str, Any]
Clock = Callable[[], float]


def _tell_step(seconds: float) -> None:
    log.warning("clock_was_set", seconds=round(seconds, 1), why="followed slowly; a restart follows it at once")


class App:
    """The public application, with the operator's beside it as `operator`."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock | None = None,
        entropy: Callable[[int], bytes] = os.urandom,
        request_log: Log | None = None,
        troubles: Callable[[], Sequence[LoggedProblem]] = tuple,
        request_lines: Callable[[], Sequence[RequestLine]] = tuple,
    ) -> None:
        """`troubles`, `request_lines`: what the log remembers, for the console."""
        set_up_heaps()
        self.settings = settings
        self._wall = clock or time.time
        self.parts = ServerParts(settings, clock or SteadyClock(told=_tell_step), entropy)
        self._services = Services(self.parts, self._wall, request_log or structlog.get_logger("renzheng.gateway"))
        console = self._make_console(troubles, request_lines) if settings.console else None
        self._lifespan = Lifespan(self.parts, self._services, console)
        web = self._public_pages()
        self._pages = web.routes
        self._web = HostGuard(self._bound(web), Hosts(settings.host, settings.public_url, settings.allowed_hosts))
        self.operator = self._operator(console)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass calls of the signed API, at any path, to the gateway; everything else is for browsers."""
        if scope["type"] == "http" and is_call(scope, self._pages):
            await self._services.public(scope, receive, send)  # type: ignore[arg-type]
        else:
            await self._web(scope, receive, send)

    @property
    def start_error(self) -> Exception | None:
        """What kept the server from starting; the HTTP server would only print it."""
        return self._lifespan.start_error

    async def drain(self) -> None:
        """Make the server not ready: it finishes what has begun, hands over captures, and ends."""
        await self._lifespan.drain()

    def _public_pages(self) -> Starlette:
        channel = self.parts.channel
        web = Starlette(
            routes=[
                WebSocketRoute("/capture/v1", channel.serve),
                Route("/capture/v1", channel.refuse),
                *pages.routes(self.parts.store.keys.origins),
                *self._explorer(),
                *start.routes(self.settings.explorer),
                health_route(),
            ],
            lifespan=self._lifespan,
            exception_handlers={404: nothing_here},
        )
        # A redirect would use the request's own Host and scheme, and browsers would take a token there.
        web.router.redirect_slashes = False
        return web

    def _explorer(self) -> list[BaseRoute]:
        if not self.settings.explorer:
            return []
        products = [self._services.product]
        limits = Limits(MAX_IMAGE_BASE64, self.settings.body_bytes, self.settings.clock_window)
        return explorer.routes(describe(products, error_texts(products), limits))

    def _operator(self, console: Console | None) -> ASGIApp:
        settings = self.settings
        names = (*settings.allowed_hosts, *filter(None, [urlsplit(settings.console_url).hostname]))
        page = functools.partial(metrics_page, self.parts)
        answered = operator_app(self.parts.readiness, page, console.routes() if console else [])
        served = with_calls(answered, self._bound(answered), self._services.operator)
        return HostGuard(served, Hosts(settings.operator_host, allowed=names))

    def _bound(self, pages: ASGIApp) -> BoundedQueries:
        return BoundedQueries(pages, self.settings.query_bytes, self.settings.max_pairs)

    def _make_console(
        self, troubles: Callable[[], Sequence[LoggedProblem]], request_lines: Callable[[], Sequence[RequestLine]]
    ) -> Console:
        parts, services, settings = self.parts, self._services, self.settings
        return make_console(
            settings,
            parts.store,
            health_of(parts, troubles),
            parts.clock,
            parts.entropy,
            parts.metrics.sign_in,
            SignedCalls(
                parts.store,
                services.operator,
                services.managed,
                operator_url(settings),
                wall=self._wall,
                clock=parts.clock,
            ),
            keyed=KeyedCalls(
                parts.store,
                services.public,
                services.product,
                error_texts([services.product, services.managed]),
                public_url(settings),
                self._wall,
            ),
            refusals=services.failures.recent if services.failures else tuple,
            request_lines=request_lines,
        )
