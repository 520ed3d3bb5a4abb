"""Accounts, keys, persons, sessions with their attempts and transcripts, verdicts, ledger, audit, tombstones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _reference(name: str, target: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, sa.ForeignKey(target), nullable=False)


def _number(name: str, default: int | None = None) -> sa.Column[int]:
    server_default = None if default is None else sa.text(str(default))
    return sa.Column(name, sa.Integer, nullable=False, server_default=server_default)


def _time(name: str, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=nullable)


def _key(name: str = "id") -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def _text(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable)


def _bytes(name: str, nullable: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary, nullable=nullable)


def upgrade() -> None:
    _accounts()
    _sessions()
    _transcripts()
    _outcomes()
    op.create_table("meta", sa.Column("name", sa.Text, primary_key=True), _text("value"))
    op.create_table(
        "counters",
        sa.Column("name", sa.Text, primary_key=True),
        # Some count microseconds. SQLite's integers are as wide as they have to be.
        sa.Column(
            "value",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            nullable=False,
            server_default=sa.text("0"),
        ),
    )
    op.execute("INSERT INTO counters (name, value) VALUES ('accounts', 0)")


def _accounts() -> None:
    op.create_table(
        "accounts",
        _key(),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        _time("created_at"),
        _text("origins"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "keys",
        sa.Column("secret_id", sa.Text, primary_key=True),
        _reference("account_id", "accounts.id"),
        _bytes("sealed"),
        _number("enabled", 1),
        _time("created_at"),
        _time("expires_at", nullable=True),
        _number("unsigned_payload", 0),
        _text("addresses"),
    )
    op.create_table(
        "persons",
        _key(),
        _reference("account_id", "accounts.id"),
        _bytes("id_hash"),
        _bytes("sealed"),
        _number("has_photo"),
        _time("created_at"),
        sa.UniqueConstraint("account_id", "id_hash"),
    )
    op.create_table(
        "audit", _key(), _time("at"), _text("actor"), _text("verb"), _text("subject"), sqlite_autoincrement=True
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        _key(),
        _reference("account_id", "accounts.id"),
        _bytes("token", nullable=True),
        _text("state"),
        _time("created_at"),
        _time("expires_at"),
        _number("attempt", 0),
        _number("counted", 0),
        _number("most_attempts"),
        _number("has_photo"),
        _number("has_evidence", 0),
        _text("policy"),
        _bytes("id_hash", nullable=True),
        _bytes("sealed", nullable=True),
        _text("ending", nullable=True),
        _bytes("device", nullable=True),
        _time("device_seen", nullable=True),
        _bytes("handover", nullable=True),
        _time("handover_until", nullable=True),
        _time("submitted_at", nullable=True),
        _time("lease_until", nullable=True),
        _number("epoch", 0),
        _number("lost_leases", 0),
    )
    op.create_index("sessions_token", "sessions", ["token"], unique=True)
    for name, column, states in (
        ("sessions_open", "expires_at", "state IN ('capturing', 'issued')"),
        ("sessions_judging", "submitted_at", "state = 'judging'"),
        ("sessions_evidence", "created_at", "has_evidence = 1"),
    ):
        condition = sa.text(states)
        op.create_index(name, "sessions", [column], sqlite_where=condition, postgresql_where=condition)
    op.create_table(
        "day_counts",
        sa.Column("account_id", sa.BigInteger, primary_key=True),
        sa.Column("id_hash", sa.LargeBinary, primary_key=True),
        sa.Column("day", sa.Text, primary_key=True),
        _number("count"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tombstones",
        sa.Column("token", sa.LargeBinary, primary_key=True),
        sa.Column("account_id", sa.BigInteger, nullable=False),
        _time("gone_at"),
        sqlite_with_rowid=False,
    )
    op.create_index("tombstones_gone", "tombstones", ["gone_at"])


def _transcripts() -> None:
    op.create_table(
        "attempts",
        sa.Column("session_id", sa.BigInteger, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        _time("started_at"),
        _text("actions"),
        _number("counted", 0),
        sqlite_with_rowid=False,
    )
    to_attempt = ("attempts.session_id", "attempts.number")
    op.create_table(
        "steps",
        sa.Column("session_id", sa.BigInteger, primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("step", sa.Integer, primary_key=True),
        _text("action"),
        _bytes("nonce"),
        _time("revealed_at"),
        _time("deadline"),
        sa.ForeignKeyConstraint(["session_id", "attempt"], to_attempt, ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "frames",
        sa.Column("session_id", sa.BigInteger, primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        _number("step"),
        _bytes("nonce"),
        _time("received_at"),
        _bytes("digest"),
        _text("object"),
        _number("start"),
        _number("size"),
        sa.ForeignKeyConstraint(["session_id", "attempt"], to_attempt, ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )


def _outcomes() -> None:
    op.create_table(
        "verdicts",
        sa.Column("session_id", sa.BigInteger, sa.ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True),
        _text("result"),
        _text("description"),
        sa.Column("similarity", sa.Double, nullable=False),
        _text("tags"),
        sa.Column("best_frame", sa.BigInteger),
        _number("attempt"),
        _time("judged_at"),
        _number("billed"),
        _bytes("measurement", nullable=True),
    )
    op.create_table(
        "ledger",
        _key(),
        _reference("account_id", "accounts.id"),
        sa.Column("session_id", sa.BigInteger, nullable=False, unique=True),
        _text("result"),
        _number("billed"),
        _time("at"),
        sqlite_autoincrement=True,
    )
    op.create_index("ledger_account", "ledger", ["account_id", "at"])
