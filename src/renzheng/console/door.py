"""Sessions and forms: finds a request's session, checks its form's token, and sets the session's cookie."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from renzheng.accounts.operators import ConsoleSession, Operator
from renzheng.console.forms import Form, FormError, check_origin, read_form
from renzheng.console.parts import ConsoleParts
from renzheng.console.rendering import ROOT
from renzheng.web.requests import cookie

SESSION_COOKIE = "renzheng_console"
WHOLE, PASSWORD = "whole", "password"
CODE_SECONDS = 300
"""How long a session waits for the second factor."""
TOUCH_SECONDS = 60
MAX_SECRET = 100


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person with a session. `stage`: WHOLE, or PASSWORD while the second factor is missing."""

    operator: Operator
    session: ConsoleSession
    secret: str = field(repr=False)

    @property
    def token(self) -> str:
        """The token in forms of this session, so that no foreign page can send one."""
        return hashlib.sha256(b"form token of " + self.secret.encode()).hexdigest()[:32]


class Door:
    """Lets people in by their cookie, and accepts forms from our own pages alone."""

    def __init__(self, parts: ConsoleParts) -> None:
        self._parts = parts

    async def visitor(self, request: Request) -> Visitor | None:
        """Return the visitor of a valid session, in the browser in which it began; else None."""
        parts, now = self._parts, self._parts.clock()
        secret = cookie(request, SESSION_COOKIE)
        if not secret or len(secret) > MAX_SECRET:
            return None
        session = await parts.sign_in.session(secret)
        if session is None or self._is_over(session, now):
            return None
        if session.browser != self.browser(request):
            await parts.sign_in.end(session.operator_id, session.digest, "session ended: used in another browser")
            return None
        operator = await parts.people.get(session.operator_id)
        if operator is None:
            return None
        if now - session.seen_at >= TOUCH_SECONDS:
            await parts.sign_in.touch(session.digest, now)
        return Visitor(operator, session, secret)

    def _is_over(self, session: ConsoleSession, now: float) -> bool:
        settings = self._parts.settings
        life = settings.life_seconds if session.stage == WHOLE else CODE_SECONDS
        return now >= session.created_at + life or now >= session.seen_at + settings.idle_seconds

    def browser(self, request: Request) -> str:
        """Return the browser's family, and a digest of its full name: a stolen cookie does not work in another
        browser."""
        name = request.headers.get("user-agent", "")
        return f"{self._parts.family(name)} {hashlib.sha256(name.encode()).hexdigest()[:16]}"

    async def form(self, request: Request, visitor: Visitor | None, files: int = 0) -> Form:
        """Read a form that one of our pages sent, of this session if there is one. `files`: most bytes. Raises
        FormError."""
        check_origin(request, self._parts.settings.public_url)
        fields = await read_form(request, files, self._parts.settings.pace)
        if visitor is not None and not hmac.compare_digest(fields.get("token", "").encode(), visitor.token.encode()):
            raise FormError(403, "foreign")
        return fields

    async def let_in(self, request: Request, response: Response, operator: Operator, stage: str = WHOLE) -> Response:
        """Begin a session and set its cookie on the response."""
        return self.hand_over(request, response, await self.begin(request, operator, stage))

    async def begin(self, request: Request, operator: Operator, stage: str = WHOLE) -> Visitor:
        """Begin a session under a new secret. An older session of the browser ends."""
        parts = self._parts
        before = await self.visitor(request)
        if before is not None:
            await parts.sign_in.end(before.operator.id, before.session.digest, "session replaced")
        secret = await parts.sign_in.begin(operator.id, stage, self.browser(request), parts.clock())
        session = await parts.sign_in.session(secret)
        if session is None:
            raise RuntimeError("a session that has just begun is not there")
        return Visitor(operator, session, secret)

    def hand_over(self, request: Request, response: Response, visitor: Visitor) -> Response:
        """Set the session's cookie on the response."""
        response.set_cookie(
            SESSION_COOKIE,
            visitor.secret,
            path=ROOT,
            secure=self.is_secure(request),
            httponly=True,
            samesite="strict",
        )
        return response

    def let_out(self, request: Request, response: Response) -> Response:
        response.delete_cookie(
            SESSION_COOKIE, path=ROOT, secure=self.is_secure(request), httponly=True, samesite="strict"
        )
        return response

    def is_secure(self, request: Request) -> bool:
        return request.url.scheme == "https" or self._parts.settings.public_url.startswith("https:")

    def address(self, request: Request) -> str:
        return request.client.host if request.client else ""
