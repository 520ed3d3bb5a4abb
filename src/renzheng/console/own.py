"""The person's own sign-in: password, second factor, recovery codes, sessions."""

from __future__ import annotations

from typing import Any

import segno
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from renzheng.accounts.operators import SignInCredential
from renzheng.console import codes, passwords
from renzheng.console.door import WHOLE, Door, Visitor
from renzheng.console.frame import PageFrame
from renzheng.console.parts import ConsoleParts
from renzheng.console.passwords import PasswordsBusyError
from renzheng.console.rendering import ROOT, go
from renzheng.console.sign_in import minutes
from renzheng.console.tries import Tries

OWN, FACTOR = f"{ROOT}/me", f"{ROOT}/me/factor"


class OwnPages:
    """Changes a person's credentials, each time after the password was typed again."""

    def __init__(self, parts: ConsoleParts, door: Door, frame: PageFrame) -> None:
        self._parts = parts
        self._door = door
        self._frame = frame
        self._tries = Tries(parts.notes, "own", parts.settings.tries, parts.settings.tries_seconds)

    async def show(self, request: Request, visitor: Visitor, status: int = 200, **values: Any) -> Response:
        sign_in, settings, now = self._parts.sign_in, self._parts.settings, self._parts.clock()
        credential = await sign_in.credential(visitor.operator.id)
        sessions = [
            one
            for one in await sign_in.sessions(visitor.operator.id)
            if one.stage == WHOLE
            and now < min(one.created_at + settings.life_seconds, one.seen_at + settings.idle_seconds)
        ]
        shown = {
            "has_factor": bool(credential and credential.totp),
            "codes_left": await sign_in.recovery_codes(visitor.operator.id),
            "sessions": sessions,
            "length": settings.password_length,
            "problem": None,
            "wait": 0,
            "done": request.query_params.get("done", ""),
            **values,
        }
        return self._frame.page("me.html", request, visitor, shown, status)

    async def _prove(self, visitor: Visitor, password: str) -> tuple[SignInCredential | None, dict[str, Any]]:
        """Return the person's credential if the password is right; else None and what the page says instead."""
        name = str(visitor.operator.id)
        wait = await self._tries.take(name, "anywhere", self._parts.clock())
        if wait:
            return None, {"status": 429, "problem": "often", "wait": minutes(wait)}
        credential = await self._parts.sign_in.credential(visitor.operator.id)
        try:
            is_right = await self._parts.passwords.matches(credential.password if credential else None, password)
        except PasswordsBusyError:
            await self._tries.give_back(name, "anywhere")
            return None, {"status": 503, "problem": "busy"}
        if not is_right:
            await self._parts.record("password refused", f"operator {visitor.operator.id}")
            return None, {"status": 403, "problem": "wrong"}
        await self._tries.give_back(name, "anywhere")
        return credential, {}

    async def set_password(self, request: Request, visitor: Visitor) -> Response:
        fields = await self._door.form(request, visitor)
        operator = visitor.operator
        fault = passwords.fault(
            *(fields.get("password", ""), fields.get("again", ""), operator.name),
            self._parts.settings.password_length,
        )
        if fault:
            return await self.show(request, visitor, 422, problem=fault)
        credential, refusal = await self._prove(visitor, fields.get("current", ""))
        if credential is None:
            return await self.show(request, visitor, **refusal)
        hashed = await self._parts.passwords.hash(fields["password"])
        changed = SignInCredential(hashed, credential.totp)
        await self._parts.sign_in.set_credential(operator.id, changed, self._parts.clock(), "password changed")
        # All sessions have ended; this browser goes on in a new one.
        return await self._door.let_in(request, go(f"{OWN}?done=password"), operator)

    # -- the second factor

    async def offer_factor(self, request: Request, visitor: Visitor) -> Response:
        return self._factor_page(request, visitor, codes.new_secret(self._parts.entropy))

    def _factor_page(
        self, request: Request, visitor: Visitor, secret: str, status: int = 200, **values: Any
    ) -> Response:
        offered = codes.enrolment(secret, visitor.operator.name)
        code = segno.make(offered.address, error="m", micro=False)
        drawn = code.svg_inline(border=2, svgclass="qr", lineclass=None, omitsize=True, dark="#13211c", light="#fff")
        spaced = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
        shown = {"qr": Markup(drawn), "secret": secret, "spaced": spaced, "problem": None, "wait": 0, **values}  # noqa: S704
        return self._frame.page("factor.html", request, visitor, shown, status)

    async def set_factor(self, request: Request, visitor: Visitor) -> Response:
        fields = await self._door.form(request, visitor)
        secret = fields.get("secret", "")
        if not codes.is_secret(secret):
            return go(FACTOR)
        step = codes.matching_step(secret, fields.get("code", ""), self._parts.clock())
        if step is None:
            return self._factor_page(request, visitor, secret, 422, problem="code")
        credential, refusal = await self._prove(visitor, fields.get("current", ""))
        if credential is None:
            return self._factor_page(request, visitor, secret, **refusal)
        operator, sign_in = visitor.operator, self._parts.sign_in
        changed = SignInCredential(credential.password, secret)
        await sign_in.set_credential(operator.id, changed, self._parts.clock(), "second factor set")
        await sign_in.use_step(operator.id, step)
        # All sessions have ended; this browser goes on in a new one.
        fresh = await self._door.begin(request, operator)
        return self._door.hand_over(request, await self._show_codes(request, fresh), fresh)

    async def _show_codes(self, request: Request, visitor: Visitor) -> Response:
        """Show new recovery codes, this once."""
        made = codes.new_recovery_codes(self._parts.entropy)
        await self._parts.sign_in.set_recovery_codes(visitor.operator.id, made)
        return self._frame.page("recovery_codes.html", request, visitor, {"codes": made})

    async def renew_codes(self, request: Request, visitor: Visitor) -> Response:
        fields = await self._door.form(request, visitor)
        credential, refusal = await self._prove(visitor, fields.get("current", ""))
        if credential is None or credential.totp is None:
            return await self.show(request, visitor, **refusal)
        return await self._show_codes(request, visitor)

    async def remove_factor(self, request: Request, visitor: Visitor) -> Response:
        fields = await self._door.form(request, visitor)
        credential, refusal = await self._prove(visitor, fields.get("current", ""))
        if credential is None:
            return await self.show(request, visitor, **refusal)
        operator = visitor.operator
        changed = SignInCredential(credential.password)
        await self._parts.sign_in.set_credential(operator.id, changed, self._parts.clock(), "second factor removed")
        return await self._door.let_in(request, go(f"{OWN}?done=factor"), operator)

    # -- sessions

    async def end_session(self, request: Request, visitor: Visitor) -> Response:
        fields = await self._door.form(request, visitor)
        try:
            digest = bytes.fromhex(fields.get("session", ""))
        except ValueError:
            digest = b""
        await self._parts.sign_in.end(visitor.operator.id, digest, "session ended from another")
        return go(f"{OWN}?done=session")
