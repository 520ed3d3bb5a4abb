"""Rules of accounts: created, submitted, reviewed, disabled. Each move is one compare-and-set by `RULE_MOVES`."""

from __future__ import annotations

from typing import Any

from renzheng.accounts.rules import DECISIONS, MODIFIABLE, RULE_MOVES, Rule, RuleState, RuleTerms, RuleVersion
from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.audit import Audit
from renzheng.store.authenticity import Authenticity, selected
from renzheng.store.changes import changed
from renzheng.store.engine import Database, Transaction
from renzheng.store.records import policy_of, policy_text

_RULE = "id, account_id, name, state, policy, evidence_days, created_at, changed_at, note, mac"
MAX_NAME, MAX_NOTE = 64, 1000
MAX_RULES, MAX_VERSIONS = 200, 200
"""Rules of an account and versions of a rule: each list is read and checked as a whole."""


async def approved_rules(database: Database, authenticity: Authenticity) -> list[Rule]:
    """Return the rules that tokens may name, of all accounts, without those that were tampered with."""
    rows = await database.all(f"SELECT {_RULE} FROM rules WHERE state = :APPROVED", APPROVED=RuleState.APPROVED.value)
    return [_rule(row) for row in rows if authenticity.trusts("rules", _signed_values(row))]


def _signed_values(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the signed values of a row of `_RULE`, and its signature."""
    return (*row[:6], row[9])


def _rule(row: tuple[Any, ...]) -> Rule:
    number, account_id, name, state, policy, evidence_days, created_at, changed_at, note = row[:9]
    terms = RuleTerms(policy_of(policy), evidence_days)
    return Rule(number, account_id, name, RuleState(state), terms, created_at, changed_at, note)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise RefusedError(f"a rule's name has 1 to {MAX_NAME} printable characters")


class Rules:
    """Changes rules, for the operator. A running server follows within a second; sessions keep the rule as it was."""

    def __init__(self, database: Database, audit: Audit, authenticity: Authenticity) -> None:
        self._database = database
        self._authenticity = authenticity
        self._audit = audit

    async def create(self, account_id: int, name: str, terms: RuleTerms, now: float) -> Rule:
        """Create a draft. Raises RefusedError if the account has a rule of this name, or the name is invalid."""
        _check_name(name)
        values = {
            "account_id": account_id,
            "name": name,
            "state": RuleState.DRAFT.value,
            "policy": policy_text(terms.policy),
            "evidence_days": terms.evidence_days,
            "created_at": now,
            "changed_at": now,
        }

        async def insert(tx: Transaction) -> Rule:
            held = await tx.one("SELECT count(*) FROM rules WHERE account_id = :account", account=account_id)
            if held is not None and held[0] >= MAX_RULES:
                raise RefusedError(f"an account has at most {MAX_RULES} rules: modify one that is not used")
            row = await tx.one(
                "INSERT INTO rules (account_id, name, state, policy, evidence_days, created_at, changed_at)"
                " VALUES (:account_id, :name, :state, :policy, :evidence_days, :created_at, :changed_at)"
                f" ON CONFLICT (account_id, name) DO NOTHING RETURNING {_RULE}",
                **values,
            )
            if row is None:
                raise RefusedError(f"the account already has a rule named {name}")
            await self._authenticity.sign(tx, "rules", row[0])
            await self._add_version(tx, row, now)
            await self._audit.add(tx, "rule created", f"rule {row[0]} of account {account_id}")
            return _rule(row)

        return await self._database.write(insert)

    async def _add_version(self, tx: Transaction, row: tuple[Any, ...], now: float) -> None:
        """Store the rule's current form as a version, with its author."""
        added = await tx.one(
            "INSERT INTO rule_history (rule_id, version, author, name, policy, evidence_days, created_at)"
            " VALUES (:rule_id, (SELECT coalesce(max(version), 0) + 1 FROM rule_history"
            " WHERE rule_id = :rule_id), :actor, :name, :policy, :evidence_days, :now)"
            " RETURNING id, version",
            rule_id=row[0],
            actor=self._audit.actor,
            name=row[2],
            policy=row[4],
            evidence_days=row[5],
            now=now,
        )
        assert added is not None
        if added[1] > MAX_VERSIONS:
            raise RefusedError(f"a rule has at most {MAX_VERSIONS} versions: create another rule")
        await self._authenticity.sign(tx, "rule_history", added[0])

    async def modify(self, account_id: int, rule_id: int, name: str, terms: RuleTerms, now: float) -> Rule:
        """Make a new version, which is a draft again.

        Raises NotFoundError; RefusedError if the rule is in use or in review, or if the name is taken or invalid.
        """
        _check_name(name)
        marks = ", ".join(f"'{state.value}'" for state in sorted(MODIFIABLE))
        sql = (
            "UPDATE rules SET name = :name, policy = :policy, evidence_days = :evidence_days, state = :state,"
            f" changed_at = :now, note = '' WHERE account_id = :account_id AND id = :rule_id"
            f" AND state IN ({marks}) RETURNING {_RULE}"
        )
        values = {
            "name": name,
            "policy": policy_text(terms.policy),
            "evidence_days": terms.evidence_days,
            "state": RuleState.DRAFT.value,
            "now": now,
        }

        async def update(tx: Transaction) -> Rule | None:
            taken = "SELECT 1 FROM rules WHERE account_id = :account_id AND name = :name AND id <> :rule_id"
            if await tx.one(taken, account_id=account_id, name=name, rule_id=rule_id):
                raise RefusedError(f"the account already has a rule named {name}")
            async with self._authenticity.changing(tx, "rules", rule_id):
                row = await tx.one(sql, **values, account_id=account_id, rule_id=rule_id)
            if row is None:
                return None
            await self._add_version(tx, row, now)
            await self._audit.add(tx, "rule modified", f"rule {rule_id} of account {account_id}")
            await changed(tx)
            return _rule(row)

        modified = await self._database.write(update)
        if modified is None:
            state = (await self.get(account_id, rule_id)).state
            raise RefusedError(f"rule {rule_id} is {state.value}: reject or disable it first, or create another")
        return modified

    async def versions(self, account_id: int, rule_id: int) -> list[RuleVersion]:
        """Return every version, the newest first. Raises NotFoundError, TamperedError."""
        known = "SELECT 1 FROM rules WHERE account_id = :account_id AND id = :rule_id"
        if await self._database.one(known, account_id=account_id, rule_id=rule_id) is None:
            raise NotFoundError(f"account {account_id} has no rule {rule_id}")
        columns = f"{selected('rule_history')}, decided_by, decision, note, decided_at"
        rows = await self._database.all(
            f"SELECT {columns} FROM rule_history WHERE rule_id = :rule_id ORDER BY version DESC",
            rule_id=rule_id,
        )
        found: list[RuleVersion] = []
        for row in rows:
            self._authenticity.check("rule_history", row[:9])
            terms = RuleTerms(policy_of(row[5]), row[6])
            found.append(RuleVersion(row[2], row[3], row[4], terms, row[7], *row[9:]))
        return found

    async def get(self, account_id: int, rule_id: int) -> Rule:
        """Return a rule. Raises NotFoundError, also for another account's rule; TamperedError."""
        row = await self._database.one(
            f"SELECT {_RULE} FROM rules WHERE account_id = :account_id AND id = :rule_id",
            account_id=account_id,
            rule_id=rule_id,
        )
        if row is None:
            raise NotFoundError(f"account {account_id} has no rule {rule_id}")
        self._authenticity.check("rules", _signed_values(row))
        return _rule(row)

    async def of_account(self, account_id: int) -> list[Rule]:
        """Return the account's rules by rising id, without those that were tampered with."""
        rows = await self._database.all(
            f"SELECT {_RULE} FROM rules WHERE account_id = :account_id ORDER BY id",
            account_id=account_id,
        )
        return [_rule(row) for row in rows if self._authenticity.trusts("rules", _signed_values(row))]

    async def move(
        self, account_id: int, rule_id: int, name: str, now: float, note: str = "", seen: float | None = None
    ) -> Rule:
        """Carry out a move of `RULE_MOVES`. `seen`: the expected `changed_at` of the rule; None: any.

        Raises NotFoundError; RefusedError if the state does not allow it, or if the rule has changed since.
        """
        if len(note) > MAX_NOTE:
            raise RefusedError(f"a note has up to {MAX_NOTE} characters")
        sources, target = RULE_MOVES[name]
        marks = ", ".join(f"'{source.value}'" for source in sorted(sources))
        sql = (
            "UPDATE rules SET state = :state, changed_at = :now, note = :note"
            f" WHERE account_id = :account_id AND id = :rule_id AND state IN ({marks})"
            f"{'' if seen is None else ' AND changed_at = :seen'} RETURNING {_RULE}"
        )
        values = {"state": target.value, "now": now, "note": note, "account_id": account_id, "rule_id": rule_id}
        if seen is not None:
            values["seen"] = seen

        async def update(tx: Transaction) -> Rule | None:
            async with self._authenticity.changing(tx, "rules", rule_id):
                row = await tx.one(sql, **values)
            if row is None:
                return None
            if name in DECISIONS:
                await tx.run(
                    "UPDATE rule_history SET decided_by = :actor, decision = :target, note = :note, decided_at ="
                    " :now WHERE id ="
                    " (SELECT id FROM rule_history WHERE rule_id = :rule_id ORDER BY version DESC LIMIT 1)",
                    actor=self._audit.actor,
                    target=target.value,
                    note=note,
                    now=now,
                    rule_id=rule_id,
                )
            await self._audit.add(tx, f"rule {target.value}", f"rule {rule_id} of account {account_id}")
            await changed(tx)
            return _rule(row)

        moved = await self._database.write(update)
        if moved is None:
            state = (await self.get(account_id, rule_id)).state
            if state in sources:
                raise RefusedError(f"rule {rule_id} has been changed since you saw it")
            wanted = " or ".join(sorted(source.value for source in sources))
            raise RefusedError(f"rule {rule_id} is {state.value}; only one that is {wanted} can become {target.value}")
        return moved
