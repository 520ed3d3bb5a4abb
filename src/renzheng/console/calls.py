"""The console's calls of the management API, and what is kept of each for the person to see."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from renzheng.console.actions import CallReply, KeyedService, Send, Service
from renzheng.console.door import Visitor

MAX_SHOWN = 300
"""Most characters of a text in a shown call."""
MASK = "********"
SECRET = re.compile(r"Secret(Key)?$|SecretKey|Password|^Token$|Authorization|PrivateKey|^SignInLink$", re.IGNORECASE)
BYTES = re.compile(r"Base64$|^Data$|^Content$|^Csv$")


class CallError(Exception):
    """The API refused. `code`: as in its error. `message`: for the person, in the person's language."""

    def __init__(self, code: str, message: str, request_id: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.request_id = request_id


class Call(msgspec.Struct, frozen=True, array_like=True):
    """One call that was made, without anything that nobody should read over a shoulder. Stored as a JSON array.

    `at`: unix seconds. `service`: its name. `secret_id`: of the account's key that signed it; empty if the person's own
    did.
    """

    at: float
    service: str
    action: str
    parameters: Mapping[str, Any]
    response: Mapping[str, Any]
    milliseconds: float
    secret_id: str = ""
    region: str = ""

    @property
    def error(self) -> str:
        return str(self.response.get("Error", {}).get("Code", ""))

    @property
    def request_id(self) -> str:
        return str(self.response.get("RequestId", ""))


def masked(value: Any, name: str = "") -> Any:
    """Return a value as it may be shown: no secrets, bytes and long texts cut, people's names and numbers masked."""
    if isinstance(value, Mapping):
        return {key: masked(part, key) for key, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [masked(part, name) for part in value]
    if isinstance(value, str) and value:
        if SECRET.search(name):
            return MASK
        if BYTES.search(name):
            return f"... {len(value)} characters"
        if len(value) > MAX_SHOWN:
            return f"{value[:MAX_SHOWN]} ... {len(value)} characters"
    return value


class KeptCalls(Protocol):
    """Keeps the last calls of a session, the newest first, during its life."""

    async def keep_call(self, operator_id: int, session: bytes, content: bytes) -> None: ...
    async def calls(self, operator_id: int, session: bytes) -> list[bytes]: ...


class Calls:
    """Makes calls for signed-in people, and keeps the last ones of each session.

    `services`: the management API, and the accounts' services. `clock`: unix seconds.
    """

    def __init__(self, send: Send, services: Sequence[Service], kept: KeptCalls, clock: Callable[[], float]) -> None:
        self._send = send
        self._service = services[0]
        self._services = {service.name: service for service in services}
        self._kept = kept
        self._clock = clock

    async def call(
        self, visitor: Visitor, action: str, parameters: Mapping[str, Any], language: str
    ) -> Mapping[str, Any]:
        """Call an action and return the response's object. Raises CallError."""
        answer = await self._send(visitor.operator, action, parameters, language)
        call = self._call_of(self._service, action, parameters, answer, "Identit" in action)
        await self._remember(visitor, call)
        error = answer.response.get("Error")
        if error is not None:
            raise CallError(str(error["Code"]), str(error["Message"]), str(answer.response.get("RequestId", "")))
        return answer.response

    async def call_with(
        self,
        visitor: Visitor,
        keyed: KeyedService,
        secret_id: str,
        action: str,
        parameters: Mapping[str, Any],
        language: str,
        region: str,
    ) -> Call:
        """Call an action with an account's key. Returns the call with its reply, which may be an error."""
        answer = await keyed.send(visitor.operator, secret_id, action, parameters, language, region)
        call = self._call_of(keyed.service, action, parameters, answer, True, secret_id, region)
        await self._remember(visitor, call)
        return call

    def _call_of(
        self,
        service: Service,
        action: str,
        parameters: Mapping[str, Any],
        answer: CallReply,
        people: bool,
        secret_id: str = "",
        region: str = "",
    ) -> Call:
        """Return the call as it is shown. `people`: whether a `Name` is a person's."""
        asked, response = (_mask_personal(masked(part), people) for part in (parameters, answer.response))
        return Call(self._clock(), service.name, action, asked, response, answer.milliseconds, secret_id, region)

    async def _remember(self, visitor: Visitor, call: Call) -> None:
        await self._kept.keep_call(visitor.operator.id, visitor.session.digest, msgspec.json.encode(call))

    async def recent(self, visitor: Visitor) -> list[Call]:
        """Return the session's last calls to the existing services, the newest first."""
        found = await self._kept.calls(visitor.operator.id, visitor.session.digest)
        kept = [msgspec.json.decode(content, type=Call) for content in found]
        return [call for call in kept if call.service in self._services]

    def service_of(self, call: Call) -> Service:
        """Return the service that a recent call was made to."""
        return self._services[call.service]


def _mask_personal(value: Any, people: bool) -> Any:
    if isinstance(value, Mapping):
        return {
            key: MASK if isinstance(part, str) and part and _is_personal(key, people) else _mask_personal(part, people)
            for key, part in value.items()
        }
    return [_mask_personal(part, people) for part in value] if isinstance(value, list) else value


def _is_personal(name: str, people: bool) -> bool:
    return name in ("IdCard", "IdCardNumber") or (people and name == "Name")
