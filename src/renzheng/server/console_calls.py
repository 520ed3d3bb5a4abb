"""The console's signed calls, without a network: with the person's own key, or with an account's."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from renzheng.accounts.keys import Key
from renzheng.accounts.operators import Operator
from renzheng.console.actions import CallReply, ErrorTexts, KeyedService, Service
from renzheng.console.parts import ManagementService
from renzheng.gateway.manifest import Product
from renzheng.gateway.signature import sign_tc3
from renzheng.operations.people import actor_of
from renzheng.store.accounts import NotFoundError
from renzheng.store.open import Store

LANGUAGES = {"en": "en-US", "zh": "zh-CN"}
JSON = "application/json"
Gateway = Callable[[Any, Any, Any], Awaitable[None]]


class SignedCalls:
    """Calls the management API like any program, signed with the person's own key, but without a network.

    So the same code checks role, tenant, audit and rate. `address`: scheme and host of the operator's listener. `wall`:
    unix seconds for the date of a signature.
    """

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        product: Product,
        address: str,
        wall: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._wall = wall
        self._clock = clock
        scheme, _, host = address.partition("://")
        self.service = ManagementService(
            self.send, product.actions, Service(product.service, product.version, scheme, host)
        )

    async def send(self, operator: Operator, action: str, parameters: Mapping[str, Any], language: str) -> CallReply:
        key = await self._key(operator)
        return await ask(self._gateway, self.service.service, key, action, parameters, language, int(self._wall()))

    async def _key(self, operator: Operator) -> Key:
        """Return the person's own key. The first owner, who came by a link, has none yet."""
        key = await self._store.operator_keys.key(operator)
        if key is None:
            key = await self._store.operator_keys.renew(operator, self._clock())
            await self._store.keys.refresh()
        return key


class KeyedCalls:
    """Calls the accounts' service, signed with an account's key that the server stores, without a network."""

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        product: Product,
        errors: Mapping[str, ErrorTexts],
        address: str,
        wall: Callable[[], float],
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._wall = wall
        scheme, _, host = address.partition("://")
        self.errors = errors
        self.service = KeyedService(
            self.send, product.actions, Service(product.service, product.version, scheme, host.rstrip("/"))
        )

    async def send(
        self,
        operator: Operator,
        secret_id: str,
        action: str,
        parameters: Mapping[str, Any],
        language: str,
        region: str,
    ) -> CallReply:
        acting = self._store.acting(actor_of(operator))
        await acting.audit.record(f"called {action} in the console", f"key {secret_id}")
        key = self._store.keys.find(secret_id)
        if key is None:  # deleted a moment ago, as the caller has just seen it in a list
            raise NotFoundError(f"there is no key {secret_id}")
        now = int(self._wall())
        return await ask(self._gateway, self.service.service, key, action, parameters, language, now, region)


async def ask(
    gateway: Gateway,
    service: Service,
    key: Key,
    action: str,
    parameters: Mapping[str, Any],
    language: str,
    now: int,
    region: str = "",
) -> CallReply:
    """Make one signed call through the gateway, as a listener does. `now`: unix seconds for the signature's date."""
    body = msgspec.json.encode(parameters)
    authorization = sign_tc3(
        *(key.secret_id, key.secret_key),
        timestamp=now, host=service.host, content_type=JSON, payload=body, service=service.name,
    )  # fmt: skip
    headers = {
        "host": service.host,
        "content-type": JSON,
        "content-length": str(len(body)),
        "authorization": authorization,
        "x-tc-action": action,
        "x-tc-version": service.version,
        "x-tc-timestamp": str(now),
        "x-tc-language": LANGUAGES[language],
        **({"x-tc-region": region} if region else {}),
    }
    begun = time.perf_counter()
    answered = await _hand_over(gateway, body, headers)
    return CallReply(msgspec.json.decode(answered)["Response"], 1000 * (time.perf_counter() - begun))


async def _hand_over(gateway: Gateway, body: bytes, headers: Mapping[str, str]) -> bytes:
    sent: list[bytes] = []
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Any:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    scope = {
        "type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"",
        "http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", 0), "client": ("127.0.0.1", 0),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
    }  # fmt: skip
    await gateway(scope, receive, send)
    return b"".join(sent)
