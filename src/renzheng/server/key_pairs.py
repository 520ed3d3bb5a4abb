"""The key pairs of accounts for sealed fields: made where there are none, and those in force for the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from renzheng.gateway.encryption import KeyPairs
from renzheng.store.encryption_keys import EncryptionKeys
from renzheng.store.key_cache import KeyCache
from renzheng.store.open import Store


class CurrentKeyPairs:
    """The key pairs of an account as the store has them now, read again only where they have changed."""

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
            # From the vault, sealed and bound to their account: only this server can have put them there.
            bundle = "".join(generation.pem for generation in usable)
            pairs = self._pairs[numbers] = KeyPairs.from_pem(bundle, are_own=True)
        return pairs


async def make_first_key_pairs(
    keys: EncryptionKeys, account_id: int, rsa_bits: int, clock: Callable[[], float], entropy: Callable[[int], bytes]
) -> None:
    """Make an account's key pairs for sealed fields where it has none that can be read."""
    if await keys.usable(account_id):
        return
    pem = (await asyncio.to_thread(KeyPairs.generate, rsa_bits, entropy)).to_pem()
    if not await keys.add_first(account_id, pem, clock()) and not await keys.usable(account_id):
        await keys.add(account_id, pem, clock())


async def move_to_own_key_pairs(
    keys: EncryptionKeys, account_id: int, until: float, rsa_bits: int, entropy: Callable[[int], bytes], now: float
) -> None:
    """Give an account pairs of its own; what is sealed to the shared ones opens until a time (unix seconds)."""
    if not any(made.account_id == account_id for made in await keys.usable(account_id)):
        pem = (await asyncio.to_thread(KeyPairs.generate, rsa_bits, entropy)).to_pem()
        await keys.add_first(account_id, pem, now)
    await keys.leave_shared(account_id, until)


async def sharers(store: Store) -> list[str]:
    """Names of the accounts that open by shared pairs; none while there is one account, which shares with nobody."""
    accounts = await store.accounts.all()
    sharing = await store.encryption_keys.sharing()
    return [account.name for account in accounts if account.id in sharing] if len(accounts) > 1 else []
