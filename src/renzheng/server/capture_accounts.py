"""What the capture needs to know of accounts, from the keys in memory."""

from __future__ import annotations

from collections.abc import Sequence

from renzheng.capture.asker import Asker
from renzheng.store.key_cache import KeyCache


class AccountsOfKeys:
    """Returns accounts' origins and shown names."""

    def __init__(self, keys: KeyCache) -> None:
        self._keys = keys

    def origins(self, account_id: int) -> Sequence[str]:
        account = self._keys.account(account_id)
        return account.origins if account else ()

    def asker(self, account_id: int) -> Asker:
        account = self._keys.account(account_id)
        if account is None:
            return Asker({})
        return Asker(account.shown_names(), account.face.privacy_url, account.face.contact)
