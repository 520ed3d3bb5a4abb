"""What the actions are given: small interfaces to the other rooms, and one bundle of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from renzheng.accounts.billing import BillingStatus
from renzheng.accounts.rules import Rule
from renzheng.verification.policy import Policy
from renzheng.verification.records import SessionOutcome, Tombstone
from renzheng.verification.session import Details


class BillingStatuses(Protocol):
    """Answers from memory, as it is called for every request."""

    def standing(self, account_id: int) -> BillingStatus: ...


class Accounts(BillingStatuses, Protocol):
    def rule(self, account_id: int, rule_id: str) -> Rule | None: ...
    def has_bucket(self, account_id: int) -> bool: ...


class Sessions(Protocol):
    async def create(
        self,
        account_id: int,
        token: str,
        details: Details,
        photo: bytes | None,
        policy: Policy,
        now: float,
        lifetime: float,
        rule_id: int | None = None,
        evidence_days: float | None = None,
        to_bucket: bool = False,
    ) -> int: ...
    async def result(self, account_id: int, token: str) -> SessionOutcome | Tombstone | None: ...
    async def lapse(self, now: float, limit: int, session_id: int | None = None) -> int: ...


class Photos(Protocol):
    """Checks photos. `fault`: None, or the kind of fault and, if known, the name of the image's format.

    A failure of the server itself is not reported as a fault of the image.
    """

    async def fault(self, photo: bytes) -> tuple[str, str] | None: ...


class Shelf(Protocol):
    async def best_frame(self, session_id: int, attempt: int, sequence: int) -> bytes | None: ...
    async def video(self, session_id: int, attempt: int) -> bytes | None: ...


class Addresses(Protocol):
    @property
    def video(self) -> str | None: ...
    @property
    def best_frame(self) -> str | None: ...


class Deliveries(Protocol):
    async def addresses(self, account_id: int, session_id: int, seconds: float) -> Addresses: ...


class Calls(Protocol):
    def note(self, session_id: int, at: float, action: str, secret_id: str, request_id: str) -> None:
        """Note for the operator that a call was about this session. Returns at once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything that the product's actions are made from. Each takes what it needs.

    `policy`: applies without a RuleId. `token_seconds`: a token's lifetime. `delivery_seconds`: how long a result waits
    for a delivery to the account's bucket that is in progress. `entropy(n)`: returns n random bytes.
    """

    sessions: Sessions
    accounts: Accounts
    photos: Photos
    shelf: Shelf
    deliveries: Deliveries
    calls: Calls
    entropy: Callable[[int], bytes]
    policy: Policy
    token_seconds: float
    delivery_seconds: float
