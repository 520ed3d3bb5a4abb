"""Counts the bytes of evidence of each account, in the transactions that add and erase it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from renzheng.store.engine import Database, Transaction, numbered
from renzheng.verification.records import EvidenceLimitError

LIMIT = "EvidenceBytes"
"""The name of the limit, beside those of the actions."""


_ADDED = "CASE WHEN evidence_bytes + :size > 0 THEN evidence_bytes + :size ELSE 0 END"


async def check(database: Database, account_id: int, size: int) -> None:
    """Raise EvidenceLimitError if an account may not have this many more bytes."""
    row = await database.one(
        "SELECT evidence_bytes, limits FROM accounts WHERE id = :account_id AND limits <> '{}'", account_id=account_id
    )
    limit = None if row is None else json.loads(row[1]).get(LIMIT)
    if row is not None and limit is not None and row[0] + size > limit:
        raise EvidenceLimitError(f"account {account_id} has the bytes of evidence that its limit says")


async def add(tx: Transaction, account_id: int, session_id: int, size: int) -> None:
    """Count evidence that the session's row refers to from now on."""
    await tx.run(
        "UPDATE sessions SET evidence_bytes = evidence_bytes + :size WHERE id = :session_id",
        size=size,
        session_id=session_id,
    )
    await tx.run(
        "UPDATE accounts SET evidence_bytes = evidence_bytes + :size WHERE id = :account_id",
        size=size,
        account_id=account_id,
    )


async def add_to_session(tx: Transaction, session_id: int, size: int) -> bool:
    """Add to the count, below zero for erased evidence. False, and nothing counted, if the session has no evidence."""
    row = await tx.one(
        f"UPDATE sessions SET evidence_bytes = {_ADDED} WHERE id = :session_id"
        " AND has_evidence = 1"
        " RETURNING account_id",
        size=size,
        session_id=session_id,
    )
    if row is None:
        return False
    await tx.run(f"UPDATE accounts SET evidence_bytes = {_ADDED} WHERE id = :id", size=size, id=row[0])
    return True


async def drop(tx: Transaction, ids: Sequence[int]) -> None:
    """Stop counting all evidence of these sessions, as it was erased."""
    marks, given = numbered(ids)
    counted: Counter[int] = Counter()
    # Locked, as another node that drops the same sessions would subtract them a second time.
    for account_id, size in await tx.all(
        f"SELECT account_id, evidence_bytes FROM sessions WHERE id IN ({marks}) ORDER BY id FOR UPDATE", **given
    ):
        counted[account_id] += size
    await tx.run_each(
        "UPDATE accounts SET evidence_bytes = CASE WHEN evidence_bytes > :size THEN evidence_bytes - :size ELSE 0 END"
        " WHERE id = :id",
        [{"size": int(size), "id": account_id} for account_id, size in sorted(counted.items())],
    )
    await tx.run(f"UPDATE sessions SET evidence_bytes = 0 WHERE id IN ({marks})", **given)
