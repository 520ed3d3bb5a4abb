"""The change counters: whoever changes what a running server holds in memory says so here."""

from __future__ import annotations

from renzheng.store.engine import Transaction

TENANTS = "accounts"
"""Accounts, keys, limits, rules, key pairs: everything that the server answers requests by."""

BALANCES = "balances"
"""An account's balance has come to, or is at, zero or below. Other changes of a balance concern nobody's memory."""


async def changed(tx: Transaction, counter: str = TENANTS) -> None:
    """Tells every process that holds such rows in memory to read them anew. Part of the change's own transaction."""
    await tx.run("UPDATE counters SET value = value + 1 WHERE name = :counter", counter=counter)
