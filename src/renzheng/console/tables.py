"""Lists and single records: pages for what an action of the management API returns, with their buttons."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from renzheng.console.actions import Action, Field, FieldError
from renzheng.console.calls import CallError, Calls
from renzheng.console.door import Door, Visitor
from renzheng.console.forms import FormError
from renzheng.console.frame import PageFrame
from renzheng.console.nouns import Button, Record, Table
from renzheng.console.rendering import ROOT, language

ROWS = 50
MAX_PAGE = 200
DO = f"{ROOT}/do"


class ManagementPages:
    """What all pages over the management API share: its actions by name, and the calls. `record`: writes to the
    audit."""

    def __init__(
        self, calls: Calls, actions: Mapping[str, Action], record: Callable[[str, str], Awaitable[None]]
    ) -> None:
        self.calls = calls
        self.actions = actions
        self._record = record

    async def require(self, visitor: Visitor, action: str) -> None:
        """Raise FormError, and record it, if the person's role does not include the action."""
        if not self.allows(visitor, action):
            await self._record(f"denied: {action}", f"operator {visitor.operator.id}")
            raise FormError(403, "role")

    def allows(self, visitor: Visitor, action: str) -> bool:
        known = self.actions.get(action)
        return known is not None and visitor.operator.role.value in known.roles

    async def accounts(self, visitor: Visitor, spoken: str) -> dict[int, str]:
        """Return the names of the accounts that the person sees, by number: the first hundred."""
        if not self.allows(visitor, "DescribeAccounts"):
            return {}
        reply = await self.calls.call(visitor, "DescribeAccounts", {"Limit": 100}, spoken)
        return {one["Id"]: one["Name"] for one in reply["Accounts"]}

    def offered(
        self, visitor: Visitor, buttons: Sequence[Button], row: Mapping[str, Any], chosen: Mapping[str, Any]
    ) -> list[tuple[Button, str]]:
        """Return the buttons that this person may press for this row now, with the address of their forms."""
        return [
            (
                button,
                button.page.format(**row)
                if button.page
                else f"{DO}/{button.action}?{urlencode(button_parameters(button, row, chosen))}",
            )
            for button in buttons
            if self.allows(visitor, button.action) and button.suits(row)
        ]


class TablePages:
    def __init__(self, management: ManagementPages, door: Door, frame: PageFrame) -> None:
        self._management = management
        self._door = door
        self._frame = frame

    async def show(self, request: Request, visitor: Visitor, table: Table) -> Response:
        return await self._show(request, visitor, table, table.filters, request.query_params)

    async def find(self, request: Request, visitor: Visitor, table: Table) -> Response:
        """Show a list like `show`, with filters from a form: also the private one, which appears in no address."""
        form = await self._door.form(request, visitor)
        return await self._show(request, visitor, table, (*table.filters, table.private_filter), form.fields)

    async def _show(
        self, request: Request, visitor: Visitor, table: Table, names: Sequence[str], query: Mapping[str, str]
    ) -> Response:
        management = self._management
        action, spoken = management.actions[table.action], language(request)
        filters = [action.fields[name] for name in names if name in action.fields]
        chosen, wrong = _read([*filters, *(action.fields[name] for name in table.context)], query)
        page = _page(query.get("page", ""))
        if "Offset" in action.fields:
            chosen |= {"Offset": (page - 1) * ROWS, "Limit": ROWS}
        accounts = await management.accounts(visitor, spoken) if _names_accounts(table) else {}
        if table.needs_account and "AccountId" not in chosen and len(accounts) > 1:
            chosen["AccountId"] = next(iter(accounts))
        problem: str | None = None
        rows: list[Mapping[str, Any]] = []
        total = 0
        try:
            reply = await management.calls.call(visitor, table.action, chosen, spoken)
            rows = list(reply.get(table.items) or ())
            total = int(reply.get("TotalCount") or len(rows))
        except CallError as refused:
            if is_denied(refused):
                raise
            problem = refused.message
        texts = {name: query.get(name, "") for name in names}
        if table.needs_account:
            texts["AccountId"] = str(chosen.get("AccountId", ""))
        shown = {
            "table": table,
            "rows": [(row, management.offered(visitor, table.buttons, row, chosen)) for row in rows],
            "first": [button for button in table.first if management.allows(visitor, button.action)],
            "filters": [one for one in filters if _is_asked(one, table, accounts)],
            "private": action.fields.get(table.private_filter),
            "chosen": texts,
            "is_filtered": any(texts.values()),
            "is_found": table.private_filter in texts,
            "total": total,
            "page": page,
            "pages": max(1, -(-total // ROWS)),
            "max_page": MAX_PAGE,
            "query": urlencode({name: value for name, value in texts.items() if value}),
            "problem": problem,
            "wrong": wrong,
            "done": management.actions.get(query.get("done", "")),
            "accounts": accounts,
            "choices": {column.name: column.words for column in table.columns if column.words},
        }
        return self._frame.page("table.html", request, visitor, shown, calls=await management.calls.recent(visitor))

    async def show_one(self, request: Request, visitor: Visitor, record: Record) -> Response:
        management, spoken = self._management, language(request)
        reply = await management.calls.call(visitor, record.action, self._name_of(request, record), spoken)
        row = reply[record.item]
        shows_account = any(column.kind == "account" for column in record.columns)
        shown = {
            "record": record,
            "row": row,
            "buttons": management.offered(visitor, record.buttons, row, {}),
            "accounts": await management.accounts(visitor, spoken) if shows_account else {},
            "done": management.actions.get(request.query_params.get("done", "")),
        }
        return self._frame.page(record.template, request, visitor, shown, calls=await management.calls.recent(visitor))

    def _name_of(self, request: Request, record: Record) -> dict[str, Any]:
        """Return the parameter with which the address names the record. Raises CallError if it is not valid."""
        if not record.parameter:
            return {}
        field = self._management.actions[record.action].fields[record.parameter]
        try:
            value = field.value(request.path_params["id"])
        except FieldError:
            value = None
        if value is None:
            raise CallError("ResourceNotFound", "", "")
        return {record.parameter: value}


def _is_asked(field: Field, table: Table, accounts: Mapping[int, str]) -> bool:
    """Return whether the list's own form has the filter. The private one has a form of its own."""
    return field.name != table.private_filter and (field.name != "AccountId" or len(accounts) > 1)


def _names_accounts(table: Table) -> bool:
    return "AccountId" in table.filters or any(column.kind == "account" for column in table.columns)


def button_parameters(button: Button, row: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, str]:
    """Return the button's parameters that come from its row or from the list's filters, as texts."""
    found = {}
    for parameter, name in button.given.items():
        value = chosen.get(name[1:]) if name.startswith("@") else row.get(name)
        if value is not None:
            found[parameter] = str(value).lower() if isinstance(value, bool) else str(value)
    return found


def is_denied(refused: CallError) -> bool:
    """Return whether the role does not allow the call, or the person may not see what it names."""
    return refused.code.startswith(("UnauthorizedOperation", "AuthFailure", "ResourceNotFound"))


def _read(filters: Sequence[Field], query: Mapping[str, str]) -> tuple[dict[str, Any], str | None]:
    """Return the requested filters, and the name of a filter that cannot be read and is left out."""
    chosen: dict[str, Any] = {}
    wrong = None
    for one in filters:
        try:
            value = one.value(query.get(one.name, ""))
        except FieldError:
            wrong = one.name
            continue
        if value is not None:
            chosen[one.name] = value
    return chosen, wrong


def _page(given: str) -> int:
    with contextlib.suppress(ValueError):
        return min(MAX_PAGE, max(1, int(given)))
    return 1
