"""The private keys for sealed fields: one sealed row per generation, each under a data key of its own.

A generation belongs to one account. Those of early versions belong to none: the accounts of that time share them until
each has moved to pairs of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.audit import Audit
from renzheng.store.authenticity import Authenticity
from renzheng.store.changes import TENANTS, changed
from renzheng.store.engine import Database, Transaction
from renzheng.store.sealer import DamagedError, ErasedError, Kind, Subject
from renzheng.store.vault import Vault

FOR_EVER = float("inf")
"""The end of an account's use of the shared pairs, if nobody has set one."""


class Generation(NamedTuple):
    """`created_at`: unix seconds. `pem`: private keys made together, as the gateway writes and reads them.

    `account_id`: the account that owns them; None: shared by accounts from before own pairs existed.
    """

    id: int
    created_at: float
    pem: str
    account_id: int | None = None

    def __repr__(self) -> str:
        return f"Generation({self.id}, {self.created_at}, account {self.account_id})"


class Pair(NamedTuple):
    """A generation as an operator sees it. `retired_at`: when it stopped opening; None: it opens."""

    id: int
    account_id: int | None
    created_at: float
    retired_at: float | None


def _field(account_id: int | None) -> str:
    """Return the field name, bound to the account, so that a row moved to another account opens nothing there."""
    return "key pairs" if account_id is None else f"key pairs of {account_id}"


async def read_generations(
    database: Database, vault: Vault, known: tuple[Generation, ...] = ()
) -> tuple[Generation, ...]:
    """Return all generations that are not retired, newest first. Those that are `known` are not unsealed again."""
    have = {(generation.id, generation.account_id): generation for generation in known}
    rows = await database.all(
        "SELECT id, created_at, sealed, account_id FROM encryption_keys WHERE retired_at IS NULL ORDER BY id DESC"
    )
    found = [have.get((row[0], row[3])) or await _open(vault, *row) for row in rows]
    return tuple(generation for generation in found if generation is not None)


async def _open(
    vault: Vault, number: int, created_at: float, sealed: bytes, account_id: int | None
) -> Generation | None:
    """Unseal a generation. None if it cannot be opened, as after a restore: a server must start all the same."""
    try:
        opened = (await vault.of(Subject(Kind.ENCRYPTION, number))).open(_field(account_id), sealed)
    except (ErasedError, DamagedError):
        return None
    return Generation(number, created_at, opened.decode("ascii"), account_id)


async def read_shared_until(database: Database) -> dict[int, float]:
    """Return until when (unix seconds) each account may use the shared pairs."""
    return dict(await database.all("SELECT id, shared_until FROM accounts WHERE shared_until IS NOT NULL"))


def pairs_of(
    generations: Sequence[Generation], shared_until: float | None, account_id: int, now: float
) -> tuple[Generation, ...]:
    """Return the pairs that open an account's sealed fields, the published one first: its own, then the shared ones."""
    own = tuple(made for made in generations if made.account_id == account_id)
    if shared_until is None or now >= shared_until:
        return own
    return own + tuple(made for made in generations if made.account_id is None)


class EncryptionKeys:
    """Adds and retires generations, at the start and for the operator. Nothing is overwritten, so sealed fields stay
    readable until their generation is retired."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: Audit,
        clock: Callable[[], float],
        authenticity: Authenticity,
    ) -> None:
        self._database = database
        self._vault = vault
        self._audit = audit
        self._clock = clock
        self._authenticity = authenticity

    async def usable(self, account_id: int) -> tuple[Generation, ...]:
        """Return the pairs that open this account's sealed fields now. The first is the one that its clients seal
        to."""
        shared = (await read_shared_until(self._database)).get(account_id)
        return pairs_of(await read_generations(self._database, self._vault), shared, account_id, self._clock())

    async def listed(self, account_id: int) -> list[Pair]:
        """Return an account's own generations, and the shared ones if it uses them, with retired ones, newest first."""
        shared = (await read_shared_until(self._database)).get(account_id, 0) > self._clock()
        rows = await self._database.all(
            "SELECT id, account_id, created_at, retired_at FROM encryption_keys"
            " WHERE account_id = :account_id OR (:shared AND account_id IS NULL) ORDER BY id DESC",
            account_id=account_id,
            shared=shared,
        )
        return [Pair(*row) for row in rows]

    async def sharing(self) -> dict[int, float]:
        """Return the accounts that use the shared pairs now, each with the time until which it may."""
        now = self._clock()
        return {number: until for number, until in (await read_shared_until(self._database)).items() if now < until}

    async def add_first(self, account_id: int, pem: str, now: float) -> bool:
        """Store an account's first generation. False, and nothing stored, if it has one that is not retired."""
        return await self._add(account_id, pem, now, first=True)

    async def add(self, account_id: int, pem: str, now: float) -> None:
        """Store another generation. A running server publishes and uses it within a second."""
        await self._add(account_id, pem, now, first=False)

    async def _add(self, account_id: int, pem: str, now: float, *, first: bool) -> bool:
        async def insert(tx: Transaction) -> bool:
            # Another process that makes pairs for this account waits here, so that one of them is the first.
            await tx.one("SELECT 1 FROM accounts WHERE id = :account_id FOR UPDATE", account_id=account_id)
            known = "SELECT 1 FROM encryption_keys WHERE account_id = :account_id AND retired_at IS NULL LIMIT 1"
            if first and await tx.one(known, account_id=account_id):
                return False
            # By the time, as a session's, and above all others: a number is never given twice, nor one that a crash
            # left a data key under. Whoever makes pairs for another account meanwhile waits.
            await tx.one("SELECT 1 FROM counters WHERE name = :name FOR UPDATE", name=TENANTS)
            newest = await tx.one("SELECT coalesce(max(id), 0) FROM encryption_keys")
            number = max(int(now * 1_000_000), newest[0] + 1 if newest else 1)
            while await self._vault.has(Subject(Kind.ENCRYPTION, number)):
                number += 1
            sealer = self._vault.draw(Subject(Kind.ENCRYPTION, number))
            await self._vault.keep(sealer)
            await tx.run(
                "INSERT INTO encryption_keys (id, created_at, sealed, account_id)"
                " VALUES (:id, :created_at, :sealed, :account_id)",
                id=number,
                created_at=now,
                sealed=sealer.seal(_field(account_id), pem.encode("ascii")),
                account_id=account_id,
            )
            await self._audit.add(tx, "key pairs made", f"generation {number} of account {account_id}")
            await changed(tx)
            return True

        return await self._database.write(insert, keys=True)

    async def leave_shared(self, account_id: int, until: float) -> None:
        """Set when an account stops using the shared pairs; not later than before. Raises NotFoundError."""

        async def update(tx: Transaction) -> None:
            row = await tx.one(
                "SELECT shared_until FROM accounts WHERE id = :account_id FOR UPDATE", account_id=account_id
            )
            if row is None:
                raise NotFoundError(f"there is no account {account_id}")
            if row[0] is None:
                return
            async with self._authenticity.changing(tx, "accounts", account_id):
                sql = "UPDATE accounts SET shared_until = :shared_until WHERE id = :account_id"
                await tx.run(sql, shared_until=min(until, row[0]), account_id=account_id)
            await self._audit.add(tx, "moved to own key pairs", f"account {account_id}")
            await changed(tx)

        await self._database.write(update)

    async def retire(self, account_id: int, number: int) -> None:
        """Destroy the private keys of an older generation: what is sealed to it can never be opened again.

        Any account that uses shared pairs can retire them, once nobody seals to them. Raises NotFoundError;
        RefusedError for the generation that clients are told to seal to.
        """
        listed = {pair.id: pair for pair in await self.listed(account_id)}
        pair = listed.get(number) or await self._left_over(number)
        if pair is None:
            raise NotFoundError(f"account {account_id} has no key pairs {number}")
        if pair.retired_at is not None:
            raise RefusedError(f"key pairs {number} are retired already")
        for user in [account_id] if pair.account_id is not None else [*(await self.sharing()), account_id]:
            usable = await self.usable(user)
            if usable and usable[0].id == number:
                raise RefusedError(
                    f"clients of account {user} seal to key pairs {number}; renzheng encryption rotate first"
                )
        now = self._clock()

        async def update(tx: Transaction) -> None:
            await tx.run(
                "UPDATE encryption_keys SET retired_at = :now, sealed = :nothing"
                " WHERE id = :number AND retired_at IS NULL",
                now=now,
                nothing=b"",
                number=number,
            )
            await self._audit.add(tx, "key pairs retired", f"generation {number}")
            await changed(tx)

        await self._vault.erasures.destroy([Subject(Kind.ENCRYPTION, number)])
        await self._database.write(update)

    async def _left_over(self, number: int) -> Pair | None:
        """Return a shared generation that may be retired because no account uses it any more."""
        row = await self._database.one(
            "SELECT id, account_id, created_at, retired_at FROM encryption_keys WHERE id = :number"
            " AND account_id IS NULL",
            number=number,
        )
        return Pair(*row) if row else None
