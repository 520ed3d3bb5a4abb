"""Accounts' key pairs for sealed fields: makes missing ones, and gives the gateway the current ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from renzheng.gateway.encryption import KeyPairs
from renzheng.store.encryption_keys import EncryptionKeys
from renzheng.store.key_cache import KeyCache
from renzheng.store.open import Store


class CurrentKeyPairs:
    """The key pairs of an account as the store has them now, parsed again only after a change."""

    def __init__(self, keys: KeyCache, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock
        self._generations: object = None
        self._pairs: dict[tuple[int, ...], KeyPairs] = {}

    def __call__(self, account_id: int) -> KeyPairs | None:
        if self._keys.generations is not self._generations:
            self._generations, self._pairs = self._keys.generations, {}
        usable = self._keys.key_pairs(account_id, self._clock())
        if not usable:
            return None
        numbers = tuple(generation.id for generation in usable)
        pairs = self._pairs.get(numbers)
        if pairs is None:
            # From the vault, sealed and bound to their account, so only this server can have written them.
            bundle = "".join(generation.pem for generation in usable)
            pairs = self._pairs[numbers] = KeyPairs.from_pem(bundle, are_own=True)
        return pairs


async def make_first_key_pairs(
    keys: EncryptionKeys, account_id: int, rsa_bits: int, clock: Callable[[], float], entropy: Callable[[int], bytes]
) -> None:
    """Make an account's key pairs for sealed fields if it has none that can be read."""
    if await keys.usable(account_id):
        return
    pem = (await asyncio.to_thread(KeyPairs.generate, rsa_bits, entropy)).to_pem()
    if not await keys.add_first(account_id, pem, clock()) and not await keys.usable(account_id):
        await keys.add(account_id, pem, clock())


async def move_to_own_key_pairs(
    keys: EncryptionKeys, account_id: int, until: float, rsa_bits: int, entropy: Callable[[int], bytes], now: float
) -> None:
    """Give an account pairs of its own. What is sealed to the shared ones opens until `until` (unix seconds)."""
    if not any(made.account_id == account_id for made in await keys.usable(account_id)):
        pem = (await asyncio.to_thread(KeyPairs.generate, rsa_bits, entropy)).to_pem()
        await keys.add_first(account_id, pem, now)
    await keys.leave_shared(account_id, until)


async def sharers(store: Store) -> list[str]:
    """Return the names of the accounts that use shared pairs; empty while there is only one account."""
    accounts = await store.accounts.all()
    sharing = await store.encryption_keys.sharing()
    return [account.name for account in accounts if account.id in sharing] if len(accounts) > 1 else []
