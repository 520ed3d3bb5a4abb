"""Sign-in links for people without a password or second factor. A link works once."""

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
"""Given who asks, and for whom: deletes the person's credentials and makes a link. Returns its address."""


class LinkPages:
    """For roles that may renew people's keys, since a link lets its holder in as that person."""

    def __init__(
        self, management: ManagementPages, people: People, door: Door, frame: PageFrame, reset_link: ResetLink
    ) -> None:
        self._management = management
        self._people = people
        self._door = door
        self._frame = frame
        self._reset_link = reset_link

    async def _person(self, request: Request, visitor: Visitor) -> Operator:
        """Return the person. Raises FormError if there is none, if the person is disabled, or if the role may not."""
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
