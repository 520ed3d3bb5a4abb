"""The frame of every page for a signed-in person: the bar, the menu, the person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from renzheng.console.calls import Call
from renzheng.console.door import Visitor
from renzheng.console.parts import ConsoleSettings
from renzheng.console.rendering import ROOT, render


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A page in the menu. `roles`: who sees it; None: everybody."""

    path: str
    english: str
    chinese: str
    icon: str
    roles: frozenset[str] | None = None


OVERVIEW = MenuItem(ROOT, "Overview", "概览", "overview")


class PageFrame:
    """`menu`: the pages besides the overview."""

    def __init__(self, settings: ConsoleSettings, menu: Sequence[MenuItem] = ()) -> None:
        self._settings = settings
        self._menu = (OVERVIEW, *menu)

    def page(
        self,
        name: str,
        request: Request,
        visitor: Visitor,
        values: Mapping[str, Any],
        status: int = 200,
        calls: Sequence[Call] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Render a page inside the frame. `calls`: the last calls, for the Inspector."""
        menu = [item for item in self._menu if item.roles is None or visitor.operator.role.value in item.roles]
        around = {"menu": menu, "operator": visitor.operator, "token": visitor.token, "session": visitor.session}
        around["calls"] = calls
        return render(name, request, self._settings.utc_offset, {**around, **values}, status, headers)
