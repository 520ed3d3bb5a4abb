"""The management service: what keys are good for, every version of a rule, imports of people in parts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "key_scopes",
        sa.Column("secret_id", sa.Text, primary_key=True),
        sa.Column("services", sa.Text, nullable=False),
        sa.Column("mac", sa.LargeBinary),
    )
    op.create_table(
        "rule_history",
        sa.Column("id", number, primary_key=True),
        sa.Column("rule_id", sa.BigInteger, sa.ForeignKey("rules.id"), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("evidence_days", sa.Double),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("decided_by", sa.Text),
        sa.Column("decision", sa.Text),
        sa.Column("note", sa.Text),
        sa.Column("decided_at", sa.Double),
        sa.Column("mac", sa.LargeBinary),
        sa.UniqueConstraint("rule_id", "version"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "imports",
        sa.Column("id", number, primary_key=True),
        sa.Column("account_id", sa.BigInteger, sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("replaces", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("changed_at", sa.Double, nullable=False),
        sa.Column("total", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("done", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("trouble", sa.Text, nullable=False, server_default=""),
        sqlite_autoincrement=True,
    )
    op.create_index("imports_account", "imports", ["account_id", "id"])
    op.create_table(
        "import_parts",
        sa.Column("import_id", sa.BigInteger, sa.ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
