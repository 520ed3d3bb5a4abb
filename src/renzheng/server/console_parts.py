"""Connects the console with the store: makes the parts that the console is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from renzheng.accounts.operators import Operator, Role
from renzheng.capture.browsers import family
from renzheng.console.app import Console
from renzheng.console.figures import Health
from renzheng.console.forms import Pace
from renzheng.console.parts import ConsoleParts, ConsoleSettings, RequestLine
from renzheng.console.passwords import Passwords
from renzheng.console.provider import Provider, ProviderSettings
from renzheng.console.single_sign_on import BACK
from renzheng.gateway.failures import RefusedRequest
from renzheng.operations.people import actor_of
from renzheng.server.console_calls import KeyedCalls, SignedCalls
from renzheng.server.sign_in_links import offer_link
from renzheng.server.urls import operator_url
from renzheng.settings import Settings
from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.authenticity import TamperedError
from renzheng.store.open import Store
from renzheng.store.operators import Operators, checked_name


class PeopleOfStore:
    """The operators as the console knows them, without disabled ones and those whose row was tampered with."""

    def __init__(self, operators: Operators) -> None:
        self._operators = operators

    async def get(self, operator_id: int) -> Operator | None:
        try:
            return _unless_disabled(await self._operators.get(operator_id))
        except (NotFoundError, TamperedError):
            return None

    async def named(self, name: str) -> Operator | None:
        try:
            return _unless_disabled(await self._operators.named(name))
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


def _unless_disabled(operator: Operator) -> Operator | None:
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
        pace=Pace(settings.body_seconds, settings.body_rate),
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
        seconds=settings.oidc_seconds,
    )
    return Provider(given, clock)


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
    request_lines: Callable[[], Sequence[RequestLine]] = tuple,
) -> Console:
    async def reset_link(by: Operator, operator_id: int) -> str:
        await store.acting(actor_of(by)).sign_in.reset(operator_id)
        return await offer_link(settings, store, operator_id, clock)

    parts = ConsoleParts(
        people=PeopleOfStore(store.operators),
        sign_in=store.sign_in,
        notes=store.console_notes,
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
        reset_link=reset_link,
        keyed=keyed.service if keyed else None,
        errors=keyed.errors if keyed else {},
        refusals=refusals,
        request_lines=request_lines,
    )
    return Console(parts)
