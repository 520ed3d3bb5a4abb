"""Passwords: their rules, and Argon2 in a few threads, so that a flood of sign-ins cannot take more."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from renzheng.base.threads import OwnThreads

MAX_PASSWORD = 256
MIN_DISTINCT = 5
T = TypeVar("T")


class PasswordsBusyError(Exception):
    """More passwords are being checked than there is memory for. The person may try again in a moment."""


def fault(password: str, again: str, name: str, min_length: int) -> str | None:
    """Return why a new password is refused: `short`, `long`, `simple`, `different`; None if it is accepted."""
    if password != again:
        return "different"
    if len(password) > 4 * MAX_PASSWORD:  # too long in every form; normalising it would take long
        return "long"
    plain = normal(password)
    if len(plain) < min_length:
        return "short"
    if len(plain) > MAX_PASSWORD:
        return "long"
    if len(set(plain)) < MIN_DISTINCT or plain.casefold() in name.casefold() or name.casefold() in plain.casefold():
        return "simple"
    return None


def normal(password: str) -> str:
    """Return one form for what different keyboards write differently (RFC 8265, section 4.2)."""
    return unicodedata.normalize("NFC", password)


class Passwords:
    """`hasher`: Argon2id with its costs. `places`: passwords checked or waiting at once."""

    def __init__(self, hasher: PasswordHasher | None = None, threads: int = 2, places: int = 8) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = OwnThreads("passwords", threads)
        self._places = places
        self._taken = 0
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """Hash a password. Raises PasswordsBusyError."""
        return await self._run(lambda: self._hasher.hash(normal(password)))

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Return whether the password has this hash. None, for no hash, takes as long. Raises PasswordsBusyError."""
        if len(password) > MAX_PASSWORD:
            return False
        return await self._run(lambda: self._matches(hashed, normal(password)))

    def _matches(self, hashed: str | None, password: str) -> bool:
        self._nobodys = self._nobodys or self._hasher.hash("nobody's password")
        try:
            return self._hasher.verify(hashed or self._nobodys, password) and hashed is not None
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._taken >= self._places:
            raise PasswordsBusyError("too many passwords are being checked")
        self._taken += 1
        return await self._threads.run(work, ended=self._give_back)

    def _give_back(self) -> None:
        self._taken -= 1

    def stop(self) -> None:
        self._threads.stop()
