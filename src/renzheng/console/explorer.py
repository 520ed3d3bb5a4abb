"""The API Explorer of the console: a form for every action of both services, signed with a key on the server.

Nobody pastes a secret and no script runs: the page sends a form, the server signs, and the Inspector shows the call.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from renzheng.console.actions import Action, ErrorTexts, Field, FieldError, Service, read_action
from renzheng.console.calls import MASK, Call, CallError
from renzheng.console.door import Door, Visitor
from renzheng.console.forms import MAX_UPLOAD, Form, FormError
from renzheng.console.frame import PageFrame
from renzheng.console.parts import ConsoleParts
from renzheng.console.rendering import ROOT, go, language
from renzheng.console.tables import ManagementPages

EXPLORER = f"{ROOT}/explorer"
NEEDED = "CreateKey"
"""The action that a role must include: a role that may create keys of an account may also call with an existing one."""
MAX_WORDS = 100
FIRST_REGION = "ap-guangzhou"


@dataclass(frozen=True, slots=True)
class Found:
    """The results of a search. `parameters`: with their service and action. `errors`: by code."""

    actions: Sequence[tuple[str, Sequence[Action]]]
    parameters: Sequence[tuple[str, Action, Field]]
    errors: Sequence[tuple[str, ErrorTexts]]


class ExplorerPages:
    def __init__(self, management: ManagementPages, parts: ConsoleParts, door: Door, frame: PageFrame) -> None:
        assert parts.management is not None
        self._management = management
        self._keyed = parts.keyed
        self._errors = dict(sorted(parts.errors.items()))
        self._door = door
        self._frame = frame
        self._zone = datetime.timezone(datetime.timedelta(hours=parts.settings.utc_offset))
        self._own = parts.management.service
        self._services: dict[str, tuple[Service, Mapping[str, Action]]] = {}
        if self._keyed is not None:
            actions = {one.name: read_action(one, self._zone) for one in self._keyed.manifests}
            self._services[self._keyed.service.name] = (self._keyed.service, actions)
        self._services[self._own.name] = (self._own, management.actions)

    # -- the list and its search

    async def find(self, request: Request, visitor: Visitor) -> Response:
        """List actions. With words (`q`), also the parameters and error codes that contain all of them."""
        words = request.query_params.get("q", "")[:MAX_WORDS]
        found = self._search(visitor, words.lower().split())
        shown = {"found": found, "words": words, "path_of": path_of}
        return await self._page("explorer.html", request, visitor, shown)

    def _search(self, visitor: Visitor, words: Sequence[str]) -> Found:
        offered = list(self._offer(visitor))
        actions = [(service, [one for one in known if _has(words, one.name, *one.text)]) for service, known in offered]
        if not words:
            return Found(actions, (), ())
        parameters = [
            (service, action, one)
            for service, known in offered
            for action in known
            for one in action.fields.values()
            if _has(words, one.name, *one.text)
        ]
        errors = [(code, texts) for code, texts in self._errors.items() if _has(words, code, texts[0], texts[1])]
        return Found([(service, known) for service, known in actions if known], parameters, errors)

    def _offer(self, visitor: Visitor) -> Iterator[tuple[str, list[Action]]]:
        """Yield, by service, the actions that the person's role includes."""
        for name, (service, actions) in self._services.items():
            may = [one for one in actions.values() if self._may(visitor, service, one)]
            if may:
                yield name, may

    def _may(self, visitor: Visitor, service: Service, action: Action) -> bool:
        return self._management.allows(visitor, action.name if service is self._own else NEEDED)

    # -- one action

    async def _find_action(self, request: Request, visitor: Visitor) -> tuple[Service, Action]:
        """Return the service and action in the address. Raises FormError if there is none, or not for this role."""
        service, actions = self._services.get(request.path_params["service"], (None, {}))
        action = actions.get(request.path_params["action"])
        if service is None or action is None:
            raise FormError(404, "missing")
        await self._management.require(visitor, action.name if service is self._own else NEEDED)
        return service, action

    async def ask(self, request: Request, visitor: Visitor) -> Response:
        service, action = await self._find_action(request, visitor)
        again = await self._again(request, visitor, service, action)
        values = {name: request.query_params.get(name, "") for name in action.fields}
        if again is not None:
            values = {name: self._field_text(one, again.parameters.get(name)) for name, one in action.fields.items()}
            values |= {"key": again.secret_id, "region": again.region}
        return await self._form(request, visitor, service, action, values)

    async def _again(self, request: Request, visitor: Visitor, service: Service, action: Action) -> Call | None:
        """Return the session's own call that is to be changed and made again."""
        wanted = request.query_params.get("again", "")
        return next(
            (
                call
                for call in await self._management.calls.recent(visitor)
                if call.request_id == wanted and call.action == action.name and call.service == service.name
            ),
            None,
        )

    def _field_text(self, field: Field, value: Any) -> str:
        """Return a value as a person types it; empty if it was masked or cut."""
        if value is None or field.kind in ("file", "secret") or MASK in str(value):
            return ""
        if field.kind == "time":
            return datetime.datetime.fromtimestamp(value, self._zone).strftime("%Y-%m-%dT%H:%M")
        if field.kind == "list":
            return "\n".join(map(str, value))
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    async def _form(
        self,
        request: Request,
        visitor: Visitor,
        service: Service,
        action: Action,
        values: Mapping[str, str],
        wrong: FieldError | None = None,
    ) -> Response:
        keys = await self._keys(request, visitor) if service is not self._own else []
        fields = sorted(action.fields.values(), key=lambda one: not one.required)
        shown = {
            "service": service,
            "action": action,
            "fields": fields,
            "values": {"key": "", "region": FIRST_REGION, **values},
            "keys": keys,
            "own": service is self._own,
            "wrong": wrong,
            "here_path": path_of(service.name, action),
        }
        return await self._page("explore.html", request, visitor, shown, 422 if wrong else 200)

    async def _keys(self, request: Request, visitor: Visitor) -> list[Mapping[str, Any]]:
        """Return permanent keys that sign for the service, of the accounts that the person sees."""
        assert self._keyed is not None
        given = {"Enabled": True, "Limit": 100}
        reply = await self._management.calls.call(visitor, "DescribeKeys", given, language(request))
        name = self._keyed.service.name
        return [key for key in reply["Keys"] if not key.get("ExpiresAt") and name in key["Services"]]

    async def call(self, request: Request, visitor: Visitor) -> Response:
        service, action = await self._find_action(request, visitor)
        form = await self._door.form(request, visitor, files=MAX_UPLOAD)
        values = {name: form.get(name) for name in (*action.fields, "key", "region")}
        try:
            parameters = _read(action, form)
        except FieldError as wrong:
            return await self._form(request, visitor, service, action, values, wrong)
        if service is self._own:
            if action.secret:  # a secret that is shown once is shown on the button's page
                raise FormError(404, "missing")
            request_id = await self._call_own(request, visitor, action, parameters)
        else:
            keys = {key["SecretId"] for key in await self._keys(request, visitor)}
            region = form.get("region")
            if form.get("key") not in keys or region not in ("", *action.regions):
                raise FormError(404, "missing")
            assert self._keyed is not None
            given = (self._keyed, form.get("key"), action.name, parameters, language(request), region)
            request_id = (await self._management.calls.call_with(visitor, *given)).request_id
        return go(f"{ROOT}/calls/{quote(request_id)}")

    async def _call_own(self, request: Request, visitor: Visitor, action: Action, parameters: Mapping[str, Any]) -> str:
        try:
            reply = await self._management.calls.call(visitor, action.name, parameters, language(request))
        except CallError as refused:
            return refused.request_id
        return str(reply["RequestId"])

    async def _page(
        self, name: str, request: Request, visitor: Visitor, shown: Mapping[str, Any], status: int = 200
    ) -> Response:
        return self._frame.page(
            name, request, visitor, shown, status, calls=await self._management.calls.recent(visitor)
        )


def path_of(service: str, action: Action) -> str:
    return f"{EXPLORER}/{service}/{action.name}"


def _has(words: Sequence[str], *texts: str) -> bool:
    whole = " ".join(texts).lower()
    return all(word in whole for word in words)


def _read(action: Action, form: Form) -> dict[str, Any]:
    """Return what is sent. Required parameters may be missing, so that a person sees the service's answer."""
    parameters = {}
    for name, one in action.fields.items():
        file = form.files.get(name)
        value = one.value(file.content if file else form.get(name))
        if value is not None:
            parameters[name] = value
    return parameters
