"""Signing in and out: a password, then a code if the person has a second factor; and links that work once."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from renzheng.accounts.operators import Operator, SignInCredential
from renzheng.console import codes, passwords
from renzheng.console.door import PASSWORD, WHOLE, Door, Visitor
from renzheng.console.parts import ConsoleParts
from renzheng.console.passwords import PasswordsBusyError
from renzheng.console.rendering import ROOT, go, own_path, render
from renzheng.console.tries import Tries

SIGN_IN, CODE = f"{ROOT}/sign-in", f"{ROOT}/code"


class SignInPages:
    """Pages for people without a session, and the sign-out."""

    def __init__(self, parts: ConsoleParts, door: Door) -> None:
        self._parts = parts
        self._door = door
        self._tries = Tries(parts.notes, "password", parts.settings.tries, parts.settings.tries_seconds)
        self._code_tries = Tries(parts.notes, "code", parts.settings.tries, parts.settings.tries_seconds)

    def _page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        provider = self._parts.provider
        values = {"problem": None, "wait": 0, "provider": provider.settings.title if provider else "", **values}
        return render(template, request, self._parts.settings.utc_offset, values, status)

    # -- the password

    async def ask_password(self, request: Request) -> Response:
        visitor = await self._door.visitor(request)
        if visitor is not None and visitor.session.stage == WHOLE:
            return go(ROOT)
        return self._page(request, "sign_in.html", next=own_path(request.query_params.get("next", "")), name="")

    async def take_password(self, request: Request) -> Response:
        fields = await self._door.form(request, None)
        name, password = fields.get("name", "").strip(), fields.get("password", "")
        onward = own_path(fields.get("next", ""))
        shown = {"next": onward, "name": name[:64]}
        parts, address = self._parts, self._door.address(request)
        wait = await self._tries.take(name, address, parts.clock())
        if wait:
            parts.tried("too_many")
            return self._page(request, "sign_in.html", 429, problem="often", wait=minutes(wait), **shown)
        operator = await parts.people.named(name)
        credential = await parts.sign_in.credential(operator.id) if operator else None
        try:
            is_right = await parts.passwords.matches(credential.password if credential else None, password)
        except PasswordsBusyError:
            await self._tries.give_back(name, address)
            return self._page(request, "sign_in.html", 503, problem="busy", **shown)
        if not is_right or operator is None or credential is None:
            parts.tried("wrong")
            # The typed name may be a password.
            await parts.record("sign-in refused", f"operator {operator.id}" if operator else "operator unknown")
            return self._page(request, "sign_in.html", 401, problem="wrong", **shown)
        await self._tries.give_back(name, address)
        if credential.totp is None:
            parts.tried("in")
            return await self._door.let_in(request, go(onward), operator, WHOLE)
        return await self._door.let_in(request, go(f"{CODE}?next={onward}"), operator, PASSWORD)

    # -- the second factor

    async def ask_code(self, request: Request) -> Response:
        visitor = await self._door.visitor(request)
        if visitor is None or visitor.session.stage != PASSWORD:
            return go(SIGN_IN if visitor is None else ROOT)
        onward = own_path(request.query_params.get("next", ""))
        return self._page(request, "code.html", next=onward, token=visitor.token)

    async def take_code(self, request: Request) -> Response:
        visitor = await self._door.visitor(request)
        fields = await self._door.form(request, visitor)
        if visitor is None or visitor.session.stage != PASSWORD:
            return go(SIGN_IN if visitor is None else ROOT)
        onward = own_path(fields.get("next", ""))
        shown = {"next": onward, "token": visitor.token}
        # The caller knows the password already, so tries are counted by person, whatever the address.
        person = (str(visitor.operator.id), "anywhere")
        wait = await self._code_tries.take(*person, self._parts.clock())
        if wait:
            self._parts.tried("too_many")
            return self._page(request, "code.html", 429, problem="often", wait=minutes(wait), **shown)
        if not await self._is_code(visitor, fields.get("code", "")):
            self._parts.tried("wrong_code")
            await self._parts.record("code refused", f"operator {visitor.operator.id}")
            return self._page(request, "code.html", 401, problem="wrong", **shown)
        await self._code_tries.give_back(*person)
        self._parts.tried("in")
        return await self._door.let_in(request, go(onward), visitor.operator, WHOLE)

    async def _is_code(self, visitor: Visitor, given: str) -> bool:
        """Return whether it is the app's code or a recovery code. Either is used up."""
        sign_in, operator_id = self._parts.sign_in, visitor.operator.id
        credential = await sign_in.credential(operator_id)
        if credential is None or credential.totp is None or len(given) > 64:
            return False
        step = codes.matching_step(credential.totp, given, self._parts.clock())
        if step is not None:
            return await sign_in.use_step(operator_id, step)
        return await sign_in.use_recovery_code(operator_id, codes.plain_recovery_code(given))

    async def sign_out(self, request: Request) -> Response:
        visitor = await self._door.visitor(request)
        await self._door.form(request, visitor)
        if visitor is not None:
            await self._parts.sign_in.end(visitor.operator.id, visitor.session.digest)
        return self._door.let_out(request, go(SIGN_IN))

    # -- links that work once

    async def ask_first_password(self, request: Request) -> Response:
        is_good, invited = await self._invitation(request.path_params["secret"], self._parts.clock())
        return self._welcome(request, invited) if is_good else self._page(request, "link_over.html", 404)

    def _welcome(
        self, request: Request, invited: Operator | None, status: int = 200, name: str = "", **values: Any
    ) -> Response:
        length = self._parts.settings.password_length
        return self._page(request, "welcome.html", status, invited=invited, name=name, length=length, **values)

    async def _invitation(self, secret: str, now: float) -> tuple[bool, Operator | None]:
        """Return whether a link is valid, and its person; None for the first owner, who does not exist yet.

        The link of a disabled person is not valid.
        """
        owner = await self._parts.sign_in.link(secret, now)
        invited = await self._parts.people.get(owner) if owner else None
        return owner is not None and (owner == 0 or invited is not None), invited

    async def take_first_password(self, request: Request) -> Response:
        """Set the first password. Only an accepted password uses the link up, not opening the page."""
        parts = self._parts
        fields = await self._door.form(request, None)
        secret, now = request.path_params["secret"], parts.clock()
        is_good, invited = await self._invitation(secret, now)
        if not is_good:
            return self._page(request, "link_over.html", 404)
        name = invited.name if invited else fields.get("name", "").strip()
        problem = passwords.fault(
            fields.get("password", ""), fields.get("again", ""), name, parts.settings.password_length
        )
        if not invited and not await parts.people.is_free(name):
            problem = "name"
        if problem:
            return self._welcome(request, invited, 422, name=name[:64], problem=problem)
        try:
            hashed = await parts.passwords.hash(fields["password"])
        except PasswordsBusyError:
            return self._welcome(request, invited, 503, name=name[:64], problem="busy")
        if await parts.sign_in.use_link(secret, now) is None:
            return self._page(request, "link_over.html", 404)
        operator = invited or await parts.people.add_owner(name, now)
        await parts.sign_in.set_credential(operator.id, SignInCredential(hashed), now, "password set by a link")
        return await self._door.let_in(request, go(ROOT), operator, WHOLE)


def minutes(seconds: float) -> int:
    return max(1, -int(-seconds // 60))
