"""The running server's copy in memory of what requests need: accounts, keys, rules, billing, limits, key pairs."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog

from renzheng.accounts.billing import GOOD, BillingStatus
from renzheng.accounts.keys import Account, Key
from renzheng.accounts.operators import Operator
from renzheng.accounts.rules import Rule
from renzheng.base.faults import fault_name
from renzheng.store.accounts import ACCOUNT_COLUMNS, KEY_COLUMNS, account_of_row, open_keys
from renzheng.store.authenticity import Authenticity, selected
from renzheng.store.billing import read_limits, read_standings
from renzheng.store.changes import BALANCES, TENANTS
from renzheng.store.customer_buckets import Authorised, read_buckets
from renzheng.store.encryption_keys import Generation, pairs_of, read_generations, read_shared_until
from renzheng.store.engine import AwayError, Database
from renzheng.store.operator_keys import read_operator_keys, read_operators, read_scopes
from renzheng.store.rules import approved_rules
from renzheng.store.vault import Vault

log = structlog.get_logger("renzheng.store")


class KeysUnavailableError(AwayError):
    """The change counter could not be read for too long, so no key can be trusted to be still valid."""


class KeyCache:
    """Reads everything again when the change counter has moved. A look-up is one dictionary access.

    Authorising fails closed: if the counter could not be read in `failures` polls in a row, look-ups raise
    KeysUnavailableError. An unchanged key stays the same object, so that callers can keep derived values with it; so
    does `generations`, the key pairs for sealed fields of all accounts, newest first. `limits`: requests per second by
    account and action, if they differ from the action's own; always the same dictionary.
    """

    def __init__(self, database: Database, vault: Vault, authenticity: Authenticity, failures: int = 20) -> None:
        self._database = database
        self._authenticity = authenticity
        self._vault = vault
        self._failures_allowed = failures
        self._failures = 0
        self._counter = -1
        self._reading = asyncio.Lock()
        self._keys: dict[str, Key] = {}
        self._accounts: dict[int, Account] = {}
        self._origins: frozenset[str] = frozenset()
        self._rules: dict[tuple[int, str], Rule] = {}
        self._operators: dict[int, Operator] = {}
        self._standings: dict[int, BillingStatus] = {}
        self._balances = -1
        self._buckets: dict[int, Authorised] = {}
        self.generations: tuple[Generation, ...] = ()
        self._shared_until: dict[int, float] = {}
        self.limits: dict[tuple[int, str], int] = {}
        self._task: asyncio.Task[None] | None = None

    def find(self, secret_id: str) -> Key | None:
        """Return the key with this SecretId, enabled or not; None if it is unknown."""
        if self._failures > self._failures_allowed:
            raise KeysUnavailableError("the store's change counter cannot be read")
        return self._keys.get(secret_id)

    def account(self, account_id: int) -> Account | None:
        return self._accounts.get(account_id)

    def operator(self, operator_id: int) -> Operator | None:
        """Return the operator, enabled or not; None if the row was tampered with."""
        return self._operators.get(operator_id)

    def rule(self, account_id: int, rule_id: str) -> Rule | None:
        """Return an approved rule of this account. None if it is unknown, another account's, or not approved."""
        return self._rules.get((account_id, rule_id))

    def standing(self, account_id: int) -> BillingStatus:
        """Return whether an account is served. The balance in it is exact only at zero or below."""
        return self._standings.get(account_id, GOOD)

    def key_pairs(self, account_id: int, now: float) -> tuple[Generation, ...]:
        """Return the pairs that open this account's sealed fields, the one that its clients seal to first."""
        return pairs_of(self.generations, self._shared_until.get(account_id), account_id, now)

    def buckets(self) -> dict[int, Authorised]:
        """Return the buckets that evidence may be delivered to, by account."""
        return self._buckets

    def has_bucket(self, account_id: int) -> bool:
        return account_id in self._buckets

    def origins(self) -> frozenset[str]:
        """Return the allowed origins of all accounts together. Anybody can ask for them with a page's address."""
        return self._origins

    def secret_keys(self) -> dict[str, str]:
        """Return all SecretKeys by SecretId, for explaining a wrong signature. Safe to call from any thread."""
        return {key.secret_id: key.secret_key for key in self._keys.values()}

    @property
    def followed(self) -> dict[str, int]:
        """The change counters at the last read."""
        return {TENANTS: self._counter, BALANCES: self._balances}

    async def refresh(self) -> bool:
        """Read the change counters, and what they stand for if they have moved. True if one had."""
        async with self._reading:  # opening keys serves others in between, and one of them may call this too
            sql = "SELECT name, value FROM counters WHERE name IN (:TENANTS, :BALANCES)"
            counters: dict[str, int] = dict(await self._database.all(sql, TENANTS=TENANTS, BALANCES=BALANCES))
            tenants, balances = counters.get(TENANTS, -1), counters.get(BALANCES, -1)
            if tenants == self._counter and balances == self._balances:
                return False
            self._standings = await read_standings(self._database, self._authenticity)
            self._balances = balances
            if tenants != self._counter:
                await self._read_tenants()
                self._counter = tenants
            return True

    async def _read_tenants(self) -> None:
        signed = await self._database.all(f"SELECT {selected('accounts')} FROM accounts")
        trusted = {row[0] for row in signed if self._authenticity.trusts("accounts", row)}
        rows = await self._database.all(f"SELECT {ACCOUNT_COLUMNS} FROM accounts")
        accounts = [account_of_row(row) for row in rows if row[0] in trusted]
        keys: dict[str, Key] = {}
        scopes = await read_scopes(self._database, self._authenticity)
        rows_of_keys = await self._database.all(f"SELECT {KEY_COLUMNS} FROM keys")
        for key in await open_keys(self._vault, self._authenticity, rows_of_keys):
            known = replace(key, services=scopes[key.secret_id]) if key.secret_id in scopes else key
            keys[key.secret_id] = self._keep_known(known)
        self._operators = await read_operators(self._database, self._authenticity)
        for key in await read_operator_keys(self._database, self._vault, self._operators.values()):
            keys[key.secret_id] = self._keep_known(key)
        generations = await read_generations(self._database, self._vault, self.generations)
        if generations != self.generations:
            self.generations = generations
        shared = await read_shared_until(self._database)
        self._shared_until = {number: until for number, until in shared.items() if number in trusted}
        self._keys = keys
        self._accounts = {account.id: account for account in accounts}
        self._origins = frozenset(origin for account in accounts for origin in account.origins)
        self._rules = {
            (rule.account_id, rule.rule_id): rule for rule in await approved_rules(self._database, self._authenticity)
        }
        self._buckets = await read_buckets(self._database, self._vault)
        limits = await read_limits(self._database)
        self.limits.clear()
        self.limits.update(limits)

    def _keep_known(self, key: Key) -> Key:
        known = self._keys.get(key.secret_id)
        return known if known == key else key

    async def start(self, seconds: float = 0.25) -> None:
        """Read everything, then poll the counters every `seconds`."""
        await self.refresh()
        self._task = asyncio.create_task(self._poll(seconds))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _poll(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.refresh()
                self._failures = 0
            except Exception as error:  # whatever the reason is, the next poll tries again
                self._failures += 1
                if self._failures == 1:
                    log.warning("tenants_not_read", error=fault_name(error))
