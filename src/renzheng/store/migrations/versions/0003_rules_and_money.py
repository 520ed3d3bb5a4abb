"""Rules; activation, balances and limits of accounts; what a rule and a device leave with a session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _accounts()
    _rules()
    for column in (
        sa.Column("rule_id", sa.BigInteger),
        sa.Column("evidence_until", sa.Double),
        sa.Column("device_mismatch", sa.Integer, nullable=False, server_default=sa.text("0")),
    ):
        op.add_column("sessions", column)
    kept = sa.text("has_evidence = 1 AND evidence_until IS NOT NULL")
    op.create_index("sessions_evidence_until", "sessions", ["evidence_until"], sqlite_where=kept, postgresql_where=kept)


def _accounts() -> None:
    for column in (
        sa.Column("active", sa.Integer, nullable=False, server_default=sa.text("1")),
        sa.Column("balance", sa.BigInteger),
        sa.Column("limits", sa.Text, nullable=False, server_default=sa.text("'{}'")),
    ):
        op.add_column("accounts", column)
    op.add_column("ledger", sa.Column("charged", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.create_table(
        "top_ups",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sqlite_autoincrement=True,
    )
    op.execute("INSERT INTO counters (name, value) VALUES ('balances', 0)")


def _rules() -> None:
    op.create_table(
        "rules",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("evidence_days", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("changed_at", sa.Double, nullable=False),
        sa.Column("note", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.UniqueConstraint("account_id", "name"),
        sqlite_autoincrement=True,
    )
