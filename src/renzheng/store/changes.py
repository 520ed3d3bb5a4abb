"""Change counters: a change of something that running servers hold in memory raises one."""

from __future__ import annotations

from renzheng.store.engine import Transaction

TENANTS = "accounts"
"""Accounts, keys, limits, rules, key pairs: everything that the server answers requests by."""

BALANCES = "balances"
"""An account's balance has reached, or stays at, zero or below. No process keeps other balances in memory."""


async def changed(tx: Transaction, counter: str = TENANTS) -> None:
    """Tell every process that holds such rows in memory to read them again, in the transaction of the change."""
    await tx.run("UPDATE counters SET value = value + 1 WHERE name = :counter", counter=counter)
