"""A sign-in link for a person without a password or second factor; it works once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from renzheng.accounts.operators import Operator
from renzheng.console.door import Door, Visitor
from renzheng.console.forms import FormError
from renzheng.console.frame import PageFrame
from renzheng.console.parts import People
from renzheng.console.rendering import ROOT
from renzheng.console.tables import ManagementPages

LINK = f"{ROOT}/people/{{operator_id:number}}/link"
ResetLink = Callable[[Operator, int], Awaitable[str]]
"""By whom, and whose: forgets what the person signed in with, and makes a link; its address."""


class LinkPages:
    """For whoever may give people new keys: a link lets its holder in as that person."""

    def __init__(
        self, management: ManagementPages, people: People, door: Door, frame: PageFrame, reset_link: ResetLink
    ) -> None:
        self._management = management
        self._people = people
        self._door = door
        self._frame = frame
        self._reset_link = reset_link

    async def _person(self, request: Request, visitor: Visitor) -> Operator:
        """Raises FormError for nobody, for somebody who is shut out, and for a role that may not."""
        await self._management.require(visitor, "RenewOperatorKey")
        person = await self._people.get(request.path_params["operator_id"])
        if person is None:
            raise FormError(404, "missing")
        return person

    async def ask(self, request: Request, visitor: Visitor) -> Response:
        person = await self._person(request, visitor)
        return self._frame.page("link.html", request, visitor, {"person": person, "link": None})

    async def make(self, request: Request, visitor: Visitor) -> Response:
        person = await self._person(request, visitor)
        await self._door.form(request, visitor)
        link = await self._reset_link(visitor.operator, person.id)
        return self._frame.page("link.html", request, visitor, {"person": person, "link": link})
