"""Pages for importing people: a table and photos are uploaded and all faults shown before anybody is enrolled."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from renzheng.console.calls import CallError
from renzheng.console.door import Door, Visitor
from renzheng.console.forms import Form
from renzheng.console.frame import PageFrame
from renzheng.console.rendering import ROOT, go, language
from renzheng.console.tables import ManagementPages, is_denied

IMPORT = f"{ROOT}/identities/import"
ACTIONS = ("CreateImport", "PutImportPart", "CheckImport", "CommitImport", "DescribeImport", "CancelImport")
MAX_SHOWN = 200
MAX_DIGITS = 18
OPEN = frozenset({"open"})


class ImportPages:
    """`max_bytes`: of one upload. More photos can be sent in another upload."""

    def __init__(self, management: ManagementPages, door: Door, frame: PageFrame, max_bytes: int) -> None:
        self._management = management
        self._door = door
        self._frame = frame
        self._max_bytes = max_bytes

    async def _call(self, request: Request, visitor: Visitor, action: str, parameters: Mapping[str, Any]) -> Any:
        return await self._management.calls.call(visitor, action, parameters, language(request))

    async def ask(self, request: Request, visitor: Visitor) -> Response:
        await self._management.require(visitor, "CreateImport")
        return await self._begin_page(request, visitor)

    async def _begin_page(self, request: Request, visitor: Visitor, status: int = 200, **more: Any) -> Response:
        accounts = await self._management.accounts(visitor, language(request))
        shown = {"accounts": accounts, "problem": None, "megabytes": self._max_bytes // (1024 * 1024), **more}
        made = await self._management.calls.recent(visitor)
        return self._frame.page("import.html", request, visitor, shown, status, calls=made)

    async def begin(self, request: Request, visitor: Visitor) -> Response:
        await self._management.require(visitor, "CreateImport")
        form = await self._door.form(request, visitor, files=self._max_bytes)
        chosen = form.get("AccountId")
        account = {"AccountId": int(chosen)} if chosen.isdecimal() and len(chosen) <= MAX_DIGITS else {}
        table = form.files.get("table")
        if table is None:
            return await self._begin_page(request, visitor, 422, problem="table")
        try:
            given = account | ({"Replace": True} if form.get("Replace") == "true" else {})
            made = (await self._call(request, visitor, "CreateImport", given))["Import"]
            named = {"AccountId": made["AccountId"], "ImportId": made["ImportId"]}
            await self._put(request, visitor, named, 1, "table", "", table.content)
            refused = await self._put_photos(request, visitor, named, 2, form)
        except CallError as error:
            if is_denied(error):
                raise
            return await self._begin_page(request, visitor, 422, problem=error)
        return await self._one_page(request, visitor, named, refused=refused)

    async def _put(
        self,
        request: Request,
        visitor: Visitor,
        named: Mapping[str, Any],
        number: int,
        kind: str,
        name: str,
        data: bytes,
    ) -> None:
        part = {"PartNumber": number, "Kind": kind, "Data": base64.b64encode(data).decode()}
        await self._call(request, visitor, "PutImportPart", {**named, **part, **({"Name": name} if name else {})})

    async def _put_photos(
        self, request: Request, visitor: Visitor, named: Mapping[str, Any], first: int, form: Form
    ) -> list[tuple[str, str]]:
        """Store the photos. Returns those that were refused, with the reason."""
        refused = []
        for number, file in enumerate(form.many.get("photos", ()), first):
            name = file.name.replace("\\", "/").rpartition("/")[2]
            try:
                await self._put(request, visitor, named, number, "photo", name, file.content)
            except CallError as error:
                refused.append((name, error.message))
        return refused

    def _parameters_of(self, request: Request) -> dict[str, int]:
        account, number = request.path_params["account"], request.path_params["number"]
        return {"AccountId": account, "ImportId": number}

    async def show(self, request: Request, visitor: Visitor) -> Response:
        await self._management.require(visitor, "CreateImport")
        return await self._one_page(request, visitor, self._parameters_of(request))

    async def _one_page(
        self, request: Request, visitor: Visitor, named: Mapping[str, Any], status: int = 200, **more: Any
    ) -> Response:
        found = (await self._call(request, visitor, "DescribeImport", named))["Import"]
        checked: Mapping[str, Any] = {}
        problem = None
        if found["State"] in OPEN:
            try:
                checked = await self._call(request, visitor, "CheckImport", named)
            except CallError as error:
                problem = error
        shown = {
            "found": found,
            "checked": checked,
            "faults": list(checked.get("Faults") or ())[:MAX_SHOWN],
            "is_open": found["State"] in OPEN,
            "is_busy": found["State"] == "committing",
            "here_path": f"{IMPORT}/{named['AccountId']}/{named['ImportId']}",
            "megabytes": self._max_bytes // (1024 * 1024),
            "problem": problem,
            "refused": (),
            **more,
        }
        made = await self._management.calls.recent(visitor)
        return self._frame.page("import_one.html", request, visitor, shown, status, calls=made)

    async def act(self, request: Request, visitor: Visitor) -> Response:
        """Take more photos, or the decision: to enrol, or to cancel."""
        await self._management.require(visitor, "CreateImport")
        named = self._parameters_of(request)
        form = await self._door.form(request, visitor, files=self._max_bytes)
        button = form.get("button")
        try:
            if button == "photos":
                found = (await self._call(request, visitor, "DescribeImport", named))["Import"]
                refused = await self._put_photos(request, visitor, named, found["Parts"] + 1, form)
                return await self._one_page(request, visitor, named, refused=refused)
            if button in ("CommitImport", "CancelImport"):
                await self._call(request, visitor, button, named)
        except CallError as error:
            if is_denied(error):
                raise
            return await self._one_page(request, visitor, named, 422, problem=error)
        return go(f"{IMPORT}/{named['AccountId']}/{named['ImportId']}")
