"""The person behind a key, what the role allows, and which accounts' records that person sees."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec

from renzheng.accounts.buckets import Bucket, BucketKey, BucketRefusedError
from renzheng.accounts.keys import RENZHENG
from renzheng.accounts.operators import Role
from renzheng.actions.get_face_id_result import Reply as GivenResult
from renzheng.base.parameters import described
from renzheng.gateway.contract import Caller, Key, Language
from renzheng.gateway.errors import (
    ActionFailedError,
    ApiError,
    InvalidParameterValueError,
    MissingParameterError,
    UnauthorizedKeyError,
)
from renzheng.gateway.manifest import CallContext, Message, Run
from renzheng.management.errors import (
    NotPrivateError,
    OperationDeniedError,
    ResourceNotFoundError,
    RoleDeniedError,
)
from renzheng.operations.accounts import MakeKeyPairs
from renzheng.operations.imports import Look
from renzheng.operations.people import actor_of
from renzheng.operations.rejudging import Rejudgement
from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.authenticity import TamperedError
from renzheng.store.engine import UnknownOutcomeError
from renzheng.store.open import Store
from renzheng.verification.policy import Policy

OWNERS = frozenset({Role.OWNER.value})
WORKERS = frozenset({Role.OWNER.value, Role.OPERATOR.value})
REVIEWERS = frozenset({Role.OWNER.value, Role.REVIEWER.value})
TENANTS = WORKERS | {Role.MERCHANT.value}
STAFF = frozenset(role.value for role in Role if role is not Role.MERCHANT)
EVERYBODY = frozenset(role.value for role in Role)
AUDITORS = frozenset({Role.OWNER.value, Role.AUDITOR.value})

MAX_ITEMS, MAX_TEXT = 1000, 64 * 1024
"""Items of a list, and characters of a text in a request. Parts of an import and photos have their own limits."""
MAX_OFFSET, MAX_LIMIT, USUAL_LIMIT = 10_000, 100, 20
T = TypeVar("T")


class BucketTroubleError(Exception):
    """A bucket cannot be used. The text is a sentence."""


class Photos(Protocol):
    async def fault(self, photo: bytes) -> tuple[str, str] | None: ...


Answer = Callable[[int, float], Awaitable[GivenResult]]
"""Returns what a verification's merchant would get at a time. Raises ApiError as that action does."""
Rejudge = Callable[[Store, int], Awaitable[Rejudgement]]
"""Judges a verification's stored frames again. Raises NotFoundError, and ServiceUnavailableError to try later."""
Probe = Callable[[int, Bucket, BucketKey], Awaitable[str]]
"""Writes, reads and deletes an object in an account's bucket. Returns its address.

Raises BucketTroubleError, and ServiceUnavailableError if the account tries too many at once.
"""
Video = Callable[[int, int], Awaitable[bytes | None]]
"""Returns the MP4 of a session's attempt; None if there is none, or none now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that the management actions are made from.

    `policy`: the defaults of a new rule. `answer`, `rejudge`, `video`: of one verification. `look`: checks a photo as
    the judge would. `health`: why the server is not ready, by check. `settings`: those in force, without secrets.
    `spawn`: runs work in the background to its end. `offer_link`: returns an address, valid once, where this person
    chooses a password for the console. `utc_offset`: hours, at which a day of the usage begins. `actions`: of the other
    service.
    """

    store: Store
    policy: Policy
    photos: Photos
    answer: Answer
    rejudge: Rejudge
    video: Video
    look: Look
    make_key_pairs: MakeKeyPairs
    probe: Probe
    health: Callable[[], Awaitable[Mapping[str, str]]]
    settings: Callable[[], Mapping[str, Any]]
    spawn: Callable[[Awaitable[Any]], None]
    offer_link: Callable[[int], Awaitable[str]]
    utc_offset: float
    actions: tuple[str, ...]
    version: str


@dataclass(frozen=True, slots=True)
class Person:
    """`account_id`: the one account that a merchant's person sees. `name`: as the audit has it."""

    name: str
    role: Role
    account_id: int | None


@dataclass(frozen=True, slots=True)
class Desk:
    """One call: who makes it, and the store, which records that person in the audit."""

    person: Person
    store: Store
    parts: Parts
    now: float
    language: Language = "en-US"

    async def account(self, given: int | None) -> int:
        """Return the account that a call is about. A merchant's person has one; any other account does not exist for
        them.

        Raises ResourceNotFoundError, MissingParameterError.
        """
        own = self.person.account_id
        if own is not None:
            if given is not None and given != own:
                await self.store.audit.record("denied: another account", f"account {given}")
                raise ResourceNotFoundError(reason=f"there is no account {given}")
            return own
        if given is None:
            known = await self.store.accounts.all()
            if len(known) != 1:
                raise MissingParameterError(name="AccountId")
            return known[0].id
        return (await self.store.accounts.get(given)).id

    async def scope(self, given: int | None) -> int | None:
        """Return the account that a list is about; None: all."""
        return None if given is None and self.person.account_id is None else await self.account(given)


def person_of(store: Store, key: Key) -> Person | None:
    """Return the owner of a key: a person, or a merchant whose key was granted this service. None for other keys."""
    operator_id = getattr(key, "operator_id", None)
    if operator_id is not None:
        operator = store.keys.operator(operator_id)
        if operator is None or operator.disabled:
            return None
        return Person(actor_of(operator), operator.role, operator.account_id)
    if RENZHENG in key.services:
        return Person(f"key:{key.secret_id}", Role.MERCHANT, key.account_id)
    return None


class RoleGuard:
    """The gateway's guard: who may call what. Refusals are written to the audit."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, asking: CallContext) -> None:
        person, manifest = person_of(self._store, asking.key), asking.manifest
        refusal: ApiError | None = None
        if person is None:
            refusal = UnauthorizedKeyError("the key is not for this service")
        elif person.role.value not in manifest.roles:
            refusal = RoleDeniedError(role=person.role.value, action=manifest.name)
        elif manifest.secret and not asking.private:
            refusal = NotPrivateError()
        if refusal is None:
            return
        actor = person.name if person is not None else f"key:{asking.key.secret_id}"
        await self._store.acting(actor).audit.record(f"denied: {manifest.name}", f"request {asking.request_id}")
        raise refusal


Act = Callable[[Desk, Any], Awaitable[msgspec.Struct]]


def carry_out(act: Act) -> Callable[[Parts], Run]:
    """Wrap an action's function: find the person, and turn the store's refusals into errors of the API."""

    def make(parts: Parts) -> Run:
        async def run(caller: Caller, request: Any) -> msgspec.Struct:
            key = parts.store.keys.find(caller.secret_id)
            person = person_of(parts.store, key) if key is not None else None
            if person is None:
                raise UnauthorizedKeyError("the key is not for this service")
            check_values(request)
            desk = Desk(person, parts.store.acting(person.name), parts, caller.now, caller.language)
            try:
                return await act(desk, request)
            except NotFoundError as error:
                raise ResourceNotFoundError(reason=error) from None
            except (RefusedError, TamperedError, BucketTroubleError, BucketRefusedError) as error:
                raise OperationDeniedError(reason=error) from None
            except UnknownOutcomeError as error:  # "try again" would be wrong, as it may have taken effect
                raise ActionFailedError(str(error)) from None

        return run

    return make


def check_values(request: msgspec.Struct) -> None:
    """Check that lists and texts are not too long, before anything goes over them, and that the records can store every
    number (64 bits) and every text (PostgreSQL accepts no NUL).

    Raises InvalidParameterValueError.
    """
    for field in described(type(request)).fields:
        value = getattr(request, field.name)
        values = value if isinstance(value, list) else [value]
        if len(values) > MAX_ITEMS or any(isinstance(one, str) and len(one) > MAX_TEXT for one in values):
            size = max(len(values), *(len(one) for one in values[:MAX_ITEMS] if isinstance(one, str)), 0)
            raise InvalidParameterValueError(name=field.encode_name, value=f"too long: {size}")
        if any(isinstance(one, int) and not -(2**63) <= one < 2**63 for one in values) or any(
            isinstance(one, str) and "\0" in one for one in values
        ):
            raise InvalidParameterValueError(name=field.encode_name, value=value)


class Request(Message, frozen=True, forbid_unknown_fields=True, rename="pascal", kw_only=True):
    """The base class of the requests of this service."""


class ListRequest(Request, frozen=True, kw_only=True):
    """A page of a list: the first `limit` after `offset`, or after the end of another page."""

    offset: int | None = None
    limit: int | None = None
    cursor: str | None = None

    def check(self) -> None:
        if self.offset is not None and not 0 <= self.offset <= MAX_OFFSET:
            raise InvalidParameterValueError(name="Offset", value=self.offset)
        if self.limit is not None and not 1 <= self.limit <= MAX_LIMIT:
            raise InvalidParameterValueError(name="Limit", value=self.limit)
        if self.cursor is not None and not (self.cursor.isascii() and self.cursor.isdigit() and len(self.cursor) < 19):
            raise InvalidParameterValueError(name="Cursor", value=self.cursor)

    @property
    def first(self) -> int:
        return self.offset or 0

    @property
    def most(self) -> int:
        return USUAL_LIMIT if self.limit is None else self.limit

    @property
    def position(self) -> int | None:
        return int(self.cursor) if self.cursor else None


def page(request: ListRequest, items: list[T], number: Callable[[T], int]) -> tuple[list[T], int, str]:
    """Return a page of a list in memory, by rising number; how many there are, and where the next page begins."""
    behind = request.position
    rest = items if behind is None else [item for item in items if number(item) > behind]
    shown = rest[request.first : request.first + request.most]
    more = len(rest) > request.first + request.most
    return shown, len(items), str(number(shown[-1])) if more and shown else ""
