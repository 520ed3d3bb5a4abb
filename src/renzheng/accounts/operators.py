"""The operators of an installation, and what each may do by role."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import NamedTuple


class Role(enum.StrEnum):
    OWNER = "owner"
    OPERATOR = "operator"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"
    MERCHANT = "merchant"


@dataclass(frozen=True, slots=True)
class Operator:
    """A person who works with the server. `account_id`: the one account that a merchant's person sees; else None."""

    id: int
    name: str
    role: Role
    account_id: int | None
    disabled: bool
    created_at: float


@dataclass(frozen=True, slots=True)
class SignInCredential:
    """`password`: its Argon2 hash. `totp`: the second factor's secret in Base32; None without one."""

    password: str = field(repr=False)
    totp: str | None = field(default=None, repr=False)


class ConsoleSession(NamedTuple):
    """`stage`: `whole`, or `password` while the second factor is still missing. `browser`: a digest of its name.

    `digest` identifies the session in lists and is not secret.
    """

    digest: bytes
    operator_id: int
    stage: str
    browser: str
    created_at: float
    seen_at: float
