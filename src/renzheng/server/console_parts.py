"""Where the console meets the store: what it is handed is made here."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from renzheng.accounts.keys import Key
from renzheng.accounts.operators import Operator, Role
from renzheng.capture.browsers import family
from renzheng.console.actions import Answer, ErrorTexts, KeyedService, Service
from renzheng.console.app import Console
from renzheng.console.figures import Health
from renzheng.console.parts import ConsoleParts, ConsoleSettings, ManagementService
from renzheng.console.passwords import Passwords
from renzheng.console.provider import Provider, ProviderSettings
from renzheng.console.single_sign_on import BACK
from renzheng.gateway.failures import RefusedRequest
from renzheng.gateway.manifest import Product
from renzheng.gateway.signature import sign_tc3
from renzheng.operations.people import actor_of
from renzheng.settings import Settings
from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.authenticity import TamperedError
from renzheng.store.open import Store
from renzheng.store.operators import Operators, checked_name


class PeopleOfStore:
    """The operators as the console knows them: whoever is disabled, or of a row that others have changed, is nobody."""

    def __init__(self, operators: Operators) -> None:
        self._operators = operators

    async def get(self, operator_id: int) -> Operator | None:
        try:
            return _enabled(await self._operators.get(operator_id))
        except (NotFoundError, TamperedError):
            return None

    async def named(self, name: str) -> Operator | None:
        try:
            return _enabled(await self._operators.named(name))
        except (NotFoundError, TamperedError):
            return None

    async def is_free(self, name: str) -> bool:
        try:
            await self._operators.named(checked_name(name))
        except NotFoundError:
            return True
        except (RefusedError, TamperedError):
            return False
        return False

    async def add_owner(self, name: str, now: float) -> Operator:
        return await self._operators.add(name, Role.OWNER, now)


def _enabled(operator: Operator) -> Operator | None:
    return None if operator.disabled else operator


def console_settings(settings: Settings) -> ConsoleSettings:
    return ConsoleSettings(
        public_url=settings.console_url,
        idle_seconds=60 * settings.console_idle_minutes,
        life_seconds=3600 * settings.console_session_hours,
        tries=settings.console_tries,
        tries_seconds=60 * settings.console_tries_minutes,
        password_length=settings.console_password_length,
        utc_offset=settings.day_utc_offset,
        upload_bytes=settings.console_upload_bytes,
    )


def identity_provider(settings: Settings, clock: Callable[[], float]) -> Provider | None:
    if not settings.oidc_issuer:
        return None
    given = ProviderSettings(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        claim=settings.oidc_claim,
        back=f"{operator_url(settings)}{BACK}",
        title=settings.oidc_title,
    )
    return Provider(given, clock)


def console_url(settings: Settings) -> str:
    """Where people open the console."""
    return f"{operator_url(settings)}/console"


def operator_url(settings: Settings) -> str:
    """Scheme, host and port of the operator's listener, as people and programs reach it."""
    host = f"[{settings.operator_host}]" if ":" in settings.operator_host else settings.operator_host
    return settings.console_url or f"http://{host}:{settings.operator_port}"


LANGUAGES = {"en": "en-US", "zh": "zh-CN"}
JSON = "application/json"
Gateway = Callable[[Any, Any, Any], Awaitable[None]]


class SignedCalls:
    """Calls of the management API as any program makes them, signed with the person's own key, without a network.

    So role, tenant, audit and rate are looked at by the same code. `wall`: unix seconds that a signature is dated by.
    """

    def __init__(
        self,
        store: Store,
        gateway: Gateway,
        product: Product,
        settings: Settings,
        wall: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._product = product
        self._wall = wall
        self._clock = clock
        scheme, _, host = operator_url(settings).partition("://")
        self.service = ManagementService(
            self.send, product.actions, Service(product.service, product.version, scheme, host)
        )

    async def send(self, operator: Operator, action: str, parameters: Mapping[str, Any], language: str) -> Answer:
        key = await self._key(operator)
        return await ask(self._gateway, self.service.service, key, action, parameters, language, int(self._wall()))

    async def _key(self, operator: Operator) -> Key:
        """The person's own key. The first owner, who came by a link, has none yet."""
        key = await self._store.operator_keys.key(operator)
        if key is None:
            key = await self._store.operator_keys.renew(operator, self._clock())
            await self._store.keys.refresh()
        return key


class KeyedCalls:
    """Calls of the service that accounts use, signed with a key of theirs that the server keeps, without a network."""

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
    ) -> Answer:
        acting = self._store.acting(actor_of(operator))
        await acting.audit.record(f"called {action} in the console", f"key {secret_id}")
        key = self._store.keys.find(secret_id)
        if key is None:  # deleted a moment ago: the caller has just seen it in a list
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
) -> Answer:
    """One signed call, handed to the gateway as a listener does. `now`: unix seconds that the signature is dated by."""
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
    return Answer(msgspec.json.decode(answered)["Response"], 1000 * (time.perf_counter() - begun))


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


def make_console(
    settings: Settings,
    store: Store,
    health: Callable[[], Awaitable[Health]],
    clock: Callable[[], float],
    entropy: Callable[[int], bytes],
    tried: Callable[[str], None],
    calls: SignedCalls | None = None,
    passwords: Passwords | None = None,
    keyed: KeyedCalls | None = None,
    refusals: Callable[[], Sequence[RefusedRequest]] = tuple,
) -> Console:
    async def offer_link(operator_id: int) -> str:
        until = clock() + 60 * settings.console_link_minutes
        return f"{console_url(settings)}/welcome/{await store.sign_in.offer_link(operator_id, until)}"

    async def reset_link(by: Operator, operator_id: int) -> str:
        await store.acting(actor_of(by)).sign_in.reset(operator_id)
        return await offer_link(operator_id)

    parts = ConsoleParts(
        people=PeopleOfStore(store.operators),
        sign_in=store.sign_in,
        passwords=passwords or Passwords(),
        record=store.audit.record,
        tried=tried,
        clock=clock,
        entropy=entropy,
        family=family,
        counts=store.statistics,
        health=health,
        settings=console_settings(settings),
        management=calls.service if calls else None,
        provider=identity_provider(settings, clock),
        offer_link=offer_link,
        reset_link=reset_link,
        keyed=keyed.service if keyed else None,
        errors=keyed.errors if keyed else {},
        refusals=refusals,
    )
    return Console(parts)
