"""Forms of buttons: a form for one action of the management API, and its outcome."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from renzheng.console.actions import Action, Field, FieldError
from renzheng.console.calls import CallError
from renzheng.console.door import Door, Visitor
from renzheng.console.forms import MAX_UPLOAD, Form, FormError, fresh_mark, take_once
from renzheng.console.frame import PageFrame
from renzheng.console.nouns import Button, Record, Table
from renzheng.console.parts import ConsoleParts
from renzheng.console.rendering import WITH_FRAMES, go, language
from renzheng.console.tables import ManagementPages, is_denied

MAX_GIVEN = 200
UNSEEN = frozenset({"ChangedAt"})
"""Given parameters that are meaningless to people, so forms do not show them."""


@dataclass(frozen=True, slots=True)
class PlacedButton:
    """A button and its page. `back`: where a person goes afterwards, with `{Parameter}` in it."""

    button: Button
    action: Action
    table: Table
    back: str


def placed_buttons(
    tables: Iterable[Table], records: Iterable[Record], actions: Mapping[str, Action]
) -> dict[str, PlacedButton]:
    """Return the buttons by action. A button whose action does not exist is left out."""
    found = {}
    for table in tables:
        for button in (*table.first, *table.buttons):
            if button.action in actions and not button.page:
                found[button.action] = PlacedButton(button, actions[button.action], table, button.back or table.path)
    for record in records:
        for button in record.buttons:
            if button.action in actions:
                back = record.path.replace("{id}", f"{{{record.parameter}}}")
                found[button.action] = PlacedButton(button, actions[button.action], record.table, button.back or back)
    return found


class ButtonForms:
    def __init__(
        self,
        management: ManagementPages,
        offered: Mapping[str, PlacedButton],
        door: Door,
        frame: PageFrame,
        parts: ConsoleParts,
    ) -> None:
        self._management = management
        self._placed = offered
        self._door = door
        self._frame = frame
        self._parts = parts

    async def _find(self, request: Request, visitor: Visitor) -> PlacedButton:
        """Return the button. Raises FormError if there is none, or not for this role."""
        found = self._placed.get(request.path_params["action"])
        if found is None:
            raise FormError(404, "missing")
        await self._management.require(visitor, found.button.action)
        return found

    async def ask(self, request: Request, visitor: Visitor) -> Response:
        offer = await self._find(request, visitor)
        values = {name: request.query_params.get(name, "")[:MAX_GIVEN] for name in offer.action.fields}
        return await self._page(request, visitor, offer, values)

    async def _page(
        self,
        request: Request,
        visitor: Visitor,
        offer: PlacedButton,
        values: Mapping[str, str],
        status: int = 200,
        **more: Any,
    ) -> Response:
        button, action = offer.button, offer.action
        accounts = {}
        if "AccountId" in action.fields and "AccountId" not in button.given:
            accounts = await self._management.accounts(visitor, language(request))
        shown = {
            "button": button,
            "table": offer.table,
            "action": action,
            "back": _back(offer, values),
            "once": fresh_mark(),
            "unseen": UNSEEN,
            "given": [action.fields[name] for name in button.given if name in action.fields and values.get(name)],
            "asked": [one for one in asked(button, action) if one.name != "AccountId" or len(accounts) > 1],
            "values": values,
            "accounts": accounts,
            "problem": None,
            "wrong": None,
            **more,
        }
        made = await self._management.calls.recent(visitor)
        return self._frame.page("button_form.html", request, visitor, shown, status, calls=made)

    async def do(self, request: Request, visitor: Visitor) -> Response:
        offer = await self._find(request, visitor)
        button, action = offer.button, offer.action
        form = await self._door.form(request, visitor, files=MAX_UPLOAD if _has_files(button, action) else 0)
        values = {name: form.get(name) for name in action.fields}
        try:
            parameters = read(button, action, form)
            await take_once(self._parts.notes, visitor.session.digest, form, self._parts.clock())
            reply = await self._management.calls.call(visitor, action.name, parameters, language(request))
        except FieldError as wrong:
            return await self._page(request, visitor, offer, values, 422, wrong=wrong)
        except CallError as refused:
            if is_denied(refused):
                raise
            return await self._page(request, visitor, offer, values, 422, problem=refused)
        if button.shows:
            made = await self._management.calls.recent(visitor)
            shown = {
                "button": button,
                "table": offer.table,
                "back": _back(offer, values),
                "reply": reply,
                "values": values,
            }
            return self._frame.page(button.shows, request, visitor, shown, calls=made, headers=WITH_FRAMES)
        if not action.secret:
            return go(f"{_back(offer, values)}?done={action.name}")
        secrets = {**reply.get("Key", {}), **reply}
        shown = {"button": button, "back": _back(offer, values), "link": reply.get("SignInLink"), "reply": secrets}
        made = await self._management.calls.recent(visitor)
        return self._frame.page("shown_once.html", request, visitor, shown, calls=made)


def _back(offer: PlacedButton, values: Mapping[str, str]) -> str:
    """Return the page that the button belongs to. Of a record's name, only digits and letters enter the address."""
    back = offer.back
    for name, value in values.items():
        back = back.replace(f"{{{name}}}", value if value.isalnum() and value.isascii() else "0")
    return back


def _has_files(button: Button, action: Action) -> bool:
    return any(one.kind == "file" for one in asked(button, action))


def asked(button: Button, action: Action) -> list[Field]:
    """Return the fields of a button's form in order, required ones first."""
    if button.asked is not None:
        return [action.fields[name] for name in button.asked if name in action.fields]
    rest = [one for name, one in action.fields.items() if name not in button.given]
    return sorted(rest, key=lambda one: (one.name != "AccountId", not one.required))


def read(button: Button, action: Action, form: Form) -> dict[str, Any]:
    """Return the parameters to send. Raises FieldError."""
    parameters: dict[str, Any] = {}
    for one in (*(action.fields[name] for name in button.given if name in action.fields), *asked(button, action)):
        file = form.files.get(one.name)
        value = one.value(file.content if file else form.get(one.name))
        if value is not None:
            parameters[one.name] = value
        elif one.required:
            raise FieldError(one.name, "missing")
    return parameters
