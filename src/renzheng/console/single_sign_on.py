"""Signing in by the identity provider: sends the browser there, and handles its return."""

from __future__ import annotations

import hmac
import secrets
from typing import Any
from urllib.parse import quote, unquote

import structlog
from starlette.requests import Request
from starlette.responses import Response

from renzheng.console.door import PASSWORD, WHOLE, Door
from renzheng.console.parts import ConsoleParts
from renzheng.console.provider import Provider, ProviderError, StrangerError, derived
from renzheng.console.rendering import ROOT, go, own_path, render
from renzheng.console.sign_in import CODE, SIGN_IN, minutes
from renzheng.console.tries import Tries
from renzheng.web.requests import cookie

BEGIN, BACK = f"{ROOT}/oidc", f"{ROOT}/oidc/back"
COOKIE = "renzheng_oidc"
SIGN_IN_SECONDS = 600
"""How long a person may take at the provider."""
MAX_CODE = 4096

log = structlog.get_logger("renzheng.console")


class SingleSignOnPages:
    """The browser keeps one secret in a cookie meanwhile. The server keeps nothing, so any node can handle the
    return."""

    def __init__(self, parts: ConsoleParts, door: Door, provider: Provider) -> None:
        self._parts = parts
        self._door = door
        self._provider = provider
        self._tries = Tries(parts.notes, "provider", parts.settings.tries, parts.settings.tries_seconds)

    async def begin(self, request: Request) -> Response:
        onward = own_path(request.query_params.get("next", ""))
        secret = secrets.token_urlsafe(32)
        try:
            response = go(await self._provider.address(secret))
        except ProviderError as error:
            log.warning("single_sign_on_failed", why=str(error))
            return self._show_refusal(request, 502, "provider")
        response.set_cookie(
            COOKIE,
            f"{secret}.{quote(onward, safe='')}",
            SIGN_IN_SECONDS,
            path=BEGIN,
            secure=self._door.is_secure(request),
            httponly=True,
            samesite="lax",  # the provider's page sends the browser back
        )
        return response

    async def come_back(self, request: Request) -> Response:
        """Let in the person whom the provider names, if an operator has that name."""
        parts, address = self._parts, self._door.address(request)
        wait = await self._tries.take(address, address, parts.clock())
        if wait:
            parts.tried("too_many")
            return self._show_refusal(request, 429, "often", wait=minutes(wait))
        secret, _, onward = cookie(request, COOKIE).partition(".")
        given = request.query_params
        if not secret or not hmac.compare_digest(given.get("state", "").encode(), derived(secret, "state").encode()):
            return self._show_refusal(request, 400, "lost")
        code = given.get("code", "")
        if "error" in given or not 0 < len(code) <= MAX_CODE:
            return self._show_refusal(request, 401, "cancelled")
        try:
            name = await self._provider.name(secret, code)
        except StrangerError as error:
            return await self._refuse_stranger(request, "", str(error))
        except ProviderError as error:
            log.warning("single_sign_on_failed", why=str(error))
            return self._show_refusal(request, 502, "provider")
        operator = await parts.people.named(name)
        if operator is None:
            return await self._refuse_stranger(request, name, "no operator has this name")
        await self._tries.give_back(address, address)
        credential = await parts.sign_in.credential(operator.id)
        onward = own_path(unquote(onward))
        # Browsers send no strict cookies after a redirect from another site, so the shown page goes on by itself.
        if credential is not None and credential.totp is not None:
            response = self._page(request, "signed_in.html", onward=f"{CODE}?next={quote(onward, safe='/')}")
            return self._done(request, await self._door.let_in(request, response, operator, PASSWORD))
        parts.tried("in")
        response = self._page(request, "signed_in.html", onward=onward)
        return self._done(request, await self._door.let_in(request, response, operator, WHOLE))

    async def _refuse_stranger(self, request: Request, name: str, why: str) -> Response:
        self._parts.tried("wrong")
        log.warning("single_sign_on_refused", why=why)
        await self._parts.record("single sign-on refused", "operator unknown")
        return self._show_refusal(request, 403, "unknown", name=name[:64])

    def _show_refusal(self, request: Request, status: int, problem: str, **values: Any) -> Response:
        values = {"wait": 0, "name": "", **values}
        return self._done(request, self._page(request, "sign_on_refused.html", status, problem=problem, **values))

    def _page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        values |= {"provider": self._provider.settings.title, "sign_in": SIGN_IN, "again": BEGIN}
        return render(template, request, self._parts.settings.utc_offset, values, status)

    def _done(self, request: Request, response: Response) -> Response:
        response.delete_cookie(COOKIE, path=BEGIN, secure=self._door.is_secure(request), httponly=True, samesite="lax")
        return response
