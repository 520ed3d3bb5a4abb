"""What the console is given, as small interfaces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from renzheng.accounts.operators import ConsoleSession, Operator, SignInCredential
from renzheng.console.actions import ErrorTexts, KeyedService, Manifest, Send, Service
from renzheng.console.figures import Counts, Health
from renzheng.console.forms import USUAL_PACE, Pace
from renzheng.console.passwords import Passwords
from renzheng.console.provider import Provider
from renzheng.console.tries import CountedTries


class People(Protocol):
    async def get(self, operator_id: int) -> Operator | None:
        """Return an operator; None if there is none, it is disabled, or its row was tampered with."""
        ...

    async def named(self, name: str) -> Operator | None: ...
    async def is_free(self, name: str) -> bool:
        """Return whether a new person can have this name."""
        ...

    async def add_owner(self, name: str, now: float) -> Operator: ...


class SignIn(Protocol):
    """Stores credentials and sessions; see `store.sign_in`."""

    async def credential(self, operator_id: int) -> SignInCredential | None: ...
    async def any_credential(self) -> bool: ...
    async def set_credential(self, operator_id: int, credential: SignInCredential, now: float, verb: str) -> None: ...
    async def use_step(self, operator_id: int, step: int) -> bool: ...
    async def set_recovery_codes(self, operator_id: int, codes: Iterable[str]) -> None: ...
    async def use_recovery_code(self, operator_id: int, code: str) -> bool: ...
    async def recovery_codes(self, operator_id: int) -> int: ...
    async def begin(self, operator_id: int, stage: str, browser: str, now: float) -> str: ...
    async def session(self, secret: str) -> ConsoleSession | None: ...
    async def touch(self, digest: bytes, now: float) -> None: ...
    async def end(self, operator_id: int, digest: bytes, verb: str = "signed out") -> bool: ...
    async def sessions(self, operator_id: int) -> list[ConsoleSession]: ...
    async def forget(self, unused_since: float, begun_before: float, now: float) -> None: ...
    async def link(self, secret: str, now: float) -> int | None: ...
    async def use_link(self, secret: str, now: float) -> int | None: ...


class Notes(CountedTries, Protocol):
    """Short-lived notes that all servers share; see `store.console_notes`."""

    async def take_form(self, session: bytes, mark: str, now: float) -> bool: ...
    async def keep_call(self, operator_id: int, session: bytes, content: bytes) -> None: ...
    async def calls(self, operator_id: int, session: bytes) -> list[bytes]: ...
    async def forget(self, tried_before: float, now: float) -> None: ...


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """`public_url`: where people reach the console; empty if that is the listener itself. `utc_offset`: hours."""

    public_url: str = ""
    idle_seconds: float = 1800
    life_seconds: float = 12 * 3600
    tries: int = 5
    tries_seconds: float = 900
    password_length: int = 12
    utc_offset: float = 8
    upload_bytes: int = 64 * 1024 * 1024
    pace: Pace = USUAL_PACE


@dataclass(frozen=True, slots=True)
class ManagementService:
    """The management API. `send`: signs and sends a call. `service`: as programs reach it."""

    send: Send
    manifests: Sequence[Manifest]
    service: Service


class Refusal(Protocol):
    """A request that was answered with an error. `account_id`: 0 if no key was found. `secret_id`: masked."""

    @property
    def at(self) -> float: ...
    @property
    def request_id(self) -> str: ...
    @property
    def account_id(self) -> int: ...
    @property
    def secret_id(self) -> str: ...
    @property
    def code(self) -> str: ...
    @property
    def action(self) -> str: ...
    def sentence(self, language: str) -> str:
        """Return why, in `zh-CN` or else in English."""
        ...


class RequestLine(Protocol):
    """A line of the log about one request. `account_id`: None if the line names none. `values`: its other values."""

    @property
    def at(self) -> float: ...
    @property
    def level(self) -> str: ...
    @property
    def event(self) -> str: ...
    @property
    def request_id(self) -> str: ...
    @property
    def account_id(self) -> int | None: ...
    @property
    def values(self) -> Mapping[str, object]: ...


@dataclass(frozen=True, slots=True)
class ConsoleParts:
    """What the console works with.

    `clock`: unix seconds. `record`: writes a button and its subject into the audit log. `tried`: counts a sign-in try,
    by outcome. `family`: returns a browser's family from its name. `keyed`: the service that accounts call, for the
    Explorer. `errors`: of all services, by code. `refusals`: the last requests that were answered with an error, the
    newest first. `request_lines`: what the log remembers of single requests, the newest first. `provider`: the identity
    provider, if there is one. `reset_link`: makes a sign-in link after deleting the operator's credentials; given who
    asks, and for whom.
    """

    people: People
    sign_in: SignIn
    notes: Notes
    passwords: Passwords
    record: Callable[[str, str], Awaitable[None]]
    tried: Callable[[str], None]
    clock: Callable[[], float]
    entropy: Callable[[int], bytes]
    family: Callable[[str], str]
    counts: Counts
    health: Callable[[], Awaitable[Health]]
    settings: ConsoleSettings
    reset_link: Callable[[Operator, int], Awaitable[str]]
    management: ManagementService | None = None
    provider: Provider | None = None
    keyed: KeyedService | None = None
    errors: Mapping[str, ErrorTexts] = field(default_factory=dict)
    refusals: Callable[[], Sequence[Refusal]] = tuple
    request_lines: Callable[[], Sequence[RequestLine]] = tuple
