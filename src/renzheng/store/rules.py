"""Rules of accounts: made, submitted, reviewed, disabled. Each move is one compare-and-set by `RULE_MOVES`."""

from __future__ import annotations

import sqlite3
from typing import Any

from renzheng.accounts.rules import RULE_MOVES, Rule, RuleState, Terms
from renzheng.store.accounts import Refused, Unknown
from renzheng.store.audit import Audit
from renzheng.store.changes import changed
from renzheng.store.database import Database
from renzheng.store.records import policy_of, policy_text

_RULE = "id, account_id, name, state, policy, evidence_days, created_at, changed_at, note"
MOST_NAME, MOST_NOTE = 64, 1000


def approved_rules(database: Database) -> list[Rule]:
    """Those that tokens may name, of all accounts."""
    rows = database.fetch_all(f"SELECT {_RULE} FROM rules WHERE state = ?", (RuleState.APPROVED.value,))  # noqa: S608
    return [_rule(row) for row in rows]


def _rule(row: tuple[Any, ...]) -> Rule:
    number, account_id, name, state, policy, evidence_days, created_at, changed_at, note = row
    terms = Terms(policy_of(policy), evidence_days)
    return Rule(number, account_id, name, RuleState(state), terms, created_at, changed_at, note)


class Rules:
    """For the operator. A running server follows a change within a second; sessions keep what they began with."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    async def create(self, account_id: int, name: str, terms: Terms, now: float) -> Rule:
        """A draft. Raises Refused for a name that the account has already, or that is no name."""
        if not name.strip() or len(name) > MOST_NAME or not name.isprintable():
            raise Refused(f"a rule's name has 1 to {MOST_NAME} printable characters")
        values = (
            *(account_id, name, RuleState.DRAFT.value, policy_text(terms.policy)),
            *(terms.evidence_days, now, now),
        )

        def insert(connection: sqlite3.Connection) -> Rule:
            row = connection.execute(
                "INSERT INTO rules (account_id, name, state, policy, evidence_days, created_at, changed_at)"  # noqa: S608
                f" VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, name) DO NOTHING RETURNING {_RULE}",
                values,
            ).fetchone()
            if row is None:
                raise Refused(f"the account already has a rule named {name}")
            self._audit.add(connection, "rule created", f"rule {row[0]} of account {account_id}")
            return _rule(row)

        return await self._database.write(insert)

    async def get(self, account_id: int, rule_id: int) -> Rule:
        """Raises Unknown, for another account's rule too."""
        row = self._database.fetch_one(
            f"SELECT {_RULE} FROM rules WHERE account_id = ? AND id = ?",  # noqa: S608
            (account_id, rule_id),
        )
        if row is None:
            raise Unknown(f"account {account_id} has no rule {rule_id}")
        return _rule(row)

    async def of_account(self, account_id: int) -> list[Rule]:
        """By rising id."""
        rows = self._database.fetch_all(
            f"SELECT {_RULE} FROM rules WHERE account_id = ? ORDER BY id",  # noqa: S608
            (account_id,),
        )
        return [_rule(row) for row in rows]

    async def move(self, account_id: int, rule_id: int, name: str, now: float, note: str = "") -> Rule:
        """Carry out a move of `RULE_MOVES`. Raises Unknown; Refused where the rule's state does not admit it."""
        if len(note) > MOST_NOTE:
            raise Refused(f"a note has up to {MOST_NOTE} characters")
        sources, target = RULE_MOVES[name]
        marks = ", ".join("?" * len(sources))
        sql = (
            "UPDATE rules SET state = ?, changed_at = ?, note = ?"  # noqa: S608
            f" WHERE account_id = ? AND id = ? AND state IN ({marks}) RETURNING {_RULE}"
        )
        values = (target.value, now, note, account_id, rule_id, *(state.value for state in sources))

        def update(connection: sqlite3.Connection) -> Rule | None:
            row = connection.execute(sql, values).fetchone()
            if row is None:
                return None
            self._audit.add(connection, f"rule {target.value}", f"rule {rule_id} of account {account_id}")
            changed(connection)
            return _rule(row)

        moved = await self._database.write(update)
        if moved is None:
            state = (await self.get(account_id, rule_id)).state
            wanted = " or ".join(sorted(source.value for source in sources))
            raise Refused(f"rule {rule_id} is {state.value}; only one that is {wanted} can become {target.value}")
        return moved
