"""Accounts and the key pairs that sign for them."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass, field

FACEID, RENZHENG = "faceid", "renzheng"
"""The services that keys sign for: FaceID for merchants, and the management of this installation."""
FIRST_ACCOUNT = "default"
"""The name of the account that the first start creates."""

_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class AccountProfile:
    """What people read about an account before they agree; empty if it is not set. `contact`: whom to ask, as text."""

    name_zh: str = ""
    name_en: str = ""
    privacy_url: str = ""
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """`origins`: the web origins, beside the server's own, whose pages may run this account's captures."""

    id: int
    name: str
    created_at: float
    origins: tuple[str, ...] = ()
    face: AccountProfile = AccountProfile()

    def shown_names(self) -> dict[str, str]:
        """Return the name that people read, by language. A missing one is replaced by the other language's or the
        internal name.

        The internal name of the first account is meaningless to people, so it is left out.
        """
        plain = "" if self.name == FIRST_ACCOUNT else self.name
        zh, en = self.face.name_zh, self.face.name_en
        return {"zh-CN": zh or en or plain, "en-US": en or zh or plain}


@dataclass(frozen=True, slots=True)
class Key:
    """A SecretId and its SecretKey. `token`: of temporary credentials only, which end at `expires_at`.

    `unsigned_payload`: whether requests may leave their body out of the signature. `addresses`: networks from which the
    key may be used; empty: any. `services`: those that it signs for. `operator_id`: the person who owns it, if it is
    not an account's; `account_id` is then its negative.
    """

    secret_id: str
    secret_key: str = field(repr=False)
    account_id: int
    enabled: bool = True
    created_at: float = 0.0
    token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    unsigned_payload: bool = False
    addresses: tuple[str, ...] = ()
    services: frozenset[str] = frozenset({FACEID})
    operator_id: int | None = None


def _letters(count: int, entropy: Callable[[int], bytes]) -> str:
    """Draw `count` letters and digits, each equally likely: bytes above the last multiple of 62 are drawn again."""
    letters: list[str] = []
    while len(letters) < count:
        letters += [_ALPHABET[byte % 62] for byte in entropy(count) if byte < 248]
    return "".join(letters[:count])


def new_secret_id(entropy: Callable[[int], bytes]) -> str:
    """Make a SecretId of 36 characters in Tencent's form: `AKID` and 32 letters and digits."""
    return "AKID" + _letters(32, entropy)


def new_secret_key(entropy: Callable[[int], bytes]) -> str:
    """Make a SecretKey of 32 letters and digits, about 190 random bits."""
    return _letters(32, entropy)


def new_token(entropy: Callable[[int], bytes]) -> str:
    """Make the Token of temporary credentials: 64 letters and digits."""
    return _letters(64, entropy)
