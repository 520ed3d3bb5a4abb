"""The operator's own listener, apart from the public one: readiness, metrics, the console. Devices need none of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from renzheng.server.calls import is_call
from renzheng.server.readiness import Readiness

NOT_KEPT = {"Cache-Control": "no-store"}


def operator_app(
    readiness: Readiness,
    metrics_page: Callable[[], Awaitable[bytes]] | None = None,
    more: Sequence[BaseRoute] = (),
) -> Starlette:
    """Make `/healthz`, `/readyz`, `/metrics` and `more`. `metrics_page`: returns the text for Prometheus; None: none
    yet."""
    counted = [] if metrics_page is None else [_metrics_route(metrics_page)]
    app = Starlette(routes=[health_route(), _ready_route(readiness), *counted, *more])
    app.router.redirect_slashes = False  # a redirect would use the request's own Host
    return app


def with_calls(pages: Starlette, bounded: ASGIApp, gateway: Callable[[Any, Any, Any], Awaitable[None]]) -> ASGIApp:
    """Combine the pages of this listener with signed calls to any other path. `bounded`: serves the pages."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        is_page = any(route.matches(scope)[0] is not Match.NONE for route in pages.routes)
        if scope["type"] == "http" and not is_page and is_call(scope, ()):
            await gateway(scope, receive, send)
        else:
            await bounded(scope, receive, send)

    return serve


def health_route() -> BaseRoute:
    """Return `/healthz`: 200 while the event loop runs, whatever else is wrong. Restart the process if it does not
    answer."""

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok\n", headers=NOT_KEPT)

    return Route("/healthz", health)


def _ready_route(readiness: Readiness) -> BaseRoute:
    async def ready(_: Request) -> Response:
        reasons = await readiness.reasons()
        shown = {"ready": not reasons, "reasons": reasons}
        return JSONResponse(shown, 503 if reasons else 200, NOT_KEPT)

    return Route("/readyz", ready)


def _metrics_route(metrics_page: Callable[[], Awaitable[bytes]]) -> BaseRoute:
    async def metrics(_: Request) -> Response:
        return Response(await metrics_page(), headers=NOT_KEPT, media_type="text/plain; version=0.0.4")

    return Route("/metrics", metrics)
